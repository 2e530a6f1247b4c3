//! The errors found while a macro reads its input.

use std::fmt::Display;
use std::thread;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Collects errors, so that the user sees all of them at once and not one a build.
///
/// Ends with [`finish`](Self::finish); dropped without it, it panics, because errors would be lost.
pub(crate) struct Ctxt {
    /// `None` once finished.
    errors: Option<Vec<Error>>,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Self { errors: Some(Vec::new()) }
    }

    /// Adds an error that the compiler shows under `tokens`.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Adds an error that has its place already.
    pub(crate) fn push(&mut self, error: Error) {
        self.errors.get_or_insert_default().push(error);
    }

    /// Gives all errors as the code that makes the compiler report them.
    ///
    /// An impl goes beside it even so: without one, every use of the type would be an error too.
    pub(crate) fn finish(mut self) -> TokenStream {
        let errors = self.errors.take().into_iter().flatten();
        errors.map(Error::into_compile_error).collect()
    }
}

impl Drop for Ctxt {
    fn drop(&mut self) {
        let unfinished = self.errors.is_some() && !thread::panicking();
        assert!(!unfinished, "a macro dropped its errors instead of reporting them");
    }
}

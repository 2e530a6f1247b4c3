//! One module a derive macro, and how a field of either gives its text.

mod generics;
pub(crate) mod label_value;
pub(crate) mod labels;
pub(crate) mod metrics;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Member, Path, Type, parse_quote};

use crate::attr::LabelAttr;

/// What gives the text of a field.
#[derive(Clone, Copy)]
enum Via {
    LabelValue,
    Display,
}

impl Via {
    fn of(attr: &LabelAttr) -> Self {
        match attr.display {
            Some(_) => Self::Display,
            None => Self::LabelValue,
        }
    }

    /// The trait that the type of the field implements.
    fn bound(self, krate: &Path) -> Path {
        match self {
            Self::LabelValue => parse_quote!(#krate::LabelValue),
            Self::Display => parse_quote!(::core::fmt::Display),
        }
    }

    /// The call that gives the text of a field of `self`, placed so that the compiler blames the
    /// type of the field when that does not implement the trait.
    ///
    /// The span keeps the mark of the expansion: lints take a call without it for the user's own.
    fn text(self, krate: &Path, field: &Member, ty: &Type) -> TokenStream {
        let place = ty.span();
        let span = Span::mixed_site().located_at(place);
        match self {
            Self::LabelValue => {
                let krate = located_at(krate, place);
                quote_spanned!(span=> <#ty as #krate::LabelValue>::text(&self.#field))
            }
            Self::Display => {
                quote_spanned!(span=> <#ty as ::std::string::ToString>::to_string(&self.#field))
            }
        }
    }
}

/// The same tokens with the same meaning, but errors about them are shown at `place`.
pub(crate) fn located_at(tokens: &impl ToTokens, place: Span) -> TokenStream {
    let tokens = tokens.to_token_stream().into_iter();
    tokens
        .map(|mut token| {
            token.set_span(token.span().located_at(place));
            token
        })
        .collect()
}

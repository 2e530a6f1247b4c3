//! What stands in the parentheses of an attribute.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Meta, Token};

use crate::attr;
use crate::ctxt::Ctxt;
use crate::derive::located_at;

/// How an attribute is written.
pub(super) struct Usage {
    pub(super) name: &'static str,
    pub(super) target: &'static str,
    pub(super) options: &'static [&'static str],
}

impl Usage {
    /// The attribute with its options.
    fn full(&self) -> String {
        let options = self.options.iter().map(|option| format!(", {option}")).collect::<String>();
        format!("`#[{}({}{options})]`", self.name, self.target)
    }

    fn takes(&self, option: &str) -> bool {
        self.options.iter().any(|known| known.split(' ').next() == Some(option))
    }
}

/// The arguments of an attribute.
pub(super) struct Args {
    /// The expression that gives the instrument.
    pub(super) target: Expr,
    pub(super) krate: TokenStream,
    pub(super) filter: Option<Expr>,
    pub(super) panics: bool,
}

impl Args {
    pub(super) fn parse(arguments: TokenStream, usage: &Usage, ctxt: &mut Ctxt) -> Option<Self> {
        let write = usage.full();
        if arguments.is_empty() {
            let message = format!("`{}` needs an instrument: write {write}", usage.name);
            ctxt.push(syn::Error::new(Span::call_site(), message));
            return None;
        }
        let parser = |input: ParseStream<'_>| {
            let target = input.parse::<Expr>()?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            let options = Punctuated::<Meta, Token![,]>::parse_terminated(input)?;
            Ok((target, options))
        };
        match parser.parse2(arguments) {
            Ok((Expr::Assign(option), _)) => {
                let message = format!("the instrument comes first: write {write}");
                ctxt.error(option.left, message);
                None
            }
            Ok((target, options)) => {
                // Errors about what is called belong to what it is called with.
                let krate = located_at(&attr::default_crate(), target.span());
                let mut args = Self { target, krate, filter: None, panics: false };
                options.iter().for_each(|option| args.set(option, usage, ctxt));
                Some(args)
            }
            Err(error) => {
                ctxt.push(syn::Error::new(error.span(), format!("{error}; write {write}")));
                None
            }
        }
    }

    fn set(&mut self, option: &Meta, usage: &Usage, ctxt: &mut Ctxt) {
        let name = attr::path_text(option.path());
        match name.as_str() {
            "crate" => match attr::path(option) {
                Some(path) => self.krate = path.into_token_stream(),
                None => ctxt.error(option, "`crate` takes a path: write `crate = \"path\"`"),
            },
            "filter" if usage.takes("filter") => match attr::value(option) {
                Some(filter) => self.filter = Some(filter.clone()),
                None => ctxt.error(
                    option,
                    "`filter` takes a closure that says which errors count: \
                     write `filter = |error| ...`",
                ),
            },
            "panics" if usage.takes("panics") => match option {
                Meta::Path(_) => self.panics = true,
                _ => ctxt.error(option, "`panics` takes no value: write `panics`"),
            },
            _ => ctxt
                .error(option.path(), format!("unknown option `{name}`: write {}", usage.full())),
        }
    }
}

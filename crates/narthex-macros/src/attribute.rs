//! The attributes: each puts a guard into the body of a function.

mod args;
mod function;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Error;
use syn::spanned::Spanned;

use self::args::{Args, Usage};
use self::function::{Body, Function};
use crate::ctxt::Ctxt;

/// `#[timer(...)]`.
pub(crate) fn timer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let usage = Usage { name: "timer", target: "HISTOGRAM", options: &[] };
    expand(&usage, arguments, item, |args, body| Ok(guarded("Timer", args, body)))
}

/// `#[in_progress(...)]`.
pub(crate) fn in_progress(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let usage = Usage { name: "in_progress", target: "GAUGE", options: &[] };
    expand(&usage, arguments, item, |args, body| Ok(guarded("InProgress", args, body)))
}

/// `#[count_errors(...)]`.
pub(crate) fn count_errors(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = &["filter = |error| ...", "panics"];
    let usage = Usage { name: "count_errors", target: "COUNTER", options };
    expand(&usage, arguments, item, watched)
}

/// Reads arguments and function, and replaces the body.
///
/// A function that cannot take the attribute stays as it is beside the errors: without it, every
/// use of it would be an error too.
fn expand(
    usage: &Usage,
    arguments: TokenStream,
    item: TokenStream,
    replace: impl FnOnce(&Args, &Body<'_>) -> Result<TokenStream, Error>,
) -> TokenStream {
    let mut ctxt = Ctxt::new();
    let args = Args::parse(arguments, usage, &mut ctxt);
    let function = Function::parse(item.clone(), usage, &mut ctxt);
    let mut output = item;
    if let (Some(args), Some(mut function)) = (args, function) {
        match function.replace_body(|body| replace(&args, body)) {
            Ok(()) => output = quote!(#function),
            Err(error) => ctxt.push(error),
        }
    }
    let errors = ctxt.finish();
    quote!(#errors #output)
}

/// Holds a guard while the body runs.
///
/// The body stays a block of its own, for its items belong before its statements.
fn guarded(guard: &str, args: &Args, body: &Body<'_>) -> TokenStream {
    let Args { target, krate, .. } = args;
    let block = &body.block;
    let span = Span::mixed_site().located_at(target.span());
    let guard = Ident::new(guard, span);
    let statement = quote_spanned!(span=> let _guard = #krate::#guard::start(&(#target)););
    quote!(#statement #block)
}

/// Runs the body apart, so that `return` and `?` lead no further than to its result, and counts
/// that where it is an error.
fn watched(args: &Args, body: &Body<'_>) -> Result<TokenStream, Error> {
    let Args { target, krate, filter, panics } = args;
    let output = body.result_type()?;
    let span = Span::mixed_site().located_at(target.span());
    // A handle, for a borrow would keep the body from using all of `self`.
    let counter = quote_spanned!(span=> let counter = #krate::ToHandle::to_handle(&(#target)););
    let attempt = quote_spanned!(span=> #krate::Attempt::start(&counter));
    let before = match (panics, body.is_async()) {
        (true, false) => Some(quote_spanned!(span=> let attempt = #attempt;)),
        _ => None,
    };
    let result = match (panics, body.is_async()) {
        (true, true) => body.run_with_attempts(&output, &attempt),
        _ => body.run(&output),
    };
    let attempt = match before {
        Some(_) => quote_spanned!(span=> attempt),
        None => attempt,
    };
    // At the return type, which is at fault when it is no `Result`.
    let outcome = quote_spanned!(Span::mixed_site().located_at(output.span())=> &result);
    let finish = match filter {
        None => quote_spanned!(span=> #krate::Attempt::finish(#attempt, #outcome)),
        Some(filter) => {
            quote_spanned!(span=> #krate::Attempt::finish_if(#attempt, #outcome, #filter))
        }
    };
    Ok(quote_spanned! {Span::mixed_site()=>
        #counter
        #before
        let result = #result;
        #finish;
        result
    })
}

//! The function that an attribute stands on, and the body that does its work.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::token::Brace;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Error, Expr, ExprAsync, GenericArgument, ItemFn, Path, PathArguments, ReturnType,
    Safety, Signature, Stmt, Token, TraitItemFn, Type, TypeParamBound, parse_quote,
};

use super::args::Usage;
use crate::ctxt::Ctxt;

/// A function or method with a body.
pub(super) struct Function(ItemFn);

impl Function {
    pub(super) fn parse(item: TokenStream, usage: &Usage, ctxt: &mut Ctxt) -> Option<Self> {
        let name = usage.name;
        let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
            let message = match syn::parse2::<TraitItemFn>(item) {
                Ok(_) => format!(
                    "a method without a body has nothing to run: \
                     write `#[{name}(...)]` on those that implement it"
                ),
                Err(_) => format!("`{name}` belongs on a function: write it above `fn`"),
            };
            ctxt.push(Error::new(Span::call_site(), message));
            return None;
        };
        if let Some(qualifier) = unwanted_qualifier(&function.sig) {
            let message = format!(
                "`{name}` does not go on a function that is `{qualifier}`: \
                 write it on a function that calls this one"
            );
            ctxt.error(qualifier, message);
            return None;
        }
        Some(Self(function))
    }

    /// Puts the statements that `replace` makes of it in the place of the body.
    pub(super) fn replace_body(
        &mut self,
        replace: impl FnOnce(&Body<'_>) -> Result<TokenStream, Error>,
    ) -> Result<(), Error> {
        let ItemFn { sig: signature, block, .. } = &mut self.0;
        let returned = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, returned) => Some((**returned).clone()),
        };
        let future_output = returned.as_ref().and_then(future_output);
        let (block, output, run) = if signature.asyncness.is_some() {
            (&mut **block, returned, Run::Async { capture: Some(<Token![move]>::default()) })
        } else if let Some(future) = tail_future(block) {
            let output = future_output.unwrap_or_else(|| parse_quote!(_));
            (&mut future.block, Some(output), Run::Async { capture: future.capture })
        } else if future_output.is_some() {
            return Err(Error::new_spanned(
                returned,
                "the work of this function is that of the future it returns: \
                 end it with `async move { ... }` or `Box::pin(async move { ... })`, \
                 or make it an `async fn`",
            ));
        } else {
            (&mut **block, returned, Run::Sync)
        };
        let body = Body { block: within_expansion(block), output, run, name: &signature.ident };
        block.stmts = vec![Stmt::Expr(Expr::Verbatim(replace(&body)?), None)];
        Ok(())
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// What a function runs: its own body, or that of the future it returns.
pub(super) struct Body<'f> {
    pub(super) block: Block,
    output: Option<Type>,
    run: Run,
    name: &'f Ident,
}

enum Run {
    Sync,
    Async { capture: Option<Token![move]> },
}

impl Body<'_> {
    pub(super) fn is_async(&self) -> bool {
        matches!(self.run, Run::Async { .. })
    }

    /// The type of what the body gives, as one can write it within: `impl Trait` is `_` there.
    pub(super) fn result_type(&self) -> Result<Type, Error> {
        let mut output = self.output.clone().ok_or_else(|| {
            Error::new_spanned(
                self.name,
                "a function that returns nothing has no errors to count: write `-> Result<...>`",
            )
        })?;
        EraseImplTrait.visit_type_mut(&mut output);
        Ok(output)
    }

    /// An expression that runs the body apart and gives its result.
    pub(super) fn run(&self, output: &Type) -> TokenStream {
        let block = &self.block;
        match &self.run {
            // A method that takes an `FnOnce` makes the closure one, so that it may give out what
            // it captured: `Ok(&mut self.field)`.
            Run::Sync => quote_spanned! {Span::mixed_site()=>
                ::core::option::Option::<#output>::None.unwrap_or_else(move || #block)
            },
            Run::Async { .. } => {
                let future = self.future(output);
                quote!(#future.await)
            }
        }
    }

    /// As [`run`](Self::run), with an attempt that is under way during each poll: one that panics
    /// counts as failed, and one that is not followed by another does not.
    pub(super) fn run_with_attempts(&self, output: &Type, attempt: &TokenStream) -> TokenStream {
        let future = self.future(output);
        quote_spanned! {Span::mixed_site()=>
            {
                let mut body = ::core::pin::pin!(#future);
                ::core::future::poll_fn(|context| {
                    let attempt = #attempt;
                    let poll = ::core::future::Future::poll(body.as_mut(), context);
                    attempt.succeed();
                    poll
                })
                .await
            }
        }
    }

    fn future(&self, output: &Type) -> TokenStream {
        let Run::Async { capture } = &self.run else { return TokenStream::new() };
        let block = &self.block;
        // A return that is never taken tells the compiler the type, which `?` has to know.
        let edge = match output {
            Type::Infer(_) => TokenStream::new(),
            _ => quote_spanned! {Span::mixed_site()=>
                if let ::core::option::Option::Some(result) =
                    ::core::option::Option::<#output>::None
                {
                    return result;
                }
            },
        };
        quote_spanned!(Span::mixed_site()=> async #capture { #edge #block })
    }
}

/// The block with braces of ours, which no lint finds superfluous.
fn within_expansion(block: &Block) -> Block {
    let span = Span::mixed_site().located_at(block.brace_token.span.join());
    Block { brace_token: Brace(span), stmts: block.stmts.clone() }
}

/// What a function is that no attribute goes on: `const`, `unsafe` or `extern`.
fn unwanted_qualifier(signature: &Signature) -> Option<TokenStream> {
    match signature {
        Signature { constness: Some(constness), .. } => Some(constness.to_token_stream()),
        Signature { safety: Safety::Unsafe(safety), .. } => Some(safety.to_token_stream()),
        Signature { abi: Some(abi), .. } => Some(abi.to_token_stream()),
        _ => None,
    }
}

/// The future that a function ends with: what `async_trait` makes of a method, or what one writes
/// for lack of it.
fn tail_future(block: &mut Block) -> Option<&mut ExprAsync> {
    match block.stmts.last_mut()? {
        Stmt::Expr(tail, None) => future_of(tail),
        _ => None,
    }
}

fn future_of(tail: &mut Expr) -> Option<&mut ExprAsync> {
    match tail {
        Expr::Async(future) => Some(future),
        // `Box::pin(async ...)`
        Expr::Call(call) if call.args.len() == 1 => match &*call.func {
            Expr::Path(function) if ends_with(&function.path, "pin") => {
                future_of(call.args.first_mut()?)
            }
            _ => None,
        },
        // `async { ... }.boxed()`
        Expr::MethodCall(call) if call.method == "boxed" || call.method == "boxed_local" => {
            future_of(&mut call.receiver)
        }
        Expr::Group(group) => future_of(&mut group.expr),
        _ => None,
    }
}

/// What the future gives, where a type is a future to look at: `impl Future<Output = T>`, or
/// `Pin<Box<dyn Future<Output = T>>>`.
fn future_output(ty: &Type) -> Option<Type> {
    match ty {
        Type::ImplTrait(ty) => ty.bounds.iter().find_map(bound_output),
        Type::TraitObject(ty) => ty.bounds.iter().find_map(bound_output),
        Type::Path(ty) if ends_with(&ty.path, "Pin") || ends_with(&ty.path, "Box") => {
            type_arguments(&ty.path).find_map(future_output)
        }
        Type::Path(ty)
            if ends_with(&ty.path, "BoxFuture") || ends_with(&ty.path, "LocalBoxFuture") =>
        {
            type_arguments(&ty.path).next().cloned()
        }
        Type::Group(ty) => future_output(&ty.elem),
        Type::Paren(ty) => future_output(&ty.elem),
        _ => None,
    }
}

fn bound_output(bound: &TypeParamBound) -> Option<Type> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    if !ends_with(&bound.path, "Future") {
        return None;
    }
    let output = arguments(&bound.path).find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
        _ => None,
    });
    Some(output.unwrap_or_else(|| parse_quote!(_)))
}

fn ends_with(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

fn type_arguments(path: &Path) -> impl Iterator<Item = &Type> {
    arguments(path).filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn arguments(path: &Path) -> impl Iterator<Item = &GenericArgument> {
    let arguments = path.segments.last().map(|segment| &segment.arguments);
    let arguments = arguments.and_then(|arguments| match arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    });
    arguments.into_iter().flatten()
}

struct EraseImplTrait;

impl VisitMut for EraseImplTrait {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(_) = ty {
            let span = ty.span();
            *ty = parse_quote!(_);
            if let Type::Infer(infer) = ty {
                infer.underscore_token.span = span;
            }
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}

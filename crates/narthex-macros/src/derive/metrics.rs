//! `derive(Metrics)`: one metric a field, all registered at once.

use std::collections::HashMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Lit, LitStr, Meta, Path, Type,
};

use super::located_at;
use crate::attr;
use crate::attr::metric::{Call, MetricAttr, MetricsAttr};
use crate::ctxt::Ctxt;
use crate::naming;

pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let mut ctxt = Ctxt::new();
    let krate = attr::crate_path(&input.attrs, &mut ctxt);
    let attr = MetricsAttr::read(&input.attrs, &mut ctxt);
    let members = members(input, &mut ctxt);
    check_namespace(attr.namespace.as_ref(), &mut ctxt);
    check_names(members.iter().flatten(), &mut ctxt);

    let errors = ctxt.finish();
    let implementation = implementation(input, &krate, &attr, members.as_deref());
    quote!(#errors #implementation)
}

/// A field of the struct.
struct Member<'a> {
    field: &'a Ident,
    ty: &'a Type,
    content: Content,
}

enum Content {
    Metric(Metric),
    /// Metrics of its own.
    Flattened,
}

struct Metric {
    name: String,
    /// What gives the name: the field, or the literal that renames it.
    named_by: TokenStream,
    help: TokenStream,
    calls: Vec<Call>,
}

impl Metric {
    fn calls(&self, method: &str) -> bool {
        self.calls.iter().any(|call| call.method == method)
    }
}

/// The fields, where the type is a struct that has some.
fn members<'a>(input: &'a DeriveInput, ctxt: &mut Ctxt) -> Option<Vec<Member<'a>>> {
    let name = &input.ident;
    let write = format!("write `struct {name} {{ name: Type }}`");
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => {
                return Some(fields.named.iter().filter_map(|field| member(field, ctxt)).collect());
            }
            Fields::Named(_) | Fields::Unit => {
                ctxt.error(name, format!("a set of metrics has a field for each: {write}"));
            }
            Fields::Unnamed(fields) => {
                ctxt.error(fields, format!("metrics take their names from fields: {write}"));
            }
        },
        Data::Enum(data) => {
            ctxt.error(data.enum_token, format!("metrics are the fields of a struct: {write}"));
        }
        Data::Union(data) => {
            ctxt.error(data.union_token, format!("metrics are the fields of a struct: {write}"));
        }
    }
    None
}

fn member<'a>(field: &'a Field, ctxt: &mut Ctxt) -> Option<Member<'a>> {
    let attr = MetricAttr::read(&field.attrs, ctxt);
    let ident = field.ident.as_ref()?;
    let content = match &attr.flatten {
        Some(flatten) => {
            if attr.name.is_some() || attr.help.is_some() || !attr.calls.is_empty() {
                ctxt.error(
                    flatten,
                    "the metrics of a flattened field describe themselves: write `flatten` alone",
                );
            }
            Content::Flattened
        }
        None => Content::Metric(metric(field, ident, attr, ctxt)),
    };
    Some(Member { field: ident, ty: &field.ty, content })
}

fn metric(field: &Field, ident: &Ident, attr: MetricAttr, ctxt: &mut Ctxt) -> Metric {
    let name = attr.name.as_ref().map_or_else(|| ident.unraw().to_string(), LitStr::value);
    let help = match attr.help {
        Some(help) => help.into_token_stream(),
        None => {
            let help = first_paragraph(&field.attrs);
            if help.is_empty() {
                ctxt.error(
                    ident,
                    format!(
                        "the metric `{name}` has no help text: write a doc comment above it, \
                         or `#[metric(help = \"...\")]`"
                    ),
                );
            }
            help.into_token_stream()
        }
    };
    let named_by = attr.name.map_or_else(|| ident.to_token_stream(), ToTokens::into_token_stream);
    Metric { name, named_by, help, calls: attr.calls }
}

/// The lines of a doc comment up to the first blank one, joined.
fn first_paragraph(attributes: &[Attribute]) -> String {
    let docs = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let text = docs.collect::<Vec<_>>().join("\n");
    // A block comment may begin each line with an asterisk.
    let lines = text.lines().map(|line| line.trim().trim_start_matches("* ").trim());
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ")
}

fn check_namespace(namespace: Option<&LitStr>, ctxt: &mut Ctxt) {
    let Some(namespace) = namespace else { return };
    if let Err(message) = naming::check_namespace(&namespace.value()) {
        ctxt.error(namespace, message);
    }
}

fn check_names<'a>(members: impl Iterator<Item = &'a Member<'a>>, ctxt: &mut Ctxt) {
    let mut fields = HashMap::new();
    for Member { field, content, .. } in members {
        let Content::Metric(metric) = content else { continue };
        let Metric { name, named_by, .. } = metric;
        if !metric.calls("utf8_names")
            && let Err(message) = naming::check_metric_name(name)
        {
            ctxt.error(named_by, message);
        } else if let Some(first) = fields.insert(name, field)
            // With other constant labels it is another series of the same family.
            && !metric.calls("const_label")
        {
            ctxt.error(
                named_by,
                format!(
                    "field `{first}` is the metric `{name}` already: \
                     write `#[metric(name = \"...\")]` with another name"
                ),
            );
        }
    }
}

fn implementation(
    input: &DeriveInput,
    krate: &Path,
    attr: &MetricsAttr,
    members: Option<&[Member<'_>]>,
) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let site = Span::mixed_site();
    // All identifiers of one expansion have to be resolved at the same site.
    let registry = Ident::new("registry", site);
    let body = match members {
        Some(members) => body(attr, members, krate, &registry),
        // An error stands beside this impl, so that it never runs.
        None => quote_spanned!(site=> ::core::unreachable!()),
    };
    quote_spanned! {site=>
        #[automatically_derived]
        #[allow(deprecated, reason = "what is derived for may be on its way out")]
        impl #impl_generics #krate::Metrics for #ident #type_generics #where_clause {
            fn register(
                #registry: &#krate::Registry,
            ) -> ::core::result::Result<Self, #krate::RegisterError> {
                #body
            }
        }
    }
}

fn body(attr: &MetricsAttr, members: &[Member<'_>], krate: &Path, registry: &Ident) -> TokenStream {
    let scope = scope(attr, registry);
    let fields = members.iter().map(|member| member.field);
    let values = members.iter().map(|member| value(member, krate, registry));
    quote_spanned! {Span::mixed_site()=>
        #krate::Registry::transaction(#registry, |#registry| {
            #scope
            ::core::result::Result::Ok(Self { #(#fields: #values),* })
        })
    }
}

/// Puts the namespace and the constant labels before all that is registered.
fn scope(attr: &MetricsAttr, registry: &Ident) -> TokenStream {
    let site = Span::mixed_site();
    let prefix = attr.namespace.iter().map(|namespace| quote_spanned!(site=> .prefix(#namespace)));
    let const_labels = &attr.const_labels;
    if attr.namespace.is_none() && const_labels.is_empty() {
        return TokenStream::new();
    }
    quote_spanned! {site=>
        let #registry = &#registry.scope() #(#prefix)* #(#const_labels)* .build()?;
    }
}

/// Registers a field, placed so that the compiler blames its type when that is no instrument.
fn value(member: &Member<'_>, krate: &Path, registry: &Ident) -> TokenStream {
    let Member { ty, content, .. } = member;
    let span = Span::mixed_site().located_at(ty.span());
    let krate = located_at(krate, ty.span());
    match content {
        Content::Metric(Metric { name, help, calls, .. }) => quote_spanned! {span=>
            #krate::Builder::<#ty>::new(#name, #help) #(#calls)* .register(#registry)?
        },
        Content::Flattened => quote_spanned! {span=>
            <#ty as #krate::Metrics>::register(#registry)?
        },
    }
}

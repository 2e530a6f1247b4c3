//! `derive(Labels)`: one label a field.

use std::collections::HashMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Field, Fields, GenericParam, Generics, Lifetime, LitStr, Member, Path, Type,
};

use super::{Via, generics, located_at};
use crate::attr::{self, LabelAttr, Place};
use crate::ctxt::Ctxt;
use crate::naming;

/// More would say that something other than a label was made one; nobody plots 17 dimensions.
const MAX_LABELS: usize = 16;

pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let mut ctxt = Ctxt::new();
    let krate = attr::crate_path(&input.attrs, &mut ctxt);
    LabelAttr::read(&input.attrs, Place::LabelSet, &mut ctxt);
    let mut labels = labels(input, &mut ctxt);
    check_names(&labels, &mut ctxt);
    check_count(&labels, &mut ctxt);
    labels.sort_by(|a, b| a.name.cmp(&b.name));

    let errors = ctxt.finish();
    let implementation = implementation(input, &krate, &labels);
    quote!(#errors #implementation)
}

/// A field that is a label.
struct Label<'a> {
    name: String,
    field: &'a Ident,
    ty: &'a Type,
    via: Via,
    /// What gives the name: the field, or the literal that renames it.
    named_by: TokenStream,
}

fn labels<'a>(input: &'a DeriveInput, ctxt: &mut Ctxt) -> Vec<Label<'a>> {
    let name = &input.ident;
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => {
                return fields.named.iter().filter_map(|field| label(field, ctxt)).collect();
            }
            Fields::Unit => {}
            Fields::Unnamed(fields) => ctxt.error(
                fields,
                format!(
                    "labels take their names from fields: write `struct {name} {{ name: Type }}`"
                ),
            ),
        },
        Data::Enum(data) => ctxt.error(
            data.enum_token,
            format!(
                "an enum is the value of one label: derive `LabelValue` on `{name}` \
                 and `Labels` on a struct with a field of this type"
            ),
        ),
        Data::Union(data) => {
            ctxt.error(data.union_token, format!("a union has no labels: write `struct {name}`"));
        }
    }
    Vec::new()
}

fn label<'a>(field: &'a Field, ctxt: &mut Ctxt) -> Option<Label<'a>> {
    let attr = LabelAttr::read(&field.attrs, Place::Label, ctxt);
    if let Some(skip) = &attr.skip {
        if attr.rename.is_some() || attr.display.is_some() {
            ctxt.error(skip, "a skipped field is no label: write `skip` alone or remove it");
        }
        return None;
    }
    let ident = field.ident.as_ref()?;
    Some(Label {
        name: attr.rename.as_ref().map_or_else(|| ident.unraw().to_string(), LitStr::value),
        field: ident,
        ty: &field.ty,
        via: Via::of(&attr),
        named_by: attr.rename.map_or_else(|| ident.to_token_stream(), ToTokens::into_token_stream),
    })
}

fn check_names(labels: &[Label<'_>], ctxt: &mut Ctxt) {
    let mut fields = HashMap::new();
    for Label { name, field, named_by, .. } in labels {
        if let Err(message) = naming::check_label_name(name) {
            ctxt.error(named_by, message);
        } else if let Some(first) = fields.insert(name, field) {
            ctxt.error(
                named_by,
                format!(
                    "field `{first}` is the label `{name}` already: \
                     write `#[label(rename = \"...\")]` with another name"
                ),
            );
        }
    }
}

fn check_count(labels: &[Label<'_>], ctxt: &mut Ctxt) {
    if let Some(label) = labels.get(MAX_LABELS) {
        ctxt.error(
            label.field,
            format!(
                "{} labels are too many, {MAX_LABELS} is the limit: \
                 remove some, or write `#[label(skip)]` on fields that are no labels",
                labels.len(),
            ),
        );
    }
}

fn implementation(input: &DeriveInput, krate: &Path, labels: &[Label<'_>]) -> TokenStream {
    let ident = &input.ident;
    let lifetime = Lifetime::new("'__a", Span::mixed_site());
    let borrowed = borrowed(input, &lifetime);
    let generics = bounded_generics(input, krate, labels);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let names = labels.iter().map(|label| &label.name);
    let texts = labels.iter().map(|Label { field, ty, via, .. }| {
        let text = via.text(krate, &Member::Named((*field).clone()), ty);
        quote_spanned! {Span::mixed_site().located_at(ty.span())=>
            ::core::convert::AsRef::<::core::primitive::str>::as_ref(&#text)
        }
    });

    let numbering = numbering(labels, krate);

    // Names of ours cannot meet names of the user's: locals are hygienic at the mixed site, and
    // generic parameters, which are not, start with two underscores.
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        #[allow(deprecated, reason = "what is derived for may be on its way out")]
        impl #impl_generics #krate::Labels for #ident #type_generics #where_clause {
            type Borrowed<#lifetime> = #borrowed;

            const NAMES: &'static [&'static ::core::primitive::str] = &[#(#names),*];

            #numbering

            #[inline(always)]
            fn visit<__V: #krate::LabelVisitor>(
                &self,
                visitor: __V,
            ) -> <__V as #krate::LabelVisitor>::Output {
                #krate::LabelVisitor::values(visitor, [#(#texts),*])
            }
        }
    }
}

/// The number of each set among all, where each label has few values: the first counts most.
fn numbering(labels: &[Label<'_>], krate: &Path) -> TokenStream {
    if labels.iter().any(|label| matches!(label.via, Via::Display)) {
        return TokenStream::new();
    }
    let site = Span::mixed_site();
    let of_label = labels.iter().map(|Label { ty, .. }| {
        let krate = located_at(krate, ty.span());
        quote_spanned!(site.located_at(ty.span())=> <#ty as #krate::LabelValue>)
    });
    let of_label = Vec::from_iter(of_label);
    let fields = labels.iter().map(|label| label.field);
    // From the last label on, which takes two instructions less than from the first: LLVM adds in
    // words then, and not in bytes that it widens at the end.
    let add = of_label.iter().zip(fields).rev().map(|(of_label, field)| {
        quote_spanned! {site=>
            let index = index + #of_label::index(&self.#field) * sets;
            let sets = sets * #of_label::CARDINALITY.unwrap_or(1);
        }
    });
    quote_spanned! {site=>
        const CARDINALITY: ::core::option::Option<::core::primitive::usize> =
            #krate::cardinality(&[#(#of_label::CARDINALITY),*]);

        #[inline(always)]
        fn index(&self) -> ::core::primitive::usize {
            let (index, sets): (::core::primitive::usize, ::core::primitive::usize) = (0, 1);
            #(#add)*
            index
        }
    }
}

/// The struct with `lifetime` in the place of its own.
fn borrowed(input: &DeriveInput, lifetime: &Lifetime) -> TokenStream {
    if input.generics.lifetimes().next().is_none() {
        return quote!(Self);
    }
    let arguments = input.generics.params.iter().map(|param| match param {
        GenericParam::Lifetime(_) => lifetime.to_token_stream(),
        GenericParam::Type(param) => param.ident.to_token_stream(),
        GenericParam::Const(param) => param.ident.to_token_stream(),
    });
    let ident = &input.ident;
    quote!(#ident<#(#arguments),*>)
}

fn bounded_generics(input: &DeriveInput, krate: &Path, labels: &[Label<'_>]) -> Generics {
    let mut generics = input.generics.clone();
    for label in labels {
        generics::require(&mut generics, label.ty, &label.via.bound(krate));
    }
    if let Data::Struct(data) = &input.data {
        generics::require_any_lifetime(&mut generics, data.fields.iter().map(|field| &field.ty));
    }
    generics
}

//! `derive(LabelValue)`: the text of an enum's variants, or of the one field of a struct.

use std::collections::HashMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DataEnum, DataStruct, DeriveInput, Field, Lifetime, LitStr, Member, Path, Type, Variant,
    parse_quote,
};

use super::{Via, generics, located_at};
use crate::attr::{self, LabelAttr, Place};
use crate::ctxt::Ctxt;
use crate::naming::Rule;

pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let mut ctxt = Ctxt::new();
    let krate = attr::crate_path(&input.attrs, &mut ctxt);
    let source = source(input, &mut ctxt);

    let errors = ctxt.finish();
    let implementation = implementation(input, &krate, &source);
    quote!(#errors #implementation)
}

/// Where the text of a value comes from.
enum Source<'a> {
    /// Each variant has its text.
    Variants(Vec<VariantText<'a>>),
    /// The one field of a struct has it.
    Field { member: Member, ty: &'a Type, via: Via },
    /// `Display` writes it for the value itself.
    Display,
    /// There is none, as an error says.
    Nowhere,
}

struct VariantText<'a> {
    variant: &'a Ident,
    text: String,
    /// What gives the text: the variant, or the literal that renames it.
    named_by: TokenStream,
}

fn source<'a>(input: &'a DeriveInput, ctxt: &mut Ctxt) -> Source<'a> {
    let place = match input.data {
        Data::Enum(_) => Place::ValueEnum,
        Data::Struct(_) | Data::Union(_) => Place::ValueStruct,
    };
    let attr = LabelAttr::read(&input.attrs, place, ctxt);
    match &input.data {
        Data::Enum(data) => enum_source(data, attr, ctxt),
        _ if attr.display.is_some() => Source::Display,
        Data::Struct(data) => struct_source(&input.ident, data, ctxt),
        Data::Union(data) => {
            ctxt.error(
                data.union_token,
                "a union has no text: write an enum, \
                 or implement `Display` and write `#[label(display)]` on the union",
            );
            Source::Nowhere
        }
    }
}

fn enum_source<'a>(data: &'a DataEnum, attr: LabelAttr, ctxt: &mut Ctxt) -> Source<'a> {
    let read = |variant: &Variant| LabelAttr::read(&variant.attrs, Place::Variant, ctxt).rename;
    let renames = Vec::from_iter(data.variants.iter().map(read));
    if attr.display.is_some() {
        let rename_all = attr.rename_all.map(|(path, _)| path.into_token_stream());
        let renames = renames.into_iter().flatten().map(ToTokens::into_token_stream);
        for unused in rename_all.into_iter().chain(renames) {
            ctxt.error(unused, "the text comes from `Display`: remove this or `display`");
        }
        return Source::Display;
    }
    let rule = attr.rename_all.map_or_else(Rule::default, |(_, rule)| rule);
    let variants = data.variants.iter().zip(renames);
    let texts = variants.map(|(variant, rename)| variant_text(variant, rename, rule, ctxt));
    let texts = Vec::from_iter(texts);
    check_distinct(&texts, ctxt);
    Source::Variants(texts)
}

fn variant_text<'a>(
    variant: &'a Variant,
    rename: Option<LitStr>,
    rule: Rule,
    ctxt: &mut Ctxt,
) -> VariantText<'a> {
    if !variant.fields.is_empty() {
        ctxt.error(
            &variant.fields,
            "a variant with data has no text of its own: remove the data, \
             or implement `Display` and write `#[label(display)]` on the enum",
        );
    }
    let variant = &variant.ident;
    match rename {
        Some(text) => {
            VariantText { variant, text: text.value(), named_by: text.into_token_stream() }
        }
        None => VariantText {
            variant,
            text: rule.apply(&variant.unraw().to_string()),
            named_by: variant.to_token_stream(),
        },
    }
}

/// Two variants with one text would count into one series.
fn check_distinct(texts: &[VariantText<'_>], ctxt: &mut Ctxt) {
    let mut variants = HashMap::new();
    for VariantText { variant, text, named_by } in texts {
        if let Some(first) = variants.get(text) {
            ctxt.error(
                named_by,
                format!(
                    "variant `{first}` has the text `{text}` already: \
                     write `#[label(rename = \"...\")]` with another text on `{variant}`",
                ),
            );
        } else {
            variants.insert(text, variant);
        }
    }
}

fn struct_source<'a>(name: &Ident, data: &'a DataStruct, ctxt: &mut Ctxt) -> Source<'a> {
    let mut fields = data.fields.members().zip(&data.fields);
    match (fields.next(), fields.next()) {
        (Some((member, Field { attrs, ty, .. })), None) => {
            let attr = LabelAttr::read(attrs, Place::ValueField, ctxt);
            Source::Field { member, ty, via: Via::of(&attr) }
        }
        (None, _) => {
            ctxt.error(
                name,
                format!("a struct without a field has no text: write `struct {name}(Type);`"),
            );
            Source::Nowhere
        }
        (Some(_), Some(_)) => {
            ctxt.error(
                &data.fields,
                format!(
                    "a label has one value: keep one field, or derive `Labels` to make each field \
                     a label, or implement `Display` and write `#[label(display)]` on `{name}`",
                ),
            );
            Source::Nowhere
        }
    }
}

fn implementation(input: &DeriveInput, krate: &Path, source: &Source<'_>) -> TokenStream {
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    match source {
        Source::Variants(_) | Source::Nowhere => {}
        Source::Field { ty, via, .. } => generics::require(&mut generics, ty, &via.bound(krate)),
        Source::Display if generics.type_params().next().is_none() => {}
        Source::Display => {
            generics.make_where_clause().predicates.push(parse_quote!(Self: ::core::fmt::Display));
        }
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    // Generic parameters are not hygienic, so that two underscores keep this one from the user's.
    let lifetime = Lifetime::new("'__a", Span::mixed_site());
    let text_type = text_type(source, krate, &lifetime);
    let text = text(source, krate);
    let numbering = numbering(source, krate);

    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        #[allow(deprecated, reason = "what is derived for may be on its way out")]
        impl #impl_generics #krate::LabelValue for #ident #type_generics #where_clause {
            type Text<#lifetime>
                = #text_type
            where
                Self: #lifetime;

            #numbering

            #[inline]
            fn text(&self) -> <Self as #krate::LabelValue>::Text<'_> {
                #text
            }
        }
    }
}

/// The type of the text, which may borrow from the value for `lifetime`.
fn text_type(source: &Source<'_>, krate: &Path, lifetime: &Lifetime) -> TokenStream {
    match source {
        Source::Variants(_) | Source::Nowhere => quote!(&'static ::core::primitive::str),
        Source::Field { ty, via: Via::LabelValue, .. } => {
            let span = Span::mixed_site().located_at(ty.span());
            let krate = located_at(krate, ty.span());
            quote_spanned!(span=> <#ty as #krate::LabelValue>::Text<#lifetime>)
        }
        Source::Field { via: Via::Display, .. } | Source::Display => quote!(::std::string::String),
    }
}

/// The text of `self`.
fn text(source: &Source<'_>, krate: &Path) -> TokenStream {
    let site = Span::mixed_site();
    match source {
        Source::Variants(texts) => {
            let variants = texts.iter().map(|text| text.variant);
            let texts = texts.iter().map(|text| &text.text);
            quote_spanned!(site=> match *self { #(Self::#variants { .. } => #texts,)* })
        }
        Source::Field { member, ty, via } => via.text(krate, member, ty),
        Source::Display => {
            quote_spanned!(site=> <Self as ::std::string::ToString>::to_string(self))
        }
        Source::Nowhere => quote!(""),
    }
}

/// The number of each value among all, where there are few: series are found by it without a hash.
fn numbering(source: &Source<'_>, krate: &Path) -> TokenStream {
    let site = Span::mixed_site();
    let (cardinality, index) = match source {
        Source::Variants(texts) => {
            let variants = texts.iter().map(|text| text.variant);
            let (count, numbers) = (texts.len(), 0..texts.len());
            let count = quote!(::core::option::Option::Some(#count));
            (count, quote_spanned!(site=> match *self { #(Self::#variants { .. } => #numbers,)* }))
        }
        Source::Field { member, ty, via: Via::LabelValue } => {
            let span = site.located_at(ty.span());
            let krate = located_at(krate, ty.span());
            let of_field = quote_spanned!(span=> <#ty as #krate::LabelValue>);
            let index = quote_spanned!(span=> #of_field::index(&self.#member));
            (quote_spanned!(span=> #of_field::CARDINALITY), index)
        }
        Source::Field { via: Via::Display, .. } | Source::Display | Source::Nowhere => {
            return TokenStream::new();
        }
    };
    quote_spanned! {site=>
        const CARDINALITY: ::core::option::Option<::core::primitive::usize> = #cardinality;

        #[inline]
        fn index(&self) -> ::core::primitive::usize {
            #index
        }
    }
}

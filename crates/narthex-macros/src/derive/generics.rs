//! What the type parameters of a type must promise, so that an impl for it holds.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{Generics, Lifetime, Path, Type, TypePath, WherePredicate, parse_quote};

/// Adds to the where clause that whatever is generic in `ty` implements the trait at `bound`.
///
/// The bound goes on the parameter, as in the derives of the standard library: on the whole type it
/// could name a private one, and would hold for a single lifetime.
pub(super) fn require(generics: &mut Generics, ty: &Type, bound: &Path) {
    let mut mentions = Mentions::new(generics);
    mentions.visit_type(ty);
    let parts = mentions.parts;
    add(generics, parts.iter().map(|part| parse_quote!(#part: #bound)));
}

/// Adds what it takes to write the type with another lifetime in the place of its own.
///
/// `&'b T` is well-formed only when `T: 'b`. With a lifetime `'b` that any caller may choose, as
/// that of `Labels::Borrowed`, this leaves `T: 'static`.
pub(super) fn require_any_lifetime<'a>(
    generics: &mut Generics,
    types: impl IntoIterator<Item = &'a Type>,
) {
    let mut tied = BTreeSet::new();
    let mut collect = |visit: &dyn Fn(&mut Mentions<'_>)| {
        let mut mentions = Mentions::new(generics);
        visit(&mut mentions);
        if mentions.has_lifetime {
            tied.extend(mentions.params);
        }
    };
    for ty in types {
        collect(&|mentions| mentions.visit_type(ty));
    }
    for param in generics.type_params() {
        collect(&|mentions| {
            mentions.params.push(param.ident.clone());
            mentions.visit_type_param(param);
        });
    }
    for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        collect(&|mentions| mentions.visit_where_predicate(predicate));
    }
    add(generics, tied.iter().map(|param| parse_quote!(#param: 'static)));
}

fn add(generics: &mut Generics, predicates: impl ExactSizeIterator<Item = WherePredicate>) {
    if predicates.len() > 0 {
        generics.make_where_clause().predicates.extend(predicates);
    }
}

/// The parameters of a type that one part of it mentions.
struct Mentions<'g> {
    generics: &'g Generics,
    /// The type parameters by name.
    params: Vec<Ident>,
    /// The type parameters, or what they project to: `T`, `T::Item`, `<T as Trait>::Item`.
    parts: Vec<TypePath>,
    has_lifetime: bool,
}

impl<'g> Mentions<'g> {
    fn new(generics: &'g Generics) -> Self {
        Self { generics, params: Vec::new(), parts: Vec::new(), has_lifetime: false }
    }

    /// The type parameter that a path starts with.
    fn param(&self, ty: &TypePath) -> Option<Ident> {
        let first = &ty.path.segments.first()?.ident;
        let is_plain = ty.qself.is_none() && ty.path.leading_colon.is_none();
        let is_param = self.generics.type_params().any(|param| param.ident == *first);
        (is_plain && is_param).then(|| first.clone())
    }
}

impl<'ast> Visit<'ast> for Mentions<'_> {
    fn visit_type_path(&mut self, ty: &'ast TypePath) {
        if let Some(param) = self.param(ty) {
            self.params.push(param);
            self.parts.push(ty.clone());
            return;
        }
        let (params, parts) = (self.params.len(), self.parts.len());
        visit::visit_type_path(self, ty);
        if ty.qself.is_some() && self.params.len() > params {
            self.parts.truncate(parts);
            self.parts.push(ty.clone());
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.has_lifetime |= self.generics.lifetimes().any(|param| param.lifetime == *lifetime);
    }
}

//! Derive macros of [narthex](https://docs.rs/narthex): [`macro@Labels`] and [`macro@LabelValue`].
//!
//! The crate `narthex` re-exports them beside the traits that they implement; depend on that one.
//! What they emit is what one would write by hand, so that a type may do without them.

mod attr;
mod ctxt;
mod derive;
mod naming;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Labels`: each named field of the struct is a label.
///
/// The name of a label is the name of its field; its value is whatever `LabelValue` gives for the
/// field. Lifetimes let a lookup borrow: a family of `Request<'static>` is asked with a
/// `Request<'_>` that points into the caller's data.
///
/// ```
/// use narthex::{LabelValue, Labels};
///
/// #[derive(LabelValue)]
/// enum Method {
///     Get,
///     Post,
/// }
///
/// #[derive(Labels)]
/// struct Request<'a> {
///     method: Method,
///     path: &'a str,
///     #[label(rename = "code")]
///     status: u16,
/// }
///
/// assert_eq!(Request::NAMES, ["code", "method", "path"]);
/// ```
///
/// # On a field
///
/// - `#[label(rename = "...")]` names the label otherwise.
/// - `#[label(skip)]` leaves the field out: it is no label.
/// - `#[label(display)]` takes the text from `Display`, through a `String` that each lookup
///   allocates.
///
/// # On the struct
///
/// - `#[narthex(crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// # Generics
///
/// A type parameter that a label needs gets the bound `LabelValue` (or `Display`). All lifetime
/// parameters become the one of `Labels::Borrowed`; a type parameter that stands behind one of
/// them, such as `T` in `&'a T`, gets the bound `'static`.
///
/// # Errors
///
/// It is an error, on the name that causes it, when a label name is not of the form
/// `[a-zA-Z_][a-zA-Z0-9_]*`, starts with `__`, or is there twice, and when there are more than 16
/// labels. All errors of a struct are reported at once.
#[proc_macro_derive(Labels, attributes(label, narthex))]
pub fn derive_labels(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::labels::expand(&input).into()
}

/// Implements `LabelValue`: the type can be the value of a label.
///
/// The text of an enum's variant is its name in `snake_case`. A struct of one field has the text of
/// that field, whose type must be as public as the struct.
///
/// ```
/// use narthex::LabelValue;
///
/// #[derive(LabelValue)]
/// enum Outcome {
///     Done,
///     NotFound,
///     #[label(rename = "5xx")]
///     ServerError,
/// }
///
/// #[derive(LabelValue)]
/// struct Shard(u16);
///
/// assert_eq!(Outcome::NotFound.text(), "not_found");
/// assert_eq!(Outcome::ServerError.text(), "5xx");
/// assert_eq!(Shard(7).text().as_ref(), "7");
/// ```
///
/// # On an enum
///
/// - `#[label(rename_all = "...")]` names all variants by another rule: `lowercase`, `UPPERCASE`,
///   `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE`, `PascalCase`,
///   `camelCase`, or `verbatim` for the names as they are written.
/// - `#[label(rename = "...")]` on a variant gives its text. The empty text means that the series
///   does not have the label.
///
/// # On any type
///
/// - `#[label(display)]`, on the type or on the one field of a struct, takes the text from
///   `Display`, through a `String` that each lookup allocates.
/// - `#[narthex(crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// use narthex::LabelValue;
///
/// #[derive(LabelValue)]
/// struct Peer(#[label(display)] IpAddr);
///
/// assert_eq!(Peer(Ipv4Addr::LOCALHOST.into()).text(), "127.0.0.1");
/// ```
///
/// # Errors
///
/// It is an error, on the name that causes it, when two variants have the same text, when a variant
/// carries data, and when a struct has no field or several. All errors of a type are reported at
/// once.
#[proc_macro_derive(LabelValue, attributes(label, narthex))]
pub fn derive_label_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::label_value::expand(&input).into()
}

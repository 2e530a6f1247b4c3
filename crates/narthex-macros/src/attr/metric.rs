//! The attributes `#[metrics(...)]` and `#[metric(...)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Expr, Ident, LitStr, Meta, Path};

use super::{arguments, literal, path_text, value};
use crate::ctxt::Ctxt;

/// What the `#[metrics(...)]` attributes of a struct say.
#[derive(Default)]
pub(crate) struct MetricsAttr {
    pub(crate) namespace: Option<LitStr>,
    /// Calls of `const_label`.
    pub(crate) const_labels: Vec<Call>,
}

/// What the `#[metric(...)]` attributes of a field say.
#[derive(Default)]
pub(crate) struct MetricAttr {
    pub(crate) name: Option<LitStr>,
    pub(crate) help: Option<Expr>,
    pub(crate) flatten: Option<Path>,
    /// Calls of methods of the builder, in the order in which they are written.
    pub(crate) calls: Vec<Call>,
}

/// A call of a method of a builder.
pub(crate) struct Call {
    pub(crate) method: Ident,
    arguments: TokenStream,
}

const ON_STRUCT: &str =
    r#"`#[metrics(namespace = "...")]` or `#[metrics(const_label("name", "value"))]`"#;
const ON_FIELD: &str = r#"`#[metric(name = "...")]`, `#[metric(help = "...")]`, `#[metric(flatten)]`, or a method of the builder such as `#[metric(buckets = [0.1, 1.0])]`"#;

impl MetricsAttr {
    pub(crate) fn read(attributes: &[Attribute], ctxt: &mut Ctxt) -> Self {
        refuse(attributes, "metric", "`metric` belongs on a field: write `metrics`", ctxt);
        let mut read = Self::default();
        for meta in arguments(attributes, "metrics", ON_STRUCT, ctxt) {
            read.set(&meta, ctxt);
        }
        read
    }

    fn set(&mut self, meta: &Meta, ctxt: &mut Ctxt) {
        match (path_text(meta.path()).as_str(), value(meta)) {
            ("namespace", _) if self.namespace.is_some() => {
                ctxt.error(meta, "`namespace` is there twice: remove one");
            }
            ("namespace", Some(name)) if literal(name).is_some() => {
                self.namespace = literal(name).cloned();
            }
            ("namespace", _) => ctxt
                .error(meta, "`namespace` takes a string: write `#[metrics(namespace = \"...\")]`"),
            ("const_label", _) if matches!(meta, Meta::List(_)) => {
                self.const_labels.extend(Call::of(meta));
            }
            ("const_label", _) => ctxt.error(
                meta,
                "`const_label` takes a name and a value: \
                 write `#[metrics(const_label(\"name\", \"value\"))]`",
            ),
            (unknown, _) => {
                ctxt.error(meta.path(), format!("unknown key `{unknown}`: write {ON_STRUCT}"));
            }
        }
    }
}

impl MetricAttr {
    pub(crate) fn read(attributes: &[Attribute], ctxt: &mut Ctxt) -> Self {
        refuse(attributes, "metrics", "`metrics` belongs on the struct: write `metric`", ctxt);
        let mut read = Self::default();
        for meta in arguments(attributes, "metric", ON_FIELD, ctxt) {
            read.set(&meta, ctxt);
        }
        read
    }

    fn set(&mut self, meta: &Meta, ctxt: &mut Ctxt) {
        let key = path_text(meta.path());
        let is_repeated = match key.as_str() {
            "name" => self.name.is_some(),
            "help" => self.help.is_some(),
            "flatten" => self.flatten.is_some(),
            _ => false,
        };
        if is_repeated {
            return ctxt.error(meta, format!("`{key}` is there twice: remove one"));
        }
        match (key.as_str(), value(meta)) {
            ("name", Some(name)) if literal(name).is_some() => self.name = literal(name).cloned(),
            ("name", _) => {
                ctxt.error(meta, "`name` takes a string: write `#[metric(name = \"...\")]`");
            }
            ("help", Some(help)) => self.help = Some(help.clone()),
            ("help", None) => {
                ctxt.error(meta, "`help` takes a text: write `#[metric(help = \"...\")]`");
            }
            ("flatten", None) if matches!(meta, Meta::Path(_)) => {
                self.flatten = Some(meta.path().clone());
            }
            ("flatten", _) => {
                ctxt.error(meta, "`flatten` takes no value: write `#[metric(flatten)]`");
            }
            ("namespace", _) => ctxt.error(
                meta,
                "`namespace` belongs on the struct: write `#[metrics(namespace = \"...\")]` there",
            ),
            ("rename", _) => {
                ctxt.error(meta, "unknown key `rename`: write `#[metric(name = \"...\")]`");
            }
            _ => match Call::of(meta) {
                Some(call) => self.calls.push(call),
                None => ctxt.error(
                    meta.path(),
                    format!("`{key}` is no method of a builder: write {ON_FIELD}"),
                ),
            },
        }
    }
}

impl Call {
    /// Reads `method`, `method = argument` or `method(arguments)`.
    fn of(meta: &Meta) -> Option<Self> {
        let method = meta.path().get_ident()?.clone();
        let arguments = match meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::NameValue(pair) => pair.value.to_token_stream(),
            Meta::List(list) => list.tokens.clone(),
        };
        Some(Self { method, arguments })
    }
}

impl ToTokens for Call {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { method, arguments } = self;
        tokens.extend(quote_spanned!(method.span()=> .#method(#arguments)));
    }
}

/// Reports attributes of this name, which belong elsewhere.
fn refuse(attributes: &[Attribute], name: &str, message: &str, ctxt: &mut Ctxt) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        ctxt.error(attribute.path(), message);
    }
}

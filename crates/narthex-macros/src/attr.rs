//! The attributes `#[label(...)]` and `#[narthex(...)]`; `#[metric(...)]` and `#[metrics(...)]` are
//! in their own file.

pub(crate) mod metric;

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token, parse_quote};

use crate::ctxt::Ctxt;
use crate::naming::{self, Rule};

/// What the `#[label(...)]` attributes of one place say.
#[derive(Default)]
pub(crate) struct LabelAttr {
    pub(crate) rename: Option<LitStr>,
    pub(crate) rename_all: Option<(Path, Rule)>,
    pub(crate) skip: Option<Path>,
    pub(crate) display: Option<Path>,
}

/// Where an attribute stands, which decides what it may say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A struct that derives `Labels`.
    LabelSet,
    /// A field of it.
    Label,
    /// An enum that derives `LabelValue`.
    ValueEnum,
    /// A variant of it.
    Variant,
    /// A struct that derives `LabelValue`.
    ValueStruct,
    /// The field of it.
    ValueField,
}

impl LabelAttr {
    pub(crate) fn read(attributes: &[Attribute], place: Place, ctxt: &mut Ctxt) -> Self {
        let usage = Key::usages(place);
        let mut read = Self::default();
        for meta in arguments(attributes, "label", &usage, ctxt) {
            if let Some(key) = Key::find(&meta, place, &usage, ctxt) {
                read.set(key, meta, ctxt);
            }
        }
        read
    }

    fn set(&mut self, key: Key, meta: Meta, ctxt: &mut Ctxt) {
        let is_repeated = match key {
            Key::Rename => self.rename.is_some(),
            Key::RenameAll => self.rename_all.is_some(),
            Key::Skip => self.skip.is_some(),
            Key::Display => self.display.is_some(),
        };
        if is_repeated {
            return ctxt.error(&meta, format!("`{}` is there twice: remove one", key.name()));
        }
        match key {
            Key::Rename => self.rename = string(&meta, key, ctxt),
            Key::RenameAll => {
                let Some(name) = string(&meta, key, ctxt) else { return };
                match Rule::parse(&name.value()) {
                    Ok(rule) => self.rename_all = Some((meta.path().clone(), rule)),
                    Err(message) => ctxt.error(name, message),
                }
            }
            Key::Skip => self.skip = flag(meta, key, ctxt),
            Key::Display => self.display = flag(meta, key, ctxt),
        }
    }
}

/// Where the crate is, if nothing else is said.
pub(crate) fn default_crate() -> Path {
    parse_quote!(::narthex)
}

/// Reads `#[narthex(crate = "path")]`: where the crate is that the generated code refers to.
pub(crate) fn crate_path(attributes: &[Attribute], ctxt: &mut Ctxt) -> Path {
    let usage = r#"`#[narthex(crate = "path")]`"#;
    let mut found = None;
    for meta in arguments(attributes, "narthex", usage, ctxt) {
        if !meta.path().is_ident("crate") {
            let written = path_text(meta.path());
            ctxt.error(meta.path(), format!("unknown key `{written}`: write {usage}"));
        } else if found.is_some() {
            ctxt.error(&meta, "`crate` is there twice: remove one");
        } else {
            found = path(&meta);
            if found.is_none() {
                ctxt.error(&meta, format!("`crate` takes the path of the crate: write {usage}"));
            }
        }
    }
    found.unwrap_or_else(default_crate)
}

/// What may stand in `#[label(...)]`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Rename,
    RenameAll,
    Skip,
    Display,
}

impl Key {
    const ALL: [Self; 4] = [Self::Rename, Self::RenameAll, Self::Skip, Self::Display];

    /// Finds the key that `meta` names and that may stand in this place.
    fn find(meta: &Meta, place: Place, usage: &str, ctxt: &mut Ctxt) -> Option<Self> {
        let written = path_text(meta.path());
        if let Some(key) = Self::ALL.into_iter().find(|key| key.name() == written) {
            if key.fits(place) {
                return Some(key);
            }
            ctxt.error(meta.path(), format!("`{written}` belongs on {}", key.home()));
            return None;
        }
        let names = Vec::from_iter(Self::fitting(place).map(Self::name));
        let meant = naming::nearest(&written, &names);
        let meant = Self::fitting(place).find(|key| Some(key.name()) == meant);
        let write = meant.map_or_else(|| usage.to_owned(), |key| format!("`{}`", key.usage()));
        ctxt.error(meta.path(), format!("unknown key `{written}`: write {write}"));
        None
    }

    /// Says how to write an attribute in this place.
    fn usages(place: Place) -> String {
        match place {
            Place::LabelSet => "`#[label(...)]` on the fields instead".to_owned(),
            _ => naming::one_of(&Vec::from_iter(Self::fitting(place).map(Self::usage))),
        }
    }

    fn fitting(place: Place) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |key| key.fits(place))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::RenameAll => "rename_all",
            Self::Skip => "skip",
            Self::Display => "display",
        }
    }

    fn usage(self) -> &'static str {
        match self {
            Self::Rename => r#"#[label(rename = "...")]"#,
            Self::RenameAll => r#"#[label(rename_all = "snake_case")]"#,
            Self::Skip => "#[label(skip)]",
            Self::Display => "#[label(display)]",
        }
    }

    fn fits(self, place: Place) -> bool {
        match self {
            Self::Rename => matches!(place, Place::Label | Place::Variant),
            Self::RenameAll => place == Place::ValueEnum,
            Self::Skip => place == Place::Label,
            Self::Display => !matches!(place, Place::LabelSet | Place::Variant),
        }
    }

    /// Names the places that the key fits.
    fn home(self) -> &'static str {
        match self {
            Self::Rename => {
                "a field under `derive(Labels)` or a variant under `derive(LabelValue)`"
            }
            Self::RenameAll => "an enum under `derive(LabelValue)`",
            Self::Skip => "a field under `derive(Labels)`",
            Self::Display => "a field under `derive(Labels)` or a type under `derive(LabelValue)`",
        }
    }
}

/// Splits the arguments of all attributes of this name.
fn arguments(attributes: &[Attribute], name: &str, usage: &str, ctxt: &mut Ctxt) -> Vec<Meta> {
    let mut all = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        match attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
            Ok(arguments) => all.extend(arguments),
            Err(error) => {
                ctxt.push(syn::Error::new(error.span(), format!("{error}; write {usage}")));
            }
        }
    }
    all
}

fn string(meta: &Meta, key: Key, ctxt: &mut Ctxt) -> Option<LitStr> {
    let found = value(meta).and_then(literal).cloned();
    if found.is_none() {
        ctxt.error(meta, format!("`{}` takes a string: write `{}`", key.name(), key.usage()));
    }
    found
}

fn flag(meta: Meta, key: Key, ctxt: &mut Ctxt) -> Option<Path> {
    match meta {
        Meta::Path(path) => Some(path),
        Meta::List(_) | Meta::NameValue(_) => {
            ctxt.error(meta, format!("`{}` takes no value: write `{}`", key.name(), key.usage()));
            None
        }
    }
}

/// Gives the text where the value is a string literal.
fn literal(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

/// Reads a path in quotes, or bare so that a `macro_rules!` macro can hand over `$crate`.
pub(crate) fn path(meta: &Meta) -> Option<Path> {
    match value(meta)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            text.parse_with(Path::parse_mod_style).ok()
        }
        Expr::Path(path) => Some(path.path.clone()),
        _ => None,
    }
}

pub(crate) fn value(meta: &Meta) -> Option<&Expr> {
    let Meta::NameValue(pair) = meta else { return None };
    let mut value = &pair.value;
    // A value that came through a `macro_rules!` variable stands in an invisible group.
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    Some(value)
}

pub(crate) fn path_text(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

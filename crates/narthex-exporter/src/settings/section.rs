//! Tables of the TOML file that belong to other parts of the program.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

use super::error::SettingsError;
use super::fields::Fields;
use super::file::Document;

/// A top-level key of the TOML file that is not an option of the program, such as `[labels]`.
///
/// [`Settings::section`](super::Settings::section) makes such a key known, and hands it to a
/// function that makes a value of it.
#[derive(Clone, Debug)]
pub struct Section {
    document: Arc<Document>,
    name: String,
}

impl Section {
    /// The key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads the section as a `T`.
    ///
    /// A field of type [`Spanned`](crate::Spanned) keeps its place, which [`error`](Self::error) can name.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] that names file, line and key of what does not fit. Let `T` deny
    /// unknown fields, so that a mistyped key is one of these.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        let value = self.document.value(&self.name)?.expect("a section is made for a present key");
        let span = value.span();
        T::deserialize(ValueDeserializer::from(value)).map_err(|error| {
            let place = error.span().unwrap_or_else(|| span.clone());
            self.error(&place, error.message())
        })
    }

    /// The keys of the section, which is a table.
    pub(crate) fn fields(&self) -> Result<Fields<'_>, SettingsError> {
        let value = self.document.value(&self.name)?.expect("a section is made for a present key");
        Fields::new(&self.document, value)
    }

    /// An error at a place of the file.
    pub fn error(&self, span: &Range<usize>, message: impl fmt::Display) -> SettingsError {
        self.document.error_at(span.start, &message.to_string())
    }
}

/// What was made of the sections that the file has.
pub(crate) type Sections = HashMap<String, Arc<dyn Any + Send + Sync>>;

type Read = dyn Fn(&Section) -> Result<Arc<dyn Any + Send + Sync>, SettingsError> + Send + Sync;

/// A section that the program knows.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) name: String,
    read: Arc<Read>,
}

impl Reader {
    pub(super) fn new<T: Send + Sync + 'static>(
        name: String,
        read: impl Fn(&Section) -> Result<T, SettingsError> + Send + Sync + 'static,
    ) -> Self {
        let read =
            move |section: &Section| Ok(Arc::new(read(section)?) as Arc<dyn Any + Send + Sync>);
        Self { name, read: Arc::new(read) }
    }

    pub(super) fn read(
        &self,
        document: &Arc<Document>,
    ) -> Result<Arc<dyn Any + Send + Sync>, SettingsError> {
        (self.read)(&Section { document: document.clone(), name: self.name.clone() })
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A TOML file that [`Settings`](super::Settings) has read: the value of `--config`.
#[derive(Clone)]
pub struct ConfigFile(Arc<Content>);

struct Content {
    document: Arc<Document>,
    sections: Sections,
}

impl ConfigFile {
    pub(super) fn new(document: Arc<Document>, sections: Sections) -> Self {
        Self(Arc::new(Content { document, sections }))
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        self.0.document.path()
    }

    /// The file and those that it names for values: what has to be watched for changes.
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.document.files()
    }

    /// Whether the file has a section, or a [table](super::Settings::table) of options.
    pub fn has(&self, name: &str) -> bool {
        self.0.sections.contains_key(name)
    }

    /// What was made of a section, or `None` where the file does not have it.
    ///
    /// # Panics
    /// Panics where the section was made known as another type.
    pub fn section<T: 'static>(&self, name: &str) -> Option<&T> {
        let value = self.0.sections.get(name)?;
        let wrong = || panic!("section `{name}` is not a `{}`", std::any::type_name::<T>());
        Some(value.downcast_ref().unwrap_or_else(wrong))
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigFile").field(&self.path()).finish()
    }
}

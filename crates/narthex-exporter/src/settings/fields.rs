//! The keys of one table of the TOML file, read one by one so that all mistakes are found.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{Errors, SettingsError};
use super::file::{Document, article};
use super::layers::unknown;

/// A table whose keys are taken out as the reader asks for them; what is left is unknown.
pub(crate) struct Fields<'d> {
    document: &'d Document,
    /// Where the table begins, to blame it for what it lacks.
    span: Range<usize>,
    entries: DeTable<'d>,
    asked: Vec<String>,
    errors: Errors,
}

impl<'d> Fields<'d> {
    pub(super) fn new(
        document: &'d Document,
        value: Spanned<DeValue<'d>>,
    ) -> Result<Self, SettingsError> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(entries) => {
                let (asked, errors) = (Vec::new(), Errors::default());
                Ok(Self { document, span, entries, asked, errors })
            }
            other => {
                let message = format!("wrong type: expected a table, found {}", article(&other));
                Err(document.error_at(span.start, &message))
            }
        }
    }

    /// The value of a key, if it is there and of this type.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<Spanned<T>> {
        let value = self.raw(key)?;
        let span = value.span();
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => Some(Spanned::new(span, read)),
            Err(error) => {
                let place = error.span().unwrap_or(span);
                self.fail(&place, error.message());
                None
            }
        }
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &str) -> Option<Spanned<T>> {
        if !self.entries.contains_key(key) {
            self.asked.push(key.to_owned());
            let span = self.span.clone();
            self.fail(&span, &format!("`{key}` is missing"));
            return None;
        }
        self.optional(key)
    }

    /// A text that is the value of `KEY`, or in the file that is the value of `KEY_file`.
    pub(crate) fn text(&mut self, key: &str) -> Option<Spanned<String>> {
        let (written, path) = (self.optional(key), self.optional::<String>(&format!("{key}_file")));
        let Some(path) = path else { return written };
        if written.is_some() {
            let message = format!("`{key}` sets the same, and only one can be given");
            self.fail(&path.span(), &message);
            return None;
        }
        let text = self.document.text_of_other(&path.span(), path.get_ref());
        self.errors.keep(text).map(|text| Spanned::new(path.span(), text))
    }

    /// The keys that are left, with texts; that of `NAME_file` is in a file and called `NAME`.
    pub(crate) fn named_texts(&mut self) -> Vec<(Spanned<String>, Spanned<String>)> {
        let mut texts = Vec::new();
        for (name, value) in self.named::<String>() {
            let Some(stem) = name.get_ref().strip_suffix("_file") else {
                texts.push((name, value));
                continue;
            };
            let text = self.document.text_of_other(&value.span(), value.get_ref());
            if let Some(text) = self.errors.keep(text) {
                let stem = Spanned::new(name.span(), stem.to_owned());
                texts.push((stem, Spanned::new(value.span(), text)));
            }
        }
        texts
    }

    /// The bytes of the file that is the value of a key.
    pub(crate) fn file(&mut self, key: &str) -> Option<Spanned<Vec<u8>>> {
        let path = self.optional::<String>(key)?;
        let bytes = self.document.read_other(&path.span(), path.get_ref());
        self.errors.keep(bytes).map(|bytes| Spanned::new(path.span(), bytes))
    }

    /// The table that is the value of a key; it has to be [ended](Self::end).
    pub(crate) fn table(&mut self, key: &str) -> Option<Self> {
        let value = self.raw(key)?;
        let table = Self::new(self.document, value);
        self.errors.keep(table)
    }

    /// The keys that are left, which have names of the user's own, with the tables they are for.
    pub(crate) fn named_tables(&mut self) -> Vec<(Spanned<String>, Self)> {
        let mut tables = Vec::new();
        for (name, value) in self.named_values() {
            let table = Self::new(self.document, value);
            tables.extend(self.errors.keep(table).map(|table| (name, table)));
        }
        tables
    }

    /// The keys that are left, with values of one type.
    pub(crate) fn named<T: DeserializeOwned>(&mut self) -> Vec<(Spanned<String>, Spanned<T>)> {
        let mut read = Vec::new();
        for (name, value) in self.named_values() {
            let span = value.span();
            match T::deserialize(ValueDeserializer::from(value)) {
                Ok(value) => read.push((name, Spanned::new(span, value))),
                Err(error) => {
                    let place = error.span().unwrap_or(span);
                    self.fail(&place, error.message());
                }
            }
        }
        read
    }

    fn named_values(&mut self) -> Vec<(Spanned<String>, Spanned<DeValue<'d>>)> {
        let mut entries: Vec<_> = std::mem::take(&mut self.entries).into_iter().collect();
        entries.sort_unstable_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter();
        entries
            .map(|(key, value)| {
                let span = key.span();
                (Spanned::new(span, key.into_inner().into_owned()), value)
            })
            .collect()
    }

    fn raw(&mut self, key: &str) -> Option<Spanned<DeValue<'d>>> {
        self.asked.push(key.to_owned());
        self.entries.remove(key)
    }

    /// Takes down a mistake at a place of the file.
    pub(crate) fn fail(&mut self, span: &Range<usize>, message: &str) {
        self.errors.push(self.document.error_at(span.start, message));
    }

    /// The value, or `None` with its mistake taken down.
    pub(crate) fn check<T>(
        &mut self,
        span: &Range<usize>,
        result: Result<T, impl std::fmt::Display>,
    ) -> Option<T> {
        result.map_err(|error| self.fail(span, &error.to_string())).ok()
    }

    /// Where the table begins.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Takes over what is wrong with a table below this one, which has been read.
    pub(crate) fn end(&mut self, table: Self) {
        self.errors.append(table.into_errors());
    }

    /// The value, if nothing is wrong with the table.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, SettingsError> {
        self.into_errors().or(value)
    }

    fn into_errors(mut self) -> Errors {
        for (key, _) in self.named_values() {
            let message = unknown(key.get_ref(), self.asked.iter().cloned());
            let line = self.document.line_of(key.span().start);
            self.errors.push(self.document.error_in_line(line, message));
        }
        self.errors
    }
}

//! The TOML file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::SettingsError;
use super::option::{Kind, Setting};

/// A file as it was read.
///
/// Only the text is kept: a table borrows from it, and is made anew where it is wanted, which is
/// once for the options and once for each section.
#[derive(Debug)]
pub(super) struct Document {
    /// As the user gave it.
    path: PathBuf,
    text: String,
}

/// One top-level key of a document.
pub(super) struct Entry<'d> {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Spanned<DeValue<'d>>,
}

impl Document {
    /// Reads `path`, which is relative to `directory`.
    pub(super) fn read(directory: &Path, path: &Path) -> Result<Arc<Self>, SettingsError> {
        let text = std::fs::read_to_string(directory.join(path)).map_err(|error| {
            let shown = path.display().to_string();
            SettingsError::file(shown, None, format!("cannot be read: {error}"))
        })?;
        Ok(Arc::new(Self { path: path.to_owned(), text }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn table(&self) -> Result<DeTable<'_>, SettingsError> {
        DeTable::parse(&self.text).map(Spanned::into_inner).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&self.text, span.start));
            self.error_in_line(line, first_line(error.message()))
        })
    }

    /// The top-level keys in the order of the file.
    pub(super) fn entries(&self) -> Result<Vec<Entry<'_>>, SettingsError> {
        let mut entries: Vec<_> = self.table()?.into_iter().collect();
        entries.sort_unstable_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (Spanned<DeString<'_>>, _)| Entry {
            line: line_of(&self.text, key.span().start),
            key: key.into_inner().into_owned(),
            value,
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    /// The value of one top-level key.
    pub(super) fn value(&self, key: &str) -> Result<Option<Spanned<DeValue<'_>>>, SettingsError> {
        Ok(self.entries()?.into_iter().find(|entry| entry.key == key).map(|entry| entry.value))
    }

    pub(super) fn error_in_line(&self, line: usize, message: impl Into<String>) -> SettingsError {
        SettingsError::file(self.path.display().to_string(), Some(line), message)
    }

    /// An error at a byte of the file, which names the key there.
    pub(super) fn error_at(&self, offset: usize, message: &str) -> SettingsError {
        let mut path = Vec::new();
        if let Ok(table) = self.table() {
            path_to(&table, offset, &mut path);
        }
        let message = match path.is_empty() {
            true => first_line(message),
            false => format!("{}: {}", path.join("."), first_line(message)),
        };
        self.error_in_line(line_of(&self.text, offset), message)
    }
}

/// The values of `setting` in a TOML value, as texts.
pub(super) fn texts(
    setting: &Setting<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<OsString>, String> {
    match value.get_ref() {
        DeValue::Array(items) if setting.is_repeatable() => {
            items.iter().map(|item| text(setting.kind, item.get_ref())).collect()
        }
        single => Ok(vec![text(setting.kind, single)?]),
    }
}

fn text(kind: Kind, value: &DeValue<'_>) -> Result<OsString, String> {
    let fits = match kind {
        Kind::Switch | Kind::Boolean => value.is_bool(),
        Kind::Count | Kind::Integer => value.is_integer(),
        Kind::Number => value.is_float() || value.is_integer(),
        Kind::Text => value.is_str(),
        Kind::Other => !value.is_array() && !value.is_table(),
    };
    if !fits {
        let expected = match kind {
            Kind::Switch | Kind::Boolean => "a boolean",
            Kind::Count | Kind::Integer => "an integer",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::Other => "a single value",
        };
        return Err(format!("wrong type: expected {expected}, found {}", article(value)));
    }
    Ok(match value {
        DeValue::String(text) => text.as_ref().into(),
        // Written in another base, an integer is still the same integer.
        DeValue::Integer(integer) => {
            match i128::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => integer.to_string().into(),
                Err(_) => integer.as_str().into(),
            }
        }
        DeValue::Float(float) => float.as_str().into(),
        DeValue::Boolean(boolean) => boolean.to_string().into(),
        DeValue::Datetime(datetime) => datetime.to_string().into(),
        DeValue::Array(_) | DeValue::Table(_) => unreachable!("no kind fits a list or table"),
    })
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The keys on the way to the value, or the key, at a byte of the file.
fn path_to(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) -> bool {
    for (key, value) in table {
        let depth = path.len();
        path.push(key.get_ref().to_string());
        let below = match value.get_ref() {
            // The span of a table is that of its header, and its entries lie outside of it.
            DeValue::Table(table) => path_to(table, offset, path),
            _ => false,
        };
        if below || key.span().contains(&offset) || value.span().contains(&offset) {
            return true;
        }
        path.truncate(depth);
    }
    false
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// The message on one line.
fn first_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

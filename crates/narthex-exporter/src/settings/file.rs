//! The TOML file.

use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Errors, SettingsError};
use super::expand::{expand, has_reference};
use super::option::{Kind, Setting};

/// A file as it was read.
///
/// Only the text is kept: a table borrows from it, and is made anew where it is wanted, which is
/// once for the options and once for each section.
#[derive(Debug)]
pub(super) struct Document {
    /// As the user gave it.
    path: PathBuf,
    /// Where it lies, for the paths in it.
    folder: PathBuf,
    text: String,
    /// What `${NAME}` in it stands for.
    environment: HashMap<String, OsString>,
    /// The files that it names for values and that were read.
    files: Mutex<Vec<PathBuf>>,
}

/// One top-level key of a document.
pub(super) struct Entry<'d> {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Spanned<DeValue<'d>>,
    /// A value with `${NAME}` in it is a string, whatever the variable stands for.
    pub(super) spelling: Spelling,
}

impl Document {
    /// Reads `path`, which is relative to `directory`.
    pub(super) fn read(
        directory: &Path,
        path: &Path,
        environment: &HashMap<String, OsString>,
    ) -> Result<Arc<Self>, SettingsError> {
        let full = directory.join(path);
        let text = std::fs::read_to_string(&full).map_err(|error| {
            let shown = path.display().to_string();
            SettingsError::file(shown, None, format!("cannot be read: {error}"))
        })?;
        let folder = full.parent().map(Path::to_owned).unwrap_or_default();
        let files = Mutex::new(vec![full]);
        let (path, environment) = (path.to_owned(), environment.clone());
        Ok(Arc::new(Self { path, folder, text, environment, files }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, and those that it names for values.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes of a file that a value names, which is relative to this one.
    pub(super) fn read_other(
        &self,
        span: &Range<usize>,
        path: &str,
    ) -> Result<Vec<u8>, SettingsError> {
        let full = self.folder.join(path);
        let read = std::fs::read(&full).map_err(|error| {
            let path = path.escape_debug();
            self.error_at(span.start, &format!("`{path}` cannot be read: {error}"))
        });
        // Also one that could not be read: it may be there the next time.
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(full);
        read
    }

    /// The text of a file that a value names, without the end of its last line.
    pub(super) fn text_of_other(
        &self,
        span: &Range<usize>,
        path: &str,
    ) -> Result<String, SettingsError> {
        let text = String::from_utf8(self.read_other(span, path)?).map_err(|_| {
            let path = path.escape_debug();
            self.error_at(span.start, &format!("`{path}` is not valid UTF-8"))
        })?;
        Ok(text.strip_suffix('\n').map_or(&*text, |text| text.trim_end_matches('\r')).to_owned())
    }

    /// The file as it was written: `${NAME}` is still there.
    pub(super) fn written(&self) -> Result<DeTable<'_>, SettingsError> {
        let (table, faults) = DeTable::parse_recoverable(&self.text);
        let mut errors = Errors::default();
        let mut last = 0;
        for fault in faults {
            let line = fault.span().map_or(1, |span| line_of(&self.text, span.start));
            // What follows in the same line, follows from the first fault as a rule.
            if line != last {
                errors.push(self.error_in_line(line, first_line(fault.message())));
            }
            last = line;
        }
        errors.or(table.into_inner())
    }

    fn table(&self) -> Result<DeTable<'_>, SettingsError> {
        let mut table = self.written()?;
        // What cannot be expanded stays, and `expansions` tells of it.
        expand(&mut table, &self.environment, &mut |_, _| {});
        Ok(table)
    }

    /// What is wrong with each `${NAME}` in the file.
    pub(super) fn expansions(&self) -> Result<Errors, SettingsError> {
        let mut errors = Errors::default();
        expand(&mut self.written()?, &self.environment, &mut |span, message| {
            errors.push(self.error_at(span.start, message));
        });
        Ok(errors)
    }

    /// The top-level keys in the order of the file.
    pub(super) fn entries(&self) -> Result<Vec<Entry<'_>>, SettingsError> {
        Ok(self.in_order(self.table()?))
    }

    /// The keys of the table that is the value of a key; no other value has any.
    pub(super) fn entries_of<'d>(&'d self, entry: Entry<'d>) -> Vec<Entry<'d>> {
        match entry.value.into_inner() {
            DeValue::Table(table) => self.in_order(table),
            _ => Vec::new(),
        }
    }

    fn in_order<'d>(&'d self, table: DeTable<'d>) -> Vec<Entry<'d>> {
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_unstable_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (Spanned<DeString<'d>>, Spanned<DeValue<'d>>)| {
            let text = self.text.get(value.span()).unwrap_or_default();
            let spelling = if has_reference(text) { Spelling::Text } else { Spelling::Typed };
            let line = line_of(&self.text, key.span().start);
            Entry { line, key: key.into_inner().into_owned(), value, spelling }
        };
        entries.into_iter().map(entry).collect()
    }

    /// The value of one top-level key.
    pub(super) fn value(&self, key: &str) -> Result<Option<Spanned<DeValue<'_>>>, SettingsError> {
        Ok(self.entries()?.into_iter().find(|entry| entry.key == key).map(|entry| entry.value))
    }

    pub(super) fn line_of(&self, offset: usize) -> usize {
        line_of(&self.text, offset)
    }

    pub(super) fn error_in_line(&self, line: usize, message: impl Into<String>) -> SettingsError {
        SettingsError::file(self.path.display().to_string(), Some(line), message)
    }

    /// An error at a byte of the file, which names the key there.
    pub(super) fn error_at(&self, offset: usize, message: &str) -> SettingsError {
        let mut path = Vec::new();
        if let Ok(table) = self.written() {
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
    spelling: Spelling,
) -> Result<Vec<OsString>, String> {
    match value.get_ref() {
        DeValue::Array(items) if setting.is_repeatable() => {
            items.iter().map(|item| text(setting.kind, item.get_ref(), spelling)).collect()
        }
        single => Ok(vec![text(setting.kind, single, spelling)?]),
    }
}

/// How a value may be spelled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spelling {
    /// As TOML has it.
    Typed,
    /// A string will do, as it does where types cannot be had.
    Text,
}

fn text(kind: Kind, value: &DeValue<'_>, spelling: Spelling) -> Result<OsString, String> {
    let fits = match kind {
        _ if spelling == Spelling::Text && value.is_str() => true,
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

pub(super) fn article(value: &DeValue<'_>) -> &'static str {
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
            DeValue::Array(items) => items.iter().any(|item| match item.get_ref() {
                DeValue::Table(table) => path_to(table, offset, path),
                _ => false,
            }),
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

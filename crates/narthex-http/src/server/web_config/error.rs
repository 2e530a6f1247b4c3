//! What is wrong with a web configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A web configuration that cannot be used.
///
/// The message names the file, the place in it where there is one, and the reason. It shows no key,
/// no password hash and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebConfigError {
    path: PathBuf,
    place: Option<Place>,
    message: String,
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: Option<u64>,
}

impl WebConfigError {
    pub(super) fn of(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place: None, message: message.into() }
    }

    pub(super) fn at(path: &Path, place: Option<Place>, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place, message: message.into() }
    }

    /// The file at fault.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line at fault, where it is known; the first is 1.
    pub fn line(&self) -> Option<u64> {
        self.place.map(|place| place.line)
    }
}

impl fmt::Display for WebConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path.display().to_string().escape_debug())?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ", line {line}")?;
            if let Some(column) = column {
                write!(f, ", column {column}")?;
            }
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for WebConfigError {}

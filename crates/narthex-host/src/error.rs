//! What can go wrong, when the collectors are chosen and when they run.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use narthex_model::FamilyError;

use crate::kind::CollectorKind;

/// Why a collector gave nothing.
#[derive(Debug)]
pub struct CollectError(Fault);

#[derive(Debug)]
enum Fault {
    Read { path: PathBuf, source: io::Error },
    Line { path: PathBuf, line: Box<str>, expected: &'static str },
    System { call: &'static str, source: io::Error },
    Family(FamilyError),
}

impl CollectError {
    /// Characters of a bad line that are shown.
    const SHOWN: usize = 80;

    pub(crate) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self(Fault::Read { path: path.into(), source })
    }

    pub(crate) fn line(path: &Path, line: &str, expected: &'static str) -> Self {
        let line = line.chars().take(Self::SHOWN).collect::<String>().into();
        Self(Fault::Line { path: path.into(), line, expected })
    }

    pub(crate) fn system(call: &'static str, source: io::Error) -> Self {
        Self(Fault::System { call, source })
    }

    /// Whether what the collector reads does not exist on this machine, such as
    /// `/proc/pressure` on a kernel without it.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.0, Fault::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<FamilyError> for CollectError {
    fn from(error: FamilyError) -> Self {
        Self(Fault::Family(error))
    }
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Read { path, .. } => write!(f, "cannot read `{}`", path.display()),
            Fault::Line { path, line, expected } => write!(
                f,
                "cannot understand `{}`: expected {expected}, got `{}`",
                path.display(),
                line.escape_debug()
            ),
            Fault::System { call, .. } => write!(f, "`{call}` failed"),
            Fault::Family(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CollectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Fault::Read { source, .. } | Fault::System { source, .. } => Some(source),
            Fault::Line { .. } => None,
            Fault::Family(error) => error.source(),
        }
    }
}

/// A pattern that is not a regular expression.
#[derive(Clone, Debug)]
pub struct PatternError {
    excluded: &'static str,
    pattern: Box<str>,
    source: Box<regex::Error>,
}

impl PatternError {
    pub(crate) fn new(excluded: &'static str, pattern: &str, source: regex::Error) -> Self {
        Self { excluded, pattern: pattern.into(), source: Box::new(source) }
    }

    /// The pattern that was refused.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { excluded, pattern, .. } = self;
        write!(f, "`{pattern}` cannot exclude {excluded}: it is not a regular expression")
    }
}

impl std::error::Error for PatternError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// A name that no collector has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCollector {
    name: Box<str>,
}

impl UnknownCollector {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }
}

impl fmt::Display for UnknownCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a collector: expected one of ", self.name.escape_debug())?;
        for (at, kind) in CollectorKind::ALL.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}`{kind}`")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownCollector {}

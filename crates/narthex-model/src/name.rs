//! Validated names: the only way into a metric family.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use crate::escaping::Escaping;

/// The name of a metric family, valid by construction.
///
/// ```
/// use narthex_model::MetricName;
///
/// assert_eq!(MetricName::new("http_requests_total")?.as_str(), "http_requests_total");
/// assert_eq!(
///     MetricName::new("http.requests").unwrap_err().to_string(),
///     "`http.requests` is not a valid metric name: `.` at byte 4 is not a letter, digit, `_` or `:`",
/// );
/// # Ok::<(), narthex_model::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName(Arc<str>);

/// The name of a label, valid by construction.
///
/// ```
/// use narthex_model::LabelName;
///
/// assert_eq!(LabelName::new("path")?.as_str(), "path");
/// assert!(LabelName::new("__reserved").is_err());
/// # Ok::<(), narthex_model::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelName(Arc<str>);

impl MetricName {
    /// Accepts the classic set `[a-zA-Z_:][a-zA-Z0-9_:]*`, which every Prometheus understands.
    ///
    /// # Errors
    /// Returns a [`NameError`] that names the first character that does not belong.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check_classic(name, NameKind::Metric)?;
        Ok(Self(name.into()))
    }

    /// Accepts any non-empty UTF-8, as Prometheus 3 does.
    ///
    /// Such a name is written in quotes, or escaped for a scraper that does not ask for UTF-8.
    ///
    /// # Errors
    /// Returns a [`NameError`] when the name is empty.
    pub fn new_utf8(name: &str) -> Result<Self, NameError> {
        check_not_empty(name, NameKind::Metric)?;
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name lies in the classic set, so that no format needs to quote it.
    pub fn is_classic(&self) -> bool {
        check_classic(&self.0, NameKind::Metric).is_ok()
    }

    /// The name as a scraper sees it that asked for an escaping scheme; one in the classic set
    /// stays as it is.
    pub fn escaped(&self, escaping: Escaping) -> Cow<'_, str> {
        escaped(&self.0, NameKind::Metric, escaping)
    }

    /// Appends the name as [`escaped`](Self::escaped) gives it, without memory of its own.
    pub fn escape_into(&self, out: &mut Vec<u8>, escaping: Escaping) {
        if self.is_classic() {
            out.extend_from_slice(self.0.as_bytes());
        } else {
            let put = |part: &str| out.extend_from_slice(part.as_bytes());
            escaping.escape(&self.0, NameKind::Metric, put);
        }
    }

    /// The name as a scraper sees it that reads only the classic set, by the scheme
    /// [`Escaping::Underscores`].
    pub fn underscored(&self) -> Cow<'_, str> {
        self.escaped(Escaping::Underscores)
    }
}

impl LabelName {
    /// Accepts the classic set `[a-zA-Z_][a-zA-Z0-9_]*` without the prefix `__`, which is reserved
    /// for the server's own use.
    ///
    /// # Errors
    /// Returns a [`NameError`] that names the first character that does not belong.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check_classic(name, NameKind::Label)?;
        Self::check_reserved(name)?;
        Ok(Self(name.into()))
    }

    /// Accepts any non-empty UTF-8 without the prefix `__`.
    ///
    /// # Errors
    /// Returns a [`NameError`] when the name is empty or reserved.
    pub fn new_utf8(name: &str) -> Result<Self, NameError> {
        check_not_empty(name, NameKind::Label)?;
        Self::check_reserved(name)?;
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name lies in the classic set, so that no format needs to quote it.
    pub fn is_classic(&self) -> bool {
        check_classic(&self.0, NameKind::Label).is_ok()
    }

    /// The name as a scraper sees it that asked for an escaping scheme; one in the classic set
    /// stays as it is.
    pub fn escaped(&self, escaping: Escaping) -> Cow<'_, str> {
        escaped(&self.0, NameKind::Label, escaping)
    }

    /// Appends the name as [`escaped`](Self::escaped) gives it, without memory of its own.
    pub fn escape_into(&self, out: &mut Vec<u8>, escaping: Escaping) {
        if self.is_classic() {
            out.extend_from_slice(self.0.as_bytes());
        } else {
            let put = |part: &str| out.extend_from_slice(part.as_bytes());
            escaping.escape(&self.0, NameKind::Label, put);
        }
    }

    /// The name as a scraper sees it that reads only the classic set, by the scheme
    /// [`Escaping::Underscores`].
    pub fn underscored(&self) -> Cow<'_, str> {
        self.escaped(Escaping::Underscores)
    }

    /// Whether a scraper sees one name where there are two, by any escaping scheme.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        if self == other || (self.is_classic() && other.is_classic()) {
            return self == other;
        }
        Escaping::ALL.iter().any(|&scheme| self.escaped(scheme) == other.escaped(scheme))
    }

    /// The label that says of which state a sample of a state set is: it is named as the family.
    pub(crate) fn of_states(family: &MetricName) -> Self {
        Self(family.0.clone())
    }

    fn check_reserved(name: &str) -> Result<(), NameError> {
        if name.starts_with("__") {
            return Err(NameError {
                name: name.into(),
                kind: NameKind::Label,
                fault: Fault::Reserved,
            });
        }
        Ok(())
    }
}

/// A name that cannot be used.
#[derive(Clone, PartialEq, Eq)]
pub struct NameError {
    name: Box<str>,
    kind: NameKind,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    Metric,
    Label,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    LeadingDigit,
    Character { at: usize, character: char },
    Reserved,
}

impl NameKind {
    /// Whether the classic set has `c` at byte `at` of a name.
    pub(crate) fn allows(self, at: usize, c: char) -> bool {
        c.is_ascii_alphabetic()
            || c == '_'
            || (at > 0 && c.is_ascii_digit())
            || (c == ':' && self == Self::Metric)
    }
}

impl NameError {
    /// The name that was refused.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, allowed) = match self.kind {
            NameKind::Metric => ("metric", "a letter, digit, `_` or `:`"),
            NameKind::Label => ("label", "a letter, digit or `_`"),
        };
        write!(f, "`{}` is not a valid {kind} name: ", self.name.escape_debug())?;
        match self.fault {
            Fault::Empty => f.write_str("it is empty"),
            Fault::LeadingDigit => f.write_str("it starts with a digit"),
            Fault::Character { at, character } => {
                write!(f, "`{}` at byte {at} is not {allowed}", character.escape_debug())
            }
            Fault::Reserved => f.write_str("the prefix `__` is reserved for the Prometheus server"),
        }
    }
}

impl fmt::Debug for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameError({self})")
    }
}

impl std::error::Error for NameError {}

fn check_not_empty(name: &str, kind: NameKind) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError { name: name.into(), kind, fault: Fault::Empty });
    }
    Ok(())
}

fn check_classic(name: &str, kind: NameKind) -> Result<(), NameError> {
    check_not_empty(name, kind)?;
    let fault = if name.starts_with(|c: char| c.is_ascii_digit()) {
        Some(Fault::LeadingDigit)
    } else {
        name.char_indices()
            .find(|&(at, c)| !kind.allows(at, c))
            .map(|(at, character)| Fault::Character { at, character })
    };
    match fault {
        Some(fault) => Err(NameError { name: name.into(), kind, fault }),
        None => Ok(()),
    }
}

fn escaped(name: &str, kind: NameKind, escaping: Escaping) -> Cow<'_, str> {
    if name.char_indices().all(|(at, c)| kind.allows(at, c)) {
        return Cow::Borrowed(name);
    }
    if escaping == Escaping::AllowUtf8 {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(2 * name.len());
    escaping.escape(name, kind, |part| escaped.push_str(part));
    Cow::Owned(escaped)
}

macro_rules! name_traits {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

name_traits!(MetricName);
name_traits!(LabelName);

#[cfg(test)]
mod tests;

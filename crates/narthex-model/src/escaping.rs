//! Escaping schemes: how a name reaches a scraper that reads only the classic set.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use crate::name::NameKind;

/// How names outside the classic set are written, as a scraper asks for with `escaping=`.
///
/// A name inside the classic set is never changed.
///
/// ```
/// use narthex_model::{Escaping, MetricName};
///
/// let name = MetricName::new_utf8("http.requests_total")?;
/// assert_eq!(name.escaped(Escaping::Underscores), "http_requests_total");
/// assert_eq!(name.escaped(Escaping::Dots), "http_dot_requests__total");
/// assert_eq!(name.escaped(Escaping::Values), "U__http_2e_requests__total");
/// assert_eq!(Escaping::Values.unescape("U__http_2e_requests__total"), name);
/// # Ok::<(), narthex_model::NameError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Escaping {
    /// `allow-utf-8`: names stay as they are; text formats put them in quotes.
    AllowUtf8,
    /// `underscores`: an underscore for every code point that may not stand in its place.
    ///
    /// The default, and what a scraper that knows of no schemes expects.
    #[default]
    Underscores,
    /// `dots`: `_dot_` for a dot, two underscores for an underscore and for any other code point
    /// that may not stand in its place.
    Dots,
    /// `values`: `U__` before the name, two underscores for an underscore, and the code point in
    /// hexadecimal digits between underscores for any that may not stand in its place.
    Values,
}

impl Escaping {
    /// All schemes.
    pub const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// The word that headers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// The name that was escaped, as far as the scheme tells: `underscores` tells nothing, `dots`
    /// the dots and underscores, and `values` all of it.
    ///
    /// A name that the scheme cannot have given is returned as it is.
    pub fn unescape(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::AllowUtf8 | Self::Underscores => Cow::Borrowed(name),
            Self::Dots => Cow::Owned(name.replace("_dot_", ".").replace("__", "_")),
            Self::Values => match name.strip_prefix(VALUES_PREFIX).and_then(unescape_values) {
                Some(unescaped) => Cow::Owned(unescaped),
                None => Cow::Borrowed(name),
            },
        }
    }

    /// The name with everything escaped that the scheme escapes, underscores of a classic name
    /// included.
    pub(crate) fn escape(self, name: &str, kind: NameKind) -> Cow<'_, str> {
        let mut escaped = String::with_capacity(2 * name.len());
        match self {
            Self::AllowUtf8 => return Cow::Borrowed(name),
            Self::Underscores => {
                for (at, c) in name.char_indices() {
                    escaped.push(if kind.allows(at, c) { c } else { '_' });
                }
            }
            Self::Dots => {
                for (at, c) in name.char_indices() {
                    match c {
                        '.' => escaped.push_str("_dot_"),
                        '_' => escaped.push_str("__"),
                        c if kind.allows(at, c) => escaped.push(c),
                        _ => escaped.push_str("__"),
                    }
                }
            }
            Self::Values => {
                if name.char_indices().all(|(at, c)| kind.allows(at, c)) {
                    return Cow::Borrowed(name);
                }
                escaped.push_str(VALUES_PREFIX);
                for (at, c) in name.char_indices() {
                    match c {
                        '_' => escaped.push_str("__"),
                        c if kind.allows(at, c) => escaped.push(c),
                        c => {
                            let code = u32::from(c);
                            write!(escaped, "_{code:x}_").expect("a string takes any text");
                        }
                    }
                }
            }
        }
        Cow::Owned(escaped)
    }
}

impl fmt::Display for Escaping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What tells names apart that the scheme `values` has escaped.
const VALUES_PREFIX: &str = "U__";

fn unescape_values(escaped: &str) -> Option<String> {
    /// Digits of the last code point, 10ffff.
    const MOST_DIGITS: usize = 6;
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, after)) = rest.split_once('_') {
        name.push_str(plain);
        let (code, after) = after.split_once('_')?;
        if code.is_empty() {
            name.push('_');
        } else if code.len() <= MOST_DIGITS && code.bytes().all(|c| c.is_ascii_hexdigit()) {
            name.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        } else {
            return None;
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests;

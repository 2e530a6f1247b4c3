//! Escaping schemes: how a name reaches a scraper that reads only the classic set.

use std::borrow::Cow;
use std::fmt;

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
/// assert_eq!(Escaping::Values.unescape("U__http_2e_requests__total"), name.as_str());
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

    /// Hands `put` the parts of the name, with everything escaped that the scheme escapes,
    /// underscores of a classic name included.
    pub(crate) fn escape(self, name: &str, kind: NameKind, mut put: impl FnMut(&str)) {
        match self {
            Self::AllowUtf8 => return put(name),
            Self::Values if name.char_indices().all(|(at, c)| kind.allows(at, c)) => {
                return put(name);
            }
            Self::Values => put(VALUES_PREFIX),
            Self::Underscores | Self::Dots => {}
        }
        for (at, c) in name.char_indices() {
            match (self, c) {
                (Self::Dots, '.') => put("_dot_"),
                (Self::Dots | Self::Values, '_') => put("__"),
                (_, c) if kind.allows(at, c) => put(c.encode_utf8(&mut [0; 4])),
                (Self::Values, c) => put_code_point(c, &mut put),
                (Self::Dots, _) => put("__"),
                _ => put("_"),
            }
        }
    }
}

impl fmt::Display for Escaping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What tells names apart that the scheme `values` has escaped.
const VALUES_PREFIX: &str = "U__";

/// Puts the code point in hexadecimal digits between underscores.
fn put_code_point(c: char, mut put: impl FnMut(&str)) {
    const DIGITS: &str = "0123456789abcdef";
    let code = u32::from(c);
    put("_");
    for place in (0..=code.checked_ilog(16).unwrap_or(0)).rev() {
        let digit = (code >> (4 * place) & 0xf) as usize;
        put(&DIGITS[digit..=digit]);
    }
    put("_");
}

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

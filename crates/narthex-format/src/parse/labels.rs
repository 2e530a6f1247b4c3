//! Label sets as they stand on a page.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::cursor::{Cursor, Escapes, NameKind, Text};
use super::dialect::Dialect;
use super::error::{Line, ParseError};

/// The labels of a sample, read from the page again each time they are asked for.
///
/// They were checked when the sample was read, so that walking them neither fails nor allocates,
/// but for a value with escapes.
#[derive(Clone, Copy, Default)]
pub struct Labels<'a> {
    /// What stands between the braces.
    raw: &'a str,
}

impl<'a> Labels<'a> {
    /// Names and values, in the order of the page.
    pub fn iter(self) -> LabelIter<'a> {
        LabelIter { cursor: Cursor::new(Line { text: self.raw, number: 0 }) }
    }

    /// The value of a label.
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(label, _)| label == name).map(|(_, value)| value)
    }

    /// The labels as they stand on the page, without the braces.
    pub(super) fn as_page_text(self) -> &'a str {
        self.raw
    }

    /// Whether there is no label.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> IntoIterator for Labels<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);
    type IntoIter = LabelIter<'a>;

    fn into_iter(self) -> LabelIter<'a> {
        self.iter()
    }
}

/// Labels are equal when they have the same names and values in the same order.
impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw || self.iter().eq(*other)
    }
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

/// Walks [`Labels`].
#[derive(Clone, Debug)]
pub struct LabelIter<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for LabelIter<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let cursor = &mut self.cursor;
        loop {
            while let Some(b' ' | b'\t' | b',') = cursor.peek() {
                cursor.eat(cursor.peek()?);
            }
            let name = match cursor.peek()? {
                b'"' => cursor.quoted(Escapes::Any).ok()?,
                _ => Text::plain(cursor.name(NameKind::Metric)),
            };
            cursor.skip_blanks();
            // A name without a value is the metric's own.
            if cursor.eat(b'=') {
                cursor.skip_blanks();
                let value = cursor.quoted(Escapes::Any).ok()?;
                return Some((name.unescape(), value.unescape()));
            }
        }
    }
}

/// Reads label sets; keeps the memory to tell names apart.
#[derive(Debug, Default)]
pub(super) struct LabelScanner<'a> {
    names: Vec<Text<'a>>,
}

/// A label set, with the metric's name where that stands within the braces.
pub(super) struct Braces<'a> {
    pub(super) name: Option<Text<'a>>,
    pub(super) labels: Labels<'a>,
}

/// Whether braces may hold the metric's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It stands before the braces.
    Named,
    /// It must stand within them.
    Unnamed,
    /// There is none: the labels are those of an exemplar.
    Exemplar,
}

impl<'a> LabelScanner<'a> {
    /// Names beyond which a table is faster than comparing each with each.
    const FEW: usize = 16;

    /// Reads from behind the opening brace to behind the closing one.
    pub(super) fn scan(
        &mut self,
        cursor: &mut Cursor<'a>,
        dialect: Dialect,
        owner: Owner,
        limit: usize,
    ) -> Result<Braces<'a>, ParseError> {
        self.names.clear();
        let start = cursor.at();
        let mut name = None;
        let mut comma = None;
        loop {
            if dialect.blanks_in_braces() {
                cursor.skip_blanks();
            }
            if cursor.peek() == Some(b'}') {
                break;
            }
            let term = cursor.at();
            let text = scan_name(cursor, dialect)?;
            if dialect.blanks_in_braces() {
                cursor.skip_blanks();
            }
            let quoted = cursor.line().text.as_bytes()[term] == b'"';
            let bare = quoted || dialect == Dialect::StrictText;
            if owner == Owner::Unnamed && bare && matches!(cursor.peek(), Some(b',' | b'}')) {
                if name.replace(text).is_some() {
                    let message = "the metric's name is given twice: every other name in the \
                                   braces is a label and needs `=` and a value in quotes";
                    return Err(cursor.rule(text.raw, message));
                }
            } else {
                self.scan_value(cursor, dialect, text)?;
                if self.names.len() > limit {
                    let message = format!("a sample may have at most {limit} labels");
                    return Err(cursor.rule(text.raw, message));
                }
            }
            if dialect.blanks_in_braces() {
                cursor.skip_blanks();
            }
            comma = Some(cursor.at()).filter(|_| cursor.eat(b','));
            if comma.is_none() && cursor.peek() != Some(b'}') && !dialect.commas_are_optional() {
                return Err(cursor.expected("`,` and another label, or `}`"));
            }
        }
        if let Some(comma) = comma.filter(|_| !dialect.trailing_comma()) {
            return Err(cursor.expected_at(comma, "no comma after the last label"));
        }
        let labels = Labels { raw: cursor.since(start) };
        cursor.eat(b'}');
        self.check_unique(cursor)?;
        if owner == Owner::Unnamed && name.is_none() {
            let message = "the sample has no name: give it before the braces, or in quotes within \
                           them as in `{\"my.metric\"}`";
            return Err(cursor.rule(labels.raw, message));
        }
        Ok(Braces { name, labels })
    }

    /// Reads `="value"` and notes the name.
    fn scan_value(
        &mut self,
        cursor: &mut Cursor<'a>,
        dialect: Dialect,
        name: Text<'a>,
    ) -> Result<(), ParseError> {
        if !cursor.eat(b'=') {
            return Err(cursor.expected("`=` and a value in quotes after the label name"));
        }
        if dialect.blanks_in_braces() {
            cursor.skip_blanks();
        }
        if cursor.peek() != Some(b'"') {
            return Err(cursor.expected("a label value in double quotes"));
        }
        cursor.quoted(dialect.escapes())?;
        if dialect.reserves(name.raw) {
            let message = format!("label name `{}` is reserved for the server", name.raw);
            return Err(cursor.rule(name.raw, message));
        }
        self.names.push(name);
        Ok(())
    }

    fn check_unique(&self, cursor: &Cursor<'a>) -> Result<(), ParseError> {
        let twice = if self.names.len() <= Self::FEW {
            let mut names = self.names.iter().enumerate();
            names.find(|&(at, name)| self.names[..at].contains(name)).map(|(_, name)| name)
        } else {
            let mut seen = HashSet::with_capacity(self.names.len());
            self.names.iter().find(|name| !seen.insert(name.unescape()))
        };
        match twice {
            Some(name) => {
                let message = format!("label `{}` is given twice", name.raw);
                Err(cursor.rule(name.raw, message))
            }
            None => Ok(()),
        }
    }
}

/// Reads a name within braces, in quotes or not; it is never empty.
fn scan_name<'a>(cursor: &mut Cursor<'a>, dialect: Dialect) -> Result<Text<'a>, ParseError> {
    const NAME: &str = "a label name (letters, digits and `_`; anything else in quotes) or `}`";
    let start = cursor.at();
    let text = if cursor.peek() == Some(b'"') {
        cursor.quoted(dialect.escapes())?
    } else {
        Text::plain(cursor.name(NameKind::Label))
    };
    if text.raw.is_empty() {
        return Err(cursor.expected_at(start, NAME));
    }
    Ok(text)
}

//! What is wrong with a page, and where.

use std::fmt;

/// A page that cannot be read: where, what stands there, and what should.
///
/// ```
/// use narthex_format::parse::{Mode, Syntax, parse};
///
/// let error = parse(Syntax::Text, b"up 1\ndown {} no\n", Mode::Strict).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 2, column 9: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `no`"
/// );
/// assert_eq!((error.line(), error.column(), error.token()), (Some(2), Some(9), "no"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    place: Place,
    token: Box<str>,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Line { line: usize, column: usize },
    Byte(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// Something else should stand there.
    Expected(&'static str),
    /// What stands there breaks a rule; the text is a whole message.
    Rule(Box<str>),
}

impl ParseError {
    /// Characters of the offending token that are kept.
    const TOKEN: usize = 40;

    /// Something else than the token at byte `at` of `line` was expected.
    pub(crate) fn expected(line: Line<'_>, at: usize, what: &'static str) -> Self {
        Self::at_line(line, at, token_at(line.text, at), Fault::Expected(what))
    }

    /// Something else than the token, a part of `line`, was expected.
    pub(crate) fn expected_for(line: Line<'_>, token: &str, what: &'static str) -> Self {
        let at = offset_in(line.text, token).unwrap_or(0);
        Self::at_line(line, at, token, Fault::Expected(what))
    }

    /// The token, a part of `line`, breaks a rule.
    ///
    /// A token that is no part of the line, as an unescaped one, is placed at the line's start.
    pub(crate) fn rule(line: Line<'_>, token: &str, message: impl Into<String>) -> Self {
        let at = offset_in(line.text, token).unwrap_or(0);
        Self::at_line(line, at, token, Fault::Rule(message.into().into()))
    }

    /// The bytes of a line at `at` are not UTF-8.
    pub(crate) fn not_utf8(line: usize, bytes: &[u8], at: usize) -> Self {
        let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
        let bad = bytes[at..].iter().take(4).take_while(|byte| !byte.is_ascii());
        let token: String = bad.map(|byte| format!("\\x{byte:02x}")).collect();
        let place = Place::Line { line, column: before.chars().count() + 1 };
        Self::new(place, &token, Fault::Expected("UTF-8 text"))
    }

    /// A rule that a page in a binary format breaks at a byte.
    pub(crate) fn at_byte(at: usize, message: impl Into<String>) -> Self {
        Self::new(Place::Byte(at), "", Fault::Rule(message.into().into()))
    }

    /// A rule that is broken at a known line and column.
    pub(crate) fn at_place(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self::new(Place::Line { line, column }, "", Fault::Rule(message.into().into()))
    }

    fn at_line(line: Line<'_>, at: usize, token: &str, fault: Fault) -> Self {
        let column = line.text[..at].chars().count() + 1;
        Self::new(Place::Line { line: line.number, column }, token, fault)
    }

    fn new(place: Place, token: &str, fault: Fault) -> Self {
        let token = match token.char_indices().nth(Self::TOKEN) {
            Some((end, _)) => format!("{}…", &token[..end]).into(),
            None => token.into(),
        };
        Self(Box::new(Inner { place, token, fault }))
    }

    /// The line, from 1; a binary page has none.
    pub fn line(&self) -> Option<usize> {
        match self.0.place {
            Place::Line { line, .. } => Some(line),
            Place::Byte(_) => None,
        }
    }

    /// The column, from 1 and in characters; a binary page has none.
    pub fn column(&self) -> Option<usize> {
        match self.0.place {
            Place::Line { column, .. } => Some(column),
            Place::Byte(_) => None,
        }
    }

    /// The byte of a binary page, from 0.
    pub fn byte(&self) -> Option<usize> {
        match self.0.place {
            Place::Line { .. } => None,
            Place::Byte(at) => Some(at),
        }
    }

    /// What stands at the place, up to 40 characters; empty at the end of a line.
    pub fn token(&self) -> &str {
        &self.0.token
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> impl fmt::Display + '_ {
        Message(&self.0)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.place {
            Place::Line { line, column } => write!(f, "line {line}, column {column}: ")?,
            Place::Byte(at) => write!(f, "byte {at}: ")?,
        }
        Message(&self.0).fmt(f)
    }
}

impl std::error::Error for ParseError {}

struct Message<'a>(&'a Inner);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.fault {
            Fault::Expected(what) if self.0.token.is_empty() => {
                write!(f, "expected {what}, found the end of the line")
            }
            Fault::Expected(what) => match &*self.0.token {
                " " => write!(f, "expected {what}, found a blank"),
                "\t" => write!(f, "expected {what}, found a tab"),
                token => {
                    write!(f, "expected {what}, found `")?;
                    for c in token.chars() {
                        match c {
                            '"' | '\'' | '\\' => write!(f, "{c}")?,
                            c => write!(f, "{}", c.escape_debug())?,
                        }
                    }
                    f.write_str("`")
                }
            },
            Fault::Rule(message) => f.write_str(message),
        }
    }
}

/// A line of a page with its number, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    pub(crate) number: usize,
}

/// What a reader would call the thing at byte `at`: a mark alone, or everything up to the next one.
fn token_at(line: &str, at: usize) -> &str {
    let rest = &line[at..];
    let ends = |c: char| matches!(c, ' ' | '\t' | ',' | '{' | '}' | '"');
    let end = match rest.find(ends) {
        Some(0) => 1,
        Some(end) => end,
        None => rest.len(),
    };
    &rest[..end]
}

/// Where `part` lies in `whole`, if it is a part of it.
fn offset_in(whole: &str, part: &str) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (at + part.len() <= whole.len() && whole.is_char_boundary(at)).then_some(at)
}

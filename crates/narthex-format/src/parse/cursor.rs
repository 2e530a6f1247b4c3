//! A place in a line, and the tokens that all text formats share.

use std::borrow::Cow;

use super::error::{Line, ParseError};

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    line: Line<'a>,
    at: usize,
}

/// Which bytes an unquoted name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Metric,
    Label,
}

/// Which escapes a quoted text may have beside those for backslash, quote and line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    Known,
    Any,
}

/// Text as it stands on the page, without the quotes around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// Text that has no escapes.
    pub(super) fn plain(raw: &'a str) -> Self {
        Self { raw, escaped: false }
    }

    /// The text that is meant.
    pub(super) fn unescape(self) -> Cow<'a, str> {
        if self.escaped { unescape(self.raw, b"\\\"n") } else { Cow::Borrowed(self.raw) }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.escaped || other.escaped {
            self.unescape() == other.unescape()
        } else {
            self.raw == other.raw
        }
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: Line<'a>) -> Self {
        Self { line, at: 0 }
    }

    pub(super) fn line(&self) -> Line<'a> {
        self.line
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.line.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.line.text.len()
    }

    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    pub(super) fn eat_str(&mut self, text: &str) -> bool {
        let eaten = self.rest().starts_with(text);
        if eaten {
            self.at += text.len();
        }
        eaten
    }

    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// What follows in the line.
    pub(super) fn rest(&self) -> &'a str {
        &self.line.text[self.at..]
    }

    /// The text between `start` and here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.line.text[start..self.at]
    }

    /// The longest unquoted name from here on, which may be empty.
    #[inline]
    pub(super) fn name(&mut self, kind: NameKind) -> &'a str {
        let start = self.at;
        let bytes = self.line.text.as_bytes();
        let colon = kind == NameKind::Metric;
        if bytes.get(start).is_some_and(u8::is_ascii_digit) {
            return "";
        }
        while let Some(&byte) = bytes.get(self.at) {
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || (colon && byte == b':')) {
                break;
            }
            self.at += 1;
        }
        self.since(start)
    }

    /// Everything up to the next blank, which may be nothing.
    #[inline]
    pub(super) fn word(&mut self) -> &'a str {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == b' ' || byte == b'\t' {
                break;
            }
            self.at += 1;
        }
        self.since(start)
    }

    /// The text in quotes from here on; the cursor stands at the opening quote.
    #[inline]
    pub(super) fn quoted(&mut self, escapes: Escapes) -> Result<Text<'a>, ParseError> {
        let opening = self.at;
        let bytes = self.line.text.as_bytes();
        self.at += 1;
        let mut escaped = false;
        loop {
            // Most values are short, but for them this is no slower than a loop.
            let rest = bytes.get(self.at..).unwrap_or_default();
            self.at += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(_) => {
                    escaped = true;
                    let known = matches!(bytes.get(self.at + 1), Some(b'\\' | b'"' | b'n'));
                    if escapes == Escapes::Known && !known {
                        return Err(self.expected(ESCAPE));
                    }
                    self.at += 2;
                }
                None => {
                    let error = "a text in quotes that ends within the line; a quote in it is \
                                 written `\\\"`, a backslash `\\\\` and a line feed `\\n`";
                    return Err(ParseError::expected(self.line, opening, error));
                }
            }
        }
        let raw = self.since(opening + 1);
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Something else was expected here.
    #[cold]
    pub(super) fn expected(&self, what: &'static str) -> ParseError {
        ParseError::expected(self.line, self.at.min(self.line.text.len()), what)
    }

    /// Something else was expected at byte `at` of the line.
    #[cold]
    pub(super) fn expected_at(&self, at: usize, what: &'static str) -> ParseError {
        ParseError::expected(self.line, at, what)
    }

    /// Something else than `token`, a part of the line, was expected.
    #[cold]
    pub(super) fn expected_for(&self, token: &str, what: &'static str) -> ParseError {
        ParseError::expected_for(self.line, token, what)
    }

    /// `token`, a part of the line, breaks a rule.
    #[cold]
    pub(super) fn rule(&self, token: &str, message: impl Into<String>) -> ParseError {
        ParseError::rule(self.line, token, message)
    }
}

pub(super) const ESCAPE: &str = "`\\\\`, `\\\"` or `\\n`: a backslash is itself written `\\\\`";

/// Undoes the escapes of the bytes in `known`; others stay as they are.
pub(super) fn unescape<'a>(raw: &'a str, known: &[u8]) -> Cow<'a, str> {
    let Some(first) = raw.find('\\') else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    let (start, mut rest) = raw.split_at(first);
    text.push_str(start);
    while let Some(after) = rest.strip_prefix('\\') {
        let escaped = after.bytes().next().filter(|byte| known.contains(byte));
        match escaped {
            Some(b'n') => text.push('\n'),
            Some(byte) => text.push(char::from(byte)),
            None => text.push('\\'),
        }
        let after = &after[usize::from(escaped.is_some())..];
        let next = after.find('\\').unwrap_or(after.len());
        text.push_str(&after[..next]);
        rest = &after[next..];
    }
    Cow::Owned(text)
}

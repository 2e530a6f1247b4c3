//! The syntax of JSON (RFC 8259), with the place of every value.

use std::borrow::Cow;

use super::super::error::ParseError;

/// How deep values may be nested; a page needs eight.
const DEPTH: usize = 32;

/// A value and where it starts.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) at: usize,
    pub(super) value: Json<'a>,
}

#[derive(Debug)]
pub(super) enum Json<'a> {
    /// `true`, `false` or `null`, which no page needs.
    Word,
    /// A number as it is spelled, so that whole numbers keep every digit.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// Members in the order of the page, without names given before.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// A member of an object; `null` is none.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        let Json::Object(members) = &self.value else {
            return None;
        };
        let (_, node) = members.iter().find(|(name, _)| name == key)?;
        (!matches!(node.value, Json::Word)).then_some(node)
    }
}

/// Reads a page that is one value.
pub(super) fn read(page: &[u8]) -> Result<Node<'_>, ParseError> {
    let text = std::str::from_utf8(page).map_err(|error| {
        error_at(page, error.valid_up_to(), "the page is not UTF-8 from here on")
    })?;
    let mut scanner = Scanner { text, at: 0 };
    let node = scanner.value(0)?;
    scanner.skip_blanks();
    if scanner.at != text.len() {
        return Err(scanner.error("nothing may follow the value"));
    }
    Ok(node)
}

/// An error at a byte of the page.
pub(super) fn error_at(page: &[u8], at: usize, message: impl Into<String>) -> ParseError {
    let before = &page[..at];
    let start = memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    ParseError::at_place(line, column, message)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn value(&mut self, depth: usize) -> Result<Node<'a>, ParseError> {
        self.skip_blanks();
        let at = self.at;
        if depth == DEPTH {
            return Err(self.error(format!("values are nested deeper than {DEPTH} levels")));
        }
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Json::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Json::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, ParseError> {
        let mut members: Vec<(Cow<'a, str>, Node<'a>)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        self.at += 1;
        self.skip_blanks();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a name in double quotes"));
            }
            let start = self.at;
            let name = self.string()?;
            if !names.insert(name.clone()) {
                self.at = start;
                return Err(self.error(format!("`{}` is given twice", name.escape_debug())));
            }
            self.skip_blanks();
            if !self.eat(b':') {
                return Err(self.error("expected `:` after the name"));
            }
            members.push((name, self.value(depth + 1)?));
            self.skip_blanks();
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.error("expected `,` and another name, or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json<'a>, ParseError> {
        let mut list = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.eat(b']') {
            return Ok(Json::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.eat(b']') {
                return Ok(Json::List(list));
            }
            if !self.eat(b',') {
                return Err(self.error("expected `,` and another value, or `]`"));
            }
        }
    }

    fn word(&mut self) -> Result<Json<'a>, ParseError> {
        for word in ["true", "false", "null"] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(Json::Word);
            }
        }
        Err(self.error("expected a value in JSON"))
    }

    fn number(&mut self) -> Result<&'a str, ParseError> {
        let start = self.at;
        self.eat(b'-');
        let whole = self.digits();
        let leading_zero = self.text[start..].trim_start_matches('-').starts_with('0');
        let mut good = whole == 1 || (whole > 1 && !leading_zero);
        if self.eat(b'.') {
            good &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            good &= self.digits() > 0;
        }
        let token = &self.text[start..self.at];
        if !good {
            self.at = start;
            return Err(self.error("expected a number as JSON spells it"));
        }
        Ok(token)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, ParseError> {
        self.at += 1;
        let mut start = self.at;
        let mut unescaped = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[start..self.at];
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    unescaped.push_str(rest);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    unescaped.push_str(&self.text[start..self.at]);
                    unescaped.push(self.escape()?);
                    start = self.at;
                }
                Some(0..0x20) => return Err(self.error("a control character must be escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.error("a text lacks its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        self.at += 2;
        Ok(match self.text.as_bytes().get(start + 1) {
            Some(&mark @ (b'"' | b'\\' | b'/')) => char::from(mark),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let Some(c) = self.code_point() else {
                    self.at = start;
                    return Err(self.error(
                        "expected `\\u` and four hexadecimal digits that make a \
                                           character",
                    ));
                };
                c
            }
            _ => {
                self.at = start;
                return Err(self.error("JSON has no such escape"));
            }
        })
    }

    /// The character whose UTF-16 code follows `\u`, which may take another `\u`.
    fn code_point(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if !(self.eat(b'\\') && self.eat(b'u')) {
            return None;
        }
        let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, &byte| Some(value << 4 | char::from(byte).to_digit(16)?))
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        error_at(self.text.as_bytes(), self.at.min(self.text.len()), message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, read};

    #[test]
    fn texts_are_unescaped() {
        for (page, expected) in [
            (r#""""#, ""),
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u00e9\ud83d\ude31é""#, "é\u{1f631}é"),
        ] {
            let Ok(super::Node { value: Json::Text(text), .. }) = read(page.as_bytes()) else {
                panic!("{page} is a text")
            };
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (page, place) in [
            ("", (1, 1)),
            ("{\n  \"a\" 1}", (2, 7)),
            ("{\"a\":1,}", (1, 8)),
            ("{\"a\":1,\"a\":2}", (1, 8)),
            ("[1,]", (1, 4)),
            ("[01]", (1, 2)),
            ("[1.]", (1, 2)),
            ("[-]", (1, 2)),
            ("[1e]", (1, 2)),
            ("[NaN]", (1, 2)),
            ("\"\n\"", (1, 2)),
            ("\"é\\x\"", (1, 3)),
            ("\"\\ud83d\"", (1, 2)),
            ("\"\\udc00\"", (1, 2)),
            ("\"\\u12", (1, 2)),
            ("\"a\\", (1, 3)),
            ("1 2", (1, 3)),
            (&"[".repeat(100_000), (1, 33)),
        ] {
            let error = read(page.as_bytes()).unwrap_err();
            assert_eq!((error.line(), error.column()), (Some(place.0), Some(place.1)), "{page}");
        }
        assert_eq!(read(b"{\"a\": \"\xff\"}").unwrap_err().column(), Some(8));
    }
}

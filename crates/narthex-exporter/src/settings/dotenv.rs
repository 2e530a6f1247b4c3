//! Reads `.env` files: strictly, and without touching the environment of the process.

use std::collections::HashMap;

/// One `NAME=VALUE` of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// What is wrong with a file, and in which line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads the entries whose names begin with `prefix`; of several with one name the last counts.
///
/// The dialect is the common one: blank lines and `#` comments, `export NAME=VALUE`, literal
/// `'single'` and escaped `"double"` quotes, both over several lines if need be, and `${NAME}` or
/// `${NAME:-default}` in what is not single-quoted. `environment` answers for names that the file
/// refers to, and goes before the file, as it does everywhere.
pub(super) fn parse(
    text: &str,
    prefix: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Entry>, Fault> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), line: 1 };
    let mut known: HashMap<String, String> = HashMap::new();
    let mut entries: Vec<Entry> = Vec::new();
    while let Some((name, line)) = reader.name()? {
        let ours = name.starts_with(prefix);
        let value = reader.value(|variable| {
            let found = environment(variable).or_else(|| known.get(variable).cloned());
            // A file is often shared: what others refer to is no business of ours.
            if ours { found } else { Some(found.unwrap_or_default()) }
        })?;
        if ours {
            entries.retain(|entry| entry.name != name);
            entries.push(Entry { name: name.clone(), value: value.clone(), line });
        }
        known.insert(name, value);
    }
    Ok(entries)
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Reader<'t> {
    /// The name of the next entry, up to and with its `=`.
    fn name(&mut self) -> Result<Option<(String, usize)>, Fault> {
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Ok(None),
                Some('\n' | '\r') => drop(self.next()),
                Some('#') => drop(self.take_while(|c| c != '\n')),
                Some(_) => break,
            }
        }
        let line = self.line;
        if let Some(rest) = self.rest.strip_prefix("export ") {
            self.rest = rest;
            self.skip_blanks();
        }
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        self.skip_blanks();
        if name.is_empty() || self.next() != Some('=') {
            return Err(Fault { line, message: "expected `NAME=VALUE`".into() });
        }
        Ok(Some((name.into(), line)))
    }

    fn value(&mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, Fault> {
        self.skip_blanks();
        let mut value = String::new();
        match self.peek() {
            Some('\'') => {
                let quote = self.line;
                self.next();
                value.push_str(self.take_while(|c| c != '\''));
                self.close(quote, '\'')?;
            }
            Some('"') => {
                let quote = self.line;
                self.next();
                self.double_quoted(&mut value, &lookup)?;
                self.close(quote, '"')?;
            }
            _ => return self.bare(&lookup),
        }
        self.skip_blanks();
        match self.peek() {
            None | Some('\n' | '\r' | '#') => Ok(value),
            Some(_) => Err(self.fault("unexpected text after the closing quote")),
        }
    }

    /// An unquoted value: to the end of the line, or to a `#` that follows a blank.
    fn bare(&mut self, lookup: &impl Fn(&str) -> Option<String>) -> Result<String, Fault> {
        let mut value = String::new();
        while let Some(c) = self.peek() {
            let comment = c == '#' && (value.is_empty() || value.ends_with([' ', '\t']));
            if comment || matches!(c, '\n' | '\r') {
                break;
            }
            if !self.substitute(&mut value, lookup)? {
                value.push(c);
                self.next();
            }
        }
        value.truncate(value.trim_end().len());
        Ok(value)
    }

    fn double_quoted(
        &mut self,
        value: &mut String,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), Fault> {
        while let Some(c) = self.peek().filter(|&c| c != '"') {
            if self.substitute(value, lookup)? {
                continue;
            }
            self.next();
            if c != '\\' {
                value.push(c);
                continue;
            }
            match self.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(c @ ('\\' | '"' | '\'' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => break,
            }
        }
        Ok(())
    }

    /// Replaces a `${NAME}` or `${NAME:-default}` at this place, if there is one.
    fn substitute(
        &mut self,
        value: &mut String,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<bool, Fault> {
        let Some(inner) = self.rest.strip_prefix("${") else { return Ok(false) };
        let Some((reference, rest)) = inner.split_once('}').filter(|(r, _)| !r.contains('\n'))
        else {
            return Err(self.fault("`${` without `}`"));
        };
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let found = lookup(name).filter(|text| default.is_none() || !text.is_empty());
        match found.as_deref().or(default) {
            Some(text) => value.push_str(text),
            None => return Err(self.fault(&format!("`{name}` is not set"))),
        }
        self.rest = rest;
        Ok(true)
    }

    fn close(&mut self, opened: usize, quote: char) -> Result<(), Fault> {
        match self.next() {
            Some(_) => Ok(()),
            None => {
                Err(Fault { line: opened, message: format!("`{quote}` without its closing quote") })
            }
        }
    }

    fn fault(&self, message: &str) -> Fault {
        Fault { line: self.line, message: message.into() }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }

    fn skip_blanks(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t'));
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// The values as `NAME=VALUE` lines, or the fault as `LINE: message`.
    fn check(text: &str, expected: &str) {
        let environment = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let got = match parse(text, "X_", environment) {
            Ok(entries) => entries
                .iter()
                .map(|entry| format!("{}:{}={:?}", entry.line, entry.name, entry.value))
                .collect::<Vec<_>>()
                .join(" "),
            Err(fault) => format!("{}: {}", fault.line, fault.message),
        };
        assert_eq!(got, expected, "{text:?}");
    }

    #[test]
    fn b12_dotenv_reads_comments_quotes_export_and_references() {
        check("", "");
        check("X_A=1", r#"1:X_A="1""#);
        check("# c\r\n\nX_A=1 # c\r\nX_B=a#b\r\n", r#"3:X_A="1" 4:X_B="a#b""#);
        check("export X_A = 1 2 ", r#"1:X_A="1 2""#);
        check("X_A=''\nX_B=\"\"\nX_C=", r#"1:X_A="" 2:X_B="" 3:X_C="""#);
        check(r"X_A='a\n${HOME}' # c", r#"1:X_A="a\\n${HOME}""#);
        check(r#"X_A="a\n\"\\\$\q""#, r#"1:X_A="a\n\"\\$\\q""#);
        check("X_A=\"a\nb\"\nX_B=1", r#"1:X_A="a\nb" 3:X_B="1""#);
        check("B=2\nX_A=${B}/${HOME}", r#"2:X_A="2//root""#);
        check("X_A=${C:-d}${HOME:-d}$HOME", r#"1:X_A="d/root$HOME""#);
        check("X_A=1\nX_A=2", r#"2:X_A="2""#);
        check("OTHER=1\nX_A=1", r#"2:X_A="1""#);
        check("OTHER=${NO}", "");
    }

    #[test]
    fn faults_name_their_line() {
        check("X_A=1\nnonsense", "2: expected `NAME=VALUE`");
        check("=1", "1: expected `NAME=VALUE`");
        check("\nX_A='1\n\n", "2: `'` without its closing quote");
        check("\nX_A=\"1\n\n", "2: `\"` without its closing quote");
        check("X_A='1' 2", "1: unexpected text after the closing quote");
        check("X_A=${NO}", "1: `NO` is not set");
        check("X_A=${NO\n}", "1: `${` without `}`");
    }
}

//! Which format a `Content-Type` announces.

use super::Syntax;

impl Syntax {
    /// The format that the value of a `Content-Type` header announces, if narthex reads it.
    ///
    /// Parameters that are missing are taken for the usual ones. A version, encoding or character
    /// set that narthex does not read is refused, and so is a header that is none.
    ///
    /// ```
    /// use narthex_format::parse::Syntax;
    ///
    /// let header = "text/plain; version=0.0.4; charset=utf-8";
    /// assert_eq!(Syntax::detect(header), Some(Syntax::Text));
    /// assert_eq!(Syntax::detect("text/html"), None);
    /// ```
    pub fn detect(content_type: &str) -> Option<Self> {
        let (media_type, rest) = match content_type.split_once(';') {
            Some((media_type, rest)) => (media_type.trim(), rest),
            None => (content_type.trim(), ""),
        };
        let parameters = Parameters::read(rest)?;
        let charset = parameters.get("charset");
        if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
            return None;
        }
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        if is("text/plain") {
            parameters.allow("version", &["0.0.4", "1.0.0"])?;
            Some(Self::Text)
        } else if is("application/openmetrics-text") {
            parameters.allow("version", &["0.0.1", "1.0.0"])?;
            Some(Self::OpenMetrics)
        } else if is("application/vnd.google.protobuf") {
            parameters.allow("proto", &["io.prometheus.client.MetricFamily"])?;
            parameters.allow("encoding", &["delimited"])?;
            Some(Self::Protobuf)
        } else if is("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// The parameters of a header, with quotes removed.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `; name=value` again and again; `None` for anything else and for a name given twice.
    fn read(text: &str) -> Option<Self> {
        let mut parameters = Self(Vec::new());
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let end = after.find(';').unwrap_or(after.len());
                    (after[..end].trim().to_owned(), &after[end..])
                }
            };
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() || parameters.get(&name).is_some() {
                return None;
            }
            parameters.0.push((name, value));
            let after = after.trim_start();
            rest = match after.strip_prefix(';') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return None,
            };
        }
        Some(parameters)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Refuses a parameter with another value than these.
    fn allow(&self, name: &str, values: &[&str]) -> Option<()> {
        self.get(name).is_none_or(|value| values.contains(&value)).then_some(())
    }
}

/// The text up to the closing quote, unescaped, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Syntax;

    #[test]
    fn media_types_are_told_apart() {
        let protobuf = "application/vnd.google.protobuf";
        for (header, expected) in [
            ("text/plain", Some(Syntax::Text)),
            ("TEXT/Plain;version=1.0.0;escaping=allow-utf-8", Some(Syntax::Text)),
            ("text/plain; version=\"0.0.\\4\" ; Charset=UTF-8;", Some(Syntax::Text)),
            ("text/plain; version=0.0.3", None),
            ("text/plain; charset=latin1", None),
            ("text/plain; version=0.0.4; version=0.0.4", None),
            ("text/plain; version", None),
            ("text/plain; version=\"0.0.4", None),
            ("text/plain; version=\"0.0.4\" x", None),
            ("application/openmetrics-text; version=1.0.0", Some(Syntax::OpenMetrics)),
            ("application/openmetrics-text; version=2.0.0", None),
            (protobuf, Some(Syntax::Protobuf)),
            ("application/vnd.google.protobuf; encoding=text", None),
            ("application/vnd.google.protobuf; proto=\"illegal\"", None),
            ("application/json", Some(Syntax::Json)),
            ("", None),
            ("/", None),
            ("; version=0.0.4", None),
        ] {
            assert_eq!(Syntax::detect(header), expected, "{header}");
        }
    }
}

//! Paths into JSON: with dots as in json_exporter, or JSONPath (RFC 9535).

use serde_json::Value;

/// A path.
///
/// What begins with `$` is JSONPath. Anything else is keys with dots between them, where a whole
/// number is the place of an item in a list.
#[derive(Clone, Debug)]
pub(super) struct JsonPath {
    text: String,
    query: Query,
}

#[derive(Clone, Debug)]
enum Query {
    Dotted,
    /// With one value at most.
    Singular(serde_json_path::JsonPath),
    Plural(serde_json_path::JsonPath),
}

/// What is at a path.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'v> {
    Nothing,
    One(&'v Value),
    /// What a path found that may find several.
    Many(Vec<&'v Value>),
}

impl JsonPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let query = match text.strip_prefix('$') {
            Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => {
                let shown = text.escape_debug();
                let path = serde_json_path::JsonPath::parse(text)
                    .map_err(|error| format!("`{shown}` is not a valid JSONPath: {error}"))?;
                if is_singular(text) { Query::Singular(path) } else { Query::Plural(path) }
            }
            _ if text.split('.').any(str::is_empty) => {
                let shown = text.escape_debug();
                return Err(format!("`{shown}` is not a valid path: a key is empty"));
            }
            _ => Query::Dotted,
        };
        Ok(Self { text: text.to_owned(), query })
    }

    pub(super) fn find<'v>(&self, value: &'v Value) -> Found<'v> {
        match &self.query {
            Query::Dotted => {
                let step = |value: &'v Value, key: &str| match value {
                    Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                    Value::Object(entries) => entries.get(key),
                    _ => None,
                };
                let mut keys = self.text.split('.');
                keys.try_fold(value, step).map_or(Found::Nothing, Found::One)
            }
            Query::Singular(path) => path.query(value).first().map_or(Found::Nothing, Found::One),
            Query::Plural(path) => Found::Many(path.query(value).all()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// The path that leads nowhere else: to the whole.
impl Default for JsonPath {
    fn default() -> Self {
        Self::parse("$").expect("it is a valid JSONPath")
    }
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Whether a JSONPath has but name and index selectors (RFC 9535, section 2.3.5.1: a singular
/// query). What is in quotes is a name.
fn is_singular(text: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    let mut before = ' ';
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if matches!(c, '*' | '?' | ':' | ',') || (c == '.' && before == '.') => {
                return false;
            }
            None => {}
        }
        before = c;
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Found, JsonPath};

    fn check(path: &str, expected: &str) {
        let answer = json!({
            "a": {"b": {"c": 1}, "0": 2},
            "list": [10, {"x": 20}],
            "": 3,
            "d.e": 4,
            "$ref": 5,
        });
        let path = JsonPath::parse(path).unwrap();
        let found = match path.find(&answer) {
            Found::Nothing => "nothing".to_owned(),
            Found::One(value) => value.to_string(),
            Found::Many(values) => Value::Array(values.into_iter().cloned().collect()).to_string(),
        };
        assert_eq!(found, expected, "{}", path.as_str());
    }

    #[test]
    fn dots_lead_to_keys_and_items() {
        check("a.b.c", "1");
        check("a.0", "2");
        check("list.0", "10");
        check("list.1.x", "20");
        check("list", "[10,{\"x\":20}]");
        check("list.2", "nothing");
        check("list.-1", "nothing");
        check("a.b.c.d", "nothing");
        check("none", "nothing");
        check("$ref", "5");
    }

    #[test]
    fn jsonpath_finds_one_or_many() {
        check("$.a.b.c", "1");
        check("$['d.e']", "4");
        check("$['']", "3");
        check("$.list[-1].x", "20");
        check("$.none", "nothing");
        check("$.list[*].x", "[20]");
        check("$.list[?@.x > 5].x", "[20]");
        check("$.list[0:1]", "[10]");
        check("$..c", "[1]");
        check("$.none[*]", "[]");
        check("$['a:b*,?..']", "nothing");
        check("$[\"\\\"*\"]", "nothing");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, expected) in [
            ("", "`` is not a valid path: a key is empty"),
            ("a..b", "`a..b` is not a valid path: a key is empty"),
            (".a", "`.a` is not a valid path: a key is empty"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err(), expected);
        }
        for path in ["$.", "$[", "$.a[?]", "$.a b"] {
            let error = JsonPath::parse(path).unwrap_err();
            assert!(error.starts_with(&format!("`{path}` is not a valid JSONPath: ")), "{error}");
        }
    }
}

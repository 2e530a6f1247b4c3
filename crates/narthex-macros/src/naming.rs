//! Names: how a variant's name becomes text, which names are valid, and what was likely meant.

/// How the text of a variant is made from its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rule {
    Lower,
    Upper,
    #[default]
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
    Pascal,
    Camel,
    Verbatim,
}

impl Rule {
    /// Every rule under the name that the user writes.
    const ALL: [(&'static str, Self); 9] = [
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
        ("PascalCase", Self::Pascal),
        ("camelCase", Self::Camel),
        ("verbatim", Self::Verbatim),
    ];

    /// Finds the rule, or says what to write.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, rule)) = Self::ALL.iter().find(|(known, _)| *known == name) {
            return Ok(*rule);
        }
        let names = Self::ALL.map(|(known, _)| known);
        Err(match nearest(name, &names) {
            Some(known) => {
                format!("unknown naming rule `{name}`: write `rename_all = \"{known}\"`")
            }
            None => format!("unknown naming rule `{name}`: write {}", one_of(&names)),
        })
    }

    /// Gives the text for the name of a variant, which is in `PascalCase` by convention.
    pub(crate) fn apply(self, name: &str) -> String {
        let words = words(name);
        match self {
            Self::Lower => name.to_lowercase(),
            Self::Upper => name.to_uppercase(),
            Self::Snake => words.join("_"),
            Self::ScreamingSnake => words.join("_").to_uppercase(),
            Self::Kebab => words.join("-"),
            Self::ScreamingKebab => words.join("-").to_uppercase(),
            Self::Pascal => words.iter().map(|word| capitalized(word)).collect(),
            Self::Camel => match words.split_first() {
                Some((first, rest)) => {
                    let rest = rest.iter().map(|word| capitalized(word));
                    std::iter::once(first.clone()).chain(rest).collect()
                }
                None => String::new(),
            },
            Self::Verbatim => name.to_owned(),
        }
    }
}

/// Splits a name into its words, in lower case: `HTTPError2xx` is `http`, `error2xx`.
fn words(name: &str) -> Vec<String> {
    let letters = Vec::from_iter(name.chars());
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let starts_word = letter.is_uppercase() && {
            let follows_upper = at > 0 && letters[at - 1].is_uppercase();
            // Within an acronym only the last capital starts a word, the next one: `HTTPError`.
            let precedes_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
            !follows_upper || precedes_lower
        };
        if (starts_word || letter == '_') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter != '_' {
            word.extend(letter.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Checks the name of a label, or says what is wrong and what to write.
///
/// The rule is that of `narthex_model::LabelName`: `[a-zA-Z_][a-zA-Z0-9_]*` without the prefix `__`.
pub(crate) fn check_label_name(name: &str) -> Result<(), String> {
    let reason = if name.is_empty() {
        return Err("the name of a label is never empty: write `#[label(rename = \"...\")]` \
                    with a name, or no `rename`"
            .to_owned());
    } else if name.starts_with("__") {
        "the prefix `__` is reserved for Prometheus".to_owned()
    } else if let Some(reason) = fault(name, LABEL) {
        reason
    } else {
        return Ok(());
    };
    let instead = made_valid(name, LABEL);
    Err(format!(
        "`{name}` is not a valid label name, {reason}: write `#[label(rename = \"{instead}\")]`"
    ))
}

/// Checks the name of a metric, or says what is wrong and what to write.
///
/// The rule is that of `narthex_model::MetricName`: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub(crate) fn check_metric_name(name: &str) -> Result<(), String> {
    check_metric(name, "metric name", "#[metric(name = ")
}

/// Checks what stands before the names of metrics, by the same rule.
pub(crate) fn check_namespace(namespace: &str) -> Result<(), String> {
    check_metric(namespace, "namespace", "#[metrics(namespace = ")
}

fn check_metric(name: &str, what: &str, usage: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("a {what} is never empty: write `{usage}\"...\")]`, or leave it out"));
    }
    let Some(reason) = fault(name, METRIC) else { return Ok(()) };
    let instead = made_valid(name, METRIC);
    Err(format!("`{name}` is not a valid {what}, {reason}: write `{usage}\"{instead}\")]`"))
}

/// What a name may have beside ASCII letters and digits.
type Others = &'static [char];
const LABEL: Others = &['_'];
const METRIC: Others = &['_', ':'];

/// Says what keeps a name from being valid.
fn fault(name: &str, others: Others) -> Option<String> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Some("it starts with a digit".to_owned());
    }
    let foreign = name.chars().find(|&c| !fits(c, others))?;
    let (last, rest) = others.split_last()?;
    let rest = rest.iter().map(|other| format!(", `{other}`")).collect::<String>();
    Some(format!("`{foreign}` is not an ASCII letter, a digit{rest} or `{last}`"))
}

/// Makes a valid name of a refused one; `...` where nothing is left of it.
fn made_valid(name: &str, others: Others) -> String {
    let fitting = name.chars().map(|c| if fits(c, others) { c } else { '_' });
    let fitting = fitting.collect::<String>();
    match fitting.trim_matches('_') {
        "" => "...".to_owned(),
        rest if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("_{rest}"),
        rest => rest.to_owned(),
    }
}

fn fits(c: char, others: Others) -> bool {
    c.is_ascii_alphanumeric() || others.contains(&c)
}

/// Finds the one of `known` that the user most likely meant.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let distances = known.iter().map(|known| {
        // Equal but for case and separators, the exact spelling decides: `kebab_case`.
        let rough = distance(&plain(written), &plain(known));
        (rough, distance(written, known), *known)
    });
    let (rough, _, found) = distances.min()?;
    (rough <= plain(found).len() / 3).then_some(found)
}

/// Counts the letters to insert, remove or replace to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to = Vec::from_iter(to.chars());
    // Row by row of the table of distances between all prefixes of the two.
    let mut row = Vec::from_iter(0..=to.len());
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for column in 1..=to.len() {
            let replaced = diagonal + usize::from(letter != to[column - 1]);
            diagonal = row[column];
            row[column] = replaced.min(row[column] + 1).min(row[column - 1] + 1);
        }
    }
    row[to.len()]
}

/// Lists alternatives as a sentence does: `` `a`, `b` or `c` ``.
pub(crate) fn one_of(alternatives: &[&str]) -> String {
    let quoted = Vec::from_iter(alternatives.iter().map(|text| format!("`{text}`")));
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variant_names_split_into_words() {
        let check = |name, expected: &[&str]| assert_eq!(words(name), expected, "{name}");
        check("Get", &["get"]);
        check("NotFound", &["not", "found"]);
        check("GET", &["get"]);
        check("A", &["a"]);
        check("HTTPError", &["http", "error"]);
        check("ParseHTTP", &["parse", "http"]);
        check("Http2Error", &["http2", "error"]);
        check("HTTP2Error", &["http2", "error"]);
        check("Status2xx", &["status2xx"]);
        check("X86_64", &["x86", "64"]);
        check("Not_Found", &["not", "found"]);
        check("_Hidden_", &["hidden"]);
        check("ÉtéChaud", &["été", "chaud"]);
        check("already_snake", &["already", "snake"]);
    }

    #[test]
    fn each_rule_spells_the_name_its_own_way() {
        let check = |rule, expected| {
            assert_eq!(Rule::parse(rule).unwrap().apply("HTTPNotFound"), expected, "{rule}");
        };
        check("lowercase", "httpnotfound");
        check("UPPERCASE", "HTTPNOTFOUND");
        check("snake_case", "http_not_found");
        check("SCREAMING_SNAKE_CASE", "HTTP_NOT_FOUND");
        check("kebab-case", "http-not-found");
        check("SCREAMING-KEBAB-CASE", "HTTP-NOT-FOUND");
        check("PascalCase", "HttpNotFound");
        check("camelCase", "httpNotFound");
        check("verbatim", "HTTPNotFound");
    }

    #[test]
    fn an_unknown_rule_names_what_to_write() {
        let check = |rule, expected: &str| assert_eq!(Rule::parse(rule).unwrap_err(), expected);
        let meant = |rule, known| {
            check(rule, &format!("unknown naming rule `{rule}`: write `rename_all = \"{known}\"`"));
        };
        meant("kebab_case", "kebab-case");
        meant("SnakeCase", "snake_case");
        meant("SCREAMING_SNAKE", "SCREAMING_SNAKE_CASE");
        meant("screaming-kebab-case", "SCREAMING-KEBAB-CASE");
        meant("Lowercase", "lowercase");
        check(
            "title",
            "unknown naming rule `title`: write `lowercase`, `UPPERCASE`, `snake_case`, \
             `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE`, `PascalCase`, \
             `camelCase` or `verbatim`",
        );
    }

    #[test]
    fn label_names_follow_the_data_model() {
        for valid in ["path", "_", "_hidden", "Path", "le", "a1", "a__b"] {
            assert_eq!(check_label_name(valid), Ok(()), "{valid}");
        }
        let check = |name, reason: &str, instead: &str| {
            let expected = format!(
                "`{name}` is not a valid label name, {reason}: \
                 write `#[label(rename = \"{instead}\")]`"
            );
            assert_eq!(check_label_name(name), Err(expected));
        };
        check("2xx", "it starts with a digit", "_2xx");
        check("__name__", "the prefix `__` is reserved for Prometheus", "name");
        check("__", "the prefix `__` is reserved for Prometheus", "...");
        check("status-code", "`-` is not an ASCII letter, a digit or `_`", "status_code");
        check("http.path", "`.` is not an ASCII letter, a digit or `_`", "http_path");
        check("größe", "`ö` is not an ASCII letter, a digit or `_`", "gr__e");
        assert!(
            check_label_name("").unwrap_err().starts_with("the name of a label is never empty")
        );
    }

    #[test]
    fn metric_names_follow_the_data_model() {
        for valid in ["up", "_", "http:requests_total", ":rate", "a__b"] {
            assert_eq!(check_metric_name(valid), Ok(()), "{valid}");
        }
        let check = |name, reason: &str, instead: &str| {
            let expected = format!(
                "`{name}` is not a valid metric name, {reason}: \
                 write `#[metric(name = \"{instead}\")]`"
            );
            assert_eq!(check_metric_name(name), Err(expected));
        };
        check("2xx", "it starts with a digit", "_2xx");
        check("http.x", "`.` is not an ASCII letter, a digit, `_` or `:`", "http_x");
        assert_eq!(
            check_namespace("my-app").unwrap_err(),
            "`my-app` is not a valid namespace, `-` is not an ASCII letter, a digit, `_` or `:`: \
             write `#[metrics(namespace = \"my_app\")]`"
        );
        assert!(check_namespace("").is_err() && check_metric_name("").is_err());
    }

    #[test]
    fn every_suggested_label_name_is_valid() {
        for name in ["2xx", "__2", "__a", "-1", "a b", "é", "éa", "__"] {
            let instead = made_valid(name, LABEL);
            assert!(instead == "..." || check_label_name(&instead).is_ok(), "{name}: {instead}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_unless_all_are_far() {
        let keys = ["rename", "rename_all", "skip", "display"];
        assert_eq!(nearest("renam", &keys), Some("rename"));
        assert_eq!(nearest("renameAll", &keys), Some("rename_all"));
        assert_eq!(nearest("Display", &keys), Some("display"));
        assert_eq!(nearest("skipp", &keys), Some("skip"));
        assert_eq!(nearest("default", &keys), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("skip", "skip"), 0);
    }
}

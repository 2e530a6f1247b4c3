//! What a scraper's query asks for: sources, families and series.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use narthex_model::{LabelName, Metric, MetricFamily, MetricType, Scrape};
use percent_encoding::percent_decode;

use crate::gather::{Selection, SourceStatus};

/// A query with more parameters is refused: none is so long by accident, and each of them costs a
/// look at every family or series.
const MOST_PARAMETERS: usize = 1_000;

/// The parameters of a query, read strictly.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    collect: BTreeSet<String>,
    exclude: BTreeSet<String>,
    filter: Filter,
}

/// Which families and series of a scrape are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    names: BTreeSet<String>,
    /// One of the values is enough, of each label.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        let parameters = || query.split('&').filter(|parameter| !parameter.is_empty());
        if parameters().nth(MOST_PARAMETERS).is_some() {
            return Err(QueryError::TooLong);
        }
        for parameter in parameters() {
            let error = |fault| QueryError::Parameter { parameter: parameter.into(), fault };
            let (name, value) = parameter.split_once('=').ok_or_else(|| error(Fault::NoValue))?;
            if value.contains('=') {
                return Err(error(Fault::SecondEquals));
            }
            let name = decode(name).map_err(error)?;
            let value = decode(value).map_err(error)?;
            match name.as_str() {
                "name[]" => parsed.filter.names.insert(value),
                "collect[]" => parsed.collect.insert(value),
                "exclude[]" => parsed.exclude.insert(value),
                label => {
                    LabelName::new(label).map_err(|_| error(Fault::Label(label.into())))?;
                    parsed.filter.labels.entry(name).or_default().insert(value)
                }
            };
        }
        if !parsed.collect.is_empty() && !parsed.exclude.is_empty() {
            return Err(QueryError::Contradiction);
        }
        Ok(parsed)
    }

    /// Which of the known sources are asked.
    pub(super) fn selection(&self, known: &[SourceStatus]) -> Result<Selection, QueryError> {
        let named = if self.collect.is_empty() { &self.exclude } else { &self.collect };
        let is_known = |name: &str| known.iter().any(|source| source.name() == name);
        if let Some(unknown) = named.iter().find(|name| !is_known(name)) {
            return Err(QueryError::UnknownSource(unknown.as_str().into()));
        }
        if named.is_empty() {
            return Ok(Selection::All);
        }
        let wanted = |name: &str| named.contains(name) != self.collect.is_empty();
        let names = known.iter().map(SourceStatus::name);
        let only: BTreeSet<Box<str>> = names.filter(|name| wanted(name)).map(Into::into).collect();
        // The same gather as for those who name none.
        Ok(if only.len() == known.len() { Selection::All } else { Selection::Only(only) })
    }

    /// Whether there is anything in it that chooses sources.
    pub(super) fn chooses_sources(&self) -> bool {
        !(self.collect.is_empty() && self.exclude.is_empty())
    }

    /// What is left out of the page; `None` where nothing is.
    pub(super) fn filter(self) -> Option<Filter> {
        (self.filter != Filter::default()).then_some(self.filter)
    }
}

impl Filter {
    pub(super) fn apply(&self, scrape: &Scrape) -> Scrape {
        let families = scrape.families().iter().filter(|family| self.shows_family(family));
        // Cloning a family clones a few pointers.
        let named = Scrape::new(families.cloned().collect());
        if self.labels.is_empty() { named } else { named.filter(|metric| self.shows(metric)) }
    }

    /// A family is named by its own name, or by that of any of its samples.
    fn shows_family(&self, family: &MetricFamily) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let name = family.name().as_str();
        let suffixes = family.metric_type().sample_suffixes().iter();
        // OpenMetrics calls the family of a counter by its name without the suffix.
        let counter = (family.metric_type() == MetricType::Counter)
            .then(|| name.strip_suffix("_total"))
            .flatten();
        self.names.contains(name)
            || counter.is_some_and(|name| self.names.contains(name))
            || suffixes.into_iter().any(|suffix| self.names.contains(&format!("{name}{suffix}")))
    }

    fn shows(&self, metric: &Metric<'_>) -> bool {
        self.labels.iter().all(|(name, values)| {
            // An empty value and no label are the same to Prometheus.
            let value = metric.label(name).unwrap_or(Cow::Borrowed(""));
            values.contains(&*value)
        })
    }
}

/// As HTML forms encode: `+` is a blank, `%` and two hexadecimal digits a byte.
fn decode(text: &str) -> Result<String, Fault> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let digits = rest.get(at + 1..at + 3).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        rest = &rest[at + 1 + digits.ok_or(Fault::Percent)?.len()..];
    }
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    let decoded = percent_decode(&spaced).decode_utf8().map_err(|_| Fault::Utf8)?;
    Ok(decoded.into_owned())
}

/// A query that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueryError {
    Parameter { parameter: Box<str>, fault: Fault },
    TooLong,
    Contradiction,
    UnknownSource(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NoValue,
    SecondEquals,
    Percent,
    Utf8,
    Label(Box<str>),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { parameter, fault } => {
                let parameter = parameter.escape_debug();
                write!(f, "query parameter `{parameter}` ")?;
                match fault {
                    Fault::NoValue => f.write_str("has no value: write `label=value`"),
                    Fault::SecondEquals => {
                        f.write_str("has a second `=`: write `%3D` where a value has one")
                    }
                    Fault::Percent => f.write_str("has a `%` without two hexadecimal digits"),
                    Fault::Utf8 => f.write_str("is not UTF-8"),
                    Fault::Label(name) => write!(
                        f,
                        "names neither `name[]`, `collect[]`, `exclude[]` nor a label: `{}` is \
                         not a valid label name",
                        name.escape_debug()
                    ),
                }
            }
            Self::TooLong => {
                write!(f, "the query has more than {MOST_PARAMETERS} parameters")
            }
            Self::Contradiction => {
                f.write_str("the query has both `collect[]` and `exclude[]`: give one of them")
            }
            Self::UnknownSource(name) => {
                write!(f, "there is no source called `{}`", name.escape_debug())
            }
        }
    }
}

impl std::error::Error for QueryError {}

#[cfg(test)]
mod tests;

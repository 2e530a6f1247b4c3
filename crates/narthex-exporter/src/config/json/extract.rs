//! From an answer to metric families.

use std::collections::{BTreeMap, HashSet};

use narthex_model::{FamilyBuilder, MetricFamily, MetricType, Number};
use serde_json::Value;

use super::path::{Found, JsonPath};
use super::{Endpoint, INDEX, JsonLabel, JsonMetric, Strings, Within};

/// How long the value of a label may be. It is on the page as often as there are series, so that one
/// long text in an answer could make a page of gigabytes.
const MOST_LABEL_BYTES: usize = 1024;

/// What an answer comes down to.
#[derive(Default)]
pub(super) struct Extract {
    pub(super) families: Vec<MetricFamily>,
    /// What was left out, by metric.
    pub(super) skipped: BTreeMap<String, Skipped>,
}

/// Values that could not be exported.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Skipped {
    pub(super) values: u64,
    /// What was wrong with the first of them.
    pub(super) reason: String,
}

impl Extract {
    /// Takes what there is of each metric; one that is not as expected does no harm to others.
    pub(super) fn new(endpoint: &Endpoint, answer: &Value) -> Self {
        let mut extract = Self::default();
        for metric in &endpoint.metrics {
            let mut rows = Rows::default();
            rows.collect(metric, answer, endpoint.max_series);
            let family = metric.family(&mut rows);
            extract.families.extend(family.filter(|family| !family.is_empty()));
            if let Some(skipped) = rows.skipped {
                extract.skipped.insert(metric.name.to_string(), skipped);
            }
        }
        extract
    }
}

/// The series of a metric.
#[derive(Default)]
struct Rows {
    /// Label values in the order of the metric's labels, the place in a list, and the value.
    rows: Vec<(Vec<String>, Option<usize>, Number)>,
    seen: HashSet<(Vec<String>, Option<usize>)>,
    skipped: Option<Skipped>,
}

impl Rows {
    fn collect(&mut self, metric: &JsonMetric, answer: &Value, most: usize) {
        let Some(each) = &metric.each else {
            match metric.path.find(answer) {
                Found::One(Value::Array(items)) => {
                    self.list(metric, answer, items.iter(), most);
                }
                Found::One(value) => self.push(metric, answer, answer, None, value, most),
                Found::Many(values) => self.list(metric, answer, values.into_iter(), most),
                Found::Nothing => self.skip(missing(&metric.path)),
            }
            return;
        };
        let items: Vec<&Value> = match each.find(answer) {
            Found::One(Value::Array(items)) => items.iter().collect(),
            Found::One(item) => vec![item],
            Found::Many(items) => items,
            Found::Nothing => return self.skip(missing(each)),
        };
        // Something has to tell the items apart.
        let is_numbered = !metric.json_labels.iter().any(|label| label.within == Within::Item);
        for (place, item) in items.into_iter().enumerate() {
            let place = is_numbered.then_some(place);
            match metric.path.find(item) {
                Found::One(value) => self.push(metric, answer, item, place, value, most),
                Found::Many(values) => match *values {
                    [value] => self.push(metric, answer, item, place, value, most),
                    _ => self.skip(format!(
                        "`{}` has {} values in one item",
                        metric.path.as_str(),
                        values.len()
                    )),
                },
                Found::Nothing => self.skip(missing(&metric.path)),
            }
        }
    }

    fn list<'v>(
        &mut self,
        metric: &JsonMetric,
        answer: &Value,
        values: impl Iterator<Item = &'v Value>,
        most: usize,
    ) {
        let is_numbered = !metric.has_label(INDEX);
        for (place, value) in values.enumerate() {
            self.push(metric, answer, answer, is_numbered.then_some(place), value, most);
        }
    }

    fn push(
        &mut self,
        metric: &JsonMetric,
        answer: &Value,
        item: &Value,
        place: Option<usize>,
        value: &Value,
        most: usize,
    ) {
        if self.rows.len() == most {
            return self.skip(format!("there are more than {most} series"));
        }
        let row = metric.label_values(answer, item).and_then(|labels| {
            let value = metric.number(value)?;
            Ok((labels, value))
        });
        match row {
            Ok((labels, value)) => {
                if self.seen.insert((labels.clone(), place)) {
                    self.rows.push((labels, place, value));
                } else {
                    self.skip("two values have the same labels".to_owned());
                }
            }
            Err(reason) => self.skip(reason),
        }
    }

    fn skip(&mut self, reason: String) {
        let skipped = self.skipped.get_or_insert(Skipped { values: 0, reason });
        skipped.values += 1;
    }
}

impl JsonMetric {
    fn has_label(&self, name: &str) -> bool {
        self.labels.iter().any(|(label, _)| label.as_str() == name)
            || self.json_labels.iter().any(|label| label.name.as_str() == name)
    }

    fn label_values(&self, answer: &Value, item: &Value) -> Result<Vec<String>, String> {
        let value = |label: &JsonLabel| {
            let within = match label.within {
                Within::Answer => answer,
                Within::Item => item,
            };
            let value = match label.path.find(within) {
                Found::One(value) => label_text(&label.path, value),
                Found::Many(values) => match *values {
                    [value] => label_text(&label.path, value),
                    _ => Err(format!("`{}` has {} values", label.path.as_str(), values.len())),
                },
                Found::Nothing => Err(missing(&label.path)),
            };
            value.map_err(|reason| format!("label `{}`: {reason}", label.name))
        };
        self.json_labels.iter().map(value).collect()
    }

    fn number(&self, value: &Value) -> Result<Number, String> {
        let number = match value {
            Value::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(whole), _) => Number::Unsigned(whole),
                (None, Some(float)) => Number::Float(float),
                (None, None) => return Err(is_a(&self.path, value)),
            },
            Value::Bool(boolean) => (*boolean).into(),
            Value::String(text) if self.strings == Strings::Parsed => parsed(text)
                .ok_or_else(|| format!("{} that is no number", is_a(&self.path, value)))?,
            _ => return Err(is_a(&self.path, value)),
        };
        match self.metric_type == MetricType::Counter && number.as_f64() < 0.0 {
            true => Err(format!("`{}` is negative, which no counter is", self.path.as_str())),
            false => Ok(number),
        }
    }

    fn family(&self, rows: &mut Rows) -> Option<MetricFamily> {
        let is_numbered = rows.rows.iter().any(|(_, place, _)| place.is_some());
        let names = self.json_labels.iter().map(|label| label.name.as_str());
        let names = names.chain(is_numbered.then_some(INDEX));
        let family = FamilyBuilder::new(self.metric_type, self.name.as_str(), &*self.help);
        let family = self
            .labels
            .iter()
            .fold(family, |family, (name, value)| family.const_label(name.as_str(), value));
        let mut family = family.label_names(names);
        for (labels, place, value) in rows.rows.drain(..) {
            let place =
                is_numbered.then(|| place.map(|place| place.to_string()).unwrap_or_default());
            family.push(labels.into_iter().chain(place), value);
        }
        family.build().map_err(|error| rows.skip(error.to_string())).ok()
    }
}

/// A number as JSON would have it, blanks around it aside.
fn parsed(text: &str) -> Option<Number> {
    match serde_json::from_str(text.trim()).ok()? {
        Value::Number(number) => match number.as_u64() {
            Some(whole) => Some(Number::Unsigned(whole)),
            None => number.as_f64().map(Number::Float),
        },
        _ => None,
    }
}

fn label_text(path: &JsonPath, value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(is_a(path, value)),
    };
    match text.len() > MOST_LABEL_BYTES {
        true => Err(format!("`{}` has more than {MOST_LABEL_BYTES} bytes", path.as_str())),
        false => Ok(text),
    }
}

fn missing(path: &JsonPath) -> String {
    format!("`{}` is not there", path.as_str())
}

fn is_a(path: &JsonPath, value: &Value) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number out of range",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("`{}` is {kind}", path.as_str())
}

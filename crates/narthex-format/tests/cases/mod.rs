//! Cases of others, read from the folder that `NARTHEX_CONFORMANCE` names.

#![allow(
    dead_code,
    clippy::print_stdout,
    reason = "each test uses a part, and tells what it skips"
)]

use std::path::PathBuf;

use narthex_model::{Exemplar, FamilyBuilder, MetricFamily, MetricType, Number};
use serde_json::Value;

/// The file, or `None` where the tests run without the cases.
pub(crate) fn case_file(path: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("NARTHEX_CONFORMANCE") else {
        println!("skipped: NARTHEX_CONFORMANCE names no folder");
        return None;
    };
    let path = PathBuf::from(folder).join(path);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")))
}

/// The cases of a file that is a JSON list.
pub(crate) fn cases(path: &str) -> Option<Vec<Value>> {
    let text = case_file(path)?;
    Some(serde_json::from_str(&text).expect("the cases are a JSON list"))
}

/// The rows of a table, without its first.
pub(crate) fn rows(path: &str) -> Option<Vec<Vec<String>>> {
    let text = case_file(path)?;
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    Some(text.lines().skip(1).map(cells).collect())
}

/// How many cases were compared, and how many cannot be or are deviations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) checked: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(crate) fn skip(&mut self, case: &str, reason: &str) {
        println!("skipped {case}: {reason}");
        self.skipped += 1;
    }

    #[track_caller]
    pub(crate) fn expect(&self, checked: usize, skipped: usize) {
        println!("{self:?}");
        assert_eq!((self.checked, self.skipped), (checked, skipped));
    }
}

/// The family that a case describes, or why it cannot be expressed.
pub(crate) fn build(family: &Value) -> Result<MetricFamily, &'static str> {
    let metrics = family["metric"].as_array().map_or(&[][..], |all| all);
    let mut names: Vec<String> = metrics.iter().flat_map(labels).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let mut built = start(family, metrics)?.utf8_names().label_names(&names);
    built = built.unit(family["unit"].as_str().unwrap_or_default());
    for metric in metrics {
        let pairs = labels(metric);
        let value_of = |name: &String| {
            let pair = pairs.iter().find(|(label, _)| label == name);
            pair.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        push(&mut built, names.iter().map(value_of).collect(), metric)?;
    }
    built.build().map_err(|_| "the model refuses it")
}

/// The labels of a metric or an exemplar.
fn labels(owner: &Value) -> Vec<(String, String)> {
    let text = |pair: &Value, key: &str| pair[key].as_str().unwrap_or_default().to_owned();
    let pairs = owner["label"].as_array().into_iter().flatten();
    pairs.map(|pair| (text(pair, "name"), text(pair, "value"))).collect()
}

fn start(family: &Value, metrics: &[Value]) -> Result<FamilyBuilder, &'static str> {
    let name = family["name"].as_str().expect("a name");
    let help = family["help"].as_str().unwrap_or_default();
    /// What all metrics have in a list, or an error where they differ.
    fn common(
        metrics: &[Value],
        kind: &str,
        list: &str,
        key: &str,
    ) -> Result<Vec<f64>, &'static str> {
        let of = |metric: &Value| -> Vec<f64> {
            let items = metric[kind][list].as_array().into_iter().flatten();
            items.map(|item| number(&item[key])).collect()
        };
        let first = metrics.first().map(of).unwrap_or_default();
        let same = metrics.iter().all(|metric| of(metric) == first);
        if same { Ok(first) } else { Err("its metrics differ in buckets or quantiles") }
    }
    let metric_type = match family["type"].as_str() {
        None | Some("COUNTER") => MetricType::Counter,
        Some("GAUGE") => MetricType::Gauge,
        Some("UNTYPED") => MetricType::Unknown,
        Some("SUMMARY") => {
            let quantiles = common(metrics, "summary", "quantile", "quantile")?;
            return Ok(MetricFamily::summary(name, help, &quantiles));
        }
        Some(kind) => {
            if metrics.iter().any(|metric| metric["histogram"]["sample_count"].as_u64().is_none()) {
                return Err("the model has no floating-point counts");
            }
            let bounds = common(metrics, "histogram", "bucket", "upper_bound")?;
            return Ok(match kind {
                "HISTOGRAM" => MetricFamily::histogram(name, help, &bounds),
                _ => MetricFamily::gauge_histogram(name, help, &bounds),
            });
        }
    };
    Ok(FamilyBuilder::new(metric_type, name, help))
}

fn push(
    built: &mut FamilyBuilder,
    labels: Vec<String>,
    metric: &Value,
) -> Result<(), &'static str> {
    let kinds = ["counter", "gauge", "untyped", "summary", "histogram"];
    let kind = kinds.into_iter().find(|kind| metric.get(kind).is_some()).expect("a value");
    let value = &metric[kind];
    let mut exemplars = vec![value["exemplar"].clone()];
    match kind {
        "summary" => {
            let quantiles = value["quantile"].as_array().into_iter().flatten();
            let quantiles: Vec<f64> =
                quantiles.map(|quantile| number(&quantile["value"])).collect();
            let count = value["sample_count"].as_u64().unwrap_or(0);
            built.push_summary(labels, quantiles, count, number(&value["sample_sum"]));
        }
        "histogram" => {
            let (mut counts, mut before) = (Vec::new(), 0);
            for bucket in value["bucket"].as_array().expect("buckets") {
                let cumulative = bucket["cumulative_count"].as_u64().expect("a whole count");
                counts.push(cumulative - before);
                before = cumulative;
                exemplars.push(bucket["exemplar"].clone());
            }
            counts.push(value["sample_count"].as_u64().expect("a whole count") - before);
            built.push_histogram(labels, counts, number(&value["sample_sum"]));
        }
        _ => built.push(labels, Number::Float(number(&value["value"]))),
    }
    if let Some(timestamp) = metric["timestamp_ms"].as_i64() {
        built.push_timestamp(timestamp);
    }
    if let Some(created) = milliseconds(&value["created_timestamp"]) {
        built.push_created(created);
    }
    for exemplar in exemplars.iter().filter(|exemplar| !exemplar.is_null()) {
        let read = Exemplar::new(self::labels(exemplar), number(&exemplar["value"]));
        let read = read.map_err(|_| "the model refuses an exemplar")?;
        built.push_exemplar(match milliseconds(&exemplar["timestamp"]) {
            Some(timestamp) => read.at(timestamp),
            None => read,
        });
    }
    Ok(())
}

fn milliseconds(timestamp: &Value) -> Option<i64> {
    let nanos = timestamp["nanos"].as_i64().unwrap_or(0);
    Some(timestamp["seconds"].as_i64()? * 1000 + nanos / 1_000_000)
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Number(number) => number.as_f64().expect("a number is a float"),
        text => text.as_str().and_then(|text| text.parse().ok()).expect("NaN or an infinity"),
    }
}

/// The page with the labels of each line sorted and its times in one notation: what differs still,
/// differs in meaning or in the notation of values.
pub(crate) fn canonical(page: &str) -> Vec<String> {
    page.lines().filter(|line| *line != "# EOF").map(canonical_line).collect()
}

fn canonical_line(line: &str) -> String {
    if line.starts_with('#') {
        return line.to_owned();
    }
    let (mut out, mut rest) = (String::new(), line);
    let mut words = 0;
    while !rest.is_empty() {
        if rest.starts_with('{') {
            let end = end_of_labels(rest);
            out.push_str(&canonical_labels(&rest[1..end]));
            rest = &rest[end + 1..];
            continue;
        }
        let end = rest.find([' ', '{']).unwrap_or(rest.len()).max(1);
        let (word, after) = rest.split_at(end);
        if word == "#" {
            words = 0;
        }
        // The first number is the value, the second the time.
        words += usize::from(word.parse::<f64>().is_ok());
        match word.parse::<f64>() {
            Ok(time) if words == 2 => out.push_str(&time.to_string()),
            _ => out.push_str(word),
        }
        rest = after;
    }
    out
}

fn canonical_labels(labels: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut start = 0;
    let mut quotes = Quotes::default();
    for (at, c) in labels.char_indices() {
        if !quotes.inside(c) && c == ',' {
            parts.push(&labels[start..at]);
            start = at + 1;
        }
    }
    parts.push(&labels[start..]);
    parts.sort_unstable();
    format!("{{{}}}", parts.join(","))
}

fn end_of_labels(text: &str) -> usize {
    let mut quotes = Quotes::default();
    text.char_indices()
        .find(|&(_, c)| !quotes.inside(c) && c == '}')
        .map(|(at, _)| at)
        .expect("the labels end")
}

#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Whether the next character belongs to a string.
    fn inside(&mut self, c: char) -> bool {
        let escaped = self.escaped;
        self.escaped = self.open && c == '\\' && !escaped;
        if c == '"' && !escaped {
            self.open = !self.open;
            return true;
        }
        self.open
    }
}

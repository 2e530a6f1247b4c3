//! The tables `[json.NAME]`: endpoints that answer JSON, and what of it becomes metrics.

mod client;
mod extract;
mod path;
mod plan;
mod source;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use narthex_model::{LabelName, MetricName, MetricType};
use toml::Spanned;

use self::path::JsonPath;
use self::plan::Plan;
pub(super) use self::source::{JsonSource, OWN_METRICS};
use super::labels::{label_name, labels};
use super::metrics::{metric_name, metric_type};
use crate::settings::Fields;

/// The label that every metric of an endpoint has.
const ENDPOINT: &str = "endpoint";
/// The label that tells the items of a list apart.
const INDEX: &str = "index";

/// An endpoint, as the file describes it.
#[derive(Clone, PartialEq)]
pub(super) struct Endpoint {
    pub(super) name: String,
    plan: Plan,
    /// Whatever the file says for all endpoints, where this one says nothing.
    cache_life: Option<Duration>,
    /// How many series a metric may have.
    max_series: usize,
    pub(super) metrics: Vec<JsonMetric>,
}

/// A metric of an endpoint.
#[derive(Clone, PartialEq)]
pub(super) struct JsonMetric {
    pub(super) name: MetricName,
    pub(super) span: Range<usize>,
    pub(super) metric_type: MetricType,
    pub(super) help: String,
    /// Where the items are that each are a series.
    each: Option<JsonPath>,
    /// Where the value is, in the item or the whole answer.
    path: JsonPath,
    strings: Strings,
    labels: Vec<(LabelName, String)>,
    json_labels: Vec<JsonLabel>,
}

/// A label whose value is in the answer.
#[derive(Clone, PartialEq)]
struct JsonLabel {
    name: LabelName,
    within: Within,
    path: JsonPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Answer,
    Item,
}

/// Whether a string may stand for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strings {
    Refused,
    Parsed,
}

const DEFAULT_MAX_SERIES: usize = 10_000;

impl Endpoint {
    /// Reads a table; `None` where a part of it is missing, which is then taken down there.
    pub(super) fn read(name: &str, table: &mut Fields<'_>) -> Option<Self> {
        let plan = Plan::read(table);
        let cache_life = seconds(table, "cache_life");
        let max_series = table.optional::<usize>("max_series").map(Spanned::into_inner);
        let common = own_labels(table, Within::Answer);
        let mut metrics = Vec::new();
        let mut names = BTreeSet::new();
        if let Some(mut tables) = table.table("metrics") {
            for (metric, mut table) in tables.named_tables() {
                let read = JsonMetric::read(&metric, name, &mut table, &common);
                if let Some(read) = read {
                    if !names.insert(read.name.clone()) {
                        let message = format!("there are two metrics called `{}`", read.name);
                        tables.fail(&metric.span(), &message);
                    }
                    metrics.push(read);
                }
                tables.end(table);
            }
            table.end(tables);
        } else {
            let span = table.span();
            table.fail(&span, "an endpoint needs `metrics`");
        }
        let max_series = max_series.unwrap_or(DEFAULT_MAX_SERIES);
        Some(Self { name: name.to_owned(), plan: plan?, cache_life, max_series, metrics })
    }
}

impl JsonMetric {
    fn read(
        name: &Spanned<String>,
        endpoint: &str,
        table: &mut Fields<'_>,
        common: &OwnLabels,
    ) -> Option<Self> {
        let valid = metric_name(name, table);
        let metric_type = metric_type(table);
        let help = table.optional::<String>("help").map(Spanned::into_inner).unwrap_or_default();
        let each = path(table, "each");
        let value = match each {
            // The item may be the value itself.
            Some(_) => Some(path(table, "path").unwrap_or_default()),
            None => table.required::<String>("path").and_then(|text| valid_path(table, &text)),
        };
        let strings = match table.optional::<bool>("parse_strings") {
            Some(parse) if *parse.get_ref() => Strings::Parsed,
            _ => Strings::Refused,
        };
        let own = own_labels(table, if each.is_some() { Within::Item } else { Within::Answer });

        let is_own = |name: &LabelName| {
            own.written.iter().any(|(own, _)| own == name)
                || own.found.iter().any(|own| own.name == *name)
        };
        let written = common.written.iter().filter(|(name, _)| !is_own(name)).cloned();
        let mut labels: Vec<_> = written.collect();
        let endpoint_label = LabelName::new(ENDPOINT).expect("it is a valid name");
        labels.push((endpoint_label, endpoint.to_owned()));
        labels.extend(own.written.iter().cloned());
        let found = common.found.iter().filter(|label| !is_own(&label.name)).cloned();
        let json_labels = found.chain(own.found.iter().cloned()).collect();

        let (name, span) = (valid?, name.span());
        Some(Self {
            name,
            span,
            metric_type,
            help,
            each,
            path: value?,
            strings,
            labels,
            json_labels,
        })
    }
}

/// The labels that one table gives, not those of the tables around it.
struct OwnLabels {
    written: Vec<(LabelName, String)>,
    found: Vec<JsonLabel>,
}

/// Reads `labels` and `json_labels`.
fn own_labels(table: &mut Fields<'_>, within: Within) -> OwnLabels {
    let mut own = OwnLabels { written: Vec::new(), found: Vec::new() };
    let mut taken = BTreeSet::from([ENDPOINT.to_owned()]);
    if let Some(mut fields) = table.table("labels") {
        for (name, span, value) in labels(&mut fields) {
            if taken.insert(name.as_str().to_owned()) {
                own.written.push((name, value));
            } else {
                fields.fail(&span, RESERVED);
            }
        }
        table.end(fields);
    }
    if let Some(mut fields) = table.table("json_labels") {
        for (name, path) in fields.named::<String>() {
            let valid = fields.check(&name.span(), label_name(&name));
            let path = valid_path(&mut fields, &path);
            let (Some(label), Some(path)) = (valid, path) else { continue };
            if taken.insert(label.as_str().to_owned()) {
                own.found.push(JsonLabel { name: label, within, path });
            } else {
                let message = match name.get_ref().as_str() {
                    ENDPOINT => RESERVED.to_owned(),
                    name => format!("`labels` has a label called `{name}`"),
                };
                fields.fail(&name.span(), &message);
            }
        }
        table.end(fields);
    }
    own
}

const RESERVED: &str = "`endpoint` is the label that says which endpoint it is";

fn path(table: &mut Fields<'_>, key: &str) -> Option<JsonPath> {
    let text = table.optional::<String>(key)?;
    valid_path(table, &text)
}

fn valid_path(table: &mut Fields<'_>, text: &Spanned<String>) -> Option<JsonPath> {
    table.check(&text.span(), JsonPath::parse(text.get_ref()))
}

/// A number of seconds, zero or more.
fn seconds(table: &mut Fields<'_>, key: &str) -> Option<Duration> {
    let given = table.optional::<f64>(key)?;
    let error = "expected a number of seconds, zero or more";
    table.check(&given.span(), Duration::try_from_secs_f64(*given.get_ref()).map_err(|_| error))
}

//! From the samples of a page to families: histograms and summaries are put together.

use std::borrow::Cow;
use std::collections::HashMap;

use narthex_model::{Exemplar, MetricType};

use super::TextSyntax;
use super::build::{Family, Row, RowLabels, RowValue, ScrapeBuilder};
use super::number::{Numbers, Timestamp, float};
use super::page::Draft;
use super::parts::{Parts, Point};
use super::reader::{self, Sample};

/// Adds the family to the scrape.
///
/// A histogram or summary of which a part is missing or contradicts another, and histograms of one
/// family that differ in bounds, cannot be one column: their samples are kept as they are, each
/// name a family of unknown type.
pub(super) fn add_family(draft: &Draft<'_>, syntax: TextSyntax, scrape: &mut ScrapeBuilder) {
    let metric_type = draft.metric_type.unwrap_or(MetricType::Unknown);
    let parts = match metric_type {
        MetricType::Histogram | MetricType::GaugeHistogram => parts(draft, "_bucket", "le"),
        MetricType::Summary => parts(draft, "", "quantile"),
        _ => return scrape.push(&draft_family(draft, syntax, number_rows(draft))),
    };
    let rows = parts.and_then(|all| all.iter().map(|parts| parts.row(metric_type)).collect());
    let family = rows.map(|rows| draft_family(draft, syntax, rows)).filter(Family::fits);
    match family {
        Some(family) => scrape.push(&family),
        None => unknown_families(draft).iter().for_each(|family| scrape.push(family)),
    }
}

fn draft_family<'a>(draft: &Draft<'a>, syntax: TextSyntax, rows: Vec<Row<'a>>) -> Family<'a> {
    Family {
        name: draft.exported_name(syntax),
        metric_type: draft.metric_type.unwrap_or(MetricType::Unknown),
        help: draft.help.clone().unwrap_or_default(),
        unit: draft.unit.into(),
        rows,
    }
}

/// One family of unknown type for each name that samples have.
fn unknown_families<'a>(draft: &Draft<'a>) -> Vec<Family<'a>> {
    let mut families: Vec<Family<'a>> = Vec::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for sample in &draft.samples {
        let at = *by_name.entry(&sample.name).or_insert_with(|| {
            families.push(Family {
                name: sample.name.clone(),
                metric_type: MetricType::Unknown,
                help: draft.help.clone().unwrap_or_default(),
                unit: Cow::Borrowed(""),
                rows: Vec::new(),
            });
            families.len() - 1
        });
        families[at].rows.push(number_row(sample));
    }
    families
}

/// A row for each sample; `_created` lines belong to the row with their labels.
fn number_rows<'a>(draft: &Draft<'a>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(draft.samples.len());
    let mut created = Vec::new();
    for sample in &draft.samples {
        if draft.suffix(sample) == "_created" && draft.metric_type == Some(MetricType::Counter) {
            created.push(sample);
            continue;
        }
        let mut row = number_row(sample);
        if draft.metric_type == Some(MetricType::Counter) {
            row.exemplars.extend(sample.exemplar.as_ref().and_then(model_exemplar).map(|e| (0, e)));
        }
        rows.push(row);
    }
    if created.is_empty() {
        return rows;
    }
    let mut by_labels = HashMap::new();
    for sample in created {
        by_labels.entry(sorted(sample, "")).or_insert_with(|| created_millis(sample));
    }
    let counted = draft.samples.iter().filter(|sample| draft.suffix(sample) != "_created");
    for (row, sample) in rows.iter_mut().zip(counted) {
        row.created = by_labels.get(&sorted(sample, "")).copied().flatten();
    }
    rows
}

fn number_row<'a>(sample: &Sample<'a>) -> Row<'a> {
    Row {
        timestamp: sample.timestamp.map(Timestamp::as_millis),
        ..Row::new(page_labels(sample, ""), RowValue::Number(sample.value))
    }
}

/// The samples of each metric, told apart by all labels but `label`; `None` for one that is no part
/// of a metric.
fn parts<'a>(draft: &Draft<'a>, point: &str, label: &'static str) -> Option<Vec<Parts<'a>>> {
    let mut all: Vec<Parts<'a>> = Vec::new();
    let mut by_labels = HashMap::new();
    let mut last: Option<&Sample<'a>> = None;
    for sample in &draft.samples {
        let at = match last {
            Some(last) if own_labels(last, label).eq(own_labels(sample, label)) => all.len() - 1,
            _ => *by_labels.entry(sorted(sample, label)).or_insert_with(|| {
                let timestamp = sample.timestamp.map(Timestamp::as_millis);
                all.push(Parts { timestamp, ..Parts::new(page_labels(sample, label)) });
                all.len() - 1
            }),
        };
        // Only the newest metric is found without a look at the table.
        last = Some(sample).filter(|_| at + 1 == all.len());
        let parts = &mut all[at];
        let own = sample.labels.get(label);
        match draft.suffix(sample) {
            suffix if suffix == point => {
                let at = float(&own?, Numbers::Python)?;
                let exemplar = sample.exemplar.as_ref().and_then(model_exemplar);
                parts.points.push(Point { at, value: sample.value, exemplar });
            }
            _ if own.is_some() => return None,
            "_sum" | "_gsum" => _ = parts.sum.get_or_insert(sample.value.as_f64()),
            "_count" | "_gcount" => _ = parts.count.get_or_insert(sample.value),
            "_created" => parts.created = created_millis(sample),
            _ => return None,
        }
        if sample.timestamp.map(Timestamp::as_millis) != parts.timestamp {
            return None;
        }
    }
    // A page in text gives at least the last bucket of a histogram.
    let is_whole = |parts: &Parts<'_>| point.is_empty() || !parts.points.is_empty();
    all.iter().all(is_whole).then_some(all)
}

fn page_labels<'a>(sample: &Sample<'a>, left_out: &'static str) -> RowLabels<'a> {
    RowLabels::Page { labels: sample.labels, left_out }
}

/// The labels that have a value, but for the one that the type has for itself.
fn own_labels<'a>(
    sample: &Sample<'a>,
    left_out: &str,
) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    let keep =
        move |(name, value): &(Cow<'a, str>, Cow<'a, str>)| !value.is_empty() && name != left_out;
    sample.labels.iter().filter(keep)
}

/// The same sorted by name, so that two sets can be compared.
fn sorted<'a>(sample: &Sample<'a>, left_out: &str) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut labels: Vec<_> = own_labels(sample, left_out).collect();
    labels.sort();
    labels
}

/// The value of a `_created` line, which is in seconds.
fn created_millis(sample: &Sample<'_>) -> Option<i64> {
    Timestamp::from_seconds(sample.value_token, Numbers::Python).map(Timestamp::as_millis)
}

/// The exemplar, unless its labels are more than the model allows.
fn model_exemplar(exemplar: &reader::Exemplar<'_>) -> Option<Exemplar> {
    let built = Exemplar::new(exemplar.labels, exemplar.value.as_f64()).ok()?;
    Some(match exemplar.timestamp {
        Some(timestamp) => built.at(timestamp.as_millis()),
        None => built,
    })
}

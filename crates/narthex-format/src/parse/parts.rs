//! Histograms and summaries, put together from what a page gives of them.

use std::borrow::Cow;

use narthex_model::{Exemplar, MetricType, NativeHistogram, Number};

use super::build::{Family, Row, RowLabels, RowValue, ScrapeBuilder};
use crate::number::{Plain, push_number};

/// A histogram or summary, as far as its page gives it.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) labels: RowLabels<'a>,
    /// The bound and cumulative count of each bucket, or the level and value of each quantile.
    pub(super) points: Vec<Point>,
    pub(super) sum: Option<f64>,
    pub(super) count: Option<Number>,
    pub(super) created: Option<i64>,
    pub(super) timestamp: Option<i64>,
    /// The native side of a histogram that has one, or why the model cannot hold it.
    pub(super) native: Option<Result<NativeHistogram, String>>,
    /// Exemplars that are given for the whole histogram, and not for a bucket.
    pub(super) exemplars: Vec<Exemplar>,
}

/// A bucket or a quantile.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) value: Number,
    pub(super) exemplar: Option<Exemplar>,
}

impl<'a> Parts<'a> {
    /// Nothing but labels.
    pub(super) fn new(labels: RowLabels<'a>) -> Self {
        Self {
            labels,
            points: Vec::new(),
            sum: None,
            count: None,
            created: None,
            timestamp: None,
            native: None,
            exemplars: Vec::new(),
        }
    }

    /// The row, if the parts are all there and agree with each other.
    pub(super) fn row(&self, metric_type: MetricType) -> Option<Row<'a>> {
        let mut points = self.points.clone();
        points.sort_by(|a, b| a.at.total_cmp(&b.at));
        let mut row = match metric_type {
            MetricType::Summary => self.summary(&points)?,
            _ => self.histogram(points)?,
        };
        row.timestamp = self.timestamp;
        row.created = self.created;
        Some(row)
    }

    fn histogram(&self, points: Vec<Point>) -> Option<Row<'a>> {
        let (mut bounds, mut counts, mut exemplars) = (Vec::new(), Vec::new(), Vec::new());
        let mut total = 0;
        for point in points {
            let cumulative = whole(point.value)?;
            exemplars.extend(point.exemplar.map(|exemplar| (bounds.len(), exemplar)));
            counts.push(cumulative.checked_sub(total)?);
            total = cumulative;
            bounds.push(point.at);
        }
        if bounds.last() == Some(&f64::INFINITY) {
            bounds.pop();
        } else {
            // Without a bucket for +Inf, the count says how many are beyond the last bound.
            counts.push(whole(self.count?)?.checked_sub(total)?);
        }
        if self.count.is_some_and(|count| whole(count) != Some(counts.iter().sum())) {
            return None;
        }
        self.place_exemplars(&bounds, &mut exemplars);
        let sum = self.sum?;
        let value = match &self.native {
            Some(Ok(native)) => RowValue::Native { bounds, counts, native: native.clone().into() },
            _ => RowValue::Histogram { bounds, counts, sum },
        };
        let mut row = Row::new(self.labels.clone(), value);
        row.exemplars = exemplars;
        Some(row)
    }

    /// Adds the exemplars of the whole histogram: by their values to buckets that have none, and
    /// numbered where +Inf is the only bucket.
    fn place_exemplars(&self, bounds: &[f64], exemplars: &mut Vec<(usize, Exemplar)>) {
        if self.exemplars.is_empty() {
            return;
        }
        if bounds.is_empty() {
            let numbered = (exemplars.len()..).zip(self.exemplars.iter().cloned());
            return exemplars.extend(numbered);
        }
        let mut taken = vec![false; bounds.len() + 1];
        exemplars.iter().for_each(|(bucket, _)| taken[*bucket] = true);
        for exemplar in &self.exemplars {
            let bucket = bounds.partition_point(|bound| *bound < exemplar.value());
            if !std::mem::replace(&mut taken[bucket], true) {
                exemplars.push((bucket, exemplar.clone()));
            }
        }
        exemplars.sort_by_key(|(bucket, _)| *bucket);
    }

    fn summary(&self, points: &[Point]) -> Option<Row<'a>> {
        if !points.iter().all(|point| (0.0..=1.0).contains(&point.at)) {
            return None;
        }
        let mut quantiles: Vec<_> =
            points.iter().map(|point| (point.at, point.value.as_f64())).collect();
        quantiles.dedup_by(|later, first| later.0 == first.0);
        let value = RowValue::Summary { quantiles, count: whole(self.count?)?, sum: self.sum? };
        Some(Row::new(self.labels.clone(), value))
    }
}

/// Adds a family of histograms or summaries: as one column or, where they do not fit into one,
/// sample by sample in families of unknown type.
pub(super) fn add_family<'a>(
    mut family: Family<'a>,
    all: &[Parts<'a>],
    scrape: &mut ScrapeBuilder,
) {
    let rows: Option<_> = all.iter().map(|parts| parts.row(family.metric_type)).collect();
    if let Some(rows) = rows {
        family.rows = rows;
        if !family.fits() {
            // Where only some series are native, their classic buckets are what all have.
            family.rows.iter_mut().for_each(Row::make_classic);
        }
        if family.fits() {
            note_lost_natives(&family, all, scrape);
            return scrape.push(&family);
        }
        family.rows.clear();
    }
    note_lost_natives(&family, all, scrape);
    let (point, label) = match family.metric_type {
        MetricType::Summary => ("", "quantile"),
        _ => ("_bucket", "le"),
    };
    let unknown = |suffix: &str, rows: Vec<Row<'a>>| Family {
        name: format!("{}{suffix}", family.name).into(),
        metric_type: MetricType::Unknown,
        help: family.help.clone(),
        unit: "".into(),
        rows,
    };
    let (mut points, mut sums, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for parts in all {
        for p in &parts.points {
            let mut at = Vec::new();
            push_number::<Plain>(&mut at, p.at);
            let at = String::from_utf8(at).unwrap_or_default();
            points.push(number_row(parts, Some((label, at)), p.value));
        }
        // A binary page need not give the bucket that holds every observation, a text page must.
        let last = parts.points.last().map(|p| p.at);
        if label == "le" && last != Some(f64::INFINITY) {
            let bound = (label, "+Inf".to_owned());
            points.extend(parts.count.map(|count| number_row(parts, Some(bound), count)));
        }
        sums.extend(parts.sum.map(|sum| number_row(parts, None, Number::Float(sum))));
        counts.extend(parts.count.map(|count| number_row(parts, None, count)));
    }
    for (suffix, rows) in [(point, points), ("_sum", sums), ("_count", counts)] {
        if !rows.is_empty() {
            scrape.push(&unknown(suffix, rows));
        }
    }
}

/// Notes how many native histograms are not among the rows, and why.
fn note_lost_natives(family: &Family<'_>, all: &[Parts<'_>], scrape: &mut ScrapeBuilder) {
    let kept =
        family.rows.iter().filter(|row| matches!(row.value, RowValue::Native { .. })).count();
    let given = || all.iter().filter_map(|parts| parts.native.as_ref());
    let lost = given().count() - kept;
    if lost > 0 {
        let reason = given().find_map(|native| native.as_ref().err());
        let reason = reason.map_or("its series differ in buckets", String::as_str);
        let reason = format!("the native buckets of {lost} series are left out: {reason}");
        scrape.note(&family.name, reason);
    }
}

fn number_row(
    parts: &Parts<'_>,
    own: Option<(&'static str, String)>,
    value: Number,
) -> Row<'static> {
    let mut labels: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    parts.labels.for_each(|name, value| {
        labels.push((name.into_owned().into(), value.into_owned().into()));
    });
    labels.extend(own.map(|(name, value)| (Cow::Borrowed(name), Cow::Owned(value))));
    let mut row = Row::new(RowLabels::List(labels), RowValue::Number(value));
    row.timestamp = parts.timestamp;
    row
}

/// The number as a count, if it is one.
pub(super) fn whole(number: Number) -> Option<u64> {
    match number {
        Number::Unsigned(value) => Some(value),
        // The upper bound is exact as a float: the first one that a `u64` cannot hold.
        other => {
            let value = other.as_f64();
            let fits = value.fract() == 0.0 && (0.0..u64::MAX as f64).contains(&value);
            fits.then_some(value as u64)
        }
    }
}

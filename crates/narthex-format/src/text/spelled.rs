//! Lines spelled out piece by piece: any family, any length.

use narthex_model::{
    BucketExemplar, Exemplar, Exemplars, Fragment, Histogram, MetricType, Summary, Value,
};

use super::shown::{Shown, push_label};
use crate::labels::{self, SeriesLabel};
use crate::number::{Numeral, Plain, Pointed, push_number, push_seconds};
use crate::output::Output;

/// Spells out the lines of a family.
pub(super) struct Speller<'a, 'o> {
    pub(super) shown: Shown<'a>,
    /// The line under way.
    pub(super) text: &'a mut Vec<u8>,
    pub(super) output: &'a mut Output<'o>,
}

/// Which line of a series.
#[derive(Clone, Copy)]
pub(super) enum Sample {
    /// The only one.
    Only,
    /// The histogram bucket up to a bound.
    Bucket(f64),
    /// A quantile of a summary.
    Quantile(f64),
    /// The sum of all observations.
    Sum,
    /// The number of all observations.
    Count,
    /// The time since which the series counts.
    Created,
}

impl Sample {
    /// What follows the name of the family.
    pub(super) fn suffix(self, shown: &Shown<'_>) -> &'static [u8] {
        let gauge =
            shown.is_openmetrics() && shown.family.metric_type() == MetricType::GaugeHistogram;
        match self {
            Self::Only => shown.required_suffix(),
            Self::Quantile(_) => b"",
            Self::Bucket(_) => b"_bucket",
            Self::Sum if gauge => b"_gsum",
            Self::Count if gauge => b"_gcount",
            Self::Sum => b"_sum",
            Self::Count => b"_count",
            Self::Created => b"_created",
        }
    }

    /// Appends the label of the sample's own, which follows those of the series.
    pub(super) fn push_own_label(self, out: &mut Vec<u8>, shown: &Shown<'_>) {
        let (name, value): (&[u8], f64) = match self {
            Self::Bucket(bound) => (b"le=\"", bound),
            Self::Quantile(quantile) => (b"quantile=\"", quantile),
            Self::Only | Self::Sum | Self::Count | Self::Created => return,
        };
        out.extend_from_slice(name);
        push_value(out, value, shown);
        out.push(b'"');
    }

    fn has_own_label(self) -> bool {
        matches!(self, Self::Bucket(_) | Self::Quantile(_))
    }
}

/// A series but for its value.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    fragments: &'a [&'a Fragment],
    timestamp: Option<i64>,
    exemplars: &'a [BucketExemplar],
    created: Option<i64>,
}

impl<'a> Row<'a> {
    /// A series with nothing but labels.
    pub(super) fn plain(fragments: &'a [&'a Fragment]) -> Self {
        Self { fragments, timestamp: None, exemplars: &[], created: None }
    }

    /// A series with what is written beside its value.
    pub(super) fn new(shown: &Shown<'a>, index: usize, fragments: &'a [&'a Fragment]) -> Self {
        let at = |times: Option<&[Option<i64>]>| times.and_then(|all| *all.get(index)?);
        let exemplars = shown.family.exemplars().filter(|_| shown.shows_exemplars());
        let created = shown.family.created().filter(|_| shown.shows_created());
        Self {
            fragments,
            timestamp: at(shown.family.timestamps()),
            exemplars: exemplars.map_or(&[], |all: &Exemplars| all.of(index)),
            created: at(created),
        }
    }

    fn exemplar(&self, bucket: usize) -> Option<&'a Exemplar> {
        let at = self.exemplars.binary_search_by_key(&bucket, BucketExemplar::bucket).ok()?;
        Some(self.exemplars[at].exemplar())
    }
}

impl Speller<'_, '_> {
    /// Writes those lines of a series that `wanted` holds for.
    pub(super) fn row(&mut self, index: usize, row: &Row<'_>, wanted: impl Fn(Sample) -> bool) {
        match self.shown.family.values().value(index) {
            Some(Value::Number(number)) => {
                if wanted(Sample::Only) {
                    self.sample(Sample::Only, row, number, row.exemplar(0));
                }
                self.created(row);
            }
            Some(Value::Histogram(histogram)) => self.histogram(row, histogram, wanted),
            // Texts have no native buckets; +Inf may be the only classic one.
            Some(Value::NativeHistogram(both)) => self.histogram(row, both.classic(), wanted),
            Some(Value::Summary(summary)) => self.summary(row, summary, wanted),
            _ => {}
        }
    }

    /// Writes those lines of a histogram that `wanted` holds for.
    pub(super) fn histogram(
        &mut self,
        row: &Row<'_>,
        histogram: Histogram<'_>,
        wanted: impl Fn(Sample) -> bool,
    ) {
        for (bucket, (bound, count)) in histogram.buckets().enumerate() {
            if wanted(Sample::Bucket(bound)) {
                self.sample(Sample::Bucket(bound), row, count, row.exemplar(bucket));
            }
        }
        if wanted(Sample::Sum) {
            self.sample(Sample::Sum, row, histogram.sum(), None);
        }
        if wanted(Sample::Count) {
            self.sample(Sample::Count, row, histogram.count(), None);
        }
        self.created(row);
    }

    /// Writes those lines of a summary that `wanted` holds for.
    pub(super) fn summary(
        &mut self,
        row: &Row<'_>,
        summary: Summary<'_>,
        wanted: impl Fn(Sample) -> bool,
    ) {
        for (quantile, value) in summary.quantiles() {
            if wanted(Sample::Quantile(quantile)) {
                self.sample(Sample::Quantile(quantile), row, value, None);
            }
        }
        if wanted(Sample::Sum) {
            self.sample(Sample::Sum, row, summary.sum(), None);
        }
        if wanted(Sample::Count) {
            self.sample(Sample::Count, row, summary.count(), None);
        }
        self.created(row);
    }

    /// Writes when the series was created, if that is to be written.
    fn created(&mut self, row: &Row<'_>) {
        let Some(created) = row.created else {
            return;
        };
        self.start(Sample::Created, row);
        push_seconds(self.text, created);
        while self.text.ends_with(b"0") && !self.text.ends_with(b".0") {
            self.text.pop();
        }
        self.end(row, None);
    }

    /// Writes one line.
    #[cold]
    pub(super) fn sample(
        &mut self,
        sample: Sample,
        row: &Row<'_>,
        value: impl Numeral,
        exemplar: Option<&Exemplar>,
    ) {
        self.start(sample, row);
        push_value(self.text, value, &self.shown);
        self.end(row, exemplar);
    }

    /// Spells all of a line up to its value.
    fn start(&mut self, sample: Sample, row: &Row<'_>) {
        let (shown, text) = (&self.shown, &mut *self.text);
        text.clear();
        shown.push_start(text, sample);
        for label in labels::in_order(shown.family, row.fragments) {
            separate(text);
            match label {
                SeriesLabel::Constant(label) => shown.push_label(text, label),
                SeriesLabel::Own(name, fragment) => {
                    shown.push_label_name(text, name);
                    text.push(b'=');
                    fragment.push_quoted_value(text);
                }
            }
        }
        if sample.has_own_label() {
            separate(text);
            sample.push_own_label(text, shown);
        }
        match text.last() {
            Some(b'{') => drop(text.pop()),
            _ => text.push(b'}'),
        }
        text.push(b' ');
    }

    /// Spells the rest of a line and hands it on.
    fn end(&mut self, row: &Row<'_>, exemplar: Option<&Exemplar>) {
        let (shown, text) = (&self.shown, &mut *self.text);
        if let Some(timestamp) = row.timestamp {
            text.push(b' ');
            if shown.is_openmetrics() {
                push_seconds(text, timestamp);
            } else {
                text.extend_from_slice(itoa::Buffer::new().format(timestamp).as_bytes());
            }
        }
        if let Some(exemplar) = exemplar {
            push_exemplar(text, exemplar, shown);
        }
        text.push(b'\n');
        self.output.push(text);
    }
}

fn push_value(out: &mut Vec<u8>, value: impl Numeral, shown: &Shown<'_>) {
    if shown.is_openmetrics() {
        push_number::<Pointed>(out, value);
    } else {
        push_number::<Plain>(out, value);
    }
}

/// Appends an exemplar, unless escaping has made its labels too long.
fn push_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar, shown: &Shown<'_>) {
    let start = out.len();
    let escaping = shown.dialect.escaping;
    let mut code_points = 0;
    out.extend_from_slice(b" # {");
    for label in exemplar.labels() {
        separate(out);
        push_label(out, label, escaping);
        code_points += label.name.escaped(escaping).chars().count() + label.value.chars().count();
    }
    out.extend_from_slice(b"} ");
    push_number::<Pointed>(out, exemplar.value());
    if let Some(timestamp) = exemplar.timestamp() {
        out.push(b' ');
        push_seconds(out, timestamp);
    }
    if code_points > Exemplar::MOST_CODE_POINTS {
        out.truncate(start);
    }
}

/// Appends a comma unless this is the first label.
fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

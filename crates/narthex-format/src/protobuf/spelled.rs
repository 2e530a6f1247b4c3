//! `Metric` messages spelled out field by field: any family, any length.

use narthex_model::{
    BucketExemplar, Escaping, Exemplar, Fragment, Histogram, MetricFamily, MetricType,
    NativeBuckets, NativeHistogram, Number, Span, Summary, Value, ZeroBucket,
};

use super::wire::{
    field, push_bytes, push_constant_label, push_double, push_label, push_message, push_signed,
    push_timestamp, push_unsigned, push_zigzag,
};
use crate::family_type::type_by_values;
use crate::labels::{SeriesLabel, in_order};

/// Appends the field `metric` of the family with series `index`.
pub(super) fn push_metric(
    out: &mut Vec<u8>,
    family: &MetricFamily,
    escaping: Escaping,
    index: usize,
    fragments: &[&Fragment],
) {
    let at = |times: Option<&[Option<i64>]>| times.and_then(|all| *all.get(index)?);
    let series = Series {
        exemplars: family.exemplars().map_or(&[], |all| all.of(index)),
        created: at(family.created()),
        escaping,
    };
    push_message(out, field::family::METRIC, |out| {
        for label in in_order(family, fragments) {
            push_series_label(out, label, escaping);
        }
        let value = family.values().value(index);
        if let Some(Value::Number(number)) = value {
            series.push_number(out, family.metric_type(), number);
        }
        if let Some(Value::Summary(summary)) = value {
            series.push_summary(out, summary);
        }
        if let Some(timestamp) = at(family.timestamps()) {
            push_signed(out, field::metric::TIMESTAMP, timestamp);
        }
        if let Some(Value::Histogram(histogram)) = value {
            series.push_histogram(out, histogram, None);
        }
        if let Some(Value::NativeHistogram(both)) = value {
            series.push_histogram(out, both.classic(), Some(both.native()));
        }
    });
}

/// Appends the label as a field of a metric.
pub(super) fn push_series_label(out: &mut Vec<u8>, label: SeriesLabel<'_>, escaping: Escaping) {
    const FIELD: u32 = field::metric::LABEL;
    match label {
        SeriesLabel::Constant(label) => push_constant_label(out, FIELD, label, escaping),
        SeriesLabel::Own(name, fragment) => {
            push_label(out, FIELD, name, escaping, |out| fragment.push_value(out));
        }
    }
}

/// The field of a metric that has the value of a series of this type.
pub(super) fn number_field(metric_type: MetricType) -> u32 {
    match metric_type {
        MetricType::Counter => field::metric::COUNTER,
        MetricType::Gauge | MetricType::Info | MetricType::StateSet => field::metric::GAUGE,
        _ => field::metric::UNTYPED,
    }
}

/// What a series has beside its value.
struct Series<'a> {
    exemplars: &'a [BucketExemplar],
    created: Option<i64>,
    escaping: Escaping,
}

impl Series<'_> {
    fn push_number(&self, out: &mut Vec<u8>, metric_type: MetricType, number: Number) {
        push_message(out, number_field(metric_type), |out| {
            push_double(out, field::number::VALUE, number.as_f64());
            if metric_type == MetricType::Counter {
                self.push_exemplar(out, field::number::EXEMPLAR, 0);
                self.push_created(out, field::number::CREATED);
            }
        });
    }

    fn push_summary(&self, out: &mut Vec<u8>, summary: Summary<'_>) {
        push_message(out, field::metric::SUMMARY, |out| {
            push_unsigned(out, field::summary::COUNT, summary.count());
            push_double(out, field::summary::SUM, summary.sum());
            for (quantile, value) in summary.quantiles() {
                push_message(out, field::summary::QUANTILE, |out| {
                    push_double(out, field::quantile::QUANTILE, quantile);
                    push_double(out, field::quantile::VALUE, value);
                });
            }
            self.push_created(out, field::summary::CREATED);
        });
    }

    fn push_histogram(
        &self,
        out: &mut Vec<u8>,
        histogram: Histogram<'_>,
        native: Option<&NativeHistogram>,
    ) {
        push_message(out, field::metric::HISTOGRAM, |out| {
            push_unsigned(out, field::histogram::COUNT, histogram.count());
            push_double(out, field::histogram::SUM, histogram.sum());
            // Where +Inf is the only classic bucket, it says no more than the count.
            let is_native_only = native.is_some() && histogram.counts().len() == 1;
            let classic = if is_native_only { 0 } else { histogram.counts().len() };
            for (index, (bound, count)) in histogram.buckets().enumerate().take(classic) {
                push_message(out, field::histogram::BUCKET, |out| {
                    push_unsigned(out, field::bucket::COUNT, count);
                    push_double(out, field::bucket::BOUND, bound);
                    self.push_exemplar(out, field::bucket::EXEMPLAR, index);
                });
            }
            if let Some(native) = native {
                push_native(out, native);
            }
            self.push_created(out, field::histogram::CREATED);
            if is_native_only {
                for exemplar in self.exemplars {
                    self.push_exemplar(out, field::histogram::EXEMPLAR, exemplar.bucket());
                }
            }
        });
    }

    fn push_created(&self, out: &mut Vec<u8>, field: u32) {
        if let Some(created) = self.created {
            push_timestamp(out, field, created);
        }
    }

    fn push_exemplar(&self, out: &mut Vec<u8>, field: u32, bucket: usize) {
        let Ok(at) = self.exemplars.binary_search_by_key(&bucket, BucketExemplar::bucket) else {
            return;
        };
        let exemplar: &Exemplar = self.exemplars[at].exemplar();
        push_message(out, field, |out| {
            for label in exemplar.labels() {
                push_constant_label(out, field::exemplar::LABEL, label, self.escaping);
            }
            push_double(out, field::exemplar::VALUE, exemplar.value());
            if let Some(timestamp) = exemplar.timestamp() {
                push_timestamp(out, field::exemplar::TIMESTAMP, timestamp);
            }
        });
    }
}

/// Appends the native buckets as fields of a histogram.
fn push_native(out: &mut Vec<u8>, native: &NativeHistogram) {
    use field::histogram::{
        NEGATIVE_DELTA, NEGATIVE_SPAN, POSITIVE_DELTA, POSITIVE_SPAN, SCHEMA, ZERO_COUNT,
        ZERO_THRESHOLD,
    };
    let zero = native.zero();
    push_zigzag(out, SCHEMA, native.schema().get().into());
    push_double(out, ZERO_THRESHOLD, zero.threshold);
    push_unsigned(out, ZERO_COUNT, zero.count);
    push_buckets(out, native.negative(), NEGATIVE_SPAN, NEGATIVE_DELTA);
    push_buckets(out, native.positive(), POSITIVE_SPAN, POSITIVE_DELTA);
    let is_bare = native.negative().is_empty() && native.positive().is_empty();
    if is_bare && zero == (ZeroBucket { threshold: 0.0, count: 0 }) {
        // Nothing else would tell a reader that the histogram is native.
        push_span(out, POSITIVE_SPAN, Span { offset: 0, length: 0 });
    }
}

fn push_buckets(out: &mut Vec<u8>, buckets: &NativeBuckets, spans: u32, deltas: u32) {
    buckets.spans().iter().for_each(|span| push_span(out, spans, *span));
    buckets.deltas().for_each(|delta| push_zigzag(out, deltas, delta));
}

fn push_span(out: &mut Vec<u8>, field: u32, span: Span) {
    push_message(out, field, |out| {
        push_zigzag(out, field::span::OFFSET, span.offset.into());
        push_unsigned(out, field::span::LENGTH, span.length.into());
    });
}

/// Appends name, help and type of the family.
pub(super) fn push_head(out: &mut Vec<u8>, family: &MetricFamily, escaping: Escaping) {
    let metadata = family.metadata();
    push_message(out, field::family::NAME, |out| metadata.name().escape_into(out, escaping));
    if !metadata.help().is_empty() {
        push_bytes(out, field::family::HELP, metadata.help().as_bytes());
    }
    push_unsigned(out, field::family::TYPE, type_number(family));
}

/// Appends what comes after the metrics.
pub(super) fn push_tail(out: &mut Vec<u8>, family: &MetricFamily) {
    let unit = family.metadata().unit();
    if !unit.is_empty() {
        push_bytes(out, field::family::UNIT, unit.as_bytes());
    }
}

/// The type as the schema counts them.
fn type_number(family: &MetricFamily) -> u64 {
    match type_by_values(family) {
        MetricType::Counter => 0,
        MetricType::Gauge | MetricType::Info | MetricType::StateSet => 1,
        MetricType::Summary => 2,
        MetricType::Histogram => 4,
        MetricType::GaugeHistogram => 5,
        _ => 3,
    }
}

//! The scrape as JSON.

use narthex_model::{
    Exemplar, Histogram, LabelName, Metric, MetricFamily, NativeBuckets, NativeHistogram, Number,
    Summary, Value,
};

use crate::output::Output;

/// Memory that an encoder keeps from family to family.
#[derive(Default)]
pub(crate) struct Workspace {
    text: Vec<u8>,
    begun: bool,
}

impl Workspace {
    /// Forgets the page before.
    pub(crate) fn start_page(&mut self) {
        self.begun = false;
    }
}

/// Writes a family.
pub(crate) fn encode_family(
    family: &MetricFamily,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) {
    let metadata = family.metadata();
    let text = &mut workspace.text;
    text.clear();
    text.extend_from_slice(if workspace.begun { b"," } else { START });
    workspace.begun = true;
    text.extend_from_slice(b"{\"name\":");
    push_string(text, metadata.name().as_str());
    for (key, value) in [
        ("type", metadata.metric_type().as_str()),
        ("help", metadata.help()),
        ("unit", metadata.unit()),
    ] {
        push_key(text, key);
        push_string(text, value);
    }
    push_key(text, "metrics");
    text.push(b'[');
    output.push(text);
    for (index, metric) in family.metrics().enumerate() {
        text.clear();
        if index > 0 {
            text.push(b',');
        }
        push_metric(text, &metric);
        output.push(text);
    }
    output.push(b"]}");
}

/// Writes what follows the last family.
pub(crate) fn end_page(workspace: &Workspace, output: &mut Output<'_>) {
    if !workspace.begun {
        output.push(START);
    }
    output.push(b"]}\n");
}

/// What comes before the first family.
const START: &[u8] = b"{\"families\":[";

fn push_metric(out: &mut Vec<u8>, metric: &Metric<'_>) {
    out.extend_from_slice(b"{\"labels\":");
    push_labels(out, metric.labels());
    match metric.value() {
        Value::Number(number) => {
            push_key(out, "value");
            push_number(out, number);
            if let Some((_, exemplar)) = metric.exemplars().next() {
                push_exemplar(out, exemplar);
            }
        }
        Value::Histogram(histogram) => {
            push_key(out, "histogram");
            push_buckets(out, histogram, metric.exemplars());
            out.push(b'}');
        }
        Value::NativeHistogram(both) => {
            push_key(out, "histogram");
            push_native_histogram(out, both.classic(), both.native(), metric);
        }
        Value::Summary(summary) => {
            push_key(out, "summary");
            push_summary(out, summary);
        }
        _ => {}
    }
    for (key, time) in [("timestamp", metric.timestamp()), ("created", metric.created())] {
        if let Some(time) = time {
            push_key(out, key);
            push_integer(out, time);
        }
    }
    out.push(b'}');
}

/// Appends a histogram that has native buckets, and classic ones if only for +Inf.
fn push_native_histogram(
    out: &mut Vec<u8>,
    classic: Histogram<'_>,
    native: &NativeHistogram,
    metric: &Metric<'_>,
) {
    let is_native_only = classic.counts().len() == 1;
    push_buckets(out, classic, metric.exemplars().filter(|_| !is_native_only));
    push_key(out, "native");
    out.extend_from_slice(b"{\"schema\":");
    push_integer(out, native.schema().get());
    push_key(out, "zero_threshold");
    push_float(out, native.zero().threshold);
    push_key(out, "zero_count");
    push_integer(out, native.zero().count);
    for (key, side) in [("negative", native.negative()), ("positive", native.positive())] {
        if !side.spans().is_empty() {
            push_key(out, key);
            push_side(out, side);
        }
    }
    out.push(b'}');
    if is_native_only && metric.exemplars().next().is_some() {
        push_key(out, "exemplars");
        let exemplars = metric.exemplars().map(|(_, exemplar)| exemplar);
        push_list(out, exemplars, push_exemplar_object);
    }
    out.push(b'}');
}

fn push_side(out: &mut Vec<u8>, side: &NativeBuckets) {
    out.extend_from_slice(b"{\"spans\":");
    push_list(out, side.spans(), |out, span| {
        out.extend_from_slice(b"{\"offset\":");
        push_integer(out, span.offset);
        push_key(out, "length");
        push_integer(out, span.length);
        out.push(b'}');
    });
    push_key(out, "counts");
    push_list(out, side.counts(), |out, count| push_integer(out, *count));
    out.push(b'}');
}

fn push_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    push: impl Fn(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

/// Appends count, sum and classic buckets, with exemplars in their order; the object stays open.
fn push_buckets<'a>(
    out: &mut Vec<u8>,
    histogram: Histogram<'_>,
    exemplars: impl Iterator<Item = (usize, &'a Exemplar)>,
) {
    let mut exemplars = exemplars.peekable();
    push_totals(out, histogram.count(), histogram.sum(), "buckets");
    for (index, (bound, count)) in histogram.buckets().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"le\":");
        push_float(out, bound);
        push_key(out, "count");
        push_integer(out, count);
        if let Some((_, exemplar)) = exemplars.next_if(|(bucket, _)| *bucket == index) {
            push_exemplar(out, exemplar);
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn push_summary(out: &mut Vec<u8>, summary: Summary<'_>) {
    push_totals(out, summary.count(), summary.sum(), "quantiles");
    for (index, (quantile, value)) in summary.quantiles().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"quantile\":");
        push_float(out, quantile);
        push_key(out, "value");
        push_float(out, value);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

fn push_totals(out: &mut Vec<u8>, count: u64, sum: f64, list: &str) {
    out.extend_from_slice(b"{\"count\":");
    push_integer(out, count);
    push_key(out, "sum");
    push_float(out, sum);
    push_key(out, list);
    out.push(b'[');
}

fn push_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    push_key(out, "exemplar");
    push_exemplar_object(out, exemplar);
}

fn push_exemplar_object(out: &mut Vec<u8>, exemplar: &Exemplar) {
    out.extend_from_slice(b"{\"labels\":");
    push_labels(out, exemplar.labels().iter().map(|label| (&label.name, &*label.value)));
    push_key(out, "value");
    push_float(out, exemplar.value());
    if let Some(timestamp) = exemplar.timestamp() {
        push_key(out, "timestamp");
        push_integer(out, timestamp);
    }
    out.push(b'}');
}

fn push_labels<'a>(
    out: &mut Vec<u8>,
    labels: impl Iterator<Item = (&'a LabelName, impl AsRef<str>)>,
) {
    out.push(b'{');
    for (index, (name, value)) in labels.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, name.as_str());
        out.push(b':');
        push_string(out, value.as_ref());
    }
    out.push(b'}');
}

/// Appends a key that is not the first one of its object.
fn push_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn push_number(out: &mut Vec<u8>, number: Number) {
    match number {
        Number::Unsigned(value) => push_integer(out, value),
        other => push_float(out, other.as_f64()),
    }
}

fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number with a point or an exponent, or its name where JSON has no such number.
fn push_float(out: &mut Vec<u8>, value: f64) {
    let text: &[u8] = if value.is_finite() {
        return out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"+Inf\""
    } else {
        b"\"-Inf\""
    };
    out.extend_from_slice(text);
}

/// Appends a string: quote, backslash and control characters are escaped.
fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
            }
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

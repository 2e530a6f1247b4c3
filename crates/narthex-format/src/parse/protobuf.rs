//! Protobuf: a stream of `io.prometheus.client.MetricFamily`, each after its length.

use std::borrow::Cow;

use narthex_model::{Exemplar, MetricType, Number, Scrape, Span};

use super::build::{Family, Row, RowLabels, RowValue, ScrapeBuilder};
use super::error::ParseError;
use super::limits::Limits;
use super::native::{Draft, Side};
use super::parts::{self, Parts, Point};
use super::wire::{Field, Message};

/// Reads a page.
pub(super) fn parse(page: &[u8], limits: &Limits) -> Result<Scrape, ParseError> {
    let mut rest = Message::new(page);
    let mut scrape = ScrapeBuilder::default();
    while !rest.is_empty() {
        read_family(rest.take_delimited()?, limits, &mut scrape)?;
    }
    Ok(scrape.finish())
}

fn read_family(
    message: Message<'_>,
    limits: &Limits,
    scrape: &mut ScrapeBuilder,
) -> Result<(), ParseError> {
    let mut family = Family {
        name: "".into(),
        metric_type: MetricType::Counter,
        help: "".into(),
        unit: "".into(),
        rows: Vec::new(),
    };
    let mut metrics = Vec::new();
    for field in message.fields() {
        match field? {
            (1, field) => family.name = field.text()?.into(),
            (2, field) => family.help = field.text()?.into(),
            (3, field) => family.metric_type = read_type(field)?,
            (4, field) => metrics.push(field.message()?),
            (5, field) => family.unit = field.text()?.into(),
            _ => {}
        }
    }
    if family.name.is_empty() {
        return Err(ParseError::at_byte(message.at(), "a metric family has no name"));
    }
    // The type may follow the metrics, so they are read only now.
    let mut all = Vec::new();
    for message in metrics {
        let metric = Metric::read(message, limits)?;
        match metric.value(family.metric_type, message.at())? {
            Value::Row(row) => family.rows.push(row),
            Value::Parts(parts) => all.push(parts),
        }
    }
    match family.metric_type {
        MetricType::Summary | MetricType::Histogram | MetricType::GaugeHistogram => {
            parts::add_family(family, &all, scrape);
        }
        _ => scrape.push(&family),
    }
    Ok(())
}

fn read_type(field: Field<'_>) -> Result<MetricType, ParseError> {
    Ok(match field.unsigned()? {
        0 => MetricType::Counter,
        1 => MetricType::Gauge,
        2 => MetricType::Summary,
        3 => MetricType::Unknown,
        4 => MetricType::Histogram,
        5 => MetricType::GaugeHistogram,
        other => {
            return Err(ParseError::at_byte(field.at, format!("{other} is not a metric type")));
        }
    })
}

/// A metric, whose value is a message that depends on the family's type.
#[derive(Default)]
struct Metric<'a> {
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    gauge: Option<Message<'a>>,
    counter: Option<Message<'a>>,
    summary: Option<Message<'a>>,
    untyped: Option<Message<'a>>,
    histogram: Option<Message<'a>>,
    timestamp: Option<i64>,
}

enum Value<'a> {
    Row(Row<'a>),
    Parts(Parts<'a>),
}

impl<'a> Metric<'a> {
    fn read(message: Message<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut metric = Self::default();
        for field in message.fields() {
            match field? {
                (1, field) => metric.labels.push(read_label(field.message()?)?),
                (2, field) => metric.gauge = Some(field.message()?),
                (3, field) => metric.counter = Some(field.message()?),
                (4, field) => metric.summary = Some(field.message()?),
                (5, field) => metric.untyped = Some(field.message()?),
                (6, field) => metric.timestamp = Some(field.unsigned()?.cast_signed()),
                (7, field) => metric.histogram = Some(field.message()?),
                _ => {}
            }
        }
        limits.check_labels(metric.labels.len(), message.at())?;
        let mut names: Vec<_> = metric.labels.iter().map(|(name, _)| name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let message_text = format!("label `{}` is given twice", pair[0].escape_debug());
            return Err(ParseError::at_byte(message.at(), message_text));
        }
        Ok(metric)
    }

    fn value(self, metric_type: MetricType, at: usize) -> Result<Value<'a>, ParseError> {
        let value = match metric_type {
            MetricType::Counter => self.counter,
            MetricType::Gauge => self.gauge,
            MetricType::Summary => self.summary,
            MetricType::Histogram | MetricType::GaugeHistogram => self.histogram,
            _ => self.untyped,
        };
        let Some(message) = value else {
            let message = format!("a metric lacks its value, which is that of a {metric_type}");
            return Err(ParseError::at_byte(at, message));
        };
        let labels = RowLabels::List(self.labels);
        match metric_type {
            MetricType::Summary => {
                let mut parts = read_summary(message, labels)?;
                parts.timestamp = self.timestamp;
                Ok(Value::Parts(parts))
            }
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let mut parts = read_histogram(message, labels)?;
                parts.timestamp = self.timestamp;
                Ok(Value::Parts(parts))
            }
            _ => {
                let mut row = read_number(message, labels)?;
                row.timestamp = self.timestamp;
                Ok(Value::Row(row))
            }
        }
    }
}

fn read_label(message: Message<'_>) -> Result<(Cow<'_, str>, Cow<'_, str>), ParseError> {
    let (mut name, mut value) = ("", "");
    for field in message.fields() {
        match field? {
            (1, field) => name = field.text()?,
            (2, field) => value = field.text()?,
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(ParseError::at_byte(message.at(), "a label has no name"));
    }
    Ok((name.into(), value.into()))
}

/// Reads a counter, gauge or untyped value, which have their fields in common.
fn read_number<'a>(message: Message<'a>, labels: RowLabels<'a>) -> Result<Row<'a>, ParseError> {
    let mut row = Row::new(labels, RowValue::Number(Number::Float(0.0)));
    for field in message.fields() {
        match field? {
            (1, field) => row.value = RowValue::Number(Number::Float(field.double()?)),
            (2, field) => {
                row.exemplars
                    .extend(read_exemplar(field.message()?)?.map(|exemplar| (0, exemplar)));
            }
            (3, field) => row.created = Some(read_timestamp(field.message()?)?),
            _ => {}
        }
    }
    Ok(row)
}

fn read_summary<'a>(message: Message<'a>, labels: RowLabels<'a>) -> Result<Parts<'a>, ParseError> {
    let mut parts = Parts::new(labels);
    parts.count = Some(Number::Unsigned(0));
    parts.sum = Some(0.0);
    for field in message.fields() {
        match field? {
            (1, field) => parts.count = Some(Number::Unsigned(field.unsigned()?)),
            (2, field) => parts.sum = Some(field.double()?),
            (3, field) => {
                let (mut at, mut value) = (0.0, 0.0);
                for field in field.message()?.fields() {
                    match field? {
                        (1, field) => at = field.double()?,
                        (2, field) => value = field.double()?,
                        _ => {}
                    }
                }
                parts.points.push(Point { at, value: Number::Float(value), exemplar: None });
            }
            (4, field) => parts.created = Some(read_timestamp(field.message()?)?),
            _ => {}
        }
    }
    Ok(parts)
}

fn read_histogram<'a>(
    message: Message<'a>,
    labels: RowLabels<'a>,
) -> Result<Parts<'a>, ParseError> {
    let mut parts = Parts::new(labels);
    let mut sum = 0.0;
    let mut native = Draft::default();
    let (mut whole, mut float) = (0, 0.0);
    let (mut whole_zero, mut float_zero) = (0, 0.0);
    for field in message.fields() {
        match field? {
            (1, field) => whole = field.unsigned()?,
            (2, field) => sum = field.double()?,
            (3, field) => parts.points.push(read_bucket(field.message()?)?),
            (4, field) => float = field.double()?,
            (5, field) => native.schema = field.signed()?,
            (6, field) => native.zero_threshold = field.double()?,
            (7, field) => whole_zero = field.unsigned()?,
            (8, field) => float_zero = field.double()?,
            (number @ 9..=11, field) => read_side(number - 8, field, &mut native.negative)?,
            (number @ 12..=14, field) => read_side(number - 11, field, &mut native.positive)?,
            (15, field) => parts.created = Some(read_timestamp(field.message()?)?),
            (16, field) => parts.exemplars.extend(read_exemplar(field.message()?)?),
            _ => {}
        }
    }
    let count = count(whole, float);
    native.zero_count = Some(self::count(whole_zero, float_zero));
    parts.native = native.is_native().then(|| native.finish(count, sum));
    (parts.count, parts.sum) = (Some(count), Some(sum));
    Ok(parts)
}

/// Reads the spans, the differences or the counts of one side of a native histogram.
fn read_side(kind: u64, field: Field<'_>, side: &mut Side) -> Result<(), ParseError> {
    match kind {
        1 => side.spans.push(read_span(field.message()?)?),
        2 => field.each_signed(|delta| side.deltas.push(delta))?,
        _ => field.each_double(|count| side.counts.push(Number::Float(count)))?,
    }
    Ok(())
}

fn read_span(message: Message<'_>) -> Result<Span, ParseError> {
    let (mut offset, mut length) = (0, 0);
    for field in message.fields() {
        match field? {
            (1, field) => offset = field.narrow(field.signed()?)?,
            (2, field) => length = field.narrow(field.unsigned()?)?,
            _ => {}
        }
    }
    Ok(Span { offset, length })
}

fn read_bucket(message: Message<'_>) -> Result<Point, ParseError> {
    let (mut whole, mut float, mut at, mut exemplar) = (0, 0.0, 0.0, None);
    for field in message.fields() {
        match field? {
            (1, field) => whole = field.unsigned()?,
            (2, field) => at = field.double()?,
            (3, field) => exemplar = read_exemplar(field.message()?)?,
            (4, field) => float = field.double()?,
            _ => {}
        }
    }
    Ok(Point { at, value: count(whole, float), exemplar })
}

/// A count, which the floating-point one overrides where it is above zero.
fn count(whole: u64, float: f64) -> Number {
    if float > 0.0 { Number::Float(float) } else { Number::Unsigned(whole) }
}

/// Reads an exemplar; one whose labels the model does not allow is left out.
fn read_exemplar(message: Message<'_>) -> Result<Option<Exemplar>, ParseError> {
    let (mut labels, mut value, mut timestamp) = (Vec::new(), 0.0, None);
    for field in message.fields() {
        match field? {
            (1, field) => labels.push(read_label(field.message()?)?),
            (2, field) => value = field.double()?,
            (3, field) => timestamp = Some(read_timestamp(field.message()?)?),
            _ => {}
        }
    }
    let exemplar = Exemplar::new(labels, value).ok();
    Ok(exemplar.map(|exemplar| match timestamp {
        Some(timestamp) => exemplar.at(timestamp),
        None => exemplar,
    }))
}

/// Reads a time as milliseconds since the Unix epoch; one out of range becomes the last in range.
fn read_timestamp(message: Message<'_>) -> Result<i64, ParseError> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in message.fields() {
        match field? {
            (1, field) => seconds = field.unsigned()?.cast_signed(),
            (2, field) => nanos = field.unsigned()?.cast_signed(),
            _ => {}
        }
    }
    let millis = i128::from(seconds) * 1000 + i128::from(nanos.div_euclid(1_000_000));
    Ok(millis.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

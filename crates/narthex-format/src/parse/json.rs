//! JSON: the model as `narthex convert --to json` writes it.
//!
//! ```json
//! {"families": [{
//!     "name": "request_seconds", "type": "histogram", "help": "Requests.", "unit": "seconds",
//!     "metrics": [{
//!         "labels": {"path": "/a"},
//!         "histogram": {
//!             "buckets": [{"le": 0.5, "count": 2}, {"le": "+Inf", "count": 3}],
//!             "count": 3,
//!             "sum": 4.5
//!         },
//!         "timestamp": 1520879607789,
//!         "created": 1520870000000
//!     }]
//! }]}
//! ```
//!
//! A metric has a `value`, a `histogram` (with cumulative counts) or a `summary` (with `quantiles`,
//! each a `quantile` and its `value`); counters and buckets may have an `exemplar` of `labels`,
//! `value` and `timestamp`. A native histogram has beside its buckets, of which there may be none,
//!
//! ```json
//! "native": {
//!     "schema": 3, "zero_threshold": 1e-128, "zero_count": 2,
//!     "negative": {"spans": [{"offset": -4, "length": 2}], "counts": [1, 5]},
//!     "positive": {"spans": [{"offset": 0, "length": 1}, {"offset": 3, "length": 2}], "counts": [1, 1, 2]}
//! },
//! "exemplars": [{"labels": {"trace_id": "KOO5S4vxi0o"}, "value": 0.67, "timestamp": 1520879607789}]
//! ```
//!
//! with indices as in [`NativeBuckets`](narthex_model::NativeBuckets) and counts of each bucket alone. Times are in milliseconds since the Unix epoch. `type`, `help`, `unit`,
//! `labels`, `timestamp`, `created` and `exemplar` may be missing, other keys are left alone.

mod syntax;

use std::borrow::Cow;

use narthex_model::{Exemplar, MetricType, Number, Scrape, Span};

use super::build::{Family, Row, RowLabels, RowValue, ScrapeBuilder};
use super::error::ParseError;
use super::limits::Limits;
use super::native::{Draft, Side};
use super::number::{Numbers, number};
use super::parts::{self, Parts, Point};
use syntax::{Json, Node};

/// Reads a page.
pub(super) fn parse(page: &[u8], limits: &Limits) -> Result<Scrape, ParseError> {
    let reader = JsonReader { page, limits };
    let root = syntax::read(page)?;
    let mut scrape = ScrapeBuilder::default();
    for family in reader.list(reader.required(&root, "families")?)? {
        reader.family(family, &mut scrape)?;
    }
    Ok(scrape.finish())
}

/// The labels, names with their values.
type LabelList<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

#[derive(Clone, Copy)]
struct JsonReader<'a> {
    page: &'a [u8],
    limits: &'a Limits,
}

impl JsonReader<'_> {
    fn family(self, node: &Node<'_>, scrape: &mut ScrapeBuilder) -> Result<(), ParseError> {
        let name = self.text(self.required(node, "name")?)?;
        if name.is_empty() {
            return Err(self.error(node, "a family needs a name"));
        }
        let mut family = Family {
            name: name.into(),
            metric_type: self.metric_type(node)?,
            help: self.optional_text(node, "help")?.into(),
            unit: self.optional_text(node, "unit")?.into(),
            rows: Vec::new(),
        };
        let mut all = Vec::new();
        for metric in self.list(self.required(node, "metrics")?)? {
            let labels = RowLabels::List(self.labels(metric)?);
            let timestamp = self.time(metric, "timestamp")?;
            let created = self.time(metric, "created")?;
            match family.metric_type {
                MetricType::Histogram | MetricType::GaugeHistogram => {
                    let parts = self.histogram(self.required(metric, "histogram")?, labels)?;
                    all.push(Parts { timestamp, created, ..parts });
                }
                MetricType::Summary => {
                    let parts = self.summary(self.required(metric, "summary")?, labels)?;
                    all.push(Parts { timestamp, created, ..parts });
                }
                _ => {
                    let value = self.number(self.required(metric, "value")?)?;
                    let row = Row::new(labels, RowValue::Number(value));
                    let exemplar = self.exemplar(metric)?.map(|exemplar| (0, exemplar));
                    let exemplars = exemplar.into_iter().collect();
                    family.rows.push(Row { timestamp, created, exemplars, ..row });
                }
            }
        }
        match family.metric_type {
            MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Summary => {
                parts::add_family(family, &all, scrape);
            }
            _ => scrape.push(&family),
        }
        Ok(())
    }

    fn metric_type(self, family: &Node<'_>) -> Result<MetricType, ParseError> {
        let Some(node) = family.get("type") else {
            return Ok(MetricType::Unknown);
        };
        Ok(match self.text(node)? {
            "counter" => MetricType::Counter,
            "gauge" => MetricType::Gauge,
            "histogram" => MetricType::Histogram,
            "gaugehistogram" => MetricType::GaugeHistogram,
            "summary" => MetricType::Summary,
            "info" => MetricType::Info,
            "stateset" => MetricType::StateSet,
            "unknown" | "untyped" => MetricType::Unknown,
            other => {
                let message = format!(
                    "`{}` is not a metric type: use counter, gauge, histogram, gaugehistogram, \
                     stateset, info, summary or unknown",
                    other.escape_debug()
                );
                return Err(self.error(node, message));
            }
        })
    }

    fn histogram<'n>(
        self,
        node: &Node<'n>,
        labels: RowLabels<'n>,
    ) -> Result<Parts<'n>, ParseError> {
        let mut parts = Parts::new(labels);
        parts.sum = node.get("sum").map(|sum| self.float(sum)).transpose()?;
        parts.count = node.get("count").map(|count| self.number(count)).transpose()?;
        for bucket in self.list(self.required(node, "buckets")?)? {
            parts.points.push(Point {
                at: self.float(self.required(bucket, "le")?)?,
                value: self.number(self.required(bucket, "count")?)?,
                exemplar: self.exemplar(bucket)?,
            });
        }
        if let Some(list) = node.get("exemplars") {
            for exemplar in self.list(list)? {
                parts.exemplars.extend(self.exemplar_itself(exemplar)?);
            }
        }
        if let Some(native) = node.get("native") {
            let draft = self.native(native)?;
            let count = self.number(self.required(node, "count")?)?;
            let sum = self.float(self.required(node, "sum")?)?;
            parts.native = Some(draft.finish(count, sum));
        }
        Ok(parts)
    }

    fn native(self, node: &Node<'_>) -> Result<Draft, ParseError> {
        let side = |key: &str| node.get(key).map_or(Ok(Side::default()), |side| self.side(side));
        Ok(Draft {
            schema: self.integer::<i32>(self.required(node, "schema")?)?.into(),
            zero_threshold: self.float(self.required(node, "zero_threshold")?)?,
            zero_count: Some(self.number(self.required(node, "zero_count")?)?),
            positive: side("positive")?,
            negative: side("negative")?,
        })
    }

    fn side(self, node: &Node<'_>) -> Result<Side, ParseError> {
        let mut side = Side::default();
        for span in self.list(self.required(node, "spans")?)? {
            side.spans.push(Span {
                offset: self.integer(self.required(span, "offset")?)?,
                length: self.integer(self.required(span, "length")?)?,
            });
        }
        for count in self.list(self.required(node, "counts")?)? {
            side.counts.push(self.number(count)?);
        }
        Ok(side)
    }

    fn summary<'n>(self, node: &Node<'n>, labels: RowLabels<'n>) -> Result<Parts<'n>, ParseError> {
        let mut parts = Parts::new(labels);
        parts.sum = node.get("sum").map(|sum| self.float(sum)).transpose()?;
        parts.count = node.get("count").map(|count| self.number(count)).transpose()?;
        let quantiles = node.get("quantiles").map(|list| self.list(list)).transpose()?;
        for quantile in quantiles.unwrap_or_default() {
            parts.points.push(Point {
                at: self.float(self.required(quantile, "quantile")?)?,
                value: self.number(self.required(quantile, "value")?)?,
                exemplar: None,
            });
        }
        Ok(parts)
    }

    /// The exemplar of a metric or bucket; one whose labels the model does not allow is left out.
    fn exemplar(self, owner: &Node<'_>) -> Result<Option<Exemplar>, ParseError> {
        owner.get("exemplar").map_or(Ok(None), |node| self.exemplar_itself(node))
    }

    fn exemplar_itself(self, node: &Node<'_>) -> Result<Option<Exemplar>, ParseError> {
        let labels = self.labels(node)?;
        let value = self.float(self.required(node, "value")?)?;
        let exemplar = Exemplar::new(labels, value).ok();
        let timestamp = self.time(node, "timestamp")?;
        Ok(exemplar.map(|exemplar| match timestamp {
            Some(timestamp) => exemplar.at(timestamp),
            None => exemplar,
        }))
    }

    fn labels<'n>(self, owner: &Node<'n>) -> Result<LabelList<'n>, ParseError> {
        let Some(node) = owner.get("labels") else {
            return Ok(Vec::new());
        };
        let Json::Object(members) = &node.value else {
            return Err(self.error(node, "labels are an object of names and texts"));
        };
        let mut labels = LabelList::new();
        for (name, value) in members {
            if name.is_empty() {
                return Err(self.error(value, "a label needs a name"));
            }
            let Json::Text(text) = &value.value else {
                return Err(self.error(value, "the value of a label is a text"));
            };
            labels.push((name.clone(), text.clone()));
        }
        if labels.len() > self.limits.labels {
            let message = format!(
                "a sample has {} labels, but may have {} at most",
                labels.len(),
                self.limits.labels
            );
            return Err(self.error(node, message));
        }
        Ok(labels)
    }

    /// A time in milliseconds, if there is one.
    fn time(self, owner: &Node<'_>, key: &str) -> Result<Option<i64>, ParseError> {
        let Some(node) = owner.get(key) else {
            return Ok(None);
        };
        let time = match &node.value {
            Json::Number(token) => token.parse().ok(),
            _ => None,
        };
        match time {
            Some(time) => Ok(Some(time)),
            None => {
                let message = format!("`{key}` is a time in whole milliseconds since 1970");
                Err(self.error(node, message))
            }
        }
    }

    fn integer<T: std::str::FromStr>(self, node: &Node<'_>) -> Result<T, ParseError> {
        let parsed = match &node.value {
            Json::Number(token) => token.parse().ok(),
            _ => None,
        };
        parsed.ok_or_else(|| self.error(node, "expected a whole number of at most 32 bits"))
    }

    fn float(self, node: &Node<'_>) -> Result<f64, ParseError> {
        self.number(node).map(Number::as_f64)
    }

    fn number(self, node: &Node<'_>) -> Result<Number, ParseError> {
        let token = match &node.value {
            Json::Number(token) => *token,
            Json::Text(text) if matches!(&**text, "NaN" | "+Inf" | "-Inf") => text,
            _ => "",
        };
        number(token, Numbers::Go).ok_or_else(|| {
            let message = "expected a number, or one of the texts \"NaN\", \"+Inf\" and \"-Inf\"";
            self.error(node, message)
        })
    }

    fn required<'n, 'a>(self, owner: &'n Node<'a>, key: &str) -> Result<&'n Node<'a>, ParseError> {
        if !matches!(owner.value, Json::Object(_)) {
            return Err(self.error(owner, format!("expected an object with the key `{key}`")));
        }
        owner.get(key).ok_or_else(|| self.error(owner, format!("the key `{key}` is missing")))
    }

    fn optional_text<'n>(self, owner: &'n Node<'_>, key: &str) -> Result<&'n str, ParseError> {
        owner.get(key).map_or(Ok(""), |node| self.text(node))
    }

    fn text<'n>(self, node: &'n Node<'_>) -> Result<&'n str, ParseError> {
        match &node.value {
            Json::Text(text) => Ok(text),
            _ => Err(self.error(node, "expected a text")),
        }
    }

    fn list<'n, 'a>(self, node: &'n Node<'a>) -> Result<&'n [Node<'a>], ParseError> {
        match &node.value {
            Json::List(list) => Ok(list),
            _ => Err(self.error(node, "expected a list")),
        }
    }

    fn error(self, node: &Node<'_>, message: impl Into<String>) -> ParseError {
        syntax::error_at(self.page, node.at, message)
    }
}

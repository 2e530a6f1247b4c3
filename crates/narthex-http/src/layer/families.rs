//! The metrics of a layer.

use narthex_core::{
    Buckets, Builder, Counter, Family, Gauge, Histogram, LabelVisitor, Labels, RegisterError,
    Registry,
};

use super::builder::MetricNames;

/// Beyond so many series, which templates do not make, the rest counts as one.
const MOST_SERIES: usize = 10_000;

/// The metrics, by the names that they go by.
pub(super) enum Families {
    Standard(Box<Standard>),
    Aioprometheus(Box<Aioprometheus>),
}

pub(super) struct Standard {
    pub(super) requests: Family<Counter, Outcome<'static>>,
    pub(super) in_flight: Family<Gauge, Target<'static>>,
    pub(super) durations: Family<Histogram, Target<'static>>,
    pub(super) request_sizes: Family<Histogram, Target<'static>>,
    pub(super) response_sizes: Family<Histogram, Target<'static>>,
}

pub(super) struct Aioprometheus {
    pub(super) requests: Family<Counter, Target<'static>>,
    pub(super) responses: Family<Counter, Target<'static>>,
    pub(super) exceptions: Family<Counter, Target<'static>>,
    pub(super) status_codes: Family<Counter, StatusCode<'static>>,
}

/// What was asked for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// What was asked for, and what became of it.
pub(super) struct Outcome<'a> {
    pub(super) target: Target<'a>,
    pub(super) status: &'a str,
}

/// The same under aioprometheus's name for the status.
pub(super) struct StatusCode<'a>(pub(super) Outcome<'a>);

impl Labels for Target<'_> {
    type Borrowed<'a> = Target<'a>;
    const NAMES: &'static [&'static str] = &["method", "path"];

    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.values([self.method, self.path])
    }
}

impl Labels for Outcome<'_> {
    type Borrowed<'a> = Outcome<'a>;
    const NAMES: &'static [&'static str] = &["method", "path", "status"];

    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.values([self.target.method, self.target.path, self.status])
    }
}

impl Labels for StatusCode<'_> {
    type Borrowed<'a> = StatusCode<'a>;
    const NAMES: &'static [&'static str] = &["method", "path", "status_code"];

    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        self.0.visit(visitor)
    }
}

impl Families {
    pub(super) fn register(
        registry: &Registry,
        names: MetricNames,
        const_labels: &[(String, String)],
        durations: &Buckets,
        sizes: &Buckets,
    ) -> Result<Self, RegisterError> {
        // All or nothing.
        registry.transaction(|registry| match names {
            MetricNames::Standard => Standard::register(registry, const_labels, durations, sizes)
                .map(|families| Self::Standard(Box::new(families))),
            MetricNames::Aioprometheus => Aioprometheus::register(registry, const_labels)
                .map(|families| Self::Aioprometheus(Box::new(families))),
        })
    }
}

macro_rules! family {
    ($registry:expr, $labels:expr, $name:literal, $help:literal $(, $buckets:expr)?) => {
        labelled(Family::builder($name, $help), $labels)
            .series_limit(MOST_SERIES)
            $(.buckets($buckets))?
            .get_or_register($registry)?
    };
}

impl Standard {
    fn register(
        registry: &Registry,
        labels: &[(String, String)],
        durations: &Buckets,
        sizes: &Buckets,
    ) -> Result<Self, RegisterError> {
        Ok(Self {
            requests: family!(
                registry,
                labels,
                "http_requests_total",
                "HTTP requests that have ended, by status, `aborted` or `failed`."
            ),
            in_flight: family!(
                registry,
                labels,
                "http_requests_in_flight",
                "HTTP requests being answered."
            ),
            durations: family!(
                registry,
                labels,
                "http_request_duration_seconds",
                "Time from the head of an HTTP request to the last byte of its response.",
                durations.clone()
            ),
            request_sizes: family!(
                registry,
                labels,
                "http_request_size_bytes",
                "Length of HTTP request bodies, where the request tells it.",
                sizes.clone()
            ),
            response_sizes: family!(
                registry,
                labels,
                "http_response_size_bytes",
                "Bytes of HTTP response bodies that were sent.",
                sizes.clone()
            ),
        })
    }
}

impl Aioprometheus {
    fn register(registry: &Registry, labels: &[(String, String)]) -> Result<Self, RegisterError> {
        Ok(Self {
            requests: family!(
                registry,
                labels,
                "requests_total_counter",
                "Total number of requests received"
            ),
            responses: family!(
                registry,
                labels,
                "responses_total_counter",
                "Total number of responses sent"
            ),
            exceptions: family!(
                registry,
                labels,
                "exceptions_total_counter",
                "Total number of requests that failed"
            ),
            status_codes: family!(
                registry,
                labels,
                "status_codes_counter",
                "Total number of responses by status code"
            ),
        })
    }
}

fn labelled<I>(builder: Builder<I>, labels: &[(String, String)]) -> Builder<I>
where
    I: narthex_core::Instrument,
{
    labels.iter().fold(builder, |builder, (name, value)| builder.const_label(name, value))
}

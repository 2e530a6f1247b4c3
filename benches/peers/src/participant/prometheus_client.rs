//! `prometheus-client`: families looked up by a struct that owns its strings.

use std::fmt;
use std::hint::black_box;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, EncodeMetric, text};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::{Kind, Looker, Participant, Work, cycle};
use crate::workload::{self, BUCKETS, COUNTER, GAUGE, HELP, HISTOGRAM, Labels, Typed};

pub struct PrometheusClient;

type FloatGauge = Gauge<f64, AtomicU64>;

/// Labels that are known only at run time have to be owned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    path: String,
    status: String,
}

impl From<&Labels> for Request {
    fn from(&[method, path, status]: &Labels) -> Self {
        Self { method: method.into(), path: path.into(), status: status.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Method {
    Get,
    Post,
    Put,
    Delete,
    Patch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Cache {
    Hit,
    Miss,
    Stale,
    Bypass,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypedRequest {
    method: Method,
    cache: Cache,
    ok: bool,
}

const METHODS: [Method; 5] =
    [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch];
const CACHES: [Cache; 4] = [Cache::Hit, Cache::Miss, Cache::Stale, Cache::Bypass];

impl Participant for PrometheusClient {
    fn name(&self) -> &'static str {
        "prometheus-client"
    }

    fn increment(&self) -> Work {
        let counter: Counter = Counter::default();
        Work::new(move |operations| {
            for _ in operations {
                black_box(&counter).inc();
            }
        })
    }

    fn increment_labelled(&self, labels: &'static [Labels]) -> Work {
        let family = Family::<Request, Counter>::default();
        Work::new(move |operations| {
            for at in operations {
                family.get_or_create(&Request::from(&cycle(labels, at))).inc();
            }
        })
    }

    fn set(&self) -> Work {
        let gauge = FloatGauge::default();
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&gauge).set(cycle(values, at));
            }
        })
    }

    fn observe(&self) -> Work {
        let histogram = Histogram::new(BUCKETS);
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&histogram).observe(cycle(values, at));
            }
        })
    }

    fn increment_typed(&self, labels: &'static [Typed]) -> Option<Work> {
        let family = Family::<TypedRequest, Counter>::default();
        let labels: Vec<_> = labels.iter().map(|&(m, c, ok)| (METHODS[m], CACHES[c], ok)).collect();
        Some(Work::new(move |operations| {
            for at in operations {
                let (method, cache, ok) = cycle(&labels, at);
                family.get_or_create(&TypedRequest { method, cache, ok }).inc();
            }
        }))
    }

    fn family(&self, kind: Kind) -> Box<dyn super::Family> {
        match kind {
            // It adds `_total` itself.
            Kind::Counter => {
                let name = COUNTER.trim_end_matches("_total");
                page(name, Counter::<u64>::default, |counter, value| {
                    counter.inc_by(value as u64);
                })
            }
            Kind::Gauge => page(GAUGE, FloatGauge::default, |gauge, value| {
                gauge.set(value);
            }),
            Kind::Histogram => page(
                HISTOGRAM,
                || Histogram::new(BUCKETS),
                |histogram, value| {
                    histogram.observe(value);
                },
            ),
        }
    }
}

struct Page<M> {
    registry: Registry,
    family: Family<Request, M, fn() -> M>,
    record: fn(&M, f64),
}

fn page<M>(name: &str, new: fn() -> M, record: fn(&M, f64)) -> Box<dyn super::Family>
where
    M: EncodeMetric + TypedMetric + Send + Sync + 'static,
    Family<Request, M, fn() -> M>: Metric + Clone,
{
    let family = Family::<Request, M, fn() -> M>::new_with_constructor(new);
    let mut registry = Registry::default();
    registry.register(name, HELP, family.clone());
    Box::new(Page { registry, family, record })
}

impl<M: Send + Sync> super::Family for Page<M> {
    fn record(&self, labels: &Labels, value: f64) {
        (self.record)(&self.family.get_or_create(&Request::from(labels)), value);
    }

    fn render(&self, page: &mut Vec<u8>) {
        text::encode(&mut Text(page), &self.registry).unwrap();
    }

    fn stream(&self, sink: &mut Looker) {
        text::encode(sink, &self.registry).unwrap();
    }
}

/// Bytes as the `fmt::Write` that it writes to; a `String` does the same.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

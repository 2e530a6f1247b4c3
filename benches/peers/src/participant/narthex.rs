//! narthex: borrowed lookups, and an encoder that is kept and takes families from the registry.

use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::sync::Mutex;

use narthex_core::{Child, Counter, Family, Gauge, Histogram, Metric, Registry, Summary};
use narthex_format::{Encoder, Format};
use narthex_macros::{LabelValue, Labels};

use super::{Kind, Looker, Participant, Work, cycle};
use crate::workload::{self, BUCKETS, COUNTER, GAUGE, HELP, HISTOGRAM, Typed};

pub struct Narthex;

#[derive(Labels)]
#[narthex(crate = "narthex_core")]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    status: &'a str,
}

#[derive(Clone, Copy, LabelValue)]
#[narthex(crate = "narthex_core")]
enum Method {
    Get,
    Post,
    Put,
    Delete,
    Patch,
}

#[derive(Clone, Copy, LabelValue)]
#[narthex(crate = "narthex_core")]
enum Cache {
    Hit,
    Miss,
    Stale,
    Bypass,
}

#[derive(Labels)]
#[narthex(crate = "narthex_core")]
struct TypedRequest {
    method: Method,
    cache: Cache,
    ok: bool,
}

const METHODS: [Method; 5] =
    [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch];
const CACHES: [Cache; 4] = [Cache::Hit, Cache::Miss, Cache::Stale, Cache::Bypass];

impl Participant for Narthex {
    fn name(&self) -> &'static str {
        "narthex"
    }

    fn increment(&self) -> Work {
        let counter = Counter::builder(COUNTER, HELP).register(&Registry::new()).unwrap();
        Work::new(move |operations| {
            for _ in operations {
                black_box(&counter).inc();
            }
        })
    }

    fn increment_labelled(&self, labels: &'static [workload::Labels]) -> Work {
        let builder = Family::<Counter, Request<'static>>::builder(COUNTER, HELP);
        let family = builder.register(&Registry::new()).unwrap();
        Work::new(move |operations| {
            for at in operations {
                let [method, path, status] = cycle(labels, at);
                family.with(&Request { method, path, status }).inc();
            }
        })
    }

    fn set(&self) -> Work {
        let gauge = Gauge::builder(GAUGE, HELP).register(&Registry::new()).unwrap();
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&gauge).set(cycle(values, at));
            }
        })
    }

    fn observe(&self) -> Work {
        let builder = Histogram::builder(HISTOGRAM, HELP).buckets(BUCKETS);
        let histogram = builder.register(&Registry::new()).unwrap();
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&histogram).observe(cycle(values, at));
            }
        })
    }

    fn increment_typed(&self, labels: &'static [Typed]) -> Option<Work> {
        let builder = Family::<Counter, TypedRequest>::builder(COUNTER, HELP);
        let family = builder.register(&Registry::new()).unwrap();
        let labels: Vec<_> = labels.iter().map(|&(m, c, ok)| (METHODS[m], CACHES[c], ok)).collect();
        Some(Work::new(move |operations| {
            for at in operations {
                let (method, cache, ok) = cycle(&labels, at);
                family.with(&TypedRequest { method, cache, ok }).inc();
            }
        }))
    }

    fn summarize(&self) -> Option<Work> {
        let builder = Summary::builder(HISTOGRAM, HELP);
        let objectives = [(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];
        let summary = builder.objectives(objectives).register(&Registry::new()).unwrap();
        let values = workload::values();
        Some(Work::new(move |operations| {
            for at in operations {
                black_box(&summary).observe(cycle(values, at));
            }
        }))
    }

    fn family(&self, kind: Kind) -> Box<dyn super::Family> {
        let registry = Registry::new();
        match kind {
            Kind::Counter => {
                let family = Family::builder(COUNTER, HELP).register(&registry).unwrap();
                Page::<Counter>::boxed(registry, family, |child, value| child.inc_by(value as u64))
            }
            Kind::Gauge => {
                let family = Family::builder(GAUGE, HELP).register(&registry).unwrap();
                Page::<Gauge>::boxed(registry, family, |child, value| child.set(value))
            }
            Kind::Histogram => {
                let family = Family::builder(HISTOGRAM, HELP).buckets(BUCKETS);
                let family = family.register(&registry).unwrap();
                Page::<Histogram>::boxed(registry, family, |child, value| child.observe(value))
            }
        }
    }
}

struct Page<M: Metric> {
    registry: Registry,
    family: Family<M, Request<'static>>,
    record: fn(Child<'_, M>, f64),
    /// Made by the first scrape: it belongs to whoever serves the page, not to the family.
    encoder: Mutex<Option<Box<Encoder>>>,
    protobuf: Mutex<Option<Box<Encoder>>>,
}

impl<M: Metric> Page<M> {
    fn boxed(
        registry: Registry,
        family: Family<M, Request<'static>>,
        record: fn(Child<'_, M>, f64),
    ) -> Box<dyn super::Family> {
        let (encoder, protobuf) = Default::default();
        Box::new(Self { registry, family, record, encoder, protobuf })
    }

    fn encode(&self, mut sink: impl FnMut(&[u8])) {
        let mut encoder = self.encoder.lock().unwrap();
        let encoder = encoder.get_or_insert_with(|| Box::new(Encoder::new(Format::TEXT)));
        let Ok(()) = encoder.encode(&self.registry, |chunk| {
            sink(chunk);
            Ok::<(), Infallible>(())
        });
    }
}

impl<M: Metric> super::Family for Page<M> {
    fn record(&self, &[method, path, status]: &workload::Labels, value: f64) {
        (self.record)(self.family.with(&Request { method, path, status }), value);
    }

    fn render(&self, page: &mut Vec<u8>) {
        self.encode(|chunk| page.extend_from_slice(chunk));
    }

    fn stream(&self, sink: &mut Looker) {
        self.encode(|chunk| sink.look(chunk));
    }

    fn protobuf(&self, sink: &mut dyn io::Write) -> bool {
        let mut encoder = self.protobuf.lock().unwrap();
        let encoder = encoder.get_or_insert_with(|| Box::new(Encoder::new(Format::PROTOBUF)));
        encoder.encode(&self.registry, |chunk| sink.write_all(chunk)).unwrap();
        true
    }
}

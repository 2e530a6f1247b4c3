//! `prometheus` (tikv): vectors looked up by a slice of values.

use std::hint::black_box;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    Opts, ProtobufEncoder, Registry, TextEncoder,
};

use super::{Family, Kind, Looker, Participant, Work, cycle};
use crate::workload::{self, BUCKETS, COUNTER, GAUGE, HELP, HISTOGRAM, LABEL_NAMES, Labels};

pub struct Prometheus;

impl Participant for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn increment(&self) -> Work {
        let counter = IntCounter::new(COUNTER, HELP).unwrap();
        Work::new(move |operations| {
            for _ in operations {
                black_box(&counter).inc();
            }
        })
    }

    fn increment_labelled(&self, labels: &'static [Labels]) -> Work {
        let family = IntCounterVec::new(Opts::new(COUNTER, HELP), &LABEL_NAMES).unwrap();
        Work::new(move |operations| {
            for at in operations {
                family.with_label_values(&cycle(labels, at)).inc();
            }
        })
    }

    fn set(&self) -> Work {
        let gauge = Gauge::new(GAUGE, HELP).unwrap();
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&gauge).set(cycle(values, at));
            }
        })
    }

    fn observe(&self) -> Work {
        let histogram = Histogram::with_opts(histogram_options()).unwrap();
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&histogram).observe(cycle(values, at));
            }
        })
    }

    fn family(&self, kind: Kind) -> Box<dyn Family> {
        match kind {
            Kind::Counter => {
                let family = IntCounterVec::new(Opts::new(COUNTER, HELP), &LABEL_NAMES).unwrap();
                page(family, |counter, value| counter.inc_by(value as u64))
            }
            Kind::Gauge => {
                let family = GaugeVec::new(Opts::new(GAUGE, HELP), &LABEL_NAMES).unwrap();
                page(family, |gauge, value| gauge.set(value))
            }
            Kind::Histogram => {
                let family = HistogramVec::new(histogram_options(), &LABEL_NAMES).unwrap();
                page(family, |histogram, value| histogram.observe(value))
            }
        }
    }
}

fn histogram_options() -> HistogramOpts {
    HistogramOpts::new(HISTOGRAM, HELP).buckets(BUCKETS.to_vec())
}

struct Page<B: MetricVecBuilder> {
    registry: Registry,
    family: MetricVec<B>,
    record: fn(&B::M, f64),
}

fn page<B: MetricVecBuilder + 'static>(
    family: MetricVec<B>,
    record: fn(&B::M, f64),
) -> Box<dyn Family>
where
    MetricVec<B>: Collector,
{
    let registry = Registry::new();
    registry.register(Box::new(family.clone())).unwrap();
    Box::new(Page { registry, family, record })
}

impl<B: MetricVecBuilder> Page<B> {
    fn encode(&self, sink: &mut impl std::io::Write) {
        TextEncoder::new().encode(&self.registry.gather(), sink).unwrap();
    }
}

impl<B: MetricVecBuilder> Family for Page<B> {
    fn record(&self, labels: &Labels, value: f64) {
        (self.record)(&self.family.with_label_values(labels), value);
    }

    fn render(&self, page: &mut Vec<u8>) {
        self.encode(page);
    }

    fn stream(&self, sink: &mut Looker) {
        self.encode(sink);
    }

    fn protobuf(&self, mut sink: &mut dyn std::io::Write) -> bool {
        ProtobufEncoder::new().encode(&self.registry.gather(), &mut sink).unwrap();
        true
    }
}

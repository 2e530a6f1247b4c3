//! The facade `metrics` with `metrics-exporter-prometheus`, without the macros' global recorder.

use std::hint::black_box;
use std::io;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::{Family, Kind, Looker, Participant, Work, cycle};
use crate::workload::{self, BUCKETS, COUNTER, GAUGE, HELP, HISTOGRAM, LABEL_NAMES, Labels};

pub struct Metrics;

static METADATA: Metadata<'static> = Metadata::new("peers", Level::INFO, None);

impl Participant for Metrics {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn increment(&self) -> Work {
        let counter: Counter = recorder().register_counter(&Key::from_name(COUNTER), &METADATA);
        Work::new(move |operations| {
            for _ in operations {
                black_box(&counter).increment(1);
            }
        })
    }

    fn increment_labelled(&self, labels: &'static [Labels]) -> Work {
        let recorder = recorder();
        Work::new(move |operations| {
            for at in operations {
                recorder
                    .register_counter(&key(COUNTER, &cycle(labels, at)), &METADATA)
                    .increment(1);
            }
        })
    }

    fn set(&self) -> Work {
        let gauge: Gauge = recorder().register_gauge(&Key::from_name(GAUGE), &METADATA);
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&gauge).set(cycle(values, at));
            }
        })
    }

    /// Observations are kept until a background task drains them, which is off the clock here.
    fn observe(&self) -> Work {
        let recorder = recorder();
        let handle = recorder.handle();
        let histogram: Histogram =
            recorder.register_histogram(&Key::from_name(HISTOGRAM), &METADATA);
        let values = workload::values();
        let work = Work::new(move |operations| {
            for at in operations {
                black_box(&histogram).record(cycle(values, at));
            }
        });
        work.settled_by(move || handle.run_upkeep())
    }

    /// A histogram without buckets is shown as a summary. Draining the observations is the larger
    /// part of the work, and is on the clock once for each 8192 of them.
    fn summarize(&self) -> Option<Work> {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let summary: Histogram = recorder.register_histogram(&Key::from_name(HISTOGRAM), &METADATA);
        let values = workload::values();
        Some(Work::new(move |operations| {
            for at in operations {
                black_box(&summary).record(cycle(values, at));
                if at % values.len() == 0 {
                    handle.run_upkeep();
                }
            }
        }))
    }

    fn family(&self, kind: Kind) -> Box<dyn Family> {
        let recorder = recorder();
        let record: fn(&PrometheusRecorder, &Labels, f64) = match kind {
            Kind::Counter => {
                recorder.describe_counter(COUNTER.into(), None, HELP.into());
                |recorder, labels, value| {
                    let counter = recorder.register_counter(&key(COUNTER, labels), &METADATA);
                    counter.increment(value as u64);
                }
            }
            Kind::Gauge => {
                recorder.describe_gauge(GAUGE.into(), None, HELP.into());
                |recorder, labels, value| {
                    recorder.register_gauge(&key(GAUGE, labels), &METADATA).set(value);
                }
            }
            Kind::Histogram => {
                recorder.describe_histogram(HISTOGRAM.into(), None, HELP.into());
                |recorder, labels, value| {
                    recorder.register_histogram(&key(HISTOGRAM, labels), &METADATA).record(value);
                }
            }
        };
        Box::new(Page { handle: recorder.handle(), recorder, record })
    }
}

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap().build_recorder()
}

/// What `counter!(name, "method" => method.to_string(), ...)` makes of labels that are known only
/// at run time.
fn key(name: &'static str, values: &Labels) -> Key {
    let label = |(name, value): (&'static str, &str)| Label::new(name, value.to_string());
    Key::from_parts(name, LABEL_NAMES.into_iter().zip(*values).map(label).collect::<Vec<_>>())
}

struct Page {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    record: fn(&PrometheusRecorder, &Labels, f64),
}

impl Page {
    fn encode(&self, sink: &mut impl io::Write) {
        self.handle.render_to_write(sink).unwrap();
    }
}

impl Family for Page {
    fn record(&self, labels: &Labels, value: f64) {
        (self.record)(&self.recorder, labels, value);
    }

    fn render(&self, page: &mut Vec<u8>) {
        self.encode(page);
    }

    fn stream(&self, sink: &mut Looker) {
        self.encode(sink);
    }

    fn settle(&self) {
        self.handle.run_upkeep();
    }
}

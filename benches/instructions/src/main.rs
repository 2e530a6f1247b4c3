//! The hot paths of narthex, one at a time and so many times, for instruction counts and profiles:
//! `instructions PATH TIMES`. `cargo xtask instructions` counts what each takes.

use std::convert::Infallible;
use std::hint::black_box;
use std::process::ExitCode;

use narthex_core::{
    Counter, DynamicFamily, Family, Gauge, Histogram, Instrument, Metric, Registry, Summary,
};
use narthex_format::{Encoder, Format};
use narthex_macros::{LabelValue, Labels};

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
}

#[derive(Labels)]
#[narthex(crate = "narthex_core")]
struct Typed {
    method: Method,
    cached: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, times] = &arguments[..] else { return usage() };
    let (Some((_, run)), Ok(times)) =
        (PATHS.iter().find(|(name, _)| name == path), times.parse::<usize>())
    else {
        return usage();
    };
    run(times);
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions PATH TIMES, where PATH is one of:");
    PATHS.iter().for_each(|(name, _)| eprintln!("  {name}"));
    ExitCode::from(2)
}

type Path = (&'static str, fn(usize));

const PATHS: &[Path] = &[
    ("counter_inc", counter_inc),
    ("gauge_set", gauge_set),
    ("histogram_observe", histogram_observe),
    ("summary_observe", summary_observe),
    ("labelled_inc", labelled_inc),
    ("labelled_inc_dynamic", labelled_inc_dynamic),
    ("labelled_observe", labelled_observe),
    ("typed_inc", typed_inc),
    ("series_creation", series_creation),
    ("text_counter", |times| page(Format::TEXT, counters(), times)),
    ("text_gauge", |times| page(Format::TEXT, gauges(), times)),
    ("text_histogram", |times| page(Format::TEXT, histograms(), times)),
    ("openmetrics_counter", |times| page(Format::OPEN_METRICS, counters(), times)),
    ("protobuf_counter", |times| page(Format::PROTOBUF, counters(), times)),
    ("protobuf_histogram", |times| page(Format::PROTOBUF, histograms(), times)),
];

fn counter_inc(times: usize) {
    let counter = Counter::builder("jobs_total", "Jobs.").register(&Registry::new());
    let counter = counter.expect("the name is free");
    for _ in 0..times {
        black_box(&counter).inc();
    }
}

fn gauge_set(times: usize) {
    let gauge = Gauge::builder("up", "Up.").register(&Registry::new()).expect("the name is free");
    for at in 0..times {
        black_box(&gauge).set(at as f64);
    }
}

fn histogram_observe(times: usize) {
    let histogram = Histogram::builder("query_seconds", "Time.").buckets(BUCKETS);
    let histogram = histogram.register(&Registry::new()).expect("the name is free");
    let values = values();
    for at in 0..times {
        black_box(&histogram).observe(values[at % values.len()]);
    }
}

fn summary_observe(times: usize) {
    let summary = Summary::builder("row_bytes", "Size.")
        .objectives([(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)])
        .register(&Registry::new())
        .expect("the name is free");
    let values = values();
    for at in 0..times {
        black_box(&summary).observe(values[at % values.len()]);
    }
}

/// Label sets of a busy service.
const HOT: usize = 2500;

fn labelled_inc(times: usize) {
    let (_registry, family, labels) = requests::<Counter>(HOT);
    for at in 0..times {
        let [method, path, status] = &labels[at % HOT];
        family.with(&Request { method, path, status }).inc();
    }
}

fn labelled_inc_dynamic(times: usize) {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("requests_total", "Requests.")
        .label_names(["method", "path", "status"])
        .register(&registry)
        .expect("the name is free");
    let labels = labels(HOT);
    let find = |[method, path, status]: &[String; 3]| {
        family.with(&[method, path, status]).expect("there are three labels").inc();
    };
    labels.iter().for_each(find);
    (0..times).for_each(|at| find(&labels[at % HOT]));
}

fn labelled_observe(times: usize) {
    let (_registry, family, labels) = requests::<Histogram>(HOT);
    let values = values();
    for at in 0..times {
        let [method, path, status] = &labels[at % HOT];
        family.with(&Request { method, path, status }).observe(values[at % values.len()]);
    }
}

fn typed_inc(times: usize) {
    let family: Family<Counter, Typed> = Family::builder("requests_total", "Requests.")
        .register(&Registry::new())
        .expect("the name is free");
    for at in 0..times {
        let method = if at % 2 == 0 { Method::Get } else { Method::Post };
        family.with(&Typed { method, cached: at % 4 < 2 }).inc();
    }
}

fn series_creation(times: usize) {
    // The labels are made whatever `times` is, so that they do not count.
    let labels = labels(MOST_CREATED);
    let registry = Registry::new();
    let family: Family<Counter, Request<'static>> = Family::builder("requests_total", "Requests.")
        .register(&registry)
        .expect("the name is free");
    for [method, path, status] in &labels[..times.min(MOST_CREATED)] {
        family.with(&Request { method, path, status }).inc();
    }
}

const MOST_CREATED: usize = 20_000;

/// Series on the pages.
const SERIES: usize = 1000;

fn counters() -> Registry {
    let (registry, family, labels) = requests::<Counter>(SERIES);
    for (n, [method, path, status]) in labels.iter().enumerate() {
        family.with(&Request { method, path, status }).inc_by(n as u64 * 7919 % 1_000_000);
    }
    registry
}

fn gauges() -> Registry {
    let (registry, family, labels) = requests::<Gauge>(SERIES);
    for ([method, path, status], value) in labels.iter().zip(values().iter().cycle()) {
        family.with(&Request { method, path, status }).set(*value);
    }
    registry
}

fn histograms() -> Registry {
    let (registry, family, labels) = requests::<Histogram>(SERIES);
    for ([method, path, status], value) in labels.iter().zip(values().iter().cycle()) {
        family.with(&Request { method, path, status }).observe(*value);
    }
    registry
}

/// Writes pages of `times` series, in whole pages.
fn page(format: Format, registry: Registry, times: usize) {
    let mut encoder = Encoder::new(format);
    for _ in 0..times / SERIES {
        let Ok(()) = encoder.encode(&registry, |chunk| {
            black_box(chunk);
            Ok::<(), Infallible>(())
        });
    }
}

type Requests<M> = Family<M, Request<'static>>;

/// A family with so many series, and their labels.
fn requests<M: Metric>(series: usize) -> (Registry, Requests<M>, Vec<[String; 3]>)
where
    Requests<M>: Instrument,
{
    let registry = Registry::new();
    let family: Requests<M> = Family::builder("requests_total", "Requests.")
        .register(&registry)
        .expect("the name is free");
    let labels = labels(series);
    for [method, path, status] in &labels {
        let _ = family.with(&Request { method, path, status });
    }
    (registry, family, labels)
}

/// Label sets with a path of its own for every 50.
fn labels(series: usize) -> Vec<[String; 3]> {
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH"];
    let statuses = ["200", "201", "204", "301", "400", "401", "403", "404", "500", "503"];
    let labels = |n: usize| {
        let path = format!("/api/v1/resource/{}/items", n / 50);
        [methods[n % 5].to_owned(), path, statuses[n / 5 % 10].to_owned()]
    };
    (0..series).map(labels).collect()
}

const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Numbers of 16 or 17 digits that reach all buckets.
fn values() -> [f64; 1 << 10] {
    std::array::from_fn(|at| (((at * 7919) % 1024) as f64 / 128.0 - 7.0).exp())
}

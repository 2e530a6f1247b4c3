//! Times the encoders: `cargo bench -p narthex-format --bench encode`.
//!
//! Prints the least and the median over rounds, in nanoseconds a series, of pages that are streamed
//! through one reused encoder into a sink that looks at every chunk and keeps none.

#![expect(clippy::print_stdout, reason = "the table is what it is run for")]

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use narthex_format::{Encoder, Format};
use narthex_model::{MetricFamily, Number, Scrape};

const ROUNDS: usize = 41;

fn main() {
    // `cargo test --benches` runs this too, to see that it works; then one round is enough.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    let families = [
        ("100k counters", counters(100_000)),
        ("10k counters", counters(10_000)),
        ("100k gauges of 17 digits", gauges(100_000, noisy)),
        ("100k gauges of whole numbers", gauges(100_000, whole)),
        ("100k gauges of bytes", gauges(100_000, bytes)),
        ("10k histograms of 12 buckets", histograms(10_000)),
        ("100k gauges with timestamps", stamped(100_000)),
    ];
    for format in [Format::TEXT, Format::OPEN_METRICS, Format::PROTOBUF, Format::Json] {
        println!("{format:?}");
        println!(
            "{:<44} {:>8} {:>8} {:>14}",
            "ns/series, 3 labels", "least", "median", "bytes/series"
        );
        for (what, family) in &families {
            report(what, format, family, rounds);
        }
    }
}

fn report(what: &str, format: Format, family: &MetricFamily, rounds: usize) {
    let scrape = Scrape::new(vec![family.clone()]);
    let mut encoder = Encoder::new(format);
    let mut bytes = 0;
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            bytes = 0;
            let start = Instant::now();
            let Ok(()) = encoder.encode(&scrape, |chunk| {
                bytes += black_box(chunk).len();
                Ok::<(), Infallible>(())
            });
            start.elapsed().as_nanos() as f64 / family.len() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let bytes = bytes as f64 / family.len() as f64;
    let (least, median) = (times[0], times[times.len() / 2]);
    println!("{what:<44} {least:>8.1} {median:>8.1} {bytes:>14.1}");
}

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];
const STATUSES: [&str; 10] = ["200", "201", "204", "301", "304", "400", "403", "404", "500", "503"];

/// The labels of series `n`: a few methods and statuses, and a path of its own for every 50.
fn labels(n: usize) -> [String; 3] {
    [
        METHODS[n % 5].to_owned(),
        format!("/api/v1/resource/{}/items", n / 50),
        STATUSES[n / 5 % 10].to_owned(),
    ]
}

/// Numbers without pattern, the same in every run.
fn random() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15_u64), |&x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    })
}

fn counters(series: usize) -> MetricFamily {
    let mut family = MetricFamily::counter("http_requests_total", "HTTP requests served.")
        .label_names(["method", "path", "status"]);
    for (n, x) in random().take(series).enumerate() {
        family.push(labels(n), x % 1_000_000);
    }
    family.build().expect("the labels differ")
}

fn noisy(x: u64) -> f64 {
    (x >> 11) as f64 / (1u64 << 53) as f64 * 1000.0
}

fn whole(x: u64) -> f64 {
    (x % 100_000) as f64
}

fn bytes(x: u64) -> f64 {
    (x >> 30) as f64
}

fn gauges(series: usize, value: fn(u64) -> f64) -> MetricFamily {
    let mut family = MetricFamily::gauge("http_backlog_ratio", "Backlog.")
        .label_names(["method", "path", "status"]);
    for (n, x) in random().take(series).enumerate() {
        family.push(labels(n), Number::Float(value(x)));
    }
    family.build().expect("the labels differ")
}

fn stamped(series: usize) -> MetricFamily {
    let mut family = MetricFamily::gauge("http_backlog_ratio", "Backlog.")
        .label_names(["method", "path", "status"]);
    for (n, x) in random().take(series).enumerate() {
        family.push_at(labels(n), x % 1_000_000, 1_700_000_000_000);
    }
    family.build().expect("the labels differ")
}

fn histograms(series: usize) -> MetricFamily {
    let bounds: Vec<f64> = (0..12).map(|n| 0.001 * f64::from(1 << n)).collect();
    let mut family = MetricFamily::histogram("http_request_duration_seconds", "Time.", &bounds)
        .label_names(["method", "path", "status"]);
    let mut random = random();
    for n in 0..series {
        let counts = random.by_ref().take(13).map(|x| x % 1000);
        let counts: Vec<u64> = counts.collect();
        family.push_histogram(labels(n), counts, noisy(n as u64 * 0x9e37_79b9_7f4a_7c15));
    }
    family.build().expect("the labels differ")
}

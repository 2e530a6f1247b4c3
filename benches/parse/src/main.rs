//! Times narthex's parsers beside `prometheus-parse` and `openmetrics-parser`, round by round in
//! turn, on the page of 100,000 counters, and counts what each allocates.
//!
//! `openmetrics-parser` looks through the whole family at each line: it gets a page of 2,000
//! counters, for it would take minutes for the other. That is in its favour.
//!
//! `cargo run --release --manifest-path benches/parse/Cargo.toml`
#![deny(unsafe_code)]

mod allocations;

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use narthex_format::parse::{Event, Mode, Reader, Syntax, parse};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const ROUNDS: usize = 9;
const COUNTERS: usize = 100_000;
const FEW_COUNTERS: usize = 2_000;

/// How many times as fast as the fastest peer narthex has to be.
const GATE: f64 = 5.0;

fn main() {
    let text = page(Syntax::Text, COUNTERS);
    let few_text = page(Syntax::Text, FEW_COUNTERS);
    let openmetrics = page(Syntax::OpenMetrics, COUNTERS);
    let few_openmetrics = page(Syntax::OpenMetrics, FEW_COUNTERS);
    // All of them give what the page says.
    let expected: f64 = (0..COUNTERS).map(value).sum();
    assert_eq!(read(Reader::text(text.as_bytes())), (COUNTERS, expected));
    assert_eq!(read(Reader::openmetrics(openmetrics.as_bytes())), (COUNTERS, expected));
    assert_eq!(peer_prometheus_parse(&text), (COUNTERS, expected));

    let mut rows = [
        Row::new("narthex: reader, text", COUNTERS, || {
            black_box(read(Reader::text(text.as_bytes())));
        }),
        Row::new("narthex: reader, text, every label", COUNTERS, || {
            black_box(read_labels(Reader::text(text.as_bytes())));
        }),
        Row::new("narthex: reader, OpenMetrics", COUNTERS, || {
            black_box(read(Reader::openmetrics(openmetrics.as_bytes())));
        }),
        Row::new("narthex: families, text", COUNTERS, || {
            families(Syntax::Text, &text, Mode::Strict);
        }),
        Row::new("narthex: families, OpenMetrics, lenient", COUNTERS, || {
            families(Syntax::OpenMetrics, &openmetrics, Mode::Lenient);
        }),
        Row::new("narthex: families, OpenMetrics, strict", COUNTERS, || {
            families(Syntax::OpenMetrics, &openmetrics, Mode::Strict);
        }),
        Row::new("prometheus-parse 0.2.5, text", COUNTERS, || {
            black_box(peer_prometheus_parse(&text));
        }),
        Row::new("openmetrics-parser 0.5.1, text, 2,000 counters", FEW_COUNTERS, || {
            let exposition = openmetrics_parser::prometheus::parse_prometheus(&few_text);
            black_box(exposition.expect("a good page"));
        }),
        Row::new("openmetrics-parser 0.5.1, OpenMetrics, 2,000 counters", FEW_COUNTERS, || {
            let exposition = openmetrics_parser::openmetrics::parse_openmetrics(&few_openmetrics);
            black_box(exposition.expect("a good page"));
        }),
    ];
    for round in 0..ROUNDS {
        // Every round begins with another one.
        let rows_len = rows.len();
        for at in 0..rows_len {
            rows[(round + at) % rows_len].time();
        }
    }
    report(&mut rows);
}

/// A parser on a page.
struct Row<'a> {
    name: &'static str,
    lines: usize,
    run: Box<dyn Fn() + 'a>,
    rounds: Vec<Duration>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, lines: usize, run: impl Fn() + 'a) -> Self {
        Self { name, lines, run: Box::new(run), rounds: Vec::new() }
    }

    fn time(&mut self) {
        let start = thread_time();
        (self.run)();
        self.rounds.push(thread_time() - start);
    }

    fn nanos_per_line(&mut self) -> f64 {
        self.rounds.sort();
        self.rounds[self.rounds.len() / 2].as_nanos() as f64 / self.lines as f64
    }
}

/// The clock of this thread, which stands still while another program has the core.
fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn report(rows: &mut [Row<'_>]) {
    let peers = rows.iter_mut().filter(|row| !row.name.starts_with("narthex"));
    let fastest_peer = peers.map(Row::nanos_per_line).fold(f64::INFINITY, f64::min);
    println!(
        "| parser | ns/sample | as fast as the fastest peer | allocations/sample | gate | verdict |"
    );
    println!("|---|--:|--:|--:|---|---|");
    for row in rows {
        let (nanos, lines) = (row.nanos_per_line(), row.lines as f64);
        let times = fastest_peer / nanos;
        let allocations = allocations::count(|| (row.run)()) as f64 / lines;
        let (gate, holds) = match row.name {
            name if name.starts_with("narthex: reader") => {
                // The few that there are do not depend on the page.
                let few = 16.0 / lines;
                (">= 5x, 0 allocations", times >= GATE && allocations < few)
            }
            name if name.starts_with("narthex") => (">= 5x", times >= GATE),
            _ => ("", true),
        };
        let verdict = match (gate, holds) {
            ("", _) => "",
            (_, true) => "holds",
            (_, false) => "**missed**",
        };
        println!(
            "| {} | {nanos:.1} | {times:.1}x | {allocations:.2} | {gate} | {verdict} |",
            row.name
        );
    }
}

fn page(syntax: Syntax, counters: usize) -> String {
    let name = if syntax == Syntax::Text { "http_requests_total" } else { "http_requests" };
    let mut page = format!("# HELP {name} HTTP requests served.\n# TYPE {name} counter\n");
    for n in 0..counters {
        let (path, status, value) = (n / 10, 200 + n % 10, value(n));
        let _ = writeln!(
            page,
            "http_requests_total{{method=\"get\",path=\"/api/v1/items/{path}\",status=\"{status}\"}} {value}"
        );
    }
    if syntax == Syntax::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

/// The value of a counter of the page.
fn value(n: usize) -> f64 {
    (n * 7919 % 1_000_003) as f64
}

/// The number of samples and the sum of their values.
fn read(reader: Reader<'_>) -> (usize, f64) {
    let (mut samples, mut sum) = (0, 0.0);
    for event in reader {
        if let Event::Sample(sample) = event.expect("a good page") {
            samples += 1;
            sum += sample.value().as_f64();
        }
    }
    (samples, sum)
}

fn read_labels(reader: Reader<'_>) -> usize {
    let mut bytes = 0;
    for event in reader {
        if let Event::Sample(sample) = event.expect("a good page") {
            bytes +=
                sample.labels().iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        }
    }
    bytes
}

fn families(syntax: Syntax, page: &str, mode: Mode) {
    let scrape = parse(syntax, page.as_bytes(), mode).expect("a good page");
    assert_eq!(scrape.families()[0].len(), COUNTERS);
}

fn peer_prometheus_parse(page: &str) -> (usize, f64) {
    let lines = page.lines().map(|line| Ok(line.to_owned()));
    let scrape = prometheus_parse::Scrape::parse(lines).expect("a good page");
    let values = scrape.samples.iter().map(|sample| match sample.value {
        prometheus_parse::Value::Counter(value) => value,
        _ => 0.0,
    });
    (scrape.samples.len(), values.sum())
}

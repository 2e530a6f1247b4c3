//! Times narthex's parsers beside `prometheus-parse` and `openmetrics-parser` on one page of
//! 100,000 counters, interleaved, and counts what each allocates.
//!
//! `openmetrics-parser` looks through the whole family at each line: it gets a page of 2,000 counters,
//! for it would take minutes for the other.
//!
//! `cargo run --release --manifest-path benches/parse/Cargo.toml`

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use narthex_format::parse::{Event, Mode, Reader, Syntax, parse};

/// Rounds of which the fastest counts.
const ROUNDS: usize = 7;
const COUNTERS: usize = 100_000;
const FEW_COUNTERS: usize = 2_000;

/// A parser on a page.
struct Row<'a> {
    name: &'static str,
    lines: usize,
    run: Box<dyn Fn() -> usize + 'a>,
    best: Duration,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, lines: usize, run: impl Fn() -> usize + 'a) -> Self {
        Self { name, lines, run: Box::new(run), best: Duration::MAX }
    }

    fn nanos_per_line(&self) -> f64 {
        self.best.as_nanos() as f64 / self.lines as f64
    }
}

fn main() {
    let text = page(Syntax::Text, COUNTERS);
    let few = page(Syntax::Text, FEW_COUNTERS);
    let openmetrics = page(Syntax::OpenMetrics, COUNTERS);
    println!("{COUNTERS} counters, {} bytes of text; best of {ROUNDS} rounds", text.len());
    let families = |syntax, page, mode| move || families(syntax, page, mode);
    let mut rows = [
        Row::new("reader, text", COUNTERS, || read(Reader::text(text.as_bytes()))),
        Row::new("reader, text, with labels", COUNTERS, || {
            read_labels(Reader::text(text.as_bytes()))
        }),
        Row::new("reader, OpenMetrics", COUNTERS, || {
            read(Reader::openmetrics(openmetrics.as_bytes()))
        }),
        Row::new("parse, text", COUNTERS, families(Syntax::Text, &text, Mode::Strict)),
        Row::new(
            "parse, OpenMetrics, lenient",
            COUNTERS,
            families(Syntax::OpenMetrics, &openmetrics, Mode::Lenient),
        ),
        Row::new(
            "parse, OpenMetrics, strict",
            COUNTERS,
            families(Syntax::OpenMetrics, &openmetrics, Mode::Strict),
        ),
        Row::new("peer prometheus-parse", COUNTERS, || prometheus_parse(&text)),
        Row::new("peer openmetrics-parser", FEW_COUNTERS, || openmetrics_parser(&few)),
    ];
    for _ in 0..ROUNDS {
        for row in &mut rows {
            let start = Instant::now();
            black_box((row.run)());
            row.best = start.elapsed().min(row.best);
        }
    }
    let peers = rows.iter().filter(|row| row.name.starts_with("peer"));
    let fastest_peer = peers.map(Row::nanos_per_line).fold(f64::INFINITY, f64::min);
    for row in &rows {
        ALLOCATIONS.store(0, Relaxed);
        black_box((row.run)());
        println!(
            "{:28} {:9.1} ns/line {:7.2}x the fastest peer {:9} allocations",
            row.name,
            row.nanos_per_line(),
            fastest_peer / row.nanos_per_line(),
            ALLOCATIONS.load(Relaxed)
        );
    }
}

fn page(syntax: Syntax, counters: usize) -> String {
    let name = if syntax == Syntax::Text { "http_requests_total" } else { "http_requests" };
    let mut page = format!("# HELP {name} HTTP requests served.\n# TYPE {name} counter\n");
    for n in 0..counters {
        let (path, status) = (n / 10, 200 + n % 10);
        let value = n * 7919 % 1_000_003;
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

fn read(reader: Reader<'_>) -> usize {
    let samples = reader.filter(|event| matches!(event, Ok(Event::Sample(_)))).count();
    assert_eq!(samples, COUNTERS);
    samples
}

fn read_labels(reader: Reader<'_>) -> usize {
    let mut bytes = 0;
    for event in reader {
        if let Event::Sample(sample) = event.expect("a good page") {
            bytes += sample.labels().iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        }
    }
    bytes
}

fn families(syntax: Syntax, page: &str, mode: Mode) -> usize {
    let scrape = parse(syntax, page.as_bytes(), mode).expect("a good page");
    assert_eq!(scrape.families()[0].len(), COUNTERS);
    scrape.families().len()
}

fn prometheus_parse(page: &str) -> usize {
    let lines = page.lines().map(|line| Ok(line.to_owned()));
    let scrape = prometheus_parse::Scrape::parse(lines).expect("a good page");
    assert_eq!(scrape.samples.len(), COUNTERS);
    scrape.samples.len()
}

fn openmetrics_parser(page: &str) -> usize {
    let exposition = openmetrics_parser::prometheus::parse_prometheus(page).expect("a good page");
    exposition.families.len()
}

/// Counts allocations.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

//! Threads that do everything at once, for `ThreadSanitizer` to watch: `cargo xtask tsan`.
//!
//! A program of its own and not a test, for the standard library's test harness is not built with
//! the sanitizer and shows up as a race.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use narthex_core::model::{MetricFamily, Value};
use narthex_core::{
    Collector, Counter, DynamicFamily, Gauge, GaugeHistogram, Histogram, Info, RegisterError,
    Registry, Summary, Total,
};

const THREADS: u64 = 4;
const ROUNDS: u64 = 3_000;

/// Series that threads fight over; few, so that they meet.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "a value too long to be compared in a few words"];

struct Stress {
    registry: Registry,
    counter: Counter,
    gauge: Gauge,
    histogram: Histogram,
    summary: Summary,
    total: Total,
    info: Info,
    distribution: GaugeHistogram,
    requests: DynamicFamily<Counter>,
    per_thread: DynamicFamily<Counter>,
    latencies: DynamicFamily<Histogram>,
    kept: Counter,
}

fn main() -> Result<(), RegisterError> {
    let stress = &Stress::new()?;
    let done = AtomicBool::new(false);
    let gathered = thread::scope(|scope| {
        let gatherers: Vec<_> = (0..2).map(|_| scope.spawn(|| stress.gather(&done))).collect();
        let workers: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || stress.work(thread))).collect();
        for worker in workers {
            worker.join().expect("a worker ends");
        }
        done.store(true, Relaxed);
        gatherers.into_iter().map(|gatherer| gatherer.join().expect("a gatherer ends")).sum::<u64>()
    });
    let expected = THREADS * ROUNDS;
    assert_eq!(stress.counter.value(), expected as f64);
    assert_eq!(stress.kept.value(), expected as f64);
    assert_eq!(stress.histogram.count(), expected);
    assert_eq!(stress.summary.count(), expected);
    println!("{THREADS} threads x {ROUNDS} rounds, {gathered} scrapes meanwhile: nothing lost");
    Ok(())
}

impl Stress {
    fn new() -> Result<Self, RegisterError> {
        let registry = Registry::new();
        let counters = |name| DynamicFamily::<Counter>::builder(name, "C.").label_names(["name"]);
        let requests = counters("requests_total").register(&registry)?;
        Ok(Self {
            counter: Counter::builder("counter_total", "C.").register(&registry)?,
            gauge: Gauge::builder("gauge", "G.").register(&registry)?,
            histogram: Histogram::builder("histogram", "H.").register(&registry)?,
            summary: Summary::builder("summary", "S.")
                .objectives([(0.5, 0.05), (0.99, 0.001)])
                .register(&registry)?,
            total: Total::builder("exported_total", "T.").register(&registry)?,
            info: Info::builder("build", "I.").labels([("version", "0")]).register(&registry)?,
            distribution: GaugeHistogram::builder("ages", "A.").register(&registry)?,
            kept: counters("kept_total").register(&registry)?.resolve(&["a"]).expect("one label"),
            per_thread: counters("jobs_total").per_thread().register(&registry)?,
            latencies: DynamicFamily::builder("latencies", "L.")
                .label_names(["name"])
                .series_limit(4)
                .register(&registry)?,
            requests,
            registry,
        })
    }

    /// Counts, observes and sets; makes, finds and removes series; registers and unregisters.
    fn work(&self, thread: u64) {
        for round in 0..ROUNDS {
            let name = NAMES[((round + thread) % NAMES.len() as u64) as usize];
            self.counter.inc();
            self.kept.inc();
            self.gauge.add(0.5);
            self.histogram.observe(round as f64);
            self.summary.observe(round as f64);
            self.total.set(round);
            self.distribution.set_values([1.0, 2.0, 3.0]);
            self.requests.with(&[name]).expect("one label").inc();
            self.requests.with(&[name]).expect("one label").add(0.5);
            self.per_thread.with(&[name]).expect("one label").inc();
            self.latencies.with(&[name]).expect("one label").observe(0.1);
            match round % 64 {
                1 => drop(self.requests.remove(&[name])),
                3 => drop(self.per_thread.retain(|values| values != ["a"])),
                5 => self.latencies.clear(),
                7 => drop(self.requests.scoped(&[&format!("{thread}_{round}")])),
                9 => drop(self.info.set([("version", name)])),
                11 => self.come_and_go(thread),
                // What a thread has counted is handed over when it ends.
                13 => thread::scope(|scope| {
                    scope.spawn(|| self.requests.with(&[name]).expect("one label").inc());
                }),
                _ => {}
            }
        }
    }

    fn come_and_go(&self, thread: u64) {
        let counter =
            Counter::builder(format!("thread_{thread}_total"), "T.").register(&self.registry);
        let registration = self.registry.register(Answer);
        if let (Ok(counter), Ok(registration)) = (counter, registration) {
            counter.inc_by(thread);
            self.registry.unregister(&counter);
            self.registry.unregister(&registration);
        }
    }

    fn gather(&self, done: &AtomicBool) -> u64 {
        let mut gathered = 0;
        let mut last = 0.0;
        while !done.load(Relaxed) {
            let scrape = self.registry.gather();
            let now = scrape.value("counter_total", &[]).expect("the counter is registered");
            assert!(now >= last, "a counter fell from {last} to {now}");
            last = now;
            // Reads all text and every value, as an encoder does.
            for metric in scrape.families().iter().flat_map(MetricFamily::metrics) {
                let letters: usize = metric.labels().map(|(_, value)| value.len()).sum();
                assert!(letters < 100);
                if let Value::Histogram(histogram) = metric.value() {
                    let buckets = histogram.buckets().last().map(|(_, count)| count);
                    assert_eq!(buckets, Some(histogram.count()));
                }
            }
            gathered += 1;
        }
        gathered
    }
}

/// A collector, for collectors come and go as well.
struct Answer;

impl Collector for Answer {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        families.extend(MetricFamily::gauge("answer", "A.").sample([""; 0], 42.0).build());
    }
}

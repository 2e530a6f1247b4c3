//! G13: no update is lost and no snapshot torn. T20: what a thread counted stays when it ends.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use narthex_core::model::{Scrape, Value};
use narthex_core::{Counter, DynamicFamily, Histogram, Registry};

use crate::memory::own_bytes;
use crate::report;

#[test]
fn g13_no_increment_is_lost() {
    increments(100_000);
}

#[test]
#[ignore = "long"]
fn g13_no_increment_is_lost_of_80_000_000() {
    increments(10_000_000);
}

/// 8 threads count as often as this: on a counter, on a kept series and on one looked up.
fn increments(each: u64) {
    const THREADS: u64 = 8;
    let registry = Registry::new();
    let alone = Counter::builder("alone_total", "A.").register(&registry).unwrap();
    let family = DynamicFamily::<Counter>::builder("family_total", "F.")
        .label_names(["kind"])
        .register(&registry)
        .unwrap();
    let kept = family.resolve(&["kept"]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..each {
                    alone.inc();
                    kept.inc();
                    family.with(&["looked up"]).unwrap().inc();
                }
            });
        }
    });
    let scrape = registry.gather();
    let expected = (THREADS * each) as f64;
    for (what, value) in [
        ("a counter", scrape.value("alone_total", &[])),
        ("a kept series", scrape.value("family_total", &[("kind", "kept")])),
        ("a series looked up", scrape.value("family_total", &[("kind", "looked up")])),
    ] {
        let value = value.unwrap();
        let measured = format!("{what} after {THREADS} threads x {each} increments");
        report("G13", &measured, value, format!("exactly {expected}"), value == expected);
    }
}

#[test]
fn g13_no_snapshot_is_torn() {
    snapshots(5_000);
}

#[test]
#[ignore = "long"]
fn g13_no_snapshot_of_1_000_000_is_torn() {
    snapshots(1_000_000);
}

/// 3 threads observe while so many snapshots are taken.
fn snapshots(number: u64) {
    let registry = Registry::new();
    let bounds = [0.5, 1.0, 2.0];
    let alone = Histogram::builder("alone", "A.").buckets(bounds).register(&registry).unwrap();
    let family = DynamicFamily::<Histogram>::builder("family", "F.")
        .label_names(["kind"])
        .buckets(bounds)
        .register(&registry)
        .unwrap();
    let kept = family.resolve(&["kept"]).unwrap();
    let done = AtomicBool::new(false);
    let started = Barrier::new(4);
    let mut torn = 0;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                started.wait();
                while !done.load(Relaxed) {
                    alone.observe(1.0);
                    kept.observe(1.0);
                }
            });
        }
        started.wait();
        // All of it would be over before they begin, where there are fewer cores than threads.
        while kept.count() == 0 {
            std::thread::yield_now();
        }
        let mut before = (0, 0);
        for _ in 0..number {
            let scrape = registry.gather();
            let (whole, sum) = counted(&scrape, "alone");
            // Of a series that threads share, the sum may trail by what is under way.
            let (shared, _) = counted(&scrape, "family");
            let is_whole = sum == whole as f64 && whole >= before.0 && shared >= before.1;
            torn += u64::from(!is_whole);
            before = (whole, shared);
        }
        done.store(true, Relaxed);
    });
    let (count, sum) = counted(&registry.gather(), "family");
    assert_eq!(count as f64, sum);
    let measured = format!("torn snapshots of {number} while 3 threads observed {count} values");
    report("G13", &measured, torn, 0, torn == 0);
}

/// The count and the sum of a histogram's only series, whose buckets have to agree.
fn counted(scrape: &Scrape, family: &str) -> (u64, f64) {
    let metric = scrape.family(family).and_then(|family| family.metric(0)).expect("the family");
    let Value::Histogram(histogram) = metric.value() else { panic!("not a histogram") };
    let cumulative: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
    assert!(cumulative.is_sorted(), "{cumulative:?}");
    assert_eq!(cumulative.last(), Some(&histogram.count()));
    (histogram.count(), histogram.sum())
}

#[test]
fn t20_threads_that_end_leave_their_counts_and_give_their_memory_back() {
    short_threads(5_000);
}

#[test]
#[ignore = "long"]
fn t20_100_000_threads_that_end_leave_their_counts_and_give_their_memory_back() {
    short_threads(100_000);
}

fn short_threads(threads: u64) {
    const AT_ONCE: u64 = 8;
    const INCREMENTS: u64 = 10;
    const LIMIT: u64 = 10_000_000;
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let histogram = Histogram::builder("h", "H.").register(&registry).unwrap();
    let before = own_bytes();
    for _ in 0..threads / AT_ONCE {
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    for _ in 0..INCREMENTS {
                        counter.inc();
                        histogram.observe(0.1);
                    }
                });
            }
        });
    }
    let grown = own_bytes().saturating_sub(before);
    let expected = threads * INCREMENTS;
    let measured = format!("increments kept of {threads} threads x {INCREMENTS}");
    report("T20", &measured, counter.value(), expected, counter.value() == expected as f64);
    let measured = format!("observations kept of {threads} threads x {INCREMENTS}");
    report("T20", &measured, histogram.count(), expected, histogram.count() == expected);
    let measured = format!("growth in bytes over {threads} threads");
    report("T20", &measured, grown, LIMIT, grown < LIMIT);
}

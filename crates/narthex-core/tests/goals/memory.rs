//! G14: memory depends on series, not on traffic.

use std::process;

use narthex_core::{Counter, DynamicFamily, Histogram, Registry, Summary};
use narthex_test::resident_bytes;

use crate::report;

/// Memory of this process that is in use, as the kernel sees it; nothing where it does not say.
pub(crate) fn own_bytes() -> u64 {
    resident_bytes(process::id()).unwrap_or(0)
}

#[test]
fn g14_observations_that_nobody_scrapes_cost_no_memory() {
    observations(2_000_000);
}

#[test]
#[ignore = "long"]
fn g14_50_000_000_observations_that_nobody_scrapes_cost_no_memory() {
    observations(50_000_000);
}

fn observations(number: u64) {
    let registry = Registry::new();
    let histogram = Histogram::builder("h", "H.").register(&registry).unwrap();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let family = DynamicFamily::<Histogram>::builder("f", "F.")
        .label_names(["kind"])
        .register(&registry)
        .unwrap();
    let summary = Summary::builder("s", "S.")
        .objectives([(0.5, 0.05), (0.99, 0.001)])
        .register(&registry)
        .unwrap();
    let value = |n: u64| (n % 1000) as f64 / 70.0;

    let grown = growth(number, |n| {
        histogram.observe(value(n));
        counter.inc();
        family.with(&["a"]).unwrap().observe(value(n));
    });
    let measured = format!("growth in bytes over {number} observations of histograms");
    report("G14", &measured, grown, 1 << 20, grown < 1 << 20);
    assert_eq!((histogram.count(), counter.value()), (number, number as f64));

    let grown = growth(number, |n| summary.observe(value(n)));
    let measured = format!("growth in bytes over {number} observations of a summary");
    report("G14", &measured, grown, 2 << 20, grown < 2 << 20);
    assert_eq!(summary.count(), number);
}

/// How much the process grows over so many calls, the first of which are to bring memory into use.
fn growth(number: u64, each: impl Fn(u64)) -> u64 {
    let warm_up = number / 100;
    (0..warm_up).for_each(&each);
    let before = own_bytes();
    (warm_up..number).for_each(&each);
    own_bytes().saturating_sub(before)
}

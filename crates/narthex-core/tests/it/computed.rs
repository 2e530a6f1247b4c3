//! Instruments whose value a closure gives at each gather.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use narthex_core::model::{Column, MetricType};
use narthex_core::{Counter, Gauge, Registry};

use crate::support::names;

#[test]
fn c03_the_closure_is_asked_once_a_gather() {
    let registry = Registry::builder().prefix("app").build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let asked = calls.clone();
    let depth = Gauge::from_fn("depth", "Depth.", move || (asked.fetch_add(1, Relaxed) + 1) as f64)
        .const_label("queue", "a")
        .unit("jobs")
        .register(&registry)
        .unwrap();
    assert_eq!(calls.load(Relaxed), 0);
    for n in [1.0, 2.0] {
        let scrape = registry.gather();
        assert_eq!(scrape.value("app_depth", &[("queue", "a")]), Some(n));
        assert_eq!(scrape.family("app_depth").unwrap().metric_type(), MetricType::Gauge);
    }
    let again = Gauge::from_fn("depth", "Depth.", || 0.0).const_label("queue", "a");
    assert!(again.register(&registry).unwrap_err().is_clash());
    assert!(registry.unregister(&depth) && !registry.unregister(&depth));
    registry.gather();
    assert_eq!(calls.load(Relaxed), 2);
}

#[test]
fn c03_without_a_value_the_metric_is_left_out() {
    let registry = Registry::new();
    let celsius = Arc::new(AtomicU64::new(0));
    let read = celsius.clone();
    Gauge::from_fn("celsius", "Temperature.", move || {
        Some(read.load(Relaxed)).filter(|&degrees| degrees > 0)
    })
    .register(&registry)
    .unwrap();
    assert!(registry.gather().families().is_empty());
    assert!(registry.gather().problems().is_empty());
    celsius.store(20, Relaxed);
    assert_eq!(registry.gather().value("celsius", &[]), Some(20.0));
}

#[test]
fn c03_a_panic_costs_only_its_own_metric() {
    let registry = Registry::new();
    Gauge::from_fn("broken", "Broken.", || -> f64 { panic!("no sensor") })
        .register(&registry)
        .unwrap();
    Gauge::from_fn("good", "Good.", || 1.0).register(&registry).unwrap();
    for _ in 0..10 {
        let scrape = registry.gather();
        assert_eq!(names(&scrape), ["good"]);
        let problems: Vec<_> = scrape.problems().iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["family `broken` is left out: its closure panicked: no sensor"]);
    }
}

#[test]
fn c03_totals_kept_elsewhere_are_counters() {
    let registry = Registry::new();
    Counter::from_fn("exact_total", "Exact.", || u64::MAX).register(&registry).unwrap();
    Counter::from_fn("seconds_total", "Seconds.", || 0.25).register(&registry).unwrap();
    for (name, value) in [("a_total", -1.0), ("b_total", f64::NAN), ("c_total", f64::INFINITY)] {
        Counter::from_fn(name, "Bad.", move || value).register(&registry).unwrap();
    }
    let scrape = registry.gather();
    assert_eq!(names(&scrape), ["exact_total", "narthex_refused_values_total", "seconds_total"]);
    assert_eq!(scrape.family("exact_total").unwrap().metric_type(), MetricType::Counter);
    assert!(matches!(
        scrape.family("exact_total").unwrap().values(),
        Column::Unsigned(values) if values[..] == [u64::MAX]
    ));
    assert_eq!(scrape.value("seconds_total", &[]), Some(0.25));
    assert_eq!(scrape.value("narthex_refused_values_total", &[("family", "b_total")]), Some(1.0));
}

#[test]
fn c03_numbers_of_all_kinds_keep_their_value() {
    let registry = Registry::new();
    let mut expected = Vec::new();
    macro_rules! check {
        ($($value:expr => $number:expr),* $(,)?) => { $(
            let name = format!("g{}", expected.len());
            Gauge::from_fn(&name, "G.", || $value).register(&registry).unwrap();
            expected.push((name, $number));
        )* };
    }
    check!(
        1_u8 => 1.0, 2_u16 => 2.0, 3_u32 => 3.0, 4_u64 => 4.0, 5_usize => 5.0, true => 1.0,
        -1_i8 => -1.0, -2_i16 => -2.0, -3_i32 => -3.0, -4_i64 => -4.0, 4_i64 => 4.0,
        0.5_f32 => 0.5, -0.5_f64 => -0.5, Some(Some(7_u8)) => 7.0, f64::INFINITY => f64::INFINITY,
    );
    let scrape = registry.gather();
    for (name, number) in expected {
        assert_eq!(scrape.value(&name, &[]), Some(number), "{name}");
    }
}

#[test]
fn c03_the_closure_may_use_its_own_registry() {
    let registry = Registry::new();
    let inner = registry.clone();
    Gauge::from_fn("families", "Families.", move || {
        let name = format!("made_{}_total", std::process::id());
        let made = Counter::builder(name, "Made.").register(&inner).unwrap();
        assert!(inner.unregister(&made));
        1_u64
    })
    .register(&registry)
    .unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.value("families", &[]), Some(1.0));
    assert!(scrape.problems().is_empty());
    // The closure holds the registry, which holds the closure.
    assert_eq!(registry.gather().families().len(), 1);
}

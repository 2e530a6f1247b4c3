//! Series come and go: limits, expiry, scopes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use narthex_core::{Counter, DynamicFamily, Family, Gauge, Registry};

use crate::support::Request;

#[test]
fn b32_series_are_removed_by_some_of_their_labels() {
    let requests: Family<Counter, Request<'static>> =
        Family::builder("requests_total", "R.").register(&Registry::new()).unwrap();
    for status in [200, 404, 500] {
        for path in ["/a", "/b"] {
            requests.with(&Request { path, status }).inc();
        }
    }
    assert_eq!(requests.remove_matching(&[("path", "/a"), ("status", "404")]), 1);
    assert_eq!(requests.remove_matching(&[("path", "/a")]), 2);
    assert_eq!(requests.remove_matching(&[("nothing", "/b")]), 0);
    assert_eq!(requests.len(), 3);
    assert_eq!(requests.remove_matching(&[]), 3);
}

#[test]
fn a_scoped_series_lives_as_long_as_its_scope() {
    let registry = Registry::new();
    let lag: Family<Gauge, Request<'static>> =
        Family::builder("lag", "Lag.").register(&registry).unwrap();
    let labels = Request { path: "/a", status: 200 };
    let scoped = lag.scoped(&labels);
    scoped.set(3.0);
    assert_eq!(lag.with(&labels).value(), 3.0);
    // Somebody else removes it and makes a new one, which is not this scope's.
    lag.remove(&labels);
    lag.with(&labels).set(4.0);
    drop(scoped);
    assert_eq!(lag.with(&labels).value(), 4.0);
    drop(lag.scoped(&labels));
    assert!(lag.is_empty());
}

#[test]
fn g12_a_full_family_counts_exactly_and_says_so() {
    const LIMIT: usize = 1000;
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("hits_total", "Hits.")
        .label_names(["path"])
        .series_limit(LIMIT)
        .register(&registry)
        .unwrap();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    let path = format!("/{}", next.fetch_add(1, Relaxed));
                    family.with(&[&path]).unwrap().inc();
                }
            });
        }
    });
    let scrape = registry.gather();
    let hits = scrape.family("hits_total").unwrap();
    assert_eq!(hits.len(), LIMIT + 1);
    let total: f64 = hits.metrics().filter_map(|metric| metric.number()).sum();
    assert_eq!(total, 40_000.0);
    let rest = (40_000 - LIMIT) as f64;
    assert_eq!(scrape.value("hits_total", &[("path", "overflow")]), Some(rest));
    let told = scrape.value("narthex_series_overflow_total", &[("family", "hits_total")]);
    assert_eq!(told, Some(rest));
}

#[test]
fn long_label_values_go_to_the_overflow_series() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("hits_total", "Hits.")
        .label_names(["path"])
        .label_value_limit(10)
        .register(&registry)
        .unwrap();
    family.with(&["/short"]).unwrap().inc();
    family.with(&["/much too long"]).unwrap().inc();
    family.with(&["/also too long"]).unwrap().inc();
    let scrape = registry.gather();
    assert_eq!(scrape.value("hits_total", &[("path", "overflow")]), Some(2.0));
    assert_eq!(scrape.value("hits_total", &[("path", "/short")]), Some(1.0));
}

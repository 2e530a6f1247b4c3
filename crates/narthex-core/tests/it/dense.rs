//! Families whose label sets are few and found by their number, and those that count per thread.

use std::time::Duration;

use narthex_core::{Counter, DynamicFamily, Family, Gauge, Histogram, Registry};

use crate::support::{Kind, Switch};

const KINDS: [Kind; 4] = [Kind::A, Kind::B, Kind::C, Kind::D];

fn switches(registry: &Registry) -> Family<Counter, Switch> {
    Family::builder("switches_total", "Switches.").register(registry).unwrap()
}

#[test]
fn series_exist_once_they_are_looked_up() {
    let registry = Registry::new();
    let family = switches(&registry);
    assert!(family.is_empty());
    family.with(&Switch { kind: Kind::B, on: true });
    let scrape = registry.gather();
    assert_eq!(scrape.family("switches_total").unwrap().len(), 1);
    let labels = [("kind", "b"), ("on", "true")];
    assert_eq!(scrape.value("switches_total", &labels), Some(0.0));
}

#[test]
fn every_set_counts_for_itself_on_every_thread() {
    let registry = Registry::new();
    let family = switches(&registry);
    let handle = family.resolve(&Switch { kind: Kind::A, on: false });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..10_000 {
                    handle.inc();
                    for (k, kind) in KINDS.into_iter().enumerate() {
                        family.with(&Switch { kind, on: n % 2 == 0 }).inc_by(k as u64 + 1);
                    }
                }
            });
        }
    });
    for (k, kind) in KINDS.into_iter().enumerate() {
        for on in [false, true] {
            let base = if k == 0 && !on { 40_000 } else { 0 };
            let expected = (base + 20_000 * (k + 1)) as f64;
            assert_eq!(family.with(&Switch { kind, on }).value(), expected, "{kind:?} {on}");
            let text = ["a", "b", "c", "d"][k];
            let labels = [("kind", text), ("on", if on { "true" } else { "false" })];
            assert_eq!(registry.gather().value("switches_total", &labels), Some(expected));
        }
    }
    assert_eq!(handle.value(), 60_000.0);
}

#[test]
fn a_removed_set_starts_afresh_and_old_handles_count_into_the_void() {
    let registry = Registry::new();
    let family = switches(&registry);
    let labels = Switch { kind: Kind::C, on: true };
    let old = family.resolve(&labels);
    old.inc_by(5);
    old.add(0.5);
    assert_eq!(family.with(&labels).value(), 5.5);
    assert!(family.remove(&labels) && !family.remove(&labels));
    assert!(family.is_empty());
    old.inc();
    old.add(0.5);
    assert_eq!(old.value(), 0.0);
    family.with(&labels).inc();
    assert_eq!(family.with(&labels).value(), 1.0);
    assert_eq!(family.remove_matching(&[("kind", "c")]), 1);
    family.with(&labels).add(2.25);
    assert_eq!(family.with(&labels).value(), 2.25);
    family.clear();
    assert!(registry.gather().family("switches_total").unwrap().is_empty());
}

#[test]
fn gauges_and_histograms_are_found_by_number_too() {
    let registry = Registry::new();
    let gauges: Family<Gauge, Switch> = Family::builder("g", "G.").register(&registry).unwrap();
    let times: Family<Histogram, Switch> =
        Family::builder("h", "H.").buckets([1.0]).register(&registry).unwrap();
    for (k, kind) in KINDS.into_iter().enumerate() {
        for _ in 0..2 {
            gauges.with(&Switch { kind, on: true }).add(k as f64);
            times.with(&Switch { kind, on: true }).observe(k as f64);
        }
    }
    assert_eq!(gauges.with(&Switch { kind: Kind::D, on: true }).value(), 6.0);
    let child = times.with(&Switch { kind: Kind::D, on: true });
    assert_eq!((child.count(), child.sum(), times.len()), (2, 6.0, 4));
}

#[test]
fn limits_and_expiry_hold_for_them() {
    let registry = Registry::new();
    let family: Family<Counter, Switch> = Family::builder("c_total", "C.")
        .series_limit(2)
        .expire_after(Duration::from_secs(3600))
        .register(&registry)
        .unwrap();
    for _ in 0..3 {
        for kind in KINDS {
            family.with(&Switch { kind, on: false }).inc();
        }
    }
    let scrape = registry.gather();
    assert_eq!(scrape.family("c_total").unwrap().len(), 3);
    let overflow = [("kind", "overflow"), ("on", "overflow")];
    assert_eq!(scrape.value("c_total", &overflow), Some(6.0));
}

#[test]
fn series_count_the_same_in_cells_and_beyond_them() {
    let registry = Registry::new();
    let builder = DynamicFamily::<Counter>::builder("c_total", "C.").label_names(["l"]);
    let family = builder.register(&registry).unwrap();
    let labels: Vec<_> = (0..6000).map(|n| n.to_string()).collect();
    let handles: Vec<_> = labels.iter().map(|label| family.resolve(&[label]).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for ((label, handle), n) in labels.iter().zip(&handles).zip(1..) {
                    family.with(&[label]).unwrap().inc();
                    family.with(&[label]).unwrap().inc_by(n);
                    handle.inc();
                    handle.add(0.5);
                }
            });
        }
    });
    family.retain(|values| !values[0].ends_with('3'));
    let scrape = registry.gather();
    assert_eq!(scrape.family("c_total").unwrap().len(), 5400);
    for ((label, handle), n) in labels.iter().zip(&handles).zip(1_u32..).step_by(7) {
        let expected = (!label.ends_with('3')).then(|| f64::from(3 * (n + 2)) + 1.5);
        assert_eq!(scrape.value("c_total", &[("l", label)]), expected, "{label}");
        assert_eq!(handle.value(), expected.unwrap_or(0.0), "{label}");
        handle.inc();
        let value = family.with(&[label]).unwrap().value();
        assert_eq!(value, expected.map_or(0.0, |total| total + 1.0), "{label}");
    }
}

#[test]
fn a_family_may_count_per_thread() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("c_total", "C.")
        .label_names(["l"])
        .per_thread()
        .register(&registry)
        .unwrap();
    let handle = family.resolve(&["0"]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..10_000 {
                    family.with(&[&(n % 100).to_string()]).unwrap().inc();
                    handle.inc();
                }
            });
        }
    });
    let scrape = registry.gather();
    assert_eq!(scrape.value("c_total", &[("l", "0")]), Some(40_400.0));
    assert_eq!(scrape.value("c_total", &[("l", "99")]), Some(400.0));
    assert_eq!(handle.value(), 40_400.0);
    family.with(&["0"]).unwrap().inc_by(u64::MAX);
    assert_eq!(handle.value(), u64::MAX as f64, "it stays at the end");
}

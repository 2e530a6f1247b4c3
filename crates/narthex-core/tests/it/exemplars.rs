//! Exemplars, and since when series count.

use std::time::{SystemTime, UNIX_EPOCH};

use narthex_core::model::{Exemplar, Scrape};
use narthex_core::{Counter, DynamicFamily, Family, Histogram, Registry, Summary};

use crate::support::{Kind, Request, Switch};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The bucket, the first label's value and the value of each exemplar of a series.
fn shown(scrape: &Scrape, family: &str, row: usize) -> Vec<(usize, String, f64)> {
    let metric = scrape.family(family).unwrap().metric(row).unwrap();
    let exemplar = |(bucket, exemplar): (usize, &Exemplar)| {
        assert!((now() - exemplar.timestamp().unwrap()).abs() < 600_000);
        let label = exemplar.labels().first().map_or("", |label| &*label.value);
        (bucket, label.to_owned(), exemplar.value())
    };
    metric.exemplars().map(exemplar).collect()
}

fn is(bucket: usize, label: &str, value: f64) -> (usize, String, f64) {
    (bucket, label.to_owned(), value)
}

#[test]
fn b32_a_counter_keeps_its_latest_exemplar() {
    let registry = Registry::new();
    let alone = Counter::builder("alone_total", "A.").register(&registry).unwrap();
    let family: Family<Counter, Request<'static>> =
        Family::builder("family_total", "F.").register(&registry).unwrap();
    let dense: Family<Counter, Switch> =
        Family::builder("dense_total", "D.").register(&registry).unwrap();
    let other = Request { path: "/", status: 200 };
    let labels = Request { path: "/", status: 500 };
    family.with(&other).inc();
    let kept = family.resolve(&labels);
    let switch = Switch { kind: Kind::B, on: true };
    for id in ["first", "second"] {
        alone.inc_by_with_exemplar(3, [("trace_id", id)]);
        kept.inc_with_exemplar([("trace_id", id)]);
        dense.with(&switch).inc_with_exemplar([("trace_id".to_owned(), id)]);
    }
    family.with(&labels).inc_by_with_exemplar(5, [("trace_id", "third")]);
    let scrape = registry.gather();
    assert_eq!(shown(&scrape, "alone_total", 0), [is(0, "second", 3.0)]);
    assert_eq!(shown(&scrape, "family_total", 0), []);
    assert_eq!(shown(&scrape, "family_total", 1), [is(0, "third", 5.0)]);
    assert_eq!(shown(&scrape, "dense_total", 0), [is(0, "second", 1.0)]);
    assert_eq!((alone.value(), kept.value(), dense.with(&switch).value()), (6.0, 7.0, 2.0));
}

#[test]
fn b32_each_bucket_of_a_histogram_keeps_its_latest_exemplar() {
    let registry = Registry::new();
    let alone = Histogram::builder("alone", "A.").buckets([1.0, 10.0]);
    let both = Histogram::builder("both", "B.").buckets([1.0, 10.0]).native(1.1);
    let (alone, both) = (alone.register(&registry).unwrap(), both.register(&registry).unwrap());
    let family = DynamicFamily::<Histogram>::builder("family", "F.").label_names(["l"]);
    let family = family.buckets([1.0, 10.0]).register(&registry).unwrap();
    let kept = family.resolve(&["v"]).unwrap();
    for (id, value) in [("a", 0.5), ("b", 100.0), ("c", 1.0)] {
        alone.observe_with_exemplar(value, [("trace_id", id)]);
        both.observe_with_exemplar(value, [("trace_id", id)]);
        kept.observe_with_exemplar(value, [("trace_id", id)]);
        family.with(&["w"]).unwrap().observe_with_exemplar(value, [("trace_id", id)]);
    }
    let scrape = registry.gather();
    for (name, row) in [("alone", 0), ("both", 0), ("family", 0), ("family", 1)] {
        assert_eq!(shown(&scrape, name, row), [is(0, "c", 1.0), is(2, "b", 100.0)], "{name}");
    }
}

#[test]
fn a_native_histogram_keeps_the_last_ten() {
    let registry = Registry::new();
    let histogram = Histogram::builder("h", "H.").native(1.1).register(&registry).unwrap();
    for n in 0..25 {
        histogram.observe_with_exemplar(f64::from(n), [("n", n.to_string())]);
    }
    assert_eq!(shown(&registry.gather(), "h", 0).len(), 10);
}

#[test]
fn a_bad_exemplar_is_refused_but_what_it_is_of_counts() {
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let histogram = Histogram::builder("h", "H.").register(&registry).unwrap();
    let family = DynamicFamily::<Histogram>::builder("f", "F.").label_names(["l"]).native(2.0);
    let series = family.register(&registry).unwrap().resolve(&["v"]).unwrap();
    let long = "x".repeat(130);
    counter.inc_with_exemplar([("trace_id", &long)]);
    counter.inc_with_exemplar([("a", "1"), ("a", "2")]);
    histogram.observe_with_exemplar(1.0, [("", "no name")]);
    // The observation is refused already.
    histogram.observe_with_exemplar(f64::NAN, [("a", "1")]);
    series.observe_with_exemplar(1.0, [("trace_id", &long)]);
    assert_eq!((counter.value(), histogram.count(), series.count()), (2.0, 1, 1));
    let scrape = registry.gather();
    for (name, refused) in [("c_total", 2.0), ("h", 2.0), ("f", 1.0)] {
        let labels = [("family", name)];
        assert_eq!(scrape.value("narthex_refused_values_total", &labels), Some(refused), "{name}");
        assert!(scrape.family(name).unwrap().exemplars().is_none());
    }
}

#[test]
fn a_removed_series_takes_its_exemplar_along() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("c_total", "C.").label_names(["l"]);
    let family = family.register(&registry).unwrap();
    let gone = family.resolve(&["a"]).unwrap();
    gone.inc_with_exemplar([("trace_id", "x")]);
    family.with(&["b"]).unwrap().inc();
    family.clear();
    gone.inc_with_exemplar([("trace_id", "y")]);
    family.with(&["a"]).unwrap().inc();
    let scrape = registry.gather();
    assert!(scrape.family("c_total").unwrap().exemplars().is_none());
    assert_eq!(scrape.value("c_total", &[("l", "a")]), Some(1.0));
}

#[test]
fn b29_it_is_shown_on_request_since_when_series_count() {
    let registry = Registry::new();
    let before = now();
    Counter::builder("plain_total", "P.").register(&registry).unwrap().inc();
    Counter::builder("c_total", "C.").created().register(&registry).unwrap();
    Histogram::builder("h", "H.").created().register(&registry).unwrap();
    Histogram::builder("n", "N.").native(1.1).created().register(&registry).unwrap();
    Summary::builder("s", "S.").created().register(&registry).unwrap();
    let family = DynamicFamily::<Counter>::builder("f_total", "F.").label_names(["l"]).created();
    let family = family.register(&registry).unwrap();
    let natives = DynamicFamily::<Histogram>::builder("fn", "F.").label_names(["l"]).created();
    let natives = natives.native(1.1).register(&registry).unwrap();
    for value in ["a", "b", "c"] {
        family.with(&[value]).unwrap().inc();
        natives.with(&[value]).unwrap().observe(1.0);
    }
    let after = now();
    let scrape = registry.gather();
    assert!(scrape.family("plain_total").unwrap().created().is_none());
    for (name, len) in [("c_total", 1), ("h", 1), ("n", 1), ("s", 1), ("f_total", 3), ("fn", 3)] {
        let created = scrape.family(name).unwrap().created().unwrap();
        assert_eq!(created.len(), len, "{name}");
        assert!(created.iter().all(|at| (before..=after).contains(&at.unwrap())), "{name}");
    }
}

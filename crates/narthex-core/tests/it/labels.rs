//! Families: which series there are, and how they come and go.

use std::collections::HashSet;

use narthex_core::model::MetricFamily;
use narthex_core::{
    Counter, DynamicFamily, Family, Gauge, LabelValue, LabelVisitor, Labels, Registry,
};

use crate::support::Request;

fn family(registry: &Registry) -> Family<Counter, Request<'static>> {
    Family::builder("requests_total", "Requests.").register(registry).unwrap()
}

#[test]
fn lookups_borrow_their_labels() {
    let registry = Registry::new();
    let requests = family(&registry);
    for n in 0..3 {
        let path = format!("/{n}");
        requests.with(&Request { path: &path, status: 200 }).inc_by(n);
    }
    let labels = [("status", "200"), ("path", "/2")];
    assert_eq!(registry.gather().value("requests_total", &labels), Some(2.0));
}

#[test]
fn a05_label_values_are_text_and_make_one_series() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("c_total", "C.")
        .label_names(["d"])
        .register(&registry)
        .unwrap();
    family.with(&["1"]).unwrap().inc();
    family.with(&[1_u8.text().as_ref()]).unwrap().inc();
    assert_eq!(registry.gather().value("c_total", &[("d", "1")]), Some(2.0));
    assert_eq!(family.len(), 1);
}

/// A level whose two highest numbers have one name.
struct Level(usize);

impl Labels for Level {
    type Borrowed<'a> = Level;
    const NAMES: &'static [&'static str] = &["level"];
    const CARDINALITY: Option<usize> = Some(3);

    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.values([["low", "high", "high"][self.0]])
    }

    fn index(&self) -> usize {
        self.0
    }
}

#[test]
fn a05_values_of_a_type_that_look_the_same_make_one_series() {
    let registry = Registry::new();
    let family: Family<Counter, Level> =
        Family::builder("c_total", "C.").register(&registry).unwrap();
    let shown = || registry.gather().value("c_total", &[("level", "high")]);
    for level in [1, 2] {
        family.with(&Level(level)).inc();
    }
    assert_eq!((family.len(), shown()), (1, Some(2.0)));

    assert!(family.remove(&Level(1)));
    assert!(!family.remove(&Level(2)));
    for level in [2, 1] {
        family.with(&Level(level)).inc();
    }
    assert_eq!((family.len(), shown()), (1, Some(2.0)));
}

#[test]
fn a06_names_are_given_once_and_values_in_their_order() {
    let registry = Registry::new();
    let family = DynamicFamily::<Gauge>::builder("g", "G.")
        .label_names(["zone", "app", "host"])
        .register(&registry)
        .unwrap();
    family.with(&["z", "a", "h"]).unwrap().set(1.0);
    let labels = [("app", "a"), ("host", "h"), ("zone", "z")];
    assert_eq!(registry.gather().value("g", &labels), Some(1.0));
    let shown: Vec<_> = {
        let scrape = registry.gather();
        let metric = scrape.family("g").unwrap().metric(0).unwrap();
        metric.labels().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(shown, ["app", "host", "zone"], "pages show labels sorted");
    assert_eq!(
        family.with(&["z"]).unwrap_err().to_string(),
        "the family has 3 labels (`zone`, `app`, `host`), but 1 value was given"
    );
    assert!(family.remove(&["z", "a", "h"]).unwrap());
    assert!(family.is_empty());
}

#[test]
fn a08_series_can_be_removed() {
    let registry = Registry::new();
    let requests = family(&registry);
    for status in [200, 404, 500] {
        for path in ["/a", "/b"] {
            requests.with(&Request { path, status }).inc();
        }
    }
    assert!(requests.remove(&Request { path: "/a", status: 404 }));
    assert!(!requests.remove(&Request { path: "/a", status: 404 }));
    assert_eq!(requests.len(), 5);
    requests.retain(|values| values[1] != "500");
    assert_eq!(requests.len(), 3);
    let shown = registry.gather();
    assert_eq!(shown.family("requests_total").unwrap().len(), 3);
    requests.clear();
    assert!(requests.is_empty());
    let empty = registry.gather();
    assert!(empty.family("requests_total").is_some_and(MetricFamily::is_empty));
    requests.with(&Request { path: "/a", status: 200 }).inc();
    assert_eq!(requests.with(&Request { path: "/a", status: 200 }).value(), 1.0, "starts afresh");
}

#[test]
fn a_handle_of_a_removed_series_counts_into_the_void() {
    let registry = Registry::new();
    let requests = family(&registry);
    let labels = Request { path: "/a", status: 200 };
    let old = requests.resolve(&labels);
    old.inc();
    requests.remove(&labels);
    old.inc();
    old.add(0.5);
    let new = requests.resolve(&labels);
    new.inc();
    assert_eq!(new.value(), 1.0);
    assert_eq!(registry.gather().family("requests_total").unwrap().len(), 1);
}

#[test]
fn a_scrape_keeps_the_labels_it_was_taken_with() {
    let registry = Registry::new();
    let requests = family(&registry);
    requests.with(&Request { path: "/gone", status: 200 }).inc();
    let scrape = registry.gather();
    requests.clear();
    for n in 0..100 {
        requests.with(&Request { path: &n.to_string(), status: 200 }).inc();
    }
    let labels = [("path", "/gone"), ("status", "200")];
    assert_eq!(scrape.value("requests_total", &labels), Some(1.0));
}

#[test]
fn an_empty_value_is_an_absent_label() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("c_total", "C.")
        .label_names(["a", "b"])
        .register(&registry)
        .unwrap();
    family.with(&["", "x"]).unwrap().inc();
    assert_eq!(registry.gather().value("c_total", &[("b", "x")]), Some(1.0));
}

#[test]
fn hostile_values_make_exactly_as_many_series_as_there_are() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("c_total", "C.")
        .label_names(["a", "b"])
        .register(&registry)
        .unwrap();
    let pieces = ["", "a", "b", "ab", "\"", "\\", "\n", "}", ",", "=\"", "\0", "é", "\u{2028}"];
    let mut tuples = HashSet::new();
    for x in pieces {
        for y in pieces {
            for z in pieces {
                let (a, b) = (format!("{x}{y}"), z.repeat(20));
                family.with(&[&a, &b]).unwrap().inc();
                tuples.insert((a, b));
            }
        }
    }
    assert_eq!(family.len(), tuples.len());
    let scrape = registry.gather();
    let mut shown = HashSet::new();
    for metric in scrape.family("c_total").unwrap().metrics() {
        let value = |name| metric.label(name).unwrap_or_default().into_owned();
        shown.insert((value("a"), value("b")));
    }
    assert_eq!(shown, tuples);
}

#[test]
fn every_number_of_labels_up_to_16_works() {
    for count in 0..=16 {
        let registry = Registry::new();
        let names: Vec<_> = (0..count).map(|n| format!("l{n}")).collect();
        let values: Vec<_> = (0..count).map(|n| format!("value {n}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let family = DynamicFamily::<Counter>::builder("c_total", "C.").label_names(names.clone());
        let family = family.register(&registry).unwrap();
        family.with(&values).unwrap().inc();
        family.with(&values).unwrap().inc();
        let labels: Vec<_> = names.iter().map(String::as_str).zip(values).collect();
        assert_eq!(registry.gather().value("c_total", &labels), Some(2.0), "{count} labels");
    }
    let names: Vec<_> = (0..17).map(|n| format!("l{n}")).collect();
    let family = DynamicFamily::<Counter>::builder("c_total", "C.").label_names(names);
    assert_eq!(
        family.register(&Registry::new()).unwrap_err().to_string(),
        "cannot register `c_total`: it has 17 labels, and 16 is the most a family can have"
    );
}

//! What upstream calls labels and their precedence.

use narthex_core::model::{LabelName, Metadata, MetricFamily};
use narthex_core::{Collector, Counter, DynamicFamily, Gauge, Histogram, LabelError, Registry};

use crate::support::names;

#[test]
fn b32_series_are_looked_up_by_position_or_by_name() {
    let registry = Registry::new();
    let rows = DynamicFamily::<Counter>::builder("rows_total", "Rows.")
        .label_names(["table", "db"])
        .register(&registry)
        .unwrap();
    let given: Vec<_> = rows.label_names().into_iter().map(LabelName::as_str).collect();
    assert_eq!(given, ["table", "db"]);
    rows.with(&["users", "main"]).unwrap().inc();
    rows.with_labels([("db", "main"), ("table", "users")]).unwrap().inc();
    let map = std::collections::HashMap::from([
        ("table".to_owned(), "users".to_owned()),
        ("db".to_owned(), "main".to_owned()),
    ]);
    rows.resolve_labels(&map).unwrap().inc();
    let labels = [("db", "main"), ("table", "users")];
    assert_eq!(registry.gather().value("rows_total", &labels), Some(3.0));

    let fails = |labels: &[(&'static str, &str)]| -> (String, LabelError) {
        let error = rows.with_labels(labels.to_vec()).unwrap_err();
        (error.to_string(), error)
    };
    let (message, error) = fails(&[("db", "main")]);
    assert_eq!((&*message, error.label()), ("label `table` is missing", Some("table")));
    let (message, error) = fails(&[("db", "main"), ("table", "x"), ("schema", "y")]);
    assert_eq!(message, "there is no label `schema`: the labels are `table`, `db`");
    assert_eq!(error.label(), Some("schema"));
    let (message, error) = fails(&[("db", "main"), ("db", "main")]);
    assert_eq!((&*message, error.label()), ("label `db` is given twice", Some("db")));
    let bare = DynamicFamily::<Counter>::builder("bare_total", "Bare.").register(&registry);
    assert_eq!(
        bare.unwrap().with_labels([("a", "b")]).unwrap_err().to_string(),
        "there is no label `a`: there are no labels"
    );
    assert_eq!(rows.len(), 1, "a failed lookup makes no series");
}

#[test]
fn b32_a_counter_starts_anew_when_its_series_does() {
    let registry = Registry::new();
    let rows = DynamicFamily::<Counter>::builder("rows_total", "Rows.")
        .label_names(["db"])
        .register(&registry)
        .unwrap();
    rows.with(&["main"]).unwrap().inc_by(7);
    assert!(rows.remove(&["main"]).unwrap());
    rows.with(&["main"]).unwrap().inc();
    assert_eq!(registry.gather().value("rows_total", &[("db", "main")]), Some(1.0));
}

#[test]
fn c01_label_names_and_values_are_checked_and_sorted() {
    let registry = Registry::new();
    let gauge = |name: &str, value: &str| {
        Gauge::builder(format!("g{}", registry.gather().families().len()), "G.")
            .const_label("m", "1")
            .const_label(name, value)
            .register(&registry)
    };
    for good in ["_a", "job", "a1"] {
        gauge(good, "x").unwrap();
    }
    for (bad, reason) in [
        ("1a", "it starts with a digit"),
        ("a:b", "`:` at byte 1 is not a letter, digit or `_`"),
        ("a b", "` ` at byte 1 is not a letter, digit or `_`"),
        ("", "it is empty"),
        ("__x", "the prefix `__` is reserved for the Prometheus server"),
    ] {
        let error = gauge(bad, "x").unwrap_err().to_string();
        assert_eq!(
            error,
            format!("cannot register `g3`: `{bad}` is not a valid label name: {reason}")
        );
    }
    let labels = |scrape: &narthex_core::model::Scrape, family: &str| -> Vec<String> {
        let metric = scrape.family(family).unwrap().metric(0).unwrap();
        metric.labels().map(|(name, value)| format!("{name}={value}")).collect()
    };
    let scrape = registry.gather();
    assert_eq!(labels(&scrape, "g0"), ["_a=x", "m=1"], "sorted by name");
    assert_eq!(labels(&scrape, "g1"), ["job=x", "m=1"]);
    // An empty value is an absent label, as Prometheus has it.
    let family = DynamicFamily::<Gauge>::builder("f", "F.").label_names(["b", "a"]);
    let family = family.register(&registry).unwrap();
    family.with(&["\"\\\n", ""]).unwrap().set(1.0);
    assert_eq!(labels(&registry.gather(), "f"), ["b=\"\\\n"]);
}

#[test]
fn c02_types_values_and_names_are_checked() {
    let registry = Registry::new();
    assert_eq!(
        Gauge::builder("test metric", "T.").register(&registry).unwrap_err().to_string(),
        "cannot register `test metric`: `test metric` is not a valid metric name: ` ` at byte 4 is \
         not a letter, digit, `_` or `:`"
    );
    assert_eq!(
        Gauge::builder("123test", "T.").register(&registry).unwrap_err().to_string(),
        "cannot register `123test`: `123test` is not a valid metric name: it starts with a digit"
    );
    let gauge = Gauge::builder("test", "T.").register(&registry).unwrap();
    assert_eq!(registry.gather().value("test", &[]), Some(0.0));
    gauge.set(f64::from(u8::from(true)));
    assert_eq!(registry.gather().value("test", &[]), Some(1.0));
    Histogram::builder("h", "H.").register(&registry).unwrap();
    assert_eq!(names(&registry.gather()), ["h", "test"]);
}

/// A collector that gives two families of one name.
struct Halves;

impl Collector for Halves {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        for disk in ["sda", "sdb"] {
            let family = MetricFamily::gauge("disk_free_bytes", "Free.").label_names(["disk"]);
            families.push(family.sample([disk], 1.0).build().unwrap());
        }
    }
}

#[test]
fn c04_series_of_one_name_are_one_family() {
    let registry = Registry::new();
    registry.register(Halves).unwrap();
    let scrape = registry.gather();
    assert_eq!(names(&scrape), ["disk_free_bytes"]);
    assert_eq!(scrape.family("disk_free_bytes").unwrap().len(), 2);
}

#[test]
fn c05_a_filter_is_exact_and_all_of_it_must_hold() {
    let registry = Registry::builder().const_label("site", "north").build().unwrap();
    let family = DynamicFamily::<Gauge>::builder("f", "F.").label_names(["a", "b"]);
    let family = family.register(&registry).unwrap();
    family.with(&["1", "2"]).unwrap().set(12.0);
    family.with(&["1", "3"]).unwrap().set(13.0);
    family.with(&["1", ""]).unwrap().set(10.0);
    Gauge::builder("bare", "B.").register(&registry).unwrap();
    let found = |labels: &[(&str, &str)]| -> Vec<f64> {
        let scrape = registry.gather().filter(|metric| metric.matches(labels));
        scrape.families().iter().flat_map(|f| f.metrics().filter_map(|m| m.number())).collect()
    };
    assert_eq!(found(&[]), [0.0, 12.0, 13.0, 10.0], "no filter, everything");
    assert_eq!(found(&[("a", "1")]), [12.0, 13.0, 10.0]);
    assert_eq!(found(&[("a", "1"), ("b", "3")]), [13.0]);
    assert_eq!(found(&[("a", "1"), ("b", "")]), [10.0]);
    assert_eq!(found(&[("site", "north"), ("b", "2")]), [12.0]);
    assert_eq!(found(&[("a", "1"), ("a", "2")]), [0.0; 0]);
    assert_eq!(found(&[("a", "11")]), [0.0; 0]);
    assert_eq!(found(&[("x", "1")]), [0.0; 0]);
    assert!(registry.gather().filter(|metric| metric.matches(&[("x", "1")])).families().is_empty());
}

#[test]
fn c08_labels_of_a_metric_override_default_ones() {
    struct Lamp;
    impl Collector for Lamp {
        fn describe(&self) -> Vec<Metadata> {
            Vec::new()
        }
        fn collect(&self, families: &mut Vec<MetricFamily>) {
            let lamp = |name: &str| MetricFamily::gauge(name, "L.");
            families.extend(lamp("lamp").label_names(["room"]).sample(["attic"], 1.0).build());
            families.extend(lamp("plain").sample([""; 0], 1.0).build());
        }
    }
    let registry = Registry::builder()
        .default_label("room", "cellar")
        .default_label("site", "north")
        .build()
        .unwrap();
    Gauge::builder("own", "O.").const_label("room", "attic").register(&registry).unwrap();
    Gauge::builder("other", "O.").register(&registry).unwrap();
    let family = DynamicFamily::<Gauge>::builder("f", "F.").label_names(["room"]);
    family.register(&registry).unwrap().with(&["hall"]).unwrap().set(1.0);
    registry.register(Lamp).unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.value("own", &[("room", "attic"), ("site", "north")]), Some(0.0));
    assert_eq!(scrape.value("other", &[("room", "cellar"), ("site", "north")]), Some(0.0));
    assert_eq!(scrape.value("f", &[("room", "hall"), ("site", "north")]), Some(1.0));
    assert_eq!(scrape.value("lamp", &[("room", "attic"), ("site", "north")]), Some(1.0));
    assert_eq!(scrape.value("plain", &[("room", "cellar"), ("site", "north")]), Some(1.0));
    assert!(scrape.problems().is_empty());
}

#[test]
fn c08_an_inner_handle_overrides_the_defaults_of_the_outer_one() {
    let outer = Registry::builder().default_label("room", "cellar").build().unwrap();
    let attic = outer.scope().const_label("room", "attic").build().unwrap();
    let hall = outer.scope().default_label("room", "hall").build().unwrap();
    Gauge::builder("a", "A.").register(&attic).unwrap();
    Gauge::builder("b", "B.").register(&hall).unwrap();
    Gauge::builder("c", "C.").register(&outer).unwrap();
    let scrape = outer.gather();
    for (name, room) in [("a", "attic"), ("b", "hall"), ("c", "cellar")] {
        assert_eq!(scrape.value(name, &[("room", room)]), Some(0.0), "{name}");
    }
    let twice = Registry::builder().const_label("a", "1").default_label("a", "2").build();
    assert_eq!(
        twice.unwrap_err().to_string(),
        "cannot register ``: label `a` is given twice for `registry`"
    );
}

//! The registry: what it takes, what it refuses, and what it gathers.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use narthex_core::model::{Metadata, MetricFamily, MetricName, MetricType};
use narthex_core::{
    Builder, Collector, Counter, DynamicFamily, Family, Gauge, Histogram, Instrument,
    RegisterError, Registry,
};

use crate::support::{Request, names};

fn refused<I: Instrument + std::fmt::Debug>(builder: Builder<I>, registry: &Registry) -> String {
    builder.register(registry).unwrap_err().to_string()
}

struct Fixed(&'static str, Arc<AtomicUsize>);

impl Collector for Fixed {
    fn describe(&self) -> Vec<Metadata> {
        vec![Metadata::new(MetricName::new(self.0).unwrap(), MetricType::Gauge, "Fixed.")]
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        self.1.fetch_add(1, Relaxed);
        families.extend(MetricFamily::gauge(self.0, "Fixed.").sample([""; 0], 7.0).build());
    }
}

/// A collector made of a closure.
struct Closure<F>(F);

impl<F: Fn(&mut Vec<MetricFamily>) + Send + Sync + 'static> Collector for Closure<F> {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        (self.0)(families);
    }
}

fn gauge(name: &str) -> MetricFamily {
    MetricFamily::gauge(name, "A gauge.").sample([""; 0], 1.0).build().unwrap()
}

#[test]
fn a02_instruments_go_into_the_registry_they_are_given() {
    let (own, other) = (Registry::new(), Registry::new());
    Counter::builder("a02_total", "A.").register(&own).unwrap().inc();
    Counter::builder("a02_global_total", "A.").register(Registry::global()).unwrap().inc();
    assert_eq!(names(&own.gather()), ["a02_total"]);
    assert!(other.gather().families().is_empty());
    assert_eq!(Registry::global().gather().value("a02_global_total", &[]), Some(1.0));
}

#[test]
fn a03_bad_names_are_refused_and_named() {
    let registry = Registry::new();
    assert_eq!(
        refused(Counter::builder("abc\n", "A."), &registry),
        "cannot register `abc\\n`: `abc\\n` is not a valid metric name: `\\n` at byte 3 is not a \
         letter, digit, `_` or `:`"
    );
    for bad in ["", "1a", "a-b", "a b", "ä"] {
        assert!(Gauge::builder(bad, "A.").register(&registry).is_err(), "{bad}");
    }
    assert_eq!(
        refused(Gauge::builder("g", " "), &registry),
        "cannot register `g`: its help text is empty"
    );
    assert!(Gauge::builder("http.requests", "A.").utf8_names().register(&registry).is_ok());
}

#[test]
fn a04_reserved_and_bad_label_names_are_refused() {
    let registry = Registry::new();
    let dynamic =
        |name: &str| DynamicFamily::<Counter>::builder("c_total", "C.").label_names([name]);
    for bad in ["__x", "bad-label", "", "1a", "a:b"] {
        assert!(dynamic(bad).register(&registry).is_err(), "{bad}");
        let constant = Counter::builder("c_total", "C.").const_label(bad, "v");
        assert!(constant.register(&registry).is_err(), "{bad}");
    }
    assert_eq!(
        refused(DynamicFamily::<Histogram>::builder("h", "H.").label_names(["le"]), &registry),
        "cannot register `h`: label `le` of `h` is reserved in a histogram"
    );
    assert_eq!(
        refused(
            DynamicFamily::<Counter>::builder("c_total", "C.").label_names(["a", "b", "a"]),
            &registry
        ),
        "cannot register `c_total`: label `a` is given twice for `c_total`"
    );
    assert!(registry.gather().families().is_empty(), "nothing was half registered");
}

#[test]
fn a07_a_constant_label_never_overrides_another() {
    let registry = Registry::new();
    let requests: Builder<Family<Counter, Request<'static>>> =
        Family::builder("requests_total", "R.").const_label("path", "/x");
    assert_eq!(
        refused(requests, &registry),
        "cannot register `requests_total`: label `path` is given twice for `requests_total`"
    );
    let zoned = Registry::builder().const_label("zone", "a").build().unwrap();
    assert_eq!(
        refused(Counter::builder("c_total", "C.").const_label("zone", "b"), &zoned),
        "cannot register `c_total`: label `zone` is given twice for `c_total`"
    );
}

#[test]
fn a16_a_name_is_taken_once() {
    let registry = Registry::new();
    Counter::builder("c_total", "C.").register(&registry).unwrap();
    let error = Gauge::builder("c_total", "C.").register(&registry).unwrap_err();
    assert!(error.is_clash());
    assert_eq!(error.family(), "c_total");
    assert_eq!(
        error.to_string(),
        "cannot register `c_total`: the family is registered already, and its type would have to \
         be the same"
    );
    assert_eq!(
        refused(Counter::builder("c_total", "C."), &registry),
        "cannot register `c_total`: the name is taken by a counter"
    );
}

#[test]
fn a16_sample_names_clash_too() {
    let registry = Registry::new();
    Histogram::builder("h", "H.").register(&registry).unwrap();
    for suffix in ["_bucket", "_count", "_sum", "_created"] {
        let name = format!("h{suffix}");
        assert_eq!(
            refused(Gauge::builder(&name, "G."), &registry),
            format!("cannot register `{name}`: both it and `h` would export `{name}`")
        );
    }
    Gauge::builder("g_count", "G.").register(&registry).unwrap();
    assert_eq!(
        refused(Histogram::builder("g", "G."), &registry),
        "cannot register `g`: both it and `g_count` would export `g_count`"
    );
    // OpenMetrics calls the family of `jobs_total` just `jobs`.
    Counter::builder("jobs_total", "J.").register(&registry).unwrap();
    assert_eq!(
        refused(Gauge::builder("jobs", "J."), &registry),
        "cannot register `jobs`: both it and `jobs_total` would export `jobs`"
    );
    // Old scrapers see `http.x` as `http_x`.
    Gauge::builder("http.x", "X.").utf8_names().register(&registry).unwrap();
    assert!(Gauge::builder("http_x", "X.").register(&registry).is_err());
}

#[test]
fn one_family_may_have_instruments_that_differ_in_constant_labels() {
    let registry = Registry::new();
    let fetch = |zone: &str| {
        Counter::builder("fetches_total", "Fetches.").const_label("zone", zone).register(&registry)
    };
    fetch("a").unwrap().inc();
    fetch("b").unwrap().inc_by(2);
    assert!(fetch("b").unwrap_err().is_clash());
    let scrape = registry.gather();
    assert_eq!(names(&scrape), ["fetches_total"]);
    assert_eq!(scrape.value("fetches_total", &[("zone", "b")]), Some(2.0));
    assert!(scrape.problems().is_empty());
    assert_eq!(
        refused(
            Counter::builder("fetches_total", "Other help.").const_label("zone", "c"),
            &registry
        ),
        "cannot register `fetches_total`: the family is registered already, and its help text \
         would have to be the same"
    );
}

#[test]
fn a16_what_is_unregistered_is_gone_and_its_name_free() {
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let family = DynamicFamily::<Gauge>::builder("g", "G.").register(&registry).unwrap();
    let fixed = registry.register(Fixed("fixed", Arc::default())).unwrap();
    assert_eq!(names(&registry.gather()), ["c_total", "fixed", "g"]);
    assert!(registry.unregister(&counter) && registry.unregister(&family));
    assert!(registry.unregister(&fixed) && !registry.unregister(&fixed));
    assert!(registry.gather().families().is_empty());
    counter.inc();
    Counter::builder("c_total", "C.").register(&registry).unwrap();
    assert_eq!(registry.gather().value("c_total", &[]), Some(0.0));
}

#[test]
fn prefix_and_constant_labels_reach_instruments_and_collectors() {
    let registry = Registry::builder().prefix("app").const_label("zone", "a").build().unwrap();
    Counter::builder("c_total", "C.").const_label("k", "v").register(&registry).unwrap();
    registry.register(Fixed("fixed", Arc::default())).unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.value("app_c_total", &[("zone", "a"), ("k", "v")]), Some(0.0));
    assert_eq!(scrape.value("app_fixed", &[("zone", "a")]), Some(7.0));
    assert!(Registry::builder().prefix("a-b").build().is_err());
    assert!(Registry::builder().const_label("__a", "b").build().is_err());
    assert!(Registry::builder().const_label("a", "b").const_label("a", "c").build().is_err());
}

#[test]
fn gathering_is_sorted_and_reproducible() {
    let registry = Registry::new();
    for name in ["c", "a", "b"] {
        let family = DynamicFamily::<Gauge>::builder(name, "G.").label_names(["l"]);
        let family = family.register(&registry).unwrap();
        for value in ["z", "y", "x"] {
            family.with(&[value]).unwrap().set(1.0);
        }
    }
    let first = registry.gather();
    assert_eq!(names(&first), ["a", "b", "c"]);
    assert_eq!(first, registry.gather());
}

#[test]
fn collectors_are_asked_once_a_gather() {
    let registry = Registry::new();
    let calls = Arc::new(AtomicUsize::new(0));
    registry.register(Fixed("fixed", calls.clone())).unwrap();
    registry.gather();
    registry.gather();
    assert_eq!(calls.load(Relaxed), 2);
    let error = registry.register(Fixed("fixed", Arc::default())).unwrap_err();
    assert!(error.is_clash());
}

#[test]
fn a09_a_collector_that_panics_costs_only_its_own_families() {
    let registry = Registry::new();
    Gauge::builder("mine", "Mine.").register(&registry).unwrap();
    registry
        .register(Closure(|families: &mut Vec<MetricFamily>| {
            families.push(gauge("half"));
            panic!("no sensor");
        }))
        .unwrap();
    for _ in 0..10 {
        let scrape = registry.gather();
        assert_eq!(names(&scrape), ["mine"]);
        assert_eq!(scrape.problems().len(), 1);
        assert!(scrape.problems()[0].to_string().contains("no sensor"));
    }
}

#[test]
fn a_foreign_family_that_clashes_is_left_out_and_told_of() {
    let registry = Registry::new();
    Histogram::builder("h", "H.").register(&registry).unwrap().observe(1.0);
    registry
        .register(Closure(|families: &mut Vec<MetricFamily>| {
            families.extend([gauge("h_count"), gauge("h"), gauge("good")]);
        }))
        .unwrap();
    let scrape = registry.gather();
    assert_eq!(names(&scrape), ["good", "h"]);
    assert_eq!(scrape.family("h").unwrap().metric_type(), MetricType::Histogram);
    assert_eq!(scrape.problems().len(), 2);
}

#[test]
fn a_collector_may_call_its_own_registry() {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let registry = REGISTRY.get_or_init(Registry::new);
    let calls = AtomicUsize::new(0);
    registry
        .register(Closure(move |families: &mut Vec<MetricFamily>| {
            let call = calls.fetch_add(1, Relaxed);
            if call == 0 {
                registry.gather();
            }
            let made: Result<_, RegisterError> =
                Counter::builder(format!("made_{call}_total"), "Made.").register(registry);
            assert!(registry.unregister(&made.unwrap()));
            families.push(gauge("called"));
        }))
        .unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.value("called", &[]), Some(1.0));
    assert!(scrape.problems().is_empty());
}

#[test]
fn dropping_a_collector_may_call_its_registry() {
    struct CallsBack(Registry);
    impl Collector for CallsBack {
        fn collect(&self, _: &mut Vec<MetricFamily>) {}
    }
    impl Drop for CallsBack {
        fn drop(&mut self) {
            self.0.gather();
        }
    }
    let registry = Registry::new();
    let registration = registry.register(CallsBack(registry.clone())).unwrap();
    assert!(registry.unregister(&registration));
}

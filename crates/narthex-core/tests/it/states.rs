//! Instruments that are set: infos, state sets, totals, unknowns and gauge histograms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use narthex_core::model::{
    Column, Metadata, Metric, MetricFamily, MetricName, MetricType, Number, Scrape, Value,
};
use narthex_core::{
    Builder, Collector, DynamicFamily, Family, GaugeHistogram, Info, Instrument, LabelValue,
    Registry, StateSet, Total, Unknown,
};

use crate::support::{Kind, Request, Switch, histogram, names};

fn refused<I: Instrument + std::fmt::Debug>(builder: Builder<I>, registry: &Registry) -> String {
    builder.register(registry).unwrap_err().to_string()
}

/// All series of a family, as a page shows them.
fn rows(scrape: &Scrape, family: &str) -> Vec<String> {
    let family = scrape.family(family).expect("the family");
    let row = |metric: Metric<'_>| {
        let labels = metric.labels().map(|(name, value)| format!("{name}={value} "));
        format!("{}{}", labels.collect::<String>(), metric.number().expect("a number"))
    };
    family.metrics().map(row).collect()
}

#[test]
fn b31_an_info_shows_its_labels_and_one() {
    let registry = Registry::new();
    let build = Info::builder("build_info", "Build.")
        .labels([("version", "1.0"), ("commit", "abc")])
        .register(&registry)
        .unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.family("build_info").unwrap().metric_type(), MetricType::Info);
    assert_eq!(rows(&scrape, "build_info"), ["commit=abc version=1.0 1"]);
    build.set([("version", "1.1")]).unwrap();
    assert_eq!(rows(&registry.gather(), "build_info"), ["version=1.1 1"]);
    build.set([("commit", "def"), ("version", "1.2")]).unwrap();
    let labels = [("commit", "def"), ("version", "1.2")];
    assert_eq!(registry.gather().value("build_info", &labels), Some(1.0));
    assert!(registry.unregister(&build));
}

#[test]
fn b31_labels_of_an_info_may_not_overlap() {
    let registry = Registry::builder().const_label("zone", "a").build().unwrap();
    let info = || Info::builder("build_info", "Build.");
    assert_eq!(
        refused(info().labels([("version", "1")]).const_label("version", "2"), &registry),
        "cannot register `build_info`: label `version` is given twice for `build_info`"
    );
    assert_eq!(
        refused(info().labels([("zone", "b")]), &registry),
        "cannot register `build_info`: label `zone` is given twice for `build_info`"
    );
    assert_eq!(
        refused(info().labels([("a", "1"), ("a", "2")]), &registry),
        "cannot register `build_info`: label `a` is given twice for `build_info`"
    );
    let info = info().labels([("version", "1")]).register(&registry).unwrap();
    let message = |labels: &[(&str, &str)]| info.set(labels.to_vec()).unwrap_err().to_string();
    assert_eq!(message(&[("zone", "b")]), "there is no label `zone`: the only one is `version`");
    assert_eq!(message(&[("version", "2"), ("version", "3")]), "label `version` is given twice");
    let labels = [("version", "1"), ("zone", "a")];
    assert_eq!(registry.gather().value("build_info", &labels), Some(1.0), "nothing has changed");
}

#[test]
fn b31_a_family_of_infos_has_what_was_looked_up() {
    let registry = Registry::new();
    let disks = DynamicFamily::<Info>::builder("disk_info", "Disks.")
        .label_names(["disk", "model"])
        .register(&registry)
        .unwrap();
    assert!(registry.gather().family("disk_info").unwrap().is_empty());
    disks.with(&["sda", "A"]).unwrap();
    let kept = disks.resolve(&["sdb", "B"]).unwrap();
    assert_eq!(rows(&registry.gather(), "disk_info"), ["disk=sda model=A 1", "disk=sdb model=B 1"]);
    assert_eq!(
        kept.set([("disk", "x")]).unwrap_err().to_string(),
        "the labels of a series of a family are those that it was looked up by, and stay"
    );
    disks.remove(&["sda", "A"]).unwrap();
    assert_eq!(registry.gather().family("disk_info").unwrap().len(), 1);
}

#[test]
fn b31_a_state_set_has_a_sample_a_state() {
    let registry = Registry::builder().prefix("app").const_label("a", "b").build().unwrap();
    let job = StateSet::builder("job_state", "State.")
        .states(["idle", "running", "failed"])
        .register(&registry)
        .unwrap();
    assert_eq!(job.state(), "idle", "the first one is the default");
    job.set("running").unwrap();
    assert_eq!(job.state(), "running");
    let scrape = registry.gather();
    assert_eq!(scrape.family("app_job_state").unwrap().metric_type(), MetricType::StateSet);
    assert_eq!(
        rows(&scrape, "app_job_state"),
        ["a=b app_job_state=idle 0", "a=b app_job_state=running 1", "a=b app_job_state=failed 0",]
    );
    let error = job.set("walking").unwrap_err();
    assert_eq!(error.state(), "walking");
    assert_eq!(
        error.to_string(),
        "`walking` is not one of the states: they are `idle`, `running`, `failed`"
    );
    assert_eq!(job.state(), "running", "nothing has changed");
}

#[test]
fn b31_states_may_be_an_enum() {
    enum Light {
        Red,
        Green,
    }
    impl LabelValue for Light {
        type Text<'a> = &'static str;
        fn text(&self) -> &'static str {
            match self {
                Self::Red => "red",
                Self::Green => "green",
            }
        }
    }
    let registry = Registry::new();
    let light = StateSet::builder("light", "Light.")
        .states([Light::Red, Light::Green])
        .register(&registry)
        .unwrap();
    light.set(Light::Green).unwrap();
    assert_eq!(registry.gather().value("light", &[("light", "green")]), Some(1.0));
}

#[test]
fn b31_the_name_of_a_state_set_is_no_label_of_its_users() {
    let registry = Registry::new();
    let states = |name: &str| StateSet::builder(name, "State.").states(["a"]);
    assert_eq!(
        refused(states("job_state").const_label("job_state", "x"), &registry),
        "cannot register `job_state`: label `job_state` of `job_state` is reserved in a stateset"
    );
    let family = DynamicFamily::<StateSet>::builder("job_state", "State.").states(["a"]);
    assert_eq!(
        refused(family.label_names(["job", "job_state"]), &registry),
        "cannot register `job_state`: label `job_state` of `job_state` is reserved in a stateset"
    );
    let zoned = Registry::builder().prefix("x").const_label("x_zone", "z").build().unwrap();
    assert_eq!(
        refused(states("zone"), &zoned),
        "cannot register `x_zone`: label `x_zone` of `x_zone` is reserved in a stateset"
    );
    assert_eq!(
        refused(states("job:state"), &registry),
        "cannot register `job:state`: `job:state` is not a valid label name: `:` at byte 3 is not \
         a letter, digit or `_`"
    );
}

#[test]
fn b31_bad_lists_of_states_are_refused() {
    let registry = Registry::new();
    let message = |states: &[&str]| {
        refused(StateSet::builder("job_state", "State.").states(states), &registry)
    };
    assert_eq!(message(&[]), "cannot register `job_state`: a state set needs at least one state");
    assert_eq!(message(&["a", ""]), "cannot register `job_state`: state 2 is empty");
    assert_eq!(message(&["a", "b", "a"]), "cannot register `job_state`: state `a` is given twice");
}

#[test]
fn b31_each_series_of_a_family_has_its_own_state() {
    let registry = Registry::builder().prefix("a").build().unwrap();
    // Its label sorts between the others, also once it has the prefix.
    let jobs = DynamicFamily::<StateSet>::builder("job", "State.")
        .label_names(["z", "a"])
        .states(["idle", "running"])
        .register(&registry)
        .unwrap();
    jobs.with(&["1", "x"]).unwrap().set("running").unwrap();
    let other = jobs.resolve(&["2", "y"]).unwrap();
    assert_eq!(jobs.with(&["1", "x"]).unwrap().state(), "running");
    assert!(jobs.with(&["1", "x"]).unwrap().set("x").is_err());
    let expected = [
        "a=x a_job=idle z=1 0",
        "a=x a_job=running z=1 1",
        "a=y a_job=idle z=2 1",
        "a=y a_job=running z=2 0",
    ];
    assert_eq!(rows(&registry.gather(), "a_job"), expected);
    other.set("running").unwrap();
    assert!(jobs.remove(&["1", "x"]).unwrap());
    assert_eq!(rows(&registry.gather(), "a_job").len(), 2);
    assert_eq!(other.state(), "running");
}

#[test]
fn b31_a_prefix_renames_the_states_of_foreign_families_too() {
    struct Job;
    fn family() -> MetricFamily {
        MetricFamily::state_set("job", "State.")
            .label_names(["a", "job"])
            .sample(["x", "idle"], 1_u64)
            .sample(["x", "running"], 0_u64)
            .build()
            .unwrap()
    }
    impl Collector for Job {
        fn describe(&self) -> Vec<Metadata> {
            vec![family().metadata().clone()]
        }
        fn collect(&self, families: &mut Vec<MetricFamily>) {
            families.push(family());
        }
    }
    let registry = Registry::builder().prefix("A").build().unwrap();
    registry.register(Job).unwrap();
    let scrape = registry.gather();
    assert_eq!(rows(&scrape, "A_job"), ["A_job=idle a=x 1", "A_job=running a=x 0"]);
}

#[test]
fn totals_are_set_and_exported_as_counters() {
    let registry = Registry::new();
    let total = Total::builder("sent_total", "Sent.").register(&registry).unwrap();
    let exact = || match registry.gather().family("sent_total").unwrap().values() {
        Column::Unsigned(values) => Number::Unsigned(values[0]),
        Column::Float(values) => Number::Float(values[0]),
        other => panic!("{other:?}"),
    };
    assert!(matches!(exact(), Number::Unsigned(0)), "exported before it is touched");
    for value in [1, (1 << 53) + 1, u64::MAX, 5] {
        total.set(value);
        assert!(matches!(exact(), Number::Unsigned(same) if same == value), "{value}");
    }
    for value in [0.5, 5e-324, 1e300, f64::MAX] {
        total.set(value);
        assert!(matches!(exact(), Number::Float(same) if same == value), "{value}");
    }
    for refused in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5e-324] {
        total.set(refused);
    }
    assert_eq!(total.value(), f64::MAX);
    let scrape = registry.gather();
    assert_eq!(scrape.family("sent_total").unwrap().metric_type(), MetricType::Counter);
    assert_eq!(
        scrape.value("narthex_refused_values_total", &[("family", "sent_total")]),
        Some(5.0)
    );
    assert!(registry.unregister(&total));
}

#[test]
fn totals_and_unknowns_come_in_families() {
    let registry = Registry::new();
    let sent: Family<Total, Request<'static>> =
        Family::builder("sent_total", "Sent.").register(&registry).unwrap();
    sent.with(&Request { path: "/a", status: 1 }).set(u64::MAX);
    sent.with(&Request { path: "/b", status: 1 }).set(0.5);
    sent.with(&Request { path: "/b", status: 1 }).set(f64::NAN);
    let handle = sent.resolve(&Request { path: "/a", status: 1 });
    handle.set(u64::MAX - 1);
    let scrape = registry.gather();
    let Column::Mixed(values) = scrape.family("sent_total").unwrap().values() else {
        panic!("one whole, one not")
    };
    assert_eq!(values[..], [Number::Unsigned(u64::MAX - 1), Number::Float(0.5)]);

    let raw = DynamicFamily::<Unknown>::builder("raw", "Raw.")
        .label_names(["l"])
        .register(&registry)
        .unwrap();
    raw.with(&["a"]).unwrap().set(-1.5);
    let handle = raw.resolve(&["b"]).unwrap();
    handle.set(f64::NEG_INFINITY);
    assert_eq!(raw.with(&["b"]).unwrap().value(), f64::NEG_INFINITY);
    let scrape = registry.gather();
    assert_eq!(scrape.family("raw").unwrap().metric_type(), MetricType::Unknown);
    assert_eq!(scrape.value("raw", &[("l", "a")]), Some(-1.5));
    raw.clear();
    handle.set(7.0);
    assert!(registry.gather().family("raw").unwrap().is_empty());

    let alone = Unknown::builder("alone", "Alone.").register(&registry).unwrap();
    assert_eq!(registry.gather().value("alone", &[]), Some(0.0));
    alone.set(2.0);
    assert_eq!((alone.value(), registry.gather().value("alone", &[])), (2.0, Some(2.0)));
}

#[test]
fn label_sets_found_by_number_have_them_too() {
    let registry = Registry::new();
    let infos: Family<Info, Switch> = Family::builder("i", "I.").register(&registry).unwrap();
    let states: Family<StateSet, Switch> =
        Family::builder("s", "S.").states(["x", "y"]).register(&registry).unwrap();
    let totals: Family<Total, Switch> = Family::builder("t", "T.").register(&registry).unwrap();
    let ages: Family<GaugeHistogram, Switch> =
        Family::builder("a", "A.").per_thread().register(&registry).unwrap();
    for round in 1..=3_u32 {
        let switch = Switch { kind: Kind::C, on: true };
        infos.with(&switch);
        states.with(&switch).set(["x", "y"][round as usize % 2]).unwrap();
        totals.with(&switch).set(round);
        ages.with(&switch).set_values(vec![0.001; round as usize]);
    }
    let scrape = registry.gather();
    assert_eq!(rows(&scrape, "i"), ["kind=c on=true 1"]);
    assert_eq!(rows(&scrape, "s"), ["kind=c on=true s=x 0", "kind=c on=true s=y 1"]);
    assert_eq!(rows(&scrape, "t"), ["kind=c on=true 3"]);
    assert_eq!(ages.with(&Switch { kind: Kind::C, on: true }).count(), 3);
}

#[test]
fn a_series_without_labels_is_no_other_instrument() {
    let registry = Registry::new();
    let family = DynamicFamily::<Unknown>::builder("raw", "Raw.").label_names(["l"]);
    let family = family.register(&registry).unwrap();
    let handle = family.resolve(&["a"]).unwrap();
    assert!(!registry.unregister(&handle), "only the family as a whole is registered");
    assert_eq!(names(&registry.gather()), ["raw"]);
}

#[test]
fn gauge_histograms_are_set_as_a_whole() {
    let registry = Registry::new();
    let ages = GaugeHistogram::builder("age_seconds", "Ages.")
        .buckets([1.0, 10.0])
        .register(&registry)
        .unwrap();
    let seen = || histogram(&registry.gather(), "age_seconds");
    assert_eq!(seen(), (vec![0, 0, 0], 0.0), "exported before it is touched");
    ages.set([3, 2, 1], 50.0);
    assert_eq!(seen(), (vec![3, 5, 6], 50.0));
    ages.set([1], -4.0);
    assert_eq!(seen(), (vec![1, 1, 1], -4.0), "missing counts are 0");
    ages.set([0, 0, 1, 2, 3], 9.0);
    assert_eq!(seen(), (vec![0, 0, 6], 9.0), "surplus counts are in +Inf");
    ages.set([u64::MAX, 0, 0, 1], 9.0);
    assert_eq!(ages.count(), u64::MAX);
    ages.set_values([1.0, 1.5, 10.0, 11.0, f64::INFINITY, f64::NAN]);
    assert_eq!(seen(), (vec![1, 3, 5], f64::INFINITY));
    ages.set_values([]);
    assert_eq!((ages.count(), ages.sum()), (0, 0.0));
    let scrape = registry.gather();
    assert_eq!(scrape.family("age_seconds").unwrap().metric_type(), MetricType::GaugeHistogram);
    let refused = [("family", "age_seconds")];
    assert_eq!(scrape.value("narthex_refused_values_total", &refused), Some(1.0));
    for suffix in ["_bucket", "_count", "_sum", "_gcount", "_gsum"] {
        let name = format!("age_seconds{suffix}");
        assert_eq!(
            refused_name(&name, &registry),
            format!("cannot register `{name}`: both it and `age_seconds` would export `{name}`")
        );
    }
}

fn refused_name(name: &str, registry: &Registry) -> String {
    refused(Unknown::builder(name, "U."), registry)
}

#[test]
fn gauge_histograms_come_in_families() {
    let registry = Registry::new();
    let ages = DynamicFamily::<GaugeHistogram>::builder("age_seconds", "Ages.")
        .label_names(["queue"])
        .buckets([1.0])
        .register(&registry)
        .unwrap();
    ages.with(&["a"]).unwrap().set_values([0.5, 2.0]);
    ages.resolve(&["b"]).unwrap().set([0, 7], 70.0);
    let child = ages.with(&["b"]).unwrap();
    assert_eq!((child.count(), child.sum()), (7, 70.0));
    let scrape = registry.gather();
    let counts: Vec<_> = scrape
        .family("age_seconds")
        .unwrap()
        .metrics()
        .map(|metric| match metric.value() {
            Value::Histogram(histogram) => (histogram.counts().to_vec(), histogram.sum()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [(vec![1, 1], 2.5), (vec![0, 7], 70.0)]);
    let le = DynamicFamily::<GaugeHistogram>::builder("x", "X.").label_names(["le"]);
    assert_eq!(
        refused(le, &registry),
        "cannot register `x`: label `le` of `x` is reserved in a gaugehistogram"
    );
}

#[test]
fn values_of_several_words_are_never_seen_in_part() {
    let registry = Registry::new();
    let ages = GaugeHistogram::builder("age_seconds", "Ages.").buckets([1.0, 2.0, 3.0]);
    let ages = ages.register(&registry).unwrap();
    let total = Total::builder("sent_total", "Sent.").register(&registry).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let setters: Vec<_> = (0..2)
        .map(|_| {
            let (ages, total, stop) = (ages.clone(), total.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut n: u64 = 1;
                while !stop.load(Relaxed) {
                    ages.set([n, n, n, n], n as f64);
                    // As a float, 1 would be 5e-324, and 0.5 as a whole number 2^62 and more.
                    total.set(1_u64);
                    total.set(0.5);
                    n = n % 1000 + 1;
                }
            })
        })
        .collect();
    for _ in 0..20_000 {
        let scrape = registry.gather();
        let (counts, sum) = histogram(&scrape, "age_seconds");
        let n = sum as u64;
        assert_eq!(counts, [n, 2 * n, 3 * n, 4 * n]);
        let total = scrape.value("sent_total", &[]).unwrap();
        assert!([0.0, 0.5, 1.0].contains(&total), "{total}");
    }
    stop.store(true, Relaxed);
    setters.into_iter().for_each(|setter| setter.join().unwrap());
}

#[test]
fn a_metric_name_is_what_it_was_written_as() {
    let registry = Registry::new();
    Info::builder("build", "Build.").register(&registry).unwrap();
    Total::builder("sent", "Sent.").register(&registry).unwrap();
    assert_eq!(names(&registry.gather()), ["build", "sent"]);
    let name = MetricName::new("build").unwrap();
    assert_eq!(registry.gather().family("build").unwrap().name(), &name);
}

//! Metrics described in data.

use std::collections::BTreeMap;
use std::time::Duration;

use narthex_core::model::{MetricType, Value};
use narthex_core::{AnyMetric, ConfigType, Counter, Gauge, MetricConfig, Registry};
use serde::Deserialize;

use crate::support::names;

fn read<X>(text: &str) -> Result<MetricConfig<X>, String>
where
    X: Default + for<'de> Deserialize<'de>,
{
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

fn config(text: &str) -> MetricConfig {
    read(text).unwrap()
}

fn refused(text: &str) -> String {
    read::<()>(text).unwrap_err()
}

/// Reads and creates; gives the error of the registry.
fn rejected(text: &str, registry: &Registry) -> String {
    registry.create(&config(text)).unwrap_err().to_string()
}

#[test]
fn b19_every_type_is_read_with_its_options() {
    let types = [
        ("type = 'counter'", ConfigType::Counter),
        (
            "type = 'enum'\nstates = ['on', 'off']",
            ConfigType::Enum { states: vec!["on".into(), "off".into()] },
        ),
        ("type = 'gauge'", ConfigType::Gauge),
        ("type = 'histogram'", ConfigType::Histogram { buckets: None, native: None }),
        (
            "type = 'histogram'\nbuckets = [1, 2.5]",
            ConfigType::Histogram { buckets: Some(vec![1.0, 2.5]), native: None },
        ),
        (
            "type = 'histogram'\nnative = 1.1",
            ConfigType::Histogram { buckets: None, native: Some(1.1) },
        ),
        ("type = 'info'", ConfigType::Info),
        (
            "type = 'summary'",
            ConfigType::Summary { objectives: vec![], max_age: None, age_buckets: None },
        ),
        (
            "type = 'summary'\nobjectives = [[0.5, 0.05]]\nmax_age = 60\nage_buckets = 3",
            ConfigType::Summary {
                objectives: vec![(0.5, 0.05)],
                max_age: Some(Duration::from_secs(60)),
                age_buckets: Some(3),
            },
        ),
        ("type = 'unknown'", ConfigType::Unknown),
    ];
    for (text, metric_type) in types {
        let read = config(&format!("name = 'm1'\ndescription = 'M.'\n{text}"));
        assert_eq!(read, MetricConfig::new("m1", "M.", metric_type), "{text}");
    }
}

#[test]
fn b19_labels_are_sorted_and_the_rest_is_optional() {
    let read = config(
        "name = 'm1'
         description = 'M.'
         type = 'gauge'
         labels = ['b', 'a']
         unit = 'seconds'
         utf8_names = true
         const_labels = { zone = 'x' }",
    );
    let mut expected = MetricConfig::new("m1", "M.", ConfigType::Gauge);
    expected.labels = vec!["a".into(), "b".into()];
    expected.unit = "seconds".into();
    expected.utf8_names = true;
    expected.const_labels = BTreeMap::from([("zone".into(), "x".into())]);
    assert_eq!(read, expected);
}

#[test]
fn b19_an_invalid_type_names_the_metric_and_the_types() {
    assert_eq!(
        refused("name = 'm1'\ndescription = 'M.'\ntype = 'foo'"),
        "invalid type `foo` for `m1`: it must be one of counter, enum, gauge, histogram, info, \
         summary, unknown"
    );
}

#[test]
fn b19_options_of_another_type_are_refused() {
    let gauge = |option: &str| {
        refused(&format!("name = 'm1'\ndescription = 'M.'\ntype = 'gauge'\n{option}"))
    };
    for (key, option) in [
        ("buckets", "buckets = [1]"),
        ("native", "native = 1.1"),
        ("states", "states = ['a']"),
        ("objectives", "objectives = []"),
        ("max_age", "max_age = 1"),
        ("age_buckets", "age_buckets = 1"),
    ] {
        let expected = format!("`{key}` of `m1` makes no sense for the type gauge");
        assert_eq!(gauge(option), expected);
    }
    assert_eq!(
        refused("name = 'm1'\ndescription = 'M.'\ntype = 'summary'\nmax_age = -1"),
        "`max_age` of `m1` is -1, which is not a number of seconds"
    );
}

/// What a program may add to a metric.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    expiration: u32,
}

#[test]
fn b19_unknown_keys_are_refused_unless_a_program_asks_for_extra_ones() {
    let text = "name = 'm1'\ndescription = 'M.'\ntype = 'gauge'\n";
    let message = refused(&format!("{text}expiration = 3"));
    assert!(message.starts_with("unknown field `expiration`"), "{message}");
    let message = refused(&format!("{text}[extra]\nexpiration = 3"));
    assert!(message.contains("invalid type: map, expected unit"), "{message}");
    let with_extra: MetricConfig<Extra> = read(&format!("{text}[extra]\nexpiration = 3")).unwrap();
    assert_eq!(with_extra.extra, Extra { expiration: 3 });
    assert_eq!(read::<Extra>(text).unwrap().extra, Extra::default());
    assert!(read::<Extra>(&format!("{text}[extra]\nexpire = 3")).is_err());
    let message = refused("name = 'm1'\ntype = 'gauge'");
    assert!(message.contains("missing field `description`"), "{message}");
}

#[test]
fn b20_mistakes_are_refused_and_named() {
    let registry = Registry::new();
    let metric = |rest: &str| rejected(&format!("description = 'M.'\n{rest}"), &registry);
    assert_eq!(
        metric("name = 'm1'\ntype = 'enum'"),
        "cannot register `m1`: a state set needs at least one state"
    );
    assert_eq!(
        metric("name = 'm1'\ntype = 'enum'\nstates = ['a']\nlabels = ['m1']"),
        "cannot register `m1`: label `m1` of `m1` is reserved in a stateset"
    );
    assert_eq!(
        metric("name = 'm1'\ntype = 'histogram'\nbuckets = [2, 1]"),
        "cannot register `m1`: bucket 2 is 1, which is not above 2: bounds must ascend"
    );
    assert_eq!(
        metric("name = 'm1'\ntype = 'histogram'\nlabels = ['le']"),
        "cannot register `m1`: label `le` of `m1` is reserved in a histogram"
    );
    assert_eq!(
        metric("name = 'm1'\ntype = 'summary'\nlabels = ['quantile']"),
        "cannot register `m1`: label `quantile` of `m1` is reserved in a summary"
    );
    assert_eq!(
        metric("name = 'm1'\ntype = 'info'\nlabels = ['a']\nconst_labels = { a = 'x' }"),
        "cannot register `m1`: label `a` is given twice for `m1`"
    );
    assert!(registry.gather().families().is_empty());

    registry.create(&config("name = 'h'\ndescription = 'H.'\ntype = 'histogram'")).unwrap();
    assert_eq!(
        metric("name = 'h_count'\ntype = 'gauge'"),
        "cannot register `h_count`: both it and `h` would export `h_count`"
    );
    registry.create(&config("name = 'c'\ndescription = 'C.'\ntype = 'counter'")).unwrap();
    assert_eq!(
        metric("name = 'c_total'\ntype = 'counter'"),
        "cannot register `c_total`: the name is taken by a counter"
    );
}

#[test]
fn b20_names_of_any_utf8_have_to_be_asked_for() {
    let registry = Registry::new();
    let text = "name = 'bad name'\ndescription = 'B.'\ntype = 'gauge'\n";
    assert_eq!(
        rejected(text, &registry),
        "cannot register `bad name`: `bad name` is not a valid metric name: ` ` at byte 3 is not a \
         letter, digit, `_` or `:`"
    );
    registry.create(&config(&format!("{text}utf8_names = true"))).unwrap();
    assert_eq!(names(&registry.gather()), ["bad name"]);
}

#[test]
fn b21_all_are_created_or_none() {
    let registry = Registry::new();
    Gauge::builder("taken", "T.").register(&registry).unwrap();
    let gauge = |name: &str| MetricConfig::<()>::new(name, "G.", ConfigType::Gauge);
    let error = registry.create_all(&[gauge("a"), gauge("b"), gauge("taken")]).unwrap_err();
    assert_eq!(error.to_string(), "cannot register `taken`: the name is taken by a gauge");
    assert_eq!(names(&registry.gather()), ["taken"]);

    let metrics = registry.create_all(&[gauge("b"), gauge("a")]).unwrap();
    assert_eq!(names(&registry.gather()), ["a", "b", "taken"]);
    assert_eq!(metrics.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
    let error = metrics.metric("taken").unwrap_err();
    assert_eq!((error.to_string(), error.name()), ("there is no metric `taken`".into(), "taken"));
    assert!(registry.unregister(metrics.metric("a").unwrap()));
    assert_eq!(names(&registry.gather()), ["b", "taken"]);
}

#[test]
fn b21_a_name_is_described_once() {
    let registry = Registry::new();
    let gauge = |zone: &str| {
        let mut gauge = MetricConfig::<()>::new("g", "G.", ConfigType::Gauge);
        gauge.const_labels.insert("zone".into(), zone.into());
        gauge
    };
    assert_eq!(
        registry.create_all(&[gauge("a"), gauge("b")]).unwrap_err().to_string(),
        "cannot register `g`: the name is taken by another of these metrics"
    );
    assert!(registry.gather().families().is_empty());
}

#[test]
fn b21_children_are_found_by_their_labels() {
    let registry = Registry::new();
    let mut rows = MetricConfig::<()>::new("rows", "R.", ConfigType::Counter);
    rows.labels = vec!["table".into(), "db".into()];
    let metrics = registry.create_all([&rows]).unwrap();
    let AnyMetric::Counter(rows) = metrics.metric("rows").unwrap() else { panic!("a counter") };
    let labels = BTreeMap::from([("db", "main"), ("table", "users")]);
    rows.with_labels(&labels).unwrap().inc();
    assert_eq!(
        registry.gather().value("rows_total", &[("db", "main"), ("table", "users")]),
        Some(1.0)
    );
    assert_eq!(
        rows.with_labels([("db", "main")]).unwrap_err().to_string(),
        "label `table` is missing"
    );
}

#[test]
fn b28_counters_get_total_once() {
    for (given, exported) in
        [("x", "x_total"), ("x_total", "x_total"), ("x_total_total", "x_total_total")]
    {
        let registry = Registry::builder().prefix("p").build().unwrap();
        let counter = MetricConfig::<()>::new(given, "C.", ConfigType::Counter);
        assert_eq!(counter.exported_name(), exported);
        let metrics = registry.create_all([&counter]).unwrap();
        assert_eq!(names(&registry.gather()), [format!("p_{exported}")]);
        assert!(metrics.metric(given).is_ok(), "the key stays the name as given");
        let again = Counter::builder(exported, "C.").register(&registry);
        assert!(again.unwrap_err().is_clash());
    }
    let gauge = MetricConfig::<()>::new("x", "G.", ConfigType::Gauge);
    assert_eq!(gauge.exported_name(), "x");
}

#[test]
fn b30_without_labels_a_metric_is_there_from_the_start() {
    let registry = Registry::new();
    let types = [
        ("counter", ConfigType::Counter, MetricType::Counter),
        ("enum", ConfigType::Enum { states: vec!["on".into()] }, MetricType::StateSet),
        ("gauge", ConfigType::Gauge, MetricType::Gauge),
        ("histogram", ConfigType::Histogram { buckets: None, native: None }, MetricType::Histogram),
        ("info", ConfigType::Info, MetricType::Info),
        (
            "summary",
            ConfigType::Summary { objectives: vec![], max_age: None, age_buckets: None },
            MetricType::Summary,
        ),
        ("unknown", ConfigType::Unknown, MetricType::Unknown),
    ];
    for (name, config_type, _) in &types {
        let plain = MetricConfig::<()>::new(*name, "P.", config_type.clone());
        let mut labelled =
            MetricConfig::<()>::new(format!("{name}_labelled"), "L.", config_type.clone());
        labelled.labels = vec!["a".into()];
        registry.create_all([&plain, &labelled]).unwrap();
    }
    let scrape = registry.gather();
    assert_eq!(scrape.families().len(), 14);
    for (name, _, metric_type) in types {
        let total = if name == "counter" { "_total" } else { "" };
        let plain = scrape.family(&format!("{name}{total}")).unwrap();
        assert_eq!((plain.len(), plain.metric_type()), (1, metric_type), "{name}");
        let labelled = scrape.family(&format!("{name}_labelled{total}")).unwrap();
        assert_eq!((labelled.len(), labelled.metric_type()), (0, metric_type), "{name}");
    }
    assert_eq!(scrape.value("counter_total", &[]), Some(0.0));
    assert_eq!(scrape.value("gauge", &[]), Some(0.0));
    let Value::Histogram(histogram) =
        scrape.family("histogram").unwrap().metric(0).unwrap().value()
    else {
        panic!("a histogram")
    };
    let bounds: Vec<f64> = histogram.buckets().map(|(bound, _)| bound).collect();
    let default = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    assert_eq!(bounds[..11], default, "those of Prometheus's own clients");
    assert_eq!(bounds[11..], [f64::INFINITY]);
}

#[test]
fn b30_values_of_labels_have_to_be_given() {
    let registry = Registry::new();
    let mut gauge = MetricConfig::<()>::new("g", "G.", ConfigType::Gauge);
    gauge.labels = vec!["a".into()];
    let AnyMetric::Gauge(gauge) = registry.create(&gauge).unwrap() else { panic!("a gauge") };
    assert_eq!(
        gauge.with(&[]).unwrap_err().to_string(),
        "the family has 1 label (`a`), but 0 values were given"
    );
}

#[test]
fn b20_a_native_histogram_is_described_by_its_factor() {
    let described = config("name = 'h'\ndescription = 'H.'\ntype = 'histogram'\nnative = 1.1");
    let registry = Registry::new();
    let AnyMetric::Histogram(h) = registry.create(&described).unwrap() else {
        panic!("a histogram")
    };
    h.with(&[]).unwrap().observe(3.0);
    let scrape = registry.gather();
    let Value::NativeHistogram(native) = scrape.family("h").unwrap().metric(0).unwrap().value()
    else {
        panic!("a native histogram: {scrape:?}")
    };
    assert_eq!(native.native().schema().get(), 3, "2^(2^-3) is the largest base up to 1.1");

    let text = "name = 'g'\ndescription = 'G.'\ntype = 'histogram'\nnative = 0.5";
    let error = rejected(text, &registry);
    assert!(error.contains("`g`") && error.contains("0.5"), "{error}");
}

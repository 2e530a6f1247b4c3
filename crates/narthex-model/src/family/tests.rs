use super::MetricFamily;
use crate::{Column, Label, LabelName, MetricName, Number, Value};

fn labels(family: &MetricFamily, index: usize) -> Vec<(String, String)> {
    let metric = family.metric(index).unwrap();
    metric.labels().map(|(name, value)| (name.to_string(), value.into_owned())).collect()
}

fn rooms() -> MetricFamily {
    MetricFamily::gauge("temperature_celsius", "Temperature.")
        .label_names(["room", "floor"])
        .sample(["kitchen", "0"], 21.5)
        .sample(["cellar", ""], 12.0)
        .build()
        .unwrap()
}

#[test]
fn rows_keep_their_labels_and_values() {
    let family = rooms();
    assert_eq!(
        labels(&family, 0),
        [("floor".into(), "0".into()), ("room".into(), "kitchen".into())]
    );
    assert_eq!(labels(&family, 1), [("room".into(), "cellar".into())]);
    assert_eq!(family.metric(0).unwrap().number(), Some(21.5));
    assert!(family.metric(2).is_none());
}

#[test]
fn columns_are_as_narrow_as_they_can_be() {
    let build = |values: [Number; 2]| {
        MetricFamily::counter("c_total", "C.")
            .label_names(["l"])
            .sample(["a"], values[0])
            .sample(["b"], values[1])
            .build()
            .unwrap()
    };
    assert!(matches!(build([1u64.into(), 2u64.into()]).values(), Column::Unsigned(_)));
    assert!(matches!(build([1.0.into(), 2.5.into()]).values(), Column::Float(_)));
    let mixed = build([u64::MAX.into(), 2.5.into()]);
    assert_eq!(mixed.metric(0).unwrap().value(), Value::Number(Number::Unsigned(u64::MAX)));
}

#[test]
fn the_first_mistake_is_reported() {
    let message = |result: Result<MetricFamily, crate::FamilyError>| {
        let error = result.unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        (error.to_string(), source.unwrap_or_default())
    };
    let gauge = || MetricFamily::gauge("g", "G.");
    assert_eq!(
        message(gauge().label_names(["a"]).sample(["1", "2"], 1.0).build()).0,
        "`g` has 1 labels, but a sample gives 2 values"
    );
    assert_eq!(
        message(gauge().label_names(["a"]).sample(["x"], 1.0).sample(["x"], 2.0).build()).0,
        "`g` has two samples with the label values \"x\""
    );
    assert_eq!(
        message(gauge().label_names(["a", "a"]).build()),
        (
            "metric family `g` cannot be built".to_owned(),
            "label `a` is given twice for `g`".to_owned()
        )
    );
    assert_eq!(
        message(MetricFamily::histogram("h", "H.", &[1.0]).label_names(["le"]).build()).1,
        "label `le` of `h` is reserved in a histogram"
    );
    assert_eq!(
        message(MetricFamily::histogram("h", "H.", &[1.0, 1.0]).build()).1,
        "bucket 2 is 1, which is not above 1: bounds must ascend"
    );
    assert_eq!(
        message(MetricFamily::gauge("a b", "").build()).1,
        "`a b` is not a valid metric name: ` ` at byte 1 is not a letter, digit, `_` or `:`"
    );
}

#[test]
fn an_empty_label_is_an_absent_one() {
    let twice = MetricFamily::gauge("g", "G.")
        .label_names(["a", "b"])
        .sample(["x", ""], 1.0)
        .sample(["x", ""], 1.0)
        .build();
    assert!(twice.is_err());
}

#[test]
fn histograms_cumulate_and_count() {
    let mut builder = MetricFamily::histogram("h", "H.", &[1.0, 2.0, f64::INFINITY]);
    builder.push_histogram([""; 0], [3, 0, 2], 11.5);
    let family = builder.build().unwrap();
    let Some(Value::Histogram(histogram)) = family.metric(0).map(|metric| metric.value()) else {
        panic!("a histogram")
    };
    let buckets: Vec<_> = histogram.buckets().collect();
    assert_eq!(buckets, [(1.0, 3), (2.0, 3), (f64::INFINITY, 5)]);
    assert_eq!((histogram.count(), histogram.sum()), (5, 11.5));
}

#[test]
fn merging_joins_label_sets_and_drops_duplicates() {
    let other = MetricFamily::gauge("temperature_celsius", "Temperature.")
        .label_names(["site", "room"])
        .sample(["", "cellar"], 99.0)
        .sample(["north", "attic"], 30.0)
        .build()
        .unwrap();
    let (merged, dropped) = rooms().merge(&other).unwrap();
    assert_eq!((merged.len(), dropped), (3, 1));
    assert_eq!(merged.metric(1).unwrap().number(), Some(12.0));
    assert_eq!(merged.metric(2).unwrap().label("site").as_deref(), Some("north"));
    assert!(
        rooms().merge(&MetricFamily::counter("temperature_celsius", "").build().unwrap()).is_err()
    );
}

#[test]
fn merging_turns_differing_constant_labels_into_labels() {
    let source = |name: &str| {
        MetricFamily::gauge("up", "Up.").const_label("source", name).sample([""; 0], 1.0).build()
    };
    let (merged, dropped) = source("a").unwrap().merge(&source("b").unwrap()).unwrap();
    assert_eq!((merged.len(), dropped), (2, 0));
    assert_eq!(labels(&merged, 1), [("source".into(), "b".into())]);
}

#[test]
fn filtering_keeps_whole_rows() {
    let kept = rooms().filter(|metric| metric.label("room").as_deref() == Some("cellar"));
    assert_eq!(kept.len(), 1);
    assert_eq!(labels(&kept, 0), [("room".into(), "cellar".into())]);
}

#[test]
fn relabelling_refuses_a_label_that_is_there() {
    let label = |name| Label { name: LabelName::new(name).unwrap(), value: "z".into() };
    let name = MetricName::new("app_temperature_celsius").unwrap();
    let family = rooms().relabel(name.clone(), &[label("zone")]).unwrap();
    assert_eq!(family.metric(1).unwrap().label("zone").as_deref(), Some("z"));
    assert!(rooms().relabel(name, &[label("room")]).is_err());
}

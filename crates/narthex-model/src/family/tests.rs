use super::MetricFamily;
use crate::{Column, Exemplar, Exemplars, Label, LabelName, MetricName, MetricType, Number, Value};

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

fn summary(room: &str, quantiles: &[f64]) -> MetricFamily {
    let mut builder = MetricFamily::summary("s", "S.", quantiles).label_names(["room"]);
    builder.push_summary([room], [1.5], 3, 6.0);
    builder.push_summary([""], [7.0, 8.0, 9.0], 5, 40.0);
    builder.build().unwrap()
}

#[track_caller]
fn check_summary(family: &MetricFamily, row: usize, values: [f64; 2], count: u64, sum: f64) {
    let Some(Value::Summary(summary)) = family.metric(row).map(|metric| metric.value()) else {
        panic!("a summary")
    };
    let shown: Vec<f64> = summary.quantiles().map(|(_, value)| value).collect();
    assert_eq!(format!("{shown:?}"), format!("{values:?}"));
    assert_eq!((summary.count(), summary.sum()), (count, sum));
}

#[test]
fn summaries_have_a_value_a_quantile_and_nan_where_there_is_none() {
    let family = summary("attic", &[0.5, 0.99]);
    assert_eq!(family.metric_type(), crate::MetricType::Summary);
    check_summary(&family, 0, [1.5, f64::NAN], 3, 6.0);
    check_summary(&family, 1, [7.0, 8.0], 5, 40.0);
    assert_eq!(family, summary("attic", &[0.5, 0.99]), "NaN equals NaN");
    assert_ne!(family, summary("attic", &[0.5, 0.98]));
    assert_eq!(family.metric(0).unwrap().number(), None);
}

#[test]
fn summaries_are_filtered_merged_and_relabelled() {
    let family = summary("attic", &[0.5, 0.99]);
    let kept = family.filter(|metric| metric.label("room").is_none());
    check_summary(&kept, 0, [7.0, 8.0], 5, 40.0);
    let (merged, dropped) = family.merge(&summary("cellar", &[0.5, 0.99])).unwrap();
    assert_eq!((merged.len(), dropped), (3, 1));
    check_summary(&merged, 2, [1.5, f64::NAN], 3, 6.0);
    assert!(family.merge(&summary("cellar", &[0.5])).is_err(), "other quantiles");
    let zone = Label { name: LabelName::new("zone").unwrap(), value: "z".into() };
    let name = MetricName::new("app_s").unwrap();
    check_summary(&family.relabel(name.clone(), &[zone]).unwrap(), 1, [7.0, 8.0], 5, 40.0);
    let quantile = Label { name: LabelName::new("quantile").unwrap(), value: "z".into() };
    assert!(summary("attic", &[0.5]).relabel(name, &[quantile]).is_err(), "reserved");
}

#[test]
fn summaries_may_do_without_quantiles() {
    let mut builder = MetricFamily::summary("s", "S.", &[]);
    builder.push_summary([""; 0], [], u64::MAX, -0.5);
    let family = builder.build().unwrap();
    let Some(Value::Summary(summary)) = family.metric(0).map(|metric| metric.value()) else {
        panic!("a summary")
    };
    assert_eq!(summary.quantiles().count(), 0);
    assert_eq!((summary.count(), summary.sum()), (u64::MAX, -0.5));
}

#[test]
fn mistakes_in_summaries_are_named() {
    for (quantiles, reason) in [
        (&[0.5, 1.5][..], "quantile 2 is 1.5, which is not from 0 to 1"),
        (&[-0.1], "quantile 1 is -0.1, which is not from 0 to 1"),
        (&[f64::NAN], "quantile 1 is NaN, which is not from 0 to 1"),
        (&[0.9, 0.9], "quantile 2 is 0.9, which is not above 0.9: quantiles must ascend"),
        (&[0.9, 0.5], "quantile 2 is 0.5, which is not above 0.9: quantiles must ascend"),
    ] {
        let error = MetricFamily::summary("s", "S.", quantiles).build().unwrap_err();
        assert_eq!(error.to_string(), "the quantiles of `s` cannot be used");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), reason);
    }
    let mixed = MetricFamily::summary("s", "S.", &[]).sample([""; 0], 1.0).build().unwrap_err();
    assert_eq!(mixed.to_string(), "`s` mixes histograms, summaries and numbers");
    let mut mixed = MetricFamily::gauge("g", "G.");
    mixed.push_summary([""; 0], [], 1, 1.0);
    assert!(mixed.build().is_err());
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar::new([("trace_id", "abc")], value).unwrap()
}

/// What stands beside the value of a series.
fn beside(family: &MetricFamily, index: usize) -> (Option<i64>, Option<i64>, Vec<(usize, f64)>) {
    let metric = family.metric(index).unwrap();
    let exemplars = metric.exemplars().map(|(bucket, exemplar)| (bucket, exemplar.value()));
    (metric.timestamp(), metric.created(), exemplars.collect())
}

#[test]
fn side_columns_stay_with_their_series() {
    let mut family = MetricFamily::counter("c_total", "C.").label_names(["l"]);
    family.push(["a"], 1u64);
    family.push_at(["b"], 2u64, 5000);
    family.push_created(1000);
    family.push_exemplar(exemplar(0.5));
    family.push(["c"], 3u64);
    let family = family.build().unwrap();
    assert_eq!(beside(&family, 0), (None, None, vec![]));
    assert_eq!(beside(&family, 1), (Some(5000), Some(1000), vec![(0, 0.5)]));
    assert_eq!(family.created(), Some(&[None, Some(1000), None][..]));

    let kept = family.filter(|metric| metric.label("l").as_deref() != Some("a"));
    assert_eq!(beside(&kept, 0), beside(&family, 1));
    let other = MetricFamily::counter("c_total", "C.").label_names(["l"]).sample(["d"], 1u64);
    let (merged, _) = other.build().unwrap().merge(&family).unwrap();
    assert_eq!(beside(&merged, 2), beside(&family, 1));
    let name = MetricName::new("app_c_total").unwrap();
    assert_eq!(beside(&family.clone().relabel(name, &[]).unwrap(), 1), beside(&family, 1));
    let plain = family.clone().with_exemplars(Exemplars::new()).unwrap();
    assert_ne!(plain, family);
    let never = family.clone().with_created(vec![None; 3]).unwrap();
    assert_ne!(never, family);
}

#[test]
fn an_exemplar_belongs_to_the_bucket_that_counts_its_value() {
    let mut family = MetricFamily::histogram("h", "H.", &[1.0, 2.0]);
    family.push_histogram([""; 0], [1, 1, 2], 9.0);
    for value in [1.0, 1.5, f64::NAN] {
        family.push_exemplar(exemplar(value));
    }
    let buckets: Vec<usize> =
        beside(&family.build().unwrap(), 0).2.iter().map(|(bucket, _)| *bucket).collect();
    assert_eq!(buckets, [0, 1, 2]);
}

#[test]
fn side_columns_that_belong_to_nothing_are_refused() {
    let mut early = MetricFamily::counter("c_total", "");
    early.push_created(1);
    let early = early.build().unwrap_err().to_string();
    assert_eq!(early, "`c_total` has no series yet to which this could be added");
    let mut gauge = MetricFamily::gauge("g", "").sample([""; 0], 1.0);
    gauge.push_exemplar(exemplar(1.0));
    let gauge = gauge.build().unwrap_err().to_string();
    assert_eq!(gauge, "`g` has an exemplar, which a gauge cannot have");
    let mut exemplars = Exemplars::new();
    exemplars.set(2, 0, exemplar(1.0));
    assert!(rooms().with_exemplars(exemplars).is_err());
    assert!(rooms().with_created(vec![None]).is_err());
}

#[test]
fn a_gauge_histogram_is_built_like_a_histogram() {
    let mut builder = MetricFamily::gauge_histogram("age_seconds", "Ages.", &[1.0]);
    builder.push_histogram([""; 0], [3, 1], -7.5);
    let family = builder.build().unwrap();
    assert_eq!(family.metric_type(), MetricType::GaugeHistogram);
    assert!(matches!(family.metric(0).unwrap().value(), Value::Histogram(h) if h.sum() == -7.5));
    assert!(MetricFamily::gauge_histogram("h", "H.", &[]).build().is_err());
}

#[test]
fn the_label_of_the_states_follows_the_name() {
    let family = MetricFamily::state_set("job", "What the job does.")
        .label_names(["a", "job"])
        .sample(["x", "idle"], true)
        .sample(["", "gone"], false)
        .build()
        .unwrap();
    let renamed = family.clone().relabel(MetricName::new("A_job").unwrap(), &[]).unwrap();
    assert_eq!(labels(&renamed, 0), [("A_job".into(), "idle".into()), ("a".into(), "x".into())]);
    assert_eq!(labels(&renamed, 1), [("A_job".into(), "gone".into())]);
    let label = Label { name: LabelName::new("A_job").unwrap(), value: "x".into() };
    assert_eq!(
        family.relabel(MetricName::new("A_job").unwrap(), &[label]).unwrap_err().to_string(),
        "label `A_job` of `A_job` is reserved in a stateset"
    );
    // Only the label of a state set is named as its family.
    let gauge = MetricFamily::gauge("job", "").label_names(["job"]).sample(["x"], 1.0);
    let renamed = gauge.build().unwrap().relabel(MetricName::new("a").unwrap(), &[]).unwrap();
    assert_eq!(labels(&renamed, 0), [("job".into(), "x".into())]);
}

#[test]
fn a_metric_matches_labels_it_has_and_empty_ones_it_lacks() {
    let family = rooms();
    let matches = |labels: &[(&str, &str)]| {
        family.metrics().map(|metric| metric.matches(labels)).collect::<Vec<_>>()
    };
    assert_eq!(matches(&[]), [true, true]);
    assert_eq!(matches(&[("room", "kitchen"), ("floor", "0")]), [true, false]);
    assert_eq!(matches(&[("floor", "")]), [false, true]);
    assert_eq!(matches(&[("roof", "")]), [true, true]);
    assert_eq!(matches(&[("room", "kitchen"), ("room", "cellar")]), [false, false]);
}

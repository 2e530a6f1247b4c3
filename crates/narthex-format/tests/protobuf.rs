//! Protobuf: what is in the messages, as another library reads them.

mod schema;

use narthex_core::{Counter, DynamicFamily, Registry};
use narthex_format::{Escaping, Format};
use narthex_model::{Exemplar, FamilyBuilder, MetricFamily, MetricType, Scrape};

use schema::{Bucket, LabelPair, Timestamp, decode};

const NONE: [&str; 0] = [];

fn bytes(format: Format, families: impl IntoIterator<Item = FamilyBuilder>) -> Vec<u8> {
    let families = families.into_iter().map(|family| family.build().expect("a good family"));
    let mut page = Vec::new();
    format.encode(&Scrape::new(families.collect()), &mut page);
    page
}

fn family(family: FamilyBuilder) -> schema::MetricFamily {
    let [family] = &decode(&bytes(Format::PROTOBUF, [family]))[..] else { panic!("one family") };
    family.clone()
}

fn labels(pairs: &[LabelPair]) -> Vec<(&str, &str)> {
    let pairs = pairs.iter().map(|pair| (pair.name.as_deref(), pair.value.as_deref()));
    pairs.map(|(name, value)| (name.expect("a name"), value.expect("a value"))).collect()
}

#[test]
fn a24_the_bytes_are_those_of_the_schema() {
    assert_eq!(bytes(Format::PROTOBUF, []), b"");
    let family = MetricFamily::counter("a", "b").label_names(["c"]).unit("u").sample(["d"], 1u64);
    let expected = [
        // The length of the family, its name, help and type.
        &b"\x20\x0a\x01a\x12\x01b\x18\x00"[..],
        // A metric with its label and its counter.
        b"\x22\x13\x0a\x06\x0a\x01c\x12\x01d\x1a\x09\x09\0\0\0\0\0\0\xf0\x3f",
        b"\x2a\x01u",
    ];
    assert_eq!(bytes(Format::PROTOBUF, [family]), expected.concat());
}

#[test]
fn a24_families_without_series_have_their_head() {
    let read = family(MetricFamily::counter("a_total", "").label_names(["l"]));
    assert_eq!(read.name.as_deref(), Some("a_total"));
    assert_eq!((read.help, read.metric_type, read.unit), (None, Some(0), None));
    assert!(read.metric.is_empty());
}

#[test]
fn a24_labels_are_sorted_with_the_constant_ones() {
    let read = family(
        MetricFamily::gauge("g", "")
            .label_names(["p", "m"])
            .const_label("z", "C:\\DIR\n\"x\"")
            .const_label("a", "1")
            .sample(["/x\\", ""], 0.5)
            .sample(["/y", "get"], f64::NEG_INFINITY),
    );
    let zone = ("z", "C:\\DIR\n\"x\"");
    assert_eq!(labels(&read.metric[0].label), [("a", "1"), ("p", "/x\\"), zone]);
    assert_eq!(labels(&read.metric[1].label), [("a", "1"), ("m", "get"), ("p", "/y"), zone]);
    let values = read.metric.iter().map(|metric| metric.gauge.as_ref()?.value);
    assert_eq!(values.collect::<Vec<_>>(), [Some(0.5), Some(f64::NEG_INFINITY)]);
}

/// A family remembers the length that its message had.
#[test]
fn a24_the_length_is_that_of_the_series_of_the_moment() {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("c_total", "Counts.")
        .label_names(["l"])
        .const_label("zone.name", "a")
        .utf8_names()
        .register(&registry)
        .unwrap();
    let check = |expected: &[&str]| {
        // The name of the constant label has another length in each.
        for escaping in [Escaping::AllowUtf8, Escaping::Values, Escaping::AllowUtf8] {
            let mut page = Vec::new();
            Format::Protobuf { escaping }.write(&registry, &mut page).unwrap();
            let [read] = &decode(&page)[..] else { panic!("one family") };
            let own = |metric: &schema::Metric| labels(&metric.label)[0].1.to_owned();
            let mut values: Vec<_> = read.metric.iter().map(own).collect();
            values.sort();
            assert_eq!(values, expected);
        }
    };
    let long = "x".repeat(200);
    family.with(&["a"]).unwrap().inc();
    check(&["a"]);
    family.with(&["bb"]).unwrap().inc();
    check(&["a", "bb"]);
    family.remove(&["a"]).unwrap();
    check(&["bb"]);
    family.with(&[&long]).unwrap().inc();
    check(&["bb", &long]);
    family.remove(&["bb"]).unwrap();
    family.with(&["dddd"]).unwrap().inc();
    check(&["dddd", &long]);
}

#[test]
fn a24_every_type_has_its_field_or_the_nearest() {
    for (metric_type, number) in [
        (MetricType::Counter, 0),
        (MetricType::Gauge, 1),
        (MetricType::Info, 1),
        (MetricType::StateSet, 1),
        (MetricType::Unknown, 3),
        (MetricType::Histogram, 3),
        (MetricType::Summary, 3),
    ] {
        let read = family(FamilyBuilder::new(metric_type, "a", "").sample(NONE, 1u64));
        let [metric] = &read.metric[..] else { panic!("one metric") };
        let fields = [&metric.counter, &metric.gauge, &None, &metric.untyped];
        for (field, value) in fields.iter().enumerate() {
            let expected = (field as i32 == number).then_some(1.0);
            assert_eq!(value.as_ref().and_then(|v| v.value), expected, "{metric_type}");
        }
        assert_eq!(read.metric_type, Some(number), "{metric_type}");
    }
}

#[test]
fn a24_histograms_have_cumulative_buckets_up_to_infinity() {
    for (built, number) in [
        (MetricFamily::histogram("h", "", &[0.5, 2.0]), 4),
        (MetricFamily::gauge_histogram("h", "", &[0.5, 2.0]), 5),
    ] {
        let mut built = built.label_names(["l"]);
        built.push_histogram(["v"], [1, 0, 300], -7.25);
        let read = family(built);
        assert_eq!(read.metric_type, Some(number));
        let histogram = read.metric[0].histogram.as_ref().expect("a histogram");
        assert_eq!((histogram.sample_count, histogram.sample_sum), (Some(301), Some(-7.25)));
        let bucket = |upper_bound, cumulative_count| Bucket {
            cumulative_count: Some(cumulative_count),
            upper_bound: Some(upper_bound),
            exemplar: None,
        };
        let expected = [bucket(0.5, 1), bucket(2.0, 1), bucket(f64::INFINITY, 301)];
        assert_eq!(histogram.bucket, expected);
    }
}

#[test]
fn a24_summaries_have_their_quantiles() {
    let mut built = MetricFamily::summary("s", "", &[0.5, 0.99]).label_names(["l"]);
    built.push_summary(["v"], [1.5, 2.5], 3, 6.0);
    built.push_created(-1);
    let read = family(built);
    assert_eq!(read.metric_type, Some(2));
    let summary = read.metric[0].summary.as_ref().expect("a summary");
    assert_eq!((summary.sample_count, summary.sample_sum), (Some(3), Some(6.0)));
    let quantiles = summary.quantile.iter().map(|q| (q.quantile, q.value));
    let expected = [(Some(0.5), Some(1.5)), (Some(0.99), Some(2.5))];
    assert_eq!(quantiles.collect::<Vec<_>>(), expected);
    assert_eq!(summary.created, Some(Timestamp { seconds: Some(-1), nanos: Some(999_000_000) }));
}

#[test]
fn b29_counters_have_timestamps_creation_times_and_exemplars() {
    let mut built = MetricFamily::counter("a_total", "").label_names(["l"]);
    built.push_at(["v"], u64::MAX, -2);
    built.push_created(1_395_060_000_500);
    built.push_exemplar(Exemplar::new([("trace.id", "x")], 0.5).expect("short").at(2_000));
    built.push(["w"], 1u64);
    let read = family(built);
    assert_eq!(read.metric[0].timestamp_ms, Some(-2));
    let counter = read.metric[0].counter.as_ref().expect("a counter");
    assert_eq!(counter.value, Some(u64::MAX as f64));
    let created = Timestamp { seconds: Some(1_395_060_000), nanos: Some(500_000_000) };
    assert_eq!(counter.created, Some(created));
    let exemplar = counter.exemplar.as_ref().expect("an exemplar");
    assert_eq!(labels(&exemplar.label), [("trace_id", "x")]);
    assert_eq!(exemplar.timestamp, Some(Timestamp { seconds: Some(2), nanos: None }));
    let plain = read.metric[1].counter.as_ref().expect("a counter");
    assert_eq!((&plain.exemplar, plain.created, read.metric[1].timestamp_ms), (&None, None, None));
}

#[test]
fn b32_exemplars_belong_to_their_bucket() {
    let mut built = MetricFamily::histogram("h", "", &[1.0]);
    built.push_histogram(NONE, [0, 1], 2.0);
    built.push_created(1_000);
    built.push_exemplar(Exemplar::new([("id", "x")], 2.0).expect("short"));
    let read = family(built);
    let histogram = read.metric[0].histogram.as_ref().expect("a histogram");
    assert_eq!(histogram.bucket[0].exemplar, None);
    assert_eq!(histogram.bucket[1].exemplar.as_ref().and_then(|e| e.value), Some(2.0));
    assert_eq!(histogram.created, Some(Timestamp { seconds: Some(1), nanos: None }));
}

#[test]
fn a17_names_are_escaped_as_the_scraper_asks() {
    for (escaping, name, label) in [
        (Escaping::AllowUtf8, "http.requests_total", "svc.name"),
        (Escaping::Underscores, "http_requests_total", "svc_name"),
        (Escaping::Dots, "http_dot_requests__total", "svc_dot_name"),
        (Escaping::Values, "U__http_2e_requests__total", "U__svc_2e_name"),
    ] {
        let family = MetricFamily::counter("http.requests_total", "").utf8_names();
        let family = family.label_names(["svc.name"]).sample(["x"], 1u64);
        let read = &decode(&bytes(Format::Protobuf { escaping }, [family]))[0];
        assert_eq!(read.name.as_deref(), Some(name));
        assert_eq!(labels(&read.metric[0].label), [(label, "x")]);
    }
}

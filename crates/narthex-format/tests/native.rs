//! Native histograms in each format.

use narthex_core::{Histogram, NativeLimits, Registry};
use narthex_format::Format;
use narthex_format::parse::{Mode, Syntax, parse};
use narthex_model::{
    Bounds, Exemplar, FamilyBuilder, MetricFamily, MetricType, NativeBuckets, NativeHistogram,
    Schema, Scrape, Span, ZeroBucket,
};
use narthex_test::conformance;
use serde_json::Value;

fn page(format: Format, family: MetricFamily) -> Vec<u8> {
    let mut page = Vec::new();
    format.encode(&Scrape::new(vec![family]), &mut page);
    page
}

fn text(format: Format, family: MetricFamily) -> String {
    String::from_utf8(page(format, family)).expect("a page is UTF-8")
}

fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().expect("a number"),
        value => value.as_f64().expect("a number"),
    }
}

/// Decodes standard Base64.
fn decode(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bytes, mut bits, mut len) = (Vec::new(), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | u32::from(digit(c));
        len += 6;
        if len >= 8 {
            len -= 8;
            bytes.push((bits >> len) as u8);
        }
    }
    bytes
}

#[test]
fn a24_native_histograms_are_written_as_client_golang_writes_them() {
    let Some(folder) = conformance("native_histograms") else { return };
    let cases = std::fs::read_to_string(folder.join("proto_vectors.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_str(&cases).expect("the cases are a list");
    let mut ours = 0;
    for case in &cases {
        let observations = case["observations"].as_array().map_or(&[][..], Vec::as_slice);
        if observations.iter().any(|value| value == "NaN") {
            // Refused by our instruments, so that it cannot poison the sum.
            continue;
        }
        let registry = Registry::new();
        let limits = NativeLimits::none().max_zero_threshold(float(&case["max_zero_threshold"]));
        let limits = match case["max_buckets"].as_u64().expect("a number") {
            0 => limits,
            most => limits.max_buckets(most as usize),
        };
        let builder = Histogram::builder("nh", "native").native(float(&case["bucket_factor"]));
        // As in `client_golang`, 0 stands for the default there and -1 for 0.
        let builder = match float(&case["zero_threshold_option"]) {
            0.0 => builder,
            threshold => builder.zero_threshold(threshold.max(0.0)),
        };
        let histogram = builder.native_limits(limits).register(&registry).expect("a histogram");
        observations.iter().for_each(|value| histogram.observe(float(value)));
        let family = registry.gather().into_families().remove(0);
        let family = family.with_created(vec![Some(1_700_000_000_123)]).expect("one series");
        let expected = decode(case["metric_family_delimited_base64"].as_str().expect("text"));
        assert_eq!(page(Format::PROTOBUF, family), expected, "{case}");
        ours += 1;
    }
    assert_eq!(ours, 9);
}

/// A histogram of 0.75 and 3, each observed twice.
fn family(bounds: &[f64]) -> MetricFamily {
    let mut family = MetricFamily::native_histogram("h", "H.", bounds);
    let positive = NativeBuckets::from_counts([(0, 2), (2, 2)]);
    let schema = Schema::new(0).expect("a schema");
    let (zero, negative) = (ZeroBucket::default(), NativeBuckets::default());
    let native = NativeHistogram::new(schema, zero, positive, negative, 4, 7.5);
    family.push_native_histogram([""; 0], [2], native.expect("a histogram"));
    let exemplar = |value| Exemplar::new([("id", "x")], value).expect("an exemplar").at(1000);
    family.push_exemplar(exemplar(0.75));
    family.push_exemplar(exemplar(3.0));
    family.build().expect("a family")
}

#[test]
fn texts_show_the_classic_buckets() {
    assert_eq!(
        text(Format::TEXT, family(&[1.0])),
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\n\
         h_sum 7.5\nh_count 4\n"
    );
    assert_eq!(
        text(Format::OPEN_METRICS, family(&[1.0])),
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 2 # {id=\"x\"} 0.75 1.000\n\
         h_bucket{le=\"+Inf\"} 4 # {id=\"x\"} 3.0 1.000\nh_sum 7.5\nh_count 4\n# EOF\n"
    );
}

#[test]
fn texts_show_infinity_alone_where_there_are_no_classic_buckets() {
    assert_eq!(
        text(Format::TEXT, family(&[])),
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 4\nh_sum 7.5\nh_count 4\n"
    );
}

#[test]
fn protobuf_has_both_kinds_of_buckets() {
    let has = |page: &[u8], part: &[u8]| page.windows(part.len()).any(|window| window == part);
    let (both, native) =
        (page(Format::PROTOBUF, family(&[1.0])), page(Format::PROTOBUF, family(&[])));
    // Two spans: bucket 0, two empty ones would be none; deltas 2, -2, 2.
    let buckets = [&[0x62, 4, 0x08, 0, 0x10, 3][..], &[0x68, 4, 0x68, 3, 0x68, 4]].concat();
    assert!(has(&both, &buckets) && has(&native, &buckets));
    // A classic bucket of two up to 1, and the exemplars of a histogram that has none.
    let mut classic = vec![0x08, 2, 0x11];
    classic.extend(1.0_f64.to_le_bytes());
    assert!(has(&both, &classic) && !has(&native, &classic));
    let exemplar = [0x82, 0x01, 0x16, 0x0a, 7, 0x0a, 2, b'i', b'd', 0x12, 1, b'x'];
    assert!(has(&native, &exemplar) && !has(&both, &exemplar));
}

/// The histogram of a case as one with classic buckets, which is what a page has for it: bounds, and
/// a count for each. `None` where there is no such histogram.
fn with_custom_buckets(case: &Value) -> Option<MetricFamily> {
    let histogram = &case["nhcb"];
    let list = |key: &str| histogram[key].as_array().map_or(&[][..], Vec::as_slice);
    let span = |span: &Value| Span {
        offset: span["Offset"].as_i64().expect("an offset") as i32,
        length: span["Length"].as_u64().expect("a length") as u32,
    };
    let spans = list("PositiveSpans").iter().map(span).collect();
    let buckets = match histogram["_type"] == "*histogram.Histogram" {
        true => {
            let deltas = list("PositiveBuckets").iter();
            NativeBuckets::from_deltas(spans, deltas.map(|n| n.as_i64().expect("a difference")))
        }
        false => {
            let counts = list("PositiveBuckets").iter();
            NativeBuckets::new(spans, counts.map(|n| n.as_u64().expect("a count")).collect())
        }
    };
    let bounds: Vec<f64> = list("CustomValues").iter().map(float).collect();
    let bounds = if bounds.is_empty() { Bounds::none() } else { Bounds::new(&bounds).ok()? };
    let mut counts = vec![0; bounds.buckets()];
    for (index, count) in buckets.ok()?.iter() {
        *counts.get_mut(usize::try_from(index).ok()?)? = count;
    }
    let mut labels = case["labels"].as_object().expect("labels").clone();
    let name = labels.remove("__name__").unwrap_or_default();
    let mut family =
        FamilyBuilder::new(MetricType::Histogram, name.as_str().unwrap_or_default(), "")
            .histograms(bounds)
            .label_names(labels.keys());
    let values = labels.values().map(|value| value.as_str().expect("text"));
    family.push_histogram(values, counts, float(&histogram["Sum"]));
    family.build().ok()
}

#[test]
fn histograms_with_custom_buckets_are_written_as_the_server_makes_classic_ones_of_them() {
    /// Upstream adds the count before a gap for each bucket of the gap again: 53 of 35 observations.
    const DEFECT: &str = "sparse histogram";
    /// Not histograms with custom buckets at all.
    const OTHERS: [&str; 2] = ["unsupported histogram type", "exponential histogram"];
    let Some(folder) = conformance("native_histograms") else { return };
    let cases = std::fs::read_to_string(folder.join("model_nhcb_to_classic.json"));
    let cases: Vec<Value> = serde_json::from_str(&cases.expect("the cases")).expect("a list");
    let mut compared = 0;
    for case in &cases {
        let name = case["name"].as_str().expect("a name");
        if OTHERS.contains(&name) {
            continue;
        }
        let family = with_custom_buckets(case);
        assert_eq!(family.is_none(), case["expectErr"] == true, "{case}");
        let Some(family) = family else { continue };
        let page = text(Format::OPEN_METRICS, family);
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let mut written: Vec<(String, f64)> = lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
            .collect();
        let mut expected: Vec<_> =
            case["expected"].as_array().expect("series").iter().map(series).collect();
        written.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(written == expected, name != DEFECT, "{name}: {written:?}, {expected:?}");
        compared += 1;
    }
    assert_eq!((compared, cases.len()), (9, 13));
}

/// A series of a case as it stands on a page, and its value.
fn series(series: &Value) -> (String, f64) {
    let labels = series["lset"].as_object().expect("labels");
    let (name, own): (Vec<_>, Vec<_>) = labels.iter().partition(|(label, _)| *label == "__name__");
    let own: Vec<_> = own.iter().map(|(label, value)| format!("{label}={value}")).collect();
    let own = if own.is_empty() { String::new() } else { format!("{{{}}}", own.join(",")) };
    (format!("{}{own}", name[0].1.as_str().expect("a name")), float(&series["val"]))
}

fn parsed(syntax: Syntax, page: &[u8]) -> Scrape {
    parse(syntax, page, Mode::Strict).expect("a good page")
}

#[test]
fn a24_native_histograms_of_client_golang_are_read_and_written_back_byte_by_byte() {
    let Some(folder) = conformance("native_histograms") else { return };
    let cases = std::fs::read_to_string(folder.join("proto_vectors.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_str(&cases).expect("the cases are a list");
    for case in &cases {
        let page = decode(case["metric_family_delimited_base64"].as_str().expect("text"));
        let scrape = parsed(Syntax::Protobuf, &page);
        assert_eq!(scrape.problems(), []);
        for format in [Format::PROTOBUF, Format::Json] {
            let mut written = Vec::new();
            format.encode(&scrape, &mut written);
            let read = parsed(format.into(), &written);
            assert_eq!(read, scrape, "{case}");
            if format == Format::PROTOBUF {
                assert_eq!(written, page, "{case}");
            }
        }
    }
    assert_eq!(cases.len(), 10);
}

#[test]
fn json_has_both_kinds_of_buckets() {
    let json: Value = serde_json::from_str(&text(Format::Json, family(&[]))).expect("JSON");
    assert_eq!(
        json["families"][0]["metrics"][0]["histogram"],
        serde_json::json!({
            "count": 4, "sum": 7.5, "buckets": [{"le": "+Inf", "count": 4}],
            "native": {
                "schema": 0, "zero_threshold": ZeroBucket::DEFAULT_THRESHOLD, "zero_count": 0,
                "positive": {"spans": [{"offset": 0, "length": 3}], "counts": [2, 0, 2]}
            },
            "exemplars": [
                {"labels": {"id": "x"}, "value": 0.75, "timestamp": 1000},
                {"labels": {"id": "x"}, "value": 3.0, "timestamp": 1000}
            ]
        })
    );
}

#[test]
fn all_exemplars_are_read_back() {
    for bounds in [&[][..], &[1.0]] {
        let scrape = Scrape::new(vec![family(bounds)]);
        for format in [Format::PROTOBUF, Format::Json] {
            let mut page = Vec::new();
            format.encode(&scrape, &mut page);
            assert_eq!(parsed(format.into(), &page), scrape, "{format:?} {bounds:?}");
        }
    }
}

/// A page of a histogram with a classic bucket up to 1 and the given native fields.
fn histogram_page(native: &[&[u8]]) -> Vec<u8> {
    let classic = [&[0x08, 4, 0x11][..], &7.5_f64.to_le_bytes(), &[0x1a, 11, 0x08, 2, 0x11]];
    let classic = [&classic.concat()[..], &1.0_f64.to_le_bytes()].concat();
    let histogram = [&classic[..], &native.concat()].concat();
    let metric = [&[0x3a, histogram.len() as u8][..], &histogram].concat();
    let family = [&[0x0a, 1, b'h', 0x18, 4, 0x22, metric.len() as u8][..], &metric].concat();
    [&[family.len() as u8][..], &family].concat()
}

#[test]
fn counts_may_be_differences_in_a_row_or_packed_or_floats() {
    let expected = Scrape::new(vec![{
        let mut family = MetricFamily::native_histogram("h", "", &[1.0]);
        let positive = NativeBuckets::from_counts([(0, 2), (2, 2)]);
        let (schema, zero) = (Schema::new(0), ZeroBucket { threshold: 0.0, count: 0 });
        let (schema, negative) = (schema.expect("a schema"), NativeBuckets::default());
        let native = NativeHistogram::new(schema, zero, positive, negative, 4, 7.5);
        family.push_native_histogram([""; 0], [2], native.expect("a histogram"));
        family.build().expect("a family")
    }]);
    let span: &[u8] = &[0x62, 4, 0x08, 0, 0x10, 3];
    let two = 2.0_f64.to_le_bytes();
    let floats = [&[0x72, 24][..], &two, &[0; 8], &two].concat();
    for counts in [&[0x68, 4, 0x68, 3, 0x68, 4][..], &[0x6a, 3, 4, 3, 4], &floats] {
        let scrape = parsed(Syntax::Protobuf, &histogram_page(&[span, counts]));
        assert_eq!(scrape, expected, "{counts:x?}");
    }
}

#[test]
fn what_the_model_cannot_hold_leaves_the_classic_buckets_and_is_told_of() {
    let span: &[u8] = &[0x62, 4, 0x08, 0, 0x10, 1];
    let half = [&[0x71][..], &0.5_f64.to_le_bytes()].concat();
    for (native, reason) in [
        (vec![span, &[0x68, 4]], "the count is 4, but the buckets have 2 observations"),
        (vec![span, &[0x68, 3]], "the count of bucket 1 is not a count"),
        (vec![span], "the spans have 1 buckets, but there are 0 counts"),
        (vec![span, &half], "0.5 is not a whole count"),
        (
            vec![span, &[0x28, 105, 0x68, 8]],
            "-53 is not a schema with exponential buckets, which are -4 to 8",
        ),
    ] {
        let scrape = parsed(Syntax::Protobuf, &histogram_page(&native));
        let problems: Vec<_> = scrape.problems().iter().map(ToString::to_string).collect();
        let expected = "family `h` is there in part: the native buckets of 1 series are left out";
        assert_eq!(problems, [format!("{expected}: {reason}")]);
        let Some(narthex_model::Value::Histogram(classic)) =
            scrape.families()[0].metric(0).map(|metric| metric.value())
        else {
            panic!("{scrape:?}")
        };
        assert_eq!((classic.counts(), classic.sum()), (&[2, 2][..], 7.5));
    }
}

#[test]
fn where_one_series_is_native_only_classic_buckets_are_common_to_all() {
    let page = r#"{"families": [{"name": "h", "type": "histogram", "metrics": [
        {"labels": {"a": "1"}, "histogram": {"count": 1, "sum": 1, "buckets": [],
            "native": {"schema": 0, "zero_threshold": 0, "zero_count": 1}}},
        {"labels": {"a": "2"}, "histogram": {"count": 1, "sum": 1, "buckets": []}}
    ]}]}"#;
    let scrape = parsed(Syntax::Json, page.as_bytes());
    assert_eq!(scrape.families()[0].len(), 2);
    assert_eq!(
        scrape.problems()[0].to_string(),
        "family `h` is there in part: the native buckets of 1 series are left out: its series \
         differ in buckets"
    );
}

#[test]
fn exemplars_of_the_whole_histogram_go_to_buckets_that_have_none() {
    let page = |buckets: &str| {
        format!(
            r#"{{"families": [{{"name": "h", "type": "histogram", "metrics": [{{"histogram": {{
                "count": 2, "sum": 3, "buckets": [{buckets}],
                "native": {{"schema": 0, "zero_threshold": 0, "zero_count": 2}},
                "exemplars": [{{"value": 9}}, {{"value": 0.5}}, {{"value": 0.25}}, {{"value": 8}}]
            }}}}]}}]}}"#
        )
    };
    let exemplars = |buckets: &str| -> Vec<(usize, f64)> {
        let scrape = parsed(Syntax::Json, page(buckets).as_bytes());
        let metric = scrape.families()[0].metric(0).expect("a metric");
        metric.exemplars().map(|(bucket, exemplar)| (bucket, exemplar.value())).collect()
    };
    assert_eq!(exemplars(""), [(0, 9.0), (1, 0.5), (2, 0.25), (3, 8.0)]);
    assert_eq!(exemplars(r#"{"le": 1, "count": 0}"#), [(0, 0.5), (1, 9.0)]);
    let own = r#"{"le": 1, "count": 0, "exemplar": {"value": 0.75}}, {"le": "+Inf", "count": 2}"#;
    assert_eq!(exemplars(own), [(0, 0.75), (1, 9.0)]);
}

#[test]
fn very_many_exemplars_cost_no_more_than_each_is_worth() {
    let exemplars = vec![r#"{"value": 1}"#; 200_000].join(",");
    let page = format!(
        r#"{{"families": [{{"name": "h", "type": "histogram", "metrics": [{{"histogram": {{
            "count": 2, "sum": 3, "buckets": [],
            "native": {{"schema": 0, "zero_threshold": 0, "zero_count": 2}},
            "exemplars": [{exemplars}]
        }}}}]}}]}}"#
    );
    let scrape = parsed(Syntax::Json, page.as_bytes());
    let mut written = Vec::new();
    Format::PROTOBUF.encode(&scrape, &mut written);
    assert_eq!(parsed(Syntax::Protobuf, &written), scrape);
}

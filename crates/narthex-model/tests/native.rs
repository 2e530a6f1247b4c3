//! Native histograms beside Prometheus and `client_golang`: the cases lie in the folder that
//! `NARTHEX_CONFORMANCE` names.
//!
//! Not ours are histograms with custom buckets, which no page can have but as classic ones, and
//! counts that are not whole numbers.

use std::path::PathBuf;

use narthex_model::{
    Bounds, FamilyBuilder, MetricType, NativeBucket, NativeBuckets, NativeHistogram,
    NativeHistogramError, Schema, Span, ZeroBucket,
};
use narthex_test::conformance;
use serde_json::Value;

fn file(name: &str) -> Option<PathBuf> {
    conformance("native_histograms").map(|folder| folder.join(name))
}

fn table(name: &str) -> Option<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(file(name)?).expect("the table is there");
    let rows = text.lines().skip(1);
    Some(rows.map(|row| row.split('\t').map(str::to_owned).collect()).collect())
}

fn cases(name: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(file(name)?).expect("the cases are there");
    Some(serde_json::from_str(&text).expect("the cases are a list"))
}

fn schema(text: &str) -> Schema {
    Schema::new(text.parse().expect("a number")).expect("a schema")
}

fn bits(text: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(text, 16).expect("bits are hexadecimal"))
}

fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().expect("a number"),
        value => value.as_f64().expect("a number"),
    }
}

fn int(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn spans(value: &Value) -> Vec<Span> {
    let span = |span: &Value| Span {
        offset: int(&span["Offset"]) as i32,
        length: int(&span["Length"]) as u32,
    };
    list(value).iter().map(span).collect()
}

/// Whether the counts of a case are differences, as in integer histograms.
#[derive(Clone, Copy, PartialEq)]
enum Counts {
    Deltas,
    Absolute,
}

fn buckets(
    histogram: &Value,
    side: &str,
    counts: Counts,
) -> Result<NativeBuckets, NativeHistogramError> {
    let spans = spans(&histogram[format!("{side}Spans")]);
    let given = list(&histogram[format!("{side}Buckets")]).iter();
    match counts {
        Counts::Deltas => NativeBuckets::from_deltas(spans, given.map(int)),
        Counts::Absolute => NativeBuckets::new(spans, given.map(|c| int(c) as u64).collect()),
    }
}

fn is_ours(histogram: &Value) -> bool {
    let counts = ["PositiveBuckets", "NegativeBuckets"].map(|side| list(&histogram[side]));
    int(&histogram["Schema"]) >= -4
        && histogram["CustomValues"].is_null()
        && counts.iter().all(|side| side.iter().all(Value::is_i64))
}

/// The histogram of a case, most of which leave its count at 0.
fn histogram(case: &Value, counts: Counts) -> Result<NativeHistogram, NativeHistogramError> {
    let (positive, negative) =
        (buckets(case, "Positive", counts)?, buckets(case, "Negative", counts)?);
    let zero = ZeroBucket {
        threshold: float(&case["ZeroThreshold"]),
        count: int(&case["ZeroCount"]) as u64,
    };
    let schema = Schema::new(int(&case["Schema"]) as i32).expect("a schema");
    let in_buckets = positive.counts().iter().chain(negative.counts()).sum::<u64>();
    let count = in_buckets + zero.count;
    NativeHistogram::new(schema, zero, positive, negative, count, float(&case["Sum"]))
}

#[test]
fn bounds_are_those_of_the_server() {
    let Some(rows) = table("bounds.tsv") else { return };
    for row in &rows {
        let index = row[1].parse().expect("an index");
        let bound = schema(&row[0]).upper_bound(index);
        assert_eq!(bound.to_bits(), bits(&row[2]).to_bits(), "{row:?}");
    }
    assert!(rows.len() > 500);
    for (name, index) in [("get_bound.json", "idx"), ("get_le.json", "key")] {
        let cases = cases(name).expect("it lies beside the others");
        for case in &cases {
            let schema = Schema::new(int(&case["schema"]) as i32).expect("a schema");
            assert_eq!(
                schema.upper_bound(int(&case[index]) as i32),
                float(&case["want"]),
                "{case}"
            );
        }
        assert_eq!(cases.len(), 15);
    }
}

#[test]
fn observations_are_in_the_buckets_of_client_golang() {
    let Some(rows) = table("observe_index.tsv") else { return };
    let mut indexed = 0;
    for row in &rows {
        let value = bits(&row[1]);
        match &*row[3] {
            "zero" => assert_eq!(value, 0.0),
            "none" => assert!(value.is_nan()),
            side => {
                assert_eq!(side == "negative", value < 0.0);
                assert_eq!(schema(&row[0]).bucket(value.abs()).to_string(), row[4], "{row:?}");
                indexed += 1;
            }
        }
    }
    assert!(indexed > 400);
}

#[test]
fn factors_lead_to_the_schemas_of_client_golang() {
    let Some(rows) = table("factor_to_schema.tsv") else { return };
    for row in &rows {
        let factor = row[0].parse().expect("a number");
        assert_eq!(Schema::for_factor(factor), Some(schema(&row[1])), "{row:?}");
    }
    assert_eq!(rows.len(), 48);
}

#[test]
fn spans_may_be_cut_in_several_ways() {
    let Some(cases) = cases("spec_span_examples.json") else { return };
    let case = &cases[0];
    let populated = case["positive_buckets_index_to_population"].as_object().expect("a map");
    let mut populated: Vec<(i32, u64)> = populated
        .iter()
        .map(|(index, count)| (index.parse().expect("an index"), int(count) as u64))
        .collect();
    populated.sort_unstable();
    let expected = NativeBuckets::from_counts(populated);
    let encodings = list(&case["valid_encodings"]);
    for encoding in encodings {
        let span =
            |span: &Value| Span { offset: int(&span[0]) as i32, length: int(&span[1]) as u32 };
        let spans = list(&encoding["spans"]).iter().map(span).collect();
        let buckets = NativeBuckets::from_deltas(spans, list(&encoding["deltas"]).iter().map(int));
        assert_eq!(buckets.expect("a valid encoding").compact(2), expected);
    }
    assert_eq!(encodings.len(), 3);
}

#[test]
fn histograms_are_checked_as_the_server_does() {
    let Some(cases) = cases("model_validation.json") else { return };
    let mut ours = 0;
    for case in &cases {
        let h = &case["h"];
        // A bound of an exponential histogram, and a schema that there is not: not expressible.
        if !is_ours(h) || int(&h["Schema"]) > 8 {
            continue;
        }
        let checked = buckets(h, "Positive", Counts::Deltas).and_then(|positive| {
            let negative = buckets(h, "Negative", Counts::Deltas)?;
            let zero = ZeroBucket {
                threshold: float(&h["ZeroThreshold"]),
                count: int(&h["ZeroCount"]) as u64,
            };
            let schema = Schema::new(int(&h["Schema"]) as i32).expect("a schema");
            let (count, sum) = (int(&h["Count"]) as u64, float(&h["Sum"]));
            NativeHistogram::new(schema, zero, positive, negative, count, sum)
        });
        assert_eq!(checked.is_ok(), case["errMsg"] == "", "{case}: {checked:?}");
        ours += 1;
    }
    assert_eq!(ours, 13);
}

#[test]
fn buckets_are_shown_with_their_bounds() {
    let Some(cases) = cases("model_regular_buckets.json") else { return };
    let expected = |case: &Value, side: &str| -> Vec<NativeBucket> {
        let bucket = |bucket: &Value| NativeBucket {
            lower: float(&bucket["Lower"]),
            upper: float(&bucket["Upper"]),
            count: int(&bucket["Count"]) as u64,
        };
        list(&case[format!("expected{side}Buckets")]).iter().map(bucket).collect()
    };
    let mut ours = 0;
    for case in cases.iter().filter(|case| is_ours(&case["histogram"])) {
        // Two cases have counts without buckets, which are refused.
        let Ok(histogram) = histogram(&case["histogram"], Counts::Deltas) else { continue };
        let positive: Vec<_> = histogram.positive_buckets().collect();
        assert_eq!(positive, expected(case, "Positive"), "{case}");
        let negative: Vec<_> = histogram.negative_buckets().collect();
        assert_eq!(negative, expected(case, "Negative"), "{case}");
        ours += 1;
    }
    assert_eq!(ours, 7);
}

#[test]
fn all_buckets_are_walked_from_below_to_above() {
    let Some(cases) = cases("model_float_all_buckets.json") else { return };
    for case in &cases {
        let histogram = histogram(&case["h"], Counts::Absolute).expect("a good histogram");
        // As upstream's test has it: the sides one after the other, cut where zero's bucket ends.
        let ZeroBucket { threshold, count } = histogram.zero();
        let mut expected: Vec<_> = histogram.negative_buckets().collect();
        assert_eq!(!expected.is_empty(), case["includeNeg"] == true, "{case}");
        expected.reverse();
        expected.iter_mut().for_each(|bucket| bucket.upper = bucket.upper.min(-threshold));
        if case["includeZero"] == true {
            expected.push(NativeBucket { lower: -threshold, upper: threshold, count });
        }
        let positive: Vec<_> = histogram.positive_buckets().collect();
        assert_eq!(!positive.is_empty(), case["includePos"] == true, "{case}");
        expected.extend(positive.into_iter().map(|bucket| {
            let lower = bucket.lower.max(threshold);
            NativeBucket { lower, ..bucket }
        }));
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), expected, "{case}");
        let ascending = histogram.buckets().is_sorted_by(|a, b| a.upper <= b.lower);
        assert!(ascending, "{case}");
    }
    assert_eq!(cases.len(), 7);
}

#[test]
fn histograms_are_shown_as_the_server_shows_them() {
    let Some(cases) = cases("model_string.json") else { return };
    let mut ours = 0;
    for case in cases.iter().filter(|case| is_ours(&case["histogram"])) {
        let histogram = histogram(&case["histogram"], Counts::Deltas).expect("a good histogram");
        // The server also shows a count that is not that of the buckets, which is refused here.
        let expected = case["expectedString"].as_str().expect("a text");
        let expected = expected.replace("{count:9,", "{count:21,");
        assert_eq!(histogram.to_string(), expected);
        ours += 1;
    }
    assert_eq!(ours, 3);
}

#[test]
fn numbers_are_shown_as_the_server_shows_them() {
    let Some(folder) = conformance("numbers") else { return };
    let text = std::fs::read_to_string(folder.join("float_format.tsv")).expect("the table");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|row| row.split('\t').collect()).collect();
    for row in &rows {
        let (zero, none) = (ZeroBucket::default(), NativeBuckets::default);
        let histogram = NativeHistogram::new(Schema::FINEST, zero, none(), none(), 0, bits(row[0]));
        let shown = histogram.expect("it is empty").to_string();
        assert_eq!(shown, format!("{{count:0, sum:{}}}", row[1]), "{row:?}");
    }
    assert!(rows.len() > 200);
}

#[test]
fn classic_histograms_are_one_family_where_their_bounds_match() {
    let Some(cases) = cases("model_custom_bounds_match.json") else { return };
    for case in &cases {
        let family = |key: &str| {
            let bounds: Vec<_> = list(&case[key]).iter().map(float).collect();
            let bounds = match &bounds[..] {
                [] => Bounds::none(),
                bounds => Bounds::new(bounds).expect("good bounds"),
            };
            let counts = vec![1; bounds.buckets()];
            let family = FamilyBuilder::new(MetricType::Histogram, "h", "");
            let mut family = family.histograms(bounds).label_names(["bounds"]);
            family.push_histogram([key], counts, 1.0);
            family.build().expect("a good family")
        };
        let merged = family("c1").merge(&family("c2"));
        let merged = merged.ok().map(|(both, dropped)| (both.len(), dropped));
        assert_eq!(merged, (case["want"] == true).then_some((2, 0)), "{case}");
    }
    assert_eq!(cases.len(), 8);
}

#[test]
fn buckets_are_added_up() {
    let Some(cases) = cases("model_cumulative_buckets.json") else { return };
    let mut ours = 0;
    for case in cases.iter().filter(|case| is_ours(&case["histogram"])) {
        // Two cases have counts without buckets, which are refused.
        let Ok(histogram) = histogram(&case["histogram"], Counts::Deltas) else { continue };
        let shown: Vec<_> = histogram.cumulative_buckets().map(|b| (b.upper, b.count)).collect();
        // The server also shows the buckets between spans, in which nothing changes.
        let mut expected: Vec<_> = list(&case["expectedBuckets"])
            .iter()
            .map(|bucket| (float(&bucket["Upper"]), int(&bucket["Count"]) as u64))
            .collect();
        expected.dedup_by_key(|(_, count)| *count);
        assert_eq!(shown, expected, "{case}");
        ours += 1;
    }
    assert_eq!(ours, 6);
}

#[test]
fn empty_buckets_are_left_out() {
    let mut ours = 0;
    for (name, counts) in
        [("model_compact.json", Counts::Deltas), ("model_float_compact.json", Counts::Absolute)]
    {
        let Some(cases) = cases(name) else { return };
        for case in cases.iter().filter(|case| is_ours(&case["in"])) {
            // More counts than buckets, which the server leaves for later.
            let Ok(histogram) = histogram(&case["in"], counts) else {
                let name = case["name"].as_str().expect("a name");
                assert!(
                    [
                        "all zero-length spans with non-empty buckets",
                        "more buckets than spans account for"
                    ]
                    .contains(&name),
                    "{case}"
                );
                continue;
            };
            let compact = histogram.compact(int(&case["maxEmptyBuckets"]) as u32);
            let expected = |side| buckets(&case["expected"], side, counts).expect("buckets");
            assert_eq!(*compact.positive(), expected("Positive"), "{case}");
            assert_eq!(*compact.negative(), expected("Negative"), "{case}");
            ours += 1;
        }
    }
    assert_eq!(ours, 21);
}

#[test]
fn resolution_is_reduced_as_on_the_server() {
    for (name, counts) in [
        ("model_reduce_resolution.json", Counts::Deltas),
        ("model_float_reduce_resolution.json", Counts::Absolute),
    ] {
        let Some(cases) = cases(name) else { return };
        for case in &cases {
            let reduced = histogram(&case["origin"], counts).map(|histogram| {
                let target = Schema::new(int(&case["targetSchema"]) as i32).expect("a schema");
                histogram.reduce_resolution(target)
            });
            match reduced {
                Ok(reduced) => {
                    let expected = histogram(&case["target"], counts);
                    assert_eq!(reduced, expected.expect("a histogram"), "{case}");
                }
                Err(_) => assert_ne!(case["errorMsg"], "", "{case}"),
            }
        }
        assert_eq!(cases.len(), 4);
    }
    for (name, counts) in [
        ("model_reduce_resolution_spans.json", Counts::Deltas),
        ("model_reduce_resolution_spans_float.json", Counts::Absolute),
    ] {
        for case in cases(name).expect("it lies beside the others") {
            let given = |spans_key: &str, counts_key: &str| {
                let spans = spans(&case[spans_key]);
                let given = list(&case[counts_key]).iter().map(int);
                match counts {
                    Counts::Deltas => NativeBuckets::from_deltas(spans, given),
                    Counts::Absolute => {
                        NativeBuckets::new(spans, given.map(|c| c as u64).collect())
                    }
                }
                .expect("good buckets")
            };
            let schema = |key: &str| Schema::new(int(&case[key]) as i32).expect("a schema");
            let reduced = given("spans", "buckets")
                .reduce_resolution(schema("schema"), schema("targetSchema"));
            assert_eq!(reduced, given("expectedSpans", "expectedBuckets"), "{case}");
        }
    }
}

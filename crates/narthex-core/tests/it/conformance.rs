//! Cases of `client_golang`, read from the folder that `NARTHEX_CONFORMANCE` names.

use narthex_core::model::Value;
use narthex_core::{Buckets, Counter, Histogram, RegisterError, Registry};
use narthex_test::conformance;
use serde_json::Value as Json;

fn cases(folder: &str, file: &str) -> Option<Vec<Json>> {
    let file = conformance(folder)?.join(file);
    let text = std::fs::read_to_string(file).expect("the cases are there");
    Some(serde_json::from_str(&text).expect("the cases are a list"))
}

fn float(value: &Json) -> f64 {
    match value {
        Json::String(text) => text.parse().expect("a number"),
        value => value.as_f64().expect("a number"),
    }
}

fn floats(list: &Json) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(float).collect()
}

/// The bounds that a histogram has with these buckets.
fn bounds(buckets: Buckets) -> Result<Vec<f64>, RegisterError> {
    let registry = Registry::new();
    Histogram::builder("h", "H.").buckets(buckets).register(&registry)?;
    let scrape = registry.gather();
    let Some(Value::Histogram(histogram)) = scrape.families()[0].values().value(0) else {
        panic!("not a histogram");
    };
    Ok(histogram.buckets().map(|(bound, _)| bound).filter(|bound| bound.is_finite()).collect())
}

#[test]
fn a15_bucket_lists_are_those_of_client_golang() {
    let Some(cases) = cases("histograms", "bucket_generators.json") else { return };
    for case in &cases {
        let args = floats(&case["args"]);
        let count = args[2] as usize;
        let buckets = match case["fn"].as_str().expect("a name").split('(').next() {
            Some("linear") => Buckets::linear(args[0], args[1], count),
            Some("exponential") => Buckets::exponential(args[0], args[1], count),
            Some("exponential_range") => Buckets::exponential_range(args[0], args[1], count),
            other => panic!("{other:?}"),
        };
        let made = bounds(buckets);
        // Go makes lists too that no histogram can have, and finds out later.
        let expected = case.get("expected").map(floats);
        let expected = expected.filter(|list| list.is_sorted_by(|a, b| a < b));
        match (expected, case["fn"] == "exponential_range(min,max,count)") {
            (None, _) => assert!(made.is_err(), "{case}"),
            // Ours are no further from what they should be than Go's: the last one is `max`.
            (Some(expected), true) if count > 1 => {
                let made = made.expect("a good list");
                let near = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() < 1e-14;
                assert!(made.len() == count && made.iter().zip(&expected).all(near), "{case}");
            }
            // A range with one bound does not reach its end.
            (Some(_), true) => assert!(made.is_err(), "{case}"),
            (Some(expected), false) => assert_eq!(made.expect("a good list"), expected, "{case}"),
        }
    }
    assert_eq!(cases.len(), 24);
}

#[test]
fn values_are_counted_in_the_buckets_of_client_golang() {
    let Some(cases) = cases("histograms", "find_bucket.json") else { return };
    for case in &cases {
        let registry = Registry::new();
        let histogram = Histogram::builder("h", "H.").buckets(floats(&case["upper_bounds"]));
        let histogram = histogram.register(&registry).expect("good buckets");
        histogram.observe(float(&case["v"]));
        let scrape = registry.gather();
        let Some(Value::Histogram(shown)) = scrape.families()[0].values().value(0) else {
            panic!("not a histogram");
        };
        let bucket = shown.counts().iter().position(|count| *count == 1);
        assert_eq!(bucket.map(|at| at as u64), case["expected"].as_u64(), "{case}");
    }
    assert_eq!(cases.len(), 9);
}

#[test]
fn lists_that_do_not_ascend_are_refused() {
    let Some(cases) = cases("histograms", "non_monotonic_buckets.json") else { return };
    for case in &cases {
        assert!(bounds(floats(&case["buckets"]).into()).is_err(), "{case}");
    }
    assert_eq!(cases.len(), 3);
}

#[test]
fn names_are_put_together_as_in_client_golang() {
    let Some(cases) = cases("registry", "build_fq_name.json") else { return };
    for case in &cases {
        let part = |key: &str| case[key].as_str().expect("a text");
        // Here, a handle of the registry stands for the namespace, and one of that for the
        // subsystem. A blank one is refused, and so is an empty name.
        let Ok(namespace) = Registry::builder().prefix(part("namespace")).build() else {
            assert_eq!(part("namespace"), " ");
            continue;
        };
        let subsystem = namespace.scope().prefix(part("subsystem")).build().expect("a prefix");
        let registered = Counter::builder(part("name"), "N.").register(&subsystem);
        if part("name").is_empty() {
            assert!(registered.is_err(), "{case}");
        } else {
            assert_eq!(namespace.gather().families()[0].name(), part("result"), "{case}");
        }
    }
    assert_eq!(cases.len(), 8);
}

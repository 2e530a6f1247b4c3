use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use narthex_model::{NativeHistogram, Value};
use narthex_test::conformance;
use proptest::prelude::{prop_assert_eq, proptest};
use serde_json::Value as Json;

use crate::{Builder, DynamicFamily, Histogram, NativeLimits, Registry, clock};

const MINUTE: Duration = Duration::from_secs(60);

/// The native histogram of the only series of the only family.
fn native(registry: &Registry) -> NativeHistogram {
    let scrape = registry.gather();
    let Some(Value::NativeHistogram(value)) = scrape.families()[0].values().value(0) else {
        panic!("not a native histogram");
    };
    assert_eq!(value.classic().count(), value.native().count());
    value.native().clone()
}

fn cases(name: &str) -> Option<Vec<Json>> {
    let file = conformance("native_histograms")?.join(name);
    let text = std::fs::read_to_string(file).expect("the cases are there");
    Some(serde_json::from_str(&text).expect("the cases are a list"))
}

fn float(value: &Json) -> f64 {
    match value {
        Json::String(text) => text.parse().expect("a number"),
        value => value.as_f64().expect("a number"),
    }
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn duration(text: &str) -> Duration {
    let (minutes, seconds) = text.split_once('m').unwrap_or(("0", text));
    assert_eq!(seconds, "0s");
    MINUTE * minutes.parse().expect("whole minutes")
}

/// Checks a histogram against that of `client_golang`.
fn check(histogram: &NativeHistogram, want: &Json, case: &Json) {
    assert_eq!(histogram.count(), want["sample_count"], "{case}");
    assert_eq!(histogram.sum(), float(&want["sample_sum"]), "{case}");
    assert_eq!(histogram.schema().get(), want["schema"], "{case}");
    assert_eq!(histogram.zero().threshold, float(&want["zero_threshold"]), "{case}");
    assert_eq!(histogram.zero().count, want["zero_count"], "{case}");
    let sides = [("positive", histogram.positive()), ("negative", histogram.negative())];
    for (side, buckets) in sides {
        // An empty span tells the reader of protobuf that the histogram is native.
        let spans = list(&want[format!("{side}_span")]).iter().filter(|span| span["length"] != 0);
        let spans: Vec<_> = spans.map(|s| (s["offset"].as_i64(), s["length"].as_u64())).collect();
        let shown = buckets.spans().iter().map(|s| (Some(s.offset.into()), Some(s.length.into())));
        assert_eq!(shown.collect::<Vec<_>>(), spans, "{case}");
        let deltas = list(&want[format!("{side}_delta")]).iter().map(|d| d.as_i64().unwrap());
        assert!(buckets.deltas().eq(deltas), "{case}");
    }
}

/// How the histogram of a case is made.
#[derive(Clone, Copy)]
enum Kind {
    Alone,
    Series,
}

/// Observes what a case says, a minute after another, and checks the histogram.
///
/// Not ours, on purpose: an observation of NaN. `client_golang` counts it in no bucket and lets it
/// poison the sum; here it is refused.
fn observe_and_check(case: &Json, kind: Kind) {
    let (registry, name, help) = (Registry::new(), "h", "H.");
    let limits = NativeLimits::none()
        .min_reset_duration(duration(case["minResetDuration"].as_str().unwrap()))
        .max_zero_threshold(float(&case["maxZeroThreshold"]));
    let limits = match case["maxBuckets"].as_u64().unwrap() {
        0 => limits,
        most => limits.max_buckets(most as usize),
    };
    let factor = float(&case["factor"]);
    // As in `client_golang`, 0 stands for the default there and -1 for 0.
    let threshold = float(&case["zeroThreshold"]);
    let histogram = match kind {
        Kind::Alone => {
            let builder = Histogram::builder(name, help).native(factor).native_limits(limits);
            match threshold {
                0.0 => builder,
                threshold => builder.zero_threshold(threshold.max(0.0)),
            }
            .register(&registry)
            .unwrap()
        }
        Kind::Series => {
            let builder = DynamicFamily::<Histogram>::builder(name, help).label_names(["l"]);
            let builder = builder.native(factor).native_limits(limits);
            match threshold {
                0.0 => builder,
                threshold => builder.zero_threshold(threshold.max(0.0)),
            }
            .register(&registry)
            .unwrap()
            .resolve(&["v"])
            .unwrap()
        }
    };
    for value in list(&case["observations"]) {
        clock::advance(MINUTE);
        histogram.observe(float(value));
    }
    if case["name"] == "NaN observation" {
        assert_eq!(histogram.count(), 6);
        assert_eq!(
            registry.gather().value("narthex_refused_values_total", &[("family", name)]),
            Some(1.0)
        );
        return;
    }
    check(&native(&registry), &case["want"], case);
}

#[test]
fn histograms_are_those_of_client_golang() {
    for name in ["instrumentation.json", "const_native_histogram.json"] {
        let Some(cases) = cases(name) else { return };
        let mut ours = 0;
        // A factor of 1 makes a histogram without native buckets there; here it is an error.
        for case in cases.iter().filter(|case| float(&case["factor"]) > 1.0) {
            observe_and_check(case, Kind::Alone);
            // A series begins with its first observation, so its resets come at other times.
            if case["minResetDuration"] == "0s" {
                observe_and_check(case, Kind::Series);
            }
            ours += 1;
        }
        assert_eq!(ours, 24, "{name}");
    }
}

#[test]
fn bad_settings_are_refused() {
    let error =
        |builder: Builder<Histogram>| builder.register(&Registry::new()).unwrap_err().to_string();
    let builder = || Histogram::builder("h", "H.");
    for factor in [1.0, 0.0, -2.0, f64::NAN] {
        assert_eq!(
            error(builder().native(factor)),
            format!("cannot register `h`: native buckets need a factor above 1, not {factor}")
        );
    }
    for threshold in [-1.0, f64::INFINITY, f64::NAN] {
        assert_eq!(
            error(builder().native(2.0).zero_threshold(threshold)),
            format!("cannot register `h`: a zero threshold cannot be {threshold}")
        );
    }
    for builder in [
        builder().zero_threshold(1.0),
        builder().native_limits(NativeLimits::none()).buckets([1.0]),
    ] {
        assert_eq!(
            error(builder),
            "cannot register `h`: a zero threshold and native limits need native buckets"
        );
    }
    assert!(error(builder().native(2.0).buckets([2.0, 1.0])).contains("bounds must ascend"));
}

#[test]
fn a_reset_begins_a_new_time() {
    let registry = Registry::new();
    let limits = NativeLimits::default().max_buckets(1).min_reset_duration(MINUTE);
    let alone = Histogram::builder("alone", "A.").native(2.0).native_limits(limits).created();
    let alone = alone.register(&registry).unwrap();
    let family = DynamicFamily::<Histogram>::builder("family", "F.").label_names(["l"]);
    let family = family.native(2.0).native_limits(limits).created().register(&registry).unwrap();
    let series = family.resolve(&["v"]).unwrap();
    let created = || {
        let scrape = registry.gather();
        ["alone", "family"].map(|name| scrape.family(name).unwrap().created().unwrap()[0].unwrap())
    };
    for histogram in [&alone, &series] {
        histogram.observe(1.0);
    }
    let before = created();
    clock::advance(MINUTE);
    for histogram in [&alone, &series] {
        histogram.observe(1.0);
    }
    assert_eq!(created(), before, "one bucket is not too many");
    for histogram in [&alone, &series] {
        histogram.observe(100.0);
        assert_eq!((histogram.count(), histogram.sum()), (1, 100.0));
    }
    let after = created();
    assert!((0..2).all(|k| after[k] - before[k] >= 60_000), "{before:?} {after:?}");
}

#[test]
fn what_was_made_wider_is_reset_when_it_is_time_even_if_nobody_observes() {
    let registry = Registry::new();
    let limits = NativeLimits::default().max_buckets(2).min_reset_duration(MINUTE);
    let histogram = Histogram::builder("h", "H.").native(1.1).native_limits(limits);
    let histogram = histogram.register(&registry).unwrap();
    [1.0, 2.0, 4.0].into_iter().for_each(|value| histogram.observe(value));
    assert_eq!((native(&registry).schema().get(), histogram.count()), (2, 3));
    clock::advance(MINUTE);
    assert_eq!((native(&registry).schema().get(), histogram.count()), (3, 0));
}

#[test]
fn the_widest_buckets_may_be_too_many() {
    let registry = Registry::new();
    let limits = NativeLimits::none().max_buckets(0).max_zero_threshold(f64::INFINITY);
    let histogram = Histogram::builder("h", "H.").native(1.1).native_limits(limits);
    let histogram = histogram.register(&registry).unwrap();
    for value in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, -0.0, 0.0, 1.0] {
        (0..20).for_each(|_| histogram.observe(value));
    }
    let shown = native(&registry);
    assert_eq!(shown.count(), 140);
    assert!(shown.zero().threshold.is_finite());
}

#[test]
fn both_kinds_of_buckets_count_the_same() {
    let registry = Registry::new();
    let histogram = Histogram::builder("h", "H.").native(1.1).buckets([1.0, 10.0]);
    let histogram = histogram.register(&registry).unwrap();
    (0..30).for_each(|n| histogram.observe(f64::from(n) / 2.0));
    let scrape = registry.gather();
    let Some(Value::NativeHistogram(value)) = scrape.families()[0].values().value(0) else {
        panic!("not a native histogram");
    };
    let classic: Vec<_> = value.classic().buckets().collect();
    assert_eq!(classic, [(1.0, 3), (10.0, 21), (f64::INFINITY, 30)]);
    assert_eq!(value.native().count(), 30);
    assert_eq!(value.classic().sum(), value.native().sum());
}

#[test]
fn snapshots_show_whole_observations_only_while_buckets_change() {
    let registry = Registry::new();
    let limits = NativeLimits::default().max_buckets(10);
    let histogram = Histogram::builder("h", "H.").native(1.01).native_limits(limits);
    let histogram = histogram.buckets([50.0]).register(&registry).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3_u32 {
            let (histogram, done) = (&histogram, &done);
            scope.spawn(move || {
                let mut value = thread;
                while !done.load(Relaxed) {
                    value = (value + 7) % 100;
                    // Whole numbers: their sum is exact in any order.
                    histogram.observe(f64::from(value));
                    histogram.observe(-f64::from(value));
                }
            });
        }
        let mut last = 0;
        for _ in 0..500 {
            let shown = native(&registry);
            // Of each pair one half may be missing, a thread.
            assert!(shown.sum().abs() <= 300.0, "{}", shown.sum());
            assert!(shown.count() >= last, "counts never fall");
            last = shown.count();
        }
        done.store(true, Relaxed);
    });
    let shown = native(&registry);
    assert_eq!(shown.sum(), 0.0);
    assert!(shown.positive().iter().count() + shown.negative().iter().count() <= 30);
}

#[test]
fn a_removed_series_takes_its_buckets_along() {
    let registry = Registry::new();
    let family = DynamicFamily::<Histogram>::builder("h", "H.").label_names(["l"]).native(1.1);
    let family = family.register(&registry).unwrap();
    let gone = family.resolve(&["a"]).unwrap();
    gone.observe(1.0);
    family.with(&["b"]).unwrap().observe(2.0);
    assert!(family.remove(&["a"]).unwrap());
    gone.observe(1.0);
    assert_eq!((gone.count(), native(&registry).sum()), (0, 2.0));
    // Long enough for its record to be used again.
    clock::advance(2 * MINUTE);
    family.with(&["c"]).unwrap().observe(5.0);
    gone.observe(1.0);
    assert_eq!(family.with(&["c"]).unwrap().count(), 1);
    assert_eq!(family.with(&["b"]).unwrap().sum(), 2.0);
}

proptest! {
    #[test]
    fn threads_together_count_what_one_would(
        values in proptest::collection::vec(-1000..1000_i32, 0..200),
        most in 1..50_usize,
    ) {
        let observe = |threads: usize, most: usize| {
            let registry = Registry::new();
            let limits = NativeLimits::none().max_buckets(most);
            let histogram = Histogram::builder("h", "H.").native(1.05).native_limits(limits);
            let histogram = histogram.register(&registry).unwrap();
            std::thread::scope(|scope| {
                for part in values.chunks(values.len().div_ceil(threads).max(1)) {
                    let histogram = &histogram;
                    scope.spawn(move || {
                        part.iter().for_each(|value| histogram.observe(f64::from(*value)));
                    });
                }
            });
            native(&registry)
        };
        // Without a limit they are equal; with one, buckets may get wider in another order, but
        // never narrower than the limit asks for, and what is counted stays.
        let (one, many) = (observe(1, usize::MAX), observe(4, usize::MAX));
        prop_assert_eq!(&one, &many);
        let limited = observe(4, most);
        prop_assert_eq!(limited.count(), one.count());
        prop_assert_eq!(limited.sum(), one.sum());
        let reduced = one.reduce_resolution(limited.schema()).compact(2);
        prop_assert_eq!(limited, reduced);
    }
}

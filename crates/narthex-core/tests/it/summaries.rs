//! Summaries: their counts, their quantiles, what is refused, many threads.

#![expect(clippy::approx_constant, reason = "a case of others")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use narthex_core::model::{Scrape, Value};
use narthex_core::{DynamicFamily, Family, Registry, Summary};
use narthex_test::conformance;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::Request;

const USUAL: [(f64, f64); 3] = [(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];

/// The count, the sum and the quantiles of each series of a family.
/// Count, sum and quantiles of a series.
type Shown = (u64, f64, Vec<(f64, f64)>);

fn shown(scrape: &Scrape, family: &str) -> Vec<Shown> {
    let family = scrape.family(family).expect("the family");
    let row = |metric: narthex_core::model::Metric<'_>| {
        let Value::Summary(summary) = metric.value() else { panic!("not a summary") };
        (summary.count(), summary.sum(), summary.quantiles().collect())
    };
    family.metrics().map(row).collect()
}

#[test]
fn a12_a_summary_counts_and_adds_up() {
    let registry = Registry::new();
    let summary = Summary::builder("s", "S.").register(&registry).unwrap();
    assert_eq!(shown(&registry.gather(), "s"), [(0, 0.0, vec![])], "exported before it is touched");
    for value in [3.0, 5.2, 13.0, 4.0] {
        summary.observe(value);
    }
    assert_eq!((summary.count(), summary.sum()), (4, 25.2));
    assert!(summary.quantiles().is_empty(), "quantiles are off by default");
    assert_eq!(shown(&registry.gather(), "s"), [(4, 25.2, vec![])]);
}

#[test]
fn a12_quantiles_are_those_that_were_asked_for() {
    let registry = Registry::new();
    let summary = Summary::builder("s", "S.")
        .objectives([(0.99, 0.001), (0.5, 0.05), (0.9, 0.01), (0.0, 0.01), (1.0, 0.01)])
        .register(&registry)
        .unwrap();
    summary.observe_duration(Duration::from_millis(5200));
    for value in [13.0, 3.0, 4.0] {
        summary.observe(value);
    }
    let quantiles = vec![(0.0, 3.0), (0.5, 4.0), (0.9, 13.0), (0.99, 13.0), (1.0, 13.0)];
    assert_eq!(summary.quantiles(), quantiles);
    assert_eq!(shown(&registry.gather(), "s"), [(4, 25.2, quantiles)]);
}

#[test]
fn a12_labelled_summaries_are_summaries_of_their_own() {
    let registry = Registry::new();
    let family: Family<Summary, Request<'static>> = Family::builder("f", "F.")
        .objectives([(0.5, 0.005), (0.9, 0.005), (0.99, 0.005)])
        .max_age(Duration::from_secs(60))
        .age_buckets(3)
        .register(&registry)
        .unwrap();
    let dynamic = DynamicFamily::<Summary>::builder("d", "D.")
        .label_names(["path"])
        .register(&registry)
        .unwrap();
    let labels = |path| Request { path, status: 200 };
    let handle = family.resolve(&labels("/a"));
    for value in 1..=100 {
        handle.observe(f64::from(value));
        family.with(&labels("/b")).observe(f64::from(-value));
        dynamic.with(&["/a"]).unwrap().observe(0.5);
    }
    dynamic.resolve(&["/a"]).unwrap().start_timer().discard();
    drop(dynamic.resolve(&["/b"]).unwrap().start_timer());
    assert_eq!((handle.count(), handle.sum()), (100, 5050.0));
    assert_eq!(handle.quantiles(), [(0.5, 50.0), (0.9, 90.0), (0.99, 99.0)]);
    let scrape = registry.gather();
    let rows = shown(&scrape, "f");
    assert_eq!(rows[0], (100, 5050.0, vec![(0.5, 50.0), (0.9, 90.0), (0.99, 99.0)]));
    assert_eq!(rows[1], (100, -5050.0, vec![(0.5, -51.0), (0.9, -11.0), (0.99, -2.0)]));
    let rows = shown(&scrape, "d");
    assert_eq!((rows[0].0, rows[0].1, rows[1].0), (100, 50.0, 1));
    family.remove(&labels("/a"));
    handle.observe(1.0);
    assert_eq!(handle.count(), 0, "a removed series counts into the void");
    assert!(handle.quantiles().iter().all(|(_, value)| value.is_nan()));
    assert_eq!(shown(&registry.gather(), "f").len(), 1);
}

#[test]
fn a12_nan_is_refused_and_the_infinities_are_not() {
    let registry = Registry::new();
    let alone = Summary::builder("a", "A.").objectives(USUAL).register(&registry).unwrap();
    let plain = Summary::builder("p", "P.").register(&registry).unwrap();
    let family = DynamicFamily::<Summary>::builder("f", "F.")
        .label_names(["l"])
        .objectives(USUAL)
        .register(&registry)
        .unwrap();
    let handle = family.resolve(&["x"]).unwrap();
    for value in [f64::NAN, -f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE / 2.0, 2.0] {
        alone.observe(value);
        plain.observe(value);
        handle.observe(value);
        family.with(&["x"]).unwrap().observe(value);
    }
    assert_eq!((alone.count(), alone.sum()), (4, f64::INFINITY));
    assert_eq!((plain.count(), plain.sum()), (4, f64::INFINITY));
    assert_eq!((handle.count(), handle.sum()), (8, f64::INFINITY));
    assert_eq!(alone.quantiles()[2], (0.99, f64::INFINITY));
    let scrape = registry.gather();
    for (family, refused) in [("a", 2.0), ("p", 2.0), ("f", 4.0)] {
        let labels = [("family", family)];
        assert_eq!(scrape.value("narthex_refused_values_total", &labels), Some(refused));
    }
}

#[test]
fn a12_objectives_are_checked_when_they_are_registered() {
    let registry = Registry::new();
    let check = |objectives: &[(f64, f64)], reason: &str| {
        let builder = Summary::builder("s", "S.").objectives(objectives.iter().copied());
        let error = builder.register(&registry).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot register `s`: {reason}"));
        assert!(!error.is_clash());
    };
    check(
        &[(0.5, 0.1), (1.5, 0.1)],
        "in the objective `(1.5, 0.1)`, the quantile is not from 0 to 1",
    );
    check(&[(-0.1, 0.1)], "in the objective `(-0.1, 0.1)`, the quantile is not from 0 to 1");
    check(&[(f64::NAN, 0.1)], "in the objective `(NaN, 0.1)`, the quantile is not from 0 to 1");
    for error in [0.0, -0.1, 1.0, f64::NAN, f64::INFINITY] {
        check(
            &[(0.5, error)],
            &format!("in the objective `(0.5, {error})`, the error is not above 0 and below 1"),
        );
    }
    check(
        &[(0.5, 0.1), (0.9, 0.1), (0.5, 0.2)],
        "in the objective `(0.5, 0.2)`, the quantile is one that another objective has",
    );
    check(
        &[(0.5, 0.000_01)],
        "in the objective `(0.5, 0.00001)`, the error is so small that most observations would be \
         kept: 1.0e-4 is the least for this quantile",
    );
    let many: Vec<_> = (0..33).map(|k| (f64::from(k) / 100.0, 0.1)).collect();
    check(&many, "it has 33 objectives, and 32 is the most a summary can have");
    let window = |age: Duration, buckets| {
        let builder = Summary::builder("s", "S.").objectives(USUAL).max_age(age);
        builder.age_buckets(buckets).register(&registry).unwrap_err().to_string()
    };
    assert_eq!(
        window(Duration::ZERO, 5),
        "cannot register `s`: its greatest age of 0ns is too short for its age buckets"
    );
    assert_eq!(
        window(Duration::from_secs(1), 0),
        "cannot register `s`: it has 0 age buckets, and a summary has 1 to 60"
    );
    let quantile = Summary::builder("s", "S.").const_label("quantile", "x").register(&registry);
    let reason = quantile.unwrap_err().to_string();
    assert_eq!(reason, "cannot register `s`: label `quantile` of `s` is reserved in a summary");
    Summary::builder("s", "S.").max_age(Duration::MAX).register(&registry).expect("all is well");
}

#[test]
fn no_observation_is_lost_between_threads_and_none_is_torn() {
    let registry = Registry::new();
    let plain = Summary::builder("p", "P.").register(&registry).unwrap();
    let alone = Summary::builder("a", "A.").objectives(USUAL).register(&registry).unwrap();
    let family = DynamicFamily::<Summary>::builder("f", "F.")
        .label_names(["l"])
        .objectives(USUAL)
        .register(&registry)
        .unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scrapes = scope.spawn(|| {
            let mut last = [0; 3];
            let mut number = 0;
            while !done.load(Relaxed) {
                let scrape = registry.gather();
                for (last, family) in last.iter_mut().zip(["p", "a", "f"]) {
                    let rows = shown(&scrape, family);
                    let Some((count, sum, quantiles)) = rows.first() else { continue };
                    // All observe 2, so that whole observations have twice their count as sum.
                    assert_eq!(*sum, 2.0 * *count as f64);
                    assert!(*count >= *last, "{count} after {last}");
                    let known = |value: f64| value == 2.0 || (*count == 0 && value.is_nan());
                    assert!(quantiles.iter().all(|(_, value)| known(*value)));
                    *last = *count;
                }
                number += 1;
            }
            number
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let handle = family.resolve(&["x"]).unwrap();
                    for _ in 0..50_000 {
                        plain.observe(2.0);
                        alone.observe(2.0);
                        handle.observe(2.0);
                    }
                });
            }
        });
        done.store(true, Relaxed);
        assert!(scrapes.join().unwrap() > 0);
    });
    for rows in ["p", "a", "f"].map(|family| shown(&registry.gather(), family)) {
        assert_eq!((rows[0].0, rows[0].1), (200_000, 400_000.0));
    }
}

#[test]
fn more_threads_than_have_queues_of_their_own_observe_too() {
    let summary = Summary::builder("s", "S.").objectives(USUAL).register(&Registry::new()).unwrap();
    let start = Barrier::new(150);
    std::thread::scope(|scope| {
        for thread in 0..150 {
            let (summary, start) = (&summary, &start);
            scope.spawn(move || {
                start.wait();
                (0..1000).for_each(|_| summary.observe(f64::from(thread)));
                start.wait();
            });
        }
    });
    assert_eq!((summary.count(), summary.sum()), (150_000, 11_175_000.0));
    let (median, top) = (summary.quantiles()[0].1, summary.quantiles()[2].1);
    assert!((67.0..=82.0).contains(&median) && (147.0..=149.0).contains(&top), "{median} {top}");
}

#[test]
fn short_threads_leave_their_observations_behind() {
    let summary = Summary::builder("s", "S.").objectives(USUAL).register(&Registry::new()).unwrap();
    for value in 0..300 {
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| summary.observe(f64::from(value)))));
        });
    }
    assert_eq!((summary.count(), summary.sum()), (1200, 179_400.0));
    let median = summary.quantiles()[0].1;
    assert!((134.0..=165.0).contains(&median), "{median}");
}

#[test]
fn a_dropped_summary_leaves_nothing_to_the_next() {
    let registry = Registry::new();
    for round in 0..50 {
        let plain = Summary::builder("p", "P.").register(&registry).unwrap();
        let alone = Summary::builder("a", "A.").objectives(USUAL).register(&registry).unwrap();
        assert_eq!((plain.count(), plain.sum()), (0, 0.0), "round {round}");
        plain.observe(2.5);
        alone.observe(2.5);
        assert_eq!((plain.count(), plain.sum()), (1, 2.5));
        assert_eq!((alone.count(), alone.quantiles()[0].1), (1, 2.5));
        registry.unregister(&plain);
        registry.unregister(&alone);
    }
}

#[test]
fn conformance_targeted_quantiles() {
    let Some(folder) = conformance("ckms") else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the set");
    let data: Vec<f64> =
        read("exampledata.txt").lines().map(|line| line.parse().expect("a number")).collect();
    let sets: Vec<serde_json::Value> =
        serde_json::from_str(&read("targeted_quantiles.json")).expect("a list of cases");
    for set in &sets {
        let name = set["name"].as_str().expect("a name");
        let n = set["n"].as_u64().expect("a number");
        let mut values: Vec<f64> = match name {
            "exampledata" | "exampledata-5-targets" => data.clone(),
            "single-3.14" => vec![3.14],
            _ => (1..=n).map(|value| value as f64).collect(),
        };
        match name.split('-').next() {
            Some("descending") => values.reverse(),
            // 7919 is prime to all lengths: a walk through all values in no apparent order.
            Some("shuffled") => {
                values = (0..n).map(|k| values[(k * 7919 % n) as usize]).collect();
            }
            _ => {}
        }
        assert_eq!(values.len() as u64, n, "{name}");
        let wanted = set["results"].as_array().expect("results");
        let number = |row: &serde_json::Value, key: &str| row[key].as_f64().expect("a number");
        let objectives = wanted.iter().map(|row| (number(row, "quantile"), number(row, "epsilon")));
        let summary =
            Summary::builder("s", "S.").objectives(objectives).register(&Registry::new()).unwrap();
        values.iter().for_each(|value| summary.observe(*value));
        for (row, (quantile, value)) in wanted.iter().zip(summary.quantiles()) {
            let allowed = number(row, "allowed_min")..=number(row, "allowed_max");
            assert!(allowed.contains(&value), "{name}: {quantile} is {value}, not in {allowed:?}");
        }
    }
    assert_eq!(sets.len(), 8);
}

/// A stretch of a stream: how many values, from where, by which steps, and how noisy.
type Stretch = (usize, f64, f64, f64);

fn stream(stretches: &[Stretch]) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut values = Vec::new();
    for &(len, start, step, spread) in stretches {
        values.extend((0..len).map(|k| start + step * k as f64 + spread * noise()));
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a13_any_stream_has_its_ranks_within_the_objectives(
        stretches in vec(
            (
                1usize..5000,
                prop_oneof![Just(0.0), -1e3..1e3],
                prop_oneof![Just(0.0), -1.0..1.0],
                prop_oneof![Just(0.0), 0.0..1e4],
            ),
            1..12,
        ),
        mut objectives in vec((0.0..=1.0_f64, prop_oneof![0.001..0.01, 0.01..0.5]), 1..6),
        one_by_one in any::<bool>(),
    ) {
        objectives.sort_by(|a, b| a.0.total_cmp(&b.0));
        objectives.dedup_by_key(|objective| objective.0);
        let builder = Summary::builder("s", "S.").objectives(objectives.clone());
        let summary = builder.register(&Registry::new()).unwrap();
        let mut values = stream(&stretches);
        for (at, value) in values.iter().enumerate() {
            summary.observe(*value);
            if one_by_one && at % 37 == 0 {
                // Looking merges what waits, however little that is.
                summary.count();
            }
        }
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len() as f64;
        for (&(_, error), (quantile, value)) in objectives.iter().zip(summary.quantiles()) {
            let first = values.partition_point(|other| *other < value) + 1;
            let last = values.partition_point(|other| *other <= value);
            prop_assert!(first <= last, "{value} was never observed");
            let wanted = (quantile * n).max(1.0);
            let off = (first as f64 - wanted).max(wanted - last as f64);
            prop_assert!(off <= (error * n).max(0.5), "{quantile} is off by {off} of {n}");
        }
    }
}

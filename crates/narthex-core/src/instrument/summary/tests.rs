use std::time::Duration;

use narthex_model::{Column, LabelName, SpareColumns};

use super::{Config, Kind, Observations, Summary};
use crate::instrument::SeriesShared;
use crate::instrument::sealed::Kind as _;
use crate::storage::Options;
use crate::{Registry, clock};

/// Streams that are hard in different ways, all of `n` values. Those of which new values always fall
/// between old ones that are neighbours make a summary grow that merges without care.
fn streams(n: u64) -> Vec<(&'static str, Vec<f64>)> {
    let mut random = random();
    let blocks = (n as f64).sqrt() as u64 + 1;
    let mut make = |each: &mut dyn FnMut(u64, u64) -> f64| -> Vec<f64> {
        (0..n).map(|at| each(at, random.next().expect("there is no end"))).collect()
    };
    vec![
        ("ascending", make(&mut |at, _| at as f64)),
        ("descending", make(&mut |at, _| -(at as f64))),
        ("random", make(&mut |_, x| unit(x))),
        ("log-normal-like", make(&mut |_, x| (-unit(x).ln()).powi(3))),
        ("constant", make(&mut |_, _| 0.25)),
        ("bimodal", make(&mut |_, x| if x % 100 < 98 { unit(x) } else { 1000.0 + unit(x) })),
        ("two values", make(&mut |_, x| f64::from(u8::from(x % 100 < 1)))),
        ("bimodal in time", make(&mut |at, x| unit(x) + if at > n / 2 { 1000.0 } else { 0.0 })),
        ("sorted blocks", make(&mut |at, _| (at % blocks) as f64)),
        (
            "blocks downwards",
            make(&mut |at, _| (at % blocks) as f64 - (at / blocks * blocks) as f64),
        ),
        (
            "zigzag inwards",
            make(&mut |at, _| if at % 2 == 0 { at as f64 } else { (2 * n - at) as f64 }),
        ),
        ("zigzag outwards", make(&mut |at, _| if at % 2 == 0 { at as f64 } else { -(at as f64) })),
        (
            "ascending, now and then low",
            make(&mut |at, x| if x % 50 == 0 { -1.0 } else { at as f64 }),
        ),
        ("growing", make(&mut |at, x| unit(x) * at as f64)),
        ("shrinking", make(&mut |at, x| unit(x) * (n - at) as f64)),
    ]
}

/// Numbers without pattern, the same in every run.
fn random() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15_u64), |&x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    })
}

fn unit(x: u64) -> f64 {
    (x >> 11) as f64 / (1u64 << 53) as f64
}

const USUAL: [(f64, f64); 3] = [(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];
const MANY: [(f64, f64); 7] = [
    (0.0, 0.1),
    (0.01, 0.001),
    (0.25, 0.02),
    (0.5, 0.01),
    (0.75, 0.02),
    (0.999, 0.0001),
    (1.0, 0.1),
];

fn summary(objectives: &[(f64, f64)]) -> Summary {
    let builder = Summary::builder("s", "S.").objectives(objectives.iter().copied());
    builder.register(&Registry::new()).unwrap()
}

/// The greatest rank error of an estimate, as a share of what is allowed.
fn error_share(sorted: &[f64], (quantile, error): (f64, f64), value: f64) -> f64 {
    let n = sorted.len() as f64;
    // There is no rank below that of the least value.
    let wanted = (quantile * n).max(1.0);
    // The ranks that the value has; an estimate must be one of the values.
    let first = sorted.partition_point(|other| *other < value) + 1;
    let last = sorted.partition_point(|other| *other <= value);
    assert!(first <= last, "{value} was never observed");
    let off = (first as f64 - wanted).max(wanted - last as f64).max(0.0);
    // Ranks are whole, so the nearest one is up to a half away.
    off / (error * n).max(0.5)
}

#[track_caller]
fn check(what: &str, sorted: &[f64], objectives: &[(f64, f64)], summary: &Summary) -> f64 {
    let mut worst: f64 = 0.0;
    for (&objective, (quantile, value)) in objectives.iter().zip(summary.quantiles()) {
        assert_eq!(quantile, objective.0);
        let share = error_share(sorted, objective, value);
        assert!(share <= 1.0, "{what}: {objective:?} is {value}, {share} of what is allowed");
        worst = worst.max(share);
    }
    worst
}

/// The values that are kept, and the bytes that everything takes.
fn size(summary: &Summary) -> (usize, usize) {
    let Kind::Alone(alone) = &summary.0 else { panic!("not alone") };
    match &alone.observations {
        Observations::Window(threads) => threads.size(),
        Observations::Totals(_) => panic!("without quantiles"),
    }
}

/// Checks the ranks and what is kept, and gives a line that tells of them.
fn run(what: &str, mut values: Vec<f64>, objectives: &[(f64, f64)], most_kept: usize) -> String {
    let (summary, n) = (summary(objectives), values.len());
    let mut kept = 0;
    for values in values.chunks(n.div_ceil(50)) {
        values.iter().for_each(|value| summary.observe(*value));
        assert!(summary.count() > 0);
        kept = kept.max(size(&summary).0);
    }
    assert!(kept <= most_kept, "{what} of {n}: {kept} values are kept");
    values.sort_unstable_by(f64::total_cmp);
    let worst = check(what, &values, objectives, &summary);
    format!("{what:<30} {n:>9} {:>4.0} % of the allowed error, {kept:>4} kept", 100.0 * worst)
}

#[test]
fn a13_ranks_are_within_the_objectives() {
    for n in [1, 2, 3, 10, 255, 256, 257, 1_000, 12_345, 30_000] {
        for (what, values) in streams(n) {
            run(what, values.clone(), &USUAL, 900);
            run(what, values, &MANY, 900);
        }
    }
}

#[test]
#[ignore = "10 million observations; run with: cargo test --release -p narthex-core -- --ignored summary"]
fn a13_ranks_of_ten_million_are_within_the_objectives() {
    for (what, values) in streams(10_000_000) {
        println!("{}", run(what, values.clone(), &USUAL, 900));
        println!("{}", run(what, values, &MANY, 900));
    }
}

/// Issue 88 of aioprometheus: a summary grew with every observation.
#[test]
fn a13_memory_is_bounded_whatever_is_observed() {
    let slice = if cfg!(debug_assertions) { 30_000 } else { 200_000 };
    for (what, values) in streams(5 * slice) {
        let summary = summary(&USUAL);
        // The window is full of slices, each of which has seen a share of the stream.
        for values in values.chunks(slice as usize) {
            values.iter().for_each(|value| summary.observe(*value));
            assert!(size(&summary).1 < 64 << 10, "{what}: {} bytes", size(&summary).1);
            clock::advance(Duration::from_secs(120));
        }
    }
}

#[test]
fn g14_observations_that_nobody_scrapes_take_no_memory() {
    let summary = summary(&USUAL);
    let n = if cfg!(debug_assertions) { 500_000 } else { 50_000_000 };
    random().take(n).for_each(|x| summary.observe(unit(x)));
    let (kept, bytes) = size(&summary);
    assert!(kept < 100 && bytes < 32 << 10, "{kept} values, {bytes} bytes");
    assert_eq!(summary.count(), n as u64);
}

const MINUTE: Duration = Duration::from_secs(60);

fn median(summary: &Summary) -> f64 {
    summary.quantiles()[0].1
}

#[test]
fn a13_quantiles_are_of_the_last_eight_to_ten_minutes() {
    let summary = summary(&[(0.5, 0.01)]);
    assert!(median(&summary).is_nan());
    summary.observe(1.0);
    clock::advance(MINUTE * 9);
    assert_eq!(median(&summary), 1.0);
    summary.observe(7.0);
    summary.observe(7.0);
    clock::advance(MINUTE + Duration::from_millis(1));
    assert_eq!(median(&summary), 7.0, "the first is too old");
    clock::advance(MINUTE * 6);
    assert_eq!(median(&summary), 7.0);
    clock::advance(MINUTE * 2);
    assert!(median(&summary).is_nan(), "an empty window has no quantile");
    assert_eq!((summary.count(), summary.sum()), (3, 15.0), "counts and sums are for ever");
}

#[test]
fn the_window_can_be_chosen() {
    let builder = Summary::builder("s", "S.").objectives([(0.5, 0.01)]);
    let builder = builder.max_age(Duration::from_secs(4)).age_buckets(1);
    let summary = builder.register(&Registry::new()).unwrap();
    summary.observe(1.0);
    clock::advance(Duration::from_millis(3_900));
    summary.observe(3.0);
    summary.observe(3.0);
    assert_eq!(median(&summary), 3.0);
    clock::advance(Duration::from_millis(200));
    assert!(median(&summary).is_nan(), "one bucket forgets all at once");
}

#[test]
fn what_nobody_scraped_for_long_is_forgotten_all_the_same() {
    let alone = summary(&[(0.5, 0.01)]);
    let shared = series(&[(0.5, 0.01)]);
    for _ in 0..1000 {
        alone.observe(1.0);
        shared.with(&["a"]).observe(1.0);
    }
    clock::advance(MINUTE * 11);
    assert!(median(&alone).is_nan());
    assert!(shared.with(&["a"]).quantiles()[0].1.is_nan());
}

#[test]
fn a_slow_observation_after_a_pause_is_a_new_one() {
    let alone = summary(&[(0.5, 0.01)]);
    let shared = series(&[(0.5, 0.01)]);
    for value in [1.0, 1.0, 1.0, 5.0] {
        alone.observe(value);
        shared.with(&["a"]).observe(value);
        clock::advance(MINUTE * 11);
    }
    for value in [7.0, 7.0] {
        alone.observe(value);
        shared.with(&["a"]).observe(value);
    }
    assert_eq!(median(&alone), 7.0);
    assert_eq!(shared.with(&["a"]).quantiles(), [(0.5, 7.0)]);
    // Fast ones, a scrape, a pause, and a slow one.
    for _ in 0..1000 {
        alone.observe(1.0);
        shared.with(&["a"]).observe(1.0);
    }
    assert_eq!((median(&alone), shared.with(&["a"]).quantiles()[0].1), (1.0, 1.0));
    clock::advance(MINUTE * 11);
    alone.observe(9.0);
    shared.with(&["a"]).observe(9.0);
    assert_eq!((median(&alone), shared.with(&["a"]).quantiles()[0].1), (9.0, 9.0));
}

/// A slice has its own stream, and several together are as exact as one would be.
#[test]
fn a13_a_window_of_several_slices_is_as_exact_as_one() {
    let n = 20_000;
    for (what, mut values) in streams(n) {
        let summary = summary(&USUAL);
        for values in values.chunks(n as usize / 4) {
            values.iter().for_each(|value| summary.observe(*value));
            clock::advance(Duration::from_secs(120));
        }
        values.sort_unstable_by(f64::total_cmp);
        check(what, &values, &USUAL, &summary);
    }
}

fn series(objectives: &[(f64, f64)]) -> SeriesShared<Summary> {
    let config = Config { objectives: objectives.to_vec(), ..Config::default() };
    let names = vec![LabelName::new("l").unwrap()];
    SeriesShared::new(names, Summary::shape(config).unwrap(), Options::default())
}

fn gather(family: &SeriesShared<Summary>) -> Vec<(u64, f64, f64)> {
    let snapshot = family.store().snapshot();
    Summary::sweep(family, &snapshot);
    let Column::Summary(column) = Summary::column(family, &snapshot, &mut SpareColumns::default())
    else {
        panic!()
    };
    let row = |k| column.get(k).map(|s| (s.count(), s.sum(), s.quantiles().next().unwrap().1));
    (0..).map_while(row).collect()
}

#[test]
fn a_removed_series_leaves_nothing_to_the_next_of_its_name() {
    let family = series(&[(0.5, 0.01)]);
    family.with(&["a"]).observe(1.0);
    family.with(&["b"]).observe(2.0);
    assert_eq!(gather(&family), [(1, 1.0, 1.0), (1, 2.0, 2.0)]);
    assert!(family.store().remove(&["a"]));
    assert_eq!(gather(&family), [(1, 2.0, 2.0)]);
    clock::advance(MINUTE * 2);
    // Long enough for the record to be used again.
    let again = family.with(&["c"]);
    assert_eq!((again.count(), again.sum()), (0, 0.0));
    assert!(again.quantiles()[0].1.is_nan());
    again.observe(3.0);
    assert_eq!(again.quantiles(), [(0.5, 3.0)]);
}

#[test]
fn series_are_as_exact_as_a_summary_alone() {
    for (what, mut values) in streams(20_000) {
        let family = series(&MANY);
        let child = family.with(&["a"]);
        values.iter().for_each(|value| child.observe(*value));
        assert_eq!(child.count(), 20_000);
        values.sort_unstable_by(f64::total_cmp);
        for (objective, (_, value)) in MANY.into_iter().zip(child.quantiles()) {
            let share = error_share(&values, objective, value);
            assert!(share <= 1.0, "{what}: {objective:?} is {value}, {share} of what is allowed");
        }
    }
}

//! What instruments make of numbers at the edge of their types: the stated text on the page, for a
//! metric without labels, one in a family and one whose label names are known at run time only.
//!
//! CI runs this file with and without optimisation, for what happens there must not differ.

use std::fmt::Write as _;

use narthex_core::{Buckets, Counter, DynamicFamily, Gauge, Histogram, Registry, Summary, Total};
use narthex_format::Format;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
/// 2^53: from here on, a double does not know every whole number.
const TWO_53: u64 = 1 << 53;
/// The smallest number above zero that a double can be.
const TINY: f64 = 5e-324;

/// The page of a registry whose metric `m` has gone through some steps, without its head.
///
/// Each step is done to a metric without labels and to one in a family; both must show the same, and
/// so is what was refused, which comes last where there is any.
macro_rules! shown {
    ($metric:ty, $builder:expr, $family:expr, $steps:expr, $step:expr) => {{
        let registry = Registry::new();
        let alone = $builder.register(&registry).expect("a good metric");
        for step in $steps.iter().copied() {
            $step(&alone, step);
        }
        let labelled = Registry::new();
        let family: DynamicFamily<$metric> = $family.register(&labelled).expect("a good family");
        let resolved = family.resolve(&["x"]).expect("one label");
        for step in $steps.iter().copied() {
            $step(&resolved, step);
        }
        let (alone, labelled) = (page(&registry), page(&labelled));
        assert_eq!(labelled, alone, "the same in a family: {:?}", $steps);
        alone
    }};
}

fn page(registry: &Registry) -> String {
    let mut page = Vec::new();
    Format::TEXT.encode(&registry.gather(), &mut page);
    let page = String::from_utf8(page).expect("text");
    let mut shown = String::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        // Without the label of the family, and what the refused values are about.
        let line = line.replace("{l=\"x\"}", "").replace("l=\"x\",", "");
        let line = line.replace("narthex_refused_values_total{family=\"m\"}", "refused");
        writeln!(shown, "{line}").expect("a string takes any text");
    }
    shown
}

#[derive(Clone, Copy, Debug)]
enum Count {
    Whole(u64),
    Float(f64),
}
use Count::{Float, Whole};

#[test]
fn counters_at_the_edge() {
    let cases: &[(&[Count], &str)] = &[
        (&[], "m 0\n"),
        (&[Whole(0)], "m 0\n"),
        (&[Float(0.0)], "m 0\n"),
        (&[Float(-0.0)], "m 0\n"),
        // Whole numbers are exact, above 2^53 too, and the total stays where the type ends.
        (&[Whole(TWO_53), Whole(1)], "m 9007199254740993\n"),
        (&[Float(TWO_53 as f64), Float(1.0)], "m 9007199254740993\n"),
        (&[Float(1e15), Float(1.0)], "m 1000000000000001\n"),
        (&[Whole(u64::MAX)], "m 18446744073709551615\n"),
        (&[Whole(u64::MAX), Whole(1)], "m 18446744073709551615\n"),
        (&[Whole(u64::MAX), Whole(u64::MAX)], "m 18446744073709551615\n"),
        (&[Whole(u64::MAX - 1), Whole(1)], "m 18446744073709551615\n"),
        (&[Whole(u64::MAX - 1), Whole(2)], "m 18446744073709551615\n"),
        (&[Whole(1), Whole(u64::MAX)], "m 18446744073709551615\n"),
        // Fractions are kept beside them.
        (&[Float(0.5)], "m 0.5\n"),
        (&[Float(0.5), Whole(1)], "m 1.5\n"),
        (&[Float(0.1), Float(0.2)], "m 0.30000000000000004\n"),
        (&[Float(0.5), Float(0.5)], "m 1\n"),
        (&[Float(TINY)], "m 5e-324\n"),
        (&[Float(TINY), Float(TINY)], "m 1e-323\n"),
        (&[Float(TINY), Whole(1)], "m 1\n"),
        (&[Float(f64::MIN_POSITIVE)], "m 2.2250738585072014e-308\n"),
        (&[Whole(TWO_53), Float(0.5)], "m 9.007199254740992e+15\n"),
        (&[Float(1e300)], "m 1e+300\n"),
        (&[Float(f64::MAX)], "m 1.7976931348623157e+308\n"),
        // What is no step of a counter changes nothing, and is counted.
        (&[Whole(3), Float(-1.0)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(-TINY)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(NAN)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(-NAN)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(INF)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(-INF)], "m 3\nrefused 1\n"),
        (&[Float(NAN), Float(INF), Float(-1.0), Whole(1)], "m 1\nrefused 3\n"),
    ];
    let step = |counter: &Counter, step| match step {
        Whole(by) => counter.inc_by(by),
        Float(by) => counter.add(by),
    };
    for (steps, expected) in cases {
        let family = DynamicFamily::<Counter>::builder("m", "M.").label_names(["l"]);
        let shown = shown!(Counter, Counter::builder("m", "M."), family, steps, step);
        assert_eq!(shown, *expected, "{steps:?}");
    }
}

#[test]
fn totals_at_the_edge() {
    let cases: &[(&[Count], &str)] = &[
        (&[Whole(u64::MAX)], "m 18446744073709551615\n"),
        (&[Whole(u64::MAX), Whole(17)], "m 17\n"),
        (&[Whole(TWO_53 + 1)], "m 9007199254740993\n"),
        (&[Float(0.1)], "m 0.1\n"),
        (&[Float(TINY)], "m 5e-324\n"),
        (&[Float(f64::MAX)], "m 1.7976931348623157e+308\n"),
        (&[Whole(3), Float(-1.0)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(NAN)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(INF)], "m 3\nrefused 1\n"),
        (&[Whole(3), Float(-INF)], "m 3\nrefused 1\n"),
    ];
    let step = |total: &Total, step| match step {
        Whole(value) => total.set(value),
        Float(value) => total.set(value),
    };
    for (steps, expected) in cases {
        let family = DynamicFamily::<Total>::builder("m", "M.").label_names(["l"]);
        let shown = shown!(Total, Total::builder("m", "M."), family, steps, step);
        assert_eq!(shown, *expected, "{steps:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Set(f64),
    Add(f64),
    Sub(f64),
}
use Move::{Add, Set, Sub};

#[test]
fn gauges_at_the_edge() {
    let cases: &[(&[Move], &str)] = &[
        (&[], "m 0\n"),
        (&[Set(-0.0)], "m 0\n"),
        (&[Set(-0.0), Add(0.0)], "m 0\n"),
        (&[Set(0.0), Sub(0.0)], "m 0\n"),
        (&[Sub(1.0)], "m -1\n"),
        (&[Add(-1.5)], "m -1.5\n"),
        (&[Set(TWO_53 as f64), Add(1.0)], "m 9.007199254740992e+15\n"),
        (&[Set(TWO_53 as f64 - 1.0)], "m 9.007199254740991e+15\n"),
        (&[Set(123_456.0)], "m 123456\n"),
        (&[Set(999_999.0)], "m 999999\n"),
        (&[Set(1e6)], "m 1e+06\n"),
        (&[Set(1e20)], "m 1e+20\n"),
        (&[Set(1e21)], "m 1e+21\n"),
        (&[Set(0.0001)], "m 0.0001\n"),
        (&[Set(0.00001)], "m 1e-05\n"),
        (&[Set(0.1), Add(0.2)], "m 0.30000000000000004\n"),
        (&[Set(0.3), Sub(0.1)], "m 0.19999999999999998\n"),
        (&[Set(1.0 / 3.0)], "m 0.3333333333333333\n"),
        (&[Set(TINY)], "m 5e-324\n"),
        (&[Set(-TINY)], "m -5e-324\n"),
        (&[Set(f64::MIN_POSITIVE)], "m 2.2250738585072014e-308\n"),
        (&[Set(f64::MAX)], "m 1.7976931348623157e+308\n"),
        (&[Set(f64::MIN)], "m -1.7976931348623157e+308\n"),
        (&[Set(f64::MAX), Add(f64::MAX)], "m +Inf\n"),
        (&[Set(f64::MIN), Sub(f64::MAX)], "m -Inf\n"),
        (&[Set(INF)], "m +Inf\n"),
        (&[Set(-INF)], "m -Inf\n"),
        (&[Set(INF), Add(-INF)], "m NaN\n"),
        (&[Set(INF), Sub(INF)], "m NaN\n"),
        (&[Set(NAN)], "m NaN\n"),
        (&[Set(-NAN)], "m NaN\n"),
        (&[Set(NAN), Add(1.0)], "m NaN\n"),
        (&[Set(NAN), Set(1.0)], "m 1\n"),
        (&[Set(u64::MAX as f64)], "m 1.8446744073709552e+19\n"),
    ];
    let step = |gauge: &Gauge, step| match step {
        Set(value) => gauge.set(value),
        Add(by) => gauge.add(by),
        Sub(by) => gauge.sub(by),
    };
    for (steps, expected) in cases {
        let family = DynamicFamily::<Gauge>::builder("m", "M.").label_names(["l"]);
        let shown = shown!(Gauge, Gauge::builder("m", "M."), family, steps, step);
        assert_eq!(shown, *expected, "{steps:?}");
    }
}

#[test]
fn histograms_at_the_edge() {
    // The counts of the buckets -1, 0, 1 and +Inf, the sum and the count, and what is refused.
    let cases: &[(&[f64], &str)] = &[
        (&[], "0 0 0 0 0 0"),
        (&[0.0], "0 1 1 1 0 1"),
        (&[-0.0], "0 1 1 1 0 1"),
        (&[1.0], "0 0 1 1 1 1"),
        (&[-1.0], "1 1 1 1 -1 1"),
        (&[1.0 + f64::EPSILON], "0 0 0 1 1.0000000000000002 1"),
        (&[1.0 - f64::EPSILON / 2.0], "0 0 1 1 0.9999999999999999 1"),
        (&[TINY], "0 0 1 1 5e-324 1"),
        (&[-TINY], "0 1 1 1 -5e-324 1"),
        (&[f64::MAX], "0 0 0 1 1.7976931348623157e+308 1"),
        (&[f64::MIN], "1 1 1 1 -1.7976931348623157e+308 1"),
        (&[f64::MAX, f64::MAX], "0 0 0 2 +Inf 2"),
        (&[INF], "0 0 0 1 +Inf 1"),
        (&[-INF], "1 1 1 1 -Inf 1"),
        (&[INF, -INF], "1 1 1 2 NaN 2"),
        (&[0.1, 0.2], "0 0 2 2 0.30000000000000004 2"),
        (&[NAN], "0 0 0 0 0 0 refused 1"),
        (&[-NAN, 1.0], "0 0 1 1 1 1 refused 1"),
    ];
    let step = |histogram: &Histogram, value| histogram.observe(value);
    let buckets = || Buckets::new([-1.0, 0.0, 1.0]);
    for (values, expected) in cases {
        let alone = Histogram::builder("m", "M.").buckets(buckets());
        let family = DynamicFamily::<Histogram>::builder("m", "M.").label_names(["l"]);
        let shown = shown!(Histogram, alone, family.buckets(buckets()), values, step);
        let words = shown.lines().map(|line| match line.strip_prefix("refused") {
            Some(_) => line,
            None => line.rsplit(' ').next().expect("a value"),
        });
        assert_eq!(words.collect::<Vec<_>>().join(" "), *expected, "{values:?}");
    }
}

#[test]
fn summaries_at_the_edge() {
    let cases: &[(&[f64], &str)] = &[
        (&[], "m_sum 0\nm_count 0\n"),
        (&[-0.0], "m_sum 0\nm_count 1\n"),
        (&[TINY, TINY], "m_sum 1e-323\nm_count 2\n"),
        (&[f64::MAX, f64::MAX], "m_sum +Inf\nm_count 2\n"),
        (&[INF, -INF], "m_sum NaN\nm_count 2\n"),
        (&[NAN, 2.0], "m_sum 2\nm_count 1\nrefused 1\n"),
        (&[0.1, 0.2], "m_sum 0.30000000000000004\nm_count 2\n"),
    ];
    let step = |summary: &Summary, value| summary.observe(value);
    for (values, expected) in cases {
        let family = DynamicFamily::<Summary>::builder("m", "M.").label_names(["l"]);
        let shown = shown!(Summary, Summary::builder("m", "M."), family, values, step);
        assert_eq!(shown, *expected, "{values:?}");
    }
}

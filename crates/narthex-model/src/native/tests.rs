use super::{NativeBuckets, NativeHistogram, NativeHistogramError, Schema, Span, ZeroBucket};
use crate::{FamilyBuilder, MetricFamily, Scrape, Value};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

fn histogram(buckets: &[(i32, u64)], sum: f64) -> NativeHistogram {
    let schema = Schema::new(0).unwrap();
    let count = buckets.iter().map(|(_, count)| count).sum();
    let positive = NativeBuckets::from_counts(buckets.iter().copied());
    let (zero, negative) = (ZeroBucket::default(), NativeBuckets::default());
    NativeHistogram::new(schema, zero, positive, negative, count, sum).unwrap()
}

fn family(bounds: &[f64], push: impl FnOnce(&mut FamilyBuilder)) -> MetricFamily {
    let mut family = MetricFamily::native_histogram("h", "H.", bounds).label_names(["l"]);
    push(&mut family);
    family.build().unwrap()
}

#[test]
fn spans_are_as_the_specification_has_them() {
    let populated = [(-2, 3), (-1, 5), (2, 1), (4, 3), (5, 2)];
    let span = |offset, length| Span { offset, length };
    let tight = NativeBuckets::from_counts(populated).compact(0);
    assert_eq!(tight.spans(), [span(-2, 2), span(2, 1), span(1, 2)]);
    assert!(tight.deltas().eq([3, 2, -4, 2, -1]));
    let loose = NativeBuckets::from_counts(populated);
    assert_eq!(loose.spans(), [span(-2, 8)]);
    assert!(loose.deltas().eq([3, 2, -5, 0, 1, -1, 3, -1]));
}

#[test]
fn bad_buckets_are_refused() {
    let span = |offset, length| Span { offset, length };
    let error = |spans: &[Span], deltas: &[i64]| {
        NativeBuckets::from_deltas(spans.to_vec(), deltas.iter().copied()).unwrap_err().to_string()
    };
    assert_eq!(
        error(&[span(0, 1), span(-1, 1)], &[1, 1]),
        "span 2 has offset -1, which must not be negative"
    );
    assert_eq!(error(&[span(0, 3)], &[1]), "the spans have 3 buckets, but there are 1 counts");
    assert_eq!(error(&[span(0, 2)], &[1, -2]), "the count of bucket 2 is not a count");
    assert_eq!(error(&[span(0, 1)], &[-1]), "the count of bucket 1 is not a count");
    let wide = [span(i32::MAX, 1), span(0, 1)];
    assert_eq!(error(&wide, &[1, 0]), "span 2 goes beyond the last index");
    assert_eq!(error(&[span(0, u32::MAX)], &[]), "span 1 goes beyond the last index");
    let max = [i64::MAX, i64::MAX, 1, 1];
    assert_eq!(error(&[span(0, 4)], &max), "the count of bucket 4 is not a count");
}

#[test]
fn the_count_is_that_of_the_buckets() {
    let new = |count, sum, threshold| {
        let zero = ZeroBucket { threshold, count: 1 };
        let positive = NativeBuckets::from_counts([(0, 2)]);
        let schema = Schema::COARSEST;
        NativeHistogram::new(schema, zero, positive, NativeBuckets::default(), count, sum)
    };
    assert!(new(3, 1.0, 0.0).is_ok());
    assert!(new(4, f64::NAN, 0.5).is_ok());
    assert_eq!(
        new(4, 1.0, 0.0),
        Err(NativeHistogramError::Count { count: 4, in_buckets: 3 }),
        "only NaN is in no bucket"
    );
    assert!(new(2, f64::NAN, 0.0).is_err());
    for threshold in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(new(3, 1.0, threshold).is_err());
    }
}

#[test]
fn buckets_are_shown_from_below_to_above() {
    let shown = |threshold, negative: &[(i32, u64)], zero, positive: &[(i32, u64)]| {
        let side = |buckets: &[(i32, u64)]| NativeBuckets::from_counts(buckets.iter().copied());
        let count = zero + [negative, positive].concat().iter().map(|(_, n)| n).sum::<u64>();
        let zero = ZeroBucket { threshold, count: zero };
        let (negative, positive) = (side(negative), side(positive));
        let schema = Schema::new(0).unwrap();
        NativeHistogram::new(schema, zero, positive, negative, count, f64::NAN).unwrap().to_string()
    };
    assert_eq!(shown(0.0, &[], 3, &[]), "{count:3, sum:NaN, [0,0]:3}");
    assert_eq!(
        shown(1.0, &[(1, 2), (3, 1)], 4, &[(1, 5)]),
        "{count:12, sum:NaN, [-8,-4):1, [-2,-1):2, [-1,1]:4, (1,2]:5}"
    );
    assert_eq!(
        shown(0.0, &[(1025, 1)], 0, &[(-20, 1), (21, 1), (1024, 1), (1025, 1)]),
        "{count:5, sum:NaN, [-Inf,-1.7976931348623157e+308):1, \
         (4.76837158203125e-07,9.5367431640625e-07]:1, (1.048576e+06,2.097152e+06]:1, \
         (8.98846567431158e+307,1.7976931348623157e+308]:1, (1.7976931348623157e+308,+Inf]:1}"
    );
}

#[test]
fn the_bucket_around_zero_takes_its_part_of_others() {
    let zero = ZeroBucket { threshold: 3.0, count: 1 };
    let side = || NativeBuckets::from_counts([(1, 2), (2, 4)]);
    let histogram =
        NativeHistogram::new(Schema::new(0).unwrap(), zero, side(), side(), 13, 0.0).unwrap();
    let bounds: Vec<_> = histogram.buckets().map(|b| (b.lower, b.upper, b.count)).collect();
    // What lies within altogether has nothing left but its count.
    let expected = [(-4.0, -3.0, 4), (-3.0, -3.0, 2), (-3.0, 3.0, 1), (3.0, 3.0, 2), (3.0, 4.0, 4)];
    assert_eq!(bounds, expected);
    let cumulative: Vec<_> = histogram.cumulative_buckets().map(|b| (b.upper, b.count)).collect();
    assert_eq!(cumulative, [(-3.0, 4), (-3.0, 6), (3.0, 7), (3.0, 9), (4.0, 13)]);
}

#[test]
fn schemas_have_their_limits() {
    assert_eq!(Schema::new(-5), None);
    assert_eq!(Schema::new(9), None);
    assert_eq!(Schema::new(264), None);
    assert_eq!(Schema::COARSEST.coarser(), None);
    assert_eq!(Schema::new(1).and_then(Schema::coarser), Schema::new(0));
    for factor in [1.0, 0.5, -2.0, f64::NAN] {
        assert_eq!(Schema::for_factor(factor), None);
    }
    assert_eq!(Schema::for_factor(f64::INFINITY), Some(Schema::COARSEST));
}

#[test]
fn classic_buckets_agree_with_the_native_ones() {
    let family = family(&[1.0, 2.0], |family| {
        family.push_native_histogram(["a"], [1, 1, 40], histogram(&[(0, 1), (1, 1), (5, 2)], 40.0));
        family.push_native_histogram(["b"], [], histogram(&[(0, 3)], 2.0));
        family.push_native_histogram(["c"], [9], histogram(&[(0, 3)], 2.0));
    });
    let buckets = |index: usize| {
        let Some(Value::NativeHistogram(value)) = family.values().value(index) else {
            panic!("not a native histogram");
        };
        assert_eq!(value.classic().count(), value.native().count());
        assert_eq!(value.classic().sum(), value.native().sum());
        value.classic().buckets().map(|(_, count)| count).collect::<Vec<_>>()
    };
    assert_eq!([buckets(0), buckets(1), buckets(2)], [[1, 2, 4], [0, 0, 3], [3, 3, 3]]);
}

#[test]
fn native_families_are_merged_filtered_and_compared() {
    let a = family(&[], |f| f.push_native_histogram(["a"], [], histogram(&[(0, 1)], f64::NAN)));
    let b = family(&[], |f| f.push_native_histogram(["b"], [], histogram(&[(3, 2)], 9.0)));
    assert_eq!(a, a.clone());
    assert_ne!(a, b);
    let both = Scrape::new(vec![a.clone(), b]);
    assert!(both.problems().is_empty());
    assert_eq!(both.families()[0].len(), 2);
    assert_eq!(both.families()[0].filter(|m| m.matches(&[("l", "a")])), a);
    let other = family(&[1.0], |f| f.push_native_histogram(["b"], [], histogram(&[(3, 2)], 9.0)));
    let classic = MetricFamily::histogram("h", "H.", &[1.0]).label_names(["l"]).build().unwrap();
    assert!(a.merge(&other).is_err(), "their classic buckets differ");
    assert!(other.merge(&classic).is_err(), "one is not native");
}

proptest! {
    #[test]
    fn a_value_is_within_the_bounds_of_its_bucket(value in any::<f64>(), schema in -4..=8_i32) {
        let schema = Schema::new(schema).unwrap();
        let magnitude = value.abs();
        if magnitude > 0.0 {
            let index = schema.bucket(magnitude);
            prop_assert!(schema.upper_bound(index) >= magnitude);
            prop_assert!(schema.upper_bound(index - 1) < magnitude);
        }
    }

    #[test]
    fn a_bound_is_within_its_bucket(finest in -275_000..262_145_i32, schema in -4..=8_i32) {
        let schema = Schema::new(schema).unwrap();
        let index = schema.widen(finest, Schema::FINEST);
        let bound = schema.upper_bound(index);
        // Far below, where floats are sparse, buckets have no float of their own.
        if bound > f64::MIN_POSITIVE {
            prop_assert_eq!(schema.bucket(bound), index);
            prop_assert_eq!(schema.bucket(bound.next_up()), index + 1);
        }
    }

    #[test]
    fn wider_buckets_have_the_same_observations(
        values in proptest::collection::vec(any::<f64>(), 0..50),
        to in -4..=8_i32,
    ) {
        let (from, to) = (Schema::FINEST, Schema::new(to).unwrap());
        let buckets = |schema: Schema| {
            let mut counts = std::collections::BTreeMap::new();
            for value in values.iter().filter(|value| !value.is_nan() && **value != 0.0) {
                *counts.entry(schema.bucket(value.abs())).or_default() += 1;
            }
            NativeBuckets::from_counts(counts)
        };
        let reduced = buckets(from).reduce_resolution(from, to);
        prop_assert_eq!(reduced.compact(2), buckets(to));
        let rebuilt = NativeBuckets::new(reduced.spans().to_vec(), reduced.counts().to_vec());
        prop_assert_eq!(rebuilt.unwrap(), reduced);
    }
}

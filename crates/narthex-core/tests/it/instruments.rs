//! Counters, gauges and histograms: their arithmetic, to the edges.

use std::time::Duration;

use narthex_core::model::{Column, Number, Value};
use narthex_core::{Buckets, Counter, DynamicFamily, Family, Gauge, Histogram, Registry};

use crate::support::{Request, histogram};

fn registry() -> Registry {
    Registry::new()
}

fn exact(registry: &Registry, family: &str) -> Value<'static> {
    match registry.gather().family(family).unwrap().metric(0).unwrap().value() {
        Value::Number(number) => Value::Number(number),
        other => panic!("{other:?}"),
    }
}

fn unsigned(value: u64) -> Value<'static> {
    Value::Number(Number::Unsigned(value))
}

#[test]
fn a10_counters_only_grow() {
    let registry = registry();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    assert_eq!(registry.gather().value("c_total", &[]), Some(0.0), "exported before it is touched");
    counter.inc();
    counter.inc_by(2);
    counter.add(3.0);
    counter.add(0.5);
    for refused in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -f64::MIN_POSITIVE] {
        counter.add(refused);
    }
    counter.add(-0.0);
    assert_eq!(counter.value(), 6.5);
    let scrape = registry.gather();
    assert_eq!(scrape.value("c_total", &[]), Some(6.5));
    assert_eq!(scrape.value("narthex_refused_values_total", &[("family", "c_total")]), Some(5.0));
}

#[test]
fn counters_are_exact_to_the_end_and_stay_there() {
    for value in [(1 << 53) + 1, u64::MAX - 1, u64::MAX] {
        let registry = registry();
        let alone = Counter::builder("c_total", "C.").register(&registry).unwrap();
        let family =
            DynamicFamily::<Counter>::builder("f_total", "F.").register(&registry).unwrap();
        alone.inc_by(value);
        family.with(&[]).unwrap().inc_by(value);
        assert_eq!(exact(&registry, "c_total"), unsigned(value));
        assert_eq!(exact(&registry, "f_total"), unsigned(value));
        for _ in 0..3 {
            alone.inc();
            family.resolve(&[]).unwrap().inc();
        }
        assert_eq!(exact(&registry, "c_total"), unsigned(value.saturating_add(3)));
        assert_eq!(exact(&registry, "f_total"), unsigned(value.saturating_add(3)));
    }
}

#[test]
fn fractions_of_one_series_leave_the_others_whole() {
    let registry = registry();
    let family: Family<Counter, Request<'static>> =
        Family::builder("f_total", "F.").register(&registry).unwrap();
    family.with(&Request { path: "/a", status: 200 }).inc_by(u64::MAX);
    let child = family.with(&Request { path: "/b", status: 200 });
    child.add(0.25);
    child.add(0.25);
    child.add(2.0);
    child.add(-1.0);
    assert_eq!(child.value(), 2.5);
    let handle = family.resolve(&Request { path: "/b", status: 200 });
    handle.add(1.5);
    handle.add(f64::NAN);
    assert_eq!(handle.value(), 4.0);
    let scrape = registry.gather();
    let Column::Mixed(values) = scrape.family("f_total").unwrap().values() else {
        panic!("one whole, one not")
    };
    assert_eq!(values[..], [Number::Unsigned(u64::MAX), Number::Float(4.0)]);
    assert_eq!(scrape.value("narthex_refused_values_total", &[("family", "f_total")]), Some(2.0));
}

#[test]
fn a11_gauges_go_both_ways() {
    let registry = registry();
    let gauge = Gauge::builder("g", "G.").register(&registry).unwrap();
    assert_eq!(registry.gather().value("g", &[]), Some(0.0));
    gauge.set(10.0);
    gauge.inc();
    gauge.dec();
    gauge.dec();
    gauge.add(2.5);
    gauge.add(-1.0);
    gauge.sub(0.5);
    gauge.sub(-4.0);
    assert_eq!(gauge.value(), 14.0);
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    gauge.set_to_current_time();
    let after = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((before..=after).contains(&gauge.value()));
    for value in [f64::NEG_INFINITY, f64::INFINITY, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX] {
        gauge.set(value);
        assert_eq!(gauge.value().to_bits(), value.to_bits());
    }
    gauge.set(f64::NAN);
    assert!(gauge.value().is_nan());
}

#[test]
fn a11_gauges_of_a_family_do_too() {
    let registry = registry();
    let family =
        DynamicFamily::<Gauge>::builder("g", "G.").label_names(["l"]).register(&registry).unwrap();
    let child = family.with(&["x"]).unwrap();
    child.set(1.0);
    child.inc();
    child.add(3.0);
    child.sub(1.0);
    child.dec();
    let handle = family.resolve(&["x"]).unwrap();
    handle.add(0.5);
    assert_eq!((child.value(), handle.value()), (3.5, 3.5));
    child.set_to_current_time();
    assert!(registry.gather().value("g", &[("l", "x")]).unwrap() > 1.7e9);
}

#[test]
fn a39_work_in_progress_ends_however_it_ends() {
    let busy = Gauge::builder("busy", "Busy.").register(&registry()).unwrap();
    let work = |fail: bool| -> Result<(), ()> {
        let _busy = busy.track_in_progress();
        assert_eq!(busy.value(), 1.0);
        if fail {
            Err(())?;
        }
        Ok(())
    };
    assert!(work(false).is_ok() && work(true).is_err());
    let panic = std::panic::catch_unwind(|| {
        let _busy = busy.track_in_progress();
        panic!("at work");
    });
    assert!(panic.is_err());
    assert_eq!(busy.value(), 0.0);
}

#[test]
fn a14_observations_fall_into_cumulative_buckets() {
    let registry = registry();
    let h = Histogram::builder("h", "H.").buckets([5.0, 10.0, 15.0]).register(&registry).unwrap();
    h.observe(7.0);
    assert_eq!(histogram(&registry.gather(), "h"), (vec![0, 1, 1, 1], 7.0));
    h.observe(7.5);
    assert_eq!(histogram(&registry.gather(), "h"), (vec![0, 2, 2, 2], 14.5));
    h.observe(f64::INFINITY);
    assert_eq!(histogram(&registry.gather(), "h"), (vec![0, 2, 2, 3], f64::INFINITY));
    assert_eq!(h.count(), 3);
}

#[test]
fn a14_a_bound_is_part_of_its_bucket_and_nan_is_refused() {
    let registry = registry();
    let alone =
        Histogram::builder("h", "H.").buckets([-1.0, 0.0, 1.0]).register(&registry).unwrap();
    let family = DynamicFamily::<Histogram>::builder("f", "F.")
        .buckets([-1.0, 0.0, 1.0])
        .register(&registry);
    let family = family.unwrap();
    let resolved = family.resolve(&[]).unwrap();
    let values = [-3.0, -1.0, -0.5, -0.0, 0.0, 1.0, 1.5, f64::NAN, f64::NAN];
    for value in values {
        alone.observe(value);
        family.with(&[]).unwrap().observe(value);
        resolved.observe(value);
    }
    assert_eq!(histogram(&registry.gather(), "h"), (vec![2, 5, 6, 7], -2.0));
    assert_eq!(histogram(&registry.gather(), "f"), (vec![4, 10, 12, 14], -4.0));
    let child = family.with(&[]).unwrap();
    assert_eq!((child.count(), child.sum()), (14, -4.0));
    let refused = |family| {
        registry.gather().value("narthex_refused_values_total", &[("family", family)]).unwrap()
    };
    assert_eq!((refused("h"), refused("f")), (2.0, 4.0));
}

#[test]
fn a14_default_buckets_are_those_of_prometheus() {
    let registry = registry();
    Histogram::builder("h_seconds", "H.").register(&registry).unwrap();
    let scrape = registry.gather();
    let Value::Histogram(h) = scrape.family("h_seconds").unwrap().metric(0).unwrap().value() else {
        panic!("not a histogram")
    };
    let bounds: Vec<f64> = h.buckets().map(|(bound, _)| bound).collect();
    let mut expected = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    expected.push(f64::INFINITY);
    assert_eq!(bounds, expected);
}

#[test]
fn a14_bad_buckets_are_refused_at_registration() {
    let message = |buckets: Buckets| {
        let error = Histogram::builder("h", "H.").buckets(buckets).register(&registry());
        error.unwrap_err().to_string()
    };
    assert_eq!(
        message([2.0, 1.0].into()),
        "cannot register `h`: bucket 2 is 1, which is not above 2: bounds must ascend"
    );
    assert_eq!(
        message([1.0, 1.0].into()),
        "cannot register `h`: bucket 2 is 1, which is not above 1: bounds must ascend"
    );
    assert_eq!(
        message([1.0, f64::NAN].into()),
        "cannot register `h`: bucket 2 is NaN, which is not a bound"
    );
    assert_eq!(
        message(Vec::new().into()),
        "cannot register `h`: a histogram needs a bucket beside +Inf"
    );
    assert_eq!(
        message([f64::INFINITY].into()),
        "cannot register `h`: a histogram needs a bucket beside +Inf"
    );
    assert_eq!(
        message(Buckets::linear(0.0, 0.5, 600)),
        "cannot register `h`: it has 601 buckets, and 509 is the most a histogram can have"
    );
}

#[test]
fn a15_bucket_helpers_reach_what_they_say_and_refuse_the_rest() {
    let bounds = |buckets: Buckets| {
        let registry = registry();
        Histogram::builder("h", "H.").buckets(buckets).register(&registry)?;
        let scrape = registry.gather();
        let Value::Histogram(h) = scrape.family("h").unwrap().metric(0).unwrap().value() else {
            panic!("not a histogram")
        };
        let mut bounds: Vec<f64> = h.buckets().map(|(bound, _)| bound).collect();
        assert_eq!(bounds.pop(), Some(f64::INFINITY));
        Ok::<_, narthex_core::RegisterError>(bounds)
    };
    assert_eq!(bounds(Buckets::linear(1.0, 2.0, 5)).unwrap(), [1.0, 3.0, 5.0, 7.0, 9.0]);
    assert_eq!(
        bounds(Buckets::exponential(1.0, 10.0, 5)).unwrap(),
        [1.0, 10.0, 100.0, 1000.0, 10_000.0]
    );
    assert_eq!(bounds(Buckets::exponential_range(1.0, 100.0, 3)).unwrap(), [1.0, 10.0, 100.0]);
    for (buckets, reason) in [
        (Buckets::linear(1.0, 2.0, 0), "linear buckets need a count of at least 1"),
        (Buckets::linear(1.0, 0.0, 2), "linear buckets need a positive width, not 0"),
        (Buckets::exponential(1.0, 10.0, 0), "exponential buckets need a count of at least 1"),
        (Buckets::exponential(-1.0, 10.0, 2), "exponential buckets need a positive start, not -1"),
        (Buckets::exponential(1.0, 0.5, 2), "exponential buckets need a factor above 1, not 0.5"),
        (Buckets::exponential(1.0, 1.0, 2), "exponential buckets need a factor above 1, not 1"),
        (
            Buckets::exponential_range(1.0, 10.0, 1),
            "an exponential range of buckets needs a count of at least 2",
        ),
        (
            Buckets::exponential_range(0.0, 10.0, 3),
            "an exponential range of buckets needs a positive start, not 0",
        ),
        (
            Buckets::exponential_range(10.0, 1.0, 3),
            "an exponential range of buckets cannot go from 10 to 1",
        ),
    ] {
        let message = bounds(buckets).unwrap_err().to_string();
        assert_eq!(message, format!("cannot register `h`: {reason}"));
    }
}

#[test]
fn a38_timers_observe_once_in_seconds() {
    let h = Histogram::builder("h_seconds", "H.").register(&registry()).unwrap();
    drop(h.start_timer());
    let measured = h.start_timer().stop();
    assert_eq!(h.count(), 2);
    assert!(h.sum() >= measured.as_secs_f64());
    h.start_timer().discard();
    assert_eq!(h.count(), 2);
    let sum = h.sum();
    h.observe_duration(Duration::from_millis(1500));
    assert!((h.sum() - sum - 1.5).abs() < 1e-9);
}

//! G15 and T18: a panic in user code costs its own data and disables nothing.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Once};

use narthex_core::model::{Metadata, MetricFamily};
use narthex_core::{Collector, Counter, DynamicFamily, Gauge, Histogram, RegisterError, Registry};

use crate::report;

/// Keeps panics that are meant from filling the log; they are called `expected`.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                loud(info);
            }
        }));
    });
    EXPECTED.set(true);
}

thread_local! {
    static EXPECTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// One of twenty collectors, the last of which panics.
struct OneOfTwenty {
    number: usize,
    panics: Option<Panic>,
    lock: Mutex<u32>,
}

impl Collector for OneOfTwenty {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        let family = MetricFamily::gauge(format!("g{}", self.number), "G.").sample([""; 0], 1.0);
        families.extend(family.build());
        if let Some(panic) = self.panics {
            panic(self);
        }
    }
}

struct PanicsWhenDropped;

impl Collector for PanicsWhenDropped {
    fn collect(&self, _: &mut Vec<MetricFamily>) {}
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("expected");
    }
}

struct Undescribed;

impl Collector for Undescribed {
    fn describe(&self) -> Vec<Metadata> {
        panic!("expected")
    }

    fn collect(&self, _: &mut Vec<MetricFamily>) {}
}

type Panic = fn(&OneOfTwenty);

const KINDS: [(&str, Panic); 5] = [
    ("a text", |_| panic!("expected")),
    ("a formatted text", |collector| panic!("expected {}", collector.number)),
    ("a payload that is no text", |_| panic_any(7)),
    ("a destructor", |_| drop(PanicsWhenDropped)),
    ("a held lock", |collector| {
        let _poisoned = collector.lock.lock();
        panic!("expected");
    }),
];

#[test]
fn g15_one_of_twenty_collectors_panics_and_nineteen_are_served() {
    const SCRAPES: usize = 1000;
    quiet();
    for (kind, panic) in KINDS {
        let registry = Registry::new();
        for number in 0..20 {
            let panics = (number == 7).then_some(panic);
            registry.register(OneOfTwenty { number, panics, lock: Mutex::new(0) }).unwrap();
        }
        let served = (0..SCRAPES)
            .filter(|_| {
                let scrape = registry.gather();
                scrape.families().len() == 19
                    && scrape.family("g7").is_none()
                    && scrape.problems().len() == 1
                    && scrape.problems()[0].to_string().contains("panicked")
            })
            .count();
        let measured = format!("scrapes with 19 of 20 collectors and a problem, panic with {kind}");
        report("G15", &measured, served, SCRAPES, served == SCRAPES);
    }
}

#[test]
fn t18_a_panic_while_a_metric_is_updated_never_disables_it() {
    const PANICS: usize = 1000;
    quiet();
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let gauge = Gauge::builder("g", "G.").register(&registry).unwrap();
    let histogram = Histogram::builder("h", "H.").register(&registry).unwrap();
    let family = DynamicFamily::<Counter>::builder("f_total", "F.")
        .label_names(["kind"])
        .register(&registry)
        .unwrap();
    let reads = Arc::new(AtomicU64::new(0));
    let read = reads.clone();
    Gauge::from_fn("computed", "C.", move || -> f64 {
        if read.fetch_add(1, Relaxed).is_multiple_of(2) {
            panic!("expected")
        }
        1.0
    })
    .register(&registry)
    .unwrap();

    let updates: [(&str, &dyn Fn()); 7] = [
        ("a closure of retain", &|| {
            family.retain(|_| panic!("expected"));
        }),
        ("a closure of a transaction", &|| {
            let _ = registry.transaction(|registry| -> Result<(), RegisterError> {
                Counter::builder("new_total", "N.").register(registry)?;
                panic!("expected")
            });
        }),
        ("guards that unwind", &|| {
            let _timer = histogram.start_timer();
            let _busy = gauge.track_in_progress();
            let _attempt = counter.attempt();
            panic!("expected");
        }),
        ("a scoped series", &|| {
            let scoped = family.scoped(&["scoped"]).unwrap();
            scoped.inc();
            panic!("expected");
        }),
        ("a label value", &|| {
            let value = || -> Cow<'_, str> { panic!("expected") };
            family.with(&[&value()]).unwrap().inc();
        }),
        ("a registration that fails", &|| {
            Counter::builder("c_total", "C.").register(&registry).unwrap();
        }),
        ("a collector while it is described", &|| {
            let _ = registry.register(Undescribed);
        }),
    ];
    let mut expected = 0.0;
    let mut survived = 0;
    for (what, update) in updates {
        for _ in 0..PANICS {
            family.with(&["kept"]).unwrap().inc();
            expected += 1.0;
            let outcome = catch_unwind(AssertUnwindSafe(update));
            assert!(outcome.is_err(), "{what} did not panic");
            survived += usize::from(family.with(&["kept"]).unwrap().value() == expected);
        }
        let scrape = registry.gather();
        assert_eq!(scrape.value("f_total", &[("kind", "kept")]), Some(expected), "{what}");
        assert_eq!(scrape.value("g", &[]), Some(0.0), "{what}");
        assert!(scrape.family("new_total").is_none(), "{what}");
    }
    let all = updates.len() * PANICS;
    report("T18", "updates that went on after a panic beside them", survived, all, survived == all);
    // The attempts that unwound count as failures, and the timers have observed.
    assert_eq!(counter.value(), PANICS as f64);
    assert_eq!(histogram.count(), PANICS as u64);
    assert_eq!(family.len(), 1);

    let computed: Vec<_> =
        (0..10).map(|_| registry.gather().family("computed").is_some()).collect();
    let shown = computed.iter().filter(|shown| **shown).count();
    report(
        "T18",
        "scrapes of 10 with a closure that panics every other time",
        shown,
        5,
        shown == 5,
    );
}

#[test]
fn t18_a_collector_whose_drop_panics_costs_only_the_caller_that_dropped_it() {
    quiet();
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    for round in 1..=100 {
        let registration = registry.register(PanicsWhenDropped).unwrap();
        assert!(catch_unwind(|| registry.unregister(&registration)).is_err());
        counter.inc();
        assert_eq!(registry.gather().value("c_total", &[]), Some(f64::from(round)));
    }
}

//! Many threads: nothing is lost, nothing is torn.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use narthex_core::{Counter, Family, Histogram, Registry};

use crate::support::{Request, histogram};

#[test]
fn a46_no_count_is_lost_between_threads() {
    let registry = Registry::new();
    let alone = Counter::builder("alone_total", "A.").register(&registry).unwrap();
    let family: Family<Counter, Request<'static>> =
        Family::builder("family_total", "F.").register(&registry).unwrap();
    let handle = family.resolve(&Request { path: "/kept", status: 200 });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..100_000_u32 {
                    alone.inc();
                    handle.inc();
                    family.with(&Request { path: "/", status: (n % 7) as u16 }).inc();
                }
            });
        }
    });
    assert_eq!(alone.value(), 800_000.0);
    assert_eq!(handle.value(), 800_000.0);
    let total: f64 = (0..7).map(|status| family.with(&Request { path: "/", status }).value()).sum();
    assert_eq!(total, 800_000.0);
}

#[test]
fn more_threads_than_have_cells_of_their_own_count_too() {
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let h = Histogram::builder("h", "H.").buckets([1.0]).register(&registry).unwrap();
    let start = std::sync::Barrier::new(150);
    std::thread::scope(|scope| {
        for _ in 0..150 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..1000 {
                    counter.inc();
                    h.observe(1.0);
                }
                start.wait();
            });
        }
    });
    assert_eq!(counter.value(), 150_000.0);
    assert_eq!(histogram(&registry.gather(), "h"), (vec![150_000, 150_000], 150_000.0));
}

#[test]
fn short_threads_leave_their_counts_behind() {
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    for _ in 0..500 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| counter.inc_by(5));
            }
        });
    }
    assert_eq!(counter.value(), 10_000.0);
}

#[test]
fn a_new_instrument_does_not_inherit_an_old_one_s_counts() {
    let registry = Registry::new();
    for round in 0..50 {
        let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
        let h = Histogram::builder("h", "H.").register(&registry).unwrap();
        assert_eq!((counter.value(), h.count(), h.sum()), (0.0, 0, 0.0), "round {round}");
        std::thread::scope(|scope| {
            scope.spawn(|| (counter.inc_by(3), h.observe(0.5)));
            counter.inc();
            h.observe(2.0);
        });
        assert_eq!((counter.value(), h.count(), h.sum()), (4.0, 2, 2.5));
        registry.unregister(&counter);
        registry.unregister(&h);
    }
}

#[test]
fn scrapes_only_ever_grow_while_threads_count() {
    let registry = Registry::new();
    let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    // A thread of its own each time, so that folding is part of the race.
                    std::thread::scope(|inner| {
                        inner.spawn(|| (0..1000).for_each(|_| counter.inc()));
                    });
                }
            });
        }
        let mut last = 0.0;
        for _ in 0..1000 {
            let now = registry.gather().value("c_total", &[]).unwrap();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        done.store(true, Relaxed);
    });
}

use crate::{Histogram, Registry};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn histogram(bounds: &[f64]) -> Histogram {
    Histogram::builder("h", "H.").buckets(bounds).register(&Registry::new()).unwrap()
}

#[test]
fn snapshots_show_whole_observations_only() {
    for buckets in [12, 40] {
        let bounds: Vec<f64> = (1..=buckets).map(f64::from).collect();
        let histogram = histogram(&bounds);
        let done = AtomicBool::new(false);
        let mut last = 0;
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (histogram, done) = (&histogram, &done);
                scope.spawn(move || {
                    while !done.load(Relaxed) {
                        // All observe 1, so that a snapshot's sum must be its count.
                        histogram.observe(1.0);
                        std::hint::black_box(thread);
                    }
                });
            }
            for _ in 0..2000 {
                let totals = histogram.totals();
                let count: u64 = totals.counts.iter().sum();
                assert_eq!(totals.sum, count as f64);
                assert!(count >= last, "counts never fall");
                last = count;
            }
            done.store(true, Relaxed);
        });
    }
}

#[test]
fn nothing_is_lost_when_threads_end() {
    let histogram = histogram(&[1.0]);
    for _ in 0..20 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|n| histogram.observe(f64::from(n % 3))));
            }
        });
        histogram.count();
    }
    assert_eq!(histogram.count(), 40_000);
    assert_eq!(histogram.sum(), 39_920.0);
}

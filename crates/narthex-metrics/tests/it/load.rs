//! Much, at once, and for long.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use metrics::{counter, describe_counter, histogram, with_local_recorder};
use narthex_core::{Collector, Registry};
use narthex_metrics::MetricsRecorder;
use narthex_model::{MetricFamily, Value};
use narthex_test::resident_bytes;

/// The peer keeps every sample until somebody scrapes: 787 MB for 50 million.
#[test]
fn g14_observations_that_nobody_scrapes_cost_no_memory() {
    const OBSERVATIONS: u64 = if cfg!(debug_assertions) { 2_000_000 } else { 50_000_000 };
    const LIMIT: u64 = 1 << 20;
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    let h = with_local_recorder(&recorder, || histogram!("h"));
    h.record(1.0);
    let before = resident_bytes(process::id()).unwrap_or(0);
    for n in 1..OBSERVATIONS {
        h.record((n % 100) as f64 / 7.0);
    }
    let grown = resident_bytes(process::id()).unwrap_or(0).saturating_sub(before);
    println!("G14: {OBSERVATIONS} observations through the facade: {grown} bytes, limit {LIMIT}");
    assert!(grown < LIMIT, "{grown} bytes");
    let scrape = registry.gather();
    let metric = scrape.family("h").and_then(|family| family.metric(0)).unwrap();
    let Value::Histogram(histogram) = metric.value() else { panic!("not a histogram") };
    assert_eq!(histogram.count(), OBSERVATIONS);
}

#[test]
fn threads_that_record_and_scrape_at_once_lose_nothing() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = if cfg!(debug_assertions) { 400 } else { 2000 };
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    let finished = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (recorder, finished) = (&recorder, &finished);
            scope.spawn(move || {
                with_local_recorder(recorder, || {
                    for round in 0..ROUNDS {
                        counter!("c").increment(1);
                        counter!("c", "thread" => thread.to_string()).increment(1);
                        counter!("c", "round" => round.to_string()).increment(1);
                        histogram!("h", "class" => (round % 5).to_string()).record(round as f64);
                    }
                });
                finished.fetch_add(1, Relaxed);
            });
        }
        let mut last = 0.0;
        while finished.load(Relaxed) < THREADS {
            let scrape = registry.gather();
            assert_eq!(scrape.problems(), []);
            let now = scrape.value("c_total", &[]).unwrap_or(0.0);
            assert!(now >= last, "{now} after {last}");
            last = now;
            for metric in
                scrape.family("h").into_iter().flat_map(narthex_model::MetricFamily::metrics)
            {
                let Value::Histogram(histogram) = metric.value() else { panic!("not a histogram") };
                let infinite = histogram.buckets().last().map(|(_, count)| count);
                assert_eq!(infinite, Some(histogram.count()));
            }
        }
    });
    let scrape = registry.gather();
    assert_eq!(scrape.value("c_total", &[]), Some((THREADS * ROUNDS) as f64));
    for thread in 0..THREADS {
        let labels = [("thread", &*thread.to_string())];
        assert_eq!(scrape.value("c_total", &labels), Some(ROUNDS as f64));
    }
    for round in 0..ROUNDS {
        let labels = [("round", &*round.to_string())];
        assert_eq!(scrape.value("c_total", &labels), Some(THREADS as f64));
    }
    let observed =
        scrape.family("h").into_iter().flat_map(narthex_model::MetricFamily::metrics).map(
            |metric| {
                let Value::Histogram(histogram) = metric.value() else { panic!("not a histogram") };
                histogram.count()
            },
        );
    assert_eq!(observed.sum::<u64>(), THREADS * ROUNDS);
}

#[test]
fn g12_a_full_family_counts_exactly_and_says_so() {
    const LIMIT: usize = 100;
    const PATHS: usize = 5000;
    let registry = Registry::new();
    let recorder = MetricsRecorder::builder(&registry).series_limit(LIMIT).build().unwrap();
    with_local_recorder(&recorder, || {
        for path in 0..PATHS {
            counter!("hits", "path" => path.to_string()).increment(1);
        }
        counter!("hits").increment(1);
    });
    let scrape = registry.gather();
    let hits = scrape.family("hits_total").unwrap();
    assert_eq!(hits.len(), LIMIT + 2);
    let total: f64 = hits.metrics().filter_map(|metric| metric.number()).sum();
    assert_eq!(total, (PATHS + 1) as f64);
    let rest = Some((PATHS - LIMIT) as f64);
    assert_eq!(scrape.value("hits_total", &[("path", "overflow")]), rest);
    let told = scrape.value("narthex_metrics_overflow_total", &[("family", "hits_total")]);
    assert_eq!(told, rest);
}

#[test]
fn names_without_end_are_refused_at_some_point() {
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    with_local_recorder(&recorder, || {
        for n in 0..4_500 {
            counter!(format!("name_{n}")).increment(1);
        }
    });
    let scrape = registry.gather();
    assert_eq!(scrape.value("name_3999_total", &[]), Some(1.0));
    assert!(scrape.family("name_4000_total").is_none());
    let refused = scrape.value("narthex_metrics_refused_total", &[("family", "overflow")]);
    assert_eq!(refused, Some(500.0));
}

#[test]
fn g16_user_code_may_record_from_inside_a_scrape() {
    struct Recording(MetricsRecorder);
    impl Collector for Recording {
        fn collect(&self, _: &mut Vec<MetricFamily>) {
            with_local_recorder(&self.0, || {
                describe_counter!("collected", "Scrapes.");
                counter!("collected").increment(1);
                counter!("collected", "first" => "yes").increment(1);
            });
        }
    }
    impl Drop for Recording {
        fn drop(&mut self) {
            with_local_recorder(&self.0, || counter!("dropped").increment(1));
        }
    }
    let (end, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let registry = Registry::new();
        let recorder = MetricsRecorder::new(&registry).unwrap();
        let registration = registry.register(Recording(recorder)).unwrap();
        registry.gather();
        registry.gather();
        registry.unregister(&registration);
        end.send(registry.gather()).unwrap();
    });
    let scrape = ended.recv_timeout(Duration::from_secs(30)).expect("nothing hangs");
    assert_eq!(scrape.value("collected_total", &[]), Some(2.0));
    assert_eq!(scrape.value("dropped_total", &[]), Some(1.0));
}

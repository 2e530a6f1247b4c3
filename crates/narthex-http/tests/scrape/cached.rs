//! Sources whose data is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use narthex_http::{Cached, Gather, ScrapeContext, ScrapeEngine, ScrapeRequest};
use narthex_model::Scrape;
use tokio::sync::Semaphore;
use tokio::time::{Instant, advance};

use crate::{builder, failures, gather, succeeded};

const TTL: Duration = Duration::from_secs(60);

/// A source that says how often it was asked, and does what a test wants.
#[derive(Clone, Default)]
struct Probe(Arc<Inner>);

#[derive(Default)]
struct Inner {
    asked: AtomicU64,
    fails: AtomicBool,
    hangs: AtomicBool,
    takes: AtomicU64,
}

impl Probe {
    fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn fails(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    fn hangs(&self, hangs: bool) {
        self.0.hangs.store(hangs, Ordering::SeqCst);
    }

    fn takes(&self, seconds: u64) {
        self.0.takes.store(seconds, Ordering::SeqCst);
    }

    fn source(&self) -> impl Fn(ScrapeContext) -> Answer + Clone + use<> {
        let probe = self.clone();
        move |scrape| {
            let inner = probe.0.clone();
            Box::pin(async move {
                let asked = inner.asked.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_secs(inner.takes.load(Ordering::SeqCst))).await;
                if inner.hangs.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                if inner.fails.load(Ordering::SeqCst) {
                    return Err("no answer");
                }
                scrape.gauge_family("asked", "How often.", ["zone"]).set(["a"], asked as f64);
                scrape.gauge_family("asked", "How often.", ["zone"]).set(["b"], asked as f64);
                Ok(())
            })
        }
    }
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;

fn engine(cached: Cached) -> ScrapeEngine {
    builder().source("cached", cached).build().unwrap()
}

fn shown(scrape: &Scrape) -> Option<f64> {
    scrape.value("asked", &[("zone", "a")])
}

fn age(scrape: &Scrape) -> Option<f64> {
    scrape.value("narthex_source_age_seconds", &[("source", "cached")])
}

#[tokio::test(start_paused = true)]
async fn c14_data_is_fetched_again_when_its_time_is_over() {
    let probe = Probe::default();
    let engine = engine(Cached::new(probe.source(), TTL));
    for (wait, asked, seconds) in [(0, 1.0, 0.0), (59, 1.0, 59.0), (1, 2.0, 0.0), (30, 2.0, 30.0)] {
        advance(Duration::from_secs(wait)).await;
        let scrape = gather(&engine).await;
        assert_eq!((shown(&scrape), age(&scrape)), (Some(asked), Some(seconds)));
        assert!(succeeded(&scrape, "cached"));
    }
    assert_eq!(probe.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn c15_concurrent_scrapes_share_one_run() {
    let probe = Probe::default();
    probe.takes(3);
    let engine = engine(Cached::new(probe.source(), TTL));
    let scrapes = futures_of(&engine, 5).await;
    assert!(scrapes.iter().all(|scrape| shown(scrape) == Some(1.0)));
    assert_eq!(probe.asked(), 1);
    let duration = |s: &Scrape| s.value("narthex_source_duration_seconds", &[("source", "cached")]);
    assert!(scrapes.iter().all(|scrape| duration(scrape).unwrap().floor() == 3.0));
}

async fn futures_of(engine: &ScrapeEngine, count: usize) -> Vec<Scrape> {
    let tasks = (0..count).map(|_| {
        let engine = engine.clone();
        tokio::spawn(async move { gather(&engine).await })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut scrapes = Vec::new();
    for task in tasks {
        scrapes.push(task.await.unwrap());
    }
    scrapes
}

#[tokio::test(start_paused = true)]
async fn c15_a_scrape_that_is_given_up_leaves_its_run_to_the_cache() {
    let probe = Probe::default();
    probe.takes(3);
    let engine = engine(Cached::new(probe.source(), TTL));
    let given_up = tokio::time::timeout(Duration::from_secs(1), gather(&engine)).await;
    assert!(given_up.is_err());
    assert_eq!(shown(&gather(&engine).await), Some(1.0));
    assert_eq!(probe.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn c15_a_first_run_that_fails_costs_its_own_data_alone() {
    let probe = Probe::default();
    probe.fails(true);
    let engine = engine(Cached::new(probe.source(), TTL).stale(10 * TTL));
    let scrape = gather(&engine).await;
    assert_eq!((shown(&scrape), age(&scrape)), (None, None));
    assert!(!succeeded(&scrape, "cached"));
    assert_eq!(failures(&scrape, "cached", "error"), 1);
    // The next scrape asks again.
    probe.fails(false);
    assert_eq!(shown(&gather(&engine).await), Some(2.0));
}

#[tokio::test(start_paused = true)]
async fn c14_old_data_stands_in_for_a_failed_run_until_it_is_too_old() {
    let probe = Probe::default();
    let engine = engine(Cached::new(probe.source(), TTL).stale(3 * TTL));
    gather(&engine).await;
    probe.fails(true);
    advance(2 * TTL).await;
    let scrape = gather(&engine).await;
    assert_eq!((shown(&scrape), age(&scrape)), (Some(1.0), Some(120.0)));
    assert!(!succeeded(&scrape, "cached"), "that the data is old must show");
    assert_eq!(failures(&scrape, "cached", "error"), 1);
    advance(2 * TTL).await;
    let scrape = gather(&engine).await;
    assert_eq!((shown(&scrape), age(&scrape)), (None, None));
    probe.fails(false);
    let scrape = gather(&engine).await;
    assert_eq!((shown(&scrape), age(&scrape)), (Some(4.0), Some(0.0)));
    assert!(succeeded(&scrape, "cached"));
}

#[tokio::test(start_paused = true)]
async fn c14_without_leave_no_old_data_is_shown() {
    let probe = Probe::default();
    let engine = engine(Cached::new(probe.source(), TTL));
    gather(&engine).await;
    probe.fails(true);
    advance(TTL).await;
    assert_eq!(shown(&gather(&engine).await), None);
}

#[tokio::test(start_paused = true)]
async fn c14_old_data_stands_in_for_a_run_that_is_late() {
    let probe = Probe::default();
    let engine = engine(Cached::new(probe.source(), TTL).stale(10 * TTL));
    gather(&engine).await;
    probe.hangs(true);
    advance(TTL).await;
    let begun = Instant::now();
    let scrape = gather(&engine).await;
    assert!(begun.elapsed() < crate::DEADLINE, "in time for the page");
    assert_eq!(shown(&scrape), Some(1.0));
    assert_eq!(failures(&scrape, "cached", "deadline"), 1);
    assert!(!succeeded(&scrape, "cached"));
    // The run has ended, so that the next one may begin.
    probe.hangs(false);
    assert_eq!(shown(&gather(&engine).await), Some(3.0));
}

#[tokio::test(start_paused = true)]
async fn a_background_source_runs_at_its_own_interval() {
    let probe = Probe::default();
    probe.takes(2);
    let engine = engine(Cached::background(probe.source(), Duration::from_secs(30)));
    engine.start();
    // The first scrape waits for the first run, which had begun before.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    let scrape = gather(&engine).await;
    assert_eq!(begun.elapsed().as_secs(), 1);
    assert_eq!((shown(&scrape), age(&scrape)), (Some(1.0), Some(0.0)));
    // Later ones wait for nothing.
    tokio::time::sleep(Duration::from_secs(29)).await;
    let begun = Instant::now();
    let scrape = gather(&engine).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(shown(&scrape), Some(1.0));
    assert_eq!(age(&scrape).unwrap().floor(), 29.0);
    assert_eq!(probe.asked(), 2);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(probe.asked(), 12, "whether anybody scrapes or not");
}

#[tokio::test(start_paused = true)]
async fn a_background_run_that_fails_is_told_of_and_covered_by_old_data_if_that_is_allowed() {
    for stale in [None, Some(Duration::from_secs(100))] {
        let probe = Probe::default();
        let mut cached = Cached::background(probe.source(), Duration::from_secs(30));
        if let Some(max_age) = stale {
            cached = cached.stale(max_age);
        }
        let engine = engine(cached);
        gather(&engine).await;
        probe.hangs(true);
        tokio::time::sleep(Duration::from_secs(65)).await;
        let scrape = gather(&engine).await;
        assert_eq!(shown(&scrape).is_some(), stale.is_some());
        assert!(!succeeded(&scrape, "cached"));
        assert_eq!(failures(&scrape, "cached", "deadline"), 1);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(shown(&gather(&engine).await), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_background_source_ends_with_its_engine() {
    let probe = Probe::default();
    let engine = engine(Cached::background(probe.source(), Duration::from_secs(1)));
    gather(&engine).await;
    drop(engine);
    let asked = probe.asked();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(probe.asked(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_source_that_blocks_its_thread_is_not_started_twice() {
    let asked = Arc::new(AtomicU64::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let (counted, let_go) = (asked.clone(), gate.clone());
    let blocks = move |_: ScrapeContext| {
        counted.fetch_add(1, Ordering::SeqCst);
        let gate = let_go.clone();
        async move {
            while gate.try_acquire().is_err() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
    };
    let engine = engine(Cached::new(blocks, Duration::ZERO));
    let soon = || ScrapeRequest::new(Instant::now() + Duration::from_millis(500));
    let scrape = engine.gather(soon()).await.unwrap();
    assert_eq!(failures(&scrape, "cached", "deadline"), 1);
    let scrape = engine.gather(soon()).await.unwrap();
    assert_eq!(failures(&scrape, "cached", "hung"), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    gate.add_permits(1);
}

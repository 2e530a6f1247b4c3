//! How runs of sources end: errors, panics, deadlines, hung threads, dropped scrapes.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use narthex_core::Collector;
use narthex_http::{Gather, ScrapeContext, ScrapeEngine, ScrapeRequest};
use narthex_model::MetricFamily;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::{DEADLINE, builder, failures, fine, gather, gauge, succeeded};

/// Tells when it is dropped.
struct Told(mpsc::UnboundedSender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[tokio::test]
async fn b22_a_failing_source_shows_nothing_of_its_data() {
    let engine = builder()
        .source("fine", fine)
        .source("broken", |scrape: ScrapeContext| async move {
            scrape.gauge("half", "A gauge.").set(1.0);
            scrape.add(gauge("ready", 1.0));
            Err::<(), _>("the other half is missing")
        })
        .build()
        .unwrap();
    for round in 1..=3 {
        let scrape = gather(&engine).await;
        assert_eq!(scrape.value("fine", &[]), Some(1.0));
        assert!(scrape.family("half").is_none());
        assert!(scrape.family("ready").is_none());
        assert!(!succeeded(&scrape, "broken"));
        assert_eq!(failures(&scrape, "broken", "error"), round);
    }
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

#[derive(Debug)]
struct PanicsOnDisplay;

impl std::fmt::Display for PanicsOnDisplay {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("in display");
    }
}

impl std::error::Error for PanicsOnDisplay {}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Str,
    String,
    NotText,
    InTask,
    InDrop,
    InDropOfPayload,
    InDisplayOfError,
    BeforeTheFuture,
}

async fn panics(scrape: ScrapeContext, kind: Kind) -> Result<(), PanicsOnDisplay> {
    scrape.gauge("half", "A gauge.").set(1.0);
    let _on_drop = matches!(kind, Kind::InDrop).then(|| PanicsOnDrop);
    tokio::task::yield_now().await;
    match kind {
        Kind::Str => panic!("text"),
        Kind::String => panic!("text of {kind:?}"),
        Kind::NotText => std::panic::panic_any(7_u8),
        Kind::InTask => tokio::spawn(async { panic!("in a task") }).await.unwrap(),
        Kind::InDropOfPayload => std::panic::panic_any(PanicsOnDrop),
        Kind::InDisplayOfError => return Err(PanicsOnDisplay),
        Kind::InDrop | Kind::BeforeTheFuture => {}
    }
    Ok(())
}

#[tokio::test]
async fn b22_a_panicking_source_costs_only_its_own_data() {
    for kind in [
        Kind::Str,
        Kind::String,
        Kind::NotText,
        Kind::InTask,
        Kind::InDrop,
        Kind::InDropOfPayload,
        Kind::InDisplayOfError,
        Kind::BeforeTheFuture,
    ] {
        let engine = builder()
            .source("fine", fine)
            .source("panics", move |scrape: ScrapeContext| {
                assert!(!matches!(kind, Kind::BeforeTheFuture), "no future");
                panics(scrape, kind)
            })
            .build()
            .unwrap();
        for round in 1..=100 {
            let scrape = gather(&engine).await;
            assert_eq!(scrape.value("fine", &[]), Some(1.0), "{kind:?}");
            assert!(scrape.family("half").is_none(), "{kind:?}");
            assert!(!succeeded(&scrape, "panics"), "{kind:?}");
            assert_eq!(failures(&scrape, "panics", "panic"), round, "{kind:?}");
        }
    }
}

/// Scrapes 20 sources, one of which panics, and expects all but that one on each page.
async fn panics_are_survived(scrapes: usize) {
    let kinds =
        [Kind::Str, Kind::NotText, Kind::InTask, Kind::InDropOfPayload, Kind::InDisplayOfError];
    let mut whole = 0;
    for kind in kinds {
        let mut engine = builder().source("panics", move |scrape| panics(scrape, kind));
        for at in 0..19 {
            engine = engine.source(format!("fine_{at}"), move |_: ScrapeContext| async move {
                gauge(&format!("fine_{at}"), 1.0)
            });
        }
        let engine = engine.build().unwrap();
        for _ in 0..scrapes {
            let scrape = gather(&engine).await;
            let fine = (0..19).filter(|at| scrape.family(&format!("fine_{at}")).is_some()).count();
            let is_told = !succeeded(&scrape, "panics") && scrape.family("half").is_none();
            whole += usize::from(fine == 19 && is_told);
        }
    }
    let limit = scrapes * kinds.len();
    let verdict = if whole == limit { "PASS" } else { "FAIL" };
    println!("G15: scrapes with 19 of 20 sources: {whole}, limit {limit}: {verdict}");
    assert_eq!(whole, limit);
}

#[tokio::test]
async fn g15_sources_that_panic_are_survived() {
    panics_are_survived(20).await;
}

#[tokio::test]
#[ignore = "panics 5,000 times"]
async fn g15_sources_that_panic_are_survived_1000_times() {
    panics_are_survived(1_000).await;
}

#[tokio::test]
async fn b22_a_panicking_collector_costs_only_its_own_data() {
    struct Panics;
    impl Collector for Panics {
        fn collect(&self, families: &mut Vec<MetricFamily>) {
            families.push(gauge("half", 1.0));
            panic!("no device");
        }
    }
    let engine = builder().source("fine", fine).collector("panics", Panics).build().unwrap();
    for round in 1..=3 {
        let scrape = gather(&engine).await;
        assert_eq!(scrape.value("fine", &[]), Some(1.0));
        assert!(scrape.family("half").is_none());
        assert_eq!(failures(&scrape, "panics", "panic"), round);
    }
}

#[tokio::test(start_paused = true)]
async fn b22_a_hanging_source_is_stopped_at_the_deadline() {
    let (told, mut events) = mpsc::unbounded_channel();
    let engine = builder()
        .source("fine", fine)
        .source("hangs", move |scrape: ScrapeContext| {
            let told = Told(told.clone());
            async move {
                let _told = told;
                scrape.gauge("half", "A gauge.").set(1.0);
                pending::<()>().await;
            }
        })
        .build()
        .unwrap();
    for round in 1..=3 {
        let started = Instant::now();
        let scrape = gather(&engine).await;
        assert_eq!(started.elapsed().as_secs(), DEADLINE.as_secs());
        assert_eq!(scrape.value("fine", &[]), Some(1.0));
        assert!(scrape.family("half").is_none());
        assert!(!succeeded(&scrape, "hangs"));
        // A source that could be stopped is no hung one: each scrape starts it again.
        assert_eq!(failures(&scrape, "hangs", "deadline"), round);
        assert_eq!(failures(&scrape, "hangs", "hung"), 0);
        assert_eq!(events.recv().await, Some("dropped"));
    }
}

#[tokio::test(start_paused = true)]
async fn b22_a_source_that_panics_when_it_is_stopped_does_no_harm() {
    let engine = builder()
        .source("fine", fine)
        .source("hangs", |_: ScrapeContext| async {
            let _on_drop = PanicsOnDrop;
            pending::<()>().await;
        })
        .build()
        .unwrap();
    for round in 1..=3 {
        let scrape = gather(&engine).await;
        assert_eq!(scrape.value("fine", &[]), Some(1.0));
        assert_eq!(failures(&scrape, "hangs", "deadline"), round);
    }
}

#[tokio::test(start_paused = true)]
async fn b22_what_a_run_writes_after_its_end_is_dropped() {
    let (told, mut events) = mpsc::unbounded_channel();
    let engine = builder()
        .source("leaves", move |scrape: ScrapeContext| {
            let told = told.clone();
            async move {
                let handle = scrape.gauge("kept", "A gauge.");
                handle.set(1.0);
                assert!(!scrape.is_cancelled());
                assert_eq!(scrape.remaining().as_secs(), DEADLINE.as_secs());
                let clone = scrape.clone();
                tokio::spawn(async move {
                    tokio::time::sleep_until(clone.deadline()).await;
                    handle.set(2.0);
                    clone.gauge("late", "A gauge.").set(1.0);
                    clone.add(gauge("later", 1.0));
                    told.send(clone.is_cancelled()).unwrap();
                });
            }
        })
        .source("hangs", |scrape: ScrapeContext| async move {
            scrape.gauge("never", "A gauge.").set(1.0);
            tokio::spawn(async move {
                tokio::time::sleep(2 * DEADLINE).await;
                scrape.gauge("never", "A gauge.").set(2.0);
            });
            pending::<()>().await;
        })
        .build()
        .unwrap();
    for _ in 0..3 {
        let scrape = gather(&engine).await;
        assert_eq!(scrape.value("kept", &[]), Some(1.0));
        for late in ["late", "later", "never"] {
            assert!(scrape.family(late).is_none(), "`{late}` is on the page");
        }
        assert_eq!(events.recv().await, Some(true));
    }
}

/// A gate that blocks threads until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    entered: AtomicUsize,
}

impl Gate {
    fn pass(&self) {
        self.entered.fetch_add(1, SeqCst);
        let shut = self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap();
        drop(shut);
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl Collector for Gate {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        self.pass();
        families.push(gauge("passed", 1.0));
    }
}

/// Scrapes while the source called `blocks` waits at the gate, then opens it.
async fn check_blocked_source(engine: ScrapeEngine, gate: Arc<Gate>) {
    let soon = || ScrapeRequest::new(Instant::now() + Duration::from_millis(20));
    // On a busy machine a run may be stopped before it has come to the gate.
    while gate.entered.load(SeqCst) == 0 {
        engine.gather(soon()).await.unwrap();
    }
    for _ in 0..10 {
        let scrape = engine.gather(soon()).await.unwrap();
        assert!(scrape.family("passed").is_none());
        assert!(!succeeded(&scrape, "blocks"));
    }
    assert_eq!(gate.entered.load(SeqCst), 1, "it was started again");
    // With more time, what does not block is whole and the blocked one known for what it is.
    let before = gather(&engine).await;
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("fine", &[]), Some(1.0));
    assert_eq!(failures(&scrape, "blocks", "hung"), failures(&before, "blocks", "hung") + 1);

    gate.open();
    let mut scrape = gather(&engine).await;
    while !succeeded(&scrape, "blocks") {
        scrape = gather(&engine).await;
    }
    assert_eq!(scrape.value("passed", &[]), Some(1.0));
    assert_eq!(gate.entered.load(SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b22_a_source_that_blocks_its_thread_is_not_started_twice() {
    let gate = Arc::new(Gate::default());
    let blocks = gate.clone();
    let engine = builder()
        .source("fine", fine)
        .source("blocks", move |_: ScrapeContext| {
            let gate = blocks.clone();
            async move {
                gate.pass();
                gauge("passed", 1.0)
            }
        })
        .build()
        .unwrap();
    check_blocked_source(engine, gate).await;
}

#[tokio::test]
async fn b22_a_collector_that_blocks_is_not_started_twice() {
    let gate = Arc::new(Gate::default());
    let engine = builder().source("fine", fine).collector("blocks", gate.clone()).build().unwrap();
    check_blocked_source(engine, gate).await;
}

#[tokio::test(start_paused = true)]
async fn b22_a_run_that_ends_just_after_its_deadline_is_not_taken_for_a_hung_one() {
    let gate = Arc::new(Gate::default());
    let engine = builder().collector("late", gate.clone()).build().unwrap();
    let scrape = || {
        let engine = engine.clone();
        tokio::spawn(async move { gather(&engine).await })
    };
    let first = scrape();
    while gate.entered.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // Time stands still from here on, for tokio does not advance it while a thread is blocked.
    tokio::time::advance(DEADLINE).await;
    assert_eq!(failures(&first.await.unwrap(), "late", "deadline"), 1);
    let second = scrape();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    gate.open();
    assert!(succeeded(&second.await.unwrap(), "late"));
}

#[tokio::test]
async fn b22_a_registry_that_blocks_does_not_hold_up_the_sources() {
    let gate = Arc::new(Gate::default());
    let registry = narthex_core::Registry::new();
    registry.register(gate.clone()).unwrap();
    let engine = ScrapeEngine::builder(registry).source("fine", fine).build().unwrap();
    let soon = || ScrapeRequest::new(Instant::now() + Duration::from_millis(20));
    while gate.entered.load(SeqCst) == 0 {
        let scrape = engine.gather(soon()).await.unwrap();
        assert!(!succeeded(&scrape, "registry"));
    }
    engine.gather(soon()).await.unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("fine", &[]), Some(1.0));
    assert!(!succeeded(&scrape, "registry"));
    assert_eq!(gate.entered.load(SeqCst), 1);
    gate.open();
}

#[tokio::test]
async fn b22_dropping_a_gather_stops_its_sources() {
    let (told, mut events) = mpsc::unbounded_channel();
    let engine = builder()
        .source("hangs", move |_: ScrapeContext| {
            let told = Told(told.clone());
            async move {
                told.0.send("started").unwrap();
                pending::<()>().await;
            }
        })
        .build()
        .unwrap();
    for _ in 0..3 {
        let gathering = gather(&engine);
        tokio::select! {
            _ = gathering => panic!("the source hangs"),
            event = events.recv() => assert_eq!(event, Some("started")),
        }
        assert_eq!(events.recv().await, Some("dropped"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b22_a_computing_source_can_see_that_it_is_cancelled() {
    let (told, mut events) = mpsc::unbounded_channel();
    let engine = builder()
        .source("computes", move |scrape: ScrapeContext| {
            let told = told.clone();
            async move {
                told.send("started").unwrap();
                while !scrape.is_cancelled() {
                    std::thread::yield_now();
                }
                told.send("ended").unwrap();
            }
        })
        .build()
        .unwrap();
    // Far off, so that only the dropped scrape can end the source.
    let deadline = Instant::now() + Duration::from_secs(3600);
    tokio::select! {
        _ = engine.gather(ScrapeRequest::new(deadline)) => panic!("the source computes"),
        event = events.recv() => assert_eq!(event, Some("started")),
    }
    assert_eq!(events.recv().await, Some("ended"));
}

#[tokio::test(start_paused = true)]
async fn b22_two_gathers_at_once_are_both_whole() {
    let engine = builder()
        .source("slow", |_: ScrapeContext| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            gauge("slow", 1.0)
        })
        .build()
        .unwrap();
    let (one, other) = tokio::join!(gather(&engine), gather(&engine));
    assert_eq!(one.value("slow", &[]), Some(1.0));
    assert_eq!(other.value("slow", &[]), Some(1.0));
}

use std::time::{Duration, Instant};

use narthex_core::Registry;
use narthex_model::{MetricType, Scrape};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::TokioCollector;

fn two_workers() -> (Runtime, Registry) {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let registry = Registry::new();
    registry.register(TokioCollector::new(runtime.handle())).unwrap();
    (runtime, registry)
}

/// Gathers until something holds, for workers tell of themselves when they go to sleep.
#[track_caller]
fn until(registry: &Registry, holds: impl Fn(&Scrape) -> bool) {
    let start = Instant::now();
    while !holds(&registry.gather()) {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", registry.gather());
        std::thread::yield_now();
    }
}

#[test]
fn a_runtime_has_workers_and_tasks() {
    let (runtime, registry) = two_workers();
    let alive = |scrape: &Scrape| scrape.value("tokio_alive_tasks", &[]);
    assert_eq!(registry.gather().value("tokio_workers", &[]), Some(2.0));
    assert_eq!(alive(&registry.gather()), Some(0.0));
    let (ends, tasks): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let (end, ended) = oneshot::channel::<()>();
            (end, runtime.spawn(ended))
        })
        .unzip();
    assert_eq!(alive(&registry.gather()), Some(3.0));
    drop(ends);
    runtime.block_on(async {
        for task in tasks {
            assert!(task.await.unwrap().is_err());
        }
    });
    until(&registry, |scrape| alive(scrape) == Some(0.0));
}

#[test]
fn tasks_that_nobody_runs_wait_in_the_global_queue() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let registry = Registry::new();
    registry.register(TokioCollector::new(runtime.handle())).unwrap();
    let depth = || registry.gather().value("tokio_global_queue_depth", &[]);
    assert_eq!(depth(), Some(0.0));
    let tasks: Vec<_> = (0..5).map(|n| runtime.spawn(async move { n })).collect();
    assert_eq!(depth(), Some(5.0));
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!((sum, depth()), (10, Some(0.0)));
}

#[test]
fn workers_are_busy_and_then_go_to_sleep() {
    let (runtime, registry) = two_workers();
    let total = |scrape: &Scrape, family: &str| {
        let values: Vec<_> = ["0", "1"]
            .iter()
            .map(|worker| scrape.value(family, &[("worker", worker)]).expect("two workers"))
            .collect();
        values.iter().sum::<f64>()
    };
    let busy = "tokio_worker_busy_seconds_total";
    runtime
        .block_on(runtime.spawn(async {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(2) {}
        }))
        .unwrap();
    until(&registry, |scrape| total(scrape, busy) >= 0.002);
    until(&registry, |scrape| total(scrape, "tokio_worker_parks_total") >= 1.0);
    let scrape = registry.gather();
    let family = scrape.family(busy).unwrap();
    assert_eq!((family.metric_type(), family.metadata().unit()), (MetricType::Counter, "seconds"));
}

#[test]
fn the_current_runtime_is_the_one_around() {
    assert!(TokioCollector::current().is_err());
    let (runtime, _) = two_workers();
    let registry = Registry::new();
    runtime.block_on(async { registry.register(TokioCollector::current().unwrap()) }).unwrap();
    assert_eq!(registry.gather().value("tokio_workers", &[]), Some(2.0));
    // What was counted stays when the runtime goes.
    drop(runtime);
    assert_eq!(registry.gather().value("tokio_alive_tasks", &[]), Some(0.0));
}

#[test]
fn two_runtimes_need_names() {
    let (runtime, registry) = two_workers();
    let again = registry.register(TokioCollector::new(runtime.handle()));
    assert!(again.unwrap_err().is_clash());
    let registry = Registry::new();
    for name in ["io", "batch"] {
        registry.register(TokioCollector::new(runtime.handle()).named(name)).unwrap();
    }
    let scrape = registry.gather();
    assert_eq!(scrape.problems(), []);
    assert_eq!(scrape.value("tokio_workers", &[("runtime", "io")]), Some(2.0));
    let labels = [("runtime", "batch"), ("worker", "1")];
    assert!(scrape.value("tokio_worker_parks_total", &labels).is_some());
}

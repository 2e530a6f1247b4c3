//! An exporter in a program with a runtime of its own.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use narthex_core::Registry;
use narthex_exporter::{Cached, Exporter, ExporterError, ExporterHandle, ScrapeContext, WebArgs};

use crate::client::{body, get};

/// An exporter on a free port.
fn exporter() -> Exporter {
    let mut web = WebArgs::default();
    web.host = vec!["127.0.0.1".to_owned()];
    web.port = 0;
    Exporter::new("thermo-exporter", Registry::new(), web)
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn add(&self, event: impl Into<String>) {
        self.0.lock().unwrap().push(event.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Asks the exporter for a page once it serves, and has it shut down.
fn visit(handle: ExporterHandle, path: &'static str, events: Events) {
    std::thread::spawn(move || {
        let answer = get(handle.local_addrs()[0], path);
        events.add(body(&answer));
        handle.shutdown();
    });
}

/// Runs the exporter until somebody has seen this page, and gives the page.
async fn run_for_a_visit(exporter: Exporter, path: &'static str) -> Vec<String> {
    let events = Events::default();
    let seen = events.clone();
    let exporter = exporter.on_startup(async move |handle| {
        visit(handle, path, seen);
        Ok(())
    });
    exporter.run().await.unwrap();
    events.all()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b02_hooks_run_around_serving_and_know_the_exporter() {
    let events = Events::default();
    let (first, second, last) = (events.clone(), events.clone(), events.clone());
    exporter()
        .source("sensor", |scrape: ScrapeContext| async move {
            scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
        })
        .on_startup(async move |handle| {
            first.add("startup");
            assert_eq!(handle.local_addrs().len(), 1);
            assert!(handle.registry().gather().families().is_empty());
            handle.readiness().not_ready();
            Ok(())
        })
        .on_startup(async move |handle| {
            visit(handle, "/-/ready", second);
            Ok(())
        })
        .on_shutdown(async move |_| {
            last.add("shutdown");
            Ok(())
        })
        .run()
        .await
        .unwrap();
    assert_eq!(events.all(), ["startup", "not ready\n", "shutdown"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c12_the_end_of_an_exporter_ends_nothing_of_others() {
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let task_of_the_author = tokio::spawn(async move { released.await.is_ok() });
    exporter()
        .on_startup(async |handle| {
            handle.shutdown();
            Ok(())
        })
        .on_shutdown(async |_| Ok(()))
        .run()
        .await
        .unwrap();
    assert!(!task_of_the_author.is_finished());
    release.send(()).unwrap();
    assert!(task_of_the_author.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c12_the_end_of_an_exporter_ends_all_tasks_of_its_own() {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let task_of_the_author = tokio::spawn(std::future::pending::<()>());
    let before = alive();
    let hourly = Cached::background(async |_: ScrapeContext| {}, Duration::from_secs(3_600));
    let exporter = exporter().source("hourly", hourly);
    assert_eq!(run_for_a_visit(exporter, "/-/healthy").await, ["healthy\n"]);
    // A task that was stopped needs a moment to go.
    let gone = async {
        while alive() > before {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
    assert!(gone.is_ok(), "{} tasks are left", alive() - before);
    assert!(!task_of_the_author.is_finished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_routes_are_served_beside_the_metrics() {
    let route = narthex_http::MetricsService::new(Registry::new()).without_self_metrics();
    let exporter = exporter().route("/status", route);
    assert_eq!(run_for_a_visit(exporter, "/status").await, [""]);
}

#[tokio::test]
async fn background_sources_run_before_anybody_scrapes() {
    let started = Arc::new(OnceLock::<ExporterHandle>::new());
    let seen = started.clone();
    let source = move |_: ScrapeContext| {
        let started = seen.clone();
        // Nothing else ends this exporter.
        async move { started.get().expect("startup hooks ran before").shutdown() }
    };
    exporter()
        .source("background", Cached::background(source, Duration::from_secs(3_600)))
        .on_startup(async move |handle| started.set(handle).map_err(|_| "started twice".into()))
        .run()
        .await
        .unwrap();
}

/// The error and its cause, if there is one.
fn texts(error: &ExporterError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[tokio::test]
async fn b18_a_hook_that_fails_or_panics_is_a_failed_start() {
    let events = Events::default();
    let seen = events.clone();
    let never = async move |_| {
        seen.add("shutdown");
        Ok(())
    };
    let failed = exporter()
        .on_startup(async |_| Err("no such device".into()))
        .on_startup(async |_| unreachable!("the hook before it failed"))
        .on_shutdown(never)
        .run()
        .await
        .unwrap_err();
    assert_eq!(texts(&failed), "a startup hook failed: no such device");
    assert_eq!(failed.exit_code(), 1);
    let panicked = exporter().on_startup(async |_| panic!("on fire")).run().await.unwrap_err();
    assert_eq!(texts(&panicked), "a startup hook failed: it panicked: on fire");
    assert_eq!(events.all(), [""; 0]);
}

#[tokio::test]
async fn every_shutdown_hook_runs() {
    let events = Events::default();
    let seen = events.clone();
    let error = exporter()
        .on_startup(async |handle| {
            handle.shutdown();
            Ok(())
        })
        .on_shutdown(async |_| Err("cannot say goodbye".into()))
        .on_shutdown(async move |_| {
            seen.add("second");
            Ok(())
        })
        .run()
        .await
        .unwrap_err();
    assert_eq!(texts(&error), "a shutdown hook failed: cannot say goodbye");
    assert_eq!(events.all(), ["second"]);
}

#[tokio::test]
async fn bad_names_paths_and_addresses_are_refused_before_anything_is_served() {
    let nothing = |_: ScrapeContext| async {};
    let error = exporter().source("a", nothing).source("a", nothing).run().await.unwrap_err();
    assert!(matches!(error, ExporterError::Source(_)), "{error}");
    let route = narthex_http::MetricsService::new(Registry::new());
    let error = exporter().route("/metrics", route).run().await.unwrap_err();
    assert!(matches!(error, ExporterError::Route(_)), "{error}");
}

#[tokio::test]
async fn a_start_succeeds_once_the_port_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let registry = Registry::new();
    let on_that_port = || {
        let mut web = WebArgs::default();
        web.listen_address = vec![addr.to_string().parse().unwrap()];
        web.process_stats = true;
        Exporter::new("thermo-exporter", registry.clone(), web).on_startup(async |handle| {
            handle.shutdown();
            Ok(())
        })
    };
    let error = on_that_port().run().await.unwrap_err();
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    drop(taken);
    on_that_port().run().await.unwrap();
}

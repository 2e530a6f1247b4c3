//! Pushes that go on.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use narthex_core::{Gauge, Registry};
use narthex_push::{PushErrorKind, Pusher};
use narthex_test::poll;

use crate::support::{LIMIT, Nobody, Reply, Server, answer, ok};

fn gauge(registry: &Registry) -> Gauge {
    Gauge::builder("state", "State.").register(registry).unwrap()
}

const SOON: Duration = Duration::from_millis(5);
/// An interval that no test sees the end of.
const NEVER: Duration = Duration::from_secs(3600);

#[test]
fn a43_pushes_go_on_and_the_last_has_the_last_state() {
    let registry = Registry::new();
    let state = gauge(&registry);
    let server = Server::start(|_, _| ok());
    let task = server.pusher().every(SOON).start(&registry).unwrap();
    poll("three pushes", LIMIT, || (server.requests().len() >= 3).then_some(()));
    state.set(42.0);
    task.shutdown_blocking().unwrap();
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.method == "PUT"));
    assert!(requests[0].text().contains("\nstate 0\n"), "{}", requests[0].text());
    let last = requests.last().unwrap().text();
    assert!(last.contains("\nstate 42\n"), "{last}");
    assert!(last.contains(&format!("\nnarthex_pushes_total {}\n", requests.len() - 1)), "{last}");
    assert!(last.contains("\nnarthex_push_failures_total 0\n"), "{last}");
    // The names are free for another task.
    assert!(registry.gather().family("narthex_pushes_total").is_none());
}

#[tokio::test]
async fn a43_inside_a_runtime_the_final_push_is_awaited() {
    let registry = Registry::new();
    let state = gauge(&registry);
    let server = Server::start(|_, _| ok());
    let task = server.pusher().every(NEVER).add().start(&registry).unwrap();
    state.set(42.0);
    task.shutdown().await.unwrap();
    let requests = server.requests();
    assert!((1..=2).contains(&requests.len()), "{requests:?}");
    assert!(requests.iter().all(|request| request.method == "POST"));
    assert!(requests.last().unwrap().text().contains("\nstate 42\n"));
}

#[test]
fn an_older_state_cannot_arrive_after_the_last() {
    let registry = Registry::new();
    let state = gauge(&registry);
    let (release, released) = mpsc::channel::<()>();
    let (released, is_over) = (Mutex::new(released), AtomicBool::new(false));
    let server = Server::start(move |before, _| match before {
        0 => {
            // The gateway is not done with the first push until it is told to be.
            let _ = released.lock().unwrap().recv_timeout(LIMIT);
            is_over.store(true, Ordering::SeqCst);
            ok()
        }
        _ if is_over.load(Ordering::SeqCst) => ok(),
        _ => answer("400 Bad Request", "", "the first push is not over"),
    });
    let task = server.pusher().timeout(LIMIT).every(NEVER).start(&registry).unwrap();
    poll("the first push", LIMIT, || (!server.requests().is_empty()).then_some(()));
    state.set(42.0);
    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| task.shutdown_blocking());
        // However long this is, the last push may only come afterwards.
        std::thread::sleep(Duration::from_millis(50));
        release.send(()).unwrap();
        shutdown.join().unwrap().unwrap();
    });
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].text().contains("\nstate 42\n"));
}

#[tokio::test]
async fn a43_the_group_can_be_deleted_at_shutdown() {
    let server = Server::start(|_, _| answer("202 Accepted", "", ""));
    let task = server.pusher().every(NEVER).delete_at_shutdown().start(&Registry::new()).unwrap();
    task.shutdown().await.unwrap();
    assert_eq!(server.requests().last().unwrap().method, "DELETE");
}

#[tokio::test]
async fn a_final_push_that_fails_is_told_of() {
    let nobody = Nobody::new();
    let task = nobody.pusher().retries(0).every(NEVER).start(&Registry::new()).unwrap();
    assert_eq!(task.shutdown().await.unwrap_err().kind(), PushErrorKind::Connect);
}

#[test]
fn a_task_that_is_dropped_ends_even_while_it_pushes() {
    let registry = Registry::new();
    let server = Server::start(|_, _| Reply::Hang);
    let task = server.pusher().timeout(NEVER).every(SOON).start(&registry).unwrap();
    poll("a push", LIMIT, || (!server.requests().is_empty()).then_some(()));
    drop(task);
    // Its metrics are taken out when it ends.
    let gone = || registry.gather().family("narthex_pushes_total").is_none().then_some(());
    poll("the end of the task", LIMIT, gone);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let registry = Registry::new();
    let kind = |pusher: Pusher, interval| {
        pusher.every(interval).start(&registry).map(drop).unwrap_err().kind()
    };
    assert_eq!(kind(Pusher::new("http://h", ""), NEVER), PushErrorKind::Settings);
    assert_eq!(kind(Pusher::new("http://h", "j"), Duration::ZERO), PushErrorKind::Settings);
    let server = Server::start(|_, _| ok());
    let _task = server.pusher().every(NEVER).start(&registry).unwrap();
    assert_eq!(kind(server.pusher(), NEVER), PushErrorKind::Settings);
    // Under a prefix there is room for another one.
    let scope = registry.scope().prefix("second").build().unwrap();
    let _second = server.pusher().every(NEVER).start(&scope).unwrap();
}

#[test]
fn failures_are_counted_and_logged_once_per_change() {
    let registry = Registry::new();
    gauge(&registry);
    let server = Server::start(|before, _| match before {
        0..3 => answer("400 Bad Request", "", "no"),
        3..6 => answer("503 Service Unavailable", "", "later"),
        _ => ok(),
    });
    let log = Log::default();
    let task = tracing::subscriber::with_default(log.subscriber(), || {
        server.pusher().retries(0).every(SOON).start(&registry).unwrap()
    });
    poll("eight pushes", LIMIT, || (server.requests().len() >= 8).then_some(()));
    let value = |name: &str| registry.gather().value(name, &[]).unwrap();
    assert_eq!(value("narthex_push_failures_total"), 6.0);
    assert!(value("narthex_pushes_total") >= 7.0);
    assert!(value("narthex_push_last_success_timestamp_seconds") > 1.6e9);
    task.shutdown_blocking().unwrap();
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("400 Bad Request: no"), "{lines:?}");
    assert!(lines[1].contains("WARN") && lines[1].contains("503 Service"), "{lines:?}");
    assert!(lines[2].contains("INFO") && lines[2].contains("pushes arrive again"), "{lines:?}");
}

#[test]
fn after_a_failure_that_may_pass_the_next_push_does_not_wait_for_the_interval() {
    let server = Server::start(|before, _| if before == 0 { Reply::Close } else { ok() });
    let task = server.pusher().retries(0).every(NEVER).start(&Registry::new()).unwrap();
    poll("a second push", LIMIT, || (server.requests().len() == 2).then_some(()));
    drop(task);
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let log = self.clone();
        let builder = tracing_subscriber::fmt().with_writer(move || log.clone()).with_ansi(false);
        builder.with_max_level(tracing::Level::INFO).finish()
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

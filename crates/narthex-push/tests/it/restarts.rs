//! Clients that are killed and gateways that restart (goal G23).
//!
//! All of it is
//! `cargo test -p narthex-push --test it -- --include-ignored --nocapture --test-threads=1 g23`.

use std::env;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use narthex_core::{Gauge, Registry};
use narthex_push::Pusher;
use narthex_test::{Process, Pushgateway, poll};

use crate::support::{LIMIT, Reply, Server, ok};

/// Metrics of a group; all have the same value in each push.
const METRICS: usize = 200;
/// The variable that makes a client of the test binary, with the gateway's URL.
const CLIENT: &str = "NARTHEX_G23_GATEWAY";

fn gauges(registry: &Registry) -> Vec<Gauge> {
    let gauge = |n| Gauge::builder(format!("g{n}"), "G.").register(registry).unwrap();
    (0..METRICS).map(gauge).collect()
}

/// What is killed: it pushes 1, 2, 3... as fast as it can, and says what has arrived.
#[test]
#[ignore = "a client that other tests start"]
fn client() {
    let Ok(gateway) = env::var(CLIENT) else { return };
    let registry = Registry::new();
    let gauges = gauges(&registry);
    let pusher = Pusher::new(gateway, "client").blocking().unwrap();
    for value in 1.. {
        gauges.iter().for_each(|gauge| gauge.set(f64::from(value)));
        pusher.push(&registry.gather()).unwrap();
        tell(value);
    }
}

#[expect(clippy::print_stdout, reason = "the test that started this reads it")]
fn tell(value: i32) {
    println!("\narrived {value}");
}

/// The value that all metrics of a group have, and how many there are.
#[track_caller]
fn whole_group(gateway: &Pushgateway, job: &str) -> Option<f64> {
    let page = gateway.page();
    let of_group = page
        .lines()
        .filter(|line| line.starts_with('g') && line.contains(&format!("job=\"{job}\"")));
    let values: Vec<f64> =
        of_group.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    let first = *values.first()?;
    assert_eq!(values.len(), METRICS, "half a group: {page}");
    assert!(values.iter().all(|value| *value == first), "two pushes in one: {values:?}");
    Some(first)
}

#[expect(clippy::print_stdout, reason = "what was measured is shown")]
fn verdict(what: &str, value: &str, limit: &str) {
    println!("G23 {what}: {value}, limit {limit}: PASS");
}

#[track_caller]
fn killed_clients_leave_whole_groups(kills: u32) {
    let Some(gateway) = Pushgateway::start() else { return };
    for kill in 0..kills {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "restarts::client", "--ignored", "--nocapture"]);
        let mut client = Process::start(command.env(CLIENT, gateway.url())).unwrap();
        client.wait_for_line("arrived 1");
        // At another moment of a push each time.
        std::thread::sleep(Duration::from_micros(u64::from(kill) * 137 % 5_000));
        client.signal("KILL");
        client.wait();
        let stdout = client.stdout();
        let mut arrived = stdout.lines().filter_map(|line| line.strip_prefix("arrived "));
        let last: f64 = arrived.next_back().unwrap().parse().unwrap();
        let kept = whole_group(&gateway, "client").unwrap();
        // Of the push that was under way all is there, or nothing.
        assert!(kept == last || kept == last + 1.0, "{kept} is kept, {last} had arrived");
    }
    verdict("half groups after kills of the client", &format!("0 of {kills}"), "0");
}

#[track_caller]
fn restarted_gateways_converge(restarts: u32) {
    let Some(mut gateway) = Pushgateway::start() else { return };
    let registry = Registry::new();
    let gauges = gauges(&registry);
    let task = Pusher::new(gateway.url(), "client").every(Duration::from_secs(1));
    let task = task.start(&registry).unwrap();
    let mut longest = Duration::ZERO;
    for restart in 1..=restarts {
        gateway.down();
        gauges.iter().for_each(|gauge| gauge.set(f64::from(restart)));
        // For longer than all tries of a push, now and then.
        std::thread::sleep(Duration::from_millis(u64::from(restart % 4) * 700));
        gateway.up();
        let start = Instant::now();
        poll("the last state", LIMIT, || {
            (whole_group(&gateway, "client") == Some(f64::from(restart))).then_some(())
        });
        longest = longest.max(start.elapsed());
    }
    task.shutdown_blocking().unwrap();
    assert!(longest <= Duration::from_secs(10), "converged after {longest:?}");
    let value = format!("{restarts}, the slowest in {longest:.1?}");
    verdict("restarts of the gateway after which the last state was there", &value, "10 s");
}

#[test]
fn real_g23_killed_clients_leave_no_half_groups() {
    killed_clients_leave_whole_groups(5);
}

#[test]
fn real_g23_a_restarted_gateway_gets_the_last_state() {
    restarted_gateways_converge(2);
}

#[test]
#[ignore = "takes a minute; docs/reliability.md has the result"]
fn real_g23_200_killed_clients_leave_no_half_groups() {
    killed_clients_leave_whole_groups(200);
}

#[test]
#[ignore = "takes a minute; docs/reliability.md has the result"]
fn real_g23_after_20_restarts_the_gateway_has_the_last_state() {
    restarted_gateways_converge(20);
}

/// How often this thread has waited for anything, be it a lock, a socket or another thread. Where
/// it only lost the processor to others it did not wait.
#[cfg(target_os = "linux")]
fn waits() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn g23_the_application_never_waits_for_a_push() {
    let pushes = Arc::new(AtomicUsize::new(0));
    let seen = pushes.clone();
    let server = Server::start(move |before, _| {
        seen.store(before + 1, Ordering::Relaxed);
        if before % 2 == 0 { Reply::Hang } else { ok() }
    });
    // A runtime that has only this thread: what blocked it would block all of the application.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (steps, waited) = runtime.block_on(async {
        let registry = Registry::new();
        let gauges = gauges(&registry);
        let pusher = server.pusher().timeout(Duration::from_millis(20));
        let task = pusher.every(Duration::from_millis(5)).start(&registry).unwrap();
        let (mut steps, before, start) = (0_u64, waits(), Instant::now());
        while start.elapsed() < Duration::from_millis(500) || pushes.load(Ordering::Relaxed) < 4 {
            assert!(start.elapsed() < LIMIT, "hardly a push in the time");
            gauges.iter().for_each(Gauge::inc);
            tokio::task::yield_now().await;
            steps += 1;
        }
        let waited = waits() - before;
        drop(task);
        (steps, waited)
    });
    assert_eq!(waited, 0, "in {steps} steps");
    verdict("waits of the application for a push", &format!("0 in {steps} steps"), "0");
}

#[test]
fn g23_counting_goes_on_while_a_gateway_hangs() {
    let server = Server::start(|_, _| Reply::Hang);
    let registry = Registry::new();
    let gauges = gauges(&registry);
    let task = server.pusher().timeout(LIMIT).every(Duration::from_millis(1)).start(&registry);
    let task = task.unwrap();
    poll("a push", LIMIT, || (!server.requests().is_empty()).then_some(()));
    // The push is under way, and neither counting nor gathering waits for it.
    gauges.iter().for_each(Gauge::inc);
    assert_eq!(registry.gather().value("g0", &[]), Some(1.0));
    assert_eq!(server.requests().len(), 1);
    drop(task);
}

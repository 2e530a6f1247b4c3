//! Goals of the whole program: each prints what was measured, the limit and the verdict.
//!
//! The full forms are ignored by default; `docs/reliability.md` has the command that runs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use narthex_test::{Endpoint, Process, Prometheus, proc_status, report_goal as report, respond};

use crate::fetch::ok;
use crate::hostile::{Server, gzip};
use crate::support::{Directory, Narthex};

/// Peak memory in bytes and time of `narthex fetch`, which must refuse the answer.
fn refusal(answer: Vec<u8>) -> (u64, Duration) {
    let server = Server::start(answer);
    let directory = Directory::new();
    let begun = Instant::now();
    let mut process = Process::start(&mut directory.command(&["fetch", &server.url])).unwrap();
    let mut peak = 0;
    // Of a process that has ended there is nothing to read, and the peak never sinks.
    while process.is_running() {
        peak = peak.max(proc_status(process.id(), "VmHWM").unwrap_or(0) * 1024);
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", process.stderr());
    }
    let time = begun.elapsed();
    assert_eq!(process.wait().code(), Some(1), "{}", process.stderr());
    assert_eq!(process.stdout(), "");
    (peak, time)
}

/// What a page of a gigabyte looks like to who fetches it, in six ways.
fn g18(mebibytes: usize) -> bool {
    let gzipped = "Content-Encoding: gzip\r\n";
    let zeros = gzip(&vec![0; mebibytes << 20]);
    let member = gzip(&vec![b'x'; 1 << 20]);
    let plain = vec![b'x'; (mebibytes << 20).min(64 << 20)];
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes();
    let bombs = [
        ("gzip", ok(gzipped, &zeros)),
        ("members of gzip", ok(gzipped, &member.repeat(mebibytes))),
        ("gzip in gzip", ok("Content-Encoding: gzip, gzip\r\n", &gzip(&zeros))),
        ("a length of 4 GiB", [head("Content-Length: 4294967296\r\n"), plain.clone()].concat()),
        ("no length", [head(""), plain.clone()].concat()),
        (
            "a chunk of 4 GiB",
            [head("Transfer-Encoding: chunked\r\n"), b"100000000\r\n".to_vec(), plain].concat(),
        ),
    ];
    let mut holds = true;
    for (kind, answer) in bombs {
        let (peak, time) = refusal(answer);
        let limit = 64 << 20;
        let what = format!("peak of `narthex fetch` that is sent {mebibytes} MiB by {kind}");
        let value = format!("{} MiB", peak >> 20);
        holds &= report("G18", &what, value, "64 MiB", (1..limit).contains(&peak));
        let what = format!("time until {kind} is refused");
        // A machine that does other things too says nothing about times.
        let in_time = time < Duration::from_secs(1) || mebibytes < 1024;
        holds &= report("G18", &what, format!("{time:.2?}"), "1 s", in_time);
    }
    holds
}

#[test]
fn g18_a_page_that_grows_without_end_is_refused() {
    assert!(g18(40));
}

#[test]
#[ignore = "a gigabyte is compressed first"]
fn g18_a_page_that_grows_without_end_is_refused_full() {
    assert!(g18(1024));
}

/// Prometheus scrapes once a second while series come and go and the program is restarted.
fn g26(scrapes: u32, restarts: u32) {
    // Each answer has three items, one of which the answer before did not have.
    let answers = Arc::new(AtomicUsize::new(0));
    let endpoint = Endpoint::start(move |_, stream| {
        let first = answers.fetch_add(1, Ordering::Relaxed);
        let items = (first..first + 3).map(|id| format!(r#"{{"id": "{id}", "v": {id}}}"#));
        let body = format!(r#"{{"items": [{}]}}"#, items.collect::<Vec<_>>().join(", "));
        respond(stream, "200 OK", "application/json", body.as_bytes())
    })
    .unwrap();
    let toml = format!(
        "[host]\n[json.e]\nendpoint = '{}'\ncache_life = 0\n\
         metrics.m = {{ each = 'items', path = 'v', json_labels = {{ id = 'id' }} }}\n",
        endpoint.url("/")
    );
    let mut narthex = Directory::new().write("config.toml", &toml).run(&["config.toml"]);
    let addr = narthex.addr();
    let Some(prometheus) = Prometheus::start(addr, "/metrics") else { return };
    prometheus.wait_until_up();
    let wait_until = |count: u32| {
        let mut reached = 0.0;
        // No single wait is longer than what one may be.
        while reached < f64::from(count) {
            let next = (reached + 20.0).min(f64::from(count));
            reached = prometheus.wait_for("count_over_time(up[2h])", |scrapes| scrapes >= next);
        }
    };
    for restart in 1..=restarts {
        wait_until(scrapes / (restarts + 1) * restart);
        narthex.process.signal("TERM");
        assert!(narthex.process.wait().success());
        let port = format!("--port={}", addr.port());
        let directory = narthex.directory;
        let mut command = directory.command(&["run", "--host=127.0.0.1", &port, "config.toml"]);
        narthex = Narthex::start(&mut command, directory);
    }
    wait_until(scrapes);

    let failed = prometheus.value("count_over_time(up[2h]) - sum_over_time(up[2h])").unwrap();
    let limit = 3 * restarts;
    let what = format!("scrapes of {scrapes} that failed, {restarts} restarts");
    let mut holds = report("G26", &what, failed, limit, failed <= f64::from(limit));
    let complaints = prometheus.complaints();
    let is_absence = |line: &&String| line.contains("connection refused");
    let other: Vec<_> = complaints.iter().filter(|line| !is_absence(line)).collect();
    let what = "lines of Prometheus about a scrape that found somebody";
    holds &= report("G26", what, other.len(), 0, other.is_empty());
    // Without marks that a series has gone, it would be there for five minutes.
    let live = prometheus.value("count(m)").unwrap();
    holds &= report("G26", "series that are there of three", live, 3, live == 3.0);
    assert!(holds, "{other:#?}");
}

#[test]
fn real_g26_prometheus_finds_it_up_whenever_it_is() {
    g26(12, 1);
}

#[test]
#[ignore = "takes an hour"]
fn real_g26_prometheus_finds_it_up_whenever_it_is_full() {
    g26(3600, 3);
}

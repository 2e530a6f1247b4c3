//! How much time and memory the program takes: run by hand, as `docs/reliability.md` tells.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use narthex_test::{Endpoint, get, resident_bytes, respond};
use tempfile::TempDir;

/// The program to measure: an optimised build that `NARTHEX_BIN` names, or that of the tests.
fn program() -> PathBuf {
    let named = std::env::var_os("NARTHEX_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_narthex").into())
}

/// A running program, without the polling of the other tests.
struct Running {
    child: Child,
    url: String,
    _directory: TempDir,
}

impl Running {
    fn start(toml: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(program());
        command.args(["run", "--host=127.0.0.1", "--port=0"]).current_dir(&directory).env_clear();
        if let Some(toml) = toml {
            std::fs::write(directory.path().join("config.toml"), toml).unwrap();
            command.arg("config.toml");
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").unwrap().trim_end().to_owned();
        Self { child, url, _directory: directory }
    }

    fn page(&self) -> String {
        let answer = get(&self.url, &[]).unwrap();
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }

    /// Resident memory in MB.
    fn memory(&self) -> f64 {
        resident_bytes(self.child.id()).unwrap() as f64 / 1e6
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn verdict(what: &str, value: f64, limit: f64, unit: &str) {
    let verdict = if value < limit { "PASS" } else { "FAIL" };
    println!("| {what} | {value:.1} {unit} | {limit} {unit} | {verdict} |");
    assert!(value < limit, "{what}: {value} {unit}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[test]
#[ignore = "measures; for an optimised build on a quiet machine"]
fn the_start_takes_less_than_100_ms() {
    let times = (0..20).map(|_| {
        let start = Instant::now();
        let page = Running::start(None).page();
        assert!(page.contains("node_load1"));
        milliseconds(start.elapsed())
    });
    verdict("start to first answered scrape, median of 20", median(times.collect()), 100.0, "ms");
}

#[test]
#[ignore = "measures; for an optimised build on a quiet machine"]
fn an_idle_exporter_takes_less_than_15_mb() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let toml: String = (0..20)
        .map(|n| {
            let url = endpoint.url("/");
            format!("[json.e{n}]\nendpoint = '{url}'\ncache_life = 0\nmetrics.m.path = 'a'\n")
        })
        .collect();
    for (what, toml) in [
        ("idle memory, this machine", None),
        ("idle memory, this machine and 20 JSON endpoints", Some(format!("[host]\n{toml}"))),
    ] {
        let running = Running::start(toml.as_deref());
        for _ in 0..100 {
            running.page();
        }
        // Threads that are not needed any more end after ten seconds.
        thread::sleep(Duration::from_secs(12));
        verdict(what, running.memory(), 15.0, "MB");
    }
}

#[test]
#[ignore = "measures; for an optimised build on a quiet machine"]
fn the_program_stripped_takes_less_than_15_mb() {
    let directory = tempfile::tempdir().unwrap();
    let stripped = directory.path().join("narthex");
    let mut strip = Command::new("strip");
    assert!(strip.arg("-o").arg(&stripped).arg(program()).status().unwrap().success());
    let size = std::fs::metadata(&stripped).unwrap().len() as f64 / 1e6;
    verdict("the program, stripped", size, 15.0, "MB");
}

#[test]
#[ignore = "measures; for an optimised build on a quiet machine"]
fn two_hundred_endpoints_take_as_long_as_the_slowest() {
    let count: u64 = 200;
    let slowest = Duration::from_millis(300);
    let start = || {
        let answer = move |request: &str, stream: &mut std::net::TcpStream| {
            let path = request.split([' ', '/']).nth(2).unwrap();
            let n: u32 = path.parse().unwrap();
            thread::sleep(slowest * n / count as u32);
            respond(stream, "200 OK", "application/json", br#"{"a": 1}"#)
        };
        Endpoint::start(answer).unwrap()
    };
    // A listener holds 128 connections that wait; the next one would be tried again in a second.
    let servers: Vec<_> = (0..10).map(|_| start()).collect();
    let toml: String = (1..=count)
        .zip(servers.iter().cycle())
        .map(|(n, server)| {
            let url = server.url(&format!("/{n}"));
            format!("[json.e{n}]\nendpoint = '{url}'\ncache_life = 0\nmetrics.m.path = 'a'\n")
        })
        .collect();
    let running = Running::start(Some(&toml));
    let times = (0..11).map(|_| {
        let start = Instant::now();
        let page = running.page();
        let time = start.elapsed();
        assert_eq!(page.lines().filter(|line| line.starts_with("m{")).count() as u64, count);
        milliseconds(time)
    });
    let over = median(times.collect()) - milliseconds(slowest);
    verdict("200 endpoints, over the slowest (300 ms), median of 11", over, 50.0, "ms");
}

//! The helpers for real servers, tried on a page that this test serves by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use narthex_test::{Prometheus, promtool_findings};

const PAGE: &str =
    "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total{kind=\"a\"} 3\n";

/// Answers every request with `page`, until the test process ends.
fn serve(page: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
            let length = page.len();
            let answer = format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            stream.write_all(page.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn real_prometheus_scrapes_a_page_and_stores_what_it_says() {
    let Some(prometheus) = Prometheus::start(serve(PAGE), "/metrics") else { return };
    prometheus.wait_until_up();
    assert_eq!(prometheus.wait_for("jobs_total{kind=\"a\"}", |_| true), 3.0);
    assert_eq!(prometheus.query("jobs_total")[0]["metric"]["job"], "narthex");
    let metadata = prometheus.api("/api/v1/metadata?metric=jobs_total");
    assert_eq!(metadata["jobs_total"][0]["help"], "Jobs done.");
    assert_eq!(prometheus.complaints(), [""; 0]);
}

#[test]
fn real_prometheus_complains_about_a_broken_page() {
    let Some(prometheus) = Prometheus::start(serve("jobs_total{ 3\n"), "/metrics") else { return };
    assert_eq!(prometheus.wait_for("up", |up| up == 0.0), 0.0);
    assert_ne!(prometheus.complaints(), [""; 0]);
}

#[test]
fn real_promtool_finds_what_is_wrong_and_nothing_else() {
    let Some(findings) = promtool_findings(PAGE) else { return };
    assert_eq!(findings, [""; 0]);
    let lint = promtool_findings("jobs_total 3\n").unwrap();
    assert!(lint[0].starts_with("jobs_total no help text"), "{lint:?}");
    let broken = promtool_findings("jobs_total{ 3\n").unwrap();
    assert!(broken[0].contains("error while linting"), "{broken:?}");
}

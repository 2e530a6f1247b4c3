//! What a scrape of 100,000 counters costs over HTTP, and what it costs those who count meanwhile.
//!
//! `cargo run --release --manifest-path benches/http/Cargo.toml` prints a Markdown table;
//! `docs/performance.md` has the last one. All pages are served by one and the same server on the
//! loopback interface, and fetched in turn by one client that keeps its connection.

mod client;
mod peer;
mod writer;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use narthex_core::{Counter, DynamicFamily, Registry};
use narthex_format::Format;
use narthex_http::{Body, MetricsService, Server, Site};
use tower_service::Service;

use crate::client::Client;

const SERIES: usize = 100_000;

/// Measures scrapes over HTTP.
#[derive(Parser)]
struct Options {
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
}

/// A route that answers at once.
#[derive(Clone)]
struct Answer(Arc<dyn Fn() -> Response<Body> + Send + Sync>);

impl Service<Request<Body>> for Answer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Body>) -> Self::Future {
        ready(Ok((self.0)()))
    }
}

fn answer(body: impl Fn() -> Bytes + Send + Sync + 'static) -> Answer {
    Answer(Arc::new(move || {
        let body = body();
        let length = body.len();
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert("content-length", length.into());
        response
    }))
}

/// The label values of a series, as long as in an application.
fn labels(at: usize) -> [String; 3] {
    let methods = ["GET", "POST", "PUT", "DELETE"];
    let path = format!("/api/v1/resources/{}", at / 20);
    [methods[at % 4].to_owned(), path, (200 + at / 4 % 5).to_string()]
}

fn registry() -> (Registry, DynamicFamily<Counter>) {
    let registry = Registry::new();
    let requests = DynamicFamily::builder("http_requests_total", "Requests served.")
        .label_names(["method", "path", "status"])
        .register(&registry)
        .expect("the description is valid");
    for at in 0..SERIES {
        let [method, path, status] = labels(at);
        requests.with(&[&method, &path, &status]).expect("three labels").inc_by(at as u64);
    }
    (registry, requests)
}

fn main() {
    let rounds = if Options::parse().quick { 30 } else { 300 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (registry, requests) = registry();
    let mut page = Vec::new();
    Format::TEXT.encode(&registry.gather(), &mut page);
    let ready_made = Bytes::from(page);
    let length = ready_made.len();
    let peer = Arc::new(peer::registry());
    let zipped = peer.clone();
    let site = Site::new(MetricsService::new(registry).without_self_metrics())
        .route("/ready-made", answer(move || ready_made.clone()))
        .and_then(|site| site.route("/peer", answer(move || peer::page(&peer))))
        .and_then(|site| site.route("/peer-gzip", answer(move || peer::zipped(&zipped))))
        .expect("the paths are free");
    let running = runtime
        .block_on(async { Server::bind("127.0.0.1:0").await.expect("a free port").serve(site) });
    let address = running.local_addrs()[0];
    let mut client = Client::connect(address);

    let asks = [
        ("the same server sending the bytes ready-made", "/ready-made", ""),
        ("narthex, plain", "/metrics", ""),
        ("narthex, gzip", "/metrics", "Accept-Encoding: gzip\r\n"),
        ("prometheus-client in the same server, plain", "/peer", ""),
        ("prometheus-client in the same server, gzip at flate2's level 6", "/peer-gzip", ""),
    ];
    assert_eq!(client.get("/metrics", "").length, length, "the page is the ready-made one");
    let mut samples: [Vec<client::Timing>; 5] = Default::default();
    for _ in 0..rounds {
        for ((_, path, headers), samples) in asks.iter().zip(&mut samples) {
            samples.push(client.get(path, headers));
        }
    }

    println!("{SERIES} counters, {length} bytes of text, {rounds} rounds\n");
    println!("| page | p50 | p99 | first byte, p50 | bytes | p50 over ready-made |");
    println!("|---|--:|--:|--:|--:|--:|");
    let base = percentile(samples[0].iter().map(|timing| timing.total), 0.5);
    for ((name, ..), samples) in asks.iter().zip(&samples) {
        let total = |q| percentile(samples.iter().map(|timing| timing.total), q);
        let first = percentile(samples.iter().map(|timing| timing.first_byte), 0.5);
        let ratio = total(0.5).as_secs_f64() / base.as_secs_f64();
        println!(
            "| {name} | {:.2} ms | {:.2} ms | {:.2} ms | {} | {ratio:.2} |",
            millis(total(0.5)),
            millis(total(0.99)),
            millis(first),
            samples[0].length
        );
    }

    let time = Duration::from_secs(if rounds < 100 { 2 } else { 10 });
    let quiet = writer::run(&requests, time, None);
    let scraped = writer::run(&requests, time, Some(address));
    println!(
        "\n| one thread that counts in random series | increments a second | p99.99 | longest |"
    );
    println!("|---|--:|--:|--:|");
    for (name, run) in [("without scrapes", &quiet), ("while scrape follows scrape", &scraped)] {
        println!("| {name} | {:.0} | {:?} | {:?} |", run.per_second, run.p9999, run.longest);
    }
    let scrapes = scraped.scrapes;
    println!(
        "\n{scrapes} scrapes, {:.0} % of the throughput",
        100.0 * scraped.per_second / quiet.per_second
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn percentile(times: impl Iterator<Item = Duration>, q: f64) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[((times.len() - 1) as f64 * q).round() as usize]
}

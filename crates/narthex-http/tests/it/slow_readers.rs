//! G3: those who read slowly, or not at all.

#![expect(clippy::print_stdout, reason = "goals print what they measured")]

use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use narthex_http::{MetricsService, Server};
use narthex_model::{MetricFamily, Scrape};
use narthex_test::resident_bytes;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Client, get};
use crate::gathers::{Fixed, large};

/// Readers that hold both pages and take nothing more of them must not keep everybody else from
/// theirs, long before their connections are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g03_readers_that_stall_do_not_keep_others_from_a_page() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let server = server.write_stall_timeout(Duration::from_secs(600));
    let running = server.serve(MetricsService::new(large()));
    let addr = running.local_addrs()[0];
    let mut stalled = Vec::new();
    let mut refused = 0;
    // Each round leaves a reader behind that never reads on.
    for _ in 0..20 {
        let mut client = Client::connect(addr).await;
        client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        match client.head().await.starts_with("HTTP/1.1 200") {
            true => stalled.push(client),
            false => refused += 1,
        }
        sleep(Duration::from_millis(150)).await;
    }
    println!("G3: {} stalled readers, {refused} of 20 scrapes refused, limit 0", stalled.len());
    assert_eq!(refused, 0);
    // Whole, and beside all of them.
    let whole = timeout(Duration::from_secs(60), async {
        loop {
            let reply = get(addr, "/metrics").await;
            if reply.status == 200 {
                return reply;
            }
        }
    });
    assert!(whole.await.expect("a page becomes free").body.len() > 10_000_000);
}

/// Reads a page at some three megabytes a second, after coming again for as long as it is told to.
async fn read_slowly(addr: SocketAddr, body: u64) {
    let mut client = loop {
        let mut client = Client::connect(addr).await;
        client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let head = client.head().await;
        if head.starts_with("HTTP/1.1 200") {
            break client;
        }
        assert!(head.contains("retry-after: 1"), "{head}");
        sleep(Duration::from_secs(1)).await;
    };
    let mut left = body;
    while left > 0 {
        left -= client.some(left).await;
        sleep(Duration::from_millis(5)).await;
    }
}

async fn slow_readers(readers: usize, series: u64) {
    let mut family = MetricFamily::counter("visits_total", "Visits.").label_names(["a", "b"]);
    for at in 0..series {
        family.push([at.to_string(), format!("a label value of usual length {at}")], at);
    }
    let scrape = Scrape::new(vec![family.build().unwrap()]);
    let service = MetricsService::new(Fixed(scrape)).without_self_metrics();
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(service);
    let addr = running.local_addrs()[0];
    let body = get(addr, "/metrics").await.body.len() as u64;
    let before = resident_bytes(process::id()).unwrap();
    let mut reading = JoinSet::new();
    for _ in 0..readers {
        reading.spawn(read_slowly(addr, body));
    }
    let mut most = before;
    while !reading.is_empty() {
        // The memory is looked at now and then, also while nobody is done.
        let pause = Duration::from_millis(20);
        if let Ok(Some(done)) = timeout(pause, reading.join_next()).await {
            done.unwrap();
        }
        most = most.max(resident_bytes(process::id()).unwrap());
    }
    let (grown, limit) = (most - before, 2 * body + 64 * 1024 * 1024);
    let verdict = if grown < limit { "PASS" } else { "FAIL" };
    println!("G3: {readers} slow readers of {series} series: {readers} served, limit {readers}");
    println!("G3: memory grew by {grown} B, limit {limit} B (a page has {body} B): {verdict}");
    assert!(grown < limit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g03_slow_readers_are_served_from_the_same_memory() {
    slow_readers(20, 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "moves more than a gigabyte"]
async fn g03_200_slow_readers_are_served_from_the_same_memory() {
    slow_readers(200, 100_000).await;
}

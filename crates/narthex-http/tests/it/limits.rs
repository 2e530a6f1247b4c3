//! What a client may do, and for how long.

use std::time::Duration;

use narthex_http::{MetricsService, Server};

use crate::client::{Client, get, is_whole};
use crate::gathers::{large, small};
use crate::logs::Logs;

const SHORT: Duration = Duration::from_millis(50);

async fn server() -> Server {
    Server::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let server = server().await.header_read_timeout(SHORT);
    let running = server.serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    for begun in ["", "GET /metrics HT", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut client = Client::connect(addr).await;
        client.send(begun).await;
        assert_eq!(client.rest().await, b"");
    }
}

#[tokio::test]
async fn the_head_of_a_later_request_is_timed_as_well() {
    let server = server().await.header_read_timeout(SHORT);
    let running = server.serve(MetricsService::new(small()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    client.get("/metrics").await;
    client.send("GET /metr").await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn the_time_between_requests_is_not_that_of_a_head() {
    let server = server().await.header_read_timeout(SHORT);
    let running = server.serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    let mut kept = Client::connect(addr).await;
    kept.get("/metrics").await;
    // The time in which this one is cut passes for the other as well.
    assert_eq!(Client::connect(addr).await.rest().await, b"");
    assert_eq!(kept.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = server().await.idle_timeout(SHORT);
    let running = server.serve(MetricsService::new(small()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    assert_eq!(client.get("/metrics").await.status, 200);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let (logs, _guard) = Logs::capture();
    let server = server().await.write_stall_timeout(SHORT);
    let running = server.serve(MetricsService::new(large()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = client.head().await;
    logs.wait_for("a connection was too slow and is cut").await;
    assert!(!is_whole(&head, &client.rest().await));
}

#[tokio::test]
async fn a_head_of_more_than_16_kib_or_100_headers_is_refused() {
    let running = server().await.serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    let large = format!("X: {}\r\n", "x".repeat(20_000));
    let many = "X: x\r\n".repeat(101);
    for headers in [large, many] {
        let mut client = Client::connect(addr).await;
        client.send(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(get(addr, "/metrics").await.status, 200);
}

#[tokio::test]
async fn beyond_the_cap_the_oldest_unfinished_connection_makes_room() {
    let server = server().await.max_connections(3);
    let running = server.serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    let mut proven = Client::connect(addr).await;
    proven.get("/metrics").await;
    let mut oldest = Client::connect(addr).await;
    let mut newer = Client::connect(addr).await;
    newer.send("GET /metrics HTTP/1.1\r\n").await;
    assert_eq!(get(addr, "/metrics").await.status, 200);
    assert_eq!(oldest.rest().await, b"");
    newer.send("Host: localhost\r\n\r\n").await;
    assert_eq!(newer.reply("GET").await.status, 200);
    assert_eq!(proven.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn where_all_connections_are_busy_the_newest_is_closed() {
    let server = server().await.max_connections(1);
    let running = server.serve(MetricsService::new(large()));
    let addr = running.local_addrs()[0];
    let mut reader = Client::connect(addr).await;
    reader.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let head = reader.head().await;
    assert_eq!(Client::connect(addr).await.rest().await, b"");
    assert!(is_whole(&head, &reader.rest().await), "the one being served is left in peace");
    assert_eq!(get(addr, "/-/healthy").await.status, 200);
}

#[test]
fn a_server_without_descriptors_serves_again_when_there_are_some() {
    let child = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" --exact limits::few_descriptors --ignored"])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

#[tokio::test]
#[ignore = "the test above runs it, in a process with few descriptors"]
async fn few_descriptors() {
    let (logs, _guard) = Logs::capture();
    let running = server().await.serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    let mut clients = Vec::new();
    while logs.lines("connections cannot be accepted for the moment").is_empty() {
        match tokio::net::TcpStream::connect(addr).await {
            Ok(client) => clients.push(client),
            // This process has no more descriptors either, so the server is about to find out.
            Err(_) => tokio::task::yield_now().await,
        }
    }
    drop(clients);
    assert_eq!(get(addr, "/metrics").await.status, 200);
}

#[tokio::test]
async fn ambiguous_requests_are_refused_and_their_connection_closed() {
    let running = server().await.serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    for request in [
        "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
        "GET http://a/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET  /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "GET metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut client = Client::connect(addr).await;
        client.send(request).await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn http_1_0_needs_no_host() {
    let running = server().await.serve(MetricsService::new(small()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    client.send("GET /-/healthy HTTP/1.0\r\n\r\n").await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("healthy\n"), "{answer}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = server().await.serve(MetricsService::new(small()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    client
        .send(
            "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n\
             GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )
        .await;
    assert_eq!(client.reply("GET").await.text(), "healthy\n");
    assert_eq!(client.reply("GET").await.text(), "not found\n");
}

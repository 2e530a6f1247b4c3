//! The end of a server.

use std::time::Duration;

use narthex_http::{MetricsService, Running, Server};
use tokio::net::TcpStream;

use crate::client::{Client, is_whole};
use crate::gathers::{Gated, large};

async fn server() -> Server {
    Server::bind("127.0.0.1:0").await.unwrap()
}

/// A client that was sent the head of a large page, which is given, and has read nothing more.
async fn reader_of(running: &Running) -> (Client, String) {
    let mut client = Client::connect(running.local_addrs()[0]).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = client.head().await;
    (client, head)
}

#[tokio::test]
async fn responses_under_way_are_whole_and_idle_connections_are_closed() {
    let running = server().await.serve(MetricsService::new(large()));
    let addr = running.local_addrs()[0];
    let (mut reader, head) = reader_of(&running).await;
    let mut idle = Client::connect(addr).await;
    idle.get("/-/healthy").await;
    let mut half_open = Client::connect(addr).await;
    half_open.send("GET /metr").await;
    let mut unused = Client::connect(addr).await;
    // All of them are accepted by now, as one that came later is.
    Client::connect(addr).await.get("/-/healthy").await;

    let shutdown = tokio::spawn(running.shutdown());
    assert_eq!(idle.rest().await, b"");
    assert_eq!(half_open.rest().await, b"");
    assert_eq!(unused.rest().await, b"");
    assert!(TcpStream::connect(addr).await.is_err(), "the listener is still open");
    assert!(!shutdown.is_finished(), "the reader has not read yet");

    assert!(is_whole(&head, &reader.rest().await));
    shutdown.await.unwrap().expect("all connections ended by themselves");
}

#[tokio::test]
async fn a_gather_under_way_at_shutdown_is_answered() {
    let gate = Gated::new();
    let running = server().await.serve(MetricsService::new(gate.clone()));
    let addr = running.local_addrs()[0];
    let mut client = Client::connect(addr).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    while gate.begun() == 0 {
        tokio::task::yield_now().await;
    }
    let shutdown = tokio::spawn(running.shutdown());
    while TcpStream::connect(addr).await.is_ok() {}
    gate.let_pass(1);
    let reply = client.reply("GET").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("connection"), Some("close"));
    shutdown.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reader_that_takes_too_long_is_cut_and_told_of() {
    let server = server().await.shutdown_timeout(Duration::from_millis(20));
    let running = server.serve(MetricsService::new(large()));
    let (mut reader, head) = reader_of(&running).await;
    let error = running.shutdown().await.unwrap_err();
    assert_eq!(error.connections(), 1);
    assert_eq!(error.to_string(), "1 connections were still busy after 20ms and were cut");
    assert!(!is_whole(&head, &reader.rest().await));
}

#[tokio::test]
async fn dropping_a_server_ends_it_at_once() {
    let running = server().await.serve(MetricsService::new(large()));
    let addr = running.local_addrs()[0];
    let mut idle = Client::connect(addr).await;
    idle.get("/-/healthy").await;
    let (mut reader, head) = reader_of(&running).await;
    drop(running);
    assert_eq!(idle.rest().await, b"");
    assert!(!is_whole(&head, &reader.rest().await), "the response went on");
    Server::bind(addr).await.expect("the port is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_scrapes_at_shutdown_all_end_whole() {
    let running = server().await.serve(MetricsService::new(large()));
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(reader_of(&running).await);
    }
    let readers = readers.into_iter().map(|(mut reader, head)| {
        tokio::spawn(async move { is_whole(&head, &reader.rest().await) })
    });
    let readers: Vec<_> = readers.collect();
    running.shutdown().await.expect("all readers were served");
    for reader in readers {
        assert!(reader.await.unwrap());
    }
}

//! What is logged of a request.

use narthex_http::{MetricsService, Server};

use crate::client::Client;
use crate::gathers::{Gated, small};
use crate::logs::Logs;

#[tokio::test]
async fn b16_a_request_is_one_line_at_debug_level() {
    let (logs, _guard) = Logs::capture();
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(MetricsService::new(small()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    let reply = client.get("/robots.txt?secret=1").await;
    let line = logs.wait_for("request").await;
    assert!(line.contains("DEBUG"), "{line}");
    let size = format!("size={}", reply.body.len());
    for part in
        ["method=GET", "path=/robots.txt ", "remote=127.0.0.1:", "status=200", &size, "duration="]
    {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn b16_what_a_client_says_cannot_break_the_log() {
    let (logs, _guard) = Logs::capture();
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    for path in ["/\u{202e}gpj.exe", "/\u{85}next", "/\u{1b}[31m"] {
        let mut client = Client::connect(addr).await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
            .await;
        client.rest().await;
    }
    Client::connect(addr).await.get("/end").await;
    logs.wait_for("path=/end").await;
    let lines = logs.lines("");
    assert!(lines.iter().all(|line| line.contains("DEBUG")), "{lines:?}");
    let harmless = |c: char| !c.is_control() && c != '\u{202e}';
    assert!(lines.iter().all(|line| line.chars().all(harmless)), "{lines:?}");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_logged_too() {
    let (logs, _guard) = Logs::capture();
    let gate = Gated::new();
    let running =
        Server::bind("127.0.0.1:0").await.unwrap().serve(MetricsService::new(gate.clone()));
    let mut client = Client::connect(running.local_addrs()[0]).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    while gate.begun() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    gate.given_up().await;
    let line = logs.wait_for("request given up").await;
    assert!(line.contains("path=/metrics"), "{line}");
}

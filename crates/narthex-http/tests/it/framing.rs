//! How a long page, which is sent while it is being encoded, ends on the wire.

use narthex_http::{MetricsService, Running, Server};

use crate::client::{Client, get, request};
use crate::gathers::large;

async fn serve() -> Running {
    let service = MetricsService::new(large()).without_self_metrics();
    Server::bind("127.0.0.1:0").await.unwrap().serve(service)
}

#[tokio::test]
async fn a_kept_connection_goes_on_after_a_long_page() {
    let running = serve().await;
    let mut client = Client::connect(running.local_addrs()[0]).await;
    let first = client.get("/metrics").await;
    let again = client.get("/metrics").await;
    assert!(first.body.ends_with(b"\n") && first.body == again.body);
    let head = client.request("HEAD", "/metrics", "").await;
    assert_eq!(head.header("content-length"), Some(&*first.body.len().to_string()));
    assert_eq!(client.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn a_client_that_knows_no_chunks_is_told_the_length() {
    let running = serve().await;
    let addr = running.local_addrs()[0];
    let page = get(addr, "/metrics").await.body;
    let mut client = Client::connect(addr).await;
    client.send("GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
    let reply = client.reply("GET").await;
    assert_eq!(reply.header("content-length"), Some(&*page.len().to_string()));
    assert_eq!(reply.body, page);
}

#[tokio::test]
async fn a_compressed_page_is_the_same_for_all_who_read_it() {
    let running = serve().await;
    let addr = running.local_addrs()[0];
    let gzip = "Accept-Encoding: gzip\r\n";
    let reads: Vec<_> =
        (0..4).map(|_| tokio::spawn(request(addr, "GET", "/metrics", gzip))).collect();
    let alone = request(addr, "GET", "/metrics", gzip).await;
    for read in reads {
        assert_eq!(read.await.unwrap().body, alone.body);
    }
}

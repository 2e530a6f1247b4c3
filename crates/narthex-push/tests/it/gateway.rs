//! What is sent, to a server that takes it.

use std::io::Read as _;

use flate2::read::GzDecoder;
use narthex_core::{Counter, Registry};
use narthex_format::parse::{Mode, Syntax, parse};
use narthex_push::{PushErrorKind, Pusher};

use crate::support::{Server, answer, ok, scrape};

#[tokio::test]
async fn a43_push_add_and_delete_are_put_post_and_delete() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "DELETE" => answer("202 Accepted", "", ""),
        _ => ok(),
    });
    let pusher = server.pusher().grouping("instance", "db 1");
    assert_eq!(pusher.push(&scrape()).await.unwrap().status(), 200);
    assert_eq!(pusher.add(&scrape()).await.unwrap().attempts(), 1);
    assert_eq!(pusher.delete().await.unwrap().status(), 202);

    let requests = server.requests();
    let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["PUT", "POST", "DELETE"]);
    for request in &requests {
        assert_eq!(request.path, "/metrics/job/j/instance/db%201");
        assert_eq!(request.header("host"), Some(server.addr.to_string().as_str()));
        let agent = concat!("narthex/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), Some(agent));
        // Who has only half of a body sees that by its length.
        assert_eq!(request.header("transfer-encoding"), None);
    }
    let page = "# HELP up Up.\n# TYPE up gauge\nup 1\n";
    assert_eq!([requests[0].text(), requests[1].text(), requests[2].text()], [page, page, ""]);
    let length = page.len().to_string();
    assert_eq!(requests[0].header("content-length"), Some(length.as_str()));
    let content_type = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(requests[0].header("content-type"), content_type);
    assert_eq!(requests[2].header("content-type"), None);
}

#[tokio::test]
async fn a43_a_connection_is_used_again() {
    let server = Server::start(|_, _| answer("200 OK", "", "a short body"));
    let pusher = server.pusher();
    for _ in 0..3 {
        pusher.clone().push(&scrape()).await.unwrap();
    }
    let connections: Vec<_> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_again() {
    let server = Server::start(|_, _| answer("200 OK", "Connection: close\r\n", ""));
    let pusher = server.pusher().retries(0);
    for _ in 0..2 {
        pusher.push(&scrape()).await.unwrap();
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a41_a_path_prefix_is_kept_and_a_whole_url_is_taken_as_it_is() {
    let server = Server::start(|before, _| match before {
        0 => ok(),
        _ => answer("204 No Content", "", ""),
    });
    let prefixed = Pusher::new(format!("{}/gate/way/", server.url()), "j");
    prefixed.push(&scrape()).await.unwrap();
    let path = "/api/v1/import/prometheus?extra_label=job=j";
    let whole = Pusher::to_url(format!("{}{path}", server.url()));
    assert_eq!(whole.add(&scrape()).await.unwrap().status(), 204);
    let paths: Vec<_> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/gate/way/metrics/job/j", path]);
}

#[tokio::test]
async fn a43_credentials_and_own_headers_are_sent() {
    let server = Server::start(|_, _| ok());
    let pusher = server.pusher().header("X-Scope-OrgID", "tenant");
    pusher.clone().basic_auth("Aladdin", "open sesame").push(&scrape()).await.unwrap();
    pusher.bearer_token("abc").push(&scrape()).await.unwrap();
    let requests = server.requests();
    let basic = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(requests[0].header("authorization"), basic);
    assert_eq!(requests[1].header("authorization"), Some("Bearer abc"));
    assert!(requests.iter().all(|request| request.header("x-scope-orgid") == Some("tenant")));
}

#[tokio::test]
async fn a43_a_body_may_be_protobuf_and_compressed() {
    let registry = Registry::new();
    Counter::builder("c_total", "C.").register(&registry).unwrap().inc_by(3);
    let server = Server::start(|_, _| ok());
    server.pusher().gzip().push(&registry.gather()).await.unwrap();
    server.pusher().protobuf().gzip().push(&registry.gather()).await.unwrap();
    for (request, syntax) in server.requests().iter().zip([Syntax::Text, Syntax::Protobuf]) {
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert_eq!(Syntax::detect(request.header("content-type").unwrap()), Some(syntax));
        let mut page = Vec::new();
        GzDecoder::new(&request.body[..]).read_to_end(&mut page).unwrap();
        let read = parse(syntax, &page, Mode::Strict).unwrap();
        assert_eq!(read.value("c_total", &[]), Some(3.0));
    }
}

#[test]
fn a43_a_program_without_a_runtime_can_push() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "DELETE" => answer("202 Accepted", "", ""),
        _ => ok(),
    });
    let pusher = server.pusher().blocking().unwrap();
    pusher.push(&scrape()).unwrap();
    pusher.add(&scrape()).unwrap();
    pusher.delete().unwrap();
    let requests = server.requests();
    let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["PUT", "POST", "DELETE"]);
    assert!(requests.iter().all(|request| request.connection == 0), "{requests:?}");
}

#[tokio::test]
async fn a_blocking_pusher_does_not_block_a_runtime() {
    let server = Server::start(|_, _| ok());
    let pusher = server.pusher().blocking().unwrap();
    let error = pusher.push(&scrape()).unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Runtime);
    assert!(server.requests().is_empty());
    // It may be dropped here all the same.
    drop(pusher);
}

#[test]
fn without_a_runtime_the_pusher_says_what_to_do() {
    let pusher = Pusher::new("http://127.0.0.1:1", "j");
    let scrape = scrape();
    let mut push = std::pin::pin!(pusher.push(&scrape));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = push.as_mut().poll(&mut context) else {
        panic!("it waits")
    };
    assert_eq!(error.kind(), PushErrorKind::Runtime);
    assert!(error.to_string().contains("blocking()"), "{error}");
}

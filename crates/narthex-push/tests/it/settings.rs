//! What is refused before anything is sent.

use std::time::Duration;

use narthex_model::{MetricFamily, Scrape};
use narthex_push::{PushErrorKind, Pusher};

use crate::support::{Server, causes, ok, scrape};

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    let server = Server::start(|_, _| ok());
    let pusher = || server.pusher();
    let url = server.url();
    for (pusher, text) in [
        (Pusher::new(&*url, ""), "the job is empty"),
        (pusher().grouping("a-b", "1"), "`a-b` is not a valid label name"),
        (pusher().grouping("__a", "1"), "`__a` is not a valid label name"),
        (pusher().grouping("a", "1").grouping("a", "2"), "label `a` is given twice"),
        (pusher().grouping("job", "1"), "label `job` is given twice"),
        (Pusher::to_url(&*url).grouping("a", "1"), "there is no grouping key"),
        (Pusher::new("127.0.0.1:9091", "j"), "the URL has to be"),
        (Pusher::new("http://user:secret@h", "j"), "belong into `basic_auth`"),
        (Pusher::new(format!("{url}/?a=b"), "j"), "cannot have a query"),
        (pusher().basic_auth("a:b", "secret"), "the user has a colon"),
        (pusher().bearer_token("secret\n"), "the bearer token"),
        (pusher().header("a b", "secret"), "`a b` is no header"),
        (pusher().header("Content-Length", "1"), "the header `content-length` follows"),
        (pusher().timeout(Duration::ZERO), "a timeout is 0"),
        (pusher().grouping("long", "x".repeat(70_000)), "the URL cannot be requested"),
    ] {
        let error = pusher.push(&scrape()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Settings, 0));
        let shown = format!("{} {pusher:?}", causes(&error));
        assert!(shown.contains(text), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(pusher.check().unwrap_err().to_string(), error.to_string());
    }
    assert!(server.requests().is_empty());
    pusher().check().unwrap();
}

#[tokio::test]
async fn metrics_that_a_gateway_would_change_are_refused_before_anything_is_sent() {
    let server = Server::start(|_, _| ok());
    let family = MetricFamily::gauge("g", "").label_names(["instance"]).sample(["db2"], 1u64);
    let scrape = Scrape::new(vec![family.build().unwrap()]);
    let error = server.pusher().grouping("instance", "db1").push(&scrape).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Metrics);
    assert!(server.requests().is_empty());
    // Without groups there is nothing that they could contradict.
    Pusher::to_url(server.url()).push(&scrape).await.unwrap();
}

#[test]
fn secrets_are_not_shown() {
    let pusher = Pusher::new("http://h", "j").basic_auth("u", "secret").header("X-Key", "secret");
    let shown = format!("{pusher:?} {:?}", pusher.clone().blocking().unwrap());
    assert!(shown.contains("x-key") && !shown.contains("secret"), "{shown}");
    assert!(!shown.contains("dTpzZWNyZXQ="), "{shown}");
}

//! Servers that send elsewhere.

use std::sync::{Arc, OnceLock};

use narthex_push::{PushErrorKind, Pusher};

use crate::support::{Server, answer, ok, scrape};

/// The pusher's secrets.
fn with_secrets(pusher: Pusher) -> Pusher {
    pusher.bearer_token("secret").header("X-Api-Key", "secret")
}

#[tokio::test]
async fn on_the_same_server_a_redirect_is_the_same_request() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let server = Server::start(move |before, _| match before {
            0 => answer(status, "Location: /new/place\r\n", "gone"),
            _ => ok(),
        });
        with_secrets(server.pusher()).gzip().push(&scrape()).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests[1].path, "/new/place", "{status}");
        for request in &requests {
            assert_eq!(request.method, "PUT");
            assert_eq!(request.body, requests[0].body);
            assert_eq!(request.header("content-encoding"), Some("gzip"));
            assert_eq!(request.header("authorization"), Some("Bearer secret"));
            assert_eq!(request.header("x-api-key"), Some("secret"));
        }
    }
}

#[tokio::test]
async fn another_server_gets_the_metrics_and_no_secrets() {
    let other = Server::start(|_, _| ok());
    let to = format!("Location: {}/elsewhere\r\n", other.url());
    let server = Server::start(move |_, _| answer("307 Temporary", &to, ""));
    with_secrets(server.pusher()).push(&scrape()).await.unwrap();
    let request = other.request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/elsewhere"));
    assert_eq!(request.header("host"), Some(other.addr.to_string().as_str()));
    assert_eq!(request.body, server.request().body);
    assert_eq!((request.header("authorization"), request.header("x-api-key")), (None, None));
}

#[tokio::test]
async fn another_name_of_the_same_server_is_another_server() {
    let server = Server::start(|before, request| match before {
        0 => {
            let port = request.header("host").unwrap().rsplit(':').next().unwrap();
            answer("307 Temporary", &format!("Location: http://localhost:{port}/\r\n"), "")
        }
        _ => ok(),
    });
    with_secrets(server.pusher()).push(&scrape()).await.unwrap();
    assert_eq!(server.requests()[1].header("authorization"), None);
}

#[tokio::test]
async fn secrets_stay_away_on_the_way_back() {
    let first_url = Arc::new(OnceLock::<String>::new());
    let back = first_url.clone();
    let other = Server::start(move |_, _| {
        let to = format!("Location: {}/back\r\n", back.get().unwrap());
        answer("307 Temporary", &to, "")
    });
    let away = format!("Location: {}/\r\n", other.url());
    let first = Server::start(move |before, _| match before {
        0 => answer("307 Temporary", &away, ""),
        _ => ok(),
    });
    first_url.set(first.url()).unwrap();
    with_secrets(first.pusher()).push(&scrape()).await.unwrap();
    // Whoever stands on the way may have chosen what is asked for.
    let requests = first.requests();
    assert_eq!((requests.len(), requests[1].path.as_str()), (2, "/back"));
    assert_eq!(requests[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(requests[1].header("authorization"), None);
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_an_error() {
    for (headers, text) in [
        ("", "307 Temporary Redirect does not say where to"),
        (
            "Location: ftp://h/\r\n",
            "307 Temporary Redirect leads to \"ftp://h/\", which is no place",
        ),
        (
            "Location: http://u:p@h/\r\n",
            "307 Temporary Redirect leads to \"http://u:p@h/\", which is no place",
        ),
    ] {
        let server = Server::start(move |_, _| answer("307 Temporary Redirect", headers, ""));
        let error = server.pusher().push(&scrape()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Redirect, 1));
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

#[tokio::test]
async fn a_circle_of_redirects_is_left() {
    let server = Server::start(|_, _| answer("307 Temporary", "Location: /again\r\n", ""));
    let error = server.pusher().push(&scrape()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Redirect);
    assert_eq!(server.requests().len(), 6);
}

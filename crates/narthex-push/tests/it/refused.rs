//! Servers that are down, slow or broken, or that refuse.

use std::time::Duration;

use narthex_push::PushErrorKind;

use crate::support::{Nobody, Reply, Server, answer, causes, ok, scrape};

#[tokio::test]
async fn a_gateway_that_is_down_is_an_error_after_the_retries() {
    let nobody = Nobody::new();
    let pusher = nobody.pusher().retries(1);
    // Nothing was sent, so that even an addition is tried again.
    for result in [pusher.push(&scrape()).await, pusher.add(&scrape()).await, pusher.delete().await]
    {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Connect, 2));
        assert!(error.to_string().ends_with(": cannot connect (tried 2 times)"), "{error}");
        assert!(causes(&error).contains("refused"), "{}", causes(&error));
    }
}

#[tokio::test]
async fn a_gateway_that_comes_back_is_reached() {
    let gateway = Nobody::new();
    let pusher = gateway.pusher().retries(100);
    let push = tokio::spawn(async move { pusher.push(&scrape()).await });
    tokio::task::yield_now().await;
    let server = Server::serve(gateway.listen(), |stream| Some(Box::new(stream)), |_, _| ok());
    push.await.unwrap().unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_slow_gateway_is_given_up_when_the_time_is_over() {
    let server = Server::start(|_, _| Reply::Hang);
    let pusher = server.pusher().timeout(Duration::from_millis(200));
    let error = pusher.push(&scrape()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Timeout, 1));
    let text = format!("`PUT {}/metrics/job/j`: not done within 0.2 s", server.url());
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn an_answer_that_stops_halfway_is_given_up_when_the_time_is_over() {
    for half in
        ["HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]
    {
        let server = Server::start(move |_, _| Reply::Answer(half.into()));
        let pusher = server.pusher().timeout(Duration::from_millis(200));
        let error = pusher.push(&scrape()).await.unwrap_err();
        assert_eq!(error.kind(), PushErrorKind::Timeout, "{half}");
    }
}

#[tokio::test]
async fn the_time_is_over_for_all_tries_together() {
    let server = Server::start(|before, _| match before {
        0 => answer("503 Service Unavailable", "", "starting"),
        _ => Reply::Hang,
    });
    let pusher = server.pusher().timeout(Duration::from_secs(1));
    let error = pusher.push(&scrape()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Timeout, 2));
    assert!(causes(&error).contains("503 Service Unavailable: starting"), "{}", causes(&error));
}

#[tokio::test]
async fn after_a_broken_connection_only_what_cannot_add_up_is_sent_again() {
    let server = Server::start(|before, _| if before == 0 { Reply::Close } else { ok() });
    assert_eq!(server.pusher().push(&scrape()).await.unwrap().attempts(), 2);

    let server = Server::start(|_, _| Reply::Close);
    let error = server.pusher().add(&scrape()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Exchange, 1));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a43_a_refusal_is_an_error_with_status_and_body_and_is_final() {
    let server = Server::start(|_, _| {
        answer("400 Bad Request", "", "pushed metrics are\ninvalid \u{1b}[31m\n")
    });
    for method in ["PUT", "POST"] {
        let pusher = server.pusher();
        let result = match method {
            "PUT" => pusher.push(&scrape()).await,
            _ => pusher.add(&scrape()).await,
        };
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Status, 1));
        assert_eq!(error.status().unwrap(), 400);
        assert_eq!(error.body(), Some("pushed metrics are\ninvalid \u{1b}[31m\n"));
        let text = format!(
            "`{method} {}/metrics/job/j`: the answer is 400 Bad Request: \
             pushed metrics are\\ninvalid \\u{{1b}}[31m",
            server.url()
        );
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_page_that_answers_anything_is_no_gateway() {
    for status in ["204 No Content", "206 Partial Content", "303 See Other", "404 Not Found"] {
        let server = Server::start(move |_, _| answer(status, "Location: /\r\n", ""));
        let error = server.pusher().push(&scrape()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Status, 1), "{status}");
    }
    // A deletion is queued, so that whoever says it is done is somebody else.
    let server = Server::start(|_, _| ok());
    assert_eq!(server.pusher().delete().await.unwrap_err().kind(), PushErrorKind::Status);
}

#[tokio::test]
async fn who_asks_for_a_pause_is_given_it() {
    let busy = |headers: &'static str| {
        Server::start(move |before, _| match before {
            0 => answer("429 Too Many Requests", headers, "slow down"),
            _ => ok(),
        })
    };
    for headers in ["Retry-After: 0\r\n", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", ""] {
        assert_eq!(busy(headers).pusher().push(&scrape()).await.unwrap().attempts(), 2);
    }
    // No time for the pause: there is no use in waiting.
    let server = busy("Retry-After: 3600\r\n");
    let error = server.pusher().push(&scrape()).await.unwrap_err();
    assert_eq!((error.attempts(), error.status().unwrap().as_u16()), (1, 429));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    // The server has seen the addition, and may have counted it.
    let server = busy("Retry-After: 0\r\n");
    assert_eq!(server.pusher().add(&scrape()).await.unwrap_err().attempts(), 1);
}

#[tokio::test]
async fn a_server_error_may_pass() {
    let server = Server::start(|before, _| match before {
        0 => answer("503 Service Unavailable", "", ""),
        1 => answer("500 Internal Server Error", "", ""),
        _ => ok(),
    });
    assert_eq!(server.pusher().push(&scrape()).await.unwrap().attempts(), 3);

    let server = Server::start(|_, _| answer("503 Service Unavailable", "", "down"));
    let error = server.pusher().retries(1).push(&scrape()).await.unwrap_err();
    assert_eq!((error.attempts(), server.requests().len()), (2, 2));
    assert!(
        error.to_string().ends_with("503 Service Unavailable: down (tried 2 times)"),
        "{error}"
    );
    let error = server.pusher().add(&scrape()).await.unwrap_err();
    assert_eq!(error.attempts(), 1);
}

#[tokio::test]
async fn of_a_huge_error_body_the_beginning_is_read() {
    let server = Server::start(|before, _| match before {
        0 => Reply::Answer(
            format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{}",
                1u64 << 40,
                "x".repeat(1 << 20)
            )
            .into_bytes(),
        ),
        _ => Reply::Endless(format!("HTTP/1.1 500 No\r\n\r\n{}", "y".repeat(1 << 16)).into_bytes()),
    });
    let pusher = server.pusher().retries(0);
    let error = pusher.push(&scrape()).await.unwrap_err();
    assert_eq!(error.body().unwrap(), "x".repeat(4 << 10));
    assert!(error.to_string().len() < 700, "{error}");
    let error = pusher.push(&scrape()).await.unwrap_err();
    assert_eq!(error.body().unwrap(), "y".repeat(4 << 10));
}

#[tokio::test]
async fn an_endless_head_is_not_read_to_its_end() {
    let server = Server::start(|_, _| Reply::Endless(b"HTTP/1.1 200 OK\r\nX: y\r\n".repeat(100)));
    let error = server.pusher().retries(0).push(&scrape()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Exchange);
    let line = "a".repeat(1 << 16);
    let server = Server::start(move |before, _| {
        let start = if before == 0 { "HTTP/1.1 200 OK\r\nX: " } else { "" };
        Reply::Endless(format!("{start}{line}").into_bytes())
    });
    let error = server.pusher().retries(0).push(&scrape()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Exchange);
}

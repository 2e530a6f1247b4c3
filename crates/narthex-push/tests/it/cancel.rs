//! Pushes that are given up.

use std::time::Duration;

use crate::support::{LIMIT, Reply, Server, ok, scrape};

#[tokio::test]
async fn a_push_that_is_dropped_leaves_a_pusher_that_works() {
    let server = Server::start(|before, _| if before == 0 { Reply::Hang } else { ok() });
    let pusher = server.pusher();
    let scrape = scrape();
    let arrived = async {
        while server.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        pushed = pusher.push(&scrape) => panic!("{pushed:?}"),
        () = arrived => {}
    }
    tokio::time::timeout(LIMIT, pusher.push(&scrape)).await.unwrap().unwrap();
    // On a connection of its own: what the first one is doing is not known.
    let connections: Vec<_> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_push_may_be_dropped_at_any_await() {
    let server = Server::start(|_, _| ok());
    let pusher = server.pusher();
    let scrape = scrape();
    // Polled so many times and dropped, until it is done before.
    for polls in 1.. {
        let mut push = Box::pin(pusher.push(&scrape));
        let mut left = polls;
        let done = std::future::poll_fn(|context| {
            let poll = push.as_mut().poll(context);
            left -= 1;
            match poll {
                std::task::Poll::Ready(pushed) => std::task::Poll::Ready(Some(pushed)),
                std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        });
        if let Some(pushed) = tokio::time::timeout(LIMIT, done).await.unwrap() {
            pushed.unwrap();
            break;
        }
    }
    assert!(server.requests().iter().all(|request| request.text().ends_with("up 1\n")));
}

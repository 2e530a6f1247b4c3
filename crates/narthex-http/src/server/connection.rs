//! One connection from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::access::Exchange;
use super::door::Door;
use super::guard::Io;
use super::heads::Heads;
use super::listener::{Peer, Socket};
use super::metrics::Cut;
use super::watch::{Watch, Watched, Worth};

/// The longest head of a request; what is longer is answered 431.
const LONGEST_HEAD: usize = 16 * 1024;

/// Serves a connection until its client, its watch or the server's end closes it.
pub(super) async fn serve(
    socket: Socket,
    peer: Peer,
    door: Arc<Door>,
    watch: Arc<Watch>,
    drain: Receiver<bool>,
) {
    let _open = door.metrics.accept();
    let io = Watched::new(socket, watch.clone());
    let Some(guard) = door.guard.clone() else {
        return serve_http(io, peer, door, watch, drain).await;
    };
    watch.handshake_begins();
    match under_watch(guard.handshake(io), &door, &watch, drain.clone(), |_| After::End).await {
        End::Done(Ok(io)) => {
            watch.handshake_ends();
            serve_http(io, peer, door, watch, drain).await;
        }
        End::Done(Err(error)) => {
            door.metrics.cut(Cut::Handshake);
            door.tell_of_handshake(peer, &error);
        }
        End::TooSlow => {
            door.metrics.cut(Cut::Slow);
            tracing::debug!(%peer, "a handshake was too slow and is cut");
        }
        End::Unused => {}
    }
}

async fn serve_http(
    io: impl Io + 'static,
    peer: Peer,
    door: Arc<Door>,
    watch: Arc<Watch>,
    drain: Receiver<bool>,
) {
    let exchanges = watch.clone();
    let requests = door.clone();
    let service = service_fn(move |request| {
        let exchange = Exchange::begin(&request, peer, exchanges.clone());
        let (door, watch) = (requests.clone(), exchanges.clone());
        async move {
            let response = door.answer(request, &watch).await;
            Ok::<_, Infallible>(exchange.send(response))
        }
    });
    let io = TokioIo::new(Heads::new(io, watch.clone()));
    let mut http = http1::Builder::new();
    // Hyper's own timeout would count the time between two scrapes as part of a head, and so close
    // the connection of everybody who scrapes less often. The watch tells the two apart.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(LONGEST_HEAD);
    let connection = http.serve_connection(io, service);
    let idle = watch.clone();
    let end = under_watch(connection, &door, &watch, drain, move |connection| {
        if idle.worth() <= Worth::Unproven {
            return After::End;
        }
        connection.graceful_shutdown();
        After::GoOn
    });
    match end.await {
        End::Done(Ok(())) | End::Unused => {}
        End::Done(Err(error)) => tracing::debug!(remote = %peer, %error, "a connection broke off"),
        End::TooSlow => {
            door.metrics.cut(Cut::Slow);
            tracing::debug!(remote = %peer, "a connection was too slow and is cut");
        }
    }
}

/// Polls what a connection does, until it is done, or the watch's deadline has passed, or the
/// server drains and `told` says that this is the end.
async fn under_watch<F: Future>(
    work: F,
    door: &Door,
    watch: &Watch,
    mut drain: Receiver<bool>,
    mut told: impl FnMut(std::pin::Pin<&mut F>) -> After,
) -> End<F::Output> {
    let mut work = pin!(work);
    let mut told_to_end = pin!(drain.wait_for(|draining| *draining));
    let mut draining = false;
    let mut alarm = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
                return Poll::Ready(End::Done(outcome));
            }
            // An error says that the server was dropped, and this task will be with it.
            if !draining && told_to_end.as_mut().poll(cx).is_ready() {
                draining = true;
                match told(work.as_mut()) {
                    After::End => return Poll::Ready(End::Unused),
                    After::GoOn => continue,
                }
            }
            // Polling the connection may have moved the deadline in either direction.
            let Some(deadline) = watch.deadline(&door.limits) else { return Poll::Pending };
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            return alarm.as_mut().poll(cx).map(|()| End::TooSlow);
        }
    })
    .await
}

enum End<T> {
    Done(T),
    Unused,
    TooSlow,
}

/// What becomes of a connection when the server drains.
enum After {
    End,
    GoOn,
}

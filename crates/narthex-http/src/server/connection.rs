//! One connection from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::access::{Exchange, Sent};
use super::strict;
use super::watch::{Watch, Watched, Worth};
use crate::site::Site;

/// The longest head of a request; what is longer is answered 431.
const LONGEST_HEAD: usize = 16 * 1024;

/// Serves a connection until its client, its watch or the server's end closes it.
pub(super) async fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    site: Site,
    limits: Limits,
    watch: Arc<Watch>,
    mut drain: Receiver<bool>,
) {
    let exchanges = watch.clone();
    let service = service_fn(move |request| respond(request, remote, site.clone(), &exchanges));
    let io = TokioIo::new(Watched::new(stream, watch.clone()));
    let mut http = http1::Builder::new();
    // Hyper's own timeout would count the time between two scrapes as part of a head, and so close
    // the connection of everybody who scrapes less often. The watch tells the two apart.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(LONGEST_HEAD);
    let mut connection = pin!(http.serve_connection(io, service));
    let mut told_to_end = pin!(drain.wait_for(|draining| *draining));
    let mut draining = false;
    let mut alarm = pin!(sleep_until(Instant::now()));

    let end = poll_fn(|cx| {
        loop {
            if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
                return Poll::Ready(End::Closed(outcome));
            }
            // An error says that the server was dropped, and this task will be with it.
            if !draining && told_to_end.as_mut().poll(cx).is_ready() {
                draining = true;
                if watch.worth() == Worth::Unproven {
                    return Poll::Ready(End::Unused);
                }
                connection.as_mut().graceful_shutdown();
                continue;
            }
            // Polling the connection may have moved the deadline in either direction.
            let Some(deadline) = watch.deadline(&limits) else { return Poll::Pending };
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            return alarm.as_mut().poll(cx).map(|()| End::TooSlow);
        }
    });
    match end.await {
        End::Closed(Ok(())) | End::Unused => {}
        End::Closed(Err(error)) => tracing::debug!(%remote, %error, "a connection broke off"),
        End::TooSlow => tracing::debug!(%remote, "a connection was too slow and is cut"),
    }
}

enum End {
    Closed(hyper::Result<()>),
    Unused,
    TooSlow,
}

fn respond(
    request: Request<Incoming>,
    remote: SocketAddr,
    site: Site,
    watch: &Arc<Watch>,
) -> impl Future<Output = Result<Response<Sent>, Infallible>> + use<> {
    let exchange = Exchange::begin(&request, remote, watch.clone());
    async move {
        let response = match strict::fault(&request) {
            Some(reason) => site.refuse(reason),
            None => {
                let Ok(response) = site.respond(request).await;
                response
            }
        };
        Ok(exchange.send(response))
    }
}

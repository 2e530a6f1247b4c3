//! One request and its answer, as the access log tells it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::listener::Peer;
use super::watch::Watch;
use crate::body::{Body, BodyError};

/// A request that is being answered; ends when its response was handed over or given up.
pub(super) struct Exchange {
    watch: Arc<Watch>,
    line: Option<Line>,
}

/// What the log will say.
struct Line {
    method: String,
    path: String,
    remote: Peer,
    begun: Instant,
    status: Option<StatusCode>,
    size: u64,
}

impl Exchange {
    pub(super) fn begin<B>(request: &Request<B>, remote: Peer, watch: Arc<Watch>) -> Self {
        watch.request_begins();
        let line = tracing::enabled!(tracing::Level::DEBUG).then(|| Line {
            method: escaped(request.method().as_str()),
            path: escaped(request.uri().path()),
            remote,
            begun: Instant::now(),
            status: None,
            size: 0,
        });
        Self { watch, line }
    }

    pub(super) fn send(mut self, response: Response<Body>) -> Response<Sent> {
        if let Some(line) = &mut self.line {
            line.status = Some(response.status());
        }
        response.map(|body| Sent { body, exchange: self })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.watch.request_ends();
        let Some(Line { method, path, remote, begun, status, size }) = self.line.take() else {
            return;
        };
        let duration = begun.elapsed().as_secs_f64();
        match status.map(|status| status.as_u16()) {
            Some(status) => {
                tracing::debug!(%method, %path, %remote, status, size, duration, "request");
            }
            None => tracing::debug!(%method, %path, %remote, duration, "request given up"),
        }
    }
}

/// A body on its way to the client.
pub(super) struct Sent {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(line), Some(Ok(frame))) = (&mut self.exchange.line, &frame) {
            line.size += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Client's text for a log: on one line, whatever the log's format.
fn escaped(text: &str) -> String {
    text.escape_debug().to_string()
}

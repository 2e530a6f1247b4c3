//! What a connection is doing, seen from its socket and its requests.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;
use super::listener::Socket;

/// Shared by a connection's socket, its requests, and those who decide whether it may live on.
pub(super) struct Watch(Mutex<State>);

struct State {
    phase: Phase,
    /// When the phase began; of an idle connection, when it last sent something.
    since: Instant,
    /// Since when the client takes nothing of what there is to write.
    blocked: Option<Instant>,
    has_sent: bool,
    served: bool,
    /// Why a head could be read in two ways.
    ambiguity: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A TLS handshake is under way.
    Handshake,
    /// A request's head is expected: the first one, or one that has begun to arrive.
    Head,
    /// A request is being answered.
    Busy,
    /// Between requests.
    Idle,
}

/// Which connection to close first when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// It has sent nothing.
    Silent,
    /// It has not managed a request yet.
    Unproven,
    /// It waits for its client, who was answered before.
    Idle,
    /// A request is being answered, or its answer sent.
    Busy,
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        let state = State {
            phase: Phase::Head,
            since: Instant::now(),
            blocked: None,
            has_sent: false,
            served: false,
            ambiguity: None,
        };
        Arc::new(Self(Mutex::new(state)))
    }

    /// When the connection has to be closed, if nothing changes until then.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = self.state();
        if let Some(blocked) = state.blocked {
            return Some(blocked + limits.write_stall);
        }
        match state.phase {
            Phase::Handshake => Some(state.since + limits.handshake),
            Phase::Head => Some(state.since + limits.header_read),
            Phase::Idle => Some(state.since + limits.idle),
            // How long an answer takes is bounded by the scrape's own deadline.
            Phase::Busy => None,
        }
    }

    pub(super) fn worth(&self) -> Worth {
        let state = self.state();
        match state.phase {
            Phase::Busy => Worth::Busy,
            _ if state.blocked.is_some() => Worth::Busy,
            _ if state.served => Worth::Idle,
            _ if state.has_sent => Worth::Unproven,
            _ => Worth::Silent,
        }
    }

    /// The connection begins with a handshake.
    pub(super) fn handshake_begins(&self) {
        self.state().phase = Phase::Handshake;
    }

    /// The handshake is done, and a first request may come.
    pub(super) fn handshake_ends(&self) {
        let mut state = self.state();
        state.phase = Phase::Head;
        state.since = Instant::now();
    }

    /// A head could be read in two ways.
    pub(super) fn is_ambiguous(&self, reason: &'static str) {
        self.state().ambiguity = Some(reason);
    }

    /// Why a head could be read in two ways, if one could so far.
    pub(super) fn ambiguity(&self) -> Option<&'static str> {
        self.state().ambiguity
    }

    /// A request's head is complete.
    pub(super) fn request_begins(&self) {
        let mut state = self.state();
        state.phase = Phase::Busy;
        state.served = true;
    }

    /// A response's last byte was handed to the connection.
    pub(super) fn request_ends(&self) {
        let mut state = self.state();
        state.phase = Phase::Idle;
        state.since = Instant::now();
    }

    fn bytes_arrived(&self) {
        let mut state = self.state();
        state.has_sent = true;
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    fn bytes_left(&self) {
        let mut state = self.state();
        state.blocked = None;
        if state.phase == Phase::Idle {
            state.since = Instant::now();
        }
    }

    fn write_blocked(&self) {
        self.state().blocked.get_or_insert_with(Instant::now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that tells its [`Watch`] what happens, below any TLS.
pub(super) struct Watched {
    stream: Socket,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn new(stream: Socket, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }

    fn note_write(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(_) => self.watch.bytes_left(),
            Poll::Pending => self.watch.write_blocked(),
        }
        outcome
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.watch.bytes_arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_write(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_write(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

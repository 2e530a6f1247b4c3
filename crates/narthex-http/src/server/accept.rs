//! The task that owns a server's listeners and connections.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::Limits;
use super::connection;
use super::door::Door;
use super::guard::Guard;
use super::listener::{Listener, Peer, Socket};
use super::metrics::{Cut, ServerMetrics};
use super::watch::{Watch, Worth};

/// What a server's task needs of it.
pub(super) struct Plan {
    /// Each listener with what is behind it.
    pub(super) doors: Vec<(Listener, Arc<Door>)>,
    pub(super) guard: Option<Arc<dyn Guard>>,
    pub(super) limits: Limits,
    pub(super) metrics: ServerMetrics,
    pub(super) draining: Arc<AtomicBool>,
}

/// Accepts until it is told to stop, then drains; returns the number of connections that it cut.
pub(super) async fn run(plan: Plan, mut stop: oneshot::Receiver<()>) -> usize {
    let Plan { doors, guard, limits, metrics, draining } = plan;
    let (drain, drained) = watch::channel(false);
    let mut connections = Connections { tasks: JoinSet::new(), known: Vec::new(), limits, metrics };
    let mut listeners = Listeners { doors, next: 0, pause: Pause::default() };
    let mut upkeep = match guard {
        Some(guard) => guard.upkeep(),
        None => Box::pin(std::future::pending()),
    };
    loop {
        tokio::select! {
            _ = &mut stop => break,
            () = &mut upkeep => {}
            Some(ended) = connections.tasks.join_next() => tell_of_panic(ended),
            accepted = listeners.accept() => match accepted {
                Ok((socket, peer, door)) => {
                    connections.add(socket, peer, door, drained.clone());
                    // A request that came with its connection is read before more connections can
                    // push it out.
                    if connections.are_many() {
                        tokio::task::yield_now().await;
                    }
                }
                // Descriptors or memory ran out, and closing something is what frees them.
                Err(_) => connections.shed(),
            },
        }
    }
    drop(listeners);
    draining.store(true, Ordering::Release);
    drain.send_replace(true);
    connections.drain().await
}

struct Listeners {
    doors: Vec<(Listener, Arc<Door>)>,
    /// The listener whose turn it is, so that a busy one does not starve the others.
    next: usize,
    pause: Pause,
}

type Accepted = (Socket, Peer, Arc<Door>);

/// Grows while nothing can be accepted, so that the loop does not spin.
#[derive(Default)]
struct Pause {
    length: Duration,
    until: Option<Instant>,
    told: Option<Instant>,
}

impl Listeners {
    /// The next connection, or an error that lasts; then the following call waits a while.
    ///
    /// # Cancel safety
    /// Nothing is lost: a pause is kept, and accepting is one step.
    async fn accept(&mut self) -> io::Result<Accepted> {
        if let Some(until) = self.pause.until {
            sleep_until(until).await;
            self.pause.until = None;
        }
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => {
                    self.pause.length = Duration::ZERO;
                    return Ok(accepted);
                }
                // The client was gone before it was accepted.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.pause.grow(&error);
                    return Err(error);
                }
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        for step in 0..self.doors.len() {
            let at = (self.next + step) % self.doors.len();
            let (listener, door) = &self.doors[at];
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.next = at + 1;
                return Poll::Ready(accepted.map(|(socket, peer)| (socket, peer, door.clone())));
            }
        }
        Poll::Pending
    }
}

impl Pause {
    fn grow(&mut self, error: &io::Error) {
        const SHORTEST: Duration = Duration::from_millis(10);
        const LONGEST: Duration = Duration::from_millis(500);
        const SILENCE: Duration = Duration::from_secs(60);
        if self.told.is_none_or(|told| told.elapsed() >= SILENCE) {
            self.told = Some(Instant::now());
            tracing::warn!(%error, "connections cannot be accepted for the moment");
        }
        self.length = (self.length * 2).clamp(SHORTEST, LONGEST);
        self.until = Some(Instant::now() + self.length);
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

struct Connections {
    tasks: JoinSet<()>,
    /// In the order in which they came; some may have ended since.
    known: Vec<Known>,
    limits: Limits,
    metrics: ServerMetrics,
}

struct Known {
    watch: Arc<Watch>,
    task: AbortHandle,
}

impl Connections {
    fn add(&mut self, socket: Socket, peer: Peer, door: Arc<Door>, drain: watch::Receiver<bool>) {
        if self.are_many() {
            self.shed();
        }
        if self.are_many() {
            self.metrics.cut(Cut::Full);
            tracing::debug!(remote = %peer, "a connection is refused: all others are busy");
            return;
        }
        let watch = Watch::new();
        let task = self.tasks.spawn(connection::serve(socket, peer, door, watch.clone(), drain));
        self.known.push(Known { watch, task });
    }

    fn are_many(&self) -> bool {
        self.known.len() >= self.limits.connections
    }

    /// Forgets the connections that have ended; where there are none, closes the one of least
    /// worth, unless all are busy.
    fn shed(&mut self) {
        let before = self.known.len();
        self.known.retain(|known| !known.task.is_finished());
        if self.known.len() < before {
            return;
        }
        // The first of equals, which is the oldest.
        let least = (0..self.known.len()).min_by_key(|&at| self.known[at].watch.worth());
        if let Some(at) = least.filter(|&at| self.known[at].watch.worth() != Worth::Busy) {
            self.known.remove(at).task.abort();
            self.metrics.cut(Cut::Shed);
        }
    }

    async fn drain(mut self) -> usize {
        let all_ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                tell_of_panic(ended);
            }
        };
        if timeout(self.limits.shutdown, all_ended).await.is_ok() {
            return 0;
        }
        let cut = self.tasks.len();
        self.tasks.shutdown().await;
        cut
    }
}

fn tell_of_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        let error = error.to_string();
        tracing::error!(error = %error.escape_debug(), "a connection panicked");
    }
}

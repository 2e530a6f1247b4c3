//! The HTTP server.

mod accept;
mod access;
mod bind;
mod connection;
mod strict;
mod watch;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::bind::{BindError, ListenAddr};
use crate::site::Site;

/// An HTTP/1 server for a [`Site`], bound and about to serve.
///
/// Binding is a step of its own, so that all that can go wrong is known before anything is served
/// and port 0 is a number afterwards. The server holds its own against the network by default:
///
/// - A request's head must be complete [10 s](Self::header_read_timeout) after its first byte and
///   is 16 KiB long at most, of up to 100 headers; an idle connection is closed after
///   [two minutes](Self::idle_timeout).
/// - A reader that takes nothing for [30 s](Self::write_stall_timeout) is cut.
/// - Beyond [512 connections](Self::max_connections) the oldest that waits for its client makes
///   room for the newest; where all are busy, the newest is closed.
/// - Requests without or with several `Host` headers, with a length told twice, or for a proxy are
///   answered 400, and the connection is closed.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_http::{MetricsService, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = MetricsService::new(Registry::new());
/// let running = Server::bind("127.0.0.1:0").await?.serve(service);
/// println!("listening on {}", running.metrics_url());
/// running.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    addrs: Vec<SocketAddr>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    header_read: Duration,
    idle: Duration,
    write_stall: Duration,
    connections: usize,
    shutdown: Duration,
}

impl Server {
    /// Listens on an address; a name is bound to every address that it resolves to.
    ///
    /// # Errors
    /// Returns a [`BindError`] where the address cannot be read, resolved or bound. Nothing is left
    /// behind then, and the same call may succeed later.
    pub async fn bind(addr: impl Into<ListenAddr>) -> Result<Self, BindError> {
        Self::bind_all([addr]).await
    }

    /// Listens on several addresses.
    ///
    /// # Errors
    /// Returns the [`BindError`] of the first address that cannot be bound; the others are given
    /// up then as well. An empty list is an error too.
    pub async fn bind_all<A>(addrs: impl IntoIterator<Item = A>) -> Result<Self, BindError>
    where
        A: Into<ListenAddr>,
    {
        let mut listeners = Vec::new();
        for addr in addrs {
            listeners.extend(addr.into().listen().await?);
        }
        if listeners.is_empty() {
            return Err(BindError::nothing());
        }
        let (listeners, addrs) = listeners.into_iter().unzip();
        let limits = Limits {
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            write_stall: Duration::from_secs(30),
            connections: 512,
            shutdown: Duration::from_secs(5),
        };
        Ok(Self { listeners, addrs, limits })
    }

    /// Closes a connection whose request head takes longer than this; by default ten seconds.
    #[must_use]
    pub fn header_read_timeout(mut self, timeout: Duration) -> Self {
        self.limits.header_read = timeout;
        self
    }

    /// Closes a connection that was silent for this long between requests; by default two minutes,
    /// so that a scraper that comes once a minute keeps its connection.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = timeout;
        self
    }

    /// Cuts a reader that takes no byte for this long; by default 30 seconds.
    #[must_use]
    pub fn write_stall_timeout(mut self, timeout: Duration) -> Self {
        self.limits.write_stall = timeout;
        self
    }

    /// Keeps at most so many connections; by default 512, and never less than one.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections.max(1);
        self
    }

    /// Gives responses under way this long to end at [`Running::shutdown`]; by default five
    /// seconds.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.limits.shutdown = timeout;
        self
    }

    /// The addresses that are listened on.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Serves a site, or the default one around a [`MetricsService`](crate::MetricsService).
    ///
    /// # Panics
    /// Must be called within a tokio runtime, in which the server runs.
    pub fn serve(self, site: impl Into<Site>) -> Running {
        let draining = Arc::new(AtomicBool::new(false));
        let site = site.into().draining_by(draining.clone());
        let path = site.path().to_owned();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept::run(self.listeners, site, self.limits, draining, stopped));
        Running { addrs: self.addrs, path, limits: self.limits, stop, task: Task(task) }
    }
}

/// A server at work; dropping it ends it at once, connections and all.
#[derive(Debug)]
pub struct Running {
    addrs: Vec<SocketAddr>,
    path: String,
    limits: Limits,
    stop: oneshot::Sender<()>,
    task: Task,
}

impl Running {
    /// The addresses that are listened on.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The address of the metrics page at the first listener.
    ///
    /// A listener on all interfaces is shown as it is, such as `http://0.0.0.0:9100/metrics`.
    pub fn metrics_url(&self) -> String {
        self.metrics_urls().next().expect("a server has at least one listener")
    }

    /// The address of the metrics page at each listener.
    pub fn metrics_urls(&self) -> impl Iterator<Item = String> {
        self.addrs.iter().map(|addr| format!("http://{addr}{}", self.path))
    }

    /// Stops: closes the listeners and the idle connections, and lets responses under way end.
    ///
    /// # Errors
    /// Returns a [`ShutdownError`] where connections had to be cut, because they were still busy
    /// after the [timeout](Server::shutdown_timeout).
    ///
    /// # Cancel safety
    /// Dropping the future cuts all connections at once.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        let Self { mut task, stop, limits, .. } = self;
        // The task is alive until it is told, unless its runtime is gone, and its connections too.
        let _ = stop.send(());
        match (&mut task.0).await {
            Ok(0) | Err(_) => Ok(()),
            Ok(cut) => Err(ShutdownError { cut, after: limits.shutdown }),
        }
    }
}

/// The server's task, which owns its listeners and connections.
#[derive(Debug)]
struct Task(JoinHandle<usize>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connections were cut at shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownError {
    cut: usize,
    after: Duration,
}

impl ShutdownError {
    /// The number of connections that were cut.
    pub fn connections(&self) -> usize {
        self.cut
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cut, after } = self;
        write!(f, "{cut} connections were still busy after {after:?} and were cut")
    }
}

impl std::error::Error for ShutdownError {}

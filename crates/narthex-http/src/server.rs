//! The HTTP server.

mod accept;
mod access;
mod bind;
mod connection;
mod door;
mod guard;
mod heads;
mod hosts;
mod listener;
mod metrics;
mod strict;
#[cfg(unix)]
mod unix;
mod watch;
#[cfg(feature = "tls")]
mod web_config;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::bind::{BindError, ListenAddr};
use self::door::{Door, Role};
use self::guard::Guard;
use self::hosts::Hosts;
use self::listener::{Address, Listener};
pub use self::metrics::ServerMetrics;
#[cfg(feature = "tls")]
pub use self::web_config::{WebConfig, WebConfigError, WebConfigHandle};
use crate::site::Site;

/// An HTTP/1 server for a [`Site`], bound and about to serve.
///
/// Binding is a step of its own, so that all that can go wrong is known before anything is served
/// and port 0 is a number afterwards. The server holds its own against the network by default:
///
/// - A request's head must be complete [10 s](Self::header_read_timeout) after its first byte and
///   is 16 KiB long at most, of up to 100 headers; an idle connection is closed after
///   [two minutes](Self::idle_timeout).
/// - A reader that takes nothing for [30 s](Self::write_stall_timeout) is cut, and after half
///   a second where the pages that such readers hold are wanted by others.
/// - Beyond [512 connections](Self::max_connections) the oldest that waits for its client makes
///   room for the newest; where all are busy, the newest is closed.
/// - Requests without or with several `Host` headers, with a length told twice, with lines that do
///   not end in CR LF, or for a proxy are answered 400, and the connection is closed.
/// - At a loopback address, requests for a host that is not this machine's are
///   [answered 421](Self::allowed_host).
///
/// With the feature `tls`, a [web configuration](Self::web_config) adds TLS and authentication; a
/// TLS handshake must then be complete [10 s](Self::handshake_timeout) after the connection began.
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
    listeners: Vec<Listener>,
    health: Vec<Listener>,
    addrs: Vec<SocketAddr>,
    allowed_hosts: Vec<String>,
    guard: Option<Arc<dyn Guard>>,
    limits: Limits,
    metrics: ServerMetrics,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    handshake: Duration,
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
        Ok(Self::listening(listeners))
    }

    /// Takes TCP sockets that listen already, such as those that systemd hands over.
    ///
    /// # Errors
    /// Returns a [`BindError`] where a socket cannot be used, or the list is empty.
    ///
    /// # Panics
    /// Must be called within a tokio runtime.
    pub fn from_tcp(
        sockets: impl IntoIterator<Item = std::net::TcpListener>,
    ) -> Result<Self, BindError> {
        let listeners: Result<Vec<_>, _> = sockets.into_iter().map(Listener::given_tcp).collect();
        let listeners = listeners.map_err(BindError::given)?;
        if listeners.is_empty() {
            Err(BindError::nothing())
        } else {
            Ok(Self::listening(listeners))
        }
    }

    /// Takes a Unix domain socket that listens already; its file stays with whoever made it.
    ///
    /// # Errors
    /// Returns a [`BindError`] where the socket cannot be used.
    ///
    /// # Panics
    /// Must be called within a tokio runtime.
    #[cfg(unix)]
    pub fn from_unix(socket: std::os::unix::net::UnixListener) -> Result<Self, BindError> {
        let listener = Listener::given_unix(socket).map_err(BindError::given)?;
        Ok(Self::listening(vec![listener]))
    }

    fn listening(listeners: Vec<Listener>) -> Self {
        let addresses = listeners.iter().map(Listener::address);
        let addrs = addresses.filter_map(|address| address.socket_addr()).collect();
        let limits = Limits {
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            write_stall: Duration::from_secs(30),
            connections: 512,
            shutdown: Duration::from_secs(5),
        };
        Self {
            listeners,
            health: Vec::new(),
            addrs,
            allowed_hosts: Vec::new(),
            guard: None,
            limits,
            metrics: ServerMetrics::default(),
        }
    }

    /// Listens where another server does as well, under the limits of this one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.listeners.extend(other.listeners);
        self.addrs.extend(other.addrs);
        self.health.extend(other.health);
        self
    }

    /// Listens on one more address for the health endpoints alone, without TLS or authentication;
    /// by default there is none.
    ///
    /// It is for probes that can present no client certificate.
    ///
    /// # Errors
    /// Returns a [`BindError`] as [`bind`](Self::bind) does.
    pub async fn health_address(mut self, addr: impl Into<ListenAddr>) -> Result<Self, BindError> {
        self.health.extend(addr.into().listen().await?);
        Ok(self)
    }

    /// Answers to one more name; by default to the names of this machine's loopback interface at a
    /// loopback address, and to all names elsewhere.
    ///
    /// A page in a browser on this machine could else read what is served at 127.0.0.1 by pointing
    /// its own name there (DNS rebinding). Requests for another name are answered 421, once a name
    /// is given also elsewhere than at loopback addresses; there, any IP address will still do.
    #[must_use]
    pub fn allowed_host(mut self, name: impl Into<String>) -> Self {
        self.allowed_hosts.push(name.into());
        self
    }

    /// Closes a connection whose TLS handshake takes longer than this; by default ten seconds.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.limits.handshake = timeout;
        self
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

    /// The addresses of the health endpoints' [own listener](Self::health_address).
    pub fn health_addrs(&self) -> impl Iterator<Item = SocketAddr> {
        self.health.iter().filter_map(|listener| listener.address().socket_addr())
    }

    /// The metrics of this server, for a registry.
    pub fn metrics(&self) -> ServerMetrics {
        self.metrics.clone()
    }

    /// Serves a site, or the default one around a [`MetricsService`](crate::MetricsService).
    ///
    /// # Panics
    /// Must be called within a tokio runtime, in which the server runs.
    pub fn serve(self, site: impl Into<Site>) -> Running {
        let draining = Arc::new(AtomicBool::new(false));
        let site = site.into().draining_by(draining.clone());
        let path = site.path().to_owned();
        let scheme = self.guard.as_ref().map_or("http", |guard| guard.scheme());
        let addresses: Vec<_> = self.listeners.iter().map(Listener::address).collect();
        let urls = addresses.iter().map(|address| address.url(scheme, &path)).collect();
        let health = self.health.iter().map(Listener::address);
        let health_urls = health.map(|address| address.url("http", "/-/healthy")).collect();

        let door = |address: &Address, role, guard| {
            let addr = address.socket_addr().map(|addr| addr.ip());
            Arc::new(Door {
                site: site.clone(),
                role,
                hosts: Hosts::of(addr, &self.allowed_hosts),
                guard,
                limits: self.limits,
                metrics: self.metrics.clone(),
                told: Mutex::default(),
            })
        };
        let mut doors = Vec::new();
        for listener in self.listeners {
            let door = door(&listener.address(), Role::Everything, self.guard.clone());
            doors.push((listener, door));
        }
        for listener in self.health {
            let door = door(&listener.address(), Role::Health, None);
            doors.push((listener, door));
        }
        let (stop, stopped) = oneshot::channel();
        let plan = accept::Plan {
            doors,
            guard: self.guard,
            limits: self.limits,
            metrics: self.metrics,
            draining,
        };
        let task = tokio::spawn(accept::run(plan, stopped));
        Running {
            addrs: self.addrs,
            urls,
            health_urls,
            limits: self.limits,
            stop,
            task: Task(task),
        }
    }
}

/// A server at work; dropping it ends it at once, connections and all.
#[derive(Debug)]
pub struct Running {
    addrs: Vec<SocketAddr>,
    urls: Vec<String>,
    health_urls: Vec<String>,
    limits: Limits,
    stop: oneshot::Sender<()>,
    task: Task,
}

impl Running {
    /// The addresses of the network that are listened on.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The address of the metrics page at the first listener.
    ///
    /// A listener on all interfaces is shown as it is, such as `http://0.0.0.0:9100/metrics`, and a
    /// Unix domain socket as nginx writes it, `http://unix:/run/thermo.sock:/metrics`.
    pub fn metrics_url(&self) -> String {
        self.metrics_urls().next().expect("a server has at least one listener")
    }

    /// The address of the metrics page at each listener.
    pub fn metrics_urls(&self) -> impl Iterator<Item = String> {
        self.urls.iter().cloned()
    }

    /// The addresses of the health endpoints' [own listeners](Server::health_address).
    pub fn health_urls(&self) -> impl Iterator<Item = String> {
        self.health_urls.iter().cloned()
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

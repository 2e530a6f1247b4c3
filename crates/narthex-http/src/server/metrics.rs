//! What a server says about itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use narthex_core::Collector;
use narthex_model::{FamilyError, MetricFamily, Scrape};

use crate::gather::{Gather, GatherError, ScrapeRequest, SourceStatus};

/// The metrics of a [`Server`](crate::Server): a [collector](Collector) for a registry or the scrape
/// engine.
///
/// | name | type | |
/// |---|---|---|
/// | `narthex_server_open_connections` | gauge | open connections |
/// | `narthex_server_connections_total` | counter | connections accepted |
/// | `narthex_server_connections_cut_total{reason}` | counter | connections that the server closed: `shed` for a newer one, `full` where all others were busy, `slow`, or with a failed `handshake` |
/// | `narthex_server_requests_refused_total{reason}` | counter | requests refused before they reached an endpoint: `ambiguous`, for a foreign `host`, beyond the `rate`, without good `credentials`, or while too many passwords were being checked (`busy`) |
/// | `narthex_web_config_reloads_total{outcome}` | counter | changes of the protection's files, by `success` and `failure` |
/// | `narthex_web_config_last_reload_successful` | gauge | 1, or 0 while files are ignored because they cannot be used |
///
/// ```
/// use narthex_core::Registry;
/// use narthex_http::{MetricsService, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new();
/// let server = Server::bind("127.0.0.1:0").await?;
/// registry.register(server.metrics())?;
/// let running = server.serve(MetricsService::new(registry.clone()));
/// assert_eq!(registry.gather().value("narthex_server_open_connections", &[]), Some(0.0));
/// # running.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct ServerMetrics(Arc<Counts>);

// Relaxed throughout: the numbers stand alone, nothing is read on their strength.
#[derive(Default)]
struct Counts {
    open: AtomicU64,
    accepted: AtomicU64,
    cut: [AtomicU64; Cut::ALL.len()],
    refused: [AtomicU64; Refused::ALL.len()],
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    is_outdated: AtomicU64,
}

/// Why the server closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Shed,
    Full,
    Slow,
    Handshake,
}

impl Cut {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Shed, "shed"),
        (Self::Full, "full"),
        (Self::Slow, "slow"),
        (Self::Handshake, "handshake"),
    ];
}

/// Why a request does not reach the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Ambiguous,
    Host,
    Rate,
    Credentials,
    Busy,
}

impl Refused {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Ambiguous, "ambiguous"),
        (Self::Host, "host"),
        (Self::Rate, "rate"),
        (Self::Credentials, "credentials"),
        (Self::Busy, "busy"),
    ];
}

impl ServerMetrics {
    /// Puts these metrics on the page of something else that is gathered, after all that is done to
    /// its own: without a registry's prefix and labels, and where no deadline can cost them.
    pub fn beside(self, gather: impl Gather) -> impl Gather {
        Beside { metrics: self, gather }
    }

    /// Counts a connection, as open until what is returned is dropped.
    pub(super) fn accept(&self) -> Open {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    pub(super) fn cut(&self, reason: Cut) {
        self.0.cut[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, reason: Refused) {
        self.0.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn families(&self) -> Result<[MetricFamily; 6], FamilyError> {
        let counts = &*self.0;
        let open = MetricFamily::gauge("narthex_server_open_connections", "Open connections.")
            .sample([""; 0], counts.open.load(Ordering::Relaxed));
        let accepted = MetricFamily::counter(
            "narthex_server_connections_total",
            "Connections accepted since the start.",
        )
        .sample([""; 0], counts.accepted.load(Ordering::Relaxed));
        let mut cut = MetricFamily::counter(
            "narthex_server_connections_cut_total",
            "Connections that the server closed, by reason.",
        )
        .label_names(["reason"]);
        for ((_, reason), count) in Cut::ALL.iter().zip(&counts.cut) {
            cut.push([*reason], count.load(Ordering::Relaxed));
        }
        let mut refused = MetricFamily::counter(
            "narthex_server_requests_refused_total",
            "Requests refused before they reached an endpoint, by reason.",
        )
        .label_names(["reason"]);
        for ((_, reason), count) in Refused::ALL.iter().zip(&counts.refused) {
            refused.push([*reason], count.load(Ordering::Relaxed));
        }
        let reloads = MetricFamily::counter(
            "narthex_web_config_reloads_total",
            "Changes of the files for TLS and authentication, by outcome.",
        )
        .label_names(["outcome"])
        .sample(["success"], counts.reloads.load(Ordering::Relaxed))
        .sample(["failure"], counts.failed_reloads.load(Ordering::Relaxed));
        let is_current = 1 - counts.is_outdated.load(Ordering::Relaxed).min(1);
        let current = MetricFamily::gauge(
            "narthex_web_config_last_reload_successful",
            "Whether the files for TLS and authentication are in use as they are now.",
        )
        .sample([""; 0], is_current);
        Ok([
            open.build()?,
            accepted.build()?,
            cut.build()?,
            refused.build()?,
            reloads.build()?,
            current.build()?,
        ])
    }
}

#[cfg(feature = "tls")]
impl ServerMetrics {
    pub(super) fn reloaded(&self) {
        self.0.reloads.fetch_add(1, Ordering::Relaxed);
        self.0.is_outdated.store(0, Ordering::Relaxed);
    }

    pub(super) fn reload_failed(&self) {
        self.0.failed_reloads.fetch_add(1, Ordering::Relaxed);
        self.0.is_outdated.store(1, Ordering::Relaxed);
    }
}

impl Collector for ServerMetrics {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        let all = self.families().expect("the names are valid and the samples distinct");
        families.extend(all);
    }
}

/// A page with a server's metrics on it.
struct Beside<G> {
    metrics: ServerMetrics,
    gather: G,
}

impl<G: Gather> Gather for Beside<G> {
    async fn gather(&self, request: ScrapeRequest) -> Result<Scrape, GatherError> {
        let mut scrape = self.gather.gather(request).await?;
        let mut families = Vec::new();
        self.metrics.collect(&mut families);
        scrape.push_families(families);
        Ok(scrape)
    }

    fn sources(&self) -> Vec<SourceStatus> {
        self.gather.sources()
    }
}

impl fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerMetrics").finish_non_exhaustive()
    }
}

/// An open connection, as counted.
pub(super) struct Open(ServerMetrics);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

//! What happens around serving: signals, hooks, and the handle that hooks get.

mod hook;
mod signals;

use std::net::SocketAddr;
use std::sync::Arc;

use narthex_core::Registry;
use narthex_http::Readiness;
use tokio::sync::Notify;

pub(crate) use self::hook::{Hook, Panicked, panic_message};
pub use self::signals::StopSignal;
pub(crate) use self::signals::{Hangups, Signals};

/// What an exporter's hooks know of it.
///
/// Cloning gives another handle to the same exporter.
#[derive(Clone, Debug)]
pub struct ExporterHandle {
    registry: Registry,
    addrs: Arc<[SocketAddr]>,
    readiness: Readiness,
    shutdown: Arc<Notify>,
}

impl ExporterHandle {
    pub(crate) fn new(registry: Registry, addrs: &[SocketAddr], readiness: Readiness) -> Self {
        Self { registry, addrs: addrs.into(), readiness, shutdown: Arc::default() }
    }

    /// The exporter's registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The addresses that are listened on.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The switch behind `/-/ready`, which stands at ready unless a hook turns it.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Ends the exporter as SIGTERM does: what is under way ends first.
    pub fn shutdown(&self) {
        // One permit is kept where nobody waits yet.
        self.shutdown.notify_one();
    }

    pub(crate) async fn shutdown_requested(&self) {
        self.shutdown.notified().await;
    }
}

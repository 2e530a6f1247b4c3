//! The forms that a user meets first, in a crate without docs and with no item imported.

#![deny(warnings, clippy::pedantic)]

#[derive(Debug, narthex::Metrics)]
#[metrics(namespace = "http", const_label("zone", "a"))]
pub struct HttpMetrics {
    /// Requests served.
    pub requests_total: narthex::DynamicFamily<narthex::Counter>,
    #[metric(flatten)]
    pub(crate) pool: PoolMetrics,
}

#[derive(Clone, Debug, narthex::Metrics)]
#[metrics(namespace = "pool")]
struct PoolMetrics {
    /// Connections.
    #[metric(unit = "connections")]
    connections: narthex::Gauge,
}

fn main() {
    let registry = narthex::Registry::new();
    let http = <HttpMetrics as narthex::Metrics>::register(&registry).unwrap();
    http.requests_total.with(&[]).unwrap().inc();
    http.pool.connections.inc();
    let zone = [("zone", "a")];
    assert_eq!(registry.gather().value("http_requests_total", &zone), Some(1.0));
    assert_eq!(registry.gather().value("http_pool_connections", &zone), Some(1.0));
}

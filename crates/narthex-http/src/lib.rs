//! Serve metrics over HTTP.
//!
//! - [`MetricsService`] answers scrapes: a tower service for applications that have a router.
//! - [`Site`] is what an exporter needs around it: landing page, health endpoints, own routes.
//! - [`Server`] serves a site over HTTP/1, bounded in time and memory whoever connects.
//! - [`MetricsLayer`] measures the requests of any tower or hyper service.
//! - With the feature `tls`, a `WebConfig` adds TLS and authentication to it.
//! - [`Gather`] is what all of them serve: a registry, or the scrape engine of this crate.
//!
//! ```
//! use narthex_core::{Counter, Registry};
//! use narthex_http::{MetricsService, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new();
//! let jobs = Counter::builder("jobs_total", "Jobs done.").register(&registry)?;
//! let server = Server::bind("localhost:0").await?.serve(MetricsService::new(registry));
//! println!("listening on {}", server.metrics_url());
//! jobs.inc();
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod body;
mod gather;
mod layer;
mod scrape;
mod server;
mod service;
mod site;

pub use body::{Body, BodyError};
pub use gather::{Gather, GatherError, ScrapeRequest, SourceStatus};
pub use layer::{
    MeasuredBody, MeasuredFuture, MetricNames, MetricsLayer, MetricsLayerBuilder,
    MetricsMiddleware, RequestHead, StatusLabel,
};
pub use scrape::{
    BoxError, Cached, IntoFamilies, IntoSource, OnError, ScrapeContext, ScrapeEngine,
    ScrapeEngineBuilder, ScrapedFamily, ScrapedHistogram, ScrapedHistogramFamily, ScrapedMetric,
    Source, SourceFn, SourceNameError,
};
pub use server::{BindError, ListenAddr, Running, Server, ServerMetrics, ShutdownError};
#[cfg(feature = "tls")]
pub use server::{WebConfig, WebConfigError, WebConfigHandle};
pub use service::{MetricsService, ResponseFuture};
pub use site::{Readiness, RouteError, Site};

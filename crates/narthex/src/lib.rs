//! The async Prometheus toolkit for Rust.
//!
//! Declare metrics as typed values, and serve or render them:
//!
//! ```
//! use narthex::{Counter, Family, Format, LabelValue, Labels, Registry};
//!
//! #[derive(LabelValue)]
//! enum Method {
//!     Get,
//!     Post,
//! }
//!
//! #[derive(Labels)]
//! struct Request<'a> {
//!     method: Method,
//!     path: &'a str,
//!     status: u16,
//! }
//!
//! let registry = Registry::new();
//! let requests: Family<Counter, Request<'static>> =
//!     Family::builder("http_requests_total", "HTTP requests served.").register(&registry)?;
//!
//! let path = String::from("/a");
//! requests.with(&Request { method: Method::Get, path: &path, status: 200 }).inc();
//!
//! let mut page = Vec::new();
//! Format::TEXT.encode(&registry.gather(), &mut page);
//! assert_eq!(
//!     String::from_utf8(page)?,
//!     [
//!         "# HELP http_requests_total HTTP requests served.\n",
//!         "# TYPE http_requests_total counter\n",
//!         "http_requests_total{method=\"get\",path=\"/a\",status=\"200\"} 1\n",
//!     ]
//!     .concat(),
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is where
//!
//! Every layer works alone, and this crate only puts them under one roof:
//!
//! - instruments, families and the [`Registry`] are at the root;
//! - [`model`] has the [`Scrape`](model::Scrape) that a registry gathers, to look into or to build;
//! - [`Format`] renders a scrape, and [`write()`] a registry without making one;
//!   [`format`](mod@format) reads pages back and lints them;
//! - [`http`] serves one: [`MetricsService`] in your own router, or [`Server`]; and it measures your
//!   own services with [`MetricsLayer`];
//! - [`push`] sends one to a Pushgateway, or to a file that node_exporter reads: [`Pusher`];
//! - [`exporter`] makes a program of it, with flags, logs and lifecycle;
//! - [`process`] and [`host`] are collectors for this process, its tokio runtime and this machine;
//! - [`metrics`] takes what is instrumented with the facade of that name.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `macros` | yes | `derive(Labels)`, `derive(LabelValue)`, `derive(Metrics)`; [`macro@timer`], [`macro@in_progress`], [`macro@count_errors`] |
//! | `serde` | | `MetricConfig`: metrics described in data: serde |
//! | `http` | | [`http`]: tokio, hyper |
//! | `axum` | | the templates of axum's routes for [`MetricsLayer`]: axum |
//! | `zstd` | | pages compressed with zstd too: the C library |
//! | `tls` | | TLS and authentication for the server of [`http`], https for [`push`]: rustls, bcrypt |
//! | `process` | | [`process`] |
//! | `tokio` | | [`process::TokioCollector`]: tokio |
//! | `host` | | [`host`] |
//! | `metrics` | | [`metrics`]: the crate `metrics` |
//! | `testing` | | [`testing`]: assertions for tests of your own metrics |
//! | `push` | | [`push`]: tokio, hyper |
//! | `exporter` | | [`exporter`], and with it `http` and `process`: clap, toml, tracing |
//! | `config` | | `Exporter::from_config`, and with it `exporter`: an HTTP client, rustls |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use narthex_core::*;
pub use narthex_format as format;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use narthex_format::testing;
pub use narthex_format::{Encoder, Format, write};
#[cfg(feature = "macros")]
pub use narthex_macros::{LabelValue, Labels, Metrics, count_errors, in_progress, timer};

#[cfg(feature = "exporter")]
pub use narthex_exporter as exporter;
#[cfg(feature = "host")]
pub use narthex_host as host;
#[cfg(feature = "http")]
pub use narthex_http as http;
#[cfg(feature = "http")]
pub use narthex_http::{MetricsLayer, MetricsService, Server};
#[cfg(feature = "metrics")]
pub use narthex_metrics as metrics;
#[cfg(feature = "process")]
pub use narthex_process as process;
#[cfg(feature = "push")]
pub use narthex_push as push;
#[cfg(feature = "push")]
pub use narthex_push::Pusher;

/// The README and the guides, whose code is compiled and run as documentation tests.
#[cfg(all(
    doctest,
    feature = "config",
    feature = "push",
    feature = "serde",
    feature = "testing",
    feature = "tls",
    feature = "tokio"
))]
mod guides {
    macro_rules! tested {
        ($($name:ident: $path:literal,)*) => {
            $(#[doc = include_str!(concat!("../../../", $path))] struct $name;)*
        };
    }

    tested! {
        Readme: "README.md",
        QuickStart: "docs/quick-start.md",
        InstrumentAService: "docs/instrument-a-service.md",
        WriteAnExporter: "docs/write-an-exporter.md",
        ExportersFromToml: "docs/exporters-from-toml.md",
        PushFromAJob: "docs/push-from-a-job.md",
        TlsAndAuth: "docs/tls-and-auth.md",
        TestYourMetrics: "docs/test-your-metrics.md",
        FromAioprometheus: "docs/from-aioprometheus.md",
        FromPrometheusAioexporter: "docs/from-prometheus-aioexporter.md",
        FromPrometheusExporter: "docs/from-prometheus_exporter.md",
    }
}

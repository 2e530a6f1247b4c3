//! Prometheus exposition formats, as functions of a [`Scrape`](narthex_model::Scrape).
//!
//! [`Format::negotiate`] picks a format from a request's `Accept` headers, [`Format::encode`] and
//! [`Format::write`] render one page. Who renders again and again keeps an [`Encoder`]: it streams
//! a page of any length through one buffer that it reuses.
//!
//! [`parse`](mod@parse) reads pages of every format back, [`lint`](mod@lint) finds what they should
//! say otherwise, and `testing` (a feature) has assertions for tests of your own metrics.
//!
//! ```
//! use narthex_format::Format;
//! use narthex_model::{MetricFamily, Scrape};
//!
//! let scrape = Scrape::new(vec![
//!     MetricFamily::counter("http_requests_total", "HTTP requests served.")
//!         .label_names(["method", "path"])
//!         .sample(["get", "/a"], 3u64)
//!         .build()?,
//! ]);
//! let mut page = Vec::new();
//! Format::TEXT.encode(&scrape, &mut page);
//! assert_eq!(
//!     String::from_utf8(page)?,
//!     [
//!         "# HELP http_requests_total HTTP requests served.\n",
//!         "# TYPE http_requests_total counter\n",
//!         "http_requests_total{method=\"get\",path=\"/a\"} 3\n",
//!     ]
//!     .concat()
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod blocks;
mod encoder;
mod family_type;
mod format;
mod json;
mod labels;
pub mod lint;
mod negotiate;
mod number;
mod output;
pub mod parse;
mod protobuf;
#[cfg(test)]
mod shared_tests;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod text;

pub use encoder::{Encoder, Page, write};
pub use format::{CreatedLines, Format, OpenMetricsVersion, TextVersion};
pub use narthex_model::Escaping;

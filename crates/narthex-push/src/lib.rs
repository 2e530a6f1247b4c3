//! Metrics of what does not live long enough to be scraped.
//!
//! - [`Pusher`] sends a scrape to a Pushgateway, or to any URL that takes a page of metrics.
//! - [`PeriodicPush`] does so again and again from a thread of its own, until the last state.
//! - [`BlockingPusher`] is for programs without a tokio runtime.
//! - [`Textfile`] writes a page for node_exporter's textfile collector.
//!
//! ```no_run
//! use narthex_core::{Gauge, Registry};
//! use narthex_push::Pusher;
//!
//! # async fn nightly() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new();
//! let saved = Gauge::builder("backup_saved_bytes", "Bytes saved.").register(&registry)?;
//! saved.set(1_500_000.0);
//! Pusher::new("http://gateway:9091", "nightly_backup")
//!     .grouping("instance", "db1")
//!     .push(&registry.gather())
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod blocking;
mod body;
mod client;
mod error;
mod exchange;
mod group;
mod periodic;
mod pusher;
mod retry;
mod target;
mod textfile;
#[cfg(feature = "tls")]
mod tls;

pub use blocking::BlockingPusher;
pub use error::{PushError, PushErrorKind};
pub use periodic::{PeriodicPush, PushTask};
pub use pusher::{Pushed, Pusher};
pub use textfile::{Textfile, TextfileError};
#[cfg(feature = "tls")]
pub use tls::ClientTls;

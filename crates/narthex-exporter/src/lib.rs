//! Build a Prometheus exporter in 25 lines: settings, logs, lifecycle.
//!
//! - [`main()`] is the `main` of an exporter; [`Exporter::run`] is for programs that have one.
//! - [`Settings`] reads options: flag > environment > dotenv > TOML > default. [`WebArgs`] are
//!   those that every exporter has.
//! - [`Exporter`] puts a registry and async [sources](Source) on a page.
//!
//! ```no_run
//! use std::path::PathBuf;
//!
//! use narthex_core::Registry;
//! use narthex_exporter::{BoxError, Exporter, ScrapeContext, Settings, Source, WebArgs};
//!
//! #[derive(clap::Parser)]
//! #[command(version, about)]
//! struct Cli {
//!     /// Sensor to read.
//!     #[arg(long)]
//!     device: PathBuf,
//!     #[command(flatten)]
//!     web: WebArgs,
//! }
//!
//! struct Sensor(PathBuf);
//!
//! impl Source for Sensor {
//!     async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
//!         let celsius: f64 = tokio::fs::read_to_string(&self.0).await?.trim().parse()?;
//!         scrape.gauge("temperature_celsius", "Temperature.").set(celsius);
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     // flag > THERMO_DEVICE > .env > TOML > default
//!     narthex_exporter::main(Settings::new("THERMO").default_port(9111), async |cli: Cli| {
//!         let registry = Registry::new();
//!         Ok(Exporter::new("thermo-exporter", registry, cli.web).source("sensor", Sensor(cli.device)))
//!     })
//! }
//! ```

#[cfg(feature = "config")]
mod config;
mod error;
mod exporter;
mod lifecycle;
mod logging;
mod reload;
mod run;
mod settings;
mod systemd;
mod web_args;

#[cfg(feature = "config")]
pub use config::{FileLabel, FileSources};
pub use error::ExporterError;
pub use exporter::Exporter;
pub use lifecycle::{ExporterHandle, StopSignal};
pub use logging::{LogFormat, LogLevel, LoggingError, init_logging};
pub use narthex_http::{BoxError, Cached, OnError, Readiness, ScrapeContext, Source};
pub use reload::Sources;
pub use run::{main, run};
pub use settings::{ConfigFile, Section, Settings, SettingsError};
pub use toml::Spanned;
pub use web_args::{ListenAddress, ListenAddressError, WebArgs, seconds};

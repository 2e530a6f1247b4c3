//! Logs: one line an event, on standard error.

mod format;

use std::fmt;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// The lowest level of messages to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Only what ends the program.
    Critical,
    /// Failures.
    Error,
    /// What may become a failure.
    #[value(alias = "warn")]
    Warning,
    /// What happens now and then.
    #[default]
    Info,
    /// What happens at each scrape.
    Debug,
    /// Everything.
    Trace,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Time, level, message and fields, for readers.
    #[default]
    Plain,
    /// One JSON object a line: `timestamp`, `level`, `event`, fields; errors with their causes.
    Json,
    /// `ts=... level=... msg=...` and fields, as Prometheus writes them.
    Logfmt,
}

/// The target of messages about the end of the program, which every level lets through.
pub(crate) const FATAL: &str = "narthex_exporter::fatal";

/// Sends the logs of the whole process to standard error.
///
/// ```no_run
/// use narthex_exporter::{LogFormat, LogLevel};
///
/// narthex_exporter::init_logging(LogLevel::Info, LogFormat::Json)?;
/// # Ok::<(), narthex_exporter::LoggingError>(())
/// ```
///
/// # Errors
/// Returns a [`LoggingError`] where logs go elsewhere already.
pub fn init_logging(level: LogLevel, format: LogFormat) -> Result<(), LoggingError> {
    tracing::subscriber::set_global_default(subscriber(level, format, std::io::stderr))
        .map_err(|_| LoggingError(()))
}

fn subscriber<W>(level: LogLevel, format: LogFormat, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .event_format(format)
        .fmt_fields(format)
        .with_writer(writer);
    let filter = match level {
        LogLevel::Critical => Targets::new().with_target(FATAL, LevelFilter::ERROR),
        LogLevel::Error => Targets::new().with_default(LevelFilter::ERROR),
        LogLevel::Warning => Targets::new().with_default(LevelFilter::WARN),
        LogLevel::Info => Targets::new().with_default(LevelFilter::INFO),
        LogLevel::Debug => Targets::new().with_default(LevelFilter::DEBUG),
        LogLevel::Trace => Targets::new().with_default(LevelFilter::TRACE),
    };
    tracing_subscriber::registry().with(filter).with(lines)
}

/// Logs were set up already in this process.
#[derive(Clone, Debug)]
pub struct LoggingError(());

impl fmt::Display for LoggingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("logs were set up already in this process")
    }
}

impl std::error::Error for LoggingError {}

#[cfg(test)]
mod tests;

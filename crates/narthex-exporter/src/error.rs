//! Why an exporter does not run.

use std::fmt;

use narthex_http::{BindError, BoxError, RouteError, SourceNameError};

use crate::lifecycle::StopSignal;

/// An exporter that could not start, or did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExporterError {
    /// An address cannot be listened on.
    Bind(BindError),
    /// A source has no name of its own.
    Source(SourceNameError),
    /// An endpoint has no path of its own.
    Route(RouteError),
    /// Signals cannot be listened to.
    Signals(std::io::Error),
    /// A startup hook failed; nothing was served.
    Startup(BoxError),
    /// A shutdown hook failed, after everything else had ended.
    Shutdown(BoxError),
    /// A second signal ended the exporter before it was done with shutting down.
    Interrupted(StopSignal),
}

impl ExporterError {
    /// The exit code for a process that ends with this: 128 and the signal's number where a signal
    /// interrupted it, as shells have it, and else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted(signal) => 128 + signal.number(),
            _ => 1,
        }
    }
}

impl fmt::Display for ExporterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Source(error) => error.fmt(f),
            Self::Route(error) => error.fmt(f),
            Self::Signals(_) => f.write_str("signals cannot be listened to"),
            Self::Startup(_) => f.write_str("a startup hook failed"),
            Self::Shutdown(_) => f.write_str("a shutdown hook failed"),
            Self::Interrupted(signal) => write!(f, "{signal} interrupted the shutdown"),
        }
    }
}

impl std::error::Error for ExporterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Startup(error) | Self::Shutdown(error) => Some(&**error),
            Self::Signals(error) => Some(error),
            // Their text is this error's own.
            Self::Bind(_) | Self::Source(_) | Self::Route(_) | Self::Interrupted(_) => None,
        }
    }
}

impl From<BindError> for ExporterError {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<SourceNameError> for ExporterError {
    fn from(error: SourceNameError) -> Self {
        Self::Source(error)
    }
}

impl From<RouteError> for ExporterError {
    fn from(error: RouteError) -> Self {
        Self::Route(error)
    }
}

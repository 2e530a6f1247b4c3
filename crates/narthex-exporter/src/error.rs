//! Why an exporter does not run.

use std::fmt;

use narthex_http::{BindError, BoxError, RouteError, SourceNameError, WebConfigError};

use crate::lifecycle::StopSignal;

/// An exporter that could not start, or did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExporterError {
    /// An address cannot be listened on.
    Bind(BindError),
    /// TLS or authentication cannot be had as they are configured.
    WebConfig(WebConfigError),
    /// systemd has handed over no socket to listen on.
    Systemd(std::io::Error),
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
    /// interrupted it, as shells have it, 2 where a setting is wrong, and else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted(signal) => 128 + signal.number(),
            Self::WebConfig(_) => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for ExporterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::WebConfig(error) => error.fmt(f),
            Self::Systemd(_) => f.write_str("the sockets of systemd cannot be used"),
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
            Self::Signals(error) | Self::Systemd(error) => Some(error),
            // Their text is this error's own.
            Self::Bind(_)
            | Self::WebConfig(_)
            | Self::Source(_)
            | Self::Route(_)
            | Self::Interrupted(_) => None,
        }
    }
}

impl From<BindError> for ExporterError {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<WebConfigError> for ExporterError {
    fn from(error: WebConfigError) -> Self {
        Self::WebConfig(error)
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

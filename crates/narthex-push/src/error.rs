//! The one error of pushing.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};

/// A push that failed.
///
/// The text names the request and says what went wrong; [`source`](Error::source) has the cause
/// beneath, if there is one. Credentials are in neither.
#[derive(Debug)]
pub struct PushError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    request: Option<Box<str>>,
    attempts: u32,
    fault: Fault,
}

/// What a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PushErrorKind {
    /// The pusher is set up in a way that cannot work. Nothing was sent.
    Settings,
    /// A gateway would refuse these metrics, or take them for others. Nothing was sent.
    Metrics,
    /// There is no thread or no tokio runtime to push from. Nothing was sent.
    Runtime,
    /// There is no connection, or no certificate that can be trusted. Nothing was sent.
    Connect,
    /// The connection broke before there was an answer: the push may have arrived or not.
    Exchange,
    /// The time for the whole push is over: it may have arrived or not.
    Timeout,
    /// The gateway sends elsewhere, and that is no place to push to. It did not take the push.
    Redirect,
    /// The gateway answered, but not that it took the push.
    Status,
}

#[derive(Debug)]
pub(crate) enum Fault {
    Settings(SettingsFault),
    Metrics(Box<str>),
    Runtime(Box<str>, Option<std::io::Error>),
    Connect(BoxError),
    Exchange(BoxError),
    Timeout { limit: Duration, last: Option<PushError> },
    Redirect(Box<str>),
    Status { status: StatusCode, body: Box<str>, retry_after: Option<Duration> },
}

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// What is wrong with the settings; kept until something is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct SettingsFault {
    message: Arc<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl SettingsFault {
    pub(crate) fn new(message: impl Into<Arc<str>>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(crate) fn because(
        message: impl Into<Arc<str>>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self { message: message.into(), source: Some(Arc::new(source)) }
    }
}

impl PushError {
    pub(crate) fn new(fault: Fault) -> Self {
        Self(Box::new(Inner { request: None, attempts: 0, fault }))
    }

    pub(crate) fn settings(message: impl Into<Arc<str>>) -> Self {
        Self::new(Fault::Settings(SettingsFault::new(message)))
    }

    /// Says what was asked of whom.
    pub(crate) fn at(mut self, method: &Method, url: &impl fmt::Display, attempts: u32) -> Self {
        self.0.request = Some(format!("{method} {url}").into());
        self.0.attempts = attempts;
        self
    }

    /// What went wrong, as far as one can act on it.
    pub fn kind(&self) -> PushErrorKind {
        match &self.0.fault {
            Fault::Settings(_) => PushErrorKind::Settings,
            Fault::Metrics(_) => PushErrorKind::Metrics,
            Fault::Runtime(..) => PushErrorKind::Runtime,
            Fault::Connect(_) => PushErrorKind::Connect,
            Fault::Exchange(_) => PushErrorKind::Exchange,
            Fault::Timeout { .. } => PushErrorKind::Timeout,
            Fault::Redirect(_) => PushErrorKind::Redirect,
            Fault::Status { .. } => PushErrorKind::Status,
        }
    }

    /// The status of the answer that refused the push.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.0.fault {
            Fault::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The beginning of the body of that answer, up to 4 KiB, in which a Pushgateway says why.
    pub fn body(&self) -> Option<&str> {
        match &self.0.fault {
            Fault::Status { body, .. } => Some(body),
            _ => None,
        }
    }

    /// How long that answer asks to wait, in its header `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.fault {
            Fault::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// How often it was tried.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(request) = &self.0.request {
            write!(f, "`{request}`: ")?;
        }
        match &self.0.fault {
            Fault::Settings(fault) => f.write_str(&fault.message),
            Fault::Metrics(message) | Fault::Redirect(message) | Fault::Runtime(message, _) => {
                f.write_str(message)
            }
            Fault::Connect(_) => f.write_str("cannot connect"),
            Fault::Exchange(_) => f.write_str("the connection broke before there was an answer"),
            Fault::Timeout { limit, .. } => {
                write!(f, "not done within {} s", limit.as_secs_f64())
            }
            Fault::Status { status, body, .. } => {
                write!(f, "the answer is {status}")?;
                let line = body.trim();
                let shown: String = line.chars().take(MOST_SHOWN).collect();
                let more = if shown.len() < line.len() { "…" } else { "" };
                if !shown.is_empty() {
                    write!(f, ": {}{more}", OneLine(&shown))?;
                }
                Ok(())
            }
        }?;
        if self.0.attempts > 1 {
            write!(f, " (tried {} times)", self.0.attempts)?;
        }
        Ok(())
    }
}

/// So many characters of a body are part of the text.
const MOST_SHOWN: usize = 500;

/// Text of a stranger, which may not break lines or speak to a terminal.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

impl Error for PushError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.fault {
            Fault::Settings(fault) => fault.source.as_deref().map(|source| source as _),
            Fault::Runtime(_, source) => source.as_ref().map(|source| source as _),
            Fault::Connect(source) | Fault::Exchange(source) => Some(source.as_ref()),
            Fault::Timeout { last, .. } => last.as_ref().map(|last| last as _),
            Fault::Metrics(_) | Fault::Redirect(_) | Fault::Status { .. } => None,
        }
    }
}

/// An error with its causes, on one line of a log.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    text
}

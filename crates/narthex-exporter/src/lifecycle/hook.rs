//! Async functions of the author's that run once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use narthex_http::BoxError;
use tokio::task::JoinSet;

use super::ExporterHandle;

type Outcome = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A function that runs once.
pub(crate) struct Hook(Box<dyn FnOnce(ExporterHandle) -> Outcome + Send>);

impl Hook {
    pub(crate) fn new<F, Fut>(hook: F) -> Self
    where
        F: FnOnce(ExporterHandle) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self(Box::new(move |handle| Box::pin(hook(handle))))
    }

    /// Runs the hook; dropping the future ends it at its next `.await`.
    ///
    /// It runs in a task of its own, so that a panic is an error like any other.
    pub(crate) async fn run(self, handle: ExporterHandle) -> Result<(), BoxError> {
        let mut task = JoinSet::new();
        task.spawn(async move { (self.0)(handle).await });
        match task.join_next().await.expect("the set has one task") {
            Ok(outcome) => outcome,
            Err(error) => Err(match error.try_into_panic() {
                Ok(panic) => Panicked(panic_message(&*panic).to_owned()).into(),
                Err(error) => error.into(),
            }),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}

/// A panic as an error.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

/// What a panic said, where it said something.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

//! Pushing without a runtime.

use std::fmt;

use narthex_model::Scrape;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Fault, PushError};
use crate::pusher::{Pushed, Pusher};

/// A [`Pusher`] for programs without a tokio runtime; it has a small one of its own.
///
/// ```no_run
/// use narthex_core::{Gauge, Registry};
/// use narthex_push::Pusher;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let registry = Registry::new();
///     Gauge::builder("backup_saved_bytes", "Bytes saved.").register(&registry)?.set(1_500_000.0);
///     Pusher::new("http://gateway:9091", "nightly_backup").blocking()?.push(&registry.gather())?;
///     Ok(())
/// }
/// ```
pub struct BlockingPusher {
    pusher: Pusher,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Pusher {
    /// This pusher for threads that no tokio runtime owns.
    ///
    /// # Errors
    ///
    /// Fails where the system refuses what a runtime needs.
    pub fn blocking(self) -> Result<BlockingPusher, PushError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            PushError::new(Fault::Runtime("no runtime can be made".into(), Some(error)))
        })?;
        Ok(BlockingPusher { pusher: self, runtime: Some(runtime) })
    }
}

impl BlockingPusher {
    /// As [`Pusher::push`].
    ///
    /// # Errors
    ///
    /// As [`Pusher::push`], and where it is called from inside a tokio runtime, which it would
    /// block.
    pub fn push(&self, scrape: &Scrape) -> Result<Pushed, PushError> {
        self.run(self.pusher.push(scrape))
    }

    /// As [`Pusher::add`].
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn add(&self, scrape: &Scrape) -> Result<Pushed, PushError> {
        self.run(self.pusher.add(scrape))
    }

    /// As [`Pusher::delete`].
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn delete(&self) -> Result<Pushed, PushError> {
        self.run(self.pusher.delete())
    }

    fn run(
        &self,
        push: impl Future<Output = Result<Pushed, PushError>>,
    ) -> Result<Pushed, PushError> {
        if Handle::try_current().is_ok() {
            let message = "a blocking pusher would block the tokio runtime here; await a `Pusher`";
            return Err(PushError::new(Fault::Runtime(message.into(), None)));
        }
        self.runtime.as_ref().expect("it is there until the pusher is dropped").block_on(push)
    }
}

impl Drop for BlockingPusher {
    fn drop(&mut self) {
        // A name that is still being looked up keeps nobody waiting, and a pusher may be dropped
        // where nothing may block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for BlockingPusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockingPusher").field(&self.pusher).finish()
    }
}

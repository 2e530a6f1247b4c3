//! Pushing again and again, away from the application.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use narthex_core::{Counter, Gauge, RegisterError, Registry};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tracing::dispatcher;

use crate::error::{Fault, PushError, PushErrorKind, SettingsFault, chain};
use crate::pusher::{Pushed, Pusher};
use crate::retry::backoff;

/// How to push a registry again and again.
///
/// ```no_run
/// use std::time::Duration;
///
/// use narthex_core::Registry;
/// use narthex_push::Pusher;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let registry = Registry::new();
///     let pusher = Pusher::new("http://gateway:9091", "import").grouping("instance", "db1");
///     let task = pusher.every(Duration::from_secs(15)).start(&registry)?;
///     // ... the work, with metrics in the registry ...
///     task.shutdown_blocking()?; // pushes what is there at the end
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct PeriodicPush {
    pusher: Pusher,
    interval: Duration,
    how: How,
    at_shutdown: AtShutdown,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Push,
    Add,
}

#[derive(Clone, Copy, Debug)]
enum AtShutdown {
    Push,
    Delete,
}

impl Pusher {
    /// Describes pushes every `interval`, the first at once.
    pub fn every(self, interval: Duration) -> PeriodicPush {
        PeriodicPush { pusher: self, interval, how: How::Push, at_shutdown: AtShutdown::Push }
    }
}

impl PeriodicPush {
    /// [Adds](Pusher::add) instead of replacing all metrics of the group.
    #[must_use]
    pub fn add(mut self) -> Self {
        self.how = How::Add;
        self
    }

    /// Deletes the group at shutdown, in place of the final push.
    #[must_use]
    pub fn delete_at_shutdown(mut self) -> Self {
        self.at_shutdown = AtShutdown::Delete;
        self
    }

    /// Starts to push what `registry` gathers, from a thread of its own: neither gathering nor a
    /// slow gateway takes time from the application, inside a tokio runtime or without one.
    ///
    /// After a push that failed for a moment the next one comes sooner than the interval, within
    /// 5 s; pushes never overlap, and each has the values of its own moment. The registry gets
    /// metrics of the pushes: `narthex_pushes_total`, `narthex_push_failures_total` and
    /// `narthex_push_last_success_timestamp_seconds`. When pushes begin to fail, fail for another
    /// reason, or work again, that is logged once.
    ///
    /// # Errors
    ///
    /// Fails where the settings of the pusher cannot work, where the registry has such metrics
    /// already, and where the system refuses a thread. A gateway that cannot be reached is no
    /// error: it may come.
    pub fn start(self, registry: &Registry) -> Result<PushTask, PushError> {
        self.pusher.check()?;
        if self.interval.is_zero() {
            return Err(PushError::settings("the interval between pushes is 0"));
        }
        let metrics = PushMetrics::register(registry).map_err(|error| {
            let message = "the metrics of the pushes cannot be registered";
            PushError::new(Fault::Settings(SettingsFault::because(message, error)))
        })?;
        let refused = |error| {
            let message = "no thread can be made to push from".into();
            PushError::new(Fault::Runtime(message, Some(error)))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(refused)?;
        let (stop, stopped) = oneshot::channel();
        let (tell_end, end) = oneshot::channel();
        let work = Work { how: self, registry: registry.clone(), metrics, last: Last::Unknown };
        // What is logged goes where the starter's logs go.
        let log = dispatcher::get_default(Clone::clone);
        let body = move || {
            dispatcher::with_default(&log, || {
                let outcome = runtime.block_on(work.run(stopped));
                // A name that is still being looked up keeps nobody waiting.
                runtime.shutdown_background();
                // Whoever dropped the task does not want to know.
                let _ = tell_end.send(outcome);
            });
        };
        thread::Builder::new().name("narthex-push".into()).spawn(body).map_err(refused)?;
        Ok(PushTask { stop, end })
    }
}

/// Pushes that go on until they are shut down.
///
/// Dropping it ends them without a final push, for that would block; a push that is under way is
/// given up.
#[derive(Debug)]
#[must_use = "dropping it ends the pushes"]
pub struct PushTask {
    stop: oneshot::Sender<()>,
    end: oneshot::Receiver<Outcome>,
}

type Outcome = Result<Pushed, PushError>;

impl PushTask {
    /// Pushes the last state, or deletes the group if that was asked for, and ends.
    ///
    /// A push that is under way ends first, so that an older state cannot arrive after the last;
    /// altogether this takes up to twice the [timeout](Pusher::timeout) of the pusher.
    ///
    /// # Errors
    ///
    /// Fails where the final push or deletion does.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is polled, it ends the pushes as dropping the task does. After that the
    /// final push goes on, and nobody is told how it went.
    pub async fn shutdown(self) -> Result<Pushed, PushError> {
        let _ = self.stop.send(());
        self.end.await.unwrap_or_else(|_| Err(died()))
    }

    /// As [`shutdown`](Self::shutdown), for threads that no tokio runtime owns.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown), and where it is called from inside a tokio runtime, which
    /// it would block; there is no final push then.
    pub fn shutdown_blocking(self) -> Result<Pushed, PushError> {
        if tokio::runtime::Handle::try_current().is_ok() {
            let message = "this would block the tokio runtime here; await `shutdown`";
            return Err(PushError::new(Fault::Runtime(message.into(), None)));
        }
        let _ = self.stop.send(());
        self.end.blocking_recv().unwrap_or_else(|_| Err(died()))
    }
}

fn died() -> PushError {
    PushError::new(Fault::Runtime("the thread that pushed has died".into(), None))
}

/// What the thread does.
struct Work {
    how: PeriodicPush,
    registry: Registry,
    metrics: PushMetrics,
    last: Last,
}

/// How the last push ended, as far as a change of it is news.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Unknown,
    Success,
    Failure(PushErrorKind, Option<StatusCode>),
}

impl Work {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Outcome {
        let end = self.push_until(&mut stopped).await;
        let outcome = match (end, self.how.at_shutdown) {
            (End::Dropped, _) => Err(died()),
            (End::Shutdown, AtShutdown::Push) => self.push().await,
            (End::Shutdown, AtShutdown::Delete) => self.how.pusher.delete().await,
        };
        self.metrics.unregister(&self.registry);
        outcome
    }

    async fn push_until(&mut self, stopped: &mut oneshot::Receiver<()>) -> End {
        let mut failures = 0;
        loop {
            let start = Instant::now();
            let outcome = match self.push_unless_dropped(stopped).await {
                Ok(outcome) => outcome,
                Err(end) => return end,
            };
            failures = if outcome.is_ok() { 0 } else { failures + 1 };
            let interval = self.how.interval;
            let next = match outcome {
                Err(error) if is_passing(&error) => {
                    Instant::now() + backoff(failures).min(interval)
                }
                _ => start + interval,
            };
            tokio::select! {
                () = sleep_until(next) => {}
                end = &mut *stopped => return End::from(end),
            }
        }
    }

    /// Pushes once. A shutdown waits for the push, a drop does not.
    async fn push_unless_dropped(
        &mut self,
        stopped: &mut oneshot::Receiver<()>,
    ) -> Result<Outcome, End> {
        let pushing = self.push();
        tokio::pin!(pushing);
        tokio::select! {
            outcome = &mut pushing => Ok(outcome),
            end = stopped => {
                let end = End::from(end);
                if matches!(end, End::Shutdown) {
                    let _ = pushing.await;
                }
                Err(end)
            }
        }
    }

    /// Pushes what there is now, and takes note of how that goes.
    async fn push(&mut self) -> Outcome {
        let registry = &self.registry;
        let scrape = catch_unwind(AssertUnwindSafe(|| registry.gather()));
        let outcome = match (scrape, self.how.how) {
            (Ok(scrape), How::Push) => self.how.pusher.push(&scrape).await,
            (Ok(scrape), How::Add) => self.how.pusher.add(&scrape).await,
            (Err(_), _) => {
                Err(PushError::new(Fault::Metrics("gathering the metrics has panicked".into())))
            }
        };
        self.note(&outcome);
        outcome
    }

    fn note(&mut self, outcome: &Outcome) {
        self.metrics.count(outcome.is_ok());
        let now = match outcome {
            Ok(_) => Last::Success,
            Err(error) => Last::Failure(error.kind(), error.status()),
        };
        let before = std::mem::replace(&mut self.last, now);
        match outcome {
            _ if now == before => {}
            Ok(_) if before == Last::Unknown => {}
            Ok(_) => tracing::info!("pushes arrive again"),
            Err(error) => tracing::warn!(error = %chain(error), "a push failed"),
        }
    }
}

/// Why the pushes end.
enum End {
    Shutdown,
    Dropped,
}

impl From<Result<(), oneshot::error::RecvError>> for End {
    fn from(signal: Result<(), oneshot::error::RecvError>) -> Self {
        if signal.is_ok() { Self::Shutdown } else { Self::Dropped }
    }
}

/// Whether the same push may work a moment later. What a gateway refuses it refuses again.
fn is_passing(error: &PushError) -> bool {
    match error.kind() {
        PushErrorKind::Connect | PushErrorKind::Exchange | PushErrorKind::Timeout => true,
        PushErrorKind::Status => !error.status().is_some_and(|status| status.is_client_error()),
        _ => false,
    }
}

/// What a task says about its pushes.
struct PushMetrics {
    pushes: Counter,
    failures: Counter,
    last_success: Gauge,
}

impl PushMetrics {
    fn register(registry: &Registry) -> Result<Self, RegisterError> {
        registry.transaction(|registry| {
            Ok(Self {
                pushes: Counter::builder(
                    "narthex_pushes_total",
                    "Pushes, those that failed included.",
                )
                .register(registry)?,
                failures: Counter::builder(
                    "narthex_push_failures_total",
                    "Pushes that failed, after the retries of each.",
                )
                .register(registry)?,
                last_success: Gauge::builder(
                    "narthex_push_last_success_timestamp_seconds",
                    "When a push last arrived; 0 before the first.",
                )
                .register(registry)?,
            })
        })
    }

    fn count(&self, success: bool) {
        self.pushes.inc();
        if success {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            self.last_success.set(now.unwrap_or_default().as_secs_f64());
        } else {
            self.failures.inc();
        }
    }

    fn unregister(&self, registry: &Registry) {
        registry.unregister(&self.pushes);
        registry.unregister(&self.failures);
        registry.unregister(&self.last_success);
    }
}

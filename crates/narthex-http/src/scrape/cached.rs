//! Sources whose data is kept: fetched now and then, and shown many times.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narthex_model::MetricFamily;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::context::ScrapeContext;
use super::health::Failure;
use super::run::{Report, Runs, Slot, Work};
use super::source::{BoxError, IntoSource, Source};

/// A source whose data is fetched less often than it is scraped.
///
/// - [`new`](Self::new) keeps the data for a time: the first scrape after it asks the source, and
///   those that come meanwhile wait for the same answer.
/// - [`background`](Self::background) asks the source at an interval of its own, whether anybody
///   scrapes or not; a page shows what the last complete run gave.
///
/// With [`stale`](Self::stale), data stands in for a run that failed, up to an age. How old the
/// data on a page is shows as `narthex_source_age_seconds{source}`, and that the last run failed
/// as `narthex_source_success{source}` 0.
///
/// The data is kept whole: what a scrape filters out is there for the next one.
///
/// ```
/// use std::time::Duration;
///
/// use narthex_http::{Cached, ScrapeContext, ScrapeEngine};
///
/// let disks = |scrape: ScrapeContext| async move {
///     scrape.gauge("disks_healthy", "Disks whose self-test passed.").set(4_u64);
/// };
/// let cached = Cached::new(disks, Duration::from_secs(60)).stale(Duration::from_secs(600));
/// let engine = ScrapeEngine::builder(narthex_core::Registry::new())
///     .source("disks", cached)
///     .build()?;
/// # drop(engine);
/// # Ok::<(), narthex_http::SourceNameError>(())
/// ```
///
/// # Cancel safety
/// A scrape that is given up leaves the run to the others and to the cache; the run ends by the
/// deadline of the scrape that began it. A background run ends with the engine.
///
/// # Panics
/// A background source must be scraped within the tokio runtime in which it is to run.
pub struct Cached {
    cache: Arc<Cache>,
}

/// The run of a scrape ends so much before the scrape does, or half-way where there is little
/// time: what is stale can still be shown then.
const MARGIN: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Data is good for so long.
    Ttl(Duration),
    /// The source is asked this often.
    Background(Duration),
}

struct Cache {
    slot: Arc<Slot>,
    mode: Mode,
    stale: Option<Duration>,
    state: Mutex<State>,
    /// Changes when a run has ended.
    ended: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    last: Option<Complete>,
    /// Why the last run failed, if it did.
    failed: Option<Failure>,
    under_way: bool,
    background: Option<AbortHandle>,
}

/// What a run gave.
#[derive(Clone)]
struct Complete {
    families: Vec<MetricFamily>,
    took: Duration,
    at: Instant,
}

/// What a page shows of a cached source.
pub(super) struct Kept {
    pub(super) families: Vec<MetricFamily>,
    pub(super) standing: Keeping,
}

/// How the data that is shown came about.
pub(super) struct Keeping {
    pub(super) age: Duration,
    pub(super) took: Duration,
    /// Why it is not newer.
    pub(super) failure: Option<Failure>,
}

impl Cached {
    /// Keeps the data of `source` for `ttl`.
    pub fn new<M>(source: impl IntoSource<M>, ttl: Duration) -> Self {
        Self::with(source, Mode::Ttl(ttl))
    }

    /// Asks `source` every `interval`, beginning with the first scrape or the start of the
    /// exporter.
    ///
    /// A run may take as long as the interval, and the next one begins no earlier than it ends.
    pub fn background<M>(source: impl IntoSource<M>, interval: Duration) -> Self {
        // A timer cannot have less.
        Self::with(source, Mode::Background(interval.max(Duration::from_millis(1))))
    }

    /// Shows the last complete data where a run fails, until it is this old; by default it is not
    /// shown then.
    #[must_use]
    pub fn stale(self, max_age: Duration) -> Self {
        let Cache { slot, mode, .. } = &*self.cache;
        Self { cache: Arc::new(Cache::new(slot.clone(), *mode, Some(max_age))) }
    }

    fn with<M>(source: impl IntoSource<M>, mode: Mode) -> Self {
        let slot = Slot::new(String::new(), Work::source(source.into_source()));
        Self { cache: Arc::new(Cache::new(Arc::new(slot), mode, None)) }
    }
}

impl Source for Cached {
    async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
        let kept = self.cache.kept(scrape.deadline()).await;
        scrape.keep(kept);
        Ok(())
    }

    fn start(&self) {
        self.cache.start_background();
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("mode", &self.cache.mode)
            .field("stale", &self.cache.stale)
            .finish_non_exhaustive()
    }
}

impl Drop for Cached {
    fn drop(&mut self) {
        if let Some(task) = self.cache.state().background.take() {
            task.abort();
        }
    }
}

impl Cache {
    fn new(slot: Arc<Slot>, mode: Mode, stale: Option<Duration>) -> Self {
        let (ended, _) = watch::channel(());
        Self { slot, mode, stale, state: Mutex::default(), ended }
    }

    /// What there is to show for a scrape with this deadline.
    async fn kept(self: &Arc<Self>, deadline: Instant) -> Result<Kept, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let deadline = deadline - MARGIN.min(left / 2);
        self.start_background();
        let mut ended = self.ended.subscribe();
        {
            let mut state = self.state();
            match self.mode {
                Mode::Ttl(ttl) => {
                    if let Some(last) = state.last.as_ref().filter(|last| last.at.elapsed() < ttl) {
                        return Ok(last.keep(None));
                    }
                    if !state.under_way {
                        state.under_way = true;
                        tokio::spawn(self.clone().run(deadline));
                    }
                }
                Mode::Background(_) => {
                    if state.last.is_some() || state.failed.is_some() {
                        return self.shown(&state, None);
                    }
                }
            }
        }
        let late = timeout_at(deadline, ended.changed()).await.is_err();
        let late = late.then(Failure::deadline);
        self.shown(&self.state(), late)
    }

    /// The last data, fresh unless the last run failed or is `late`.
    fn shown(&self, state: &State, late: Option<Failure>) -> Result<Kept, Failure> {
        let failure = late.or_else(|| state.failed.clone());
        let last = state.last.as_ref();
        match (last, failure) {
            (Some(last), None) => Ok(last.keep(None)),
            (Some(last), Some(failure))
                if self.stale.is_some_and(|max| last.at.elapsed() <= max) =>
            {
                Ok(last.keep(Some(failure)))
            }
            (_, Some(failure)) => Err(failure),
            // A run has ended, so that there is one or the other.
            (None, None) => Err(Failure::deadline()),
        }
    }

    /// One run, the outcome of which is kept.
    async fn run(self: Arc<Self>, deadline: Instant) {
        let mut reports = Runs::start(std::slice::from_ref(&self.slot), deadline).reports().await;
        let Report { outcome, duration: took } = reports.pop().expect("one report a slot");
        let mut state = self.state();
        state.under_way = false;
        match outcome {
            Ok(yielded) => {
                let at = Instant::now();
                state.last = Some(Complete { families: yielded.families, took, at });
                state.failed = None;
            }
            Err(failure) => state.failed = Some(failure),
        }
        drop(state);
        self.ended.send_replace(());
    }

    fn start_background(self: &Arc<Self>) {
        let Mode::Background(every) = self.mode else { return };
        let mut state = self.state();
        if state.background.is_some() {
            return;
        }
        let cache = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(cache) = cache.upgrade() else { return };
                cache.run(Instant::now() + every).await;
            }
        });
        state.background = Some(task.abort_handle());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under this lock, so a poisoned one still guards whole data.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Complete {
    fn keep(&self, failure: Option<Failure>) -> Kept {
        let (age, took) = (self.at.elapsed(), self.took);
        // Cloning a family clones a few pointers.
        Kept { families: self.families.clone(), standing: Keeping { age, took, failure } }
    }
}

//! Guards: what they measure ends when they are dropped.
//!
//! A guard is dropped on every way out of its scope: at the end, on `return`, on `?`, when a panic
//! unwinds, and when a future that holds it is dropped at an `.await`.

mod to_handle;

use std::time::{Duration, Instant};

pub use to_handle::ToHandle;

use crate::instrument::{Child, Counter, Gauge, Histogram, Summary};

/// Measures a time and records it, in seconds, when it is dropped.
///
/// A histogram or summary observes the time; a gauge is set to it.
///
/// ```
/// # use narthex_core::{Histogram, Registry};
/// # let latency = Histogram::builder("query_seconds", "Query time.").register(&Registry::new())?;
/// let timer = latency.start_timer();
/// let elapsed = timer.stop();
/// assert_eq!(latency.sum(), elapsed.as_secs_f64());
///
/// latency.start_timer().discard();
/// assert_eq!(latency.count(), 1);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[must_use = "it measures until it is dropped"]
#[derive(Debug)]
pub struct Timer<I: RecordDuration = Histogram> {
    /// `None` once it was stopped or discarded.
    instrument: Option<I>,
    start: Instant,
}

impl<I: RecordDuration> Timer<I> {
    /// Starts now; the same as `instrument.start_timer()`.
    #[inline]
    pub fn start(instrument: &(impl ToHandle<Handle = I> + ?Sized)) -> Self {
        Self::of(instrument.to_handle())
    }

    #[inline]
    pub(crate) fn of(instrument: I) -> Self {
        Self { instrument: Some(instrument), start: Instant::now() }
    }

    /// Records the time now, and gives it.
    pub fn stop(mut self) -> Duration {
        let elapsed = self.start.elapsed();
        if let Some(instrument) = self.instrument.take() {
            instrument.record_duration(elapsed);
        }
        elapsed
    }

    /// Ends without recording anything.
    pub fn discard(mut self) {
        self.instrument = None;
    }
}

impl<I: RecordDuration> Drop for Timer<I> {
    fn drop(&mut self) {
        if let Some(instrument) = &self.instrument {
            instrument.record_duration(self.start.elapsed());
        }
    }
}

/// Something in progress, counted by a gauge until this guard is dropped.
///
/// ```
/// # use narthex_core::{Gauge, Registry};
/// # let busy = Gauge::builder("busy", "Jobs at work.").register(&Registry::new())?;
/// {
///     let _job = busy.track_in_progress();
///     assert_eq!(busy.value(), 1.0);
/// }
/// assert_eq!(busy.value(), 0.0);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[must_use = "what it tracks ends when it is dropped"]
#[derive(Debug)]
pub struct InProgress<I: TrackProgress = Gauge>(I);

impl<I: TrackProgress> InProgress<I> {
    /// Adds one until this guard is dropped; the same as `gauge.track_in_progress()`.
    #[inline]
    pub fn start(gauge: &(impl ToHandle<Handle = I> + ?Sized)) -> Self {
        Self::of(gauge.to_handle())
    }

    #[inline]
    pub(crate) fn of(gauge: I) -> Self {
        gauge.begin();
        Self(gauge)
    }
}

impl<I: TrackProgress> Drop for InProgress<I> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An attempt that a counter counts as failed when it is dropped, unless it
/// [succeeded](Self::succeed).
///
/// ```
/// # use narthex_core::{Counter, Registry};
/// # let failures = Counter::builder("failures_total", "Failures.").register(&Registry::new())?;
/// # let parse = |text: &str| -> Result<u16, std::num::ParseIntError> {
/// let attempt = failures.attempt();
/// let number = text.parse()?;
/// attempt.succeed();
/// Ok(number)
/// # };
/// # assert!(parse("80").is_ok() && parse("http").is_err());
/// # assert_eq!(failures.value(), 1.0);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
///
/// A future that is dropped before it completes counts as failed too. To count errors alone, end
/// with [`finish`](Self::finish).
#[must_use = "it counts as failed when it is dropped"]
#[derive(Debug)]
pub struct Attempt<I: CountFailure = Counter> {
    /// `None` once it succeeded.
    counter: Option<I>,
}

impl<I: CountFailure> Attempt<I> {
    /// Begins an attempt; the same as `counter.attempt()`.
    #[inline]
    pub fn start(counter: &(impl ToHandle<Handle = I> + ?Sized)) -> Self {
        Self::of(counter.to_handle())
    }

    #[inline]
    pub(crate) fn of(counter: I) -> Self {
        Self { counter: Some(counter) }
    }

    /// Ends without counting.
    pub fn succeed(mut self) {
        self.counter = None;
    }

    /// Ends as `result` says: an error counts as failed.
    pub fn finish<T, E>(self, result: &Result<T, E>) {
        self.finish_if(result, |_| true);
    }

    /// Ends as `result` says: an error counts as failed if `counts` holds for it.
    ///
    /// ```
    /// # use narthex_core::{Counter, Registry};
    /// # let failures = Counter::builder("f_total", "Failures.").register(&Registry::new())?;
    /// let missing = std::fs::read("/no/such/file");
    /// failures.attempt().finish_if(&missing, |error| error.kind() != std::io::ErrorKind::NotFound);
    /// assert_eq!(failures.value(), 0.0);
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn finish_if<T, E>(self, result: &Result<T, E>, counts: impl FnOnce(&E) -> bool) {
        match result {
            Err(error) if counts(error) => drop(self),
            _ => self.succeed(),
        }
    }
}

impl<I: CountFailure> Drop for Attempt<I> {
    fn drop(&mut self) {
        if let Some(counter) = &self.counter {
            counter.count_failure();
        }
    }
}

/// What a [`Timer`] can write to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot record a duration",
    note = "a duration is recorded by a `Histogram`, a `Summary` or a `Gauge`"
)]
pub trait RecordDuration {
    /// Records a duration in seconds.
    fn record_duration(&self, duration: Duration);
}

/// What [`InProgress`] can count in.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot track what is in progress",
    note = "what is in progress is tracked by a `Gauge`"
)]
pub trait TrackProgress {
    /// Counts one more.
    fn begin(&self);

    /// Counts one less.
    fn end(&self);
}

/// What an [`Attempt`] can count in.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot count failures",
    note = "failures are counted by a `Counter`"
)]
pub trait CountFailure {
    /// Counts one.
    fn count_failure(&self);
}

impl RecordDuration for Histogram {
    #[inline]
    fn record_duration(&self, duration: Duration) {
        self.observe_duration(duration);
    }
}

impl RecordDuration for Child<'_, Histogram> {
    #[inline]
    fn record_duration(&self, duration: Duration) {
        self.observe_duration(duration);
    }
}

impl RecordDuration for Summary {
    #[inline]
    fn record_duration(&self, duration: Duration) {
        self.observe_duration(duration);
    }
}

impl RecordDuration for Child<'_, Summary> {
    #[inline]
    fn record_duration(&self, duration: Duration) {
        self.observe_duration(duration);
    }
}

impl RecordDuration for Gauge {
    #[inline]
    fn record_duration(&self, duration: Duration) {
        self.set(duration.as_secs_f64());
    }
}

impl RecordDuration for Child<'_, Gauge> {
    #[inline]
    fn record_duration(&self, duration: Duration) {
        self.set(duration.as_secs_f64());
    }
}

impl TrackProgress for Gauge {
    #[inline]
    fn begin(&self) {
        self.inc();
    }

    #[inline]
    fn end(&self) {
        self.dec();
    }
}

impl TrackProgress for Child<'_, Gauge> {
    #[inline]
    fn begin(&self) {
        self.inc();
    }

    #[inline]
    fn end(&self) {
        self.dec();
    }
}

impl CountFailure for Counter {
    #[inline]
    fn count_failure(&self) {
        self.inc();
    }
}

impl CountFailure for Child<'_, Counter> {
    #[inline]
    fn count_failure(&self) {
        self.inc();
    }
}

//! Histograms: observations counted in buckets.

mod search;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use narthex_model::{Bounds, Column, HistogramColumn, Metadata, MetricFamily, MetricType, Series};

use super::{Child, Metric, OwnedSeries, Refused, SeriesShared, add_f64, sealed};
use crate::buckets::Buckets;
use crate::builder::Builder;
use crate::error::Fault;
use crate::registry::Source;
use crate::storage::Snapshot;
use crate::storage::halves::{Halves, Totals};
use search::Search;

/// Observations such as durations or sizes, counted in buckets.
///
/// The `+Inf` bucket equals `_count` in every scrape. Cloning gives another handle to the same
/// histogram. Observing takes no lock, and threads that observe at once do not slow each other
/// down.
///
/// ```
/// use narthex_core::{Histogram, Registry};
///
/// let registry = Registry::new();
/// let latency = Histogram::builder("query_seconds", "Query time.")
///     .buckets([0.01, 0.1, 1.0])
///     .register(&registry)?;
/// latency.observe(0.05);
/// let timer = latency.start_timer();
/// drop(timer);
/// assert_eq!(latency.count(), 2);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Histogram(Kind);

#[derive(Clone)]
enum Kind {
    Alone(Arc<Alone>),
    Series(OwnedSeries<Histogram>),
}

impl Histogram {
    /// Starts a histogram with the default buckets, 5 ms to 10 s; `help` says what it observes.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Counts one observation.
    ///
    /// NaN is refused: it changes nothing and is counted in `narthex_refused_values_total`.
    #[inline(always)]
    pub fn observe(&self, value: f64) {
        match &self.0 {
            Kind::Alone(alone) => alone.observe(value),
            Kind::Series(series) => {
                observe_shared(&series.shared, series.values(), value);
            }
        }
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Starts a timer that observes the seconds until it is dropped.
    #[inline]
    pub fn start_timer(&self) -> Timer {
        Timer { histogram: Some(self.clone()), start: Instant::now() }
    }

    /// The number of observations so far.
    pub fn count(&self) -> u64 {
        self.totals().count()
    }

    /// The sum of all observed values so far.
    pub fn sum(&self) -> f64 {
        self.totals().sum
    }

    fn totals(&self) -> Totals {
        match &self.0 {
            Kind::Alone(alone) => alone.halves.snapshot(),
            Kind::Series(series) => totals_of_record(series.values()),
        }
    }
}

impl Child<'_, Histogram> {
    /// Counts one observation; see [`Histogram::observe`].
    #[inline(always)]
    pub fn observe(self, value: f64) {
        observe_shared(self.shared, self.values(), value);
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// The number of observations so far.
    pub fn count(self) -> u64 {
        totals_of_record(self.values()).count()
    }

    /// The sum of all observed values so far.
    pub fn sum(self) -> f64 {
        totals_of_record(self.values()).sum
    }
}

/// Measures a time and observes it, in seconds, when it is dropped: on return, `?`, panic or when
/// its future is cancelled.
#[must_use = "it measures until it is dropped"]
#[derive(Debug)]
pub struct Timer {
    /// None once it was discarded.
    histogram: Option<Histogram>,
    start: Instant,
}

impl Timer {
    /// Observes now, and gives what was measured.
    pub fn stop(mut self) -> Duration {
        let elapsed = self.start.elapsed();
        if let Some(histogram) = self.histogram.take() {
            histogram.observe_duration(elapsed);
        }
        elapsed
    }

    /// Ends without observing.
    pub fn discard(mut self) {
        self.histogram = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(histogram) = &self.histogram {
            histogram.observe_duration(self.start.elapsed());
        }
    }
}

/// A histogram without labels.
struct Alone {
    bounds: Bounds,
    search: Search,
    halves: Halves<16>,
    refused: Refused,
}

/// No user code runs under a lock, so a panic elsewhere leaves it whole.
impl UnwindSafe for Alone {}
impl RefUnwindSafe for Alone {}

impl Alone {
    fn new(bounds: Bounds) -> Result<Self, Fault> {
        let halves = Halves::new(bounds.buckets()).ok_or(Fault::TooManyBuckets {
            got: bounds.buckets(),
            most: Halves::<16>::MOST_BUCKETS,
        })?;
        Ok(Self { search: Search::new(&bounds), bounds, halves, refused: Refused::default() })
    }

    #[inline(always)]
    fn observe(&self, value: f64) {
        if value.is_nan() {
            return self.refused.count();
        }
        self.halves.observe(self.search.bucket(value), value);
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>) -> Option<MetricFamily> {
        let mut column = HistogramColumn::new(self.bounds.clone());
        let totals = self.halves.snapshot();
        column.push(totals.counts, totals.sum);
        let column = Column::Histogram(column);
        MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }
}

/// Counts an observation in a record that several threads write.
///
/// The count is the sum of the buckets, so that the two always agree; the sum of the values may
/// trail them by the observations that are under way.
#[inline(always)]
fn observe_shared(shared: &SeriesShared<Histogram>, values: &[AtomicU64], value: f64) {
    if value.is_nan() {
        return shared.refused.count();
    }
    let [buckets @ .., sum] = values else { return };
    if let Some(bucket) = buckets.get(shared.shape.search.bucket(value)) {
        // Relaxed: each word stands for itself.
        bucket.fetch_add(1, Relaxed);
        add_f64(sum, value);
    }
}

/// What a record has counted.
fn totals_of_record(values: &[AtomicU64]) -> Totals {
    let [buckets @ .., sum] = values else { return Totals::nothing(0) };
    let sum = f64::from_bits(sum.load(Relaxed));
    Totals { counts: buckets.iter().map(|bucket| bucket.load(Relaxed)).collect(), sum }
}

/// The buckets all series of a family share.
#[derive(Debug)]
pub struct Shape {
    bounds: Bounds,
    search: Search,
}

impl Metric for Histogram {}

impl sealed::Kind for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
    type Config = Buckets;
    type Shape = Shape;
    const PER_THREAD: bool = false;

    fn shape(buckets: Buckets) -> Result<Shape, Fault> {
        let bounds = buckets.bounds()?;
        Ok(Shape { search: Search::new(&bounds), bounds })
    }

    fn value_words(shape: &Shape) -> usize {
        shape.bounds.buckets() + 1
    }

    fn column(shared: &SeriesShared<Self>, snapshot: &Snapshot) -> Column {
        let mut column = HistogramColumn::new(shared.shape.bounds.clone());
        let buckets = shared.shape.bounds.buckets();
        snapshot.for_each_record(|_, record| {
            let sum = f64::from_bits(record[buckets].load(Relaxed));
            column.push(record[..buckets].iter().map(|bucket| bucket.load(Relaxed)), sum);
        });
        Column::Histogram(column)
    }

    fn alone(shape: Shape) -> Result<Self, Fault> {
        Ok(Self(Kind::Alone(Arc::new(Alone::new(shape.bounds)?))))
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self(Kind::Series(series))
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        match &self.0 {
            Kind::Alone(alone) => Some(alone.clone()),
            Kind::Series(_) => None,
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({} observations)", self.count())
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

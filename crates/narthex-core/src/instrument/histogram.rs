//! Histograms: observations counted in buckets.

mod search;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use narthex_model::{Bounds, Column, HistogramColumn, Metadata, MetricFamily, MetricType, Series};
use parking_lot::Mutex;

use super::{Child, Metric, OwnedSeries, Refused, SeriesShared, add_f64, sealed};
use crate::buckets::Buckets;
use crate::builder::Builder;
use crate::error::Fault;
use crate::registry::Source;
use crate::storage::Snapshot;
use crate::storage::cells::{self, Lease};
use crate::sync::{self, Word};
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
        self.totals().counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// The sum of all observed values so far.
    pub fn sum(&self) -> f64 {
        self.totals().sum
    }

    fn totals(&self) -> Totals {
        match &self.0 {
            Kind::Alone(alone) => alone.snapshot(),
            Kind::Series(series) => Totals::of_record(series.values()),
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
        let totals = Totals::of_record(self.values());
        totals.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// The sum of all observed values so far.
    pub fn sum(self) -> f64 {
        Totals::of_record(self.values()).sum
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

/// A histogram without labels: two halves of cells in each thread.
///
/// A snapshot has to see whole observations only, while threads go on observing. So observations
/// go to the *hot* half; a snapshot reads the other one, makes it hot, and reads the first, which
/// by then is at rest but for threads that had chosen it before (the idea of `client_golang`'s
/// histogram, with cells of one writer each).
struct Alone {
    bounds: Bounds,
    search: Search,
    lease: Lease,
    /// Cells in a half: the buckets, then the number of whole observations, then their sum.
    half: usize,
    hot: AtomicUsize,
    one_snapshot: Mutex<()>,
    refused: Refused,
}

/// No user code runs under the snapshot's lock, so a panic elsewhere leaves it whole.
impl UnwindSafe for Alone {}
impl RefUnwindSafe for Alone {}

/// Cells in a half of most histograms. A constant saves the checks of a length.
const SMALL_HALF: usize = 16;

impl Alone {
    fn new(bounds: Bounds) -> Result<Self, Fault> {
        let half = (bounds.buckets() + 2).max(SMALL_HALF);
        let is_sum = |cell: usize| cell % half == half - 1;
        let lease = Lease::new(2 * half, is_sum)
            .ok_or(Fault::TooManyBuckets { got: bounds.buckets(), most: Lease::MOST / 2 - 2 })?;
        Ok(Self {
            search: Search::new(&bounds),
            bounds,
            lease,
            half,
            hot: AtomicUsize::new(0),
            one_snapshot: Mutex::new(()),
            refused: Refused::default(),
        })
    }

    #[inline(always)]
    fn observe(&self, value: f64) {
        if value.is_nan() {
            return self.refused.count();
        }
        let bucket = self.search.bucket(value);
        // Relaxed: a stale half is counted all the same, see `snapshot`.
        let first = self.lease.first() + (self.hot.load(Relaxed) * self.half) as u32;
        if self.half == SMALL_HALF {
            cells::with_cells::<SMALL_HALF>(first, |cells| write(cells, bucket, value));
        } else {
            cells::with_cells_slice(first, |cells| write(&cells[..self.half], bucket, value));
        }
    }

    fn snapshot(&self) -> Totals {
        let _one = self.one_snapshot.lock();
        let hot = self.hot.load(Relaxed);
        let mut totals = Totals::nothing(self.bounds.buckets());
        self.add_half(1 - hot, &mut totals);
        // Relaxed: whoever still sees the old value writes to the half that is read next, and the
        // reader either sees that observation whole or not at all.
        self.hot.store(1 - hot, Relaxed);
        self.add_half(hot, &mut totals);
        totals
    }

    fn add_half(&self, half: usize, totals: &mut Totals) {
        self.lease.for_each_thread(|cells| {
            totals.add(&read(&cells[half * self.half..][..self.half], totals.counts.len()));
        });
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>) -> Option<MetricFamily> {
        let mut column = HistogramColumn::new(self.bounds.clone());
        let totals = self.snapshot();
        column.push(totals.counts, totals.sum);
        let column = Column::Histogram(column);
        MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }
}

/// Writes an observation to cells of which the caller is the only writer.
#[inline(always)]
fn write(cells: &[impl Word], bucket: usize, value: f64) {
    let [.., count, sum] = cells else { return };
    let Some(bucket) = cells.get(bucket) else { return };
    // The order and the Releases pair with the Acquires in `read`: who sees the sum or the count
    // of an observation sees its bucket.
    bucket.store(bucket.load(Relaxed).wrapping_add(1), Relaxed);
    sum.store((f64::from_bits(sum.load(Relaxed)) + value).to_bits(), Release);
    count.store(count.load(Relaxed).wrapping_add(1), Release);
}

/// Reads whole observations from cells that their owner may be writing.
fn read(cells: &[impl Word], buckets: usize) -> Totals {
    /// Attempts before a writer that was stopped half-way (its thread lost its core, say) is read
    /// as it is, with its bucket counted and its sum perhaps not.
    const ATTEMPTS: usize = 10_000;
    let [.., count, sum] = cells else { return Totals::nothing(buckets) };
    let mut attempt = 0;
    loop {
        // Acquire pairs with the Releases in `write`. The buckets are read last: if any part of a
        // newer observation was seen, its bucket is seen too, and the counts do not agree.
        let whole = count.load(Acquire);
        let sum = f64::from_bits(sum.load(Acquire));
        let counts: Vec<u64> = cells[..buckets].iter().map(|bucket| bucket.load(Relaxed)).collect();
        let seen = counts.iter().fold(0u64, |total, count| total.wrapping_add(*count));
        attempt += 1;
        if seen == whole || attempt == ATTEMPTS {
            return Totals { counts, sum };
        }
        sync::wait(attempt);
    }
}

/// Counts an observation in a record that several threads write.
///
/// The count is the sum of the buckets, so that the two always agree; the sum of the values may
/// trail them by the observations that are under way.
#[inline(always)]
fn observe_shared(
    shared: &SeriesShared<Histogram>,
    values: &[std::sync::atomic::AtomicU64],
    value: f64,
) {
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

/// What has been observed: a count for each bucket alone, and the sum.
struct Totals {
    counts: Vec<u64>,
    sum: f64,
}

impl Totals {
    fn nothing(buckets: usize) -> Self {
        Self { counts: vec![0; buckets], sum: 0.0 }
    }

    fn of_record(values: &[std::sync::atomic::AtomicU64]) -> Self {
        let [buckets @ .., sum] = values else { return Self::nothing(0) };
        let sum = f64::from_bits(sum.load(Relaxed));
        Self { counts: buckets.iter().map(|bucket| bucket.load(Relaxed)).collect(), sum }
    }

    fn add(&mut self, other: &Self) {
        for (total, count) in self.counts.iter_mut().zip(&other.counts) {
            *total = total.wrapping_add(*count);
        }
        self.sum += other.sum;
    }
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

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

//! Histograms: observations counted in buckets.

mod config;
mod native;
mod search;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use narthex_model::{
    Bounds, Column, Metadata, MetricFamily, MetricType, NativeHistogramColumn, Series, SpareColumns,
};

use super::exemplars::{self, LoneExemplars, Slot};
use super::{Child, Metric, OwnedSeries, Refused, SeriesShared, add_f64, sealed};
use crate::builder::Builder;
use crate::clock;
use crate::error::Fault;
use crate::guard::Timer;
use crate::registry::Source;
use crate::storage::Snapshot;
use crate::storage::halves::{Halves, Totals};
use crate::storage::slots::SeriesId;
use config::Config;
use native::{OfSeries, Threads};
use search::Search;

pub use native::NativeLimits;

/// Observations such as durations or sizes, counted in buckets.
///
/// The `+Inf` bucket equals `_count` in every scrape. Cloning gives another handle to the same
/// histogram. Observing takes no lock, and threads that observe at once do not slow each other
/// down; [native](Builder::native) buckets are behind a lock of each thread, or of each series of a
/// family.
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
    Native(Arc<NativeAlone>),
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
            _ => self.observe_elsewhere(value),
        }
    }

    /// Cold and apart, so that observing without labels goes straight on.
    #[cold]
    #[inline(never)]
    fn observe_elsewhere(&self, value: f64) {
        match &self.0 {
            Kind::Alone(alone) => alone.observe(value),
            Kind::Native(alone) => alone.observe(value),
            Kind::Series(series) => {
                observe_shared(&series.shared, series.values(), value, || series.id());
            }
        }
    }

    /// Counts one observation and keeps it as the exemplar of its bucket, with labels that tell
    /// where it comes from.
    ///
    /// It takes the place of the one before, unless another thread keeps one at the same time. A
    /// native histogram without classic buckets keeps the last ten. An exemplar whose labels are
    /// not valid or longer than 128 characters together is refused, and counted in
    /// `narthex_refused_values_total`; the observation counts all the same.
    ///
    /// ```
    /// use narthex_core::{Histogram, Registry};
    ///
    /// let registry = Registry::new();
    /// let latency = Histogram::builder("query_seconds", "Query time.").register(&registry)?;
    /// latency.observe_with_exemplar(0.7, [("trace_id", "KOO5S4vxi0o")]);
    /// assert_eq!(latency.count(), 1);
    /// assert!(registry.gather().families()[0].exemplars().is_some());
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn observe_with_exemplar<N: AsRef<str>, V: AsRef<str>>(
        &self,
        value: f64,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        self.observe(value);
        if value.is_nan() {
            return;
        }
        let exemplar = exemplars::new(labels, value);
        match (&self.0, exemplar) {
            (Kind::Alone(alone), Some(exemplar)) => {
                alone.exemplars.keep(Slot::Bucket(alone.search.bucket(value)), exemplar);
            }
            (Kind::Native(alone), Some(exemplar)) => {
                alone.exemplars.keep(alone.threads.shape.exemplar_slot(value), exemplar);
            }
            (Kind::Series(series), Some(exemplar)) => {
                if let Some(id) = series.id() {
                    let slot = series.shared.shape.exemplar_slot(value);
                    series.shared.exemplars.keep(id, slot, exemplar);
                }
            }
            (Kind::Alone(alone), None) => alone.refused.count(),
            (Kind::Native(alone), None) => alone.refused.count(),
            (Kind::Series(series), None) => series.shared.refused.count(),
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
        Timer::start(self)
    }

    /// The number of observations so far.
    ///
    /// A native histogram counts anew after a [reset](NativeLimits::min_reset_duration).
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
            Kind::Native(alone) => totals_of_column(&alone.column()),
            Kind::Series(series) => series.shared.shape.totals(series.id(), series.values()),
        }
    }
}

impl Child<'_, Histogram> {
    /// Counts one observation; see [`Histogram::observe`].
    #[inline(always)]
    pub fn observe(self, value: f64) {
        observe_shared(self.shared, self.values(), value, || self.id());
    }

    /// Counts one observation and keeps it as an exemplar; see
    /// [`Histogram::observe_with_exemplar`].
    pub fn observe_with_exemplar<N: AsRef<str>, V: AsRef<str>>(
        self,
        value: f64,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        self.observe(value);
        if value.is_nan() {
            return;
        }
        match (exemplars::new(labels, value), self.id()) {
            (Some(exemplar), Some(id)) => {
                let slot = self.shared.shape.exemplar_slot(value);
                self.shared.exemplars.keep(id, slot, exemplar);
            }
            (Some(_), None) => {}
            (None, _) => self.shared.refused.count(),
        }
    }

    /// Counts a duration in seconds.
    #[inline]
    pub fn observe_duration(self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Starts a timer that observes the seconds until it is dropped.
    #[inline]
    pub fn start_timer(self) -> Timer<Self> {
        Timer::start(&self)
    }

    /// The number of observations so far; see [`Histogram::count`].
    pub fn count(self) -> u64 {
        self.shared.shape.totals(self.id(), self.values()).count()
    }

    /// The sum of all observed values so far.
    pub fn sum(self) -> f64 {
        self.shared.shape.totals(self.id(), self.values()).sum
    }
}

/// A histogram without labels and with classic buckets only.
struct Alone {
    bounds: Bounds,
    search: Search,
    halves: Halves<16>,
    refused: Refused,
    exemplars: LoneExemplars,
    created: i64,
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
        Ok(Self {
            search: Search::new(&bounds),
            bounds,
            halves,
            refused: Refused::default(),
            exemplars: LoneExemplars::default(),
            created: clock::unix_millis(),
        })
    }

    #[inline(always)]
    fn observe(&self, value: f64) {
        let bucket = self.search.quick_bucket(value);
        if !bucket.is_some_and(|bucket| self.halves.observe_near(bucket, value)) {
            self.observe_slowly(value);
        }
    }

    #[cold]
    #[inline(never)]
    fn observe_slowly(&self, value: f64) {
        if value.is_nan() {
            return self.refused.count();
        }
        let bucket = self.search.bucket(value);
        if !self.halves.observe_near(bucket, value) {
            self.halves.observe(bucket, value);
        }
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>, spare: &mut SpareColumns) -> Option<MetricFamily> {
        let mut column = spare.histograms(&self.bounds);
        let totals = self.halves.snapshot();
        column.push(totals.counts, totals.sum);
        let column = Column::Histogram(column);
        let family = MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column);
        family.ok()?.with_exemplars(self.exemplars.show()).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }

    fn created(&self) -> Option<i64> {
        Some(self.created)
    }
}

/// A histogram without labels and with native buckets.
struct NativeAlone {
    threads: Threads,
    refused: Refused,
    exemplars: LoneExemplars,
    created: i64,
}

/// No user code runs under a lock, so a panic elsewhere leaves it whole.
impl UnwindSafe for NativeAlone {}
impl RefUnwindSafe for NativeAlone {}

impl NativeAlone {
    fn new(threads: Threads) -> Self {
        let (refused, exemplars) = (Refused::default(), LoneExemplars::default());
        Self { threads, refused, exemplars, created: clock::unix_millis() }
    }

    #[inline]
    fn observe(&self, value: f64) {
        if value.is_nan() {
            return self.refused.count();
        }
        self.threads.observe(value);
    }

    fn column(&self) -> NativeHistogramColumn {
        let mut column = self.threads.shape.column();
        self.threads.show(&mut column);
        column
    }
}

impl Source for NativeAlone {
    fn family(&self, metadata: &Arc<Metadata>, _: &mut SpareColumns) -> Option<MetricFamily> {
        let column = Column::NativeHistogram(self.column());
        let family = MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column);
        family.ok()?.with_exemplars(self.exemplars.show()).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }

    fn created(&self) -> Option<i64> {
        Some(self.threads.reset_at().unwrap_or(self.created))
    }
}

/// Counts an observation in a record that several threads write.
///
/// The count is the sum of the buckets, so that the two always agree; the sum of the values may
/// trail them by the observations that are under way.
#[inline(always)]
fn observe_shared(
    shared: &SeriesShared<Histogram>,
    values: &[AtomicU64],
    value: f64,
    id: impl FnOnce() -> Option<SeriesId>,
) {
    if value.is_nan() {
        return shared.refused.count();
    }
    let search = match &shared.shape.0 {
        ShapeKind::Classic { search, .. } => search,
        ShapeKind::Native(native) => {
            if let Some(series) = id() {
                native.observe(series, values, value);
            }
            return;
        }
    };
    let [buckets @ .., sum] = values else { return };
    if let Some(bucket) = buckets.get(search.bucket(value)) {
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

/// What the one histogram of a column has counted.
fn totals_of_column(column: &NativeHistogramColumn) -> Totals {
    let Some(histogram) = column.get(0) else { return Totals::nothing(0) };
    let native = histogram.native();
    Totals { counts: vec![native.count()], sum: native.sum() }
}

/// The buckets all series of a family share, and what does not fit into a record.
#[derive(Debug)]
pub struct Shape(ShapeKind);

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a family, and to observe is not to follow a pointer"
)]
enum ShapeKind {
    Classic { bounds: Bounds, search: Search },
    Native(Box<OfSeries>),
}

impl Shape {
    fn exemplar_slot(&self, value: f64) -> Slot {
        match &self.0 {
            ShapeKind::Classic { search, .. } => Slot::Bucket(search.bucket(value)),
            ShapeKind::Native(native) => native.shape.exemplar_slot(value),
        }
    }

    fn totals(&self, series: Option<SeriesId>, values: &[AtomicU64]) -> Totals {
        match &self.0 {
            ShapeKind::Classic { .. } => totals_of_record(values),
            ShapeKind::Native(native) => {
                let mut column = native.shape.column();
                native.show(series, &mut column);
                totals_of_column(&column)
            }
        }
    }
}

impl Metric for Histogram {}

impl sealed::Kind for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
    type Config = Config;
    const CONFIG: &'static str = "buckets";
    type Shape = Shape;
    const PER_THREAD: bool = false;

    fn shape(config: Config) -> Result<Shape, Fault> {
        if let Some(native) = config.native()? {
            return Ok(Shape(ShapeKind::Native(Box::new(OfSeries::new(native)))));
        }
        let bounds = config.buckets.unwrap_or_default().bounds()?;
        Ok(Shape(ShapeKind::Classic { search: Search::new(&bounds), bounds }))
    }

    fn value_words(shape: &Shape) -> usize {
        match &shape.0 {
            ShapeKind::Classic { bounds, .. } => bounds.buckets() + 1,
            ShapeKind::Native(_) => OfSeries::WORDS,
        }
    }

    fn column(
        shared: &SeriesShared<Self>,
        snapshot: &Snapshot,
        spare: &mut SpareColumns,
    ) -> Column {
        match &shared.shape.0 {
            ShapeKind::Classic { bounds, .. } => {
                let mut column = spare.histograms(bounds);
                column.reserve(snapshot.len());
                let buckets = bounds.buckets();
                snapshot.for_each_record(|_, record| {
                    let sum = f64::from_bits(record[buckets].load(Relaxed));
                    column.push(record[..buckets].iter().map(|bucket| bucket.load(Relaxed)), sum);
                });
                Column::Histogram(column)
            }
            ShapeKind::Native(native) => {
                let mut column = native.shape.column();
                snapshot.for_each_record(|position, record| {
                    native.show(Some(shared.id(position, record)), &mut column);
                });
                Column::NativeHistogram(column)
            }
        }
    }

    fn reset_at(shared: &SeriesShared<Self>, series: SeriesId) -> Option<i64> {
        match &shared.shape.0 {
            ShapeKind::Classic { .. } => None,
            ShapeKind::Native(native) => native.reset_at(series),
        }
    }

    fn sweep(shared: &SeriesShared<Self>, snapshot: &Snapshot) {
        if let ShapeKind::Native(native) = &shared.shape.0 {
            native.sweep(&shared.store, snapshot);
        }
    }

    fn alone(shape: Shape) -> Result<Self, Fault> {
        Ok(Self(match shape.0 {
            ShapeKind::Classic { bounds, .. } => Kind::Alone(Arc::new(Alone::new(bounds)?)),
            ShapeKind::Native(native) => {
                let threads = Threads::new(native.into_shape());
                Kind::Native(Arc::new(NativeAlone::new(threads)))
            }
        }))
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self(Kind::Series(series))
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        match &self.0 {
            Kind::Alone(alone) => Some(alone.clone()),
            Kind::Native(alone) => Some(alone.clone()),
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

//! Summaries: observations added up, and quantiles of the latest ones.

mod objectives;
mod ring;
mod stream;
mod threads;
mod window;
mod windows;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use narthex_model::{
    self as model, Column, Metadata, MetricFamily, MetricType, Quantiles, Series, SpareColumns,
    SummaryColumn,
};

use super::{Child, Metric, OwnedSeries, Refused, SeriesShared, add_f64, sealed};
use crate::builder::{Builder, Instrument};
use crate::clock;
use crate::error::Fault;
use crate::guard::Timer;
use crate::registry::Source;
use crate::storage::Snapshot;
use crate::storage::halves::Halves;
use crate::storage::slots::SeriesId;
use objectives::Objectives;
use threads::Threads;
use window::{Span, Workspace};
use windows::Windows;

/// Observations such as durations or sizes: their number, their sum and, on request, quantiles of
/// those of the last minutes.
///
/// Quantiles have to be asked for with [`objectives`](Builder::objectives), for they cannot be put
/// together from several processes, as the buckets of a [`Histogram`](crate::Histogram) can. The
/// count and the sum are of all observations, the quantiles of those in a sliding window of
/// [`max_age`](Builder::max_age); without any in the window they are NaN.
///
/// Cloning gives another handle to the same summary. Threads that observe at once do not slow each
/// other down, but in a family, where they share the queue of a series.
///
/// ```
/// use narthex_core::{Registry, Summary};
///
/// let registry = Registry::new();
/// let sizes = Summary::builder("row_bytes", "Row size.")
///     .objectives([(0.5, 0.05), (0.99, 0.001)])
///     .register(&registry)?;
/// for size in 1..=10 {
///     sizes.observe(f64::from(size));
/// }
/// assert_eq!((sizes.count(), sizes.sum()), (10, 55.0));
/// assert_eq!(sizes.quantiles(), [(0.5, 5.0), (0.99, 10.0)]);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Summary(Kind);

#[derive(Clone)]
enum Kind {
    Alone(Arc<Alone>),
    Series(OwnedSeries<Summary>),
}

impl Summary {
    /// Starts a summary of which there are no quantiles yet; `help` says what it observes.
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
                observe_series(&series.shared, || series.id(), series.values(), value);
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
    pub fn start_timer(&self) -> Timer<Self> {
        Timer::start(self)
    }

    /// The number of observations so far.
    pub fn count(&self) -> u64 {
        self.to_column().get(0).map_or(0, model::Summary::count)
    }

    /// The sum of all observed values so far.
    pub fn sum(&self) -> f64 {
        self.to_column().get(0).map_or(0.0, model::Summary::sum)
    }

    /// The quantiles that were asked for, ascending, and their values in the window.
    pub fn quantiles(&self) -> Vec<(f64, f64)> {
        self.to_column().get(0).map_or_else(Vec::new, |summary| summary.quantiles().collect())
    }

    /// A column of this summary alone.
    fn to_column(&self) -> SummaryColumn {
        match &self.0 {
            Kind::Alone(alone) => alone.column(),
            Kind::Series(series) => series.shared.shape.column_of(series.id(), series.values()),
        }
    }
}

impl Child<'_, Summary> {
    /// Counts one observation; see [`Summary::observe`].
    #[inline(always)]
    pub fn observe(self, value: f64) {
        observe_series(self.shared, || self.id(), self.values(), value);
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

    /// The number of observations so far.
    pub fn count(self) -> u64 {
        self.to_column().get(0).map_or(0, model::Summary::count)
    }

    /// The sum of all observed values so far.
    pub fn sum(self) -> f64 {
        self.to_column().get(0).map_or(0.0, model::Summary::sum)
    }

    /// The quantiles that were asked for, ascending, and their values in the window.
    pub fn quantiles(self) -> Vec<(f64, f64)> {
        self.to_column().get(0).map_or_else(Vec::new, |summary| summary.quantiles().collect())
    }

    fn to_column(self) -> SummaryColumn {
        self.shared.shape.column_of(self.id(), self.values())
    }
}

impl<I: Instrument<Config = Config>> Builder<I> {
    /// Asks for quantiles, each with the error it may have; by default for none.
    ///
    /// An objective of `(0.99, 0.001)` asks for a value that is greater than 98.9 % to 99.1 % of
    /// the observations in the window. Quantiles are from 0, the least value, to 1, the greatest;
    /// errors are above 0 and below 1. For a quantile near 0 or 1 choose an error well below its
    /// distance from there.
    #[must_use]
    pub fn objectives(mut self, objectives: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.config.objectives = objectives.into_iter().collect();
        self
    }

    /// Sets after how long the quantiles forget an observation; by default ten minutes.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.config.max_age = max_age;
        self
    }

    /// Sets in how many steps they forget; by default five. So with a `max_age` of ten minutes,
    /// they are of the last eight to ten minutes.
    #[must_use]
    pub fn age_buckets(mut self, age_buckets: u32) -> Self {
        self.config.age_buckets = age_buckets;
        self
    }
}

/// A summary without labels.
struct Alone {
    quantiles: Quantiles,
    observations: Observations,
    refused: Refused,
    created: i64,
}

enum Observations {
    /// Counted and added up.
    Totals(Halves<4>),
    /// And sorted into a window.
    Window(Threads),
}

/// No user code runs under a lock, so a panic elsewhere leaves it whole.
impl UnwindSafe for Alone {}
impl RefUnwindSafe for Alone {}

impl Alone {
    #[inline(always)]
    fn observe(&self, value: f64) {
        if value.is_nan() {
            return self.refused.count();
        }
        match &self.observations {
            Observations::Totals(halves) => halves.observe(0, value),
            Observations::Window(threads) => threads.observe(value),
        }
    }

    fn column(&self) -> SummaryColumn {
        let mut column = SummaryColumn::new(self.quantiles.clone());
        match &self.observations {
            Observations::Totals(halves) => {
                let totals = halves.snapshot();
                column.push([], totals.count(), totals.sum);
            }
            Observations::Window(threads) => threads.show(&mut column),
        }
        column
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>, _: &mut SpareColumns) -> Option<MetricFamily> {
        let column = Column::Summary(self.column());
        MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }

    fn created(&self) -> Option<i64> {
        Some(self.created)
    }
}

/// Counts an observation in a record that several threads write.
#[inline(always)]
fn observe_series(
    shared: &SeriesShared<Summary>,
    series: impl FnOnce() -> Option<SeriesId>,
    record: &[AtomicU64],
    value: f64,
) {
    if value.is_nan() {
        return shared.refused.count();
    }
    if let Some(windows) = &shared.shape.windows {
        if let Some(series) = series() {
            windows.observe(series, record, value);
        }
    } else if let [count, sum] = record {
        // Relaxed: each word stands for itself, and the sum may trail the count.
        count.fetch_add(1, Relaxed);
        add_f64(sum, value);
    }
}

/// What a builder collects of a summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    objectives: Vec<(f64, f64)>,
    max_age: Duration,
    age_buckets: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { objectives: Vec::new(), max_age: Duration::from_secs(600), age_buckets: 5 }
    }
}

/// What all series of a family share, their windows included.
pub struct Shape {
    quantiles: Quantiles,
    /// None without objectives.
    windows: Option<Windows>,
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape").field("quantiles", &self.quantiles).finish_non_exhaustive()
    }
}

impl Shape {
    /// A column of one series, by its record.
    fn column_of(&self, series: Option<SeriesId>, record: &[AtomicU64]) -> SummaryColumn {
        let mut column = SummaryColumn::new(self.quantiles.clone());
        self.show(series, record, &mut Workspace::default(), &mut column);
        column
    }

    /// Adds what a series shows to a column.
    fn show(
        &self,
        series: Option<SeriesId>,
        record: &[AtomicU64],
        workspace: &mut Workspace,
        column: &mut SummaryColumn,
    ) {
        if let Some(windows) = &self.windows {
            windows.show(series, record, workspace, column);
        } else if let [count, sum] = record {
            column.push([], count.load(Relaxed), f64::from_bits(sum.load(Relaxed)));
        }
    }
}

impl Metric for Summary {}

impl sealed::Kind for Summary {
    const TYPE: MetricType = MetricType::Summary;
    type Config = Config;
    type Shape = Shape;
    const CONFIG: &'static str = "objectives and window";
    const PER_THREAD: bool = false;

    fn shape(config: Config) -> Result<Shape, Fault> {
        let objectives = Objectives::new(&config.objectives)?;
        let quantiles = objectives.quantiles.clone();
        let span = Span::new(objectives, config.max_age, config.age_buckets)?;
        let windows = (!config.objectives.is_empty()).then(|| Windows::new(span));
        Ok(Shape { quantiles, windows })
    }

    /// The count and the sum.
    fn value_words(_: &Shape) -> usize {
        2
    }

    fn column(shared: &SeriesShared<Self>, snapshot: &Snapshot, _: &mut SpareColumns) -> Column {
        let mut column = SummaryColumn::new(shared.shape.quantiles.clone());
        let mut workspace = Workspace::default();
        snapshot.for_each_record(|position, record| {
            let (series, value) = (shared.id(position, record), &record[..2]);
            shared.shape.show(Some(series), value, &mut workspace, &mut column);
        });
        Column::Summary(column)
    }

    fn sweep(shared: &SeriesShared<Self>, snapshot: &Snapshot) {
        if let Some(windows) = &shared.shape.windows {
            windows.sweep(&shared.store, snapshot);
        }
    }

    fn alone(shape: Shape) -> Result<Self, Fault> {
        let observations = match shape.windows {
            Some(windows) => Observations::Window(Threads::new(windows.into_span())),
            None => Observations::Totals(Halves::new(1).expect("one bucket is few")),
        };
        let (quantiles, refused) = (shape.quantiles, Refused::default());
        let created = clock::unix_millis();
        Ok(Self(Kind::Alone(Arc::new(Alone { quantiles, observations, refused, created }))))
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

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Summary({} observations)", self.count())
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

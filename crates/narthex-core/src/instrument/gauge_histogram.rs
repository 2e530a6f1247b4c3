//! Gauge histograms: how what is there now is distributed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use narthex_model::{Bounds, Column, MetricType, SpareColumns};

use super::{Child, Metric, OwnedSeries, SeriesShared, sealed, whole};
use crate::buckets::Buckets;
use crate::builder::Builder;
use crate::error::Fault;
use crate::registry::Source;
use crate::storage::Snapshot;

/// A distribution of what is there now, such as the ages of the jobs in a queue: a histogram whose
/// counts may fall.
///
/// It is set as a whole, and a scrape never sees a part of it. OpenMetrics shows the number of
/// values as `_gcount` and their sum as `_gsum`; the text format, which lacks the type, shows a
/// histogram. Cloning gives another handle to the same gauge histogram.
///
/// ```
/// use narthex_core::{GaugeHistogram, Registry};
///
/// let registry = Registry::new();
/// let ages = GaugeHistogram::builder("queue_age_seconds", "Ages of the jobs that wait.")
///     .buckets([1.0, 10.0, 60.0])
///     .register(&registry)?;
/// ages.set_values([0.5, 3.0, 4.0]);
/// assert_eq!((ages.count(), ages.sum()), (3, 7.5));
/// ages.set([0, 1, 0, 2], 250.0);
/// assert_eq!((ages.count(), ages.sum()), (3, 250.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct GaugeHistogram(OwnedSeries<GaugeHistogram>);

impl GaugeHistogram {
    /// Starts a gauge histogram with the default buckets, 0.005 to 10; `help` says what it shows.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Sets how many values there are in each bucket alone, `+Inf` last, and the sum of all.
    ///
    /// Missing counts are 0, surplus ones are added to the `+Inf` bucket.
    pub fn set(&self, counts: impl IntoIterator<Item = u64>, sum: f64) {
        set(&self.0.shared, self.0.values(), counts, sum);
    }

    /// Sets the distribution to that of these values.
    ///
    /// NaN is refused: it is left out and counted in `narthex_refused_values_total`.
    pub fn set_values(&self, values: impl IntoIterator<Item = f64>) {
        set_values(&self.0.shared, self.0.values(), values);
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        Distribution::read(self.0.values()).count()
    }

    /// The sum of the values.
    pub fn sum(&self) -> f64 {
        Distribution::read(self.0.values()).sum()
    }
}

impl Child<'_, GaugeHistogram> {
    /// Sets how many values there are in each bucket alone, and the sum of all; see
    /// [`GaugeHistogram::set`].
    pub fn set(self, counts: impl IntoIterator<Item = u64>, sum: f64) {
        set(self.shared, self.values(), counts, sum);
    }

    /// Sets the distribution to that of these values; see [`GaugeHistogram::set_values`].
    pub fn set_values(self, values: impl IntoIterator<Item = f64>) {
        set_values(self.shared, self.values(), values);
    }

    /// The number of values.
    pub fn count(self) -> u64 {
        Distribution::read(self.values()).count()
    }

    /// The sum of the values.
    pub fn sum(self) -> f64 {
        Distribution::read(self.values()).sum()
    }
}

/// A count for each bucket alone and, last, the bits of the sum.
struct Distribution(Vec<u64>);

impl Distribution {
    fn read(words: &[AtomicU64]) -> Self {
        let mut values = vec![0; words.len() - whole::VERSION];
        whole::get(words, &mut values);
        Self(values)
    }

    fn new(bounds: &Bounds, counts: impl IntoIterator<Item = u64>, sum: f64) -> Self {
        let infinity = bounds.as_slice().len();
        let mut words = vec![0_u64; bounds.buckets()];
        for (bucket, count) in counts.into_iter().enumerate() {
            let total = &mut words[bucket.min(infinity)];
            *total = total.saturating_add(count);
        }
        words.push(sum.to_bits());
        Self(words)
    }

    fn counts(&self) -> &[u64] {
        self.0.split_last().map_or(&[], |(_, counts)| counts)
    }

    fn count(&self) -> u64 {
        self.counts().iter().fold(0, |total, count| total.saturating_add(*count))
    }

    fn sum(&self) -> f64 {
        self.0.last().map_or(0.0, |sum| f64::from_bits(*sum))
    }
}

/// User code gives the counts, so they are complete before the value is touched.
fn set(
    shared: &SeriesShared<GaugeHistogram>,
    words: &[AtomicU64],
    counts: impl IntoIterator<Item = u64>,
    sum: f64,
) {
    whole::set(words, &Distribution::new(&shared.shape, counts, sum).0);
}

fn set_values(
    shared: &SeriesShared<GaugeHistogram>,
    words: &[AtomicU64],
    values: impl IntoIterator<Item = f64>,
) {
    let bounds = &shared.shape;
    let mut counts = vec![0; bounds.buckets()];
    let mut sum = 0.0;
    for value in values {
        if value.is_nan() {
            shared.refused.count();
            continue;
        }
        counts[bounds.as_slice().partition_point(|&bound| bound < value)] += 1;
        sum += value;
    }
    set(shared, words, counts, sum);
}

impl Metric for GaugeHistogram {}

impl sealed::Kind for GaugeHistogram {
    const TYPE: MetricType = MetricType::GaugeHistogram;
    const PER_THREAD: bool = false;
    type Config = Buckets;
    const CONFIG: &'static str = "buckets";
    type Shape = Bounds;

    fn shape(buckets: Buckets) -> Result<Bounds, Fault> {
        buckets.bounds()
    }

    fn value_words(bounds: &Bounds) -> usize {
        whole::VERSION + bounds.buckets() + 1
    }

    fn column(
        shared: &SeriesShared<Self>,
        snapshot: &Snapshot,
        spare: &mut SpareColumns,
    ) -> Column {
        let mut column = spare.histograms(&shared.shape);
        column.reserve(snapshot.len());
        let words = Self::value_words(&shared.shape);
        snapshot.for_each_record(|_, record| {
            let distribution = Distribution::read(&record[..words]);
            column.push(distribution.counts().iter().copied(), distribution.sum());
        });
        Column::Histogram(column)
    }

    fn alone(bounds: Bounds) -> Result<Self, Fault> {
        Ok(Self(OwnedSeries::alone(bounds)))
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self(series)
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        self.0.source()
    }
}

impl fmt::Debug for GaugeHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GaugeHistogram({} values)", self.count())
    }
}

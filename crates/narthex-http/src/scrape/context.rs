//! What a source is given: the deadline, and a fresh group to put its data in.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narthex_model::{MetricFamily, MetricType, Number};
use tokio::time::Instant;

use super::cached::{Keeping, Kept};
use super::group::{Group, Mistake, RowValue};
use super::health::Failure;

/// One run of a source: its deadline, and an empty group of metrics that is its own.
///
/// A metric is described where it is set, so that what is gone from the source is gone from the
/// page. Setting a series twice keeps the last value. A mistake, such as a bad name, does not
/// panic: the source goes on and fails with it at its end.
///
/// Cloning gives another handle to the same run. What a clone sets after the run was over, or was
/// given up, is dropped.
///
/// ```
/// use narthex_http::ScrapeContext;
///
/// fn report(scrape: &ScrapeContext) {
///     scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
///     let read = scrape.counter_family("disk_read_bytes_total", "Bytes read.", ["device"]);
///     for (device, bytes) in [("sda", 512_u64), ("sdb", 1024)] {
///         read.set([device], bytes);
///     }
/// }
/// ```
#[derive(Clone)]
pub struct ScrapeContext(Arc<Shared>);

struct Shared {
    deadline: Instant,
    /// `None` once the run is over. This, and not the clock, decides what is dropped: else a
    /// source that ends just as the deadline passes might show half of its data.
    group: Mutex<Option<Group>>,
    /// What a cache has to say about the data that it gave.
    kept: Mutex<Option<Result<Keeping, Failure>>>,
}

impl ScrapeContext {
    pub(super) fn new(deadline: Instant) -> Self {
        let group = Mutex::new(Some(Group::default()));
        Self(Arc::new(Shared { deadline, group, kept: Mutex::default() }))
    }

    /// When the scrape's answer must be ready.
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// The time left until the deadline, zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.0.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether nobody waits for this run any more: it is over, its deadline has passed, or the
    /// scraper has gone.
    ///
    /// A source that blocks or computes for long should ask now and then, for it cannot be stopped
    /// from outside between two `.await`s.
    pub fn is_cancelled(&self) -> bool {
        self.remaining().is_zero() || self.group().is_none()
    }

    /// Adds a gauge.
    pub fn gauge(&self, name: &str, help: &str) -> ScrapedMetric {
        ScrapedMetric(self.gauge_family(name, help, []))
    }

    /// Adds gauges that labels tell apart.
    pub fn gauge_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        label_names: [&str; N],
    ) -> ScrapedFamily<N> {
        self.family(MetricType::Gauge, name, help, label_names)
    }

    /// Adds a counter, of which the source knows the total.
    pub fn counter(&self, name: &str, help: &str) -> ScrapedMetric {
        ScrapedMetric(self.counter_family(name, help, []))
    }

    /// Adds counters that labels tell apart.
    pub fn counter_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        label_names: [&str; N],
    ) -> ScrapedFamily<N> {
        self.family(MetricType::Counter, name, help, label_names)
    }

    /// Adds a metric of which nothing is known but its value.
    pub fn unknown(&self, name: &str, help: &str) -> ScrapedMetric {
        ScrapedMetric(self.unknown_family(name, help, []))
    }

    /// Adds metrics of which nothing is known but their values, told apart by labels.
    pub fn unknown_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        label_names: [&str; N],
    ) -> ScrapedFamily<N> {
        self.family(MetricType::Unknown, name, help, label_names)
    }

    /// Adds a histogram with the upper bounds of its buckets; +Inf is implied.
    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> ScrapedHistogram {
        ScrapedHistogram(self.histogram_family(name, help, bounds, []))
    }

    /// Adds histograms with common bounds that labels tell apart.
    pub fn histogram_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        bounds: &[f64],
        label_names: [&str; N],
    ) -> ScrapedHistogramFamily<N> {
        let family = self.declare(MetricType::Histogram, name, help, &label_names, bounds);
        ScrapedHistogramFamily { context: self.clone(), family }
    }

    /// Adds a ready family, such as one that a parser or another library's adapter made.
    pub fn add(&self, family: MetricFamily) {
        if let Some(group) = &mut *self.group() {
            group.add(family);
        }
    }

    fn family<const N: usize>(
        &self,
        metric_type: MetricType,
        name: &str,
        help: &str,
        label_names: [&str; N],
    ) -> ScrapedFamily<N> {
        let family = self.declare(metric_type, name, help, &label_names, &[]);
        ScrapedFamily { context: self.clone(), family }
    }

    fn declare(
        &self,
        metric_type: MetricType,
        name: &str,
        help: &str,
        label_names: &[&str],
        bounds: &[f64],
    ) -> Option<usize> {
        self.group().as_mut()?.declare(metric_type, name, help, label_names, bounds)
    }

    fn set(&self, family: Option<usize>, labels: &[&str], value: RowValue) {
        if let Some(family) = family
            && let Some(group) = &mut *self.group()
        {
            group.set(family, labels, value);
        }
    }

    /// Drops what is set from here on.
    pub(super) fn close(&self) {
        let group = self.group().take();
        drop(group);
    }

    /// Takes what a cache has instead of what a run would have set.
    pub(super) fn keep(&self, kept: Result<Kept, Failure>) {
        let kept = kept.map(|Kept { families, standing }| {
            families.into_iter().for_each(|family| self.add(family));
            standing
        });
        *self.0.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    /// What a cache has said, if the data is from one.
    pub(super) fn kept(&self) -> Option<Result<Keeping, Failure>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the run and gives its families.
    pub(super) fn finish(&self) -> Result<Vec<MetricFamily>, Mistake> {
        let group = self.group().take();
        group.map_or_else(|| Ok(Vec::new()), Group::finish)
    }

    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        // No code of others runs under this lock, so a poisoned one still guards whole data.
        self.0.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ScrapeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScrapeContext").field("deadline", &self.0.deadline).finish_non_exhaustive()
    }
}

/// A metric without labels in the group of one run; made by [`ScrapeContext::gauge`] and its
/// siblings.
#[derive(Clone, Debug)]
#[must_use = "a metric that is not set does not show"]
pub struct ScrapedMetric(ScrapedFamily<0>);

impl ScrapedMetric {
    /// Sets the value.
    pub fn set(&self, value: impl Into<Number>) {
        self.0.set([], value);
    }
}

/// Metrics with `N` labels in the group of one run; made by [`ScrapeContext::gauge_family`] and
/// its siblings.
#[derive(Clone, Debug)]
#[must_use = "a family without a value does not show"]
pub struct ScrapedFamily<const N: usize> {
    context: ScrapeContext,
    /// `None` where the family was refused or the run is over.
    family: Option<usize>,
}

impl<const N: usize> ScrapedFamily<N> {
    /// Sets the value of the series with these label values, in the order of the label names.
    pub fn set(&self, labels: [&str; N], value: impl Into<Number>) {
        self.context.set(self.family, &labels, RowValue::Number(value.into()));
    }
}

/// A histogram without labels in the group of one run; made by [`ScrapeContext::histogram`].
#[derive(Clone, Debug)]
#[must_use = "a histogram that is not set does not show"]
pub struct ScrapedHistogram(ScrapedHistogramFamily<0>);

impl ScrapedHistogram {
    /// Sets the observations in each bucket alone, +Inf last, and their sum.
    pub fn set(&self, counts: impl IntoIterator<Item = u64>, sum: f64) {
        self.0.set([], counts, sum);
    }
}

/// Histograms with `N` labels in the group of one run; made by
/// [`ScrapeContext::histogram_family`].
#[derive(Clone, Debug)]
#[must_use = "a family without a value does not show"]
pub struct ScrapedHistogramFamily<const N: usize> {
    context: ScrapeContext,
    /// `None` where the family was refused or the run is over.
    family: Option<usize>,
}

impl<const N: usize> ScrapedHistogramFamily<N> {
    /// Sets, for the series with these label values, the observations in each bucket alone, +Inf
    /// last, and their sum.
    pub fn set(&self, labels: [&str; N], counts: impl IntoIterator<Item = u64>, sum: f64) {
        let counts = counts.into_iter().collect();
        self.context.set(self.family, &labels, RowValue::Histogram { counts, sum });
    }
}

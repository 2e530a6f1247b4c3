//! The metrics of a tokio runtime.

use narthex_core::Collector;
use narthex_model::{FamilyBuilder, Metadata, MetricFamily};
use tokio::runtime::{Handle, RuntimeMetrics, TryCurrentError};

/// Collects the metrics of a tokio runtime: those that tokio counts in every build.
///
/// | name | type | |
/// |---|---|---|
/// | `tokio_workers` | gauge | worker threads of the runtime; 1 where it runs on the current thread |
/// | `tokio_alive_tasks` | gauge | tasks that were spawned and have not ended |
/// | `tokio_global_queue_depth` | gauge | tasks that wait in the queue which all workers share |
/// | `tokio_worker_busy_seconds_total{worker}` | counter | time for which a worker had something to do |
/// | `tokio_worker_parks_total{worker}` | counter | times a worker ran out of work and went to sleep |
///
/// A worker is shown by its index. Its busy time grows when it goes to sleep or looks after the
/// runtime, so a task that never yields shows late; the more reason to watch
/// `rate(tokio_worker_busy_seconds_total[5m])`, which is near 1 where a worker is saturated.
///
/// It needs the feature `tokio`. Once the runtime is shut down, its last numbers stay.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_process::TokioCollector;
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
/// let registry = Registry::new();
/// registry.register(TokioCollector::new(runtime.handle()))?;
/// assert_eq!(registry.gather().value("tokio_workers", &[]), Some(2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokioCollector {
    metrics: RuntimeMetrics,
    /// The value of the label `runtime`.
    name: Option<String>,
}

impl TokioCollector {
    /// Collects the metrics of a runtime.
    pub fn new(runtime: &Handle) -> Self {
        Self { metrics: runtime.metrics(), name: None }
    }

    /// Collects the metrics of the runtime that this is called in.
    ///
    /// # Errors
    /// Returns tokio's error where it is called outside of any.
    pub fn current() -> Result<Self, TryCurrentError> {
        Handle::try_current().map(|runtime| Self::new(&runtime))
    }

    /// Adds the label `runtime` to every series, for programs with several runtimes; by default
    /// there is none.
    ///
    /// ```
    /// # use narthex_core::Registry;
    /// # use narthex_process::TokioCollector;
    /// # let registry = Registry::new();
    /// # let runtime = || tokio::runtime::Builder::new_current_thread().build();
    /// # let (io, batch) = (runtime()?, runtime()?);
    /// registry.register(TokioCollector::new(io.handle()).named("io"))?;
    /// registry.register(TokioCollector::new(batch.handle()).named("batch"))?;
    /// let scrape = registry.gather();
    /// assert_eq!(scrape.value("tokio_workers", &[("runtime", "batch")]), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The families, with the values of now.
    fn families(&self) -> impl Iterator<Item = MetricFamily> {
        let runtime = &self.metrics;
        let gauges = [
            ("tokio_workers", "Worker threads of the runtime.", runtime.num_workers()),
            (
                "tokio_alive_tasks",
                "Tasks that were spawned and have not ended.",
                runtime.num_alive_tasks(),
            ),
            (
                "tokio_global_queue_depth",
                "Tasks that wait in the queue which all workers share.",
                runtime.global_queue_depth(),
            ),
        ];
        let gauges = gauges.map(|(name, help, value)| {
            MetricFamily::gauge(name, help).sample([""; 0], value as u64)
        });
        let mut busy = MetricFamily::counter(
            "tokio_worker_busy_seconds_total",
            "Time for which the worker had something to do.",
        )
        .unit("seconds")
        .label_names(["worker"]);
        let mut parks = MetricFamily::counter(
            "tokio_worker_parks_total",
            "Times the worker ran out of work and went to sleep.",
        )
        .label_names(["worker"]);
        for worker in 0..runtime.num_workers() {
            let label = worker.to_string();
            busy.push([&label], runtime.worker_total_busy_duration(worker).as_secs_f64());
            parks.push([&label], runtime.worker_park_count(worker));
        }
        gauges.into_iter().chain([busy, parks]).map(|family| self.labelled(family))
    }

    fn labelled(&self, family: FamilyBuilder) -> MetricFamily {
        let family = match &self.name {
            Some(name) => family.const_label("runtime", name),
            None => family,
        };
        family.build().expect("the names of runtime metrics are valid")
    }
}

impl Collector for TokioCollector {
    fn describe(&self) -> Vec<Metadata> {
        self.families().map(|family| family.metadata().clone()).collect()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        families.extend(self.families());
    }
}

#[cfg(test)]
mod tests;

//! The engine: a registry and sources, gathered into one scrape.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use narthex_core::{Collector, Registry};
use narthex_model::{Label, LabelName, MetricFamily, Problem, Scrape};
use tokio::time::Instant;

use super::health::self_metrics;
use super::run::{Report, Runs, Slot, Work};
use super::source::IntoSource;
use crate::gather::{Gather, GatherError, ScrapeRequest, SourceStatus};

/// The source name under which the engine's registry is accounted for.
const REGISTRY: &str = "registry";

/// What the registry gets where the sources have used up the scrape's time.
const REGISTRY_TIME: Duration = Duration::from_millis(100);

/// A registry, and async sources that are asked at each scrape.
///
/// All sources run at the same time, each as a task of its own and under the scrape's deadline.
/// One that fails, panics or hangs costs only its own data: the others are served, its failure is
/// on the page, and a log line tells of it once, until the failure changes or is over.
///
/// ```
/// use std::time::Duration;
///
/// use narthex_http::{BoxError, Gather, ScrapeContext, ScrapeEngine, ScrapeRequest};
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let engine = ScrapeEngine::builder(narthex_core::Registry::new())
///     .source("sensor", |scrape: ScrapeContext| async move {
///         scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
///     })
///     .source("broken", |_: ScrapeContext| async { Err::<(), _>("no such device") })
///     .build()?;
///
/// let request = ScrapeRequest::new(Instant::now() + Duration::from_secs(10));
/// let scrape = engine.gather(request).await?;
/// assert_eq!(scrape.value("temperature_celsius", &[]), Some(21.5));
/// assert_eq!(scrape.value("narthex_source_success", &[("source", "sensor")]), Some(1.0));
/// assert_eq!(scrape.value("narthex_source_success", &[("source", "broken")]), Some(0.0));
/// # Ok(())
/// # }
/// ```
///
/// What sources give carries the registry's constant labels, but not its prefix: that is for what
/// is registered there.
///
/// # The engine's own metrics
///
/// | family | type | meaning |
/// |---|---|---|
/// | `narthex_source_success{source}` | gauge | 1 where the source's last run succeeded, else 0 |
/// | `narthex_source_duration_seconds{source}` | gauge | how long it took, or the scrape waited for it |
/// | `narthex_source_age_seconds{source}` | gauge | how old the data is, of [cached](super::Cached) sources |
/// | `narthex_source_failures_total{source,cause}` | counter | scrapes that lack the source's data, or show older data |
///
/// They can be [left out](ScrapeEngineBuilder::without_self_metrics).
///
/// | cause | the source |
/// |---|---|
/// | `error` | returned an error, or set metrics that cannot be exported |
/// | `panic` | panicked |
/// | `deadline` | was not done when the scrape's deadline passed, and was stopped |
/// | `hung` | still blocks its thread since an earlier scrape, and was not started again |
///
/// The registry is accounted for as the source `registry`. It is gathered once the sources are done,
/// so that what they count in registered instruments is on the same page, and on a thread where
/// blocking does no harm: its collectors may read files, and a large one takes milliseconds.
///
/// # Cancel safety
/// Dropping the future of [`gather`](Gather::gather) stops the sources it started. A source is
/// stopped at its next `.await`; one that blocks its thread instead goes on to its end, unseen, and
/// is not started again before. Two gathers at once run each source twice at once.
///
/// # Panics
/// `gather` panics outside a tokio runtime with time enabled.
#[derive(Clone)]
pub struct ScrapeEngine {
    registry: Registry,
    /// The registry first, then the sources in the order in which they were added.
    slots: Arc<[Arc<Slot>]>,
    labels: Arc<[Label]>,
    on_error: OnError,
    self_metrics: SelfMetrics,
}

/// What becomes of a scrape when a source fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// The data of the others is served: the default.
    #[default]
    Serve,
    /// There is no page: the scrape fails with 500, so that nobody takes a part for the whole.
    ///
    /// Where a [cached](super::Cached) source shows its last data, it has not failed.
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SelfMetrics {
    On,
    Off,
}

impl ScrapeEngine {
    /// An engine without sources.
    pub fn new(registry: Registry) -> Self {
        Self::builder(registry).finish()
    }

    /// Starts what runs whether anybody scrapes or not: [background](super::Cached::background)
    /// sources. Without it they start at the first scrape.
    ///
    /// # Panics
    /// Must be called within a tokio runtime where there are such sources.
    pub fn start(&self) {
        self.slots.iter().for_each(|slot| slot.start());
    }

    /// Starts an engine over `registry`.
    pub fn builder(registry: Registry) -> ScrapeEngineBuilder {
        let slot = Slot::new(REGISTRY.into(), Work::registry(registry.clone()));
        ScrapeEngineBuilder {
            registry,
            slots: vec![Arc::new(slot)],
            labels: Vec::new(),
            on_error: OnError::Serve,
            self_metrics: SelfMetrics::On,
        }
    }
}

impl Gather for ScrapeEngine {
    async fn gather(&self, request: ScrapeRequest) -> Result<Scrape, GatherError> {
        let asked = |slots: &[Arc<Slot>]| -> Vec<_> {
            slots.iter().filter(|slot| request.wants(slot.name())).cloned().collect()
        };
        let (registry, sources) = self.slots.split_at(1);
        let (registry, sources) = (asked(registry), asked(sources));
        let from_sources = Runs::start(&sources, request.deadline).reports().await;
        let deadline = request.deadline.max(Instant::now() + REGISTRY_TIME);
        let from_registry = Runs::start(&registry, deadline).reports().await;
        let slots = registry.iter().chain(&sources);
        self.scrape(slots.zip(from_registry.into_iter().chain(from_sources)).collect())
    }

    fn sources(&self) -> Vec<SourceStatus> {
        self.slots.iter().map(|slot| slot.status()).collect()
    }
}

impl ScrapeEngine {
    /// Puts the page together.
    fn scrape(&self, reports: Vec<(&Arc<Slot>, Report)>) -> Result<Scrape, GatherError> {
        let mut families = Vec::new();
        let mut problems = Vec::new();
        let mut names = Vec::with_capacity(reports.len());
        let mut standings = Vec::with_capacity(reports.len());
        let mut failed = None;
        for (slot, report) in reports {
            names.push(slot.name());
            standings.push(slot.note(&report));
            let mut yielded = match report.outcome {
                Ok(yielded) => yielded,
                Err(failure) => {
                    failed.get_or_insert((slot.name(), failure));
                    continue;
                }
            };
            problems.append(&mut yielded.problems);
            for family in yielded.families {
                let family = match slot.name() {
                    REGISTRY => Ok(family),
                    _ => self.registry.with_const_labels(family),
                };
                match family.and_then(|family| self.labelled(family)) {
                    Ok(family) => families.push(family),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if let (OnError::Fail, Some((source, failure))) = (self.on_error, failed) {
            // The text of an error may hold a secret; it is in the log.
            let (source, cause) = (source.escape_debug(), failure.cause());
            return Err(GatherError::new(format!("source `{source}` failed: {cause}")));
        }
        if self.self_metrics == SelfMetrics::On {
            families.extend(self_metrics(names.into_iter(), &standings));
        }
        let mut scrape = Scrape::new(families);
        scrape.push_problems(problems);
        Ok(scrape)
    }

    /// The family with those of the engine's labels that it lacks.
    fn labelled(&self, family: MetricFamily) -> Result<MetricFamily, Problem> {
        let metadata = family.metadata();
        let has = |label: &Label| {
            metadata.label_names().contains(&label.name)
                || metadata.const_labels().iter().any(|own| own.name == label.name)
        };
        let labels: Vec<_> = self.labels.iter().filter(|label| !has(label)).cloned().collect();
        if labels.is_empty() {
            return Ok(family);
        }
        let name = family.name().clone();
        family.relabel(name.clone(), &labels).map_err(|error| Problem::new(name, error))
    }
}

impl fmt::Debug for ScrapeEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.slots.iter().skip(1).map(|slot| slot.name()).collect();
        f.debug_struct("ScrapeEngine").field("sources", &sources).finish_non_exhaustive()
    }
}

/// Builds a [`ScrapeEngine`].
///
/// A clone builds an engine that shares the sources added so far, and what is known of how they
/// fare: a new engine that adds other sources to them can take the place of one that runs.
#[derive(Clone)]
#[must_use]
pub struct ScrapeEngineBuilder {
    registry: Registry,
    slots: Vec<Arc<Slot>>,
    labels: Vec<Label>,
    on_error: OnError,
    self_metrics: SelfMetrics,
}

impl ScrapeEngineBuilder {
    /// Adds an async source: a [`Source`](super::Source), or a closure from
    /// [`ScrapeContext`](super::ScrapeContext) to a future.
    pub fn source<M>(mut self, name: impl Into<String>, source: impl IntoSource<M>) -> Self {
        let work = Work::source(source.into_source());
        self.slots.push(Arc::new(Slot::new(name.into(), work)));
        self
    }

    /// Adds a sync collector as a source; each run gets a thread where blocking does no harm.
    ///
    /// A run that has started cannot be stopped. One that is late goes on unseen, and the collector
    /// is not asked again before it ends.
    pub fn collector(mut self, name: impl Into<String>, collector: impl Collector) -> Self {
        self.slots.push(Arc::new(Slot::new(name.into(), Work::collector(collector))));
        self
    }

    /// Adds a label to every metric that has none of this name, except for the engine's own; by
    /// default there is none.
    pub fn label(mut self, name: LabelName, value: impl Into<String>) -> Self {
        self.labels.push(Label { name, value: value.into().into() });
        self
    }

    /// Chooses what becomes of a scrape when a source fails; by default the others are served.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Leaves the engine's own metrics out; by default they are on the page.
    pub fn without_self_metrics(mut self) -> Self {
        self.self_metrics = SelfMetrics::Off;
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// Returns a [`SourceNameError`] where a source has no name, has the name of another, or is
    /// called `registry`.
    pub fn build(self) -> Result<ScrapeEngine, SourceNameError> {
        for (at, slot) in self.slots.iter().enumerate().skip(1) {
            let name = slot.name();
            let fault = match name {
                "" => NameFault::Empty,
                REGISTRY => NameFault::Reserved,
                _ if self.slots[..at].iter().any(|other| other.name() == name) => NameFault::Taken,
                _ => continue,
            };
            return Err(SourceNameError { name: name.into(), fault });
        }
        Ok(self.finish())
    }

    fn finish(self) -> ScrapeEngine {
        let Self { registry, slots, labels, on_error, self_metrics } = self;
        let (slots, labels) = (slots.into(), labels.into());
        ScrapeEngine { registry, slots, labels, on_error, self_metrics }
    }
}

impl fmt::Debug for ScrapeEngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.slots.iter().skip(1).map(|slot| slot.name()).collect();
        f.debug_struct("ScrapeEngineBuilder").field("sources", &sources).finish_non_exhaustive()
    }
}

/// A source that cannot be added under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceNameError {
    name: Box<str>,
    fault: NameFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameFault {
    Empty,
    Reserved,
    Taken,
}

impl SourceNameError {
    /// The name that was refused.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for SourceNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.escape_debug();
        match self.fault {
            NameFault::Empty => f.write_str("a source needs a name, but `` is empty"),
            NameFault::Reserved => {
                write!(f, "no source may be called `{name}`: that is the engine's own registry")
            }
            NameFault::Taken => write!(f, "there are two sources called `{name}`"),
        }
    }
}

impl std::error::Error for SourceNameError {}

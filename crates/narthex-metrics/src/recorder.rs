//! The recorder: what the facade calls.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use metrics::{Key, KeyName, Recorder, SharedString, Unit};
use narthex_core::{RegisterError, Registry};
use narthex_model::MetricName;
use parking_lot::Mutex;

use crate::builder::{BucketRules, CounterNames, Options, RecorderBuilder};
use crate::cell::{Cell, CounterCell, GaugeCell, HistogramCell};
use crate::family::{Description, Family};
use crate::handles::Handles;
use crate::losses::{Loss, Losses};
use crate::names;

/// Records what is instrumented with the [`metrics`] facade, for a registry to export.
///
/// Cloning gives another handle to the same recorder. What it has recorded stays in the registry
/// when it is dropped.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_metrics::MetricsRecorder;
///
/// MetricsRecorder::new(Registry::global())?.install()?;
///
/// metrics::gauge!("queue.length", "queue" => "mail").set(3.0);
/// let page = Registry::global().gather();
/// assert_eq!(page.value("queue_length", &[("queue", "mail")]), Some(3.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MetricsRecorder(Arc<Shared>);

struct Shared {
    registry: Registry,
    options: Options,
    buckets: BucketRules,
    losses: Arc<Losses>,
    counters: Metrics<CounterCell>,
    gauges: Metrics<GaugeCell>,
    histograms: Metrics<HistogramCell>,
}

/// All metrics of one kind.
struct Metrics<C: Cell> {
    handles: Arc<Handles<C>>,
    names: Mutex<Names<C>>,
}

struct Names<C: Cell> {
    /// By the name in the program; a name that was refused stays so.
    families: HashMap<String, Result<Arc<Family<C>>, Arc<Loss>>>,
    descriptions: HashMap<String, Description>,
}

/// Names of a kind that a recorder takes; a program with more makes them up from its input.
const MOST_NAMES: usize = 4_000;

impl MetricsRecorder {
    /// A recorder for `registry`, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    /// Returns a [`RegisterError`] where the registry has a recorder already.
    pub fn new(registry: &Registry) -> Result<Self, RegisterError> {
        Self::builder(registry).build()
    }

    /// Starts a recorder for `registry`.
    pub fn builder(registry: &Registry) -> RecorderBuilder {
        RecorderBuilder::new(registry)
    }

    pub(crate) fn with(
        registry: Registry,
        options: Options,
        buckets: BucketRules,
    ) -> Result<Self, RegisterError> {
        let losses = Arc::new(Losses::default());
        registry.register(losses.clone())?;
        Ok(Self(Arc::new(Shared {
            registry,
            options,
            buckets,
            losses,
            counters: Metrics::new(),
            gauges: Metrics::new(),
            histograms: Metrics::new(),
        })))
    }

    /// Makes this the recorder of the whole process, once and for all.
    ///
    /// What was recorded before is not recorded; a handle that was made before does nothing.
    ///
    /// # Errors
    /// Returns an [`InstallError`] where the process has a recorder already.
    pub fn install(&self) -> Result<(), InstallError> {
        metrics::set_global_recorder(self.clone()).map_err(|_| InstallError(()))
    }
}

#[cfg(test)]
impl MetricsRecorder {
    /// How many counters, by their keys, are found at once.
    pub(crate) fn remembered(&self) -> usize {
        self.0.counters.handles.len()
    }
}

impl Recorder for MetricsRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.counters.describe(&key, unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.gauges.describe(&key, unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.histograms.describe(&key, unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        let name = |name: &str| {
            let mut name = names::metric(name);
            if self.0.options.counter_names == CounterNames::WithTotal && !name.ends_with("_total")
            {
                name.push_str("_total");
            }
            name
        };
        match self.0.cell(&self.0.counters, key, name, |_| ()) {
            Ok(cell) => metrics::Counter::from_arc(cell),
            Err(loss) => metrics::Counter::from_arc(loss),
        }
    }

    fn register_gauge(&self, key: &Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        match self.0.cell(&self.0.gauges, key, names::metric, |_| ()) {
            Ok(cell) => metrics::Gauge::from_arc(cell),
            Err(loss) => metrics::Gauge::from_arc(loss),
        }
    }

    fn register_histogram(&self, key: &Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        let shape = |name: &str| self.0.buckets.of(name);
        match self.0.cell(&self.0.histograms, key, names::metric, shape) {
            Ok(cell) => metrics::Histogram::from_arc(cell),
            Err(loss) => metrics::Histogram::from_arc(loss),
        }
    }
}

impl Shared {
    /// Where `key` counts: its series, or what counts the updates that are refused.
    fn cell<C: Cell>(
        &self,
        metrics: &Metrics<C>,
        key: &Key,
        name: impl FnOnce(&str) -> String,
        shape: impl FnOnce(&str) -> C::Shape,
    ) -> Result<Arc<C>, Arc<Loss>> {
        if let Some(cell) = metrics.handles.get(key) {
            return Ok(cell);
        }
        let family = self.family(metrics, key.name(), name, shape)?;
        family.series(key, &self.registry).map_err(|reason| {
            let reason = format!("a series of the {} `{}`: {reason}", C::TYPE, key.name());
            self.losses.refuse(family.name(), &reason)
        })
    }

    /// The family of a name in the program, registered if it is new.
    fn family<C: Cell>(
        &self,
        metrics: &Metrics<C>,
        recorded_as: &str,
        name: impl FnOnce(&str) -> String,
        shape: impl FnOnce(&str) -> C::Shape,
    ) -> Result<Arc<Family<C>>, Arc<Loss>> {
        let mut names = metrics.names.lock();
        if let Some(family) = names.families.get(recorded_as) {
            return family.clone();
        }
        let name = name(recorded_as);
        let name = MetricName::new(&name).expect("sanitised names are valid");
        if names.families.len() >= MOST_NAMES {
            // One count for all, for there is no end of these names.
            return Err(self.losses.of("overflow"));
        }
        let description = names.descriptions.get(recorded_as).cloned().unwrap_or_default();
        let family = Arc::new(Family::new(
            name.clone(),
            recorded_as,
            description,
            shape(name.as_str()),
            self.options,
            self.losses.of(name.as_str()),
            metrics.handles.clone(),
        ));
        // No user code runs in there, so the lock may be held.
        let family = match self.registry.register(family.clone()) {
            Ok(_) => Ok(family),
            Err(error) => {
                let reason = format!("the {} `{recorded_as}`: {error}", C::TYPE);
                Err(self.losses.refuse(&name, &reason))
            }
        };
        names.families.insert(recorded_as.to_owned(), family.clone());
        family
    }
}

impl<C: Cell> Metrics<C> {
    fn new() -> Self {
        let names = Names { families: HashMap::new(), descriptions: HashMap::new() };
        Self { handles: Arc::new(Handles::new()), names: Mutex::new(names) }
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, help: &str) {
        let unit = match unit {
            // What has no unit counts things; Prometheus does not write that down.
            None | Some(Unit::Count) => "",
            Some(unit) => unit.as_str(),
        };
        let description = Description { help: help.to_owned(), unit };
        let mut names = self.names.lock();
        if let Some(Ok(family)) = names.families.get(name.as_str()) {
            family.set_description(description.clone());
        }
        if names.descriptions.len() < MOST_NAMES {
            names.descriptions.insert(name.as_str().to_owned(), description);
        }
    }
}

impl fmt::Debug for MetricsRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsRecorder")
            .field("counters", &self.0.counters.names.lock().families.len())
            .field("gauges", &self.0.gauges.names.lock().families.len())
            .field("histograms", &self.0.histograms.names.lock().families.len())
            .finish_non_exhaustive()
    }
}

/// The process has a recorder already; it can have only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallError(());

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process has a recorder of the metrics facade already")
    }
}

impl std::error::Error for InstallError {}

//! The registry: what is exported, under which names, gathered into one scrape.

mod names;

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use narthex_model::{Label, LabelName, Metadata, MetricFamily, MetricName, Problem, Scrape};
use parking_lot::RwLock;

use self::names::Names;
use crate::collector::Collector;
use crate::error::{Fault, RegisterError};

/// A set of instruments and collectors that are exported together.
///
/// Cloning gives another handle to the same registry. All checks are made when something is
/// registered, so that [`gather`](Self::gather) cannot fail.
///
/// ```
/// use narthex_core::{Counter, Registry};
///
/// let registry = Registry::new();
/// let jobs = Counter::builder("jobs_total", "Jobs done.").register(&registry)?;
/// jobs.inc();
/// assert_eq!(registry.gather().value("jobs_total", &[]), Some(1.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    prefix: String,
    const_labels: Vec<Label>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    names: Names,
    /// Replaced as a whole on change, so that a gather holds no lock while it runs.
    entries: Arc<Vec<Arc<Entry>>>,
}

struct Entry {
    /// The families that are known before a gather, under their exported names.
    families: Vec<Metadata>,
    kind: EntryKind,
}

enum EntryKind {
    Instrument { metadata: Arc<Metadata>, source: Arc<dyn Source> },
    Foreign(Arc<dyn Collector>),
}

/// What an instrument is to its registry: one family, described elsewhere.
pub trait Source: Send + Sync {
    fn family(&self, metadata: &Arc<Metadata>) -> Option<MetricFamily>;

    /// Values it refused so far.
    fn refused(&self) -> u64;

    /// Lookups so far that were given the overflow series, for the family was full.
    fn overflowed(&self) -> u64 {
        0
    }
}

/// Something that can be taken out of a registry again: an instrument, a family, or the
/// [`Registration`] of a collector.
pub trait Registered: sealed::Sealed {}

pub(crate) mod sealed {
    /// Identity of what a registry holds: the address of its shared part.
    pub trait Sealed {
        fn address(&self) -> usize;
    }
}

/// The handle of a registered [`Collector`].
#[derive(Clone, Debug)]
pub struct Registration {
    address: usize,
}

impl sealed::Sealed for Registration {
    fn address(&self) -> usize {
        self.address
    }
}

impl Registered for Registration {}

impl Registry {
    /// An empty registry without prefix or constant labels.
    pub fn new() -> Self {
        Self::with(String::new(), Vec::new())
    }

    /// The process-wide registry, for programs that want just one.
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::new);
        &GLOBAL
    }

    /// Starts a registry with a prefix or constant labels.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder { prefix: String::new(), const_labels: Vec::new() }
    }

    fn with(prefix: String, const_labels: Vec<Label>) -> Self {
        Self(Arc::new(Inner { prefix, const_labels, state: RwLock::default() }))
    }

    /// Adds a collector of foreign data.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] where a family that the collector describes clashes with what
    /// is registered, or has one of the registry's constant labels; nothing is added then.
    pub fn register(&self, collector: impl Collector) -> Result<Registration, RegisterError> {
        let families: Result<Vec<_>, _> =
            collector.describe().into_iter().map(|metadata| self.exported(metadata)).collect();
        let collector: Arc<dyn Collector> = Arc::new(collector);
        let address = Arc::as_ptr(&collector).addr();
        self.add(Entry { families: families?, kind: EntryKind::Foreign(collector) })?;
        Ok(Registration { address })
    }

    pub(crate) fn register_source(
        &self,
        metadata: Metadata,
        source: Arc<dyn Source>,
    ) -> Result<(), RegisterError> {
        let metadata = self.exported(metadata)?;
        let kind = EntryKind::Instrument { metadata: Arc::new(metadata.clone()), source };
        self.add(Entry { families: vec![metadata], kind })
    }

    /// Takes an instrument, family or collector out again; its names are free at once.
    ///
    /// Returns whether it was registered here. Handles to it go on working; they just count into
    /// the void.
    pub fn unregister(&self, registered: &impl Registered) -> bool {
        let address = registered.address();
        let mut state = self.0.state.write();
        let Some(at) = state.entries.iter().position(|entry| entry.address() == address) else {
            return false;
        };
        let mut entries = state.entries.as_ref().clone();
        let removed = entries.remove(at);
        for family in &removed.families {
            state.names.remove(family);
        }
        let replaced = std::mem::replace(&mut state.entries, Arc::new(entries));
        drop(state);
        // Last: dropping a collector runs user code, which may call back into this registry.
        drop((replaced, removed));
        true
    }

    /// Takes a snapshot of everything that is registered, sorted by name.
    ///
    /// No lock is held while collectors run, and none that a counting thread could wait for. A
    /// collector that panics costs its own families; the scrape's
    /// [`problems`](Scrape::problems) tell of it.
    pub fn gather(&self) -> Scrape {
        let entries = self.0.state.read().entries.clone();
        let mut families = Vec::with_capacity(entries.len());
        let mut problems = Vec::new();
        let mut losses = Vec::new();
        for entry in entries.iter() {
            match &entry.kind {
                EntryKind::Instrument { metadata, source } => {
                    families.extend(source.family(metadata));
                    losses.push((metadata.name(), source.refused(), source.overflowed()));
                }
                EntryKind::Foreign(collector) => {
                    self.collect(&**collector, entry, &mut families, &mut problems);
                }
            }
        }
        families.extend(loss(
            "narthex_refused_values_total",
            "Values that instruments of a family did not take, such as NaN or a negative count.",
            losses.iter().map(|&(family, refused, _)| (family, refused)),
        ));
        families.extend(loss(
            "narthex_series_overflow_total",
            "Lookups of series that a family had no room for and counted as one overflow series.",
            losses.iter().map(|&(family, _, overflowed)| (family, overflowed)),
        ));
        let mut scrape = Scrape::new(families);
        for problem in problems {
            scrape.push_problem(problem);
        }
        scrape
    }

    /// The family with this registry's constant labels, but not its prefix: for families that are
    /// served beside the registry, such as those of the scrape engine's sources.
    ///
    /// # Errors
    /// Returns a [`Problem`] where the family has a label that is one of the registry's.
    pub fn with_const_labels(&self, family: MetricFamily) -> Result<MetricFamily, Problem> {
        let name = family.name().clone();
        self.relabel(family, name)
    }

    fn relabel(&self, family: MetricFamily, name: MetricName) -> Result<MetricFamily, Problem> {
        if *family.name() == name && self.0.const_labels.is_empty() {
            return Ok(family);
        }
        family
            .relabel(name.clone(), &self.0.const_labels)
            .map_err(|error| Problem::new(name, error))
    }

    fn collect(
        &self,
        collector: &dyn Collector,
        entry: &Entry,
        families: &mut Vec<MetricFamily>,
        problems: &mut Vec<Problem>,
    ) {
        let mut collected = Vec::new();
        // A half-filled list is thrown away with the panic, so nothing broken is seen afterwards.
        let outcome = catch_unwind(AssertUnwindSafe(|| collector.collect(&mut collected)));
        if let Err(panic) = outcome {
            let reason = format!("its collector panicked: {}", panic_message(&*panic));
            let described = entry.families.iter().map(|metadata| metadata.name().clone());
            let unnamed = || MetricName::new("collector").into_iter();
            let names: Vec<_> = match entry.families.is_empty() {
                true => unnamed().collect(),
                false => described.collect(),
            };
            problems.extend(names.into_iter().map(|name| Problem::new(name, &reason)));
            return;
        }
        for family in collected {
            let name = self.exported_name(family.name());
            match self.relabel(family, name) {
                Ok(family) => families.push(family),
                Err(problem) => problems.push(problem),
            }
        }
    }

    fn add(&self, entry: Entry) -> Result<(), RegisterError> {
        let mut state = self.0.state.write();
        state.names.add(&entry.families)?;
        let mut entries = state.entries.as_ref().clone();
        entries.push(Arc::new(entry));
        state.entries = Arc::new(entries);
        Ok(())
    }

    /// The description as this registry exports it.
    fn exported(&self, metadata: Metadata) -> Result<Metadata, RegisterError> {
        let name = self.exported_name(metadata.name());
        metadata
            .with_name(name.clone())
            .with_const_labels(self.0.const_labels.iter().cloned())
            .map_err(|error| RegisterError::new(name.as_str(), Fault::Labels(error)))
    }

    fn exported_name(&self, name: &MetricName) -> MetricName {
        if self.0.prefix.is_empty() {
            return name.clone();
        }
        let prefixed = format!("{}_{name}", self.0.prefix);
        MetricName::new_utf8(&prefixed).expect("a prefixed name is not empty")
    }
}

/// No user code runs under the registry's lock, so a panic elsewhere leaves it whole.
impl UnwindSafe for Registry {}
impl RefUnwindSafe for Registry {}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.0.state.read().entries.len();
        f.debug_struct("Registry").field("entries", &entries).finish_non_exhaustive()
    }
}

impl Entry {
    fn address(&self) -> usize {
        match &self.kind {
            EntryKind::Instrument { source, .. } => Arc::as_ptr(source).addr(),
            EntryKind::Foreign(collector) => Arc::as_ptr(collector).addr(),
        }
    }
}

/// Builds a [`Registry`] whose families share a prefix or constant labels.
///
/// ```
/// use narthex_core::{Counter, Registry};
///
/// let registry = Registry::builder().prefix("app").const_label("zone", "a").build()?;
/// Counter::builder("jobs_total", "Jobs done.").register(&registry)?.inc();
/// assert_eq!(registry.gather().value("app_jobs_total", &[("zone", "a")]), Some(1.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RegistryBuilder {
    prefix: String,
    const_labels: Vec<(String, String)>,
}

impl RegistryBuilder {
    /// Puts `prefix` and an underscore before every name; by default there is none.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Adds a label to every series.
    #[must_use]
    pub fn const_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.const_labels.push((name.into(), value.into()));
        self
    }

    /// Builds the registry.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] for a prefix or label name outside the classic set and for a
    /// label given twice.
    pub fn build(self) -> Result<Registry, RegisterError> {
        let error = |fault| RegisterError::new(&self.prefix, fault);
        if !self.prefix.is_empty() {
            MetricName::new(&self.prefix).map_err(|e| error(Fault::Name(e)))?;
        }
        let labels: Result<Vec<_>, _> = self
            .const_labels
            .iter()
            .map(|(name, value)| {
                LabelName::new(name).map(|name| Label { name, value: value.as_str().into() })
            })
            .collect();
        let labels = labels.map_err(|e| error(Fault::Name(e)))?;
        let probe = MetricName::new("registry").expect("a valid name");
        Metadata::new(probe, narthex_model::MetricType::Unknown, "")
            .with_const_labels(labels.iter().cloned())
            .map_err(|e| error(Fault::Labels(e)))?;
        Ok(Registry::with(self.prefix, labels))
    }
}

/// What families lost, so that nothing is lost silently; `None` while nothing is.
fn loss<'a>(
    name: &str,
    help: &str,
    losses: impl Iterator<Item = (&'a MetricName, u64)>,
) -> Option<MetricFamily> {
    let mut losses = losses.filter(|(_, count)| *count > 0).peekable();
    losses.peek()?;
    let mut family = MetricFamily::counter(name, help).label_names(["family"]);
    for (name, count) in losses {
        family.push([name.as_str()], count);
    }
    family.build().ok()
}

/// What a panic said, where it said something.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

//! The registry: what is exported, under which names, gathered into one scrape.

mod names;
mod scope;
mod transaction;

use std::any::Any;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use narthex_model::{LabelName, Metadata, MetricFamily, MetricName, Problem, Scrape};
use parking_lot::RwLock;

use self::names::Names;
use self::scope::{Existing, Scope};
use crate::builder::Instrument;
use crate::collector::Collector;
use crate::error::{Fault, RegisterError};
use crate::storage::Options;

pub use self::scope::RegistryBuilder;

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
pub struct Registry {
    scope: Arc<Scope>,
    state: Arc<RwLock<State>>,
}

#[derive(Clone, Default)]
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
    Instrument {
        metadata: Arc<Metadata>,
        source: Arc<dyn Source>,
        shows_created: bool,
        /// What makes another handle to the instrument: [`Kept`] of its type.
        kept: Arc<AnyKept>,
    },
    Foreign {
        collector: Arc<dyn Collector>,
        scope: Arc<Scope>,
    },
}

/// What a registry keeps of an instrument to hand it out again.
pub(crate) struct Kept<I: Instrument> {
    pub(crate) instrument: I,
    /// In the order in which lookups give values.
    pub(crate) label_names: Vec<LabelName>,
    pub(crate) config: I::Config,
    pub(crate) options: Options,
}

/// A [`Kept`] of any type.
type AnyKept = dyn Any + Send + Sync;

impl<I: Instrument> Kept<I> {
    /// The existing instrument if it was described like this one, else what differs.
    fn like(
        &self,
        metadata: &Metadata,
        existing: (&Metadata, &Arc<AnyKept>),
    ) -> Result<I, &'static str> {
        let (described, existing) = existing;
        if let Some(what) = names::difference(metadata, described) {
            return Err(what);
        }
        let existing = existing.downcast_ref::<Self>().ok_or("Rust type")?;
        if existing.label_names != self.label_names {
            return Err("order of label names");
        }
        if existing.config != self.config {
            return Err(I::CONFIG);
        }
        if existing.options != self.options {
            return Err("limits");
        }
        Ok(existing.instrument.clone())
    }
}

/// What an instrument is to its registry: one family, described elsewhere.
pub trait Source: Send + Sync {
    fn family(&self, metadata: &Arc<Metadata>) -> Option<MetricFamily>;

    /// Values it refused so far.
    fn refused(&self) -> u64;

    /// Since when it counts, in milliseconds since the Unix epoch, where it is one series.
    fn created(&self) -> Option<i64> {
        None
    }

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
        Self { scope: Arc::default(), state: Arc::default() }
    }

    /// The process-wide registry, for programs that want just one.
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::new);
        &GLOBAL
    }

    /// Starts a registry with a prefix or constant labels.
    pub fn builder() -> RegistryBuilder {
        Self::new().scope()
    }

    /// Adds a collector of foreign data.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] where a family that the collector describes clashes with what
    /// is registered, or has one of the registry's constant labels; nothing is added then.
    pub fn register(&self, collector: impl Collector) -> Result<Registration, RegisterError> {
        let families: Result<Vec<_>, _> = collector
            .describe()
            .into_iter()
            .map(|metadata| self.scope.exported(metadata))
            .collect();
        let collector: Arc<dyn Collector> = Arc::new(collector);
        let address = Arc::as_ptr(&collector).addr();
        let kind = EntryKind::Foreign { collector, scope: self.scope.clone() };
        let entry = Arc::new(Entry { families: families?, kind });
        self.state.write().add(&entry)?;
        Ok(Registration { address })
    }

    /// Registers an instrument and gives it back, or the one like it that is registered already,
    /// where this handle reuses.
    pub(crate) fn register_instrument<I: Instrument>(
        &self,
        metadata: Metadata,
        source: Arc<dyn Source>,
        kept: Kept<I>,
    ) -> Result<I, RegisterError> {
        let metadata = Arc::new(self.scope.exported(metadata)?);
        let shows_created = kept.options.created;
        let kept = Arc::new(kept);
        let entry = Arc::new(Entry {
            families: vec![metadata.as_ref().clone()],
            kind: EntryKind::Instrument {
                metadata: metadata.clone(),
                source,
                shows_created,
                kept: kept.clone(),
            },
        });
        let mut state = self.state.write();
        if self.scope.existing == Existing::Reused
            && let Some(existing) = state.instrument_like(&metadata)
        {
            return kept.like(&metadata, existing).map_err(|what| {
                RegisterError::new(metadata.name().as_str(), Fault::Differs { what })
            });
        }
        state.add(&entry)?;
        Ok(kept.instrument.clone())
    }

    /// Takes an instrument, family or collector out again; its names are free at once.
    ///
    /// Returns whether it was registered here. Handles to it go on working; they just count into
    /// the void.
    pub fn unregister(&self, registered: &impl Registered) -> bool {
        let removed = self.state.write().remove(registered.address());
        // The lock is free: dropping a collector runs user code, which may call back into this.
        removed.is_some()
    }

    /// Takes a snapshot of everything that is registered, sorted by name.
    ///
    /// No lock is held while collectors and the closures of computed instruments run, and none that
    /// a counting thread could wait for. One that panics costs its own families; the scrape's
    /// [`problems`](Scrape::problems) tell of it.
    pub fn gather(&self) -> Scrape {
        let entries = self.state.read().entries.clone();
        let mut families = Vec::with_capacity(entries.len());
        let mut problems = Vec::new();
        let mut losses = Vec::new();
        for entry in entries.iter() {
            match &entry.kind {
                EntryKind::Instrument { metadata, source, shows_created, .. } => {
                    let family = snapshot(&**source, metadata, &mut problems);
                    let created = source.created().filter(|_| *shows_created);
                    families.extend(match created {
                        None => family,
                        created => family.and_then(|f| f.with_created(vec![created]).ok()),
                    });
                    losses.push((metadata.name(), source.refused(), source.overflowed()));
                }
                EntryKind::Foreign { collector, scope } => {
                    collect(&**collector, scope, entry, &mut families, &mut problems);
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
        self.scope.relabel(family, name)
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
        let entries = self.state.read().entries.len();
        f.debug_struct("Registry").field("entries", &entries).finish_non_exhaustive()
    }
}

/// Adds the families of a collector, or a problem where it fails.
fn collect(
    collector: &dyn Collector,
    scope: &Scope,
    entry: &Entry,
    families: &mut Vec<MetricFamily>,
    problems: &mut Vec<Problem>,
) {
    let mut collected = Vec::new();
    // A half-filled list is thrown away with the panic, so nothing broken is seen afterwards.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        collector.collect(&mut collected);
        collector.problems()
    }));
    match outcome {
        Ok(left_out) => problems.extend(left_out),
        Err(panic) => {
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
    }
    for family in collected {
        let name = scope.exported_name(family.name());
        match scope.relabel(family, name) {
            Ok(family) => families.push(family),
            Err(problem) => problems.push(problem),
        }
    }
}

impl State {
    fn add(&mut self, entry: &Arc<Entry>) -> Result<(), RegisterError> {
        self.names.add(&entry.families)?;
        let mut entries = self.entries.as_ref().clone();
        entries.push(entry.clone());
        self.entries = Arc::new(entries);
        Ok(())
    }

    /// Takes an entry out, and gives the entries as they were, to be dropped without the lock.
    fn remove(&mut self, address: usize) -> Option<Arc<Vec<Arc<Entry>>>> {
        let at = self.entries.iter().position(|entry| entry.address() == address)?;
        let mut entries = self.entries.as_ref().clone();
        for family in &entries.remove(at).families {
            self.names.remove(family);
        }
        Some(std::mem::replace(&mut self.entries, Arc::new(entries)))
    }

    /// The instrument that is registered under this name and these constant labels.
    fn instrument_like(&self, metadata: &Metadata) -> Option<(&Metadata, &Arc<AnyKept>)> {
        self.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::Instrument { metadata: other, kept, .. }
                if other.name() == metadata.name()
                    && other.const_labels() == metadata.const_labels() =>
            {
                Some((&**other, kept))
            }
            _ => None,
        })
    }
}

impl Entry {
    fn address(&self) -> usize {
        match &self.kind {
            EntryKind::Instrument { source, .. } => Arc::as_ptr(source).addr(),
            EntryKind::Foreign { collector, .. } => Arc::as_ptr(collector).addr(),
        }
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

/// The family of an instrument, whose value a closure of the user may give.
fn snapshot(
    source: &dyn Source,
    metadata: &Arc<Metadata>,
    problems: &mut Vec<Problem>,
) -> Option<MetricFamily> {
    // Nothing of narthex is changed while user code runs, so nothing is left half done.
    let outcome = catch_unwind(AssertUnwindSafe(|| source.family(metadata)));
    outcome.unwrap_or_else(|panic| {
        let reason = format!("its closure panicked: {}", panic_message(&*panic));
        problems.push(Problem::new(metadata.name().clone(), reason));
        None
    })
}

/// What a panic said, where it said something.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

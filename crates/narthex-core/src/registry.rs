//! The registry: what is exported, under which names, gathered into one scrape.

mod collect;
mod names;
mod scope;
mod transaction;

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, LazyLock};

use narthex_model::{LabelName, Metadata, MetricFamily, Part, Problem, Scrape, SpareColumns};
use parking_lot::RwLock;

use self::collect::{foreign_families, instruments};
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
    families: Vec<Arc<Metadata>>,
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
    /// The family as it is now, its column made of a `spare` one.
    fn family(&self, metadata: &Arc<Metadata>, spare: &mut SpareColumns) -> Option<MetricFamily>;

    /// Calls `each` with the family part by part; `None` where it cannot be had like that now.
    fn visit(
        &self,
        _metadata: &Arc<Metadata>,
        _spare: &mut SpareColumns,
        _each: &mut dyn FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> Option<ControlFlow<()>> {
        None
    }

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
            .map(|metadata| self.scope.exported(metadata).map(Arc::new))
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
            families: vec![metadata.clone()],
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
        let mut scrape = Scrape::default();
        self.gather_into(&mut scrape);
        scrape
    }

    /// Does the same in the memory of an earlier scrape of this registry, which is replaced.
    ///
    /// ```
    /// use narthex_core::{Counter, Registry};
    ///
    /// let registry = Registry::new();
    /// let jobs = Counter::builder("jobs_total", "Jobs done.").register(&registry)?;
    /// let mut scrape = registry.gather();
    /// jobs.inc();
    /// registry.gather_into(&mut scrape);
    /// assert_eq!(scrape.value("jobs_total", &[]), Some(1.0));
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn gather_into(&self, scrape: &mut Scrape) {
        let entries = self.entries();
        let mut old = std::mem::take(scrape).into_families().into_iter().peekable();
        let mut spare = SpareColumns::default();
        let mut families = Vec::with_capacity(entries.len());
        let mut problems = Vec::new();
        for instrument in instruments(&entries) {
            // Both are sorted by name, so that each family gets the column it had.
            while let Some(old) = old.next_if(|old| old.name() <= instrument.metadata.name()) {
                if old.name() == instrument.metadata.name() {
                    spare.put(old.into_values());
                }
            }
            families.extend(instrument.snapshot(&mut spare, &mut problems));
        }
        families.extend(foreign_families(&entries, &mut problems));
        *scrape = Scrape::new(families);
        scrape.push_problems(problems);
    }

    /// What is registered: instruments by name, then collectors.
    fn entries(&self) -> Arc<Vec<Arc<Entry>>> {
        self.state.read().entries.clone()
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

impl State {
    fn add(&mut self, entry: &Arc<Entry>) -> Result<(), RegisterError> {
        self.names.add(&entry.families)?;
        let place = self.entries.partition_point(|other| other.sorts_before(entry));
        // A copy only while a gather has the list.
        Arc::make_mut(&mut self.entries).insert(place, entry.clone());
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
        let before = |entry: &Arc<Entry>| {
            entry.instrument().is_some_and(|(other, _)| other.name() < metadata.name())
        };
        let first = self.entries.partition_point(before);
        self.entries[first..]
            .iter()
            .map_while(|entry| entry.instrument())
            .take_while(|(other, _)| other.name() == metadata.name())
            .find(|(other, _)| other.const_labels() == metadata.const_labels())
    }
}

impl Entry {
    /// Whether this entry stays before a new one: instruments are sorted by name and come before
    /// collectors, so that a scrape finds them in the order of the page.
    fn sorts_before(&self, new: &Self) -> bool {
        match (&self.kind, &new.kind) {
            (
                EntryKind::Instrument { metadata, .. },
                EntryKind::Instrument { metadata: new, .. },
            ) => metadata.name() <= new.name(),
            (EntryKind::Instrument { .. }, _) => true,
            (EntryKind::Foreign { .. }, EntryKind::Instrument { .. }) => false,
            (EntryKind::Foreign { .. }, EntryKind::Foreign { .. }) => true,
        }
    }

    fn instrument(&self) -> Option<(&Metadata, &Arc<AnyKept>)> {
        match &self.kind {
            EntryKind::Instrument { metadata, kept, .. } => Some((&**metadata, kept)),
            EntryKind::Foreign { .. } => None,
        }
    }

    fn address(&self) -> usize {
        match &self.kind {
            EntryKind::Instrument { source, .. } => Arc::as_ptr(source).addr(),
            EntryKind::Foreign { collector, .. } => Arc::as_ptr(collector).addr(),
        }
    }
}

/// What a panic said, where it said something.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

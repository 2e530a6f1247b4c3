//! The instruments, each in its own file, and what they have in common.

mod computed;
mod counter;
mod exemplars;
mod gauge;
mod gauge_histogram;
mod histogram;
mod info;
mod state_set;
mod summary;
mod total;
mod unknown;
mod whole;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{ControlFlow, Deref};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::{
    Column, Exemplars, LabelName, Metadata, MetricFamily, MetricType, Part, SpareColumns,
};

pub use computed::{Computed, Reading};
pub use counter::Counter;
pub use gauge::Gauge;
pub use gauge_histogram::GaugeHistogram;
pub use histogram::{Histogram, NativeLimits};
pub use info::Info;
pub use state_set::{StateError, StateSet};
pub use summary::Summary;
pub use total::Total;
pub use unknown::Unknown;

use crate::error::Fault;
use crate::registry::Source;
use crate::storage::cells::LeasedCell;
use crate::storage::slots::SeriesId;
use crate::storage::{DenseSeries, Options, Series, Snapshot, Store};
use exemplars::SeriesExemplars;

/// An instrument that a family can have one of for each label set, such as a [`Counter`] or a
/// [`Histogram`].
///
/// This trait is sealed.
pub trait Metric: sealed::Kind {}

/// An instrument that adds up what it counts from some time on: a [`Counter`], a [`Histogram`] or a
/// [`Summary`].
///
/// This trait is sealed.
pub trait Cumulative: Metric {}

impl Cumulative for Counter {}
impl Cumulative for Histogram {}
impl Cumulative for Summary {}

pub(crate) mod sealed {
    use super::{
        Arc, Column, Fault, Metadata, MetricFamily, MetricType, OwnedSeries, SeriesId,
        SeriesShared, Snapshot, Source, SpareColumns,
    };

    /// What narthex knows of an instrument's type.
    pub trait Kind: Sized + Clone + Send + Sync + 'static {
        const TYPE: MetricType;

        /// What a builder collects.
        type Config: Default + Clone + PartialEq + Send + Sync + std::fmt::Debug + 'static;

        /// What an error calls the configuration.
        const CONFIG: &'static str = "settings";

        /// The checked configuration, shared by all series of a family.
        type Shape: Send + Sync;

        fn shape(config: Self::Config) -> Result<Self::Shape, Fault>;

        /// Whether series can count in cells of each thread; the first word of such a series'
        /// value is its cell.
        const PER_THREAD: bool;

        /// Words a series' value takes.
        fn value_words(shape: &Self::Shape) -> usize;

        /// The values of all series of a snapshot.
        fn column(
            shared: &SeriesShared<Self>,
            snapshot: &Snapshot,
            spare: &mut SpareColumns,
        ) -> Column;

        /// Whether the rows of a family are its series, so that a part of a snapshot makes a part
        /// of the family.
        const IN_PARTS: bool = true;

        /// The family of a snapshot: by default its series as they are stored.
        fn family(
            shared: &SeriesShared<Self>,
            metadata: &Arc<Metadata>,
            snapshot: Snapshot,
            spare: &mut SpareColumns,
        ) -> Option<MetricFamily> {
            let column = Self::column(shared, &snapshot, spare);
            MetricFamily::from_parts(metadata.clone(), snapshot.series, column).ok()
        }

        /// When a series was last reset, in milliseconds since the Unix epoch.
        fn reset_at(_: &SeriesShared<Self>, _: SeriesId) -> Option<i64> {
            None
        }

        /// Frees what removed series have left beside their records.
        fn sweep(_: &SeriesShared<Self>, _: &Snapshot) {}

        /// An instrument on its own, without labels.
        fn alone(shape: Self::Shape) -> Result<Self, Fault>;

        /// An instrument that is a series of a family.
        fn of_series(series: OwnedSeries<Self>) -> Self;

        /// What a registry gathers of an instrument on its own.
        fn source(&self) -> Option<Arc<dyn Source>>;
    }
}

/// A family of instruments as its handles share it.
pub struct SeriesShared<M: sealed::Kind> {
    store: Store,
    shape: M::Shape,
    refused: Refused,
    exemplars: SeriesExemplars,
    /// Where handles of removed series count: shown nowhere.
    void: Box<[AtomicU64]>,
}

impl<M: Metric> SeriesShared<M> {
    pub(crate) fn new(names: Vec<LabelName>, shape: M::Shape, options: Options) -> Self {
        let in_cells = match M::PER_THREAD {
            false => 0,
            // Found by number, counting is so fast that sharing the count would be most of it.
            true if options.per_thread || options.dense > 0 => u32::MAX,
            // Threads meet in families of few series; cells for many would take too much memory.
            true => Store::NEAR_RECORDS,
        };
        let words = M::value_words(&shape);
        let store = Store::new(names, words, options, in_cells);
        let void = (0..words).map(|_| AtomicU64::new(0)).collect();
        let exemplars = SeriesExemplars::default();
        Self { store, shape, refused: Refused::default(), exemplars, void }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Removes the series that have all of these label values, and gives their number.
    pub(crate) fn remove_matching(&self, labels: &[(&str, &str)]) -> usize {
        let names = self.store.names();
        let place = |label: &str| names.iter().position(|name| name.as_str() == label);
        let wanted: Option<Vec<_>> =
            labels.iter().map(|&(label, value)| Some((place(label)?, value))).collect();
        let Some(wanted) = wanted else { return 0 };
        self.store.retain(|values| !wanted.iter().all(|&(place, value)| values[place] == value))
    }

    #[inline(always)]
    pub(crate) fn with<const N: usize>(&self, values: &[&str; N]) -> Child<'_, M> {
        self.child(self.store.with(values))
    }

    /// The series that was at hand by the number of its label set.
    #[inline(always)]
    pub(crate) fn at_hand(&self, series: DenseSeries) -> Child<'_, M> {
        if M::PER_THREAD {
            Child { shared: self, place: Place::Here(series) }
        } else {
            self.found(Some(series))
        }
    }

    /// The series that was found by the number of its label set.
    #[inline(always)]
    pub(crate) fn found(&self, series: Option<DenseSeries>) -> Child<'_, M> {
        match series {
            // Found by number, all series that can count per thread do.
            Some(series) if M::PER_THREAD => Child { shared: self, place: Place::Cell(series) },
            series => self.child(series.and_then(|series| self.store.at(series.position()))),
        }
    }

    /// The series of a snapshot, in the order of its rows.
    fn ids(&self, snapshot: &Snapshot) -> Vec<SeriesId> {
        let mut ids = Vec::with_capacity(snapshot.len());
        snapshot.for_each_record(|position, record| ids.push(self.id(position, record)));
        ids
    }

    /// The series of a record that a snapshot shows.
    fn id(&self, position: u32, record: &[AtomicU64]) -> SeriesId {
        let generation = record[self.void.len()].load(Relaxed) as u32;
        // Odd while it is live. A series that was removed meanwhile is shown once more.
        let generation = if generation & 1 == 1 { generation } else { generation.wrapping_sub(1) };
        SeriesId { position, generation }
    }

    #[inline(always)]
    fn child<'f>(&'f self, series: Option<Series<'f>>) -> Child<'f, M> {
        let place = match series {
            // Where it is known that there are no cells, nothing is left of this.
            Some(series) => match self.store.cell(series).filter(|_| M::PER_THREAD) {
                Some(cell) => {
                    let series = DenseSeries::new(series.position, cell.near());
                    if series.cell().is_here() { Place::Here(series) } else { Place::Cell(series) }
                }
                None => Place::Record(series),
            },
            None => {
                self.refused.count();
                Place::Void
            }
        };
        Child { shared: self, place }
    }
}

/// No user code runs under the store's lock, so a panic elsewhere leaves it whole.
impl<M: sealed::Kind> UnwindSafe for SeriesShared<M> {}
impl<M: sealed::Kind> RefUnwindSafe for SeriesShared<M> {}

impl<M: sealed::Kind> fmt::Debug for SeriesShared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesShared<{}>({} series)", M::TYPE, self.store.len())
    }
}

impl<M: Metric> Source for SeriesShared<M> {
    fn family(&self, metadata: &Arc<Metadata>, spare: &mut SpareColumns) -> Option<MetricFamily> {
        self.store.sweep();
        let snapshot = self.store.snapshot();
        M::sweep(self, &snapshot);
        let exemplars = self.exemplars.slots();
        if exemplars.is_none() && !self.store.shows_created() {
            return M::family(self, metadata, snapshot, spare);
        }
        let series = self.ids(&snapshot);
        if let Some(exemplars) = exemplars {
            exemplars.sweep(&self.store, &snapshot);
        }
        let mut family = M::family(self, metadata, snapshot, spare)?;
        if self.store.shows_created() {
            // After the values, for a look at them may be what resets a histogram.
            let created =
                |id: &SeriesId| M::reset_at(self, *id).or_else(|| self.store.created(id.position));
            family = family.with_created(series.iter().map(created).collect()).ok()?;
        }
        if let Some(exemplars) = exemplars {
            let mut shown = Exemplars::new();
            for (row, id) in series.iter().enumerate() {
                exemplars.look(*id, |latest| latest.show(row, &mut shown));
            }
            family = family.with_exemplars(shown).ok()?;
        }
        Some(family)
    }

    fn visit(
        &self,
        metadata: &Arc<Metadata>,
        spare: &mut SpareColumns,
        each: &mut dyn FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> Option<ControlFlow<()>> {
        /// Words of values in a part. They are 64 KiB, which stay in the second-level cache until
        /// they are written to the page.
        const PART: usize = 8192;
        if !M::IN_PARTS || self.exemplars.slots().is_some() || self.store.shows_created() {
            return None;
        }
        self.store.sweep();
        let snapshot = self.store.snapshot();
        M::sweep(self, &snapshot);
        let rows = (PART / self.void.len().max(1)).max(1);
        let mut start = 0;
        loop {
            let part = snapshot.part(start..start + rows);
            let end = start + part.len();
            let Some(family) = M::family(self, metadata, part, spare) else { break };
            let outcome = each(Part::new(&family, &snapshot.series, start));
            spare.put(family.into_values());
            if outcome.is_break() || end == snapshot.len() {
                return Some(outcome);
            }
            start = end;
        }
        Some(ControlFlow::Continue(()))
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }

    fn overflowed(&self) -> u64 {
        self.store.overflowed()
    }
}

/// One series of a family, borrowed: what [`Family::with`](crate::Family::with) hands out.
///
/// It is `Copy`, holds no lock and no count of references, and writes nothing but the value. To
/// keep a series, use [`Family::resolve`](crate::Family::resolve). A child that is used after its
/// series was removed counts into the void.
pub struct Child<'f, M: Metric> {
    shared: &'f SeriesShared<M>,
    place: Place<'f>,
}

/// Where a series counts.
#[derive(Clone, Copy)]
enum Place<'f> {
    /// In its record.
    Record(Series<'f>),
    /// In a cell of each thread, which the one that looked it up has at hand. It is told from
    /// others so that the compiler need not ask again whether the cell is there.
    Here(DenseSeries),
    /// In a cell of each thread.
    Cell(DenseSeries),
    /// Nowhere: the lookup gave a wrong number of values.
    Void,
}

impl<'f, M: Metric> Child<'f, M> {
    /// The words of the value, where series count in their records.
    #[inline(always)]
    fn values(self) -> &'f [AtomicU64] {
        match self.place {
            Place::Record(series) => series.values,
            Place::Here(_) | Place::Cell(_) | Place::Void => &self.shared.void,
        }
    }

    /// The series, unless it was removed.
    fn id(self) -> Option<SeriesId> {
        let position = self.position()?;
        let generation = self.shared.store.live_generation(position)?;
        Some(SeriesId { position, generation })
    }

    fn position(self) -> Option<u32> {
        match self.place {
            Place::Record(series) => Some(series.position),
            Place::Here(series) | Place::Cell(series) => Some(series.position()),
            Place::Void => None,
        }
    }
}

impl<M: Metric> Clone for Child<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Metric> Copy for Child<'_, M> {}

impl<M: Metric> fmt::Debug for Child<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child<{}>", M::TYPE)
    }
}

/// One series of a family that its handle keeps alive.
#[derive(Debug)]
pub struct OwnedSeries<M: sealed::Kind> {
    shared: Arc<SeriesShared<M>>,
    /// The chunk and offset of the record, and its generation when it was looked up.
    record: Option<(Arc<[AtomicU64]>, usize, u32)>,
    position: u32,
}

impl<M: Metric> OwnedSeries<M> {
    /// An instrument on its own: the one series of a family without labels.
    fn alone(shape: M::Shape) -> Self {
        let shared = Arc::new(SeriesShared::new(Vec::new(), shape, Options::default()));
        Self::new(&shared, shared.with(&[]))
    }

    /// What a registry gathers of an instrument on its own.
    fn source(&self) -> Option<Arc<dyn Source>> {
        self.shared.store.names().is_empty().then(|| self.shared.clone() as Arc<dyn Source>)
    }

    pub(crate) fn new(shared: &Arc<SeriesShared<M>>, child: Child<'_, M>) -> Self {
        let position = child.position();
        let record = position.and_then(|position| shared.store.owned(position));
        Self { shared: shared.clone(), record, position: position.unwrap_or_default() }
    }

    /// The words of the value, unless the series was removed.
    #[inline(always)]
    fn values(&self) -> &[AtomicU64] {
        let void = &*self.shared.void;
        let words = void.len();
        let Some((chunk, at, generation)) = &self.record else { return void };
        match chunk.get(*at..*at + words + 1) {
            // Relaxed: a removal that is concurrent to a count may come before or after it.
            Some([values @ .., current]) if current.load(Relaxed) as u32 == *generation => values,
            _ => void,
        }
    }
}

impl<M: Metric> OwnedSeries<M> {
    /// The series, unless it was removed.
    fn id(&self) -> Option<SeriesId> {
        let (_, _, generation) = self.record.as_ref().filter(|_| self.is_live())?;
        Some(SeriesId { position: self.position, generation: *generation })
    }

    /// Whether the series has not been removed.
    fn is_live(&self) -> bool {
        !self.is_void(self.values())
    }

    /// Whether these are the words that handles of removed series get.
    fn is_void(&self, values: &[AtomicU64]) -> bool {
        std::ptr::eq(values, &*self.shared.void)
    }

    /// The cell of the series, if it has one in each thread and was not removed.
    #[inline(always)]
    fn cell(&self) -> Option<LeasedCell> {
        let series = Series { values: self.values(), position: self.position };
        self.shared.store.cell(series).filter(|_| !self.is_void(series.values))
    }
}

impl<M: sealed::Kind> Clone for OwnedSeries<M> {
    fn clone(&self) -> Self {
        let Self { shared, record, position } = self;
        Self { shared: shared.clone(), record: record.clone(), position: *position }
    }
}

/// A series that is removed when this is dropped; made by
/// [`Family::scoped`](crate::Family::scoped).
///
/// It is used like the instrument that it is.
#[must_use = "the series is removed when this is dropped"]
#[derive(Debug)]
pub struct ScopedSeries<M: Metric> {
    instrument: M,
    series: OwnedSeries<M>,
}

impl<M: Metric> ScopedSeries<M> {
    pub(crate) fn new(series: OwnedSeries<M>) -> Self {
        Self { instrument: M::of_series(series.clone()), series }
    }
}

impl<M: Metric> Deref for ScopedSeries<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.instrument
    }
}

impl<M: Metric> Drop for ScopedSeries<M> {
    fn drop(&mut self) {
        let OwnedSeries { shared, record, position } = &self.series;
        if let Some((_, _, generation)) = record {
            shared.store.remove_record(*position, *generation);
        }
    }
}

/// Counts values that an instrument refused, such as a negative count.
#[derive(Debug, Default)]
pub(crate) struct Refused(AtomicU64);

impl Refused {
    #[cold]
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Adds to a float that others may add to.
#[inline(always)]
pub(crate) fn add_f64(cell: &AtomicU64, by: f64) {
    let mut current = cell.load(Relaxed);
    loop {
        let sum = (f64::from_bits(current) + by).to_bits();
        // Relaxed: the sum is one word, and nothing else is published with it.
        match cell.compare_exchange_weak(current, sum, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(found) => current = found,
        }
    }
}

/// Ties a handle to the type of its labels, which it never holds.
pub(crate) type LabelsOf<L> = PhantomData<fn() -> L>;

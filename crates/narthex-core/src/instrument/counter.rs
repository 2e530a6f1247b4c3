//! Counters: totals that only grow.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::{Column, Metadata, MetricFamily, MetricType, Number, SpareColumns};

use super::exemplars::{self, LoneExemplars, Slot};
use super::{Child, Metric, OwnedSeries, Place, Refused, SeriesShared, add_f64, sealed};
use crate::builder::Builder;
use crate::clock;
use crate::error::Fault;
use crate::guard::Attempt;
use crate::registry::Source;
use crate::storage::cells::{self, Lease, LeasedCell, Near};
use crate::storage::{DenseSeries, Series, Snapshot};

/// A total that only grows, such as requests served or bytes sent.
///
/// Whole numbers are exact up to `u64::MAX`, where the counter stays; fractions are kept beside
/// them. Cloning gives another handle to the same counter. Counting takes no lock, and threads that
/// count at once do not slow each other down: each has a cell of its own.
///
/// ```
/// use narthex_core::{Counter, Registry};
///
/// let registry = Registry::new();
/// let sent = Counter::builder("sent_bytes_total", "Bytes sent.").register(&registry)?;
/// sent.inc_by(1500);
/// sent.inc();
/// assert_eq!(sent.value(), 1501.0);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Counter {
    /// Where it counts, if that is in a cell of each thread. It is beside the pointers so that
    /// counting follows none, and leads nowhere for a series, so that counting need not ask.
    cell: Near,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Alone(Arc<Alone>),
    Series(OwnedSeries<Counter>),
}

/// A counter without labels.
struct Alone {
    whole: Lease,
    fraction: AtomicU64,
    refused: Refused,
    exemplars: LoneExemplars,
    created: i64,
}

impl Counter {
    /// Starts a counter; `help` says what it counts.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        if !self.cell.inc() {
            self.inc_elsewhere(1);
        }
    }

    /// Adds a whole number.
    #[inline(always)]
    pub fn inc_by(&self, by: u64) {
        if !self.cell.add(by) {
            self.inc_elsewhere(by);
        }
    }

    #[inline]
    fn inc_elsewhere(&self, by: u64) {
        match &self.kind {
            Kind::Alone(alone) => cells::add(alone.whole.first(), by),
            Kind::Series(series) => {
                if let Some(cell) = series.cell() {
                    cell.add(by);
                } else if let [whole, ..] = series.values() {
                    cells::add_shared(whole, by);
                }
            }
        }
    }

    /// Adds one and keeps labels that tell what was counted; see
    /// [`inc_by_with_exemplar`](Self::inc_by_with_exemplar).
    pub fn inc_with_exemplar<N: AsRef<str>, V: AsRef<str>>(
        &self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        self.inc_by_with_exemplar(1, labels);
    }

    /// Adds a whole number and keeps it as the exemplar of this counter, with labels that tell what
    /// was counted.
    ///
    /// It takes the place of the one before, unless another thread keeps one at the same time. An
    /// exemplar whose labels are not valid or longer than 128 characters together is refused, and
    /// counted in `narthex_refused_values_total`; the number is added all the same.
    ///
    /// ```
    /// use narthex_core::{Counter, Registry};
    ///
    /// let registry = Registry::new();
    /// let sent = Counter::builder("sent_bytes_total", "Bytes sent.").register(&registry)?;
    /// sent.inc_by_with_exemplar(1500, [("trace_id", "KOO5S4vxi0o")]);
    /// assert_eq!(sent.value(), 1500.0);
    /// assert!(registry.gather().families()[0].exemplars().is_some());
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn inc_by_with_exemplar<N: AsRef<str>, V: AsRef<str>>(
        &self,
        by: u64,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        self.inc_by(by);
        let exemplar = exemplars::new(labels, by as f64);
        match (&self.kind, exemplar) {
            (Kind::Alone(counter), Some(exemplar)) => {
                counter.exemplars.keep(Slot::Bucket(0), exemplar);
            }
            (Kind::Alone(counter), None) => counter.refused.count(),
            (Kind::Series(series), Some(exemplar)) => {
                if let Some(id) = series.id() {
                    series.shared.exemplars.keep(id, Slot::Bucket(0), exemplar);
                }
            }
            (Kind::Series(series), None) => series.shared.refused.count(),
        }
    }

    /// Adds any number that is not negative.
    ///
    /// A negative, infinite or NaN value is refused: it changes nothing and is counted in
    /// `narthex_refused_values_total`.
    pub fn add(&self, by: f64) {
        match Addend::of(by) {
            Addend::Whole(by) => self.inc_by(by),
            Addend::Fraction(by) => match &self.kind {
                Kind::Alone(counter) => add_f64(&counter.fraction, by),
                Kind::Series(series) => {
                    if series.is_live() {
                        add_f64(series.shared.store.extra_or_new(series.position), by);
                    }
                }
            },
            Addend::Refused => match &self.kind {
                Kind::Alone(counter) => counter.refused.count(),
                Kind::Series(series) => series.shared.refused.count(),
            },
        }
    }

    /// Begins an attempt that counts as failed when it is dropped, unless it
    /// [succeeded](Attempt::succeed).
    #[inline]
    pub fn attempt(&self) -> Attempt {
        Attempt::start(self)
    }

    /// The total as it stands, the fractions included.
    pub fn value(&self) -> f64 {
        match &self.kind {
            Kind::Alone(counter) => counter.total().as_f64(),
            Kind::Series(series) if !series.is_live() => 0.0,
            Kind::Series(series) => {
                let word = || series.values().first().map_or(0, |word| word.load(Relaxed));
                let whole = series.cell().map_or_else(word, LeasedCell::sum);
                let fraction = series.shared.store.extra(series.position);
                total(whole, fraction).as_f64()
            }
        }
    }
}

impl Child<'_, Counter> {
    /// Adds one.
    #[inline(always)]
    pub fn inc(self) {
        match self.place {
            Place::Here(series) if series.cell().inc() => {}
            _ => self.inc_elsewhere(1),
        }
    }

    /// Adds a whole number.
    #[inline(always)]
    pub fn inc_by(self, by: u64) {
        match self.place {
            Place::Here(series) if series.cell().add(by) => {}
            _ => self.inc_elsewhere(by),
        }
    }

    #[inline(always)]
    fn inc_elsewhere(self, by: u64) {
        match self.place {
            Place::Here(series) | Place::Cell(series) => self.shared.add_to_cell(series, by),
            Place::Record(Series { values: [whole, ..], .. }) => cells::add_shared(whole, by),
            Place::Record(_) | Place::Void => {}
        }
    }

    /// Adds one and keeps an exemplar; see [`Counter::inc_with_exemplar`].
    pub fn inc_with_exemplar<N: AsRef<str>, V: AsRef<str>>(
        self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        self.inc_by_with_exemplar(1, labels);
    }

    /// Adds a whole number and keeps an exemplar; see [`Counter::inc_by_with_exemplar`].
    pub fn inc_by_with_exemplar<N: AsRef<str>, V: AsRef<str>>(
        self,
        by: u64,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        self.inc_by(by);
        match (exemplars::new(labels, by as f64), self.id()) {
            (Some(exemplar), Some(id)) => {
                self.shared.exemplars.keep(id, Slot::Bucket(0), exemplar);
            }
            (Some(_), None) => {}
            (None, _) => self.shared.refused.count(),
        }
    }

    /// Adds any number that is not negative; see [`Counter::add`].
    pub fn add(self, by: f64) {
        match (Addend::of(by), self.position()) {
            (Addend::Whole(by), _) => self.inc_by(by),
            (Addend::Fraction(by), Some(position)) => {
                add_f64(self.shared.store.extra_or_new(position), by);
            }
            (Addend::Refused, _) => self.shared.refused.count(),
            (Addend::Fraction(_), None) => {}
        }
    }

    /// Begins an attempt that counts as failed when it is dropped; see [`Counter::attempt`].
    #[inline]
    pub fn attempt(self) -> Attempt<Self> {
        Attempt::start(&self)
    }

    /// The total as it stands, the fractions included.
    pub fn value(self) -> f64 {
        let whole = match self.place {
            Place::Here(series) | Place::Cell(series) => {
                let cell = self.shared.cell(series.position());
                cell.map_or(0, LeasedCell::sum)
            }
            Place::Record(_) | Place::Void => {
                self.values().first().map_or(0, |whole| whole.load(Relaxed))
            }
        };
        let fraction = self.position().and_then(|position| self.shared.store.extra(position));
        total(whole, fraction).as_f64()
    }
}

impl SeriesShared<Counter> {
    #[inline(never)]
    fn add_to_cell(&self, series: DenseSeries, by: u64) {
        if !series.cell().add(by)
            && let Some(cell) = self.cell(series.position())
        {
            cells::add(cell.id(), by);
        }
    }

    /// The cell of the series in a record.
    fn cell(&self, position: u32) -> Option<LeasedCell> {
        self.store.cell(self.store.at(position)?)
    }
}

impl Alone {
    fn total(&self) -> Number {
        total(self.whole.sum(0), Some(&self.fraction))
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>, spare: &mut SpareColumns) -> Option<MetricFamily> {
        let column = spare.number(self.total());
        let series = narthex_model::Series::unlabelled();
        let family = MetricFamily::from_parts(metadata.clone(), series, column);
        family.ok()?.with_exemplars(self.exemplars.show()).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }

    fn created(&self) -> Option<i64> {
        Some(self.created)
    }
}

impl Metric for Counter {}

impl sealed::Kind for Counter {
    const TYPE: MetricType = MetricType::Counter;
    type Config = ();
    type Shape = ();
    const PER_THREAD: bool = true;

    fn shape((): ()) -> Result<(), Fault> {
        Ok(())
    }

    fn value_words((): &()) -> usize {
        1
    }

    fn column(
        shared: &SeriesShared<Self>,
        snapshot: &Snapshot,
        spare: &mut SpareColumns,
    ) -> Column {
        let mut wholes = spare.unsigned(snapshot.len());
        snapshot.extend_from_records(&mut wholes, |record| record[0].load(Relaxed));
        let in_cells = shared.store.rows_in_cells(snapshot);
        cells::sum_each(&mut wholes[..in_cells]);
        if !shared.store.has_extras() {
            return Column::Unsigned(wholes);
        }
        let mut left = wholes.iter();
        let mut numbers = Vec::with_capacity(snapshot.len());
        snapshot.for_each_record(|position, _| {
            let whole = left.next().copied().unwrap_or_default();
            numbers.push(total(whole, shared.store.extra(position)));
        });
        spare.put(Column::Unsigned(wholes));
        Column::from_numbers(numbers)
    }

    fn alone((): ()) -> Result<Self, Fault> {
        let whole = Lease::new(1, |_| false).expect("a chunk holds one cell");
        let cell = Near::of(whole.first());
        let counter = Alone {
            whole,
            fraction: AtomicU64::new(0),
            refused: Refused::default(),
            exemplars: LoneExemplars::default(),
            created: clock::unix_millis(),
        };
        Ok(Self { cell, kind: Kind::Alone(Arc::new(counter)) })
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self { cell: Near::NOWHERE, kind: Kind::Series(series) }
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        match &self.kind {
            Kind::Alone(counter) => Some(counter.clone()),
            Kind::Series(_) => None,
        }
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counter({})", self.value())
    }
}

/// What a float adds to a counter.
enum Addend {
    Whole(u64),
    Fraction(f64),
    Refused,
}

impl Addend {
    fn of(by: f64) -> Self {
        /// 2^53: up to here every whole float is exact.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !(0.0..f64::INFINITY).contains(&by) {
            Self::Refused
        } else if by <= EXACT && by.fract() == 0.0 {
            Self::Whole(by as u64)
        } else {
            Self::Fraction(by)
        }
    }
}

fn total(whole: u64, fraction: Option<&AtomicU64>) -> Number {
    match fraction.map_or(0.0, |fraction| f64::from_bits(fraction.load(Relaxed))) {
        0.0 => Number::Unsigned(whole),
        fraction => Number::Float(whole as f64 + fraction),
    }
}

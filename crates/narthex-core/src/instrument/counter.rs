//! Counters: totals that only grow.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::{Column, Metadata, MetricFamily, MetricType, Number, Series};

use super::{Child, Metric, OwnedSeries, Refused, SeriesShared, add_f64, sealed};
use crate::builder::Builder;
use crate::error::Fault;
use crate::registry::Source;
use crate::storage::Snapshot;
use crate::storage::cells::{self, Lease};

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
pub struct Counter(Kind);

#[derive(Clone)]
enum Kind {
    /// The cell is beside the pointer so that counting does not follow it.
    Alone {
        cell: u32,
        counter: Arc<Alone>,
    },
    Series(OwnedSeries<Counter>),
}

/// A counter without labels.
struct Alone {
    whole: Lease,
    fraction: AtomicU64,
    refused: Refused,
}

impl Counter {
    /// Starts a counter; `help` says what it counts.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Adds a whole number.
    #[inline(always)]
    pub fn inc_by(&self, by: u64) {
        match &self.0 {
            Kind::Alone { cell, .. } => cells::add(*cell, by),
            Kind::Series(series) => add_whole(&series.values()[0], by),
        }
    }

    /// Adds any number that is not negative.
    ///
    /// A negative, infinite or NaN value is refused: it changes nothing and is counted in
    /// `narthex_refused_values_total`.
    pub fn add(&self, by: f64) {
        match Addend::of(by) {
            Addend::Whole(by) => self.inc_by(by),
            Addend::Fraction(by) => match &self.0 {
                Kind::Alone { counter, .. } => add_f64(&counter.fraction, by),
                Kind::Series(series) => {
                    if !std::ptr::eq(series.values(), &*series.shared.void) {
                        add_f64(series.shared.store.extra_or_new(series.position), by);
                    }
                }
            },
            Addend::Refused => match &self.0 {
                Kind::Alone { counter, .. } => counter.refused.count(),
                Kind::Series(series) => series.shared.refused.count(),
            },
        }
    }

    /// The total as it stands, the fractions included.
    pub fn value(&self) -> f64 {
        match &self.0 {
            Kind::Alone { counter, .. } => counter.total().as_f64(),
            Kind::Series(series) => {
                let whole = series.values()[0].load(Relaxed);
                total(whole, series.shared.store.extra(series.position)).as_f64()
            }
        }
    }
}

impl Child<'_, Counter> {
    /// Adds one.
    #[inline(always)]
    pub fn inc(self) {
        self.inc_by(1);
    }

    /// Adds a whole number.
    #[inline(always)]
    pub fn inc_by(self, by: u64) {
        if let Some(whole) = self.values().first() {
            add_whole(whole, by);
        }
    }

    /// Adds any number that is not negative; see [`Counter::add`].
    pub fn add(self, by: f64) {
        match (Addend::of(by), self.series) {
            (Addend::Whole(by), _) => self.inc_by(by),
            (Addend::Fraction(by), Some(series)) => {
                add_f64(series.store.extra_or_new(series.position), by);
            }
            (Addend::Refused, _) => self.shared.refused.count(),
            (Addend::Fraction(_), None) => {}
        }
    }

    /// The total as it stands, the fractions included.
    pub fn value(self) -> f64 {
        let whole = self.values().first().map_or(0, |whole| whole.load(Relaxed));
        let fraction = self.series.and_then(|series| series.store.extra(series.position));
        total(whole, fraction).as_f64()
    }
}

impl Alone {
    fn total(&self) -> Number {
        total(self.whole.sum(0), Some(&self.fraction))
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>) -> Option<MetricFamily> {
        let column = Column::from_numbers(vec![self.total()]);
        MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }
}

impl Metric for Counter {}

impl sealed::Kind for Counter {
    const TYPE: MetricType = MetricType::Counter;
    type Config = ();
    type Shape = ();

    fn shape((): ()) -> Result<(), Fault> {
        Ok(())
    }

    fn value_words((): &()) -> usize {
        1
    }

    fn column(shared: &SeriesShared<Self>, snapshot: &Snapshot) -> Column {
        if !shared.store.has_extras() {
            let mut wholes = Vec::with_capacity(snapshot.len());
            snapshot.for_each_record(|_, record| wholes.push(record[0].load(Relaxed)));
            return Column::Unsigned(wholes);
        }
        let mut numbers = Vec::with_capacity(snapshot.len());
        snapshot.for_each_record(|position, record| {
            numbers.push(total(record[0].load(Relaxed), shared.store.extra(position)));
        });
        Column::from_numbers(numbers)
    }

    fn alone((): ()) -> Result<Self, Fault> {
        let whole = Lease::new(1, |_| false).expect("a chunk holds one cell");
        let cell = whole.first();
        let counter = Alone { whole, fraction: AtomicU64::new(0), refused: Refused::default() };
        Ok(Self(Kind::Alone { cell, counter: Arc::new(counter) }))
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self(Kind::Series(series))
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        match &self.0 {
            Kind::Alone { counter, .. } => Some(counter.clone()),
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

/// Adds to a total that others may add to; it stays at the end instead of wrapping.
#[inline(always)]
fn add_whole(total: &AtomicU64, by: u64) {
    // Relaxed: the total is one word, and nothing else is published with it.
    let before = total.fetch_add(by, Relaxed);
    if before.checked_add(by).is_none() {
        saturate(total);
    }
}

#[cold]
fn saturate(total: &AtomicU64) {
    total.store(u64::MAX, Relaxed);
}

fn total(whole: u64, fraction: Option<&AtomicU64>) -> Number {
    match fraction.map_or(0.0, |fraction| f64::from_bits(fraction.load(Relaxed))) {
        0.0 => Number::Unsigned(whole),
        fraction => Number::Float(whole as f64 + fraction),
    }
}

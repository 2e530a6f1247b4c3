//! Totals: counters that somebody else keeps.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use narthex_model::{Column, MetricType, Number, SpareColumns};

use super::{Child, Metric, OwnedSeries, SeriesShared, sealed, whole};
use crate::builder::Builder;
use crate::error::Fault;
use crate::registry::Source;
use crate::storage::Snapshot;

/// A total that somebody else keeps, such as the bytes that a device says it has sent: exported as
/// a counter, and set instead of counted.
///
/// To count yourself, use [`Counter`](crate::Counter); where the total can be asked for at each
/// gather, use [`Counter::from_fn`](crate::Counter::from_fn). Cloning gives another handle to the
/// same total.
///
/// # Restarts
/// A value below the one before is exported like any other. Prometheus takes it for a restart of
/// whoever counts, which is what it should be: `rate()` and `increase()` then count on from zero.
/// So set what the source says, and do not correct it.
///
/// ```
/// use narthex_core::{Registry, Total};
///
/// let registry = Registry::new();
/// let sent = Total::builder("device_sent_bytes_total", "Bytes sent.").register(&registry)?;
/// sent.set(u64::MAX);
/// sent.set(17_u64); // The device has restarted.
/// assert_eq!(sent.value(), 17.0);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Total(OwnedSeries<Total>);

impl Total {
    /// Starts a total; `help` says what it counts.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Sets the total, a `u64` or an `f64`; whole numbers are exact.
    ///
    /// A negative, infinite or NaN value is refused: it changes nothing and is counted in
    /// `narthex_refused_values_total`.
    pub fn set(&self, total: impl Into<Number>) {
        set(&self.0.shared, self.0.values(), total.into());
    }

    /// The total as it stands.
    pub fn value(&self) -> f64 {
        get(self.0.values()).as_f64()
    }
}

impl Child<'_, Total> {
    /// Sets the total; see [`Total::set`].
    pub fn set(self, total: impl Into<Number>) {
        set(self.shared, self.values(), total.into());
    }

    /// The total as it stands.
    pub fn value(self) -> f64 {
        get(self.values()).as_f64()
    }
}

impl Metric for Total {}

impl sealed::Kind for Total {
    const TYPE: MetricType = MetricType::Counter;
    const PER_THREAD: bool = false;
    type Config = ();
    type Shape = ();

    fn shape((): ()) -> Result<(), Fault> {
        Ok(())
    }

    fn value_words((): &()) -> usize {
        whole::VERSION + 2
    }

    fn column(_: &SeriesShared<Self>, snapshot: &Snapshot, _: &mut SpareColumns) -> Column {
        let mut totals = Vec::with_capacity(snapshot.len());
        snapshot.for_each_record(|_, record| {
            totals.push(get(&record[..Self::value_words(&())]));
        });
        Column::from_numbers(totals)
    }

    fn alone((): ()) -> Result<Self, Fault> {
        Ok(Self(OwnedSeries::alone(())))
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self(series)
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        self.0.source()
    }
}

impl fmt::Debug for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Total({})", self.value())
    }
}

/// Whether a counter can have this value.
pub(super) fn is_total(number: Number) -> bool {
    (0.0..f64::INFINITY).contains(&number.as_f64())
}

/// The second word says what the third one is.
const UNSIGNED: u64 = 0;
const FLOAT: u64 = 1;

fn set(shared: &SeriesShared<Total>, words: &[AtomicU64], total: Number) {
    match total {
        total if !is_total(total) => shared.refused.count(),
        Number::Unsigned(total) => whole::set(words, &[UNSIGNED, total]),
        total => whole::set(words, &[FLOAT, total.as_f64().to_bits()]),
    }
}

fn get(words: &[AtomicU64]) -> Number {
    let mut values = [UNSIGNED, 0];
    whole::get(words, &mut values);
    match values {
        [UNSIGNED, total] => Number::Unsigned(total),
        [_, bits] => Number::Float(f64::from_bits(bits)),
    }
}

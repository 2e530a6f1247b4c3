//! Unknowns: values of which nobody knows how they move.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::{Column, MetricType, SpareColumns};

use super::{Child, Metric, OwnedSeries, SeriesShared, sealed};
use crate::builder::Builder;
use crate::error::Fault;
use crate::registry::Source;
use crate::storage::Snapshot;

/// A value of which it is not known whether it only grows, such as one that another system reports
/// without saying so.
///
/// It is set like a [`Gauge`](crate::Gauge), and exported without a claim that it is one. Cloning
/// gives another handle to the same value.
///
/// ```
/// use narthex_core::{Registry, Unknown};
///
/// let registry = Registry::new();
/// let sensor = Unknown::builder("sensor_raw", "What the sensor says.").register(&registry)?;
/// sensor.set(17.0);
/// assert_eq!(registry.gather().value("sensor_raw", &[]), Some(17.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Unknown(OwnedSeries<Unknown>);

impl Unknown {
    /// Starts an unknown; `help` says what it shows.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Sets the value; NaN and the infinities are values like any other.
    pub fn set(&self, value: f64) {
        set(self.0.values(), value);
    }

    /// The value as it stands.
    pub fn value(&self) -> f64 {
        value(self.0.values())
    }
}

impl Child<'_, Unknown> {
    /// Sets the value; NaN and the infinities are values like any other.
    pub fn set(self, value: f64) {
        set(self.values(), value);
    }

    /// The value as it stands.
    pub fn value(self) -> f64 {
        value(self.values())
    }
}

impl Metric for Unknown {}

impl sealed::Kind for Unknown {
    const TYPE: MetricType = MetricType::Unknown;
    const PER_THREAD: bool = false;
    type Config = ();
    type Shape = ();

    fn shape((): ()) -> Result<(), Fault> {
        Ok(())
    }

    fn value_words((): &()) -> usize {
        1
    }

    fn column(_: &SeriesShared<Self>, snapshot: &Snapshot, spare: &mut SpareColumns) -> Column {
        let mut values = spare.float(snapshot.len());
        snapshot.extend_from_records(&mut values, value);
        Column::Float(values)
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

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unknown({})", self.value())
    }
}

fn set(words: &[AtomicU64], value: f64) {
    // Relaxed: the value is one word, and nothing else is published with it.
    words[0].store(value.to_bits(), Relaxed);
}

fn value(words: &[AtomicU64]) -> f64 {
    f64::from_bits(words[0].load(Relaxed))
}

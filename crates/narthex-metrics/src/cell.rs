//! Where a series counts: what the handles of the facade write.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use metrics::{CounterFn, GaugeFn, HistogramFn};
use narthex_model::{Bounds, Column, HistogramColumn, MetricType};

use crate::losses::Loss;

/// The value of one series, written by many threads without a lock.
pub(crate) trait Cell: Send + Sync + 'static {
    const TYPE: MetricType;

    /// What all series of a family have in common.
    type Shape: Send + Sync;

    fn new(shape: &Self::Shape, loss: &Arc<Loss>) -> Self;

    /// Set by every update, and taken back by whoever looks for idle series.
    fn used(&self) -> &AtomicBool;

    /// The values of these series as they stand.
    fn column(shape: &Self::Shape, cells: &[Arc<Self>]) -> Column;
}

#[derive(Debug)]
pub(crate) struct CounterCell {
    total: AtomicU64,
    used: AtomicBool,
}

impl Cell for CounterCell {
    const TYPE: MetricType = MetricType::Counter;
    type Shape = ();

    fn new((): &(), _: &Arc<Loss>) -> Self {
        Self { total: AtomicU64::new(0), used: AtomicBool::new(true) }
    }

    fn used(&self) -> &AtomicBool {
        &self.used
    }

    fn column((): &(), cells: &[Arc<Self>]) -> Column {
        Column::Unsigned(cells.iter().map(|cell| cell.total.load(Relaxed)).collect())
    }
}

impl CounterFn for CounterCell {
    #[inline]
    fn increment(&self, value: u64) {
        self.used.store(true, Relaxed);
        // Relaxed, here and below: each word stands for itself.
        let before = self.total.fetch_add(value, Relaxed);
        if before.checked_add(value).is_none() {
            // At the end, it stays there instead of starting over.
            self.total.store(u64::MAX, Relaxed);
        }
    }

    #[inline]
    fn absolute(&self, value: u64) {
        self.used.store(true, Relaxed);
        self.total.fetch_max(value, Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct GaugeCell {
    /// The bits of an `f64`.
    value: AtomicU64,
    used: AtomicBool,
}

impl Cell for GaugeCell {
    const TYPE: MetricType = MetricType::Gauge;
    type Shape = ();

    fn new((): &(), _: &Arc<Loss>) -> Self {
        Self { value: AtomicU64::new(0), used: AtomicBool::new(true) }
    }

    fn used(&self) -> &AtomicBool {
        &self.used
    }

    fn column((): &(), cells: &[Arc<Self>]) -> Column {
        let value = |cell: &Arc<Self>| f64::from_bits(cell.value.load(Relaxed));
        Column::Float(cells.iter().map(value).collect())
    }
}

impl GaugeFn for GaugeCell {
    #[inline]
    fn increment(&self, value: f64) {
        self.used.store(true, Relaxed);
        add(&self.value, value);
    }

    #[inline]
    fn decrement(&self, value: f64) {
        self.increment(-value);
    }

    #[inline]
    fn set(&self, value: f64) {
        self.used.store(true, Relaxed);
        self.value.store(value.to_bits(), Relaxed);
    }
}

/// Buckets, never samples: its size does not depend on what is recorded.
#[derive(Debug)]
pub(crate) struct HistogramCell {
    bounds: Bounds,
    /// Observations in each bucket alone, so that `_count`, their sum, is the `+Inf` bucket.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
    used: AtomicBool,
    loss: Arc<Loss>,
}

impl Cell for HistogramCell {
    const TYPE: MetricType = MetricType::Histogram;
    type Shape = Bounds;

    fn new(bounds: &Bounds, loss: &Arc<Loss>) -> Self {
        Self {
            bounds: bounds.clone(),
            counts: (0..bounds.buckets()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            used: AtomicBool::new(true),
            loss: loss.clone(),
        }
    }

    fn used(&self) -> &AtomicBool {
        &self.used
    }

    fn column(bounds: &Bounds, cells: &[Arc<Self>]) -> Column {
        let mut column = HistogramColumn::new(bounds.clone());
        for cell in cells {
            let counts = cell.counts.iter().map(|count| count.load(Relaxed));
            column.push(counts, f64::from_bits(cell.sum.load(Relaxed)));
        }
        Column::Histogram(column)
    }
}

impl HistogramFn for HistogramCell {
    #[inline]
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    #[inline]
    fn record_many(&self, value: f64, count: usize) {
        if value.is_nan() {
            return self.loss.refuse(count as u64);
        }
        self.used.store(true, Relaxed);
        let bucket = self.bounds.as_slice().partition_point(|&bound| bound < value);
        if let Some(bucket) = self.counts.get(bucket).filter(|_| count > 0) {
            bucket.fetch_add(count as u64, Relaxed);
            add(&self.sum, value * count as f64);
        }
    }
}

/// Adds to a float that others may add to.
#[inline]
fn add(cell: &AtomicU64, by: f64) {
    let mut current = cell.load(Relaxed);
    loop {
        let sum = (f64::from_bits(current) + by).to_bits();
        match cell.compare_exchange_weak(current, sum, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(found) => current = found,
        }
    }
}

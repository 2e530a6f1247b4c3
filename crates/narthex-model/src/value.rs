//! The value side of a family: one column for all series.

use std::fmt;
use std::sync::Arc;

use crate::native::NativeHistogram;

/// A value that is exact where it is whole.
///
/// Counters beyond 2^53 keep every digit, which an `f64` would lose.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Number {
    /// A whole number, never negative.
    Unsigned(u64),
    /// Any other number, NaN and the infinities included.
    Float(f64),
}

impl Number {
    /// The nearest `f64`.
    #[inline]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Numbers are equal when they have the same value; NaN equals NaN, so that pages can be compared.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Unsigned(a), Self::Unsigned(b)) => a == b,
            (a, b) => a.as_f64() == b.as_f64() || (a.as_f64().is_nan() && b.as_f64().is_nan()),
        }
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self::Unsigned(value.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Unsigned(value.into())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => fmt::Debug::fmt(value, f),
            Self::Float(value) => fmt::Debug::fmt(value, f),
        }
    }
}

/// The upper bounds of a histogram's buckets: finite or -Inf, strictly ascending; +Inf is implied.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds(Arc<[f64]>);

impl Bounds {
    /// Checks `bounds`; a +Inf at the end is dropped, for every histogram has that bucket.
    ///
    /// # Errors
    /// Returns a [`BoundsError`] for an empty list, for NaN, for +Inf anywhere else, and where a
    /// bound does not lie above the one before it.
    pub fn new(bounds: &[f64]) -> Result<Self, BoundsError> {
        let finite = match bounds {
            [finite @ .., last] if *last == f64::INFINITY => finite,
            all => all,
        };
        if finite.is_empty() {
            return Err(BoundsError(BoundsFault::Empty));
        }
        for (at, &bound) in finite.iter().enumerate() {
            if bound.is_nan() || bound == f64::INFINITY {
                return Err(BoundsError(BoundsFault::NotFinite { at, bound }));
            }
        }
        for (at, pair) in finite.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                let fault =
                    BoundsFault::NotAscending { at: at + 1, before: pair[0], bound: pair[1] };
                return Err(BoundsError(fault));
            }
        }
        Ok(Self(finite.into()))
    }

    /// No bounds at all: +Inf is the only bucket.
    ///
    /// Instruments have such histograms only beside native buckets, pages have them at times.
    pub fn none() -> Self {
        Self(Arc::new([]))
    }

    /// The bounds without +Inf.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// The index of the bucket that counts `value`; NaN is counted by the +Inf bucket alone.
    pub fn bucket(&self, value: f64) -> usize {
        if value.is_nan() { self.0.len() } else { self.0.partition_point(|&bound| bound < value) }
    }

    /// The number of buckets, the +Inf bucket included.
    pub fn buckets(&self) -> usize {
        self.0.len() + 1
    }
}

/// A list of bucket bounds that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundsError(BoundsFault);

#[derive(Clone, Copy, Debug, PartialEq)]
enum BoundsFault {
    Empty,
    NotFinite { at: usize, bound: f64 },
    NotAscending { at: usize, before: f64, bound: f64 },
}

impl fmt::Display for BoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BoundsFault::Empty => f.write_str("a histogram needs a bucket beside +Inf"),
            BoundsFault::NotFinite { at, bound } => {
                write!(f, "bucket {} is {bound}, which is not a bound", at + 1)
            }
            BoundsFault::NotAscending { at, before, bound } => write!(
                f,
                "bucket {} is {bound}, which is not above {before}: bounds must ascend",
                at + 1
            ),
        }
    }
}

impl std::error::Error for BoundsError {}

/// The quantiles that a summary estimates: from 0 to 1, strictly ascending, none at all if need be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles(Arc<[f64]>);

impl Quantiles {
    /// Checks `quantiles`.
    ///
    /// # Errors
    /// Returns a [`QuantilesError`] for one outside of 0 to 1, for NaN, and where one does not lie
    /// above the one before it.
    pub fn new(quantiles: &[f64]) -> Result<Self, QuantilesError> {
        for (at, &quantile) in quantiles.iter().enumerate() {
            if !(0.0..=1.0).contains(&quantile) {
                return Err(QuantilesError(QuantilesFault::OutOfRange { at, quantile }));
            }
            if let Some(&before) = quantiles[..at].last().filter(|before| **before >= quantile) {
                let fault = QuantilesFault::NotAscending { at, before, quantile };
                return Err(QuantilesError(fault));
            }
        }
        Ok(Self(quantiles.into()))
    }

    /// The quantiles.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }
}

/// A list of quantiles that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantilesError(QuantilesFault);

#[derive(Clone, Copy, Debug, PartialEq)]
enum QuantilesFault {
    OutOfRange { at: usize, quantile: f64 },
    NotAscending { at: usize, before: f64, quantile: f64 },
}

impl fmt::Display for QuantilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            QuantilesFault::OutOfRange { at, quantile } => {
                write!(f, "quantile {} is {quantile}, which is not from 0 to 1", at + 1)
            }
            QuantilesFault::NotAscending { at, before, quantile } => write!(
                f,
                "quantile {} is {quantile}, which is not above {before}: quantiles must ascend",
                at + 1
            ),
        }
    }
}

impl std::error::Error for QuantilesError {}

/// The values of all series of a family, in the order of its series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Column {
    /// Whole numbers.
    Unsigned(Vec<u64>),
    /// Floating-point numbers.
    Float(Vec<f64>),
    /// Whole and floating-point numbers beside each other.
    Mixed(Vec<Number>),
    /// Classic histograms with common bounds.
    Histogram(HistogramColumn),
    /// Native histograms, which may have classic buckets too.
    NativeHistogram(NativeHistogramColumn),
    /// Summaries of the same quantiles.
    Summary(SummaryColumn),
}

impl Column {
    /// The number of series.
    pub fn len(&self) -> usize {
        match self {
            Self::Unsigned(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Mixed(values) => values.len(),
            Self::Histogram(column) => column.sums.len(),
            Self::NativeHistogram(column) => column.histograms.len(),
            Self::Summary(column) => column.sums.len(),
        }
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of series `index`.
    pub fn value(&self, index: usize) -> Option<Value<'_>> {
        Some(match self {
            Self::Unsigned(values) => Value::Number(Number::Unsigned(*values.get(index)?)),
            Self::Float(values) => Value::Number(Number::Float(*values.get(index)?)),
            Self::Mixed(values) => Value::Number(*values.get(index)?),
            Self::Histogram(column) => Value::Histogram(column.get(index)?),
            Self::NativeHistogram(column) => Value::NativeHistogram(column.get(index)?),
            Self::Summary(column) => Value::Summary(column.get(index)?),
        })
    }

    /// The column as the narrowest variant that holds `numbers`.
    pub fn from_numbers(numbers: Vec<Number>) -> Self {
        let unsigned = |n: &Number| match n {
            Number::Unsigned(value) => Some(*value),
            Number::Float(_) => None,
        };
        let float = |n: &Number| match n {
            Number::Float(value) => Some(*value),
            Number::Unsigned(_) => None,
        };
        if let Some(values) = numbers.iter().map(unsigned).collect() {
            Self::Unsigned(values)
        } else if let Some(values) = numbers.iter().map(float).collect() {
            Self::Float(values)
        } else {
            Self::Mixed(numbers)
        }
    }
}

/// Classic histograms with common bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramColumn {
    bounds: Bounds,
    /// Observations in each bucket alone, not cumulated, series after series; a snapshot that adds
    /// them up has `_count` equal to the +Inf bucket by construction.
    counts: Vec<u64>,
    sums: Vec<f64>,
}

impl HistogramColumn {
    /// An empty column.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, counts: Vec::new(), sums: Vec::new() }
    }

    /// An empty column in the memory of this one.
    pub(crate) fn cleared(mut self, bounds: Bounds) -> Self {
        self.counts.clear();
        self.sums.clear();
        Self { bounds, ..self }
    }

    /// Makes room for so many series.
    pub fn reserve(&mut self, series: usize) {
        self.counts.reserve(series * self.bounds.buckets());
        self.sums.reserve(series);
    }

    /// Adds a series: the observations in each bucket alone, +Inf last, and their sum.
    ///
    /// Missing counts are 0, surplus ones are added to the +Inf bucket.
    pub fn push(&mut self, counts: impl IntoIterator<Item = u64>, sum: f64) {
        let buckets = self.bounds.buckets();
        let end = self.counts.len() + buckets;
        let mut counts = counts.into_iter();
        self.counts.extend(counts.by_ref().take(buckets));
        self.counts.resize(end, 0);
        let infinity = &mut self.counts[end - 1];
        *infinity = counts.fold(*infinity, u64::wrapping_add);
        self.sums.push(sum);
    }

    /// The bounds all series share.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The histogram of series `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Histogram<'_>> {
        let buckets = self.bounds.buckets();
        let counts = self.counts.get(index * buckets..(index + 1) * buckets)?;
        Some(Histogram { bounds: &self.bounds, counts, sum: *self.sums.get(index)? })
    }

    fn append(&mut self, other: &Self, index: usize) {
        if let Some(histogram) = other.get(index) {
            self.counts.extend_from_slice(histogram.counts);
            self.sums.push(histogram.sum);
        }
    }
}

/// Native histograms, each with classic buckets of common bounds beside the native ones.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeHistogramColumn {
    /// What formats show that cannot carry native histograms.
    classic: HistogramColumn,
    histograms: Vec<NativeHistogram>,
}

impl NativeHistogramColumn {
    /// An empty column; without bounds, +Inf is the only classic bucket.
    pub fn new(bounds: Option<Bounds>) -> Self {
        let classic = HistogramColumn::new(bounds.unwrap_or_else(Bounds::none));
        Self { classic, histograms: Vec::new() }
    }

    /// Adds a series: the observations in each classic bucket but +Inf, and the native histogram.
    ///
    /// What the classic buckets miss of the number of observations is in +Inf, so that they agree.
    pub fn push(&mut self, counts: impl IntoIterator<Item = u64>, histogram: NativeHistogram) {
        let finite = self.classic.bounds.as_slice().len();
        let mut left = histogram.count();
        let mut counts: Vec<_> = counts.into_iter().take(finite).collect();
        for count in &mut counts {
            *count = left.min(*count);
            left -= *count;
        }
        counts.resize(finite, 0);
        self.classic.push(counts.into_iter().chain([left]), histogram.sum());
        self.histograms.push(histogram);
    }

    /// The bounds of the classic buckets, which are none where +Inf is the only one.
    pub fn bounds(&self) -> &Bounds {
        &self.classic.bounds
    }

    /// The histogram of series `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<NativeAndClassic<'_>> {
        let classic = self.classic.get(index)?;
        Some(NativeAndClassic { classic, native: self.histograms.get(index)? })
    }

    fn append(&mut self, other: &Self, index: usize) {
        if let Some(native) = other.histograms.get(index) {
            self.classic.append(&other.classic, index);
            self.histograms.push(native.clone());
        }
    }
}

/// Summaries of the same quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryColumn {
    quantiles: Quantiles,
    /// One value a quantile, series after series.
    values: Vec<f64>,
    counts: Vec<u64>,
    sums: Vec<f64>,
}

impl SummaryColumn {
    /// An empty column.
    pub fn new(quantiles: Quantiles) -> Self {
        Self { quantiles, values: Vec::new(), counts: Vec::new(), sums: Vec::new() }
    }

    /// Adds a series: one value a quantile, the number of observations, and their sum.
    ///
    /// Missing values are NaN, which says that there is none; surplus ones are left out.
    pub fn push(&mut self, values: impl IntoIterator<Item = f64>, count: u64, sum: f64) {
        let end = self.values.len() + self.quantiles.0.len();
        self.values.extend(values.into_iter().take(self.quantiles.0.len()));
        self.values.resize(end, f64::NAN);
        self.counts.push(count);
        self.sums.push(sum);
    }

    /// The quantiles all series share.
    pub fn quantiles(&self) -> &Quantiles {
        &self.quantiles
    }

    /// The summary of series `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Summary<'_>> {
        let quantiles = self.quantiles.0.len();
        let values = self.values.get(index * quantiles..(index + 1) * quantiles)?;
        let (count, sum) = (*self.counts.get(index)?, *self.sums.get(index)?);
        Some(Summary { quantiles: &self.quantiles, values, count, sum })
    }

    fn append(&mut self, other: &Self, index: usize) {
        if let Some(summary) = other.get(index) {
            self.push(summary.values.iter().copied(), summary.count, summary.sum);
        }
    }
}

/// The value of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A single number.
    Number(Number),
    /// A classic histogram.
    Histogram(Histogram<'a>),
    /// A native histogram.
    NativeHistogram(NativeAndClassic<'a>),
    /// A summary.
    Summary(Summary<'a>),
}

/// A classic histogram.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    bounds: &'a Bounds,
    counts: &'a [u64],
    sum: f64,
}

impl<'a> Histogram<'a> {
    /// The buckets' upper bounds and cumulative counts, the +Inf bucket last.
    pub fn buckets(self) -> impl Iterator<Item = (f64, u64)> + use<'a> {
        let bounds = self.bounds.as_slice().iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts).scan(0u64, |total, (bound, count)| {
            *total = total.wrapping_add(*count);
            Some((bound, *total))
        })
    }

    /// The observations in each bucket alone, the +Inf bucket last.
    pub fn counts(self) -> &'a [u64] {
        self.counts
    }

    /// The number of observations.
    pub fn count(self) -> u64 {
        self.counts.iter().fold(0, |total, count| total.wrapping_add(*count))
    }

    /// The sum of all observed values.
    pub fn sum(self) -> f64 {
        self.sum
    }
}

/// Histograms are equal when they show the same; NaN equals NaN, so that pages can be compared.
impl PartialEq for Histogram<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bounds == other.bounds
            && self.counts == other.counts
            && (self.sum == other.sum || (self.sum.is_nan() && other.sum.is_nan()))
    }
}

/// A native histogram with the classic buckets that it may have too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeAndClassic<'a> {
    native: &'a NativeHistogram,
    classic: Histogram<'a>,
}

impl<'a> NativeAndClassic<'a> {
    /// The native histogram.
    pub fn native(self) -> &'a NativeHistogram {
        self.native
    }

    /// The same observations in classic buckets, of which +Inf may be the only one.
    pub fn classic(self) -> Histogram<'a> {
        self.classic
    }
}

/// A summary.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    quantiles: &'a Quantiles,
    values: &'a [f64],
    count: u64,
    sum: f64,
}

impl<'a> Summary<'a> {
    /// The quantiles and their values, which are NaN where there is none.
    pub fn quantiles(self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        self.quantiles.as_slice().iter().copied().zip(self.values.iter().copied())
    }

    /// The number of observations.
    pub fn count(self) -> u64 {
        self.count
    }

    /// The sum of all observed values.
    pub fn sum(self) -> f64 {
        self.sum
    }
}

/// Summaries are equal when they show the same; NaN equals NaN, so that pages can be compared.
impl PartialEq for Summary<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        self.quantiles == other.quantiles
            && self.count == other.count
            && same(self.sum, other.sum)
            && self.values.iter().zip(other.values).all(|(a, b)| same(*a, *b))
    }
}

/// A column under construction.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    Numbers(Vec<Number>),
    Histogram(HistogramColumn),
    NativeHistogram(NativeHistogramColumn),
    Summary(SummaryColumn),
}

impl ColumnBuilder {
    /// An empty column of the kind of `column`.
    pub(crate) fn like(column: &Column) -> Self {
        match column {
            Column::Histogram(column) => {
                Self::Histogram(HistogramColumn::new(column.bounds.clone()))
            }
            Column::NativeHistogram(column) => {
                let bounds = Some(column.bounds().clone());
                Self::NativeHistogram(NativeHistogramColumn::new(bounds))
            }
            Column::Summary(column) => Self::Summary(SummaryColumn::new(column.quantiles.clone())),
            Column::Unsigned(_) | Column::Float(_) | Column::Mixed(_) => Self::Numbers(Vec::new()),
        }
    }

    /// Whether values of `column` may be appended.
    pub(crate) fn accepts(&self, column: &Column) -> bool {
        match (self, column) {
            (Self::Histogram(to), Column::Histogram(from)) => to.bounds == from.bounds,
            (Self::NativeHistogram(to), Column::NativeHistogram(from)) => {
                to.bounds() == from.bounds()
            }
            (Self::Summary(to), Column::Summary(from)) => to.quantiles == from.quantiles,
            (Self::Numbers(_), Column::Unsigned(_) | Column::Float(_) | Column::Mixed(_)) => true,
            _ => false,
        }
    }

    pub(crate) fn append(&mut self, column: &Column, index: usize) {
        match (self, column) {
            (Self::Histogram(to), Column::Histogram(from)) => to.append(from, index),
            (Self::NativeHistogram(to), Column::NativeHistogram(from)) => to.append(from, index),
            (Self::Summary(to), Column::Summary(from)) => to.append(from, index),
            (Self::Numbers(numbers), column) => {
                if let Some(Value::Number(number)) = column.value(index) {
                    numbers.push(number);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn finish(self) -> Column {
        match self {
            Self::Numbers(numbers) => Column::from_numbers(numbers),
            Self::Histogram(column) => Column::Histogram(column),
            Self::NativeHistogram(column) => Column::NativeHistogram(column),
            Self::Summary(column) => Column::Summary(column),
        }
    }
}

//! Sparse buckets: runs of neighbours, and their counts.

use super::{NativeHistogramError, Schema};

/// A run of neighbouring buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The index of the first bucket, in the first span; the gap to the span before, in others.
    pub offset: i32,
    /// The number of buckets.
    pub length: u32,
}

/// The buckets of one side of a native histogram, as spans and a count each.
///
/// ```
/// use narthex_model::NativeBuckets;
///
/// let buckets = NativeBuckets::from_counts([(-2, 3), (-1, 5), (2, 1), (4, 3), (9, 2)]);
/// assert_eq!(buckets.spans().len(), 2);
/// assert_eq!(buckets.counts(), [3, 5, 0, 0, 1, 0, 3, 2]);
/// assert!(buckets.deltas().eq([3, 2, -5, 0, 1, -1, 3, -1]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeBuckets {
    spans: Vec<Span>,
    counts: Vec<u64>,
}

impl NativeBuckets {
    /// Buckets from spans and the count of each bucket.
    ///
    /// # Errors
    /// Returns a [`NativeHistogramError`] where there is not one count a bucket, and where spans
    /// overlap or go beyond any index.
    pub fn new(spans: Vec<Span>, counts: Vec<u64>) -> Result<Self, NativeHistogramError> {
        let mut next = 0_i64;
        for (at, span) in spans.iter().enumerate() {
            if at > 0 && span.offset < 0 {
                let offset = span.offset;
                return Err(NativeHistogramError::Overlap { span: at + 1, offset });
            }
            next += i64::from(span.offset) + i64::from(span.length);
            if i32::try_from(next - 1).is_err() {
                return Err(NativeHistogramError::Index { span: at + 1 });
            }
        }
        let needed: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        if needed != counts.len() as u64 {
            return Err(NativeHistogramError::BucketCount { needed, got: counts.len() });
        }
        Ok(Self { spans, counts })
    }

    /// Buckets from spans and the difference of each count to the one before, as protobuf has them.
    ///
    /// # Errors
    /// Returns a [`NativeHistogramError`] as [`new`](Self::new) does, and for a count below 0.
    pub fn from_deltas(
        spans: Vec<Span>,
        deltas: impl IntoIterator<Item = i64>,
    ) -> Result<Self, NativeHistogramError> {
        let mut count = 0_i128;
        let mut counts = Vec::new();
        for delta in deltas {
            count += i128::from(delta);
            let bucket = counts.len() + 1;
            let Ok(valid) = u64::try_from(count) else {
                return Err(NativeHistogramError::BadCount { bucket });
            };
            counts.push(valid);
        }
        Self::new(spans, counts)
    }

    /// Buckets from indices, in ascending order, and their counts; empty ones are left out.
    ///
    /// A new span begins where more than two buckets are empty, as in `client_golang`: two counts
    /// of nothing take fewer bytes than a span.
    pub fn from_counts(buckets: impl IntoIterator<Item = (i32, u64)>) -> Self {
        Self::grouped(buckets.into_iter().filter(|(_, count)| *count > 0), 2)
    }

    /// The spans.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The counts of all buckets in the spans.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The difference of each count to the one before, or for the first to 0.
    pub fn deltas(&self) -> impl Iterator<Item = i64> + use<'_> {
        let before = [0].into_iter().chain(self.counts.iter().copied());
        self.counts.iter().zip(before).map(|(count, before)| count.wrapping_sub(before) as i64)
    }

    /// The index and the count of each bucket in the spans, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, u64)> + use<'_> {
        let spans = self.spans.iter().scan(0_i32, |next, span| {
            let start = next.saturating_add(span.offset);
            *next = start.saturating_add_unsigned(span.length);
            Some(start..*next)
        });
        spans.flatten().zip(self.counts.iter().copied())
    }

    /// Whether there is no bucket.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The observations in all buckets.
    pub(super) fn total(&self) -> u128 {
        self.counts.iter().map(|count| u128::from(*count)).sum()
    }

    /// The same observations with empty buckets left out, but for up to `most_empty` between
    /// buckets of one span.
    #[must_use]
    pub fn compact(&self, most_empty: u32) -> Self {
        Self::grouped(self.iter().filter(|(_, count)| *count > 0), most_empty)
    }

    /// The same observations in the wider buckets of a coarser schema.
    #[must_use]
    pub fn reduce_resolution(&self, from: Schema, to: Schema) -> Self {
        Self::grouped(self.iter().map(|(index, count)| (to.widen(index, from), count)), 0)
    }

    /// Spans with gaps of more than `most_empty` buckets; counts of the same index are added up.
    fn grouped(buckets: impl Iterator<Item = (i32, u64)>, most_empty: u32) -> Self {
        let mut grouped = Self::default();
        let mut next = 0_i64;
        for (index, count) in buckets {
            let mut gap = i64::from(index) - next;
            match grouped.counts.last_mut() {
                Some(same) if gap < 0 => {
                    *same = same.saturating_add(count);
                    continue;
                }
                _ => next = i64::from(index) + 1,
            }
            match grouped.spans.last_mut() {
                Some(span) if gap <= most_empty.into() => {
                    span.length += gap as u32 + 1;
                    grouped.counts.resize(grouped.counts.len() + gap as usize, 0);
                }
                _ => {
                    // No schema has buckets so far apart, but whoever gives them gets them back.
                    while gap > i32::MAX.into() {
                        grouped.spans.push(Span { offset: i32::MAX, length: 0 });
                        gap -= i64::from(i32::MAX);
                    }
                    grouped.spans.push(Span { offset: gap as i32, length: 1 });
                }
            }
            grouped.counts.push(count);
        }
        grouped
    }
}

//! Counts in sparse buckets.

use narthex_model::Schema;

/// What has been observed: in native buckets, and in the classic ones that there may be too.
///
/// There is no number of observations, for it is that of the native buckets together.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) schema: Schema,
    pub(super) zero_threshold: f64,
    pub(super) zero: u64,
    pub(super) positive: Sparse,
    pub(super) negative: Sparse,
    /// The classic buckets, +Inf included; none where there is no other.
    pub(super) classic: Box<[u64]>,
    pub(super) sum: f64,
}

/// The native bucket of a value.
#[derive(Clone, Copy)]
enum Place {
    Zero,
    Positive(i32),
    Negative(i32),
}

impl Counts {
    pub(super) fn new(schema: Schema, zero_threshold: f64, classic: usize) -> Self {
        let (positive, negative) = (Sparse::default(), Sparse::default());
        let classic = vec![0; classic].into();
        Self { schema, zero_threshold, zero: 0, positive, negative, classic, sum: 0.0 }
    }

    /// Counts a value for whose native bucket there is a count already; returns whether there is.
    #[inline]
    pub(super) fn observe_known(&mut self, classic: usize, value: f64) -> bool {
        let count = match self.place(value) {
            Place::Zero => Some(&mut self.zero),
            Place::Positive(index) => self.positive.get_mut(index),
            Place::Negative(index) => self.negative.get_mut(index),
        };
        let Some(count) = count else { return false };
        *count = count.saturating_add(1);
        self.observe_classic(classic, value);
        true
    }

    /// Counts a value.
    pub(super) fn observe(&mut self, classic: usize, value: f64) {
        match self.place(value) {
            Place::Zero => self.zero = self.zero.saturating_add(1),
            Place::Positive(index) => self.positive.add(index, 1),
            Place::Negative(index) => self.negative.add(index, 1),
        }
        self.observe_classic(classic, value);
    }

    /// Adds what others counted in buckets of the same bounds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.zero = self.zero.saturating_add(other.zero);
        other.positive.iter().for_each(|(index, count)| self.positive.add(index, count));
        other.negative.iter().for_each(|(index, count)| self.negative.add(index, count));
        for (total, count) in self.classic.iter_mut().zip(&other.classic) {
            *total = total.saturating_add(*count);
        }
        self.sum += other.sum;
    }

    /// Begins anew.
    pub(super) fn reset(&mut self, schema: Schema, zero_threshold: f64) {
        *self = Self::new(schema, zero_threshold, self.classic.len());
    }

    /// The index of the bucket that is nearest to zero, on whichever side.
    pub(super) fn nearest(&self) -> Option<i32> {
        let nearest = [self.positive.indices.first(), self.negative.indices.first()];
        nearest.into_iter().flatten().min().copied()
    }

    /// Makes the buckets of this index a part of the zero bucket, which then ends where they do.
    pub(super) fn widen_zero(&mut self, index: i32, zero_threshold: f64) {
        self.zero_threshold = zero_threshold;
        for side in [&mut self.positive, &mut self.negative] {
            self.zero = self.zero.saturating_add(side.remove(index));
        }
    }

    /// Makes all buckets twice as wide.
    pub(super) fn coarsen(&mut self, schema: Schema) {
        for side in [&mut self.positive, &mut self.negative] {
            let finer = std::mem::take(side);
            let widened = finer.iter().map(|(index, n)| (schema.widen(index, self.schema), n));
            widened.for_each(|(index, count)| side.add(index, count));
        }
        self.schema = schema;
    }

    fn place(&self, value: f64) -> Place {
        if value > self.zero_threshold {
            Place::Positive(self.schema.bucket(value))
        } else if value < -self.zero_threshold {
            Place::Negative(self.schema.bucket(-value))
        } else {
            Place::Zero
        }
    }

    #[inline]
    fn observe_classic(&mut self, bucket: usize, value: f64) {
        if let Some(count) = self.classic.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum += value;
    }
}

/// The buckets of one side by their index. Those that were ever counted in are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    /// In ascending order.
    indices: Vec<i32>,
    counts: Vec<u64>,
}

impl Sparse {
    /// The number of buckets.
    pub(super) fn len(&self) -> usize {
        self.indices.len()
    }

    pub(super) fn indices(&self) -> &[i32] {
        &self.indices
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, u64)> + use<'_> {
        self.indices.iter().copied().zip(self.counts.iter().copied())
    }

    #[inline]
    fn get_mut(&mut self, index: i32) -> Option<&mut u64> {
        // Mostly all buckets between the first and the last are there.
        let direct = i64::from(index) - i64::from(*self.indices.first()?);
        let at = match self.indices.get(direct as usize) {
            Some(found) if *found == index => direct as usize,
            _ => self.indices.binary_search(&index).ok()?,
        };
        self.counts.get_mut(at)
    }

    fn add(&mut self, index: i32, by: u64) {
        match self.indices.binary_search(&index) {
            Ok(at) => self.counts[at] = self.counts[at].saturating_add(by),
            Err(at) => {
                self.indices.insert(at, index);
                self.counts.insert(at, by);
            }
        }
    }

    /// Removes a bucket and gives its count.
    fn remove(&mut self, index: i32) -> u64 {
        let Ok(at) = self.indices.binary_search(&index) else { return 0 };
        self.indices.remove(at);
        self.counts.remove(at)
    }
}

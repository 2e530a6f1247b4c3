//! Native histograms: counts in sparse buckets whose bounds grow exponentially.
//!
//! The mathematics follow the [specification] of Prometheus and agree with its server to the last
//! bit, as `client_golang` does.
//!
//! [specification]: https://prometheus.io/docs/specs/native_histograms/

mod buckets;
mod schema;
mod show;

use std::fmt;

pub use buckets::{NativeBuckets, Span};
pub use schema::Schema;

/// A native histogram: observations in buckets that grow exponentially on both sides of zero, and
/// in one bucket around zero.
///
/// ```
/// use narthex_model::{NativeBuckets, NativeHistogram, Schema, ZeroBucket};
///
/// let schema = Schema::for_factor(1.5).expect("the factor is above 1");
/// let positive = NativeBuckets::from_counts([(schema.bucket(1.0), 2), (schema.bucket(3.0), 1)]);
/// let zero = ZeroBucket { count: 1, ..ZeroBucket::default() };
/// let histogram = NativeHistogram::new(schema, zero, positive, NativeBuckets::default(), 4, 5.0)?;
/// let cumulative: Vec<_> = histogram.cumulative_buckets().map(|b| (b.upper, b.count)).collect();
/// assert_eq!(cumulative[1..], [(1.0, 3), (4.0, 4)]);
/// let shown = histogram.reduce_resolution(Schema::COARSEST).to_string();
/// assert!(shown.ends_with("e-39]:1, (1.52587890625e-05,1]:2, (1,65536]:1}"), "{shown}");
/// # Ok::<(), narthex_model::NativeHistogramError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NativeHistogram {
    schema: Schema,
    zero: ZeroBucket,
    positive: NativeBuckets,
    negative: NativeBuckets,
    count: u64,
    sum: f64,
}

/// The bucket around zero, bounds included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZeroBucket {
    /// How far from zero the bucket reaches; at least 0.
    pub threshold: f64,
    /// The observations in the bucket.
    pub count: u64,
}

impl ZeroBucket {
    /// The threshold of the clients of Prometheus: 2^-128, a bound of other buckets too, whatever
    /// the schema.
    pub const DEFAULT_THRESHOLD: f64 = 2.938_735_877_055_719e-39;
}

impl Default for ZeroBucket {
    fn default() -> Self {
        Self { threshold: Self::DEFAULT_THRESHOLD, count: 0 }
    }
}

/// One bucket with its bounds.
///
/// It contains the one that is further from zero, and the bucket around zero contains both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeBucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// The observations in the bucket.
    pub count: u64,
}

impl NativeHistogram {
    /// Puts a histogram together from its buckets, the number of observations and their sum.
    ///
    /// # Errors
    /// Returns a [`NativeHistogramError`] for a bad zero threshold and where the buckets do not add
    /// up to `count`. They may have less only if `sum` is NaN: an observation of NaN belongs to no
    /// bucket.
    pub fn new(
        schema: Schema,
        zero: ZeroBucket,
        positive: NativeBuckets,
        negative: NativeBuckets,
        count: u64,
        sum: f64,
    ) -> Result<Self, NativeHistogramError> {
        if !(0.0..f64::INFINITY).contains(&zero.threshold) {
            return Err(NativeHistogramError::ZeroThreshold { threshold: zero.threshold });
        }
        let in_buckets = positive.total() + negative.total() + u128::from(zero.count);
        let fits = match sum.is_nan() {
            true => in_buckets <= count.into(),
            false => in_buckets == count.into(),
        };
        if !fits {
            return Err(NativeHistogramError::Count { count, in_buckets });
        }
        Ok(Self { schema, zero, positive, negative, count, sum })
    }

    /// How fine the buckets are.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The bucket around zero.
    pub fn zero(&self) -> ZeroBucket {
        self.zero
    }

    /// The buckets above zero.
    pub fn positive(&self) -> &NativeBuckets {
        &self.positive
    }

    /// The buckets below zero, by their distance from it.
    pub fn negative(&self) -> &NativeBuckets {
        &self.negative
    }

    /// The number of observations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all observed values.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The buckets above zero in ascending order; each contains its upper bound.
    pub fn positive_buckets(&self) -> impl Iterator<Item = NativeBucket> + use<'_> {
        let schema = self.schema;
        self.positive.iter().map(move |(index, count)| NativeBucket {
            lower: schema.upper_bound(index.saturating_sub(1)),
            upper: schema.upper_bound(index),
            count,
        })
    }

    /// The buckets below zero in descending order; each contains its lower bound.
    pub fn negative_buckets(&self) -> impl Iterator<Item = NativeBucket> + use<'_> {
        let schema = self.schema;
        self.negative.iter().map(move |(index, count)| NativeBucket {
            lower: -schema.upper_bound(index),
            upper: -schema.upper_bound(index.saturating_sub(1)),
            count,
        })
    }

    /// All buckets in ascending order, the one around zero among them where anything was observed
    /// in it.
    ///
    /// No two of them overlap: where the threshold of the bucket around zero lies within another
    /// bucket, that one begins or ends there, for an observation is compared with the threshold
    /// first.
    ///
    /// ```
    /// use narthex_model::{NativeBuckets, NativeHistogram, Schema, ZeroBucket};
    ///
    /// let schema = Schema::for_factor(2.0).expect("the factor is above 1");
    /// let side = || NativeBuckets::from_counts([(0, 1), (2, 4)]);
    /// let zero = ZeroBucket { threshold: 0.75, count: 3 };
    /// let histogram = NativeHistogram::new(schema, zero, side(), side(), 13, 0.0)?;
    /// let buckets: Vec<_> = histogram.buckets().filter(|b| b.count > 0).collect();
    /// let shown: Vec<_> = buckets.iter().map(ToString::to_string).collect();
    /// assert_eq!(shown, ["[-4,-2):4", "[-1,-0.75):1", "[-0.75,0.75]:3", "(0.75,1]:1", "(2,4]:4"]);
    /// # Ok::<(), narthex_model::NativeHistogramError>(())
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = NativeBucket> + use<'_> {
        let ZeroBucket { threshold, count } = self.zero;
        let mut negative: Vec<_> = self.negative_buckets().collect();
        negative.reverse();
        let below = negative.into_iter().map(move |bucket| NativeBucket {
            lower: bucket.lower.min(-threshold),
            upper: bucket.upper.min(-threshold),
            ..bucket
        });
        // Subtracted, because -0 is what the opposite of a threshold of 0 would be.
        let zero = NativeBucket { lower: 0.0 - threshold, upper: threshold, count };
        let above = self.positive_buckets().map(move |bucket| NativeBucket {
            lower: bucket.lower.max(threshold),
            upper: bucket.upper.max(threshold),
            ..bucket
        });
        below.chain((count > 0).then_some(zero)).chain(above)
    }

    /// What was observed up to each upper bound, in ascending order, as in a classic histogram.
    pub fn cumulative_buckets(&self) -> impl Iterator<Item = NativeBucket> + use<'_> {
        self.buckets().scan(0, |total, bucket| {
            *total += bucket.count;
            Some(NativeBucket { lower: f64::NEG_INFINITY, count: *total, ..bucket })
        })
    }

    /// The same observations in wider buckets, or as they are where `schema` is not coarser.
    #[must_use]
    pub fn reduce_resolution(&self, schema: Schema) -> Self {
        if schema >= self.schema {
            return self.clone();
        }
        let reduced = |buckets: &NativeBuckets| buckets.reduce_resolution(self.schema, schema);
        let (positive, negative) = (reduced(&self.positive), reduced(&self.negative));
        Self { schema, positive, negative, ..*self }
    }

    /// The same observations with empty buckets left out, but for up to `most_empty` between
    /// buckets of one span.
    #[must_use]
    pub fn compact(&self, most_empty: u32) -> Self {
        let positive = self.positive.compact(most_empty);
        Self { positive, negative: self.negative.compact(most_empty), ..*self }
    }
}

/// Histograms are equal when they show the same; NaN equals NaN, so that pages can be compared.
impl PartialEq for NativeHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.zero == other.zero
            && self.positive == other.positive
            && self.negative == other.negative
            && self.count == other.count
            && (self.sum == other.sum || (self.sum.is_nan() && other.sum.is_nan()))
    }
}

/// Buckets that are not those of a native histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum NativeHistogramError {
    /// A span begins before the end of the one before it.
    Overlap {
        /// Which one, from 1 on.
        span: usize,
        /// Its offset.
        offset: i32,
    },
    /// A span goes beyond the indices there are.
    Index {
        /// Which one, from 1 on.
        span: usize,
    },
    /// There is not one count for each bucket of the spans.
    BucketCount {
        /// The buckets of the spans.
        needed: u64,
        /// The counts.
        got: usize,
    },
    /// The differences lead to a count below zero, or to one that is too large.
    BadCount {
        /// Which one, from 1 on.
        bucket: usize,
    },
    /// The threshold of the zero bucket is negative, infinite or NaN.
    ZeroThreshold {
        /// The threshold.
        threshold: f64,
    },
    /// The number of observations is not that of the buckets.
    Count {
        /// The number that was given.
        count: u64,
        /// The observations in all buckets.
        in_buckets: u128,
    },
}

impl fmt::Display for NativeHistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { span, offset } => {
                write!(f, "span {span} has offset {offset}, which must not be negative")
            }
            Self::Index { span } => write!(f, "span {span} goes beyond the last index"),
            Self::BucketCount { needed, got } => {
                write!(f, "the spans have {needed} buckets, but there are {got} counts")
            }
            Self::BadCount { bucket } => write!(f, "the count of bucket {bucket} is not a count"),
            Self::ZeroThreshold { threshold } => {
                write!(f, "{threshold} is not a zero threshold, which is 0 or above")
            }
            Self::Count { count, in_buckets } => {
                write!(f, "the count is {count}, but the buckets have {in_buckets} observations")
            }
        }
    }
}

impl std::error::Error for NativeHistogramError {}

#[cfg(test)]
mod tests;

//! Lists of bucket bounds, checked when the histogram is registered.

use narthex_model::Bounds;

use crate::error::Fault;

/// The upper bounds of a histogram's buckets.
///
/// A list that cannot be used, such as one that does not ascend, is reported by `register`, so that
/// nothing panics and every mistake is in one place. The `+Inf` bucket is always there.
///
/// ```
/// use narthex_core::{Buckets, Histogram, Registry};
///
/// let registry = Registry::new();
/// Histogram::builder("reply_bytes", "Reply size.")
///     .buckets(Buckets::exponential(64.0, 4.0, 8))
///     .register(&registry)?;
/// let error = Histogram::builder("other_bytes", "Other.")
///     .buckets([2.0, 1.0])
///     .register(&registry)
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot register `other_bytes`: bucket 2 is 1, which is not above 2: bounds must ascend",
/// );
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Buckets(Result<Vec<f64>, String>);

impl Buckets {
    /// The bounds that Prometheus clients agree on for durations in seconds.
    pub const DEFAULT: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

    /// These bounds.
    pub fn new(bounds: impl IntoIterator<Item = f64>) -> Self {
        Self(Ok(bounds.into_iter().collect()))
    }

    /// `count` bounds from `start` on, each `width` above the one before.
    ///
    /// `count` must be at least 1 and `width` positive.
    pub fn linear(start: f64, width: f64, count: usize) -> Self {
        if count < 1 {
            return Self::invalid("linear buckets need a count of at least 1");
        }
        if width.is_nan() || width <= 0.0 {
            return Self::invalid(format!("linear buckets need a positive width, not {width}"));
        }
        // Added up as client_golang does, so that both export the same bounds.
        let bounds = std::iter::successors(Some(start), |bound| Some(bound + width));
        Self::new(bounds.take(count))
    }

    /// `count` bounds from `start` on, each `factor` times the one before.
    ///
    /// `count` must be at least 1, `start` positive and `factor` above 1.
    pub fn exponential(start: f64, factor: f64, count: usize) -> Self {
        if count < 1 {
            return Self::invalid("exponential buckets need a count of at least 1");
        }
        if start.is_nan() || start <= 0.0 {
            return Self::invalid(format!(
                "exponential buckets need a positive start, not {start}"
            ));
        }
        if factor.is_nan() || factor <= 1.0 {
            return Self::invalid(format!(
                "exponential buckets need a factor above 1, not {factor}"
            ));
        }
        let bounds = std::iter::successors(Some(start), |bound| Some(bound * factor));
        Self::new(bounds.take(count))
    }

    /// `count` bounds from `min` to `max`, each by the same factor above the one before.
    ///
    /// `count` must be at least 2, `min` positive and `max` above it.
    pub fn exponential_range(min: f64, max: f64, count: usize) -> Self {
        if count < 2 {
            return Self::invalid("an exponential range of buckets needs a count of at least 2");
        }
        if min.is_nan() || min <= 0.0 {
            let reason =
                format!("an exponential range of buckets needs a positive start, not {min}");
            return Self::invalid(reason);
        }
        if max.is_nan() || max <= min {
            let reason = format!("an exponential range of buckets cannot go from {min} to {max}");
            return Self::invalid(reason);
        }
        let factor = (max / min).powf(1.0 / (count - 1) as f64);
        Self::new((0..count).map(|k| min * factor.powi(k as i32)))
    }

    fn invalid(reason: impl Into<String>) -> Self {
        Self(Err(reason.into()))
    }

    pub(crate) fn bounds(self) -> Result<Bounds, Fault> {
        let bounds = self.0.map_err(Fault::BucketList)?;
        Bounds::new(&bounds).map_err(Fault::Buckets)
    }
}

/// Two lists are equal where they give the same buckets.
impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        self.clone().bounds() == other.clone().bounds()
    }
}

/// What a builder of an instrument with buckets collects.
pub trait TakeBuckets {
    fn take_buckets(&mut self, buckets: Buckets);
}

impl TakeBuckets for Buckets {
    fn take_buckets(&mut self, buckets: Buckets) {
        *self = buckets;
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

impl<const N: usize> From<[f64; N]> for Buckets {
    fn from(bounds: [f64; N]) -> Self {
        Self::new(bounds)
    }
}

impl From<&[f64]> for Buckets {
    fn from(bounds: &[f64]) -> Self {
        Self::new(bounds.iter().copied())
    }
}

impl From<Vec<f64>> for Buckets {
    fn from(bounds: Vec<f64>) -> Self {
        Self::new(bounds)
    }
}

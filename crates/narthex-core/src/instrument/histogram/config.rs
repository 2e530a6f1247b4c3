//! What a histogram counts in: classic buckets, native ones, or both.

use narthex_model::ZeroBucket;

use super::native::{NativeLimits, NativeShape};
use crate::buckets::{Buckets, TakeBuckets};
use crate::builder::{Builder, Instrument};
use crate::error::Fault;

/// What the builder of a histogram collects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub(super) buckets: Option<Buckets>,
    /// The factor of native buckets.
    pub(super) factor: Option<f64>,
    zero_threshold: Option<f64>,
    limits: Option<NativeLimits>,
}

impl Config {
    /// What native histograms share, where this is of any.
    pub(super) fn native(&self) -> Result<Option<NativeShape>, Fault> {
        let Some(factor) = self.factor else {
            return match (self.zero_threshold, self.limits) {
                (None, None) => Ok(None),
                _ => Err(Fault::BucketList(
                    "a zero threshold and native limits need native buckets".to_owned(),
                )),
            };
        };
        let threshold = self.zero_threshold.unwrap_or(ZeroBucket::DEFAULT_THRESHOLD);
        let bounds = self.buckets.clone().map(Buckets::bounds).transpose()?;
        let limits = self.limits.unwrap_or_default();
        NativeShape::new(factor, threshold, limits, bounds).map(Some)
    }
}

impl TakeBuckets for Config {
    fn take_buckets(&mut self, buckets: Buckets) {
        self.buckets = Some(buckets);
    }
}

impl<I: Instrument<Config = Config>> Builder<I> {
    /// Counts in native buckets, each of which ends at most at `factor` times the end of the one
    /// before; by default in classic buckets only.
    ///
    /// Native buckets need no list of bounds and cost nothing where nothing is observed. `1.1` is a
    /// good start; the factor is above 1. Classic buckets are there too if
    /// [`buckets`](Self::buckets) are given, for servers and formats without native ones. Only the
    /// protobuf format has native ones; without any others, texts show `+Inf` alone.
    ///
    /// ```
    /// use narthex_core::{Histogram, Registry};
    ///
    /// let latency = Histogram::builder("query_seconds", "Query time.")
    ///     .native(1.1)
    ///     .buckets([0.01, 0.1, 1.0])
    ///     .register(&Registry::new())?;
    /// latency.observe(0.05);
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    #[must_use]
    pub fn native(mut self, factor: f64) -> Self {
        self.config.factor = Some(factor);
        self
    }

    /// Sets up to which distance from zero values are in the native zero bucket; by default
    /// 2^-128.
    #[must_use]
    pub fn zero_threshold(mut self, threshold: f64) -> Self {
        self.config.zero_threshold = Some(threshold);
        self
    }

    /// Sets what happens when there are too many native buckets; by default there are at most 160,
    /// and too many are made wider.
    #[must_use]
    pub fn native_limits(mut self, limits: NativeLimits) -> Self {
        self.config.limits = Some(limits);
        self
    }
}

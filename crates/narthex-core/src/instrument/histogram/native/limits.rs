//! What keeps the number of native buckets within a limit.

use std::ops::DerefMut;
use std::time::{Duration, Instant};

use narthex_model::Schema;

use super::counts::Counts;
use crate::clock;

/// What a native histogram does when it has too many buckets.
///
/// In this order, as in `client_golang`: it begins anew, where
/// [`min_reset_duration`](Self::min_reset_duration) has passed; or it makes the buckets nearest to
/// zero a part of the zero bucket, where that then ends within
/// [`max_zero_threshold`](Self::max_zero_threshold); or else it makes all buckets twice as wide.
/// What was done but for a reset is undone by one as soon as there may be one.
///
/// By default it has at most 160 buckets, is never reset and keeps its zero bucket as it is.
///
/// ```
/// use std::time::Duration;
///
/// use narthex_core::{Histogram, NativeLimits, Registry};
///
/// let hour = Duration::from_secs(3600);
/// let latency = Histogram::builder("query_seconds", "Query time.")
///     .native(1.1)
///     .native_limits(NativeLimits::default().max_buckets(100).min_reset_duration(hour))
///     .register(&Registry::new())?;
/// latency.observe(0.25);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeLimits {
    buckets: usize,
    reset_after: Option<Duration>,
    zero_threshold: f64,
}

impl NativeLimits {
    /// No limit: as many buckets as the values need, which may be hundreds of thousands.
    pub const fn none() -> Self {
        Self { buckets: usize::MAX, reset_after: None, zero_threshold: 0.0 }
    }

    /// Sets the most buckets, the zero bucket not counted; by default 160.
    ///
    /// There may be more where the widest buckets are too narrow.
    #[must_use]
    pub const fn max_buckets(mut self, most: usize) -> Self {
        self.buckets = most;
        self
    }

    /// Allows a reset after this long at the earliest; by default there is none.
    ///
    /// To Prometheus it looks like that of a counter at a restart.
    #[must_use]
    pub const fn min_reset_duration(mut self, least: Duration) -> Self {
        self.reset_after = if least.is_zero() { None } else { Some(least) };
        self
    }

    /// Allows the zero bucket to become wider up to this bound; by default it does not.
    #[must_use]
    pub const fn max_zero_threshold(mut self, most: f64) -> Self {
        self.zero_threshold = most;
        self
    }
}

impl Default for NativeLimits {
    fn default() -> Self {
        Self { buckets: 160, ..Self::none() }
    }
}

/// How the buckets of a histogram are to begin, and what keeps them few.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) schema: Schema,
    pub(super) zero_threshold: f64,
    pub(super) limits: NativeLimits,
}

/// The course of a histogram's buckets. All of its [`Counts`] have the same bounds at any time.
#[derive(Debug)]
pub(super) struct Course {
    /// When counting began.
    start: Instant,
    /// When that was by a reset, in milliseconds since the Unix epoch.
    pub(super) reset_at: Option<i64>,
    /// When to reset what was made wider.
    next_reset: Option<Instant>,
    /// More has to be made wider at the next observation.
    unsettled: bool,
    pub(super) schema: Schema,
    pub(super) zero_threshold: f64,
}

impl Course {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            start: clock::now(),
            reset_at: None,
            next_reset: None,
            unsettled: false,
            schema: plan.schema,
            zero_threshold: plan.zero_threshold,
        }
    }

    /// When an observation has to come here even if its bucket is known.
    pub(super) fn next_look(&self) -> Option<Instant> {
        if self.unsettled { Some(self.start) } else { self.next_reset }
    }

    /// Resets what is to be reset by now.
    pub(super) fn advance<C: DerefMut<Target = Counts>>(&mut self, plan: &Plan, all: &mut [C]) {
        if let Some(due) = self.next_reset {
            let now = clock::now();
            if now >= due {
                self.begin_anew(plan, all, now);
            }
        }
    }

    /// Counts a value in the `own`th of all counts, and then keeps to the limits.
    pub(super) fn observe<C: DerefMut<Target = Counts>>(
        &mut self,
        plan: &Plan,
        all: &mut [C],
        own: usize,
        (classic, value): (usize, f64),
    ) {
        self.advance(plan, all);
        all[own].observe(classic, value);
        self.unsettled = false;
        if buckets(all) <= plan.limits.buckets {
            return;
        }
        if let Some(least) = plan.limits.reset_after {
            let now = clock::now();
            if now.saturating_duration_since(self.start) >= least {
                self.begin_anew(plan, all, now);
                // It is what comes next.
                return all[own].observe(classic, value);
            }
            self.next_reset = self.next_reset.or(self.start.checked_add(least));
        }
        // Once for each observation, so that wider buckets get a chance to fill.
        let wider = self.widen_zero(plan, all) || self.coarsen(all);
        self.unsettled = wider && buckets(all) > plan.limits.buckets;
    }

    fn begin_anew<C: DerefMut<Target = Counts>>(
        &mut self,
        plan: &Plan,
        all: &mut [C],
        now: Instant,
    ) {
        *self = Self { start: now, reset_at: Some(clock::unix_millis()), ..Self::new(plan) };
        all.iter_mut().for_each(|counts| counts.reset(plan.schema, plan.zero_threshold));
    }

    /// Makes the buckets nearest to zero a part of the zero bucket; returns whether it may be.
    fn widen_zero<C: DerefMut<Target = Counts>>(&mut self, plan: &Plan, all: &mut [C]) -> bool {
        let most = plan.limits.zero_threshold;
        let Some(nearest) = all.iter().filter_map(|counts| counts.nearest()).min() else {
            return false;
        };
        let threshold = self.schema.upper_bound(nearest);
        if !(self.zero_threshold < most && threshold <= most && threshold < f64::INFINITY) {
            return false;
        }
        self.zero_threshold = threshold;
        all.iter_mut().for_each(|counts| counts.widen_zero(nearest, threshold));
        true
    }

    /// Makes all buckets twice as wide; returns whether that was possible.
    fn coarsen<C: DerefMut<Target = Counts>>(&mut self, all: &mut [C]) -> bool {
        let Some(schema) = self.schema.coarser() else { return false };
        self.schema = schema;
        all.iter_mut().for_each(|counts| counts.coarsen(schema));
        true
    }
}

/// The buckets that any of the counts has.
fn buckets<C: DerefMut<Target = Counts>>(all: &[C]) -> usize {
    if let [only] = all {
        return only.positive.len() + only.negative.len();
    }
    let distinct = |side: fn(&Counts) -> &[i32]| {
        let mut indices: Vec<i32> = all.iter().flat_map(|counts| side(counts)).copied().collect();
        indices.sort_unstable();
        indices.dedup();
        indices.len()
    };
    distinct(|counts| counts.positive.indices()) + distinct(|counts| counts.negative.indices())
}

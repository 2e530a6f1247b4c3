//! The observations of the last minutes.

use std::time::{Duration, Instant};

use super::objectives::Objectives;
use super::stream::{SortKey, Spare, Stream};
use crate::clock;
use crate::error::Fault;

/// What is estimated, and of which span of time: what the series of a family share.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) objectives: Objectives,
    /// Where time, in nanoseconds, is counted from.
    start: Instant,
    slices: usize,
    /// Nanoseconds that a slice spans.
    width: u64,
}

/// The most slices of a window.
const MOST_SLICES: u32 = 60;

impl Span {
    pub(super) fn new(
        objectives: Objectives,
        max_age: Duration,
        age_buckets: u32,
    ) -> Result<Self, Fault> {
        if age_buckets == 0 || age_buckets > MOST_SLICES {
            return Err(Fault::AgeBuckets { got: age_buckets, most: MOST_SLICES });
        }
        let width = nanos(max_age) / u64::from(age_buckets);
        if width == 0 {
            return Err(Fault::MaxAge { got: max_age });
        }
        Ok(Self { objectives, start: clock::now(), slices: age_buckets as usize, width })
    }

    /// The time, on a clock that never goes back.
    pub(super) fn now(&self) -> u64 {
        nanos(clock::now().saturating_duration_since(self.start))
    }
}

/// A sliding window: the newest slice takes observations, and when it has lasted for its share of
/// the window, the oldest one is forgotten to be the next.
///
/// `client_golang` has every observation in as many streams as there are slices and shows the
/// oldest. Here it is in one, and the streams are merged to be shown, which takes as long once a
/// scrape as it would have taken there at each flush. The [bound](Objectives) is made so that the
/// merged stream is as exact as that one.
#[derive(Debug)]
pub(super) struct Window {
    slices: Box<[Stream]>,
    newest: usize,
    /// When the newest slice ends.
    end: u64,
}

/// Memory for looking at windows, to be used again.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    merged: Stream,
    pub(super) spare: Spare,
}

#[cfg(all(test, not(loom)))]
impl Workspace {
    pub(super) fn bytes(&self) -> usize {
        self.merged.size().1 + self.spare.bytes()
    }
}

impl Window {
    pub(super) fn new(span: &Span, now: u64) -> Self {
        let slices = vec![Stream::default(); span.slices].into();
        Self { slices, newest: 0, end: now.saturating_add(span.width) }
    }

    /// When the newest slice ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Forgets what is too old by now.
    pub(super) fn advance(&mut self, span: &Span, now: u64, spare: &mut Spare) {
        let Some(late) = now.checked_sub(self.end) else { return };
        self.slices[self.newest].settle(&span.objectives, spare);
        let over = late / span.width + 1;
        for _ in 0..over.min(span.slices as u64) {
            self.newest = (self.newest + 1) % self.slices.len();
            self.slices[self.newest].clear();
        }
        self.end = self.end.saturating_add(over.saturating_mul(span.width));
    }

    /// Adds observations to the newest slice.
    pub(super) fn add(&mut self, sorted: &[SortKey], span: &Span, spare: &mut Spare) {
        self.slices[self.newest].add(sorted, &span.objectives, spare);
    }

    /// The values of the objectives' quantiles, NaN where nothing was observed in the window.
    pub(super) fn values<'w>(
        &self,
        span: &'w Span,
        workspace: &'w mut Workspace,
    ) -> impl Iterator<Item = f64> + use<'w> {
        let Workspace { merged, spare } = workspace;
        merged.clear();
        for slice in self.slices.iter().filter(|slice| !slice.is_empty()) {
            merged.merge(slice, &span.objectives, spare);
        }
        let quantiles = span.objectives.quantiles.as_slice();
        quantiles.iter().map(|quantile| merged.quantile(*quantile))
    }

    /// The number of values that are kept, and the bytes they take.
    #[cfg(all(test, not(loom)))]
    pub(super) fn size(&self) -> (usize, usize) {
        let sizes = self.slices.iter().map(Stream::size);
        sizes.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How fast a writer adds observations, for it to know when to look at the time.
///
/// Looking takes as long as all else that an observation needs. So it is done at every one, but at
/// every 16th only once many came within 100 us of each other. If such a writer then pauses, and
/// nobody scrapes meanwhile, up to 15 after the pause count as if they had come before it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    looked: Option<u64>,
    /// Looks in succession that were no more than 100 us apart.
    fast: u32,
}

impl Pace {
    /// Notes a look, and gives the number of observations up to the next.
    pub(super) fn look(&mut self, now: u64) -> u64 {
        const CLOSE: u64 = 100_000;
        let last = self.looked.replace(now);
        let is_close = last.and_then(|last| now.checked_sub(last)).is_some_and(|t| t < CLOSE);
        self.fast = if is_close { self.fast.saturating_add(1) } else { 0 };
        if self.fast < 16 { 1 } else { 16 }
    }
}

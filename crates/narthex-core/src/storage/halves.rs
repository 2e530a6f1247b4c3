//! Observations in cells of each thread, read whole.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::cells::{Lease, Near};
use crate::sync::{self, Word};

/// Counts in buckets and the sum of what was observed: two halves of cells in each thread.
///
/// A snapshot has to see whole observations only, while threads go on observing. So observations
/// go to the *hot* half; a snapshot reads the other one, makes it hot, and reads the first, which
/// by then is at rest but for threads that had chosen it before (the idea of `client_golang`'s
/// histogram, with cells of one writer each).
///
/// Most instruments of a kind have halves of `SMALL` cells or less, a power of two. They all get
/// as many: a constant saves the checks of a length.
#[derive(Debug)]
pub(crate) struct Halves<const SMALL: usize> {
    /// The cells of the half that is hot, where it is small, and which one that is: one load for
    /// both.
    hot: AtomicU64,
    /// The buckets, then the number of whole observations, then the sums of every other one.
    halves: [Lease; 2],
    buckets: usize,
    one_snapshot: Mutex<()>,
}

impl<const SMALL: usize> Halves<SMALL> {
    /// The most buckets there can be.
    pub(crate) const MOST_BUCKETS: usize = Lease::MOST - 1 - SUMS;

    /// Returns `None` for more buckets than [`MOST_BUCKETS`](Self::MOST_BUCKETS).
    pub(crate) fn new(buckets: usize) -> Option<Self> {
        let cells = (buckets + 1 + SUMS).max(SMALL);
        let half = || Lease::new(cells, |cell| cell >= cells - SUMS);
        let halves = [half()?, half()?];
        let hot = AtomicU64::new(Self::hot(&halves, 0));
        Some(Self { hot, halves, buckets, one_snapshot: Mutex::new(()) })
    }

    /// Counts an observation in cells of this thread that are small and near; returns whether it
    /// has such cells.
    #[inline(always)]
    pub(crate) fn observe_near(&self, bucket: usize, value: f64) -> bool {
        // Relaxed: a stale half is counted all the same, see `snapshot`.
        let cells = Near::from_bits(self.hot.load(Relaxed)).cells::<SMALL>();
        cells.is_some_and(|cells| write(cells, bucket, value))
    }

    /// Counts an observation wherever this thread has its cells.
    pub(crate) fn observe(&self, bucket: usize, value: f64) {
        let half = Self::half(self.hot.load(Relaxed));
        self.halves[half].with(|cells| _ = write(cells, bucket, value));
    }

    pub(crate) fn snapshot(&self) -> Totals {
        let _one = self.one_snapshot.lock();
        let hot = Self::half(self.hot.load(Relaxed));
        let mut totals = Totals::nothing(self.buckets);
        self.add_half(1 - hot, &mut totals);
        // Relaxed: whoever still sees the old value writes to the half that is read next, and the
        // reader either sees that observation whole or not at all.
        self.hot.store(Self::hot(&self.halves, 1 - hot), Relaxed);
        self.add_half(hot, &mut totals);
        totals
    }

    /// What `hot` is while this half is.
    fn hot(halves: &[Lease; 2], half: usize) -> u64 {
        let small = halves[half].len() == SMALL;
        let near = if small { Near::of(halves[half].first()) } else { Near::NOWHERE };
        near.with_spare(half as u64)
    }

    /// The half that is hot.
    fn half(hot: u64) -> usize {
        (Near::spare(hot) & 1) as usize
    }

    fn add_half(&self, half: usize, totals: &mut Totals) {
        /// A thread that is kept from its core half-way through an observation is waited for, a
        /// second and more. After that (a debugger holds it, say) it is read as it is.
        const ATTEMPTS: usize = 1000;
        const PAUSE: Duration = Duration::from_millis(1);
        for attempt in 1.. {
            let mut sum = Totals::nothing(self.buckets);
            let mut all_whole = true;
            self.halves[half].for_each_thread(|cells| {
                let read = read(cells, self.buckets);
                all_whole &= read.is_ok();
                sum.add(&read.unwrap_or_else(|half_way| half_way));
            });
            if all_whole || attempt == ATTEMPTS {
                return totals.add(&sum);
            }
            // Not under the lock, which threads that start or end are waiting for.
            thread::sleep(PAUSE);
        }
    }
}

/// What has been observed: a count for each bucket alone, and the sum.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}

impl Totals {
    pub(crate) fn nothing(buckets: usize) -> Self {
        Self { counts: vec![0; buckets], sum: 0.0 }
    }

    /// The observations in all buckets.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    fn add(&mut self, other: &Self) {
        for (total, count) in self.counts.iter_mut().zip(&other.counts) {
            *total = total.wrapping_add(*count);
        }
        self.sum += other.sum;
    }
}

/// Sums that a half has. It takes 3 ns until a float that was added to in memory can be added to
/// again, longer than the rest of an observation: with two sums, none has to wait for the last.
const SUMS: usize = 2;

/// The buckets among the cells of a half, the number of whole observations, and their sums.
#[inline(always)]
fn parts<W>(cells: &[W]) -> Option<(&[W], &W, &[W; SUMS])> {
    let (rest, sums) = cells.split_last_chunk()?;
    let (whole, buckets) = rest.split_last()?;
    Some((buckets, whole, sums))
}

/// Writes an observation to cells of which the caller is the only writer; returns whether they have
/// its bucket.
#[inline(always)]
fn write(cells: &[impl Word], bucket: usize, value: f64) -> bool {
    let Some((buckets, whole, sums)) = parts(cells) else { return false };
    let Some(bucket) = buckets.get(bucket) else { return false };
    let sum = &sums[whole.load(Relaxed) as usize % SUMS];
    // The order and the Releases pair with the Acquires in `read`: who sees the sum or the number
    // of an observation sees its bucket.
    bucket.store(bucket.load(Relaxed).wrapping_add(1), Relaxed);
    sum.store((f64::from_bits(sum.load(Relaxed)) + value).to_bits(), Release);
    whole.store(whole.load(Relaxed).wrapping_add(1), Release);
    true
}

/// Reads whole observations from cells that their owner may be writing.
///
/// Where the owner does not get to the end of one (its thread lost its core, say), the error is the
/// cells as they are: the bucket is counted, and the sum perhaps not.
fn read(cells: &[impl Word], buckets: usize) -> Result<Totals, Totals> {
    const ATTEMPTS: usize = 1000;
    let Some((_, whole, sums)) = parts(cells) else { return Ok(Totals::nothing(buckets)) };
    let mut attempt = 0;
    loop {
        // Acquire pairs with the Releases in `write`. The buckets are read last: if any part of a
        // newer observation was seen, its bucket is seen too, and the counts do not agree.
        let whole = whole.load(Acquire);
        let sum = sums.iter().map(|sum| f64::from_bits(sum.load(Acquire))).sum();
        let counts: Vec<u64> = cells[..buckets].iter().map(|bucket| bucket.load(Relaxed)).collect();
        let seen = counts.iter().fold(0u64, |total, count| total.wrapping_add(*count));
        attempt += 1;
        if seen == whole {
            return Ok(Totals { counts, sum });
        }
        if attempt == ATTEMPTS {
            return Err(Totals { counts, sum });
        }
        sync::wait(attempt);
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

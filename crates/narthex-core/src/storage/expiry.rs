//! Which series have been idle for long.
//!
//! A lookup leaves a mark, which costs it one load where the mark is there already; a sweep takes
//! the marks away and notes when it found them. What changes its value without a lookup, through a
//! handle that is kept, is found by comparing values from sweep to sweep.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use narthex_model::Records;

use super::directory::Directory;
use super::store::NEAR_CHUNKS;

/// When series were last seen in use.
pub(super) struct Expiry {
    after: Duration,
    start: Instant,
    /// Two words a record: when it was seen and whether it was since; a digest of its value.
    seen: Directory<AtomicU64, NEAR_CHUNKS>,
}

/// Set by a lookup, taken away by a sweep.
const USED: u64 = 1 << 63;

impl Expiry {
    pub(super) fn new(after: Duration, start: Instant) -> Self {
        Self { after, start, seen: Directory::new() }
    }

    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// Notes that the series was looked up.
    #[inline(always)]
    pub(super) fn mark(&self, position: u32) {
        if let Some([seen, _]) = self.words(position)
            && seen.load(Relaxed) & USED == 0
        {
            // Relaxed: a sweep that misses the mark finds it the next time.
            seen.fetch_or(USED, Relaxed);
        }
    }

    /// Notes that a record is a new series; for the one writer.
    pub(super) fn begin(&self, position: u32, now: Instant) {
        let chunk = (position >> Records::CHUNK_LOG) as usize;
        self.seen.set(chunk, || -> Arc<[AtomicU64]> {
            (0..2 << Records::CHUNK_LOG).map(|_| AtomicU64::new(0)).collect()
        });
        if let Some([seen, digest]) = self.words(position) {
            seen.store(self.millis(now), Relaxed);
            digest.store(0, Relaxed);
        }
    }

    /// Whether the series has been idle for too long; notes it as seen where it has not been idle.
    pub(super) fn sweep(&self, position: u32, value: &[u64], now: Instant) -> bool {
        let Some([seen, digest]) = self.words(position) else { return false };
        let now = self.millis(now);
        let current = digest_of(value);
        let changed = digest.swap(current, Relaxed) != current;
        let last = seen.load(Relaxed);
        if changed || last & USED != 0 {
            seen.store(now, Relaxed);
            return false;
        }
        u128::from(now - last) >= self.after.as_millis()
    }

    #[inline(always)]
    fn words(&self, position: u32) -> Option<&[AtomicU64; 2]> {
        let chunk = self.seen.chunk((position >> Records::CHUNK_LOG) as usize)?;
        let at = 2 * (position & ((1 << Records::CHUNK_LOG) - 1)) as usize;
        chunk.get(at..)?.first_chunk()
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_millis() as u64
    }
}

fn digest_of(value: &[u64]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

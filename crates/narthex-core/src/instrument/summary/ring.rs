//! Observations of one thread that wait to be merged.

use parking_lot::Mutex;

use super::stream::SortKey;
use super::window::Pace;
use crate::sync::AtomicU64;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// A queue with one writer, which any thread may empty, one at a time.
///
/// The writer pays for two plain loads and stores. Who empties the queue copies and sorts first,
/// and then, under the lock of what it is emptied into, [takes](Self::take) what was copied, unless
/// somebody else has done so meanwhile.
#[derive(Debug)]
pub(super) struct Ring {
    /// Observations so far, which only the writer changes.
    written: AtomicU64,
    /// Those of them that were taken. Only changed under a lock that all who empty it share.
    taken: AtomicU64,
    /// How many observations there may be before the writer has to look around.
    look_at: AtomicU64,
    /// The writer's own, but for its place here.
    pace: Mutex<Pace>,
    values: [AtomicU64; CAPACITY],
}

/// Observations that a queue holds. Longer ones make merging a little cheaper and sorting a little
/// dearer; one takes 2 KiB a thread.
pub(super) const CAPACITY: usize = if cfg!(loom) { 2 } else { 256 };

/// A copy of what waits in a queue.
pub(super) struct Batch {
    from: u64,
    len: usize,
    keys: [SortKey; CAPACITY],
    sum: f64,
}

/// A queue whose writer has to look around before it adds.
pub(super) struct Full;

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            written: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            look_at: AtomicU64::new(0),
            pace: Mutex::default(),
            values: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Adds an observation; for the one writer.
    #[inline(always)]
    pub(super) fn push(&self, value: f64) -> Result<(), Full> {
        // Relaxed: the writer's own.
        let written = self.written.load(Relaxed);
        // Relaxed: others only ever make it less.
        if written >= self.look_at.load(Relaxed) {
            return Err(Full);
        }
        self.values[written as usize % CAPACITY].store(value.to_bits(), Relaxed);
        // Release pairs with the Acquire in `copy`: who sees the number sees the value.
        self.written.store(written + 1, Release);
        Ok(())
    }

    /// Lets the writer, which looks at the time now, go on as far as there is room; false when
    /// there is none. For the one writer.
    pub(super) fn look(&self, now: u64) -> bool {
        let step = self.pace.lock().look(now);
        let written = self.written.load(Relaxed);
        // Acquire pairs with the Release in `take`: what is overwritten was copied before.
        let room = self.taken.load(Acquire) + CAPACITY as u64;
        self.look_at.store((written + step).min(room), Relaxed);
        written < room
    }

    /// Makes the writer look around before the next observation.
    pub(super) fn alert(&self) {
        self.look_at.store(0, Relaxed);
    }

    /// Copies what waits; it may be worthless if somebody else takes it, which `take` finds out.
    pub(super) fn copy(&self) -> Option<Batch> {
        let from = self.taken.load(Acquire);
        let len = CAPACITY.min((self.written.load(Acquire) - from) as usize);
        if len == 0 {
            return None;
        }
        let mut batch = Batch { from, len, keys: [SortKey::default(); CAPACITY], sum: 0.0 };
        for (at, key) in batch.keys[..len].iter_mut().enumerate() {
            // Relaxed: where the writer is overwriting it, `take` refuses the copy. For then it was
            // taken before, under the lock: were that lock taken after ours, the writer could not
            // have written yet what was read here.
            let value = f64::from_bits(self.values[(from as usize + at) % CAPACITY].load(Relaxed));
            batch.sum += value;
            *key = SortKey::new(value);
        }
        batch.keys[..len].sort_unstable();
        Some(batch)
    }

    /// Takes what was copied; false if somebody else did. For the one who has the lock.
    pub(super) fn take(&self, batch: &Batch) -> bool {
        // Relaxed: changed under the lock only.
        if self.taken.load(Relaxed) != batch.from {
            return false;
        }
        self.taken.store(batch.from + batch.len as u64, Release);
        true
    }
}

impl Batch {
    /// The observations, ascending.
    pub(super) fn sorted(&self) -> &[SortKey] {
        &self.keys[..self.len]
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(all(test, loom))]
mod loom_tests;

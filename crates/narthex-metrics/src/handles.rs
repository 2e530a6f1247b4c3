//! The series that are found at once, by the facade's own key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use metrics::Key;
use parking_lot::RwLock;

/// From a key to its series, so that a macro that is called again does not spell out its names.
///
/// Every cell in it is held by its family too, whose lock is taken before a write to this.
#[derive(Debug)]
pub(crate) struct Handles<C> {
    shards: [RwLock<Shard<C>>; SHARDS],
}

type Shard<C> = HashMap<Key, Arc<C>, BuildHasherDefault<Spread>>;

/// Threads that look up at once write to the lock's count of readers; this many do not meet.
const SHARDS: usize = 16;

impl<C> Handles<C> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }

    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<C>> {
        self.shard(key).read().get(key).cloned()
    }

    pub(crate) fn insert(&self, key: Key, cell: Arc<C>) {
        self.shard(&key).write().insert(key, cell);
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.shard(key).write().remove(key);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard<C>> {
        &self.shards[(spread(key.get_hash()) >> 32) as usize % SHARDS]
    }
}

/// Passes on the hash that a key brings, for it was computed with the key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = spread(hash);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The facade leaves out its hash's last mixing step; the table looks at the high bits.
fn spread(hash: u64) -> u64 {
    let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 32
}

//! Label values that are too long for a key.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::directory::Directory;

/// Where values over [`StoredKey::EXACT`](super::key::StoredKey::EXACT) bytes are kept as words, for
/// lookups to compare without a lock.
#[derive(Default)]
pub(super) struct LongValues {
    pub(super) next: u32,
    /// Starts of freed values by their number of words.
    free: Vec<Vec<u32>>,
}

impl LongValues {
    /// Words a chunk spans; a longer value gets a chunk of its own length.
    const CHUNK_LOG: u32 = 10;

    /// Stores a value and gives its start; for the one writer.
    pub(super) fn add(&mut self, words: &Directory<AtomicU64, 1>, value: &[u8]) -> u32 {
        let len = value.len().div_ceil(8);
        let start = match self.free.get_mut(len).and_then(Vec::pop) {
            Some(start) => start,
            None => {
                let chunk_len = 1 << Self::CHUNK_LOG;
                if self.next as usize % chunk_len + len > chunk_len {
                    self.next = self.next.next_multiple_of(chunk_len as u32);
                }
                let start = self.next;
                let spanned = len.max(chunk_len);
                words.set((start >> Self::CHUNK_LOG) as usize, || {
                    (0..spanned).map(|_| AtomicU64::new(0)).collect()
                });
                // A chunk of its own is used up at once.
                self.next = start + len.min(chunk_len) as u32;
                start
            }
        };
        if let Some(cells) = Self::cells(words, start, len) {
            for (cell, bytes) in cells.iter().zip(value.chunks(8)) {
                cell.store(Self::word(bytes), Relaxed);
            }
        }
        start
    }

    /// Makes the room of a value free for another of the same number of words.
    pub(super) fn free(&mut self, start: u32, len: u32) {
        let len = (len as usize).div_ceil(8);
        if self.free.len() <= len {
            self.free.resize_with(len + 1, Vec::new);
        }
        self.free[len].push(start);
    }

    pub(super) fn equals(words: &Directory<AtomicU64, 1>, start: u32, value: &[u8]) -> bool {
        Self::cells(words, start, value.len().div_ceil(8)).is_some_and(|cells| {
            let mut bytes = value.chunks(8);
            cells.iter().zip(&mut bytes).all(|(cell, b)| cell.load(Relaxed) == Self::word(b))
        })
    }

    fn cells(words: &Directory<AtomicU64, 1>, start: u32, len: usize) -> Option<&[AtomicU64]> {
        let chunk = words.chunk((start >> Self::CHUNK_LOG) as usize)?;
        let at = (start & ((1 << Self::CHUNK_LOG) - 1)) as usize;
        chunk.get(at..at + len)
    }

    fn word(bytes: &[u8]) -> u64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    }
}

//! Label values as words: one pass gives the hash and what equality needs.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::MAX_LABELS;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// A label value as a lookup sees it: little enough that the keys of a lookup stay in registers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key {
    /// The whole value, where it is [tiny](is_tiny); else its first word.
    first: u64,
    /// The first word once more if the value is tiny: mixing is left to [`SeriesHash`].
    pub(crate) hash: u64,
}

/// The key of an interned value, which lookups compare with theirs.
///
/// Length and words together *are* a value of up to [`StoredKey::EXACT`] bytes: two such values are
/// equal if and only if these are. Longer values agree in them only if their ends do, and have to
/// be compared in full.
#[derive(Debug, Default)]
pub(crate) struct StoredKey {
    words: [AtomicU64; 4],
    /// The length and, for a long value, where all of it is.
    head: AtomicU64,
}

/// Numbers without a pattern: digits of pi.
const MIX: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];

impl Key {
    /// Reads `value` once. The loads overlap instead of looping, for most values are short.
    #[inline(always)]
    pub(crate) fn new(seed: u64, value: &str) -> Self {
        if let Some(first) = two_to_six(value.as_bytes()) {
            return Self { first, hash: first };
        }
        let [first, b, c, d] = words(value);
        let len = value.len() as u64;
        let Some((_, mut rest)) = value.as_bytes().split_first_chunk::<16>() else {
            let hash = if is_tiny(value) { first } else { fold(first ^ seed, b ^ MIX[0] ^ len) };
            return Self { first, hash };
        };
        let mut hash = fold(first ^ seed ^ len, b ^ MIX[0]);
        while let Some((chunk, after)) = rest.split_first_chunk::<16>()
            && !after.is_empty()
        {
            let [x, y] = halves(chunk);
            hash = fold(x ^ hash, y ^ MIX[0]);
            rest = after;
        }
        Self { first, hash: hash ^ fold(c ^ seed, d ^ MIX[1]) }
    }
}

impl StoredKey {
    /// Bytes up to which length and words hold the whole value.
    pub(crate) const EXACT: usize = 32;

    /// Makes this the key of a value, all of which is at `start` if it is long.
    pub(crate) fn set(&self, value: &str, start: u32) {
        // Relaxed: the slot that leads here is published afterwards.
        self.head.store(u64::from(start) << 32 | value.len() as u64, Relaxed);
        self.words.iter().zip(words(value)).for_each(|(cell, word)| cell.store(word, Relaxed));
    }

    /// Makes this the same as another key.
    pub(crate) fn copy(&self, other: &Self) {
        // Relaxed: the list in which this is is published afterwards.
        self.head.store(other.head.load(Relaxed), Relaxed);
        self.words
            .iter()
            .zip(&other.words)
            .for_each(|(to, from)| to.store(from.load(Relaxed), Relaxed));
    }

    /// Whether this is the key of `value`, which a long value may share with others.
    #[inline(always)]
    pub(crate) fn agrees(&self, key: Key, value: &str) -> bool {
        let [first, b, c, d] = &self.words;
        first.load(Relaxed) == key.first
            && (is_tiny(value) || {
                // The words are read again: kept since they were hashed, they would be in memory too.
                let [_, other_b, other_c, other_d] = words(value);
                self.len() as usize == value.len()
                    && b.load(Relaxed) == other_b
                    && c.load(Relaxed) == other_c
                    && d.load(Relaxed) == other_d
            })
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.head.load(Relaxed) as u32
    }

    /// Where all of a long value is.
    pub(crate) fn start(&self) -> u32 {
        (self.head.load(Relaxed) >> 32) as u32
    }
}

/// Whether the first word is the whole value: its highest byte is then one that no text has.
#[inline(always)]
fn is_tiny(value: &str) -> bool {
    value.len() <= 6
}

/// What makes the first word of a tiny value another than that of any longer value, and of any tiny
/// value of another length: a highest byte of 0xF8 or more, which is in no text.
#[inline(always)]
fn mark(len: usize) -> u64 {
    // Rotated, not shifted: what would be added to a shifted length is a constant of ten bytes.
    (0xF8 | len as u64).rotate_right(8)
}

/// The first word of a value that is tiny, as methods and statuses are: found without a branch for
/// each length, which would be guessed wrong where lengths vary.
#[inline(always)]
fn two_to_six(value: &[u8]) -> Option<u64> {
    if value.len().wrapping_sub(2) > 4 {
        return None;
    }
    let (first, last) = (value.first_chunk()?, value.last_chunk()?);
    let middle = value.len() / 2 - 1;
    let middle = value.get(middle..middle + 2)?.first_chunk()?;
    let [first, middle, last] =
        [first, middle, last].map(|two| u64::from(u16::from_le_bytes(*two)));
    Some(first | middle << 16 | last << 32 | mark(value.len()))
}

/// The words of a value: all of it if it is tiny, its first and last 4, 8 or 16 bytes otherwise.
#[inline(always)]
fn words(value: &str) -> [u64; 4] {
    let value = value.as_bytes();
    if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        let ([a, b], [c, d]) = (halves(first), halves(last));
        [a, b, c, d]
    } else if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        [u64::from_le_bytes(*first), u64::from_le_bytes(*last), 0, 0]
    } else if let Some(tiny) = two_to_six(value) {
        [tiny, 0, 0, 0]
    } else if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        [
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32,
            0,
            0,
            0,
        ]
    } else {
        [mark(value.len()) | u64::from(value.first().copied().unwrap_or(0)), 0, 0, 0]
    }
}

#[inline(always)]
fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}

/// Multiplies to 128 bits and folds the halves, as wyhash and foldhash do.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Joins the hashes of a series' values, label by label, two at a time.
#[derive(Clone, Copy)]
pub(crate) struct SeriesHash<'s> {
    seeds: &'s Seeds,
    joined: u64,
    /// What the last label adds, while it waits for that of the next.
    waiting: u64,
}

/// A random number for each label and one more, so that nobody can prepare values that collide.
pub(crate) type Seeds = [u64; MAX_LABELS + 1];

pub(crate) fn seeds() -> Seeds {
    let random = RandomState::new();
    std::array::from_fn(|k| {
        let mut hasher = random.build_hasher();
        hasher.write_usize(k);
        hasher.finish()
    })
}

impl<'s> SeriesHash<'s> {
    #[inline(always)]
    pub(crate) fn new(seeds: &'s Seeds) -> Self {
        Self { seeds, joined: 0, waiting: 0 }
    }

    /// Adds label `k`; its seed keeps equal values of different labels apart.
    #[inline(always)]
    pub(crate) fn add(&mut self, k: usize, hash: u64) {
        let hash = hash ^ self.seeds[k];
        if k.is_multiple_of(2) {
            self.waiting = hash;
        } else {
            self.joined ^= fold(self.waiting, hash);
        }
    }

    /// The hash of a series of `labels` labels.
    #[inline(always)]
    pub(crate) fn finish(self, labels: usize) -> u64 {
        if labels.is_multiple_of(2) {
            self.joined
        } else {
            self.joined ^ fold(self.waiting, self.seeds[labels])
        }
    }
}

/// The hash of one value by itself, for the table of those that a label has.
pub(crate) fn mixed(hash: u64, seed: u64) -> u64 {
    fold(hash ^ seed, MIX[1])
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Key, StoredKey};
    use std::collections::HashSet;

    /// All values over three characters up to a length, and longer ones that differ in one byte.
    fn values() -> Vec<String> {
        let mut values = vec![String::new()];
        let mut longest = values.clone();
        for _ in 1..=8 {
            let longer =
                |value: &String| ['\0', 'a', '\u{10FFFF}'].map(|last| format!("{value}{last}"));
            longest = longest.iter().flat_map(longer).filter(|value| value.len() <= 8).collect();
            values.extend_from_slice(&longest);
        }
        for len in 9..=StoredKey::EXACT {
            values.extend((0..len).map(|at| one_differs(len, at)));
        }
        values
    }

    fn one_differs(len: usize, at: usize) -> String {
        (0..len).map(|k| if k == at { 'b' } else { 'a' }).collect()
    }

    #[test]
    fn keys_of_values_up_to_32_bytes_are_equal_if_the_values_are() {
        let values = values();
        let stored = StoredKey::default();
        for value in &values {
            stored.set(value, 0);
            let is_equal = |other: &&String| stored.agrees(Key::new(7, other), other);
            assert_eq!(values.iter().filter(is_equal).collect::<Vec<_>>(), [value]);
        }
    }

    #[test]
    fn every_byte_of_a_long_value_reaches_the_hash() {
        for len in 2..100 {
            let hashes: HashSet<_> =
                (0..len).map(|at| Key::new(7, &one_differs(len, at)).hash).collect();
            assert_eq!(hashes.len(), len);
        }
    }
}

//! Label values as words: one pass gives the hash and what equality needs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::MAX_LABELS;

/// A label value as a lookup sees it: little enough that the keys of a lookup stay in registers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key {
    /// The whole value, where it is [tiny](is_tiny); else its first word.
    first: u64,
    pub(crate) hash: u64,
}

/// The key of an interned value, which lookups compare with theirs.
///
/// Length and words together *are* a value of up to [`StoredKey::EXACT`] bytes: two such values are
/// equal if and only if these are. Longer values agree in them only if their ends do, and have to
/// be compared in full.
#[derive(Debug, Default)]
pub(crate) struct StoredKey {
    /// The length and, for a long value, where all of it is.
    head: AtomicU64,
    words: [AtomicU64; 4],
    hash: AtomicU64,
}

const MIX: [u64; 3] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0];

impl Key {
    /// Reads `value` once. The loads overlap instead of looping, for most values are short.
    #[inline(always)]
    pub(crate) fn new(seed: u64, value: &str) -> Self {
        if let Some(first) = two_to_six(value.as_bytes()) {
            return Self { first, hash: fold(first ^ seed, MIX[1]) };
        }
        let [first, b, c, d] = words(value);
        let len = value.len() as u64;
        let Some((_, mut rest)) = value.as_bytes().split_first_chunk::<16>() else {
            return Self { first, hash: fold(first ^ seed, b ^ MIX[1] ^ len) };
        };
        let mut hash = fold(first ^ seed ^ len, b ^ MIX[1]);
        while let Some((chunk, after)) = rest.split_first_chunk::<16>()
            && !after.is_empty()
        {
            let [x, y] = halves(chunk);
            hash = fold(x ^ hash, y ^ MIX[1]);
            rest = after;
        }
        Self { first, hash: fold(c ^ hash, d ^ MIX[2]) }
    }
}

impl StoredKey {
    /// Bytes up to which length and words hold the whole value.
    pub(crate) const EXACT: usize = 32;

    /// Makes this the key of a value, all of which is at `start` if it is long.
    pub(crate) fn set(&self, value: &str, hash: u64, start: u32) {
        // Relaxed: the slot that leads here is published afterwards.
        self.head.store(u64::from(start) << 32 | value.len() as u64, Relaxed);
        self.words.iter().zip(words(value)).for_each(|(cell, word)| cell.store(word, Relaxed));
        self.hash.store(hash, Relaxed);
    }

    /// Zero if this is the key of `value`, which a long value may share with others.
    #[inline(always)]
    pub(crate) fn difference(&self, key: Key, value: &str) -> u64 {
        let [first, b, c, d] = &self.words;
        let mut differs = first.load(Relaxed) ^ key.first;
        if !is_tiny(value) {
            // The words are read again: kept since they were hashed, they would be in memory too.
            let [_, other_b, other_c, other_d] = words(value);
            differs |= u64::from(self.len() ^ value.len() as u32);
            differs |= b.load(Relaxed) ^ other_b;
            differs |= c.load(Relaxed) ^ other_c;
            differs |= d.load(Relaxed) ^ other_d;
        }
        differs
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.head.load(Relaxed) as u32
    }

    /// Where all of a long value is.
    pub(crate) fn start(&self) -> u32 {
        (self.head.load(Relaxed) >> 32) as u32
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.load(Relaxed)
    }
}

/// Whether the first word is the whole value: its highest byte is then one that no text has.
#[inline(always)]
fn is_tiny(value: &str) -> bool {
    value.len() <= 6
}

/// What makes the first word of a tiny value another than that of any longer value, and of any tiny
/// value of another length.
#[inline(always)]
fn mark(len: usize) -> u64 {
    (0xFF00 | len as u64) << 48
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

/// Joins the hashes of a series' values, label by label.
#[derive(Clone, Copy)]
pub(crate) struct SeriesHash {
    even: u64,
    odd: u64,
}

impl SeriesHash {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self { even: 0, odd: MIX[0] }
    }

    /// Adds label `k`; the rotation keeps equal values of different labels apart.
    #[inline(always)]
    pub(crate) fn add(&mut self, k: usize, hash: u64) {
        if k.is_multiple_of(2) {
            self.even ^= hash.rotate_left(11 * k as u32);
        } else {
            self.odd ^= hash.rotate_left(21 * k as u32);
        }
    }

    #[inline(always)]
    pub(crate) fn finish(self) -> u64 {
        fold(self.even, self.odd).wrapping_add(self.even)
    }
}

/// A random seed for each label, so that nobody can prepare values that collide.
pub(crate) fn seeds() -> [u64; MAX_LABELS] {
    let random = RandomState::new();
    std::array::from_fn(|k| {
        let mut hasher = random.build_hasher();
        hasher.write_usize(k);
        hasher.finish()
    })
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
            stored.set(value, 0, 0);
            let is_equal = |other: &&String| stored.difference(Key::new(7, other), other) == 0;
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

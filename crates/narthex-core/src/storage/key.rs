//! Label values as words: one pass gives the hash and what equality needs.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::MAX_LABELS;

/// A label value as a lookup sees it.
///
/// `len` and `words` together *are* a value of up to [`Key::EXACT`] bytes: two such values are
/// equal if and only if these are. Longer values agree in them only if their ends do, and have to
/// be compared in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) len: u32,
    pub(crate) words: [u64; 4],
    pub(crate) hash: u64,
}

const MIX: [u64; 3] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0];

impl Key {
    /// Bytes up to which the words hold the whole value.
    pub(crate) const EXACT: usize = 32;

    /// Reads `value` once. The loads overlap instead of looping, for most values are short.
    #[inline(always)]
    pub(crate) fn new(seed: u64, value: &[u8]) -> Self {
        let len = value.len() as u64;
        if let (Some(first), Some(last)) = (value.first_chunk::<16>(), value.last_chunk::<16>())
            && value.len() > 16
        {
            let ([c, d], [a, b]) = (halves(first), halves(last));
            let mut hash = fold(c ^ seed ^ len, d ^ MIX[1]);
            let mut rest = &value[16..];
            while let Some((chunk, after)) = rest.split_first_chunk::<16>()
                && !after.is_empty()
            {
                let [x, y] = halves(chunk);
                hash = fold(x ^ hash, y ^ MIX[1]);
                rest = after;
            }
            Self { len: len as u32, words: [a, b, c, d], hash: fold(a ^ hash, b ^ MIX[2]) }
        } else {
            let [a, b] = short_words(value);
            Self { len: len as u32, words: [a, b, 0, 0], hash: fold(a ^ seed, b ^ MIX[1] ^ len) }
        }
    }
}

/// The words of a value of up to 16 bytes: its first and last 8, 4, or three of its bytes.
#[inline(always)]
fn short_words(value: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
    } else if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        [u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()]
    } else if let (Some(first), Some(last)) = (value.first(), value.last()) {
        let middle = value[value.len() / 2];
        [u64::from(*first) << 16 | u64::from(middle) << 8 | u64::from(*last), 0]
    } else {
        [0, 0]
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
    use super::Key;
    use std::collections::HashSet;

    /// All values over two letters up to a length, and longer ones that differ in one byte.
    fn values() -> Vec<Vec<u8>> {
        let mut values: Vec<Vec<u8>> = vec![Vec::new()];
        for len in 1..=8 {
            values.extend((0..1u32 << len).map(|bits| {
                (0..len).map(|k| if bits >> k & 1 == 0 { b'a' } else { b'b' }).collect()
            }));
        }
        for len in 9..=Key::EXACT {
            values.extend((0..len).map(|at| (0..len).map(|k| b'a' + u8::from(k == at)).collect()));
        }
        values
    }

    #[test]
    fn words_are_the_value_up_to_32_bytes() {
        let values = values();
        let keys: HashSet<_> =
            values.iter().map(|value| Key::new(7, value)).map(|key| (key.len, key.words)).collect();
        assert_eq!(keys.len(), values.len());
    }

    #[test]
    fn every_byte_of_a_long_value_reaches_the_hash() {
        for len in 33..100 {
            let hashes: HashSet<_> = (0..len)
                .map(|at| (0..len).map(|k| b'a' + u8::from(k == at)).collect::<Vec<_>>())
                .map(|value| Key::new(7, &value).hash)
                .collect();
            assert_eq!(hashes.len(), len);
        }
    }
}

//! Which bucket a value belongs to.

use narthex_model::Bounds;

/// Bounds laid out for finding the bucket of a value. They lie here and not behind a pointer, where
/// there are few: to follow it takes as long as the rest.
#[derive(Debug)]
pub(super) enum Search {
    Octaves(Octaves),
    /// Up to 15 other bounds, padded with +Inf: searched in four steps without a branch.
    Padded([f64; 16]),
    Sorted(Bounds),
}

/// Up to 15 positive bounds, each in another octave (from a power of two to the next), as durations
/// and sizes mostly have them.
///
/// The octave of a value leads to the one bound to compare it with, without a branch, which a
/// processor cannot mispredict: 1 ns, where four steps take 2 and a loop with an early exit 4 to 7.
#[derive(Debug)]
pub(super) struct Octaves {
    /// The octave of the first bound, as a float has it above the bits of its fraction.
    first: i64,
    /// The bounds below each octave from there on. The first entry is for all before it as well,
    /// and the last one for all after it.
    below: [u8; 64],
    /// Padded with +Inf.
    bounds: [f64; 16],
}

impl Search {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let finite = bounds.as_slice();
        match (Octaves::new(finite), padded(finite)) {
            (Some(octaves), _) => Self::Octaves(octaves),
            (None, Some(padded)) => Self::Padded(padded),
            (None, None) => Self::Sorted(bounds.clone()),
        }
    }

    /// The number of bounds below `value`: the index of its bucket.
    #[inline(always)]
    pub(super) fn bucket(&self, value: f64) -> usize {
        match self {
            Self::Octaves(octaves) => octaves.bucket(value),
            other => other.bucket_by_halves(value),
        }
    }

    /// Apart and called cold, so that the other search goes straight on.
    #[cold]
    #[inline(never)]
    fn bucket_by_halves(&self, value: f64) -> usize {
        match self {
            Self::Octaves(octaves) => octaves.bucket(value),
            Self::Padded(bounds) => {
                let mut at = 0;
                at += usize::from(bounds[7] < value) * 8;
                at += usize::from(bounds[(at + 3) & 15] < value) * 4;
                at += usize::from(bounds[(at + 1) & 15] < value) * 2;
                at + usize::from(bounds[at & 15] < value)
            }
            Self::Sorted(bounds) => bounds.as_slice().partition_point(|bound| *bound < value),
        }
    }
}

/// The bounds with +Inf after them, where there is at least one of it.
fn padded(finite: &[f64]) -> Option<[f64; 16]> {
    let mut padded = [f64::INFINITY; 16];
    let (front, [_, ..]) = padded.split_at_mut_checked(finite.len())? else { return None };
    front.copy_from_slice(finite);
    Some(padded)
}

impl Octaves {
    fn new(finite: &[f64]) -> Option<Self> {
        let (&least, &most) = finite.first().zip(finite.last())?;
        let first = octave(least);
        let mut below = [0; 64];
        let is_apart = finite.is_sorted_by(|one, next| octave(*one) < octave(*next));
        if least <= 0.0 || !is_apart || octave(most) - first >= below.len() as i64 - 1 {
            return None;
        }
        for (this, below) in (first..).zip(&mut below) {
            *below = finite.iter().filter(|bound| octave(**bound) < this).count() as u8;
        }
        Some(Self { first, below, bounds: padded(finite)? })
    }

    #[inline(always)]
    fn bucket(&self, value: f64) -> usize {
        let at = (octave(value) - self.first).clamp(0, self.below.len() as i64 - 1);
        let below = usize::from(self.below[at as usize]);
        below + usize::from(self.bounds[below % self.bounds.len()] < value)
    }
}

/// Ascends with the value; what is negative comes before all that is not.
#[inline(always)]
fn octave(value: f64) -> i64 {
    value.to_bits() as i64 >> (f64::MANTISSA_DIGITS - 1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Search;
    use crate::buckets::Buckets;
    use narthex_model::Bounds;

    fn check(finite: &[f64], in_octaves: bool) {
        let search = Search::new(&Bounds::new(finite).unwrap());
        assert_eq!(matches!(search, Search::Octaves(_)), in_octaves, "{finite:?}");
        let mut values: Vec<f64> = (-10..100).map(|n| f64::from(n) / 2.0).collect();
        values.extend((-1100..1024).flat_map(|n| [2f64.powi(n), -2f64.powi(n)]));
        values.extend(finite.iter().flat_map(|bound| [*bound, bound.next_down(), bound.next_up()]));
        values.extend([f64::NEG_INFINITY, f64::INFINITY, f64::MAX, f64::MIN, 0.0, -0.0, 5e-324]);
        for value in values {
            let expected = finite.iter().filter(|bound| **bound < value).count();
            assert_eq!(search.bucket(value), expected, "{value} in {finite:?}");
        }
    }

    #[test]
    fn all_searches_agree_with_the_definition() {
        check(&Buckets::DEFAULT, true);
        for len in 1..40 {
            let finite: Vec<f64> = (0..len).map(|n| f64::from(n) - 3.0).collect();
            check(&finite, false);
            let factor = |by: f64| -> Vec<f64> { (0..len).map(|n| 0.3 * by.powi(n)).collect() };
            check(&factor(2.0), len < 16);
            check(&factor(60.0), len < 12);
            check(&factor(1.5), len < 2);
        }
    }

    #[test]
    fn bounds_that_are_no_octaves_are_found_all_the_same() {
        for finite in [&[0.0, 1.0][..], &[-0.0, 1.0], &[-4.0, -1.0, 2.0], &[5e-324, 1e300]] {
            check(finite, false);
        }
        for finite in [&[5e-324][..], &[f64::MAX], &[1e300, 1.5e303], &[1.0, 2.0, 4.0]] {
            check(finite, true);
        }
    }
}

//! Which bucket a value belongs to.

use narthex_model::Bounds;

/// Bounds laid out for finding the bucket of a value.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a histogram or a family, and to follow a pointer takes as long as \
              the rest"
)]
pub(super) enum Search {
    Octaves(Octaves, Bounds),
    /// Up to 15 other bounds, padded with +Inf: searched in four steps without a branch.
    Padded([f64; 16]),
    Sorted(Bounds),
}

/// Positive bounds, each in another octave (from a power of two to the next), as durations and sizes
/// mostly have them.
///
/// The bits of a positive float are its octave and, below that, how far it is into it; as an integer
/// they ascend with the value. So each octave has a number that, added to those bits, leaves the
/// bucket where the octave was: it carries where the value is above the bound of this octave.
///
/// This takes ten instructions, which tell NaN as well. To look a bound up by the octave and compare
/// took 16, or 1 ns; four steps without a branch take 2 ns, and a loop with an early exit 4 to 7.
#[derive(Debug)]
pub(super) struct Octaves {
    /// The bits of the power of two at which the octave of the first bound begins.
    first: u64,
    /// What to add to the bits from `first` on, for each octave from there on.
    steps: [u64; OCTAVES],
}

/// Octaves that are looked up. What is above them all, 2^63 times the first bound at least, goes the
/// long way.
const OCTAVES: usize = 64;

/// Where the octave is among the bits of a float.
const OCTAVE: u32 = f64::MANTISSA_DIGITS - 1;

impl Search {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let finite = bounds.as_slice();
        match (Octaves::new(finite), padded(finite)) {
            (Some(octaves), _) => Self::Octaves(octaves, bounds.clone()),
            (None, Some(padded)) => Self::Padded(padded),
            (None, None) => Self::Sorted(bounds.clone()),
        }
    }

    /// The number of bounds below `value`, which is not NaN: the index of its bucket.
    #[inline(always)]
    pub(super) fn bucket(&self, value: f64) -> usize {
        match self.quick_bucket(value) {
            Some(bucket) => bucket,
            None => self.bucket_by_halves(value),
        }
    }

    /// The same where it is found at once; `None` for NaN, so that one comparison tells both.
    #[inline(always)]
    pub(super) fn quick_bucket(&self, value: f64) -> Option<usize> {
        match self {
            Self::Octaves(octaves, _) => octaves.bucket(value),
            Self::Padded(_) | Self::Sorted(_) => None,
        }
    }

    /// Apart and called cold, so that the other search goes straight on.
    #[cold]
    #[inline(never)]
    fn bucket_by_halves(&self, value: f64) -> usize {
        match self {
            Self::Padded(bounds) => {
                let mut at = 0;
                at += usize::from(bounds[7] < value) * 8;
                at += usize::from(bounds[(at + 3) & 15] < value) * 4;
                at += usize::from(bounds[(at + 1) & 15] < value) * 2;
                at + usize::from(bounds[at & 15] < value)
            }
            Self::Octaves(_, bounds) | Self::Sorted(bounds) => {
                bounds.as_slice().partition_point(|bound| *bound < value)
            }
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
        /// The octave of NaN and infinity.
        const NOT_FINITE: u64 = f64::INFINITY.to_bits() >> OCTAVE;
        let least = *finite.first().filter(|least| **least > 0.0)?;
        let first = least.to_bits() >> OCTAVE;
        if first + OCTAVES as u64 > NOT_FINITE {
            return None;
        }
        let mut below: u64 = 0;
        let mut left = finite.iter().map(|bound| bound.to_bits() - (first << OCTAVE)).peekable();
        let steps = std::array::from_fn(|octave| {
            let octave = octave as u64;
            match left.next_if(|bound| bound >> OCTAVE == octave) {
                // To carry it takes one more than the bound.
                Some(bound) => {
                    below += 1;
                    (below << OCTAVE).wrapping_sub(bound + 1)
                }
                None => (below << OCTAVE).wrapping_sub(octave << OCTAVE),
            }
        });
        // A bound is left where two are in one octave, or one is above them all.
        left.next().is_none().then_some(Self { first: first << OCTAVE, steps })
    }

    #[inline(always)]
    fn bucket(&self, value: f64) -> Option<usize> {
        // What is below the first octave is as good as its beginning. NaN and what is negative has
        // more bits than any number in the octaves.
        let above = value.to_bits().saturating_sub(self.first);
        let step = self.steps.get((above >> OCTAVE) as usize)?;
        Some((above.wrapping_add(*step) >> OCTAVE) as usize)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Search;
    use crate::buckets::Buckets;
    use narthex_model::Bounds;

    fn check(finite: &[f64], in_octaves: bool) {
        let search = Search::new(&Bounds::new(finite).unwrap());
        assert_eq!(matches!(search, Search::Octaves(..)), in_octaves, "{finite:?}");
        let mut values: Vec<f64> = (-10..100).map(|n| f64::from(n) / 2.0).collect();
        values.extend((-1100..1024).flat_map(|n| [2f64.powi(n), -2f64.powi(n)]));
        values.extend(finite.iter().flat_map(|bound| [*bound, bound.next_down(), bound.next_up()]));
        values.extend([f64::NEG_INFINITY, f64::INFINITY, f64::MAX, f64::MIN, 0.0, -0.0, 5e-324]);
        for value in values {
            let expected = finite.iter().filter(|bound| **bound < value).count();
            assert_eq!(search.bucket(value), expected, "{value} in {finite:?}");
        }
        for nan in [f64::NAN, -f64::NAN, f64::from_bits(f64::INFINITY.to_bits() + 1)] {
            assert_eq!(search.quick_bucket(nan), None, "{finite:?}");
        }
    }

    #[test]
    fn all_searches_agree_with_the_definition() {
        check(&Buckets::DEFAULT, true);
        for len in 1..40 {
            let finite: Vec<f64> = (0..len).map(|n| f64::from(n) - 3.0).collect();
            check(&finite, false);
            let factor = |by: f64| -> Vec<f64> { (0..len).map(|n| 0.3 * by.powi(n)).collect() };
            check(&factor(2.0), true);
            check(&factor(60.0), len < 12);
            check(&factor(1.5), len < 2);
        }
    }

    #[test]
    fn bounds_that_are_no_octaves_are_found_all_the_same() {
        for finite in [&[0.0, 1.0][..], &[-0.0, 1.0], &[-4.0, -1.0, 2.0], &[5e-324, 1e300]] {
            check(finite, false);
        }
        for finite in [&[5e-324][..], &[1e280, 1.5e283], &[1.0, 2.0, 4.0], &[1.0, 1.5e19]] {
            check(finite, true);
        }
        // The last octaves are looked up as far as those of infinity and NaN are beyond them.
        check(&[2f64.powi(960)], true);
        check(&[2f64.powi(961)], false);
        check(&[f64::MAX], false);
    }
}

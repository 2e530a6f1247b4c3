//! The bounds of exponential buckets, exact to the last bit, and which of them a value is within.

use std::fmt;

/// How fine the buckets of a native histogram are: each bound is 2^(2^-schema) times the one before.
///
/// Schemas go from -4, where that factor is 65536, to 8, where it is 1.0027. Buckets have the same
/// indices on either side of zero: bucket 0 ends at 1, and bucket `i` of the positive side contains
/// its upper bound, but not its lower one.
///
/// ```
/// use narthex_model::Schema;
///
/// let schema = Schema::for_factor(1.5).expect("the factor is above 1");
/// assert_eq!(schema.get(), 1);
/// assert_eq!(schema.bucket(3.0), 4);
/// assert_eq!(schema.upper_bound(3) < 3.0, schema.upper_bound(4) >= 3.0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schema(i8);

/// 2^(2^-s) for schemas -4 to 8, as Prometheus has them: the square root of 2 is the float below
/// the nearest one.
const FACTORS: [f64; 13] = [
    65536.0,
    256.0,
    16.0,
    4.0,
    2.0,
    std::f64::consts::SQRT_2.next_down(),
    1.189_207_115_002_721,
    1.090_507_732_665_257_7,
    1.044_273_782_427_413_8,
    1.021_897_148_654_116_6,
    1.010_889_286_051_700_5,
    1.005_429_901_112_802_7,
    1.002_711_275_050_202_5,
];

/// Bounds of schema 8 in a power of two.
const FRACTIONS: usize = 256;

/// The bounds of schema 8 from 0.5 to 1; every coarser schema has some of them.
///
/// Servers compute bounds from a table like this one and compare them as floats, so ours are
/// derived step by step as theirs are: an odd bound of a schema is the one before times the factor
/// of that schema, an even one is a bound of the next coarser schema.
static BOUNDS: [f64; FRACTIONS] = {
    let mut bounds = [0.5; FRACTIONS];
    let mut step = FRACTIONS;
    while step > 1 {
        let factor = FACTORS[FACTORS.len() - step.trailing_zeros() as usize];
        let mut at = step / 2;
        while at < FRACTIONS {
            bounds[at] = bounds[at - step / 2] * factor;
            at += step;
        }
        step /= 2;
    }
    bounds
};

/// For each 256th part of 0.5 to 1: how many bounds are below its start.
///
/// Two more at most lie within that part, so that two comparisons find a bucket, where a binary
/// search would take eight.
static BELOW: [u16; FRACTIONS] = {
    let mut below = [0; FRACTIONS];
    let (mut part, mut bound) = (0, 0);
    while part < FRACTIONS {
        while bound < FRACTIONS && BOUNDS[bound] < 0.5 + part as f64 / (2 * FRACTIONS) as f64 {
            bound += 1;
        }
        below[part] = bound as u16;
        part += 1;
    }
    below
};

impl Schema {
    /// The widest buckets.
    pub const COARSEST: Self = Self(-4);

    /// The narrowest buckets.
    pub const FINEST: Self = Self(8);

    /// The schema of that number, from -4 to 8.
    pub fn new(schema: i32) -> Option<Self> {
        let narrow = i8::try_from(schema).ok().map(Self)?;
        (Self::COARSEST..=Self::FINEST).contains(&narrow).then_some(narrow)
    }

    /// The coarsest schema whose bounds grow by at most `factor`, or else the finest; `None` for a
    /// factor that is not above 1.
    pub fn for_factor(factor: f64) -> Option<Self> {
        if factor.is_nan() || factor <= 1.0 {
            return None;
        }
        let coarser = FACTORS.iter().take_while(|bound| **bound > factor).count();
        Some(Self((coarser as i8 - 4).min(8)))
    }

    /// The number of the schema.
    pub fn get(self) -> i32 {
        self.0.into()
    }

    /// The schema with buckets twice as wide, unless this is the coarsest.
    pub fn coarser(self) -> Option<Self> {
        (self > Self::COARSEST).then(|| Self(self.0 - 1))
    }

    /// The index of the bucket for a value of this magnitude, which is above 0; the infinite bucket
    /// is the one after that of [`f64::MAX`].
    ///
    /// The index is that of the same bucket on the positive and on the negative side.
    #[inline]
    pub fn bucket(self, magnitude: f64) -> i32 {
        // Taken from the bits, magnitude = fraction * 2^exponent with 0.5 <= fraction < 1.
        const MANTISSA_BITS: u32 = 52;
        const HALF: u64 = 1022 << MANTISSA_BITS;
        let bits = magnitude.abs().to_bits();
        let (bits, scale) = match bits >> MANTISSA_BITS {
            // Subnormal: 2^54 makes it normal.
            0 => ((magnitude.abs() * 18_014_398_509_481_984.0).to_bits(), 54),
            2047 => return self.bucket(f64::MAX) + 1,
            _ => (bits, 0),
        };
        let exponent = (bits >> MANTISSA_BITS) as i32 - 1022 - scale;
        let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
        let fraction = f64::from_bits(HALF | mantissa);
        let mut below = usize::from(BELOW[(mantissa >> (MANTISSA_BITS - 8)) as usize]);
        below += usize::from(below < FRACTIONS && BOUNDS[below] < fraction);
        below += usize::from(below < FRACTIONS && BOUNDS[below] < fraction);
        let finest = (exponent - 1) * FRACTIONS as i32 + below as i32;
        self.widen(finest, Self::FINEST)
    }

    /// The upper bound of a bucket of the positive side.
    pub fn upper_bound(self, index: i32) -> f64 {
        let finest = i64::from(index) << (Self::FINEST.0 - self.0);
        let fraction = BOUNDS[(finest & (FRACTIONS as i64 - 1)) as usize];
        let exponent = (finest >> 8) + 1;
        match exponent {
            // The bucket of f64::MAX would end at 2^1024, which is no float.
            1025 if fraction == 0.5 => f64::MAX,
            1025.. => f64::INFINITY,
            -1021..=1024 => fraction * 2.0 * power_of_two(exponent - 1),
            // In two steps, of which only the second one rounds.
            -1100..-1021 => fraction * power_of_two(-1000) * power_of_two(exponent + 1000),
            _ => 0.0,
        }
    }

    /// The index of the bucket that contains the bucket `index` of a schema that is not coarser.
    #[inline]
    pub fn widen(self, index: i32, from: Self) -> i32 {
        let shift = (from.0 - self.0).max(0);
        ((i64::from(index) + (1 << shift) - 1) >> shift) as i32
    }
}

/// 2^`exponent`, from 2^-1022 to 2^1023.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0)
    }
}

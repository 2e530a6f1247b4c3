//! Native histograms for people, as Prometheus shows them: `{count:3, sum:7, (1,2]:1, (2,4]:2}`.

use std::fmt;

use super::{NativeBucket, NativeHistogram};

/// The count, the sum and all buckets in which anything was observed, on one line.
impl fmt::Display for NativeHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", self.count(), General(self.sum()))?;
        for bucket in self.buckets().filter(|bucket| bucket.count > 0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

/// The bounds and the count: a bracket stands at a bound that the bucket contains, a parenthesis at
/// one that it does not.
impl fmt::Display for NativeBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lower, upper, count } = *self;
        // With a threshold of 0, the bucket around zero has nothing but zero in it.
        let is_point = lower == upper;
        let open = if lower < 0.0 || is_point { '[' } else { '(' };
        let close = if upper > 0.0 || is_point { ']' } else { ')' };
        write!(f, "{open}{},{}{close}:{count}", General(lower), General(upper))
    }
}

/// A number as Go's `%g` has it, and so all Prometheus: the shortest text that reads back as the
/// same `f64`, with an exponent where that of the first digit is below -4 or at least 6.
struct General(f64);

impl fmt::Display for General {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        let scientific = format!("{value:e}");
        let parts = scientific.split_once('e').and_then(|(digits, exponent)| {
            let exponent: i32 = exponent.parse().ok()?;
            Some((digits, exponent))
        });
        match parts {
            Some((digits, exponent)) if !(-4..6).contains(&exponent) => {
                write!(f, "{digits}e{exponent:+03}")
            }
            // NaN has no exponent.
            _ => write!(f, "{value}"),
        }
    }
}

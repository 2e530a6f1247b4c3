//! Which quantiles a summary estimates, and how exactly.

use std::sync::Arc;

use narthex_model::Quantiles;

use crate::error::{Fault, ObjectiveFault};

/// The most objectives of a summary.
const MOST_OBJECTIVES: usize = 32;

/// How many values one objective may make a stream keep; see [`Line::kept`].
const MOST_KEPT: f64 = 5_000.0;

/// Checked objectives, ascending by quantile.
#[derive(Clone, Debug)]
pub(super) struct Objectives {
    pub(super) quantiles: Quantiles,
    pub(super) lines: Arc<[Line]>,
    many: usize,
}

/// How far apart two neighbouring kept values may be in rank, for the sake of one objective, as a
/// line over the rank `r` in a stream of `n` observations: `constant * n + slope * r`.
///
/// The line is `error * ((n - r) / (1 - quantile) + r / quantile)`. At the objective's own rank,
/// `quantile * n`, it allows `2 * error * n`, so that the nearer of two neighbours is off by at most
/// `error * n`. It has three properties on which [`Stream`](super::stream::Stream) rests:
///
/// - It grows with the observations below and with those above, so what was allowed once stays so.
/// - The least over several lines is concave: over a range of ranks, it is least at one of the ends.
/// - It adds up: the line of two streams together is the sum of their lines at any ranks that add
///   up. So merged streams, whose neighbours are as far apart as those of the streams together, are
///   as exact as one stream would have been.
///
/// The targeted bound of Cormode, Korn, Muthukrishnan and Srivastava (2005), `2 * error` times the
/// *greater* of the two terms, lacks the third, and their use of it at one end of the range only is
/// known to break the promise by up to `1 / (1 - 2 * error / (1 - quantile))`. The sum of the terms
/// is never more than that and never less than half of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    constant: f64,
    slope: f64,
    /// `1 / (1 - slope)`, or infinity where that is not positive.
    inverse: f64,
}

impl Line {
    fn new(quantile: f64, error: f64) -> Self {
        let constant = error / (1.0 - quantile);
        let slope = error / quantile - constant;
        let inverse = if slope < 1.0 { 1.0 / (1.0 - slope) } else { f64::INFINITY };
        Self { constant, slope, inverse }
    }

    /// What is allowed around a rank in a stream of `n` observations.
    #[cfg(all(test, not(loom)))]
    pub(super) fn at(self, rank: u64, n: u64) -> f64 {
        self.constant * n as f64 + self.slope * rank as f64
    }

    /// About how many values a stream of any length keeps for this line: the integral of its
    /// inverse over the ranks.
    fn kept(self) -> f64 {
        let relative = self.slope / self.constant;
        if relative.abs() < 1e-6 { 1.0 / self.constant } else { relative.ln_1p() / self.slope }
    }
}

impl Objectives {
    /// Checks quantiles and their allowed rank errors.
    pub(super) fn new(given: &[(f64, f64)]) -> Result<Self, Fault> {
        if given.len() > MOST_OBJECTIVES {
            let (got, most) = (given.len(), MOST_OBJECTIVES);
            return Err(Fault::TooManyObjectives { got, most });
        }
        let mut sorted = given.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut lines = Vec::new();
        let mut all_kept = 0.0;
        for (at, &(quantile, error)) in sorted.iter().enumerate() {
            let fail = |fault| Err(Fault::Objective { quantile, error, fault });
            if !(0.0..=1.0).contains(&quantile) {
                return fail(ObjectiveFault::Quantile);
            }
            if !(error > 0.0 && error < 1.0) {
                return fail(ObjectiveFault::Error);
            }
            if at > 0 && sorted[at - 1].0 == quantile {
                return fail(ObjectiveFault::Twice);
            }
            // The least and the greatest value are always kept.
            if quantile > 0.0 && quantile < 1.0 {
                let line = Line::new(quantile, error);
                let kept = line.kept();
                if kept > MOST_KEPT {
                    return fail(ObjectiveFault::TooFine { least: error * kept / MOST_KEPT });
                }
                all_kept += kept;
                lines.push(line);
            }
        }
        let quantiles: Vec<f64> = sorted.iter().map(|(quantile, _)| *quantile).collect();
        let quantiles = Quantiles::new(&quantiles).expect("they were checked one by one");
        Ok(Self { quantiles, lines: lines.into(), many: 2 * all_kept as usize + 16 })
    }

    /// How far entries reach in a stream of `n` observations.
    pub(super) fn reach(&self, n: u64) -> Reach<'_> {
        Reach { lines: &self.lines, n: n as f64 }
    }

    /// More entries than streams in no particular order ever have.
    ///
    /// An order can be such that new values keep falling between two neighbours that took over all
    /// that they could: from the outside inwards, say. None of the new ones is then sure of its
    /// rank, and so few of them can be taken over for long. With more entries than this, a stream
    /// is careful: what was just added, and its neighbours, are left alone until the next time.
    pub(super) fn many(&self) -> usize {
        self.many
    }
}

/// How far entries reach in a stream of a certain length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'o> {
    lines: &'o [Line],
    n: f64,
}

impl Reach<'_> {
    /// The greatest rank that an entry may have if the one before it may have this one: as far
    /// away as is allowed at both ends.
    #[inline(always)]
    pub(super) fn from(self, start: u64) -> u64 {
        let start = start as f64;
        let reach = self.lines.iter().fold(f64::INFINITY, |least, line| {
            let constant = line.constant * self.n;
            let at_start = start + constant + line.slope * start;
            // Where end - start = constant + slope * end; it is not bounded if slope is 1 or more.
            let at_end = (start + constant) * line.inverse;
            least.min(at_start).min(at_end)
        });
        // Rounded down, and the greatest number there is for infinity.
        reach as u64
    }
}

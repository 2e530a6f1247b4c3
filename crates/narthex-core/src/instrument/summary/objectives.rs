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
    lines: Arc<[Line]>,
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
struct Line {
    constant: f64,
    slope: f64,
}

impl Line {
    fn new(quantile: f64, error: f64) -> Self {
        let constant = error / (1.0 - quantile);
        Self { constant, slope: error / quantile - constant }
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
                lines.push(line);
            }
        }
        let quantiles: Vec<f64> = sorted.iter().map(|(quantile, _)| *quantile).collect();
        let quantiles = Quantiles::new(&quantiles).map_err(Fault::Quantiles)?;
        Ok(Self { quantiles, lines: lines.into() })
    }

    /// The gap between neighbours that is allowed around a rank, in a stream of `n` observations.
    #[inline(always)]
    pub(super) fn allowed(&self, n: u64) -> impl Fn(u64) -> f64 + use<'_> {
        let n = n as f64;
        move |rank| {
            let rank = rank as f64;
            let lines = self.lines.iter();
            lines.fold(f64::INFINITY, |least, line| least.min(line.constant * n + line.slope * rank))
        }
    }
}

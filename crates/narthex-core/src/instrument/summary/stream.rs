//! The quantiles of a stream of observations, of which only a few are kept.

use super::objectives::Objectives;

/// A stream, as some of its values and what is known of their ranks.
///
/// This is the targeted quantile summary of Cormode, Korn, Muthukrishnan and Srivastava, "Effective
/// computation of biased quantiles over data streams" (2005), fed with sorted batches, and with the
/// bound of [`Objectives`]. The invariant: between the rank that every entry has at least and the
/// rank that the next one has at most lies no more than what is allowed at *both* these ranks, and
/// so, the bound being concave, at every rank between. The least and the greatest value are always
/// kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Ascending by value.
    entries: Vec<Entry>,
    observations: u64,
}

/// A kept value.
#[derive(Clone, Copy, Debug)]
struct Entry {
    value: f64,
    /// Observations it stands for: by how much its least possible rank exceeds that of the entry
    /// before. The `g` of the paper.
    own: u64,
    /// By how much its greatest possible rank exceeds the least. The `Δ` of the paper.
    slack: u64,
}

impl Stream {
    /// The number of observations.
    pub(super) fn observations(&self) -> u64 {
        self.observations
    }

    /// The number of values that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.observations = 0;
    }

    /// Adds observations, ascending; `spare` is used along the way.
    pub(super) fn add(
        &mut self,
        sorted: impl ExactSizeIterator<Item = f64>,
        objectives: &Objectives,
        spare: &mut Spare,
    ) {
        let observations = sorted.len() as u64;
        let entries = sorted.map(|value| Entry { value, own: 1, slack: 0 });
        self.merge_entries(entries, observations, objectives, spare);
    }

    /// Adds another stream's observations.
    pub(super) fn merge(&mut self, other: &Self, objectives: &Objectives, spare: &mut Spare) {
        let entries = other.entries.iter().copied();
        self.merge_entries(entries, other.observations, objectives, spare);
    }

    /// The value whose rank is surely nearest to that of a quantile; NaN for an empty stream.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        let wanted = quantile * self.observations as f64;
        let mut nearest = (f64::INFINITY, f64::NAN);
        let mut least = 0;
        for entry in &self.entries {
            least += entry.own;
            let greatest = least + entry.slack;
            let error = (wanted - least as f64).max(greatest as f64 - wanted);
            // Of two that are as near the upper one: the median of three is the second.
            if error > nearest.0 {
                // From here on, ranks are further and further above the one that is wanted.
                if least as f64 > wanted + nearest.0 {
                    break;
                }
            } else {
                nearest = (error, entry.value);
            }
        }
        nearest.1
    }

    /// Merges and compresses in one pass.
    #[inline(always)]
    fn merge_entries(
        &mut self,
        mut theirs: impl Iterator<Item = Entry>,
        observations: u64,
        objectives: &Objectives,
        spare: &mut Spare,
    ) {
        self.observations += observations;
        spare.0.clear();
        let allowed = objectives.allowed(self.observations);
        let mut merged = Compressor::new(allowed, &mut spare.0);
        let mut ours = self.entries.iter().copied();
        let (mut a, mut b) = (ours.next(), theirs.next());
        loop {
            match (a, b) {
                (Some(x), Some(y)) if x.value <= y.value => {
                    merged.push(x.before(y));
                    a = ours.next();
                }
                (Some(x), Some(y)) => {
                    merged.push(y.before(x));
                    b = theirs.next();
                }
                (Some(x), None) => {
                    merged.push(x);
                    a = ours.next();
                }
                (None, Some(y)) => {
                    merged.push(y);
                    b = theirs.next();
                }
                (None, None) => break,
            }
        }
        merged.finish();
        std::mem::swap(&mut self.entries, &mut spare.0);
    }
}

impl Entry {
    /// This entry in the union of its stream and another one, of which `next` comes next: as many
    /// of the observations that `next` stands for as may lie before it may lie before this one.
    #[inline(always)]
    fn before(self, next: Self) -> Self {
        Self { slack: self.slack + next.own + next.slack - 1, ..self }
    }
}

/// Memory for merging, to be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare(Vec<Entry>);

/// Collects ascending entries, and lets each take over those before it as far as is allowed.
struct Compressor<'s, F> {
    allowed: F,
    entries: &'s mut Vec<Entry>,
    /// The entry that the next one may take over.
    last: Option<Entry>,
    /// The least possible rank of the entry before `last`, and what is allowed there.
    start: u64,
    allowed_at_start: f64,
    /// The least possible rank of `last`.
    rank: u64,
}

impl<'s, F: Fn(u64) -> f64> Compressor<'s, F> {
    fn new(allowed: F, entries: &'s mut Vec<Entry>) -> Self {
        // Nothing takes over the least value.
        Self { allowed, entries, last: None, start: 0, allowed_at_start: 0.0, rank: 0 }
    }

    #[inline(always)]
    fn push(&mut self, entry: Entry) {
        let rank = self.rank + entry.own;
        let greatest = rank + entry.slack;
        let gap = (greatest - self.start) as f64;
        let own = match self.last {
            Some(last) if gap <= self.allowed_at_start && gap <= (self.allowed)(greatest) => {
                last.own + entry.own
            }
            Some(last) => {
                self.entries.push(last);
                self.start = self.rank;
                self.allowed_at_start = (self.allowed)(self.start);
                entry.own
            }
            None => entry.own,
        };
        self.last = Some(Entry { own, ..entry });
        self.rank = rank;
    }

    fn finish(self) {
        self.entries.extend(self.last);
    }
}

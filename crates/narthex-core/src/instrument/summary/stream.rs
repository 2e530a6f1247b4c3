//! The quantiles of a stream of observations, of which only a few are kept.

use super::objectives::{Objectives, Reach};

/// A stream, as some of its values and what is known of their ranks.
///
/// This is the targeted quantile summary of Cormode, Korn, Muthukrishnan and Srivastava, "Effective
/// computation of biased quantiles over data streams" (2005), fed with sorted batches, and with the
/// bound of [`Objectives`]. The invariant: between the rank that an entry has at least and the rank
/// that the next one has at most lies no more than what is allowed at *both* these ranks, and so at
/// every rank between. The least and the greatest value are always kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Ascending by value.
    entries: Vec<Entry>,
    observations: u64,
}

/// A kept value.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: SortKey,
    /// Observations it stands for: by how much its least possible rank exceeds that of the entry
    /// before. The `g` of the paper.
    own: u64,
    /// By how much its greatest possible rank exceeds the least. The `Δ` of the paper.
    slack: u64,
}

impl Stream {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of values that are kept, and the bytes they take.
    #[cfg(all(test, not(loom)))]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.entries.capacity() * size_of::<Entry>())
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.observations = 0;
    }

    /// Adds observations; `spare` is used along the way.
    pub(super) fn add(
        &mut self,
        mut sorted: &[SortKey],
        objectives: &Objectives,
        spare: &mut Spare,
    ) {
        self.observations += sorted.len() as u64;
        let mut merged = Compressor::new(objectives.reach(self.observations), &mut spare.0);
        // See `Objectives::many`.
        let careful = self.entries.len() > objectives.many();
        for entry in &self.entries {
            let below = sorted.iter().position(|key| *key >= entry.key).unwrap_or(sorted.len());
            let (run, rest) = sorted.split_at(below);
            sorted = rest;
            if careful && !run.is_empty() {
                run.iter().for_each(|key| merged.keep(Entry::single(*key, entry.gap() - 1)));
                merged.keep(*entry);
            } else {
                merged.push_run(run, entry.gap() - 1);
                merged.push(*entry);
            }
        }
        if careful {
            sorted.iter().for_each(|key| merged.keep(Entry::single(*key, 0)));
        } else {
            merged.push_run(sorted, 0);
        }
        merged.finish();
        std::mem::swap(&mut self.entries, &mut spare.0);
    }

    /// Adds another stream's observations; `spare` is used along the way.
    pub(super) fn merge(&mut self, other: &Self, objectives: &Objectives, spare: &mut Spare) {
        self.observations += other.observations;
        let mut merged = Compressor::new(objectives.reach(self.observations), &mut spare.0);
        let (mut ours, mut theirs) = (&self.entries[..], &other.entries[..]);
        loop {
            let (entry, next) = match (ours, theirs) {
                ([x, rest @ ..], [y, ..]) if x.key <= y.key => {
                    ours = rest;
                    (x, Some(y))
                }
                ([x, ..], [y, rest @ ..]) => {
                    theirs = rest;
                    (y, Some(x))
                }
                ([x, rest @ ..], []) => {
                    ours = rest;
                    (x, None)
                }
                ([], [y, rest @ ..]) => {
                    theirs = rest;
                    (y, None)
                }
                ([], []) => break,
            };
            merged.push(entry.before(next));
        }
        merged.finish();
        std::mem::swap(&mut self.entries, &mut spare.0);
    }

    /// Makes the most of what is allowed, and gives memory back.
    pub(super) fn settle(&mut self, objectives: &Objectives, spare: &mut Spare) {
        self.merge(&Self::default(), objectives, spare);
        self.entries.shrink_to_fit();
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
            // Of two that are as near the upper one: the median of two is the second.
            if error <= nearest.0 {
                nearest = (error, entry.key.value());
            }
        }
        nearest.1
    }
}

impl Entry {
    /// One observation.
    #[inline(always)]
    fn single(key: SortKey, slack: u64) -> Self {
        Self { key, own: 1, slack }
    }

    /// From the least possible rank of the entry before to the greatest of this one.
    #[inline(always)]
    fn gap(&self) -> u64 {
        self.own + self.slack
    }

    /// This entry in the union of its stream and another one, of which `next` comes next: as many
    /// of the observations that `next` stands for as may lie before it may lie before this one.
    fn before(&self, next: Option<&Self>) -> Self {
        Self { slack: self.slack + next.map_or(0, |next| next.gap() - 1), ..*self }
    }
}

/// Collects ascending entries, and lets each take over those before it as far as is allowed.
struct Compressor<'s> {
    reach: Reach<'s>,
    entries: &'s mut Vec<Entry>,
    /// The entry that the next one may take over, if its greatest possible rank is within `limit`.
    last: Option<Entry>,
    limit: u64,
    /// The least possible rank of `last`.
    rank: u64,
}

impl<'s> Compressor<'s> {
    fn new(reach: Reach<'s>, entries: &'s mut Vec<Entry>) -> Self {
        entries.clear();
        Self { reach, entries, last: None, limit: 0, rank: 0 }
    }

    /// Adds an entry, which takes over what it can.
    #[inline(always)]
    fn push(&mut self, entry: Entry) {
        match &mut self.last {
            Some(last) if self.rank + entry.gap() <= self.limit => {
                *last = Entry { own: last.own + entry.own, ..entry };
                self.rank += entry.own;
            }
            _ => {
                // Nothing takes over the least value.
                let limit = if self.rank == 0 { 0 } else { self.reach.from(self.rank) };
                self.begin(entry, limit);
            }
        }
    }

    /// Adds observations of the same slack.
    #[inline(always)]
    fn push_run(&mut self, mut run: &[SortKey], slack: u64) {
        while let [first, rest @ ..] = run {
            self.push(Entry::single(*first, slack));
            // As many more as are allowed are taken over in one step.
            let more = (self.limit.saturating_sub(self.rank + slack) as usize).min(rest.len());
            if let (Some(key), Some(last)) = (rest[..more].last(), &mut self.last) {
                *last = Entry { key: *key, own: last.own + more as u64, slack };
                self.rank += more as u64;
            }
            run = &rest[more..];
        }
    }

    /// Adds an entry that takes nothing over and that nothing takes over now.
    fn keep(&mut self, entry: Entry) {
        self.begin(entry, 0);
    }

    #[inline(always)]
    fn begin(&mut self, entry: Entry, limit: u64) {
        self.entries.extend(self.last.replace(entry));
        self.limit = limit;
        self.rank += entry.own;
    }

    fn finish(self) {
        self.entries.extend(self.last);
    }
}

/// An observation as an integer of the same order, for integers are sorted in half the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey(i64);

impl SortKey {
    #[inline(always)]
    pub(super) fn new(value: f64) -> Self {
        Self(Self::flip(value.to_bits() as i64))
    }

    #[inline(always)]
    pub(super) fn value(self) -> f64 {
        f64::from_bits(Self::flip(self.0) as u64)
    }

    /// Below zero, floats of greater bits are less. It is its own inverse.
    #[inline(always)]
    fn flip(bits: i64) -> i64 {
        bits ^ ((bits >> 63) as u64 >> 1) as i64
    }
}

/// Memory for merging, to be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare(Vec<Entry>);

#[cfg(all(test, not(loom)))]
impl Spare {
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Entry>()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

//! The sliding windows of a family's series.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::SummaryColumn;

use super::stream::{SortKey, Spare};
use super::window::{Pace, Span, Window, Workspace};
use crate::storage::slots::{SeriesId, Slots};
use crate::storage::{Snapshot, Store};

/// A window for each series that was observed.
///
/// The count and the sum of a series are in its record, and change under the lock of its slot.
#[derive(Debug)]
pub(super) struct Windows {
    span: Span,
    slots: Slots<Recent>,
}

/// The window of a series, and what waits to be put into it: many threads may observe one series,
/// but there may be many series too, so threads have no queues of their own.
#[derive(Debug)]
struct Recent {
    waiting: Vec<SortKey>,
    /// How many may wait before the next look at the time.
    look_at: usize,
    pace: Pace,
    window: Window,
    spare: Spare,
}

/// The most observations that wait.
const MOST_WAITING: usize = 256;

impl Windows {
    pub(super) fn new(span: Span) -> Self {
        Self { span, slots: Slots::new() }
    }

    /// The span, for a summary that has no labels after all.
    pub(super) fn into_span(self) -> Span {
        self.span
    }

    /// Counts an observation of a series, of which `record` has the count and the sum.
    pub(super) fn observe(&self, series: SeriesId, record: &[AtomicU64], value: f64) {
        let [count, sum] = record else { return };
        let make = || Recent::new(self.span.now(), &self.span);
        self.slots.update(series, make, |recent| {
            // Relaxed: only changed under the slot's lock.
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
            sum.store((f64::from_bits(sum.load(Relaxed)) + value).to_bits(), Relaxed);
            recent.observe(value, &self.span);
        });
    }

    /// Adds what a series shows to a column.
    pub(super) fn show(
        &self,
        series: Option<SeriesId>,
        record: &[AtomicU64],
        workspace: &mut Workspace,
        column: &mut SummaryColumn,
    ) {
        let [count, sum] = record else { return };
        let total = || (count.load(Relaxed), f64::from_bits(sum.load(Relaxed)));
        let shown = series.and_then(|series| {
            self.slots.look(series, |recent| {
                recent.settle(self.span.now(), &self.span);
                let (count, sum) = total();
                column.push(recent.window.values(&self.span, workspace), count, sum);
            })
        });
        if shown.is_none() {
            let (count, sum) = total();
            column.push([], count, sum);
        }
    }

    /// Frees the windows of removed series.
    pub(super) fn sweep(&self, store: &Store, snapshot: &Snapshot) {
        self.slots.sweep(store, snapshot);
    }
}

impl Recent {
    fn new(now: u64, span: &Span) -> Self {
        Self {
            waiting: Vec::new(),
            look_at: 0,
            pace: Pace::default(),
            window: Window::new(span, now),
            spare: Spare::default(),
        }
    }

    fn observe(&mut self, value: f64, span: &Span) {
        if self.waiting.len() >= self.look_at {
            let now = span.now();
            if now >= self.window.end() || self.waiting.len() >= MOST_WAITING {
                self.settle(now, span);
            }
            let step = self.pace.look(now) as usize;
            self.look_at = (self.waiting.len() + step).min(MOST_WAITING);
        }
        self.waiting.push(SortKey::new(value));
    }

    /// Puts what waits into the window, and moves that on.
    fn settle(&mut self, now: u64, span: &Span) {
        self.waiting.sort_unstable();
        self.window.add(&self.waiting, span, &mut self.spare);
        self.waiting.clear();
        self.window.advance(span, now, &mut self.spare);
        // What comes after a pause should not count as if it had come before.
        self.look_at = 0;
    }
}

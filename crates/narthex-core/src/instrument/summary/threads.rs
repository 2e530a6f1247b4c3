//! A sliding window that all threads observe into without waiting for each other.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::SummaryColumn;
use parking_lot::Mutex;

use super::ring::{Full, Ring};
use super::window::{Span, Window, Workspace};
use crate::storage::cells::{self, PLACES};

/// A window, and a queue of each thread before it.
#[derive(Debug)]
pub(super) struct Threads {
    span: Span,
    /// When the newest slice of the window ends, so that writers need no lock to know.
    end: AtomicU64,
    /// By the place of the thread, made when it first observes.
    rings: Box<[OnceLock<Box<Ring>>]>,
    /// The queue of all threads without a place, which write one at a time.
    crowd: OnceLock<Box<Ring>>,
    one_of_crowd: Mutex<()>,
    merged: Mutex<Merged>,
}

/// What is not in any queue any more.
#[derive(Debug)]
struct Merged {
    window: Window,
    count: u64,
    sum: f64,
    workspace: Workspace,
}

impl Threads {
    pub(super) fn new(span: Span) -> Self {
        let window = Window::new(&span, span.now());
        Self {
            span,
            end: AtomicU64::new(window.end()),
            rings: (0..PLACES).map(|_| OnceLock::new()).collect(),
            crowd: OnceLock::new(),
            one_of_crowd: Mutex::new(()),
            merged: Mutex::new(Merged {
                window,
                count: 0,
                sum: 0.0,
                workspace: Workspace::default(),
            }),
        }
    }

    #[inline(always)]
    pub(super) fn observe(&self, value: f64) {
        let ring = self.rings.get(cells::thread_place()).and_then(OnceLock::get);
        if ring.is_none_or(|ring| ring.push(value).is_err()) {
            self.observe_slowly(value);
        }
    }

    /// Adds what was observed to a column.
    ///
    /// It waits for nobody but writers that are putting a full queue into the window.
    pub(super) fn show(&self, column: &mut SummaryColumn) {
        let now = self.span.now();
        if now >= self.end.load(Relaxed) {
            self.advance(now);
        }
        for ring in self.all_rings() {
            self.empty(ring);
            // What comes after a pause should not count as if it had come before.
            ring.alert();
        }
        let mut merged = self.merged.lock();
        let Merged { window, count, sum, workspace } = &mut *merged;
        column.push(window.values(&self.span, workspace), *count, *sum);
    }

    #[cold]
    #[inline(never)]
    fn observe_slowly(&self, value: f64) {
        match self.rings.get(cells::thread_place()) {
            Some(ring) => self.look_and_push(ring.get_or_init(|| Box::new(Ring::new())), value),
            None => {
                let _only_writer = self.one_of_crowd.lock();
                self.look_and_push(self.crowd.get_or_init(|| Box::new(Ring::new())), value);
            }
        }
    }

    /// Adds an observation after a look at the time and at the room there is; for the one writer.
    fn look_and_push(&self, ring: &Ring, value: f64) {
        while let Err(Full) = ring.push(value) {
            let now = self.span.now();
            if now >= self.end.load(Relaxed) {
                self.advance(now);
            }
            if !ring.look(now) {
                self.empty(ring);
            }
        }
    }

    /// Begins the next slice of the window, after all that came before it is in the one that ends.
    #[cold]
    fn advance(&self, now: u64) {
        self.all_rings().for_each(|ring| self.empty(ring));
        let mut merged = self.merged.lock();
        let Merged { window, workspace, .. } = &mut *merged;
        window.advance(&self.span, now, &mut workspace.spare);
        // Relaxed: a writer that sees the old end comes here again and finds nothing to do.
        self.end.store(window.end(), Relaxed);
    }

    /// Puts what waits in a queue into the window.
    fn empty(&self, ring: &Ring) {
        let Some(batch) = ring.copy() else { return };
        let mut merged = self.merged.lock();
        if ring.take(&batch) {
            let Merged { window, count, sum, workspace } = &mut *merged;
            window.add(batch.sorted(), &self.span, &mut workspace.spare);
            *count = count.saturating_add(batch.sorted().len() as u64);
            *sum += batch.sum();
        }
    }

    /// The number of values that are kept, and the bytes that everything takes.
    #[cfg(all(test, not(loom)))]
    pub(super) fn size(&self) -> (usize, usize) {
        let merged = self.merged.lock();
        let (kept, bytes) = merged.window.size();
        let rings = self.all_rings().count() * size_of::<Ring>() + size_of_val(&*self.rings);
        (kept, bytes + merged.workspace.bytes() + rings + size_of::<Self>())
    }

    fn all_rings(&self) -> impl Iterator<Item = &Ring> {
        let rings = self.rings.iter().chain([&self.crowd]);
        rings.filter_map(OnceLock::get).map(|ring| &**ring)
    }
}

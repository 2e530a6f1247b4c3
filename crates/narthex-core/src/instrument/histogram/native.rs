//! Native histograms: buckets that come into being where values are observed.

mod counts;
mod limits;

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use narthex_model::{
    Bounds, NativeBuckets, NativeHistogram, NativeHistogramColumn, Schema, ZeroBucket,
};
use parking_lot::{Mutex, MutexGuard};

use super::search::Search;
use crate::clock;
use crate::error::Fault;
use crate::instrument::exemplars::Slot;
use crate::storage::cells::{self, PLACES};
use crate::storage::slots::{SeriesId, Slots};
use crate::storage::{Snapshot, Store};
use counts::Counts;
use limits::{Course, Plan};

pub use limits::NativeLimits;

/// What the native histograms of a family share.
#[derive(Debug)]
pub(super) struct NativeShape {
    plan: Plan,
    classic: Option<(Bounds, Search)>,
}

impl NativeShape {
    pub(super) fn new(
        factor: f64,
        zero_threshold: f64,
        limits: NativeLimits,
        bounds: Option<Bounds>,
    ) -> Result<Self, Fault> {
        let schema = Schema::for_factor(factor).ok_or_else(|| {
            Fault::BucketList(format!("native buckets need a factor above 1, not {factor}"))
        })?;
        if !(0.0..f64::INFINITY).contains(&zero_threshold) {
            let reason = format!("a zero threshold cannot be {zero_threshold}");
            return Err(Fault::BucketList(reason));
        }
        let plan = Plan { schema, zero_threshold, limits };
        let classic = bounds.map(|bounds| (bounds.clone(), Search::new(&bounds)));
        Ok(Self { plan, classic })
    }

    pub(super) fn bounds(&self) -> Option<&Bounds> {
        self.classic.as_ref().map(|(bounds, _)| bounds)
    }

    pub(super) fn column(&self) -> NativeHistogramColumn {
        NativeHistogramColumn::new(self.bounds().cloned())
    }

    pub(super) fn exemplar_slot(&self, value: f64) -> Slot {
        match &self.classic {
            Some((_, search)) => Slot::Bucket(search.bucket(value)),
            None => Slot::Recent,
        }
    }

    /// The index of the classic bucket of a value.
    #[inline]
    fn classic(&self, value: f64) -> usize {
        self.classic.as_ref().map_or(0, |(_, search)| search.bucket(value))
    }

    /// No counts yet, in the buckets of now.
    fn counts(&self, course: &Course) -> Counts {
        let classic = self.bounds().map_or(0, Bounds::buckets);
        Counts::new(course.schema, course.zero_threshold, classic)
    }
}

/// Adds what was counted to a column.
fn show(counts: &Counts, column: &mut NativeHistogramColumn) {
    let (positive, negative) = (counts.positive.iter(), counts.negative.iter());
    let (positive, negative) =
        (NativeBuckets::from_counts(positive), NativeBuckets::from_counts(negative));
    let zero = ZeroBucket { threshold: counts.zero_threshold, count: counts.zero };
    let in_buckets = positive.counts().iter().chain(negative.counts());
    let count = in_buckets.fold(zero.count, |total, count| total.saturating_add(*count));
    let histogram =
        NativeHistogram::new(counts.schema, zero, positive, negative, count, counts.sum);
    let histogram = histogram.expect("the count is that of the buckets, and below 2^64");
    column.push(counts.classic.iter().copied(), histogram);
}

/// A native histogram that all threads observe into without waiting for each other.
///
/// Each thread has counts of its own, behind a lock that only a scrape and a change of the buckets
/// take beside it. All counts have the same bounds: whoever needs a new bucket looks at all of
/// them, for it may be one too many.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) shape: NativeShape,
    /// Locked before any counts; counts are made and change their bounds under this lock alone.
    course: Mutex<Course>,
    /// By the place of the thread; the last one is for those without a place.
    counts: Box<[OnceLock<Box<Mutex<Own>>>]>,
}

/// The counts of a thread.
#[derive(Debug)]
struct Own {
    counts: Counts,
    next_look: Option<Instant>,
}

impl Threads {
    pub(super) fn new(shape: NativeShape) -> Self {
        let course = Mutex::new(Course::new(&shape.plan));
        let counts = (0..=PLACES).map(|_| OnceLock::new()).collect();
        Self { shape, course, counts }
    }

    #[inline]
    pub(super) fn observe(&self, value: f64) {
        let classic = self.shape.classic(value);
        if let Some(own) = self.counts.get(cells::thread_place()).and_then(OnceLock::get) {
            let mut own = own.lock();
            let looks = own.next_look.is_some_and(|at| clock::now() >= at);
            if !looks && own.counts.observe_known(classic, value) {
                return;
            }
        }
        self.observe_slowly(classic, value);
    }

    /// Adds what was counted to a column; it holds up each thread for a copy of its counts.
    pub(super) fn show(&self, column: &mut NativeHistogramColumn) {
        let mut course = self.course.lock();
        if course.next_look().is_some() {
            self.change(&mut course, |course, all| course.advance(&self.shape.plan, all));
        }
        let mut total = self.shape.counts(&course);
        for own in self.all() {
            let own = own.lock().counts.clone();
            total.merge(&own);
        }
        show(&total, column);
    }

    /// When it was last reset, in milliseconds since the Unix epoch.
    pub(super) fn reset_at(&self) -> Option<i64> {
        self.course.lock().reset_at
    }

    #[cold]
    #[inline(never)]
    fn observe_slowly(&self, classic: usize, value: f64) {
        let mut course = self.course.lock();
        let place = cells::thread_place();
        self.counts[place].get_or_init(|| {
            let counts = self.shape.counts(&course);
            Box::new(Mutex::new(Own { counts, next_look: course.next_look() }))
        });
        let own = self.counts[..place].iter().filter(|own| own.get().is_some()).count();
        self.change(&mut course, |course, all| {
            course.observe(&self.shape.plan, all, own, (classic, value));
        });
    }

    /// Lets `change` see all counts at once, in the order of their places.
    fn change(&self, course: &mut Course, change: impl FnOnce(&mut Course, &mut [&mut Counts])) {
        let mut locked: Vec<MutexGuard<'_, Own>> = self.all().map(|own| own.lock()).collect();
        let mut all: Vec<&mut Counts> = locked.iter_mut().map(|own| &mut own.counts).collect();
        change(course, &mut all);
        let next_look = course.next_look();
        locked.iter_mut().for_each(|own| own.next_look = next_look);
    }

    fn all(&self) -> impl Iterator<Item = &Mutex<Own>> {
        self.counts.iter().filter_map(OnceLock::get).map(|own| &**own)
    }
}

/// The native histograms of a family's series.
#[derive(Debug)]
pub(super) struct OfSeries {
    pub(super) shape: NativeShape,
    slots: Slots<Lone>,
}

/// The counts of a series, which all threads share.
#[derive(Debug)]
struct Lone {
    counts: Counts,
    course: Course,
}

impl OfSeries {
    /// The number of observations, so that the series is seen to be in use.
    pub(super) const WORDS: usize = 1;

    pub(super) fn new(shape: NativeShape) -> Self {
        Self { shape, slots: Slots::new() }
    }

    /// The shape, for a histogram that has no labels after all.
    pub(super) fn into_shape(self) -> NativeShape {
        self.shape
    }

    pub(super) fn observe(&self, series: SeriesId, words: &[AtomicU64], value: f64) {
        let classic = self.shape.classic(value);
        self.slots.update(
            series,
            || Lone::new(&self.shape),
            |lone| {
                let looks = lone.course.next_look().is_some_and(|at| clock::now() >= at);
                if looks || !lone.counts.observe_known(classic, value) {
                    let Lone { counts, course } = lone;
                    course.observe(&self.shape.plan, &mut [counts], 0, (classic, value));
                }
                if let Some(observed) = words.first() {
                    // Relaxed: only changed under the lock of the slot.
                    observed.store(observed.load(Relaxed).wrapping_add(1), Relaxed);
                }
            },
        );
    }

    /// Adds what a series has counted to a column.
    pub(super) fn show(&self, series: Option<SeriesId>, column: &mut NativeHistogramColumn) {
        let shown = series.and_then(|series| {
            self.slots.look(series, |Lone { counts, course }| {
                course.advance(&self.shape.plan, &mut [&mut *counts]);
                show(counts, column);
            })
        });
        if shown.is_none() {
            show(&Lone::new(&self.shape).counts, column);
        }
    }

    /// When a series was last reset, in milliseconds since the Unix epoch.
    pub(super) fn reset_at(&self, series: SeriesId) -> Option<i64> {
        self.slots.look(series, |lone| lone.course.reset_at).flatten()
    }

    /// Frees what removed series have left.
    pub(super) fn sweep(&self, store: &Store, snapshot: &Snapshot) {
        self.slots.sweep(store, snapshot);
    }
}

impl Lone {
    fn new(shape: &NativeShape) -> Self {
        let course = Course::new(&shape.plan);
        Self { counts: shape.counts(&course), course }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

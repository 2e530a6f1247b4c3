//! What some series have beside their record: too large for it, or rare.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::{Mutex, MutexGuard};

use super::directory::Directory;
use super::{Snapshot, Store};

/// A slot for each record, which is empty until its series needs it.
pub(crate) struct Slots<T> {
    slots: Directory<Slot<T>, 1>,
    one_grows: Mutex<()>,
    /// Slots that are not empty.
    used: AtomicUsize,
}

type Slot<T> = Mutex<Option<Box<Tenant<T>>>>;

/// What a slot has, and of which series: records are used again.
struct Tenant<T> {
    generation: u32,
    it: T,
}

/// A series by its record and the generation in which it has that.
#[derive(Clone, Copy, Debug)]
pub struct SeriesId {
    pub(crate) position: u32,
    pub(crate) generation: u32,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        let (slots, one_grows) = (Directory::new(), Mutex::new(()));
        Self { slots, one_grows, used: AtomicUsize::new(0) }
    }

    /// Changes what a series has, which is made if there is nothing; unless the series is gone.
    pub(crate) fn update(
        &self,
        series: SeriesId,
        make: impl FnOnce() -> T,
        update: impl FnOnce(&mut T),
    ) {
        self.update_locked(self.slot(series.position).lock(), series, make, update);
    }

    /// Does the same where no other thread is at it.
    pub(crate) fn try_update(
        &self,
        series: SeriesId,
        make: impl FnOnce() -> T,
        update: impl FnOnce(&mut T),
    ) {
        if let Some(slot) = self.slot(series.position).try_lock() {
            self.update_locked(slot, series, make, update);
        }
    }

    /// Looks at what a series has.
    pub(crate) fn look<R>(&self, series: SeriesId, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        let (chunk, at) = Store::record_place(series.position);
        let mut slot = self.slots.chunk(chunk)?.get(at)?.lock();
        let tenant = slot.as_mut().filter(|tenant| tenant.generation == series.generation);
        tenant.map(|tenant| look(&mut tenant.it))
    }

    /// Frees what removed series have left.
    pub(crate) fn sweep(&self, store: &Store, snapshot: &Snapshot) {
        if self.used.load(Relaxed) <= snapshot.len() {
            return;
        }
        for chunk in 0.. {
            let Some(slots) = self.slots.chunk(chunk) else { break };
            for (at, slot) in slots.iter().enumerate() {
                let mut slot = slot.lock();
                let position = Store::position_at(chunk, at);
                let gone = |t: &Tenant<T>| store.live_generation(position) != Some(t.generation);
                if slot.as_deref().is_some_and(gone) {
                    *slot = None;
                    self.used.fetch_sub(1, Relaxed);
                }
            }
        }
    }

    fn update_locked(
        &self,
        mut slot: MutexGuard<'_, Option<Box<Tenant<T>>>>,
        series: SeriesId,
        make: impl FnOnce() -> T,
        update: impl FnOnce(&mut T),
    ) {
        let generation = series.generation;
        match &mut *slot {
            Some(tenant) if tenant.generation == generation => update(&mut tenant.it),
            // A thread that was held up since the series was removed and its record used again.
            Some(newer) if (newer.generation.wrapping_sub(generation) as i32) > 0 => {}
            _ => {
                let mut it = make();
                update(&mut it);
                if slot.replace(Box::new(Tenant { generation, it })).is_none() {
                    self.used.fetch_add(1, Relaxed);
                }
            }
        }
    }

    #[inline]
    fn slot(&self, position: u32) -> &Slot<T> {
        let (chunk, at) = Store::record_place(position);
        match self.slots.chunk(chunk) {
            Some(slots) => &slots[at],
            None => &self.grow(chunk)[at],
        }
    }

    #[cold]
    fn grow(&self, chunk: usize) -> &[Slot<T>] {
        let _only_writer = self.one_grows.lock();
        let fresh = |chunk| (0..Store::chunk_records(chunk)).map(|_| Slot::default()).collect();
        // A sweep ends at the first chunk that is not there, so all before this one are made too.
        for before in 0..chunk {
            self.slots.set(before, || fresh(before));
        }
        self.slots.set(chunk, || fresh(chunk))
    }
}

impl<T> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({} in use)", self.used.load(Relaxed))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{SeriesId, Slots};

    const fn series(position: u32, generation: u32) -> SeriesId {
        SeriesId { position, generation }
    }

    #[test]
    fn the_newest_series_of_a_record_has_its_slot() {
        let slots = Slots::new();
        let add = |series, by: u32| slots.update(series, || 0, |sum| *sum += by);
        let read = |series| slots.look(series, |sum| *sum);
        add(series(700, 1), 1);
        add(series(700, 1), 2);
        assert_eq!(read(series(700, 1)), Some(3));
        assert_eq!(read(series(700, 3)), None);
        add(series(700, 3), 5);
        add(series(700, 1), 100);
        assert_eq!((read(series(700, 1)), read(series(700, 3))), (None, Some(5)));
        assert_eq!(read(series(0, 1)), None);
        assert_eq!(read(series(9000, 1)), None);
    }

    #[test]
    fn who_cannot_wait_is_skipped_while_another_is_at_it() {
        let slots = Slots::new();
        slots.update(series(3, 1), Vec::new, |list| {
            list.push(1);
            slots.try_update(series(3, 1), Vec::new, |list: &mut Vec<u32>| list.push(2));
            slots.try_update(series(2, 1), Vec::new, |list: &mut Vec<u32>| list.push(3));
        });
        assert_eq!(slots.look(series(3, 1), |list| list.clone()), Some(vec![1]));
        assert_eq!(slots.look(series(2, 1), |list| list.clone()), Some(vec![3]));
    }
}

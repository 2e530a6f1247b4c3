//! Series that are found by the number of their label set, in families with few such sets.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::cells::Near;

/// A slot for each label set. A family shares those of its store, so that a lookup follows one
/// pointer and not two.
#[derive(Clone, Debug)]
pub(crate) struct DenseSlots(Arc<[AtomicU64]>);

/// A series that was found by the number of its label set, in one word: its cell, where series have
/// cells in every thread and this one's is near, and in the bits that [`Near`] spares the position
/// of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DenseSeries(u64);

impl DenseSlots {
    /// Empty slots; none, as most families have, take no memory.
    pub(crate) fn new(label_sets: usize) -> Self {
        if label_sets == 0 {
            return Self(Arc::default());
        }
        Self((0..label_sets).map(|_| AtomicU64::new(DenseSeries::NONE)).collect())
    }

    /// The series of the label set with this number, if it is there; where series count in cells of
    /// each thread, only if this one has the cell.
    ///
    /// Counting in the cell asks again whether it is there, and the compiler sees that it is: one
    /// comparison tells that the slot has a series and that this thread has counted near it before.
    #[inline(always)]
    pub(crate) fn at_hand(&self, index: usize, in_cells: bool) -> Option<DenseSeries> {
        let series = self.load(index)?;
        let is_at_hand = if in_cells { series.cell().is_here() } else { series.is_some() };
        is_at_hand.then_some(series)
    }

    /// The series of the label set with this number, if it is there.
    pub(crate) fn get(&self, index: usize) -> Option<DenseSeries> {
        self.load(index).filter(|series| series.is_some())
    }

    #[inline(always)]
    fn load(&self, index: usize) -> Option<DenseSeries> {
        // Acquire pairs with the Release in `set`: the cell is leased before it is seen.
        Some(DenseSeries(self.0.get(index)?.load(Acquire)))
    }

    /// Puts a series into its slot; for the one writer.
    pub(crate) fn set(&self, index: usize, series: DenseSeries) {
        if let Some(slot) = self.0.get(index) {
            slot.store(series.0, Release);
        }
    }

    /// Empties the slot of a record; for the one writer.
    pub(crate) fn clear(&self, position: u32) {
        for slot in &*self.0 {
            let series = DenseSeries(slot.load(Relaxed));
            if series.is_some() && series.position() == position {
                slot.store(DenseSeries::NONE, Release);
            }
        }
    }
}

impl DenseSeries {
    /// What an empty slot holds. As a cell it is [nowhere](Near::NOWHERE).
    const NONE: u64 = u64::MAX;

    #[inline(always)]
    pub(crate) fn new(position: u32, cell: Near) -> Self {
        Self(cell.with_spare(position.into()))
    }

    fn is_some(self) -> bool {
        self.0 != Self::NONE
    }

    pub(crate) fn position(self) -> u32 {
        Near::spare(self.0) as u32
    }

    /// The cell, if it is near.
    #[inline(always)]
    pub(crate) fn cell(self) -> Near {
        Near::from_bits(self.0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{DenseSeries, DenseSlots, Near};
    use crate::storage::cells::{self, Lease};

    #[test]
    fn a_series_in_cells_is_at_hand_once_the_thread_has_the_cell() {
        let lease = Lease::new(1, |_| false).unwrap();
        let (slots, near) = (DenseSlots::new(2), Near::of(lease.first()));
        slots.set(1, DenseSeries::new(7, near));
        let check = || {
            assert_eq!((slots.at_hand(0, true), slots.at_hand(2, true)), (None, None));
            assert_eq!(slots.at_hand(1, true), None);
            cells::add(lease.first(), 1);
            let series = slots.at_hand(1, true).unwrap();
            assert_eq!(series.position(), 7);
            assert!(series.cell().inc());
        };
        // In a thread of its own, which has not counted anywhere.
        std::thread::scope(|scope| scope.spawn(check).join().unwrap());
        assert_eq!(lease.sum(0), 2);
    }

    #[test]
    fn a_slot_holds_its_series_until_it_is_removed() {
        let slots = DenseSlots::new(3);
        let last = DenseSeries::new(u32::MAX, Near::NOWHERE);
        slots.set(1, last);
        slots.set(2, DenseSeries::new(0, Near::NOWHERE));
        slots.clear(0);
        assert_eq!([0, 1, 2].map(|at| slots.get(at)), [None, Some(last), None]);
        assert_eq!((slots.at_hand(1, false), last.position()), (Some(last), u32::MAX));
        assert_eq!(slots.at_hand(1, true), None);
    }
}

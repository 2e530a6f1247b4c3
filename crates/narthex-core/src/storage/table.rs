//! From a hash to a record: open addressing that grows a little with each insert.
//!
//! A slot is one word: the top bits of the hash as a tag, and the record's position plus one.
//! Readers walk the current table without a lock. They may miss an entry that is being moved; they
//! never take one for another, for every hit is checked against the record's label values.

use std::sync::OnceLock;

use crate::sync::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

pub(super) struct Table {
    current: AtomicUsize,
    /// Each twice as long as the one before; outgrown ones are kept for readers that still walk
    /// them, and together are as long as the newest.
    near: [OnceLock<Slots>; NEAR],
    /// Those of large families only, apart: a family of few series is smaller than these.
    far: OnceLock<Box<[OnceLock<Slots>; FAR]>>,
}

type Slots = Box<[AtomicU32]>;

/// The writer's side of a table: how full it is and how far the next one has been filled.
pub(super) struct Growth {
    entries: usize,
    next: Option<Next>,
}

/// The table that will replace the current one.
struct Next {
    /// Zeros, until there are enough to publish.
    zeros: Vec<AtomicU32>,
    len: usize,
    /// Slots of the current table that have been copied.
    copied: usize,
}

const FIRST_LEN: usize = 16;
const NEAR: usize = 4;
const FAR: usize = 18;
const POSITION_BITS: u32 = 24;
const POSITION: u32 = (1 << POSITION_BITS) - 1;

/// Zeros written, and slots copied, by one insert. Together they end a growth well before the
/// table is too full, and take microseconds: no insert pays for a whole rehash.
const FILL_STEP: usize = 2048;
const COPY_STEP: usize = 32;

impl Table {
    /// Positions must lie below this to fit a slot.
    pub(super) const MAX_POSITION: u32 = POSITION - 1;

    pub(super) fn new() -> Self {
        let near = [const { OnceLock::new() }; NEAR];
        near[0].get_or_init(|| (0..FIRST_LEN).map(|_| AtomicU32::new(0)).collect());
        Self { current: AtomicUsize::new(0), near, far: OnceLock::new() }
    }

    /// The positions that may be those of this hash: all that are, and few others.
    #[inline(always)]
    pub(super) fn candidates(&self, hash: u64) -> Candidates<'_> {
        // Acquire pairs with the Release in `step`, which published the table's copied slots.
        let slots = self.generation(self.current.load(Acquire));
        Candidates { slots: slots.unwrap_or_default(), at: hash as usize, tag: tag(hash) }
    }

    /// Adds a position and does a step of growth; for the one writer.
    ///
    /// `hash_of` gives the hash of a position that was added before.
    pub(super) fn insert(
        &self,
        growth: &mut Growth,
        hash: u64,
        position: u32,
        hash_of: impl Fn(u32) -> u64,
    ) {
        let current = self.current.load(Relaxed);
        let slots = self.slots(current);
        let slot = tag(hash) << POSITION_BITS | (position + 1);
        let at = put(slots, hash, slot);
        growth.entries += 1;
        if let Some(next) = &growth.next
            && let Some(longer) = next.published(self, current)
            && at < next.copied
        {
            put(longer, hash, slot);
        }
        // Load stays below 0.6: growth starts at 0.5 and ends within a tenth of the table's length.
        if growth.next.is_none() && growth.entries * 2 >= slots.len() {
            let len = slots.len() * 2;
            growth.next = Some(Next { zeros: Vec::with_capacity(len), len, copied: 0 });
        }
        self.step(growth, current, &hash_of);
    }

    /// Takes a position out; for the one writer. Returns whether it was there.
    ///
    /// Entries behind it move up (backward-shift deletion), so there are no tombstones to skip.
    pub(super) fn remove(
        &self,
        growth: &mut Growth,
        hash: u64,
        position: u32,
        hash_of: impl Fn(u32) -> u64,
    ) -> bool {
        // A shift must not slip an entry past the cursor of a copy: finish that first.
        while growth.next.is_some() {
            self.step(growth, self.current.load(Relaxed), &hash_of);
        }
        let slots = self.slots(self.current.load(Relaxed));
        let mask = slots.len() - 1;
        let slot = tag(hash) << POSITION_BITS | (position + 1);
        let mut hole = hash as usize & mask;
        loop {
            match slots[hole].load(Relaxed) {
                0 => return false,
                found if found == slot => break,
                _ => hole = (hole + 1) & mask,
            }
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let moved = slots[at].load(Relaxed);
            if moved == 0 {
                break;
            }
            let home = hash_of((moved & POSITION) - 1) as usize & mask;
            let fits_the_hole = (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask);
            if fits_the_hole {
                slots[hole].store(moved, Release);
                hole = at;
            }
        }
        slots[hole].store(0, Release);
        growth.entries -= 1;
        true
    }

    /// Fills the next table with zeros, then copies into it, a bounded amount each time.
    fn step(&self, growth: &mut Growth, current: usize, hash_of: &impl Fn(u32) -> u64) {
        let Some(next) = &mut growth.next else { return };
        let Some(longer) = next.published(self, current) else {
            let zeros = next.len.min(next.zeros.len() + FILL_STEP);
            next.zeros.resize_with(zeros, || AtomicU32::new(0));
            if zeros == next.len {
                let zeros = std::mem::take(&mut next.zeros).into_boxed_slice();
                match self.near.get(current + 1) {
                    Some(near) => near.get_or_init(|| zeros),
                    None => {
                        let none = || Box::new([const { OnceLock::new() }; FAR]);
                        self.far.get_or_init(none)[current + 1 - NEAR].get_or_init(|| zeros)
                    }
                };
            }
            return;
        };
        let slots = self.slots(current);
        let end = (next.copied + COPY_STEP).min(slots.len());
        for slot in &slots[next.copied..end] {
            let slot = slot.load(Relaxed);
            if slot != 0 {
                put(longer, hash_of((slot & POSITION) - 1), slot);
            }
        }
        next.copied = end;
        if end == slots.len() {
            growth.next = None;
            self.current.store(current + 1, Release);
        }
    }

    fn slots(&self, generation: usize) -> &[AtomicU32] {
        self.generation(generation).expect("the current table exists")
    }

    #[inline(always)]
    fn generation(&self, generation: usize) -> Option<&[AtomicU32]> {
        let slots = match self.near.get(generation) {
            Some(near) => near.get(),
            None => self.far.get()?.get(generation - NEAR)?.get(),
        };
        slots.map(|slots| &**slots)
    }
}

/// A walk over the slots from a hash's place on.
pub(super) struct Candidates<'a> {
    slots: &'a [AtomicU32],
    at: usize,
    tag: u32,
}

impl Candidates<'_> {
    /// The next position with the hash's tag, if there is one.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        loop {
            // Acquire pairs with the Release in `put`: the record was written before its slot.
            let slot = self.slots.get(self.at & mask)?.load(Acquire);
            if slot == 0 {
                return None;
            }
            self.at = self.at.wrapping_add(1);
            if slot >> POSITION_BITS == self.tag {
                return Some((slot & POSITION) - 1);
            }
        }
    }
}

impl Growth {
    pub(super) fn new() -> Self {
        Self { entries: 0, next: None }
    }
}

impl Next {
    /// The longer table once all of its zeros have been written.
    fn published<'a>(&self, table: &'a Table, current: usize) -> Option<&'a [AtomicU32]> {
        table.generation(current + 1)
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> (64 - (32 - POSITION_BITS))) as u32
}

/// Writes `slot` to the first free place and returns where; does nothing if it is there already.
fn put(slots: &[AtomicU32], hash: u64, slot: u32) -> usize {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    loop {
        match slots[at].load(Relaxed) {
            0 => {
                // Release pairs with the Acquire in `find`: the record is whole before it is seen.
                slots[at].store(slot, Release);
                return at;
            }
            there if there == slot => return at,
            _ => at = (at + 1) & mask,
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::{Growth, Table};
    use crate::sync::{AtomicU32, Ordering::Relaxed};
    use loom::sync::Arc;
    use loom::thread;

    /// All in one run of slots, so that a removal has entries to move.
    fn hash_of(_: u32) -> u64 {
        0x5500_0000_0000_0003
    }

    /// A table and the records its positions lead to, as far as a reader checks them.
    struct Shared {
        table: Table,
        records: [AtomicU32; 12],
    }

    impl Shared {
        fn new() -> Self {
            Self { table: Table::new(), records: std::array::from_fn(|_| AtomicU32::new(0)) }
        }

        fn insert(&self, growth: &mut Growth, position: u32) {
            self.records[position as usize].store(position + 100, Relaxed);
            self.table.insert(growth, hash_of(position), position, hash_of);
        }

        /// Finds the record that says it is `position`'s.
        fn find(&self, position: u32) -> Option<u32> {
            let mut candidates = self.table.candidates(hash_of(position));
            while let Some(found) = candidates.next() {
                let record = self.records[found as usize].load(Relaxed);
                // What `Release` in `put` promises: a slot is seen only after its record.
                assert_ne!(record, 0, "a reader saw a slot before its record");
                if record == position + 100 {
                    return Some(found);
                }
            }
            None
        }
    }

    #[test]
    fn loom_a_found_record_is_whole_and_the_right_one() {
        loom::model(|| {
            let shared = Arc::new(Shared::new());
            let reader = {
                let shared = shared.clone();
                thread::spawn(move || {
                    for position in [0, 1] {
                        assert!(shared.find(position).is_none_or(|found| found == position));
                    }
                })
            };
            let mut growth = Growth::new();
            shared.insert(&mut growth, 0);
            shared.insert(&mut growth, 1);
            reader.join().unwrap();
            assert_eq!((shared.find(0), shared.find(1)), (Some(0), Some(1)));
        });
    }

    #[test]
    fn loom_a_reader_never_takes_one_for_another_while_entries_move() {
        loom::model(|| {
            let shared = Arc::new(Shared::new());
            let mut growth = Growth::new();
            for position in 0..3 {
                shared.insert(&mut growth, position);
            }
            let reader = {
                let shared = shared.clone();
                thread::spawn(move || assert!(shared.find(2).is_none_or(|found| found == 2)))
            };
            assert!(shared.table.remove(&mut growth, hash_of(0), 0, hash_of));
            reader.join().unwrap();
            assert_eq!((shared.find(0), shared.find(1), shared.find(2)), (None, Some(1), Some(2)));
        });
    }

    #[test]
    fn loom_nothing_is_lost_when_the_table_grows_under_a_reader() {
        loom::model(|| {
            let shared = Arc::new(Shared::new());
            let mut growth = Growth::new();
            // One insert before growth starts at half of the first table's 16 slots.
            for position in 0..8 {
                shared.insert(&mut growth, position);
            }
            let reader = {
                let shared = shared.clone();
                thread::spawn(move || assert_eq!(shared.find(3), Some(3)))
            };
            shared.insert(&mut growth, 8);
            reader.join().unwrap();
            assert!((0..9).all(|position| shared.find(position) == Some(position)));
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Growth, Table};
    use std::collections::HashMap;

    fn hash_of(position: u32) -> u64 {
        u64::from(position % 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    #[test]
    fn finds_what_was_inserted_and_not_removed_through_growth() {
        let (table, mut growth) = (Table::new(), Growth::new());
        let mut there = HashMap::new();
        let mut random = 1u64;
        for position in 0..20_000 {
            table.insert(&mut growth, hash_of(position), position, hash_of);
            there.insert(position, true);
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let victim = (random >> 33) as u32 % (position + 1);
            if random >> 60 == 0 {
                let removed = table.remove(&mut growth, hash_of(victim), victim, hash_of);
                assert_eq!(removed, there.insert(victim, false) == Some(true));
            }
        }
        for (position, there) in there {
            let mut candidates = table.candidates(hash_of(position));
            let found = std::iter::from_fn(|| candidates.next()).any(|found| found == position);
            assert_eq!(found, there, "{position}");
        }
    }

    #[test]
    fn the_table_is_never_too_full() {
        let (table, mut growth) = (Table::new(), Growth::new());
        for position in 0..100_000 {
            table.insert(&mut growth, u64::from(position) << 7 | 5, position, |p| {
                u64::from(p) << 7 | 5
            });
            let slots = table.slots(table.current.load(super::Relaxed));
            assert!(growth.entries * 10 <= slots.len() * 6 || slots.len() < 64);
            assert!(growth.entries < slots.len());
        }
    }
}

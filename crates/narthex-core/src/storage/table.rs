//! From a hash to a record: open addressing that grows a little with each insert.
//!
//! A slot is one word: the top bits of the hash as a tag, and the record's position plus one.
//! Readers walk the slots without a lock. They may miss an entry that is being moved; they never
//! take one for another, for every hit is checked against the record's label values.
//!
//! A large table consists of segments, which are split one after the other when it grows: some of
//! the entries go to a new segment, the others stay where they are. So only the tables of when the
//! family was small are ever outgrown. No insert pays for more than one split, and small tables are
//! copied a few slots at a time.

use std::sync::{Arc, OnceLock};

use crate::sync::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use super::directory::Directory;

pub(super) struct Table {
    /// Which of the small tables it is by now; or, beyond their number, the bits of a hash that say
    /// which segment is its.
    shape: AtomicUsize,
    /// Each twice as long as the one before. Outgrown ones are kept for readers that still walk them.
    small: [OnceLock<Slots>; SMALL],
    /// No table has only a few of them: all are far.
    segments: Directory<AtomicU32, 0>,
}

type Slots = Arc<[AtomicU32]>;

/// The writer's side of a table: how full it is.
pub(super) struct Growth {
    entries: usize,
    segments: usize,
    next: Option<Next>,
}

/// What will replace a small table: a longer one, or segments.
struct Next {
    parts: Vec<Slots>,
    /// Slots that have been copied.
    copied: usize,
}

/// A family of 4096 series, which has its labels in the caches, finds them in a small table: the
/// address of a segment has to wait for the hash, and a lookup would take a tenth longer.
const SMALL: usize = if cfg!(loom) { 1 } else { 10 };
const FIRST_LEN: usize = 16;
const SEGMENT: usize = if cfg!(loom) { 16 } else { 2048 };

/// Slots of a small table that are copied by one insert: it is done long before there are too many.
const COPY_STEP: usize = 64;
const POSITION_BITS: u32 = 24;
const POSITION: u32 = (1 << POSITION_BITS) - 1;

impl Table {
    /// Positions must lie below this to fit a slot.
    pub(super) const MAX_POSITION: u32 = POSITION - 1;

    pub(super) fn new() -> Self {
        let small = [const { OnceLock::new() }; SMALL];
        small[0].get_or_init(|| zeros(FIRST_LEN));
        Self { shape: AtomicUsize::new(0), small, segments: Directory::new() }
    }

    /// The positions that may be those of this hash: all that are, and few others.
    #[inline(always)]
    pub(super) fn candidates(&self, hash: u64) -> Candidates<'_> {
        Candidates::new(self.slots(hash), hash)
    }

    /// The slots of a small table, where this is one.
    #[inline(always)]
    pub(super) fn small(&self) -> Option<&[AtomicU32]> {
        // Acquire pairs with the Release in `outgrow`, which published the slots.
        Some(self.small.get(self.shape.load(Acquire))?.get()?)
    }

    /// Adds a position and does a step of growth; for the one writer. Returns whether there was room
    /// for it: there always is, unless nearly all hashes are alike.
    ///
    /// `hashes_of` gives the hashes of positions that were added before. It is asked for those of many
    /// at once: few of their records are in a cache, and the reads need not wait for each other.
    pub(super) fn insert(
        &self,
        growth: &mut Growth,
        hash: u64,
        position: u32,
        hashes_of: impl Fn(&[u32]) -> Vec<u64>,
    ) -> bool {
        let slot = slot(hash, position);
        let Some(at) = put(self.slots(hash), hash, slot) else { return false };
        growth.entries += 1;
        if growth.next.as_ref().is_some_and(|next| at < next.copied && !next.put(hash, slot)) {
            growth.next = None;
        }
        self.grow(growth, &hashes_of);
        true
    }

    /// Takes a position out; for the one writer. Returns whether it was there.
    ///
    /// Entries behind it move up (backward-shift deletion), so there are no tombstones to skip.
    pub(super) fn remove(
        &self,
        growth: &mut Growth,
        hash: u64,
        position: u32,
        hashes_of: impl Fn(&[u32]) -> Vec<u64>,
    ) -> bool {
        // A shift must not slip an entry past the cursor of a copy: finish that first.
        while growth.next.is_some() {
            self.outgrow(growth, &hashes_of);
        }
        let slots = self.slots(hash);
        let mask = slots.len() - 1;
        let slot = slot(hash, position);
        let mut hole = hash as usize & mask;
        loop {
            match slots[hole].load(Relaxed) {
                0 => return false,
                found if found == slot => break,
                _ => hole = (hole + 1) & mask,
            }
        }
        let behind = (hole + 1..hole + slots.len()).map(|at| slots[at & mask].load(Relaxed));
        let behind = behind.take_while(|&slot| slot != 0).collect();
        for (at, (hash, moved)) in (hole + 1..).zip(hashed(behind, &hashes_of)) {
            let (at, home) = (at & mask, hash as usize & mask);
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

    /// The slots among which those of this hash are.
    #[inline(always)]
    fn slots(&self, hash: u64) -> &[AtomicU32] {
        // Acquire pairs with the Release in `outgrow` and `split`, which published the slots.
        let shape = self.shape.load(Acquire);
        let slots = match self.small.get(shape) {
            Some(slots) => slots.get(),
            None => self.segment(hash, shape - SMALL),
        };
        slots.map_or(&[], |slots| slots)
    }

    /// The segment of this hash, or the one it has yet to be split from.
    #[inline(always)]
    fn segment(&self, hash: u64, mask: usize) -> Option<&Slots> {
        let bits = segment_bits(hash);
        match self.segments.chunk(bits & mask) {
            None => self.segments.chunk(bits & mask >> 1),
            found => found,
        }
    }

    /// Makes room where the table is half full, a bounded amount each time.
    fn grow(&self, growth: &mut Growth, hashes_of: &impl Fn(&[u32]) -> Vec<u64>) {
        if growth.segments == 0 {
            if growth.entries * 2 >= self.slots(0).len() {
                self.outgrow(growth, hashes_of);
            }
            return;
        }
        // Segments are half full when the first of them is split, and 9/16 when the last one is.
        let count = growth.segments;
        let doubled = 1 << count.ilog2();
        if growth.entries >= doubled * SEGMENT / 2 + (count - doubled) * SEGMENT / 16 {
            self.split(count - doubled, count, hashes_of);
            growth.segments += 1;
        }
    }

    /// Does a step from a small table to the next one or, where there is none, to segments; stays
    /// where these do not hold the entries, as nearly all hashes are alike.
    fn outgrow(&self, growth: &mut Growth, hashes_of: &impl Fn(&[u32]) -> Vec<u64>) {
        // All slots of a small table are those of any hash.
        let (shape, slots) = (self.shape.load(Relaxed), self.slots(0));
        let longer = self.small.get(shape + 1);
        let len = slots.len() * 2;
        let part = if longer.is_some() { len } else { SEGMENT };
        let next = growth.next.get_or_insert_with(|| Next {
            parts: (0..len / part).map(|_| zeros(part)).collect(),
            copied: 0,
        });
        let end = slots.len().min(next.copied + COPY_STEP);
        if !entries(&slots[next.copied..end], hashes_of).all(|(hash, slot)| next.put(hash, slot)) {
            growth.next = None;
            return;
        }
        next.copied = end;
        if end < slots.len() {
            return;
        }
        let parts = growth.next.take().map_or(Vec::new(), |next| next.parts);
        let shape = match longer {
            Some(_) => shape + 1,
            None => {
                growth.segments = parts.len();
                SMALL + parts.len() - 1
            }
        };
        for (index, slots) in parts.into_iter().enumerate() {
            match longer {
                Some(longer) => longer.get_or_init(|| slots),
                None => self.segments.set(index, || slots),
            };
        }
        self.shape.store(shape, Release);
    }

    /// Moves half of the entries of the segment at `from` to a new one at `to`.
    fn split(&self, from: usize, to: usize, hashes_of: &impl Fn(&[u32]) -> Vec<u64>) {
        let Some(slots) = self.segments.chunk(from) else { return };
        let mask = (to + 1).next_power_of_two() - 1;
        let (moved, kept) = (zeros(SEGMENT), zeros(SEGMENT));
        for (hash, slot) in entries(slots, hashes_of) {
            let half = if segment_bits(hash) & mask == to { &moved } else { &kept };
            // Neither gets more entries than there were, so there is room.
            if let Some(place) = free_places(half, hash).next() {
                half[place].store(slot, Relaxed);
            }
        }
        self.segments.set(to, || moved);
        self.shape.store(SMALL + mask, Release);
        // Last: what was moved is by now where it is looked for. Readers who have come here before
        // may miss entries, as they may during a removal.
        for (slot, kept) in slots.iter().zip(kept.iter()) {
            // Release pairs with the Acquire in `next`, as in `put`.
            slot.store(kept.load(Relaxed), Release);
        }
    }
}

/// The bits of a hash that do not say where in its segment it is.
#[inline(always)]
fn segment_bits(hash: u64) -> usize {
    hash as usize / SEGMENT
}

/// A walk over the slots from a hash's place on.
pub(super) struct Candidates<'a> {
    slots: &'a [AtomicU32],
    hash: u64,
    at: usize,
}

impl<'t> Candidates<'t> {
    #[inline(always)]
    pub(super) fn new(slots: &'t [AtomicU32], hash: u64) -> Self {
        Self { slots, hash, at: hash as usize }
    }

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
            if slot >> POSITION_BITS == tag(self.hash) {
                return Some(position_in(slot));
            }
        }
    }
}

impl Growth {
    pub(super) fn new() -> Self {
        Self { entries: 0, segments: 0, next: None }
    }
}

impl Next {
    /// Adds an entry, if there is room for it.
    fn put(&self, hash: u64, slot: u32) -> bool {
        let part = segment_bits(hash) & (self.parts.len() - 1);
        put(&self.parts[part], hash, slot).is_some()
    }
}

#[inline(always)]
fn tag(hash: u64) -> u32 {
    (hash >> (64 - (32 - POSITION_BITS))) as u32
}

fn slot(hash: u64, position: u32) -> u32 {
    tag(hash) << POSITION_BITS | (position + 1)
}

#[inline(always)]
fn position_in(slot: u32) -> u32 {
    (slot & POSITION) - 1
}

fn zeros(len: usize) -> Slots {
    (0..len).map(|_| AtomicU32::new(0)).collect()
}

/// The hashes of all entries, with their slots.
fn entries(
    slots: &[AtomicU32],
    hashes_of: impl Fn(&[u32]) -> Vec<u64>,
) -> impl Iterator<Item = (u64, u32)> {
    let mut taken = vec![0; slots.len()];
    let mut len = 0;
    for slot in slots {
        // Written without a branch: whether a slot is taken cannot be guessed.
        taken[len] = slot.load(Relaxed);
        len += usize::from(taken[len] != 0);
    }
    taken.truncate(len);
    hashed(taken, hashes_of)
}

/// These slots, which are taken, with the hashes of their entries.
fn hashed(
    slots: Vec<u32>,
    hashes_of: impl Fn(&[u32]) -> Vec<u64>,
) -> impl Iterator<Item = (u64, u32)> {
    let positions: Vec<_> = slots.iter().copied().map(position_in).collect();
    hashes_of(&positions).into_iter().zip(slots)
}

/// Writes `slot` to the first free place and gives that, unless it is the only one: readers stop at a
/// free one.
fn put(slots: &[AtomicU32], hash: u64, slot: u32) -> Option<usize> {
    let mut free = free_places(slots, hash);
    let (place, _another) = (free.next()?, free.next()?);
    // Release pairs with the Acquire in `next`: the record is whole before it is seen.
    slots[place].store(slot, Release);
    Some(place)
}

/// The places that nothing has taken, from that of this hash on.
fn free_places(slots: &[AtomicU32], hash: u64) -> impl Iterator<Item = usize> {
    let from_home = (0..slots.len()).map(move |k| (hash as usize + k) & (slots.len() - 1));
    from_home.filter(|&at| slots[at].load(Relaxed) == 0)
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::{Growth, Table};
    use crate::sync::{AtomicU32, Ordering::Relaxed};
    use loom::sync::Arc;
    use loom::thread;

    /// In one run of slots while the table is small, so that a removal has entries to move. The first
    /// four are in the segment that is split first, and every other one of them goes elsewhere then.
    fn hash_of(position: u32) -> u64 {
        0x5500_0000_0000_0003 | u64::from(position >= 4) << 4 | u64::from(position % 2) << 5
    }

    fn hashes_of(positions: &[u32]) -> Vec<u64> {
        positions.iter().copied().map(hash_of).collect()
    }

    /// A table and the records its positions lead to, as far as a reader checks them.
    struct Shared {
        table: Table,
        records: [AtomicU32; 16],
    }

    impl Shared {
        fn new() -> Self {
            Self { table: Table::new(), records: std::array::from_fn(|_| AtomicU32::new(0)) }
        }

        fn insert(&self, growth: &mut Growth, position: u32) {
            self.records[position as usize].store(position + 100, Relaxed);
            self.table.insert(growth, hash_of(position), position, hashes_of);
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
            assert!(shared.table.remove(&mut growth, hash_of(0), 0, hashes_of));
            reader.join().unwrap();
            assert_eq!((shared.find(0), shared.find(1), shared.find(2)), (None, Some(1), Some(2)));
        });
    }

    #[test]
    fn loom_nothing_is_lost_when_the_table_grows_under_a_reader() {
        loom::model(|| {
            let shared = Arc::new(Shared::new());
            let mut growth = Growth::new();
            // One insert before half of the first table's 16 slots are taken.
            for position in 0..7 {
                shared.insert(&mut growth, position);
            }
            let reader = {
                let shared = shared.clone();
                thread::spawn(move || assert_eq!(shared.find(3), Some(3)))
            };
            shared.insert(&mut growth, 7);
            reader.join().unwrap();
            assert_eq!(growth.segments, 2);
            assert!((0..8).all(|position| shared.find(position) == Some(position)));
        });
    }

    #[test]
    fn loom_a_reader_never_takes_one_for_another_while_a_segment_is_split() {
        loom::model(|| {
            let shared = Arc::new(Shared::new());
            let mut growth = Growth::new();
            for position in 0..15 {
                shared.insert(&mut growth, position);
            }
            let reader = {
                let shared = shared.clone();
                thread::spawn(move || {
                    for position in [2, 3] {
                        assert!(shared.find(position).is_none_or(|found| found == position));
                    }
                })
            };
            shared.insert(&mut growth, 15);
            reader.join().unwrap();
            assert_eq!(growth.segments, 3);
            assert!((0..16).all(|position| shared.find(position) == Some(position)));
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{FIRST_LEN, Growth, Relaxed, SEGMENT, SMALL, Table};
    use std::collections::HashMap;
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    fn hash_of(position: u32) -> u64 {
        u64::from(position % 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// The hashes of many, from the hash of one.
    fn all(hash_of: impl Fn(u32) -> u64) -> impl Fn(&[u32]) -> Vec<u64> {
        move |positions| positions.iter().copied().map(&hash_of).collect()
    }

    #[test]
    fn finds_what_was_inserted_and_not_removed_through_growth() {
        let (table, mut growth) = (Table::new(), Growth::new());
        let mut there = HashMap::new();
        let mut random = 1u64;
        for position in 0..20_000 {
            table.insert(&mut growth, hash_of(position), position, all(hash_of));
            there.insert(position, true);
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let victim = (random >> 33) as u32 % (position + 1);
            if random >> 60 == 0 {
                let removed = table.remove(&mut growth, hash_of(victim), victim, all(hash_of));
                assert_eq!(removed, there.insert(victim, false) == Some(true));
            }
        }
        for (position, there) in there {
            let mut candidates = table.candidates(hash_of(position));
            let found = std::iter::from_fn(|| candidates.next()).any(|found| found == position);
            assert_eq!(found, there, "{position}");
        }
    }

    fn spread(position: u32) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(position)
    }

    #[test]
    fn no_part_of_the_table_is_ever_too_full() {
        let (table, mut growth) = (Table::new(), Growth::new());
        for position in 0..100_000 {
            assert!(table.insert(&mut growth, spread(position), position, all(spread)));
            if position % 512 == 0 {
                for segment in 0..growth.segments.max(1) as u64 {
                    let slots = table.slots(segment * SEGMENT as u64);
                    let taken = slots.iter().filter(|slot| slot.load(Relaxed) != 0).count();
                    assert!(
                        taken * 3 <= slots.len() * 2,
                        "{taken} of {} at {position}",
                        slots.len()
                    );
                }
            }
        }
        assert_eq!(growth.segments, 128);
    }

    #[test]
    fn hashes_that_are_alike_find_no_room_in_the_end_and_nothing_is_lost() {
        let hash_of = |position: u32| u64::from(position) % SEGMENT as u64;
        let (table, mut growth) = (Table::new(), Growth::new());
        let inserted = (0..)
            .take_while(|&at| table.insert(&mut growth, hash_of(at), at, all(hash_of)))
            .count();
        assert_eq!(inserted, (FIRST_LEN << (SMALL - 1)) - 1);
        for position in (0..inserted as u32).step_by(100) {
            let mut candidates = table.candidates(hash_of(position));
            assert!(std::iter::from_fn(|| candidates.next()).any(|found| found == position));
        }
    }
}

//! Cells that each thread counts in for itself.
//!
//! An instrument without labels gets a range of cell ids, and so do the first counters of a family.
//! Each thread has its own cell for an id, which only it writes, with a plain load and store: no locked
//! instruction, nothing shared, a third of what a shared atomic takes on one thread and a tenth of it
//! on two. A gather adds the threads' cells up. When a thread ends, what it counted is folded into the
//! shared cells, and its place with all its memory goes to the next thread.
//!
//! A handle keeps its cell as [`Near`], which a thread finds with two loads. Where that does not
//! lead to a cell (the thread has not counted there yet, it has no cells of its own, or there are
//! very many cells) the id does, by a longer way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use super::directory::Directory;

/// A range of cells that belongs to one instrument, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    first: u32,
    len: u32,
}

/// One cell for an unsigned count, leased and kept in a word: where a thread finds it if it is [`Near`]
/// and, in the bits that this spares, its id.
///
/// Words can be copied, so the lease ends when it is [given back](Self::give_back), once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeasedCell(u64);

/// How the cells of a lease add up over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Float,
}

/// A cell of any thread among the first [`NEAR_CHUNKS`] chunks, or none, in one word.
///
/// The chunk is in the highest bits, which one shift leaves alone, and the cell in the lowest. Those
/// between are [spare](Self::spare): whoever keeps a cell and something else keeps one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near(u64);

/// Cells a chunk holds. A lease never straddles two.
const CHUNK: usize = 512;

/// Bits of [`Near`] that name a chunk.
const CHUNK_BITS: u32 = 7;

/// Chunks that every thread has a list of, in a KiB of its own memory: it has as many as [`Near`]
/// can name, so that nothing is compared to index it.
const NEAR_CHUNKS: usize = 1 << CHUNK_BITS;

/// Threads that have cells of their own; later ones count in the shared cells.
///
/// Every such thread costs 4 KiB for each 512 cells in use.
const OWN_CELLS: usize = 64;

/// The number of places that threads can have; see [`thread_place`].
pub(crate) const PLACES: usize = OWN_CELLS;

/// Larger steps leave a cell below this. From here to its end single ones take a century, so that
/// they need not look for it.
const MOST_OF_LARGE_STEPS: u64 = 1 << 63;

/// Aligned so that 16 cells lie in two lines of the cache, and no line is written by two threads.
#[repr(align(128))]
struct Chunk([AtomicU64; CHUNK]);

thread_local! {
    /// This thread's first chunks; the last one is never there. No destructor, so that the hot path
    /// is one load.
    static NEAR: [Cell<Option<&'static Chunk>>; NEAR_CHUNKS] =
        const { [const { Cell::new(None) }; NEAR_CHUNKS] };
    /// What [`thread_place`] gives, once it is known.
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
    /// Folds this thread's cells when it ends; touched on the long way only.
    static THREAD: Thread = Thread::enter();
}

static CELLS: Cells = Cells {
    shared: Directory::new(),
    state: Mutex::new(State {
        places: Vec::new(),
        idle: Vec::new(),
        next: 0,
        free: BTreeMap::new(),
        floats: Vec::new(),
    }),
};

/// All cells of the process.
struct Cells {
    /// What threads without cells of their own and threads that have ended have counted.
    shared: Directory<AtomicU64, 1>,
    state: Mutex<State>,
}

struct State {
    places: Vec<Place>,
    /// Which of them no thread has.
    idle: Vec<usize>,
    next: u32,
    /// The first cells of ranges that nobody has, by their length.
    free: BTreeMap<u32, Vec<u32>>,
    /// One bit a cell: it holds a float.
    floats: Vec<u64>,
}

/// What a thread has while it lives, and leaves to the next one.
///
/// It is never freed, so that the hot path needs no guard; there are [`OWN_CELLS`] at most.
struct Place {
    chunks: Vec<Option<&'static Chunk>>,
    /// Whether a thread has it. If not, its cells are all zero.
    taken: bool,
}

impl Lease {
    /// The most cells a lease can have.
    pub(crate) const MOST: usize = CHUNK;

    /// Cells for unsigned counts and, where `is_float` says so, for sums of floats.
    ///
    /// Returns `None` for more cells than [`MOST`](Self::MOST).
    pub(crate) fn new(len: usize, is_float: impl Fn(usize) -> bool) -> Option<Self> {
        if len > CHUNK {
            return None;
        }
        let mut state = CELLS.state.lock();
        let lease = Self { first: state.range(len as u32), len: len as u32 };
        for offset in 0..len {
            let kind = if is_float(offset) { Kind::Float } else { Kind::Unsigned };
            state.set_kind(lease.first + offset as u32, kind);
        }
        CELLS
            .shared
            .set(lease.first as usize / CHUNK, || (0..CHUNK).map(|_| AtomicU64::new(0)).collect());
        Some(lease)
    }

    /// The id of the first cell.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Gives this thread's cells to `write`, or the shared ones under their lock.
    #[inline]
    pub(crate) fn with(&self, write: impl FnOnce(&[AtomicU64])) {
        let (chunk, at) = place(self.first);
        match own_chunk(chunk) {
            Some(cells) => write(&cells.0[at..][..self.len()]),
            None => with_shared(self.first, |cells| write(&cells[..self.len()])),
        }
    }

    /// The sum of an unsigned cell over all threads, up to `u64::MAX`.
    pub(crate) fn sum(&self, offset: u32) -> u64 {
        sum(self.first + offset)
    }

    /// Reads the whole lease of every thread, one after the other; `read` is called under a lock
    /// of the registry of threads, with cells that only their thread writes, or nobody.
    pub(crate) fn for_each_thread(&self, mut read: impl FnMut(&[AtomicU64])) {
        let (chunk, at) = place(self.first);
        let range = at..at + self.len();
        let state = CELLS.state.lock();
        if let Some(shared) = shared_chunk(chunk) {
            read(&shared[range.clone()]);
        }
        for cells in state.chunks(chunk) {
            read(&cells.0[range.clone()]);
        }
    }
}

impl LeasedCell {
    /// Leases a cell.
    pub(crate) fn lease() -> Option<Self> {
        let lease = ManuallyDrop::new(Lease::new(1, |_| false)?);
        Some(Self(Near::of(lease.first).with_spare(lease.first.into())))
    }

    /// Ends the lease: nobody counts there any more.
    pub(crate) fn give_back(self) {
        drop(Lease { first: self.id(), len: 1 });
    }

    #[inline(always)]
    pub(crate) fn from_bits(word: u64) -> Self {
        Self(word)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn near(self) -> Near {
        Near(self.0)
    }

    #[inline(always)]
    pub(crate) fn id(self) -> u32 {
        Near::spare(self.0) as u32
    }

    /// Adds to this thread's cell, or to the shared one.
    #[inline(always)]
    pub(crate) fn add(self, by: u64) {
        if !self.near().add(by) {
            add(self.id(), by);
        }
    }

    /// The sum over all threads, up to `u64::MAX`.
    pub(crate) fn sum(self) -> u64 {
        sum(self.id())
    }
}

/// The sum of an unsigned cell over all threads, up to `u64::MAX`.
fn sum(cell: u32) -> u64 {
    let (chunk, at) = place(cell);
    // While it is held, no thread can come or go.
    let state = CELLS.state.lock();
    let own = state.chunks(chunk).map(|cells| cells.0[at].load(Relaxed));
    let shared = shared_chunk(chunk).map_or(0, |cells| cells[at].load(Relaxed));
    own.fold(shared, u64::saturating_add)
}

/// Puts the sum of its cell over all threads in the place of each [`LeasedCell`].
///
/// Neighbours mostly are in one chunk: which threads have that is found once for all of them, and threads
/// can come and go before the next one.
pub(crate) fn sum_each(words: &mut [u64]) {
    let place_of = |word: u64| place(LeasedCell::from_bits(word).id());
    let mut rest = words;
    while let Some(&first) = rest.first() {
        let (chunk, _) = place_of(first);
        let mut places = [0_u16; CHUNK];
        let mut len = 0;
        for (to, word) in places.iter_mut().zip(&mut *rest) {
            let (its_chunk, at) = place_of(*word);
            if its_chunk != chunk {
                break;
            }
            (*to, *word) = (at as u16, 0);
            len += 1;
        }
        let (sums, after) = rest.split_at_mut(len);
        let mut add = |cells: &[AtomicU64; CHUNK]| {
            for (sum, &at) in sums.iter_mut().zip(&places) {
                *sum = sum.saturating_add(cells[usize::from(at) % CHUNK].load(Relaxed));
            }
        };
        let state = CELLS.state.lock();
        shared_chunk(chunk).and_then(|cells| cells.first_chunk()).into_iter().for_each(&mut add);
        state.chunks(chunk).for_each(|cells| add(&cells.0));
        rest = after;
    }
}

/// Zeroes the range and offers it to the next instrument.
///
/// The last handle is gone, and dropping it ordered every thread's writes before this: nobody
/// writes these cells any more.
impl Drop for Lease {
    fn drop(&mut self) {
        let (chunk, at) = place(self.first);
        let range = at..at + self.len();
        let mut state = CELLS.state.lock();
        let own = state.chunks(chunk).map(|cells| &cells.0[range.clone()]);
        let shared = shared_chunk(chunk).map(|cells| &cells[range.clone()]);
        own.chain(shared).flatten().for_each(|cell| cell.store(0, Relaxed));
        state.free.entry(self.len).or_default().push(self.first);
    }
}

impl Near {
    /// No cell of any thread.
    pub(crate) const NOWHERE: Self = Self::at(NEAR_CHUNKS - 1, 0);

    const FIRST_SPARE: u32 = CHUNK.ilog2();
    const SPARE: u64 = u64::MAX >> CHUNK_BITS >> Self::FIRST_SPARE << Self::FIRST_SPARE;

    /// The cell with this id, if it is near.
    pub(crate) fn of(cell: u32) -> Self {
        let (chunk, at) = place(cell);
        if chunk < NEAR_CHUNKS - 1 { Self::at(chunk, at) } else { Self::NOWHERE }
    }

    const fn at(chunk: usize, at: usize) -> Self {
        Self((chunk as u64) << (u64::BITS - CHUNK_BITS) | at as u64)
    }

    /// The cell and something else of up to 48 bits in one word.
    #[inline(always)]
    pub(crate) fn with_spare(self, spare: u64) -> u64 {
        self.0 & !Self::SPARE | spare << Self::FIRST_SPARE
    }

    /// What a word holds beside a cell, in the lowest 48 bits.
    #[inline(always)]
    pub(crate) fn spare(word: u64) -> u64 {
        word >> Self::FIRST_SPARE
    }

    /// The cell in such a word.
    #[inline(always)]
    pub(crate) fn from_bits(word: u64) -> Self {
        Self(word)
    }

    /// Whether this thread has the cell.
    #[inline(always)]
    pub(crate) fn is_here(self) -> bool {
        self.chunk().is_some()
    }

    /// Adds one to this thread's cell; returns whether it was found.
    #[inline(always)]
    pub(crate) fn inc(self) -> bool {
        let Some(cell) = self.cell() else { return false };
        // Relaxed, load and store: this thread is the only writer.
        cell.store(cell.load(Relaxed).wrapping_add(1), Relaxed);
        true
    }

    /// Adds to this thread's cell; returns whether it was found and had room.
    #[inline(always)]
    pub(crate) fn add(self, by: u64) -> bool {
        self.cell().is_some_and(|cell| add_to(cell, by))
    }

    /// This thread's `N` cells from here on, of a lease of as many or twice, four times, ... that.
    #[inline(always)]
    pub(crate) fn cells<const N: usize>(self) -> Option<&'static [AtomicU64; N]> {
        let (chunks_of_n, _) = self.chunk()?.0.as_chunks();
        chunks_of_n.get(self.0 as usize % CHUNK / N)
    }

    #[inline(always)]
    fn cell(self) -> Option<&'static AtomicU64> {
        Some(&self.chunk()?.0[self.0 as usize % CHUNK])
    }

    #[inline(always)]
    fn chunk(self) -> Option<&'static Chunk> {
        NEAR.with(|chunks| chunks[(self.0 >> (u64::BITS - CHUNK_BITS)) as usize].get())
    }
}

/// Adds to this thread's cell, or to the shared one.
#[inline(never)]
pub(crate) fn add(cell: u32, by: u64) {
    let (chunk, at) = place(cell);
    if !own_chunk(chunk).is_some_and(|cells| add_to(&cells.0[at], by))
        && let Some(cells) = shared_chunk(chunk)
    {
        add_shared(&cells[at], by);
    }
}

/// Adds to a count that others may add to; it stays at the end instead of wrapping.
#[inline(always)]
pub(crate) fn add_shared(count: &AtomicU64, by: u64) {
    // Relaxed: the count is one word, and nothing else is published with it.
    let before = count.fetch_add(by, Relaxed);
    if before.checked_add(by).is_none() {
        saturate(count);
    }
}

#[cold]
fn saturate(count: &AtomicU64) {
    count.store(u64::MAX, Relaxed);
}

/// Adds to a cell of which this thread is the only writer, if it has room.
#[inline(always)]
fn add_to(cell: &AtomicU64, by: u64) -> bool {
    let sum = cell.load(Relaxed).saturating_add(by);
    let has_room = sum < MOST_OF_LARGE_STEPS;
    if has_room {
        cell.store(sum, Relaxed);
    }
    has_room
}

/// This thread's place, below [`PLACES`], which no other thread has at the same time; or `PLACES`,
/// when all are taken or this thread is ending.
#[inline(always)]
pub(crate) fn thread_place() -> usize {
    match PLACE.get() {
        Some(place) => place,
        None => take_place(),
    }
}

#[cold]
#[inline(never)]
fn take_place() -> usize {
    let place = THREAD.try_with(|thread| thread.place).ok().flatten().unwrap_or(PLACES);
    PLACE.set(Some(place));
    place
}

/// This thread's chunk `index`; `None` when it has no cells of its own, be it that there are many
/// threads or that this one is ending.
#[inline(always)]
fn own_chunk(index: usize) -> Option<&'static Chunk> {
    match NEAR.with(|chunks| chunks.get(index)?.get()) {
        Some(chunk) => Some(chunk),
        None => far_or_new_chunk(index),
    }
}

#[cold]
#[inline(never)]
fn far_or_new_chunk(index: usize) -> Option<&'static Chunk> {
    THREAD.try_with(|thread| thread.chunk(index)).ok().flatten()
}

#[cold]
#[inline(never)]
fn with_shared(first: u32, write: impl FnOnce(&[AtomicU64])) {
    let (chunk, at) = place(first);
    let _only_writer = CELLS.state.lock();
    if let Some(cells) = shared_chunk(chunk) {
        write(&cells[at..]);
    }
}

fn shared_chunk(chunk: usize) -> Option<&'static [AtomicU64]> {
    CELLS.shared.chunk(chunk).map(|cells| &**cells)
}

fn place(cell: u32) -> (usize, usize) {
    (cell as usize / CHUNK, cell as usize % CHUNK)
}

/// A thread's part in the cells.
struct Thread {
    /// Its place in `State::places`, unless all are taken.
    place: Option<usize>,
    /// Its chunks that are not near.
    far: RefCell<Vec<Option<&'static Chunk>>>,
}

impl Thread {
    fn enter() -> Self {
        let mut state = CELLS.state.lock();
        let place = state.idle.pop().or_else(|| {
            (state.places.len() < OWN_CELLS).then(|| {
                state.places.push(Place { chunks: Vec::new(), taken: true });
                state.places.len() - 1
            })
        });
        if let Some(place) = place {
            state.places[place].taken = true;
        }
        Self { place, far: RefCell::default() }
    }

    fn chunk(&self, index: usize) -> Option<&'static Chunk> {
        let new = || Some(CELLS.state.lock().places[self.place?].chunk(index));
        NEAR.with(|near| match near[..NEAR_CHUNKS - 1].get(index) {
            Some(chunk) => {
                chunk.set(new());
                chunk.get()
            }
            None => {
                let mut far = self.far.borrow_mut();
                let index = index - (NEAR_CHUNKS - 1);
                if far.len() <= index {
                    far.resize(index + 1, None);
                }
                far[index] = far[index].or_else(new);
                far[index]
            }
        })
    }
}

/// Folds what this thread counted into the shared cells.
impl Drop for Thread {
    fn drop(&mut self) {
        NEAR.with(|near| near.iter().for_each(|chunk| chunk.set(None)));
        PLACE.set(Some(PLACES));
        let Some(place) = self.place else { return };
        let mut state = CELLS.state.lock();
        for (index, chunk) in state.places[place].chunks.iter().enumerate() {
            let Some(chunk) = chunk else { continue };
            for (at, cell) in chunk.0.iter().enumerate() {
                // Load and store: this thread is the only writer.
                let counted = cell.load(Relaxed);
                if counted == 0 {
                    continue;
                }
                cell.store(0, Relaxed);
                let Some(shared) = shared_chunk(index).and_then(|cells| cells.get(at)) else {
                    continue;
                };
                match state.kind((index * CHUNK + at) as u32) {
                    // Threads without cells of their own may be adding to it.
                    Kind::Unsigned => add_shared(shared, counted),
                    Kind::Float => {
                        let sum = f64::from_bits(shared.load(Relaxed)) + f64::from_bits(counted);
                        shared.store(sum.to_bits(), Relaxed);
                    }
                }
            }
        }
        state.places[place].taken = false;
        state.idle.push(place);
    }
}

impl Place {
    /// The chunk `index`, made if there is none.
    fn chunk(&mut self, index: usize) -> &'static Chunk {
        if self.chunks.len() <= index {
            self.chunks.resize(index + 1, None);
        }
        self.chunks[index]
            .get_or_insert_with(|| Box::leak(Box::new(Chunk([const { AtomicU64::new(0) }; CHUNK]))))
    }
}

impl State {
    /// The chunk `index` of every thread that has it.
    fn chunks(&self, index: usize) -> impl Iterator<Item = &'static Chunk> {
        let taken = self.places.iter().filter(|place| place.taken);
        taken.filter_map(move |place| *place.chunks.get(index)?)
    }

    fn range(&mut self, len: u32) -> u32 {
        if let Some(first) = self.free.get_mut(&len).and_then(Vec::pop) {
            return first;
        }
        // Where the length is a power of two, the cells are a chunk's first so many, or second, ...
        let chunk = CHUNK as u32;
        let mut first =
            if len.is_power_of_two() { self.next.next_multiple_of(len) } else { self.next };
        if first % chunk + len > chunk {
            first = first.next_multiple_of(chunk);
        }
        // What lies between serves those who want one cell.
        self.free.entry(1).or_default().extend(self.next..first);
        self.next = first + len;
        first
    }

    fn kind(&self, cell: u32) -> Kind {
        let word = self.floats.get(cell as usize / 64).copied().unwrap_or(0);
        if word >> (cell % 64) & 1 == 1 { Kind::Float } else { Kind::Unsigned }
    }

    fn set_kind(&mut self, cell: u32, kind: Kind) {
        let word = cell as usize / 64;
        if self.floats.len() <= word {
            self.floats.resize(word + 1, 0);
        }
        let bit = 1 << (cell % 64);
        match kind {
            Kind::Float => self.floats[word] |= bit,
            Kind::Unsigned => self.floats[word] &= !bit,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

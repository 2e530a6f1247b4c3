//! Cells that each thread counts in for itself.
//!
//! An instrument without labels gets a range of cell ids. Each thread has its own cell for an id,
//! which only it writes, with a plain load and store: no locked instruction, nothing shared, 2 ns
//! on any number of threads where a shared atomic takes 8 ns on one and 40 on two. A gather adds
//! the threads' cells up. When a thread ends, what it counted is folded into the shared cells, and
//! its place with all its memory goes to the next thread.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::{Mutex, MutexGuard};

use super::directory::Directory;

/// A range of cells that belongs to one instrument, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    first: u32,
    len: u32,
}

/// How the cells of a lease add up over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Float,
}

/// Cells a chunk holds. A lease never straddles two.
const CHUNK: usize = 512;

/// Threads that have cells of their own; later ones count in the shared cells, under a lock.
///
/// Every such thread costs 4 KiB for each 512 cells in use.
const OWN_CELLS: usize = 64;

/// The number of places that threads can have; see [`thread_place`].
pub(crate) const PLACES: usize = OWN_CELLS;

type Chunk = [AtomicU64; CHUNK];

/// A thread's chunks by index. It never changes: a thread that needs more gets another list.
type Chunks = [Option<&'static Chunk>];

thread_local! {
    /// This thread's chunks. No destructor, so that the hot path is one load.
    static CHUNKS: Cell<&'static Chunks> = const { Cell::new(&[]) };
    /// What [`thread_place`] gives, once it is known.
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
    /// Folds this thread's cells when it ends; touched on the cold path only.
    static THREAD: Thread = Thread::enter();
}

static CELLS: Cells = Cells {
    shared: Directory::new(),
    state: Mutex::new(State {
        places: Vec::new(),
        idle: Vec::new(),
        next: 0,
        free: Vec::new(),
        floats: Vec::new(),
    }),
};

/// All cells of the process.
struct Cells {
    /// What threads without cells of their own and threads that have ended have counted.
    shared: Directory<AtomicU64>,
    state: Mutex<State>,
}

struct State {
    places: Vec<Place>,
    /// Which of them no thread has.
    idle: Vec<usize>,
    next: u32,
    /// First cells and lengths of dropped leases.
    free: Vec<(u32, u32)>,
    /// One bit a cell: it holds a float.
    floats: Vec<u64>,
}

/// What a thread has while it lives, and leaves to the next one.
///
/// It is never freed, so that the hot path needs no guard; there are [`OWN_CELLS`] at most.
struct Place {
    chunks: &'static Chunks,
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

    /// The sum of an unsigned cell over all threads, up to `u64::MAX`.
    pub(crate) fn sum(&self, offset: u32) -> u64 {
        Sums::begin().of(self.first + offset)
    }

    /// Reads the whole lease of every thread, one after the other; `read` is called under a lock
    /// of the registry of threads, with cells that only their thread writes, or nobody.
    pub(crate) fn for_each_thread(&self, mut read: impl FnMut(&[AtomicU64])) {
        let (chunk, at) = place(self.first);
        let range = at..at + self.len as usize;
        let state = CELLS.state.lock();
        if let Some(shared) = shared_chunk(chunk) {
            read(&shared[range.clone()]);
        }
        for cells in state.chunks(chunk) {
            read(&cells[range.clone()]);
        }
    }
}

/// Sums of cells over all threads, while no thread can come or go.
pub(crate) struct Sums(MutexGuard<'static, State>);

impl Sums {
    pub(crate) fn begin() -> Self {
        Self(CELLS.state.lock())
    }

    /// The sum of an unsigned cell, up to `u64::MAX`.
    pub(crate) fn of(&self, cell: u32) -> u64 {
        let (chunk, at) = place(cell);
        let own = self.0.chunks(chunk).map(|cells| cells[at].load(Relaxed));
        let shared = shared_chunk(chunk).map_or(0, |cells| cells[at].load(Relaxed));
        own.fold(shared, u64::saturating_add)
    }
}

/// Zeroes the range and offers it to the next instrument.
///
/// The last handle is gone, and dropping it ordered every thread's writes before this: nobody
/// writes these cells any more.
impl Drop for Lease {
    fn drop(&mut self) {
        let (chunk, at) = place(self.first);
        let range = at..at + self.len as usize;
        let mut state = CELLS.state.lock();
        let own = state.chunks(chunk).map(|cells| &cells[range.clone()]);
        let shared = shared_chunk(chunk).map(|cells| &cells[range.clone()]);
        own.chain(shared).flatten().for_each(|cell| cell.store(0, Relaxed));
        state.free.push((self.first, self.len));
    }
}

/// Adds to this thread's cell.
#[inline(always)]
pub(crate) fn add(cell: u32, by: u64) {
    match own_chunk(cell) {
        Some(cells) => {
            let cell = &cells[cell as usize % CHUNK];
            // Relaxed, load and store: this thread is the only writer.
            cell.store(cell.load(Relaxed).saturating_add(by), Relaxed);
        }
        None => add_shared(cell, by),
    }
}

/// Gives this thread's cells from `first` on to `write`, or the shared ones under their lock.
#[inline(always)]
pub(crate) fn with_cells<const N: usize>(first: u32, write: impl FnOnce(&[AtomicU64; N])) {
    let at = first as usize % CHUNK;
    match own_chunk(first) {
        Some(cells) => {
            if let Some(cells) = cells.get(at..).and_then(|cells| cells.first_chunk()) {
                write(cells);
            }
        }
        None => with_shared(first, |cells| {
            if let Some(cells) = cells.first_chunk() {
                write(cells);
            }
        }),
    }
}

/// Like [`with_cells`], for leases of any length: gives all cells of the chunk from `first` on.
#[inline]
pub(crate) fn with_cells_slice(first: u32, write: impl FnOnce(&[AtomicU64])) {
    match own_chunk(first) {
        Some(cells) => write(&cells[first as usize % CHUNK..]),
        None => with_shared(first, write),
    }
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

#[inline(always)]
fn own_chunk(cell: u32) -> Option<&'static Chunk> {
    let index = cell as usize / CHUNK;
    match CHUNKS.get().get(index) {
        Some(Some(chunk)) => Some(chunk),
        _ => take_chunk(index),
    }
}

/// Gives this thread the chunk `index`; `None` when it has no cells of its own, be it that there
/// are many threads or that this one is ending.
#[cold]
#[inline(never)]
fn take_chunk(index: usize) -> Option<&'static Chunk> {
    THREAD.try_with(|thread| thread.chunk(index)).ok().flatten()
}

#[cold]
#[inline(never)]
fn add_shared(cell: u32, by: u64) {
    with_shared(cell, |cells| {
        if let Some(cell) = cells.first() {
            cell.store(cell.load(Relaxed).saturating_add(by), Relaxed);
        }
    });
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
    CELLS.shared.view().chunk(chunk).map(|cells| &**cells)
}

fn place(cell: u32) -> (usize, usize) {
    (cell as usize / CHUNK, cell as usize % CHUNK)
}

/// A thread's part in the cells.
struct Thread {
    /// Its place in `State::places`, unless all are taken.
    place: Option<usize>,
}

impl Thread {
    fn enter() -> Self {
        let mut state = CELLS.state.lock();
        let place = state.idle.pop().or_else(|| {
            (state.places.len() < OWN_CELLS).then(|| {
                state.places.push(Place { chunks: &[], taken: true });
                state.places.len() - 1
            })
        });
        if let Some(place) = place {
            state.places[place].taken = true;
        }
        Self { place }
    }

    fn chunk(&self, index: usize) -> Option<&'static Chunk> {
        let place = self.place?;
        let chunks = CELLS.state.lock().places[place].with_chunk(index);
        CHUNKS.set(chunks);
        *chunks.get(index)?
    }
}

/// Folds what this thread counted into the shared cells.
impl Drop for Thread {
    fn drop(&mut self) {
        CHUNKS.set(&[]);
        PLACE.set(Some(PLACES));
        let Some(place) = self.place else { return };
        let mut state = CELLS.state.lock();
        for (index, chunk) in state.places[place].chunks.iter().enumerate() {
            let Some(chunk) = chunk else { continue };
            for (at, cell) in chunk.iter().enumerate() {
                let counted = cell.swap(0, Relaxed);
                let shared = shared_chunk(index).and_then(|cells| cells.get(at));
                let Some(shared) = shared.filter(|_| counted != 0) else { continue };
                let total = match state.kind((index * CHUNK + at) as u32) {
                    Kind::Unsigned => shared.load(Relaxed).saturating_add(counted),
                    Kind::Float => {
                        let sum = f64::from_bits(shared.load(Relaxed)) + f64::from_bits(counted);
                        sum.to_bits()
                    }
                };
                shared.store(total, Relaxed);
            }
        }
        state.places[place].taken = false;
        state.idle.push(place);
    }
}

impl Place {
    /// The list of chunks, with one at `index`.
    fn with_chunk(&mut self, index: usize) -> &'static Chunks {
        /// From here on, chunks are made ahead of need, an eighth of those there are: the lists that
        /// are left behind then take a fraction of what the chunks do.
        const MANY: usize = 64;
        if self.chunks.get(index).is_some_and(Option::is_some) {
            return self.chunks;
        }
        let ahead = if index < MANY { 0 } else { index / 8 };
        let mut chunks = self.chunks.to_vec();
        chunks.resize(chunks.len().max(index + ahead + 1), None);
        for chunk in &mut chunks[index..=index + ahead] {
            chunk.get_or_insert_with(|| Box::leak(Box::new([const { AtomicU64::new(0) }; CHUNK])));
        }
        self.chunks = Vec::leak(chunks);
        self.chunks
    }
}

impl State {
    /// The chunk `index` of every thread that has it.
    fn chunks(&self, index: usize) -> impl Iterator<Item = &'static Chunk> {
        let taken = self.places.iter().filter(|place| place.taken);
        taken.filter_map(move |place| *place.chunks.get(index)?)
    }

    fn range(&mut self, len: u32) -> u32 {
        if let Some(at) = self.free.iter().position(|&(_, freed)| freed == len) {
            return self.free.swap_remove(at).0;
        }
        let in_chunk = self.next % CHUNK as u32;
        if in_chunk + len > CHUNK as u32 {
            self.next += CHUNK as u32 - in_chunk;
        }
        let first = self.next;
        self.next += len;
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

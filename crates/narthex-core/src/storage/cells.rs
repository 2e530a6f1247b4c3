//! Cells that each thread counts in for itself.
//!
//! An instrument without labels gets a range of cell ids. Each thread has its own cell for an id,
//! which only it writes, with a plain load and store: no locked instruction, nothing shared, 2 ns
//! on any number of threads where a shared atomic takes 8 ns on one and 40 on two. A gather adds
//! the threads' cells up. When a thread ends, what it counted is folded into the shared cells and
//! its memory goes to the next thread.

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

type Chunk = [AtomicU64; CHUNK];

thread_local! {
    /// This thread's chunks by index. No destructor, so that the hot path is one load.
    static CHUNKS: Cell<&'static [Slot]> = const { Cell::new(&[]) };
    /// Folds this thread's cells when it ends; touched on the cold path only.
    static THREAD: Thread = Thread::enter();
}

type Slot = Cell<Option<&'static Chunk>>;

static CELLS: Cells = Cells {
    shared: Directory::new(),
    state: Mutex::new(State {
        threads: Vec::new(),
        idle: Vec::new(),
        spare: Vec::new(),
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
    /// The chunks of each thread that has cells, by their index.
    threads: Vec<Vec<Option<&'static Chunk>>>,
    /// Places in `threads` whose thread has ended.
    idle: Vec<usize>,
    /// Zeroed chunks to use again. They are never freed, so that the hot path needs no guard:
    /// their number is bounded by the most threads that lived at once.
    spare: Vec<&'static Chunk>,
    next: u32,
    /// First cells and lengths of dropped leases.
    free: Vec<(u32, u32)>,
    /// One bit a cell: it holds a float.
    floats: Vec<u64>,
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

#[inline(always)]
fn own_chunk(cell: u32) -> Option<&'static Chunk> {
    let index = cell as usize / CHUNK;
    match CHUNKS.get().get(index).and_then(Cell::get) {
        Some(chunk) => Some(chunk),
        None => take_chunk(index),
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
    /// Its place in `State::threads`, unless all are taken.
    place: Option<usize>,
}

impl Thread {
    fn enter() -> Self {
        let mut state = CELLS.state.lock();
        let place = state.idle.pop().or_else(|| {
            (state.threads.len() < OWN_CELLS).then(|| {
                state.threads.push(Vec::new());
                state.threads.len() - 1
            })
        });
        Self { place }
    }

    fn chunk(&self, index: usize) -> Option<&'static Chunk> {
        let place = self.place?;
        let chunks = CHUNKS.get();
        if index >= chunks.len() {
            // Doubled, and the old list leaked: all of them together are as long as the newest.
            let len = (index + 1).next_power_of_two().max(16);
            let known = |k: usize| Cell::new(chunks.get(k).and_then(Cell::get));
            CHUNKS.set(Vec::leak((0..len).map(known).collect()));
        }
        let slot = CHUNKS.get().get(index)?;
        if slot.get().is_none() {
            slot.set(Some(CELLS.state.lock().give_chunk(place, index)));
        }
        slot.get()
    }
}

/// Folds what this thread counted into the shared cells.
impl Drop for Thread {
    fn drop(&mut self) {
        CHUNKS.set(&[]);
        let Some(place) = self.place else { return };
        let mut state = CELLS.state.lock();
        let chunks = std::mem::take(&mut state.threads[place]);
        for (index, chunk) in chunks.iter().enumerate() {
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
        state.spare.extend(chunks.into_iter().flatten());
        state.idle.push(place);
    }
}

impl State {
    /// The chunk `index` of every thread that has it.
    fn chunks(&self, index: usize) -> impl Iterator<Item = &'static Chunk> {
        self.threads.iter().filter_map(move |chunks| *chunks.get(index)?)
    }

    fn give_chunk(&mut self, place: usize, index: usize) -> &'static Chunk {
        let chunk = self
            .spare
            .pop()
            .unwrap_or_else(|| Box::leak(Box::new([const { AtomicU64::new(0) }; CHUNK])));
        let chunks = &mut self.threads[place];
        if chunks.len() <= index {
            chunks.resize(index + 1, None);
        }
        chunks[index] = Some(chunk);
        chunk
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

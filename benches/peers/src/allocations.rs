//! A global allocator that counts while it is asked to, and otherwise only forwards.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

/// The system's allocator. It does not count during a timed round: then a peer that allocates on
/// its hot path pays for a load that is never written, and for nothing else.
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// What a piece of work did with the heap.
pub struct Heap {
    /// Calls that gave memory.
    pub allocations: u64,
    /// Bytes that were still in use at the end.
    pub live: i64,
    /// The most bytes that were in use at a time, beyond those at the start.
    pub peak: i64,
}

/// Does `work` and counts; for one piece of work at a time.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    CALLS.store(0, SeqCst);
    LIVE.store(0, SeqCst);
    PEAK.store(0, SeqCst);
    COUNTS.store(true, SeqCst);
    let done = work();
    COUNTS.store(false, SeqCst);
    let [live, peak] = [&LIVE, &PEAK].map(|bytes| bytes.load(SeqCst));
    (done, Heap { allocations: CALLS.load(SeqCst), live, peak })
}

fn note(calls: u64, bytes: i64) {
    if COUNTS.load(Relaxed) {
        CALLS.fetch_add(calls, Relaxed);
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(live, Relaxed);
    }
}

// SAFETY: every method hands its arguments to `System` unchanged and gives back what that gives.
#[expect(unsafe_code, reason = "there is no other way to see every allocation of the process")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: the caller keeps the promises of `GlobalAlloc`, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(1, new_size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

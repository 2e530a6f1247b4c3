//! Whether the machine is quiet enough to measure.
//!
//! A virtual core is often one of two threads of a core, and the other one may be a stranger's: while
//! that is at work, whatever is bound by instructions takes up to twice as long, and what waits takes
//! no longer. So a busy neighbour changes not only times but also who is ahead, from one second to
//! the next. Nobody says when it is there, but a loop of stores tells: it takes as long as it ever took,
//! or half as long again and more.

use std::hint::black_box;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How much longer than the fastest loop one took just now, in tenths of its time.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slowdown(u64);

/// Nanoseconds of the fastest loop so far.
static FASTEST: AtomicU64 = AtomicU64::new(u64::MAX);

/// Stores in a loop. They need nothing from the caches, so that they change nothing there.
const STORES: u64 = 1 << 13;

impl Slowdown {
    /// Runs the loop once, for some microseconds.
    pub fn now() -> Self {
        let sink = AtomicU64::new(0);
        let start = Instant::now();
        for value in 0..STORES {
            black_box(&sink).store(value, Relaxed);
        }
        let took = start.elapsed().as_nanos() as u64;
        let fastest = FASTEST.fetch_min(took, Relaxed).clamp(1, took);
        Self((took - fastest) * 10 / fastest)
    }

    /// Looks for some time how fast the loop can be, so that the first rounds are not taken for quiet
    /// ones because there was nothing to compare them with.
    pub fn calibrate(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            Self::now();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

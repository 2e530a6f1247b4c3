//! Rounds in turn, and what is made of them.

use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::participant::Work;

/// How often everything is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    Quick,
    Full,
}

impl Effort {
    pub fn rounds(self) -> usize {
        match self {
            Self::Quick => 3,
            Self::Full => 9,
        }
    }

    /// Rounds of what takes seconds each.
    pub fn long_rounds(self) -> usize {
        match self {
            Self::Quick => 1,
            Self::Full => 3,
        }
    }
}

/// What one participant reached over all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub median: f64,
    pub least: f64,
}

impl Sample {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], least: values[0] }
    }
}

/// A value that is the same in every round.
impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { median: value, least: value }
    }
}

/// Measures each contender once a round; none of one that cannot do it. Every round begins with another one, so that nobody is
/// always the one behind whoever leaves the caches worst.
pub fn in_turn<C>(
    rounds: usize,
    contenders: &mut [C],
    mut measure: impl FnMut(&mut C, usize) -> Option<f64>,
) -> Vec<Option<Sample>> {
    let mut values = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let who = (turn + round) % contenders.len();
            values[who].extend(measure(&mut contenders[who], round));
        }
    }
    values.into_iter().map(|values| (!values.is_empty()).then(|| Sample::of(values))).collect()
}

/// Nanoseconds that an operation of `work` takes on this thread.
pub fn alone(work: &Work, operations: Range<usize>) -> f64 {
    let count = operations.len();
    let elapsed = undisturbed(|| {
        let before = preemptions();
        let start = own_time();
        work.run()(operations.clone());
        (own_time() - start, preemptions() - before)
    });
    work.settle();
    nanoseconds_each(elapsed, count)
}

/// Nanoseconds that an operation takes on the slower of two threads that both do all of them.
pub fn on_two_threads(work: &Work, operations: Range<usize>) -> f64 {
    let count = operations.len();
    let run = work.run();
    let both = || {
        let waiting = AtomicUsize::new(2);
        let started = Barrier::new(2);
        let thread = |offset: usize| {
            // What a thread does once, such as making its thread-locals, is no part of an operation.
            run(offset..offset + 64);
            started.wait();
            let before = preemptions();
            // The barrier wakes one thread after the other. Spinning lets both start at once: when
            // neither is preempted from here on, each has a core.
            waiting.fetch_sub(1, AcqRel);
            while waiting.load(Acquire) > 0 {
                std::hint::spin_loop();
            }
            let start = Instant::now();
            run(operations.start + offset..operations.end + offset);
            (start.elapsed(), preemptions() - before)
        };
        std::thread::scope(|scope| {
            // Far apart in the input, so that the threads do not go from series to series in step.
            let threads = [scope.spawn(|| thread(0)), scope.spawn(|| thread(4001))];
            let [one, other] = threads.map(|t| t.join().expect("a participant does not panic"));
            (one.0.max(other.0), one.1 + other.1)
        })
    };
    let elapsed = undisturbed(both);
    work.settle();
    nanoseconds_each(elapsed, count)
}

/// Repeats what was preempted: it says something about the other programs on this machine, and of
/// two threads that should get in each other's way, that they did not even run side by side.
fn undisturbed(mut attempt: impl FnMut() -> (Duration, u64)) -> Duration {
    const PATIENCE: Duration = Duration::from_millis(500);
    let first = Instant::now();
    loop {
        let (elapsed, preemptions) = attempt();
        if preemptions == 0 {
            return elapsed;
        }
        if first.elapsed() > PATIENCE {
            DISTURBED.fetch_add(1, Relaxed);
            return elapsed;
        }
    }
}

static DISTURBED: AtomicUsize = AtomicUsize::new(0);

/// Rounds that were preempted however often they were tried.
pub fn disturbed() -> usize {
    DISTURBED.load(Relaxed)
}

/// How often this thread had to give up its core to another one.
fn preemptions() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

pub fn nanoseconds_each(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_nanos() as f64 / count as f64
}

/// The time this thread has been running. Unlike the clock on the wall it stands still while another
/// program has the core, which on a busy machine is most of what that clock shows of longer work.
pub fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

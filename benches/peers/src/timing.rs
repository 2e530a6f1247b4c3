//! Rounds in turn, and what is made of them.

use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};

use crate::participant::Work;
use crate::quiet::Slowdown;

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

    /// How long a row goes on for rounds that nothing disturbs.
    pub fn patience(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(10),
            Self::Full => Duration::from_secs(40),
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

/// What one participant reached in one round.
#[derive(Clone, Copy)]
pub struct Round {
    value: f64,
    disturbance: Disturbance,
}

/// How far other programs had a part in something, as far as one can tell.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Disturbance {
    /// How often it had to give up its core.
    preemptions: i64,
    slowdown: Slowdown,
}

impl Disturbance {
    /// That of both of two threads.
    fn with(self, other: Self) -> Self {
        Self {
            preemptions: self.preemptions + other.preemptions,
            slowdown: self.slowdown.max(other.slowdown),
        }
    }
}

impl Round {
    fn is_quiet(&self) -> bool {
        self.disturbance == Disturbance::default()
    }

    /// What `of` makes of the values of two.
    pub fn with(self, other: Self, of: impl FnOnce(f64, f64) -> f64) -> Self {
        Self {
            value: of(self.value, other.value),
            disturbance: self.disturbance.with(other.disturbance),
        }
    }
}

/// A value of which nobody can tell.
impl From<f64> for Round {
    fn from(value: f64) -> Self {
        Self { value, disturbance: Disturbance::default() }
    }
}

/// Measures each contender once a round; none of one that cannot do it. Every round begins with another
/// one, so that nobody is always the one behind whoever leaves the caches worst.
///
/// Rounds that were disturbed are made again, until `patience` is over, and those count that were
/// disturbed least: the others say something about other programs, and of two threads that should get in
/// each other's way, that they did not even run side by side. Whether a round counts never depends on
/// how long it took.
pub fn in_turn<C>(
    rounds: usize,
    patience: Duration,
    contenders: &mut [C],
    mut measure: impl FnMut(&mut C, usize) -> Option<Round>,
) -> Vec<Option<Sample>> {
    let started = Instant::now();
    let mut measured: Vec<Vec<Round>> = vec![Vec::new(); contenders.len()];
    let quiet = |measured: &[Round]| measured.iter().filter(|round| round.is_quiet()).count();
    for round in 0.. {
        if round >= rounds && started.elapsed() > patience {
            break;
        }
        let mut more = false;
        for turn in 0..contenders.len() {
            let who = (turn + round) % contenders.len();
            if quiet(&measured[who]) < rounds
                && let Some(value) = measure(&mut contenders[who], round)
            {
                measured[who].push(value);
                more = true;
            }
        }
        if !more {
            break;
        }
    }
    let sample = |mut measured: Vec<Round>| {
        measured.sort_by_key(|round| round.disturbance);
        measured.truncate(rounds);
        if quiet(&measured) < measured.len() {
            DISTURBED.fetch_add(1, Relaxed);
        }
        Sample::of(measured.into_iter().map(|round| round.value).collect())
    };
    measured.into_iter().map(|rounds| (!rounds.is_empty()).then(|| sample(rounds))).collect()
}

static DISTURBED: AtomicUsize = AtomicUsize::new(0);

/// Cells of the table for which there were too few quiet rounds.
pub fn disturbed() -> usize {
    DISTURBED.load(Relaxed)
}

/// Nanoseconds that an operation of `work` takes on this thread.
pub fn alone(work: &Work, operations: Range<usize>) -> Round {
    let (warm_up, operations) = halves(operations);
    let count = operations.len();
    work.run()(warm_up);
    work.settle();
    let timed = Timed::of(|| own_time_of(|| work.run()(operations)));
    work.settle();
    timed.each_of(count)
}

/// Nanoseconds that an operation takes on the slower of two threads that both do all of them.
pub fn on_two_threads(work: &Work, operations: Range<usize>) -> Round {
    let run = work.run();
    let started = Barrier::new(2);
    let waiting = AtomicUsize::new(2);
    let count = operations.len();
    let thread = |offset: usize| {
        let (warm_up, operations) = halves(operations.start + offset..operations.end + offset);
        run(warm_up);
        started.wait();
        Timed::of(|| {
            // The barrier wakes one thread after the other. Spinning lets both start at once: when
            // neither is preempted from here on, each has a core.
            waiting.fetch_sub(1, AcqRel);
            while waiting.load(Acquire) > 0 {
                std::hint::spin_loop();
            }
            let start = Instant::now();
            run(operations);
            start..Instant::now()
        })
    };
    let timed = std::thread::scope(|scope| {
        // Far apart in the input, so that the threads do not go from series to series in step.
        let threads = [scope.spawn(|| thread(0)), scope.spawn(|| thread(4001))];
        let [one, other] = threads.map(|t| t.join().expect("a participant does not panic"));
        one.beside(other)
    });
    work.settle();
    timed.each_of(count / 2)
}

/// Two halves, of which the second is timed. The first, off the clock, brings back into the caches what a
/// participant had there until another one's turn. The next round goes on from there, or it would find
/// in the caches what it is about to replay.
fn halves(operations: Range<usize>) -> (Range<usize>, Range<usize>) {
    let middle = operations.start + operations.len() / 2;
    (operations.start..middle, middle..operations.end)
}

/// What was measured, and what disturbed it.
pub struct Timed<T> {
    it: T,
    disturbance: Disturbance,
}

impl<T> Timed<T> {
    /// Looks at the core before and after `measure`.
    pub fn of(measure: impl FnOnce() -> T) -> Self {
        let (preempted, before) = (preemptions(), Slowdown::now());
        let it = measure();
        let slowdown = before.max(Slowdown::now());
        let preemptions = preemptions() - preempted;
        Self { it, disturbance: Disturbance { preemptions, slowdown } }
    }
}

impl Timed<Duration> {
    /// Nanoseconds that each of so many operations took.
    pub fn each_of(self, count: usize) -> Round {
        Round { value: nanoseconds_each(self.it, count), disturbance: self.disturbance }
    }
}

impl Timed<Range<Instant>> {
    /// How long the slower of two threads took.
    fn beside(self, other: Self) -> Timed<Duration> {
        /// How far apart two threads begin at most that were released at once.
        const TOGETHER: Duration = Duration::from_micros(5);
        let mut disturbance = self.disturbance.with(other.disturbance);
        let [one, other] = [self.it, other.it];
        let [took, other_took] = [&one, &other].map(|run| run.end - run.start);
        let apart = one.start.max(other.start) - one.start.min(other.start);
        // The host may have run both cores on one of its own, one after the other.
        if apart > TOGETHER {
            disturbance.preemptions += 1;
        }
        Timed { it: took.max(other_took), disturbance }
    }
}

/// How often this thread had to give up its core to another one.
fn preemptions() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.involuntary_context_switches())
}

pub fn nanoseconds_each(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_nanos() as f64 / count as f64
}

/// How long this thread takes. Unlike the clock on the wall its own stands still while another program
/// has the core, which on a busy machine is most of what that clock shows of longer work.
pub fn own_time_of(work: impl FnOnce()) -> Duration {
    let start = own_time();
    work();
    own_time() - start
}

/// How long this thread has been running.
fn own_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(Duration::ZERO, Duration::from)
}

//! How a thread that counts fares while another one makes pages without a break.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::filled;
use crate::participant::{Family, Kind, Looker};
use crate::row::Condition::{AtMost, Faster, ShareOf};
use crate::row::Peer::Named;
use crate::row::{Condition, Gate, Measure, Row};
use crate::timing::{self, Effort};
use crate::workload::{self, Labels};

const SERIES: usize = 100_000;

/// Every so often, an increment makes a series. That takes a lock in most libraries, and who encodes
/// under the same one stops whoever counts.
const NEW_EVERY: usize = 1024;

pub fn rows() -> Vec<Row> {
    let row =
        |name, unit, gate: Vec<Condition>, measure| Row { name, unit, gate: Gate(gate), measure };
    vec![
        row(
            "labelled inc beside scrapes of 100k counters, time over that without scrapes",
            "x",
            // Four fifths of the throughput, at least that of measured, and four times that of
            // prometheus-client.
            vec![
                AtMost(1.25),
                ShareOf(1.0, Named("measured")),
                Faster(4.0, Named("prometheus-client")),
            ],
            measure(|writer, time| {
                let undisturbed = writer.run(time, Scrapes::None).mean();
                writer.run(time, Scrapes::Always).mean() / undisturbed
            }),
        ),
        row(
            "labelled inc beside scrapes of 100k counters, p99.99",
            "µs",
            vec![AtMost(20.0)],
            measure(|writer, time| writer.run(time, Scrapes::Always).quantile(0.9999) / 1000.0),
        ),
    ]
}

fn measure(of: impl Fn(&mut Writer, Duration) -> f64 + 'static) -> Measure {
    Box::new(move |participants, effort| {
        let time = match effort {
            Effort::Quick => Duration::from_millis(200),
            Effort::Full => Duration::from_secs(1),
        };
        let writer = |family| Writer { family, made: SERIES, nanos: vec![0; MOST] };
        let mut writers: Vec<_> =
            participants.iter().map(|p| writer(filled(&**p, Kind::Counter, SERIES))).collect();
        timing::in_turn(effort.rounds(), Duration::ZERO, &mut writers, |writer, _| {
            Some(of(writer, time).into())
        })
    })
}

/// More increments than fit into a second.
const MOST: usize = 1 << 24;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scrapes {
    None,
    Always,
}

struct Writer {
    family: Box<dyn Family>,
    /// Series that there are.
    made: usize,
    /// How long each increment took. The memory has been written to, so that no page fault counts.
    nanos: Vec<u32>,
}

impl Writer {
    /// Increments series at random for some time, and notes how long each one took.
    fn run(&mut self, time: Duration, scrapes: Scrapes) -> Run<'_> {
        let labels: &[Labels] = workload::random_labels(SERIES);
        let (family, started, stop) = (&*self.family, Barrier::new(2), AtomicBool::new(false));
        let (mut count, mut total) = (0, Duration::ZERO);
        thread::scope(|scope| {
            scope.spawn(|| {
                started.wait();
                while scrapes == Scrapes::Always && !stop.load(Relaxed) {
                    let mut sink = Looker::default();
                    family.stream(&mut sink);
                    black_box(sink.seen);
                }
            });
            started.wait();
            let begun = Instant::now();
            let mut last = begun;
            while last - begun < time && count < self.nanos.len() {
                if count % NEW_EVERY == 0 {
                    family.record(&workload::labels(self.made), 1.0);
                    self.made += 1;
                } else {
                    family.record(&labels[count % labels.len()], 1.0);
                }
                let now = Instant::now();
                self.nanos[count] = u32::try_from((now - last).as_nanos()).unwrap_or(u32::MAX);
                count += 1;
                last = now;
            }
            total = last - begun;
            stop.store(true, Relaxed);
        });
        family.settle();
        Run { nanos: &mut self.nanos[..count], total }
    }
}

struct Run<'w> {
    nanos: &'w mut [u32],
    total: Duration,
}

impl Run<'_> {
    /// Nanoseconds that an increment takes.
    fn mean(&self) -> f64 {
        timing::nanoseconds_each(self.total, self.nanos.len())
    }

    /// Nanoseconds that this share of the increments takes at most.
    fn quantile(self, share: f64) -> f64 {
        let at = ((self.nanos.len() - 1) as f64 * share) as usize;
        f64::from(*self.nanos.select_nth_unstable(at).1)
    }
}

//! Pages: a scrape in the text format, from the registry to the bytes.

use std::hint::black_box;

use super::{counted, filled};
use crate::allocations;
use crate::participant::{Family, Kind, Looker, Participant};
use crate::row::Condition::{AtMost, Faster};
use crate::row::Peer::{Best, Named};
use crate::row::{Gate, Measure, Row};
use crate::timing::{self, Effort, Sample, Timed};

pub fn rows() -> Vec<Row> {
    let pages = [
        (
            "text of 100k counters, streamed",
            "text of 100k counters into a reused buffer",
            (Kind::Counter, 100_000),
            vec![
                AtMost(14.0),
                Faster(3.5, Named("measured")),
                Faster(15.0, Named("prometheus-client")),
                Faster(100.0, Named("prometheus")),
            ],
        ),
        (
            "text of 100k gauges of 17 digits, streamed",
            "text of 100k gauges of 17 digits into a reused buffer",
            (Kind::Gauge, 100_000),
            vec![AtMost(35.0)],
        ),
        (
            "text of 10k histograms of 12 buckets, streamed",
            "text of 10k histograms of 12 buckets into a reused buffer",
            (Kind::Histogram, 10_000),
            vec![AtMost(250.0), Faster(4.5, Named("measured"))],
        ),
    ];
    let timed = pages.into_iter().flat_map(|(streamed_name, buffered_name, series, gate)| {
        let row = |name, gate, measure| Row { name, unit: "ns/series", gate: Gate(gate), measure };
        [
            row(streamed_name, gate, streamed(series)),
            row(buffered_name, Vec::new(), buffered(series)),
        ]
    });
    let protobuf_row = |name, gate, series| Row {
        name,
        unit: "ns/series",
        gate: Gate(gate),
        measure: protobuf(series),
    };
    let counts = [
        protobuf_row(
            "protobuf of 100k counters, streamed",
            vec![AtMost(16.0), Faster(50.0, Named("prometheus"))],
            (Kind::Counter, 100_000),
        ),
        protobuf_row(
            "protobuf of 10k histograms of 12 buckets, streamed",
            vec![Faster(1.3, Best)],
            (Kind::Histogram, 10_000),
        ),
        Row {
            name: "allocations of a steady scrape in protobuf, 100k counters",
            unit: "allocations",
            gate: Gate(vec![AtMost(0.0)]),
            measure: Box::new(|participants, _| {
                let count = |p: &dyn Participant| {
                    let family = filled(p, Kind::Counter, 100_000);
                    let mut sink = Looker::default();
                    let can = (0..2).all(|_| family.protobuf(&mut sink));
                    let (_, heap) = allocations::count(|| family.protobuf(&mut sink));
                    can.then(|| (heap.allocations as f64).into())
                };
                participants.iter().map(|p| count(&**p)).collect()
            }),
        },
        Row {
            name: "peak of the heap during a first scrape, 1M counters",
            unit: "bytes",
            gate: Gate(vec![AtMost(512.0 * 1024.0)]),
            measure: counted(|participant| {
                let family = filled(participant, Kind::Counter, 1_000_000);
                let ((), heap) = allocations::count(|| family.stream(&mut Looker::default()));
                heap.peak as f64
            }),
        },
        Row {
            name: "allocations of a steady scrape, 100k counters",
            unit: "allocations",
            gate: Gate(vec![AtMost(0.0)]),
            measure: counted(|participant| allocations(participant, 100_000)),
        },
        Row {
            name: "allocations of a steady scrape that 99k more counters add",
            unit: "allocations",
            gate: Gate(vec![AtMost(0.0)]),
            measure: counted(|participant| {
                allocations(participant, 100_000) - allocations(participant, 1000)
            }),
        },
    ];
    timed.chain(counts).collect()
}

/// Pages into a sink that looks at every byte and keeps none, as a socket would be written to.
fn streamed(series: (Kind, usize)) -> Measure {
    Box::new(move |participants, effort| {
        time(participants, effort, series, |family| {
            let mut sink = Looker::default();
            family.stream(&mut sink);
            black_box(sink.seen) > 0
        })
    })
}

/// Pages as a whole in memory, as who keeps a page has them; narthex serves them as they are made,
/// and the gates are about that. There is one buffer for all: what a page costs does not depend on
/// whose page was there before.
fn buffered(series: (Kind, usize)) -> Measure {
    Box::new(move |participants, effort| {
        let mut page = Vec::new();
        time(participants, effort, series, |family| {
            page.clear();
            family.render(&mut page);
            !black_box(&page).is_empty()
        })
    })
}

/// Pages in protobuf, into a sink as above.
fn protobuf(series: (Kind, usize)) -> Measure {
    Box::new(move |participants, effort| {
        time(participants, effort, series, |family| {
            let mut sink = Looker::default();
            let can = family.protobuf(&mut sink);
            black_box(sink.seen);
            can
        })
    })
}

/// Nanoseconds a series of whole scrapes, collecting included.
fn time(
    participants: &[Box<dyn Participant>],
    effort: Effort,
    (kind, series): (Kind, usize),
    mut scrape: impl FnMut(&dyn Family) -> bool,
) -> Vec<Option<Sample>> {
    let mut families: Vec<_> = participants.iter().map(|p| filled(&**p, kind, series)).collect();
    timing::in_turn(effort.rounds(), effort.patience(), &mut families, |family, _| {
        // As on the hot paths, what runs before it, off the clock, brings back what this participant
        // had in the caches until another one's turn.
        let can = scrape(&**family);
        let page = || {
            scrape(&**family);
        };
        can.then(|| Timed::of(|| timing::own_time_of(page)).each_of(series))
    })
}

/// Counted at the third scrape, when whatever is kept from scrape to scrape has its size.
fn allocations(participant: &dyn Participant, series: usize) -> f64 {
    let family = filled(participant, Kind::Counter, series);
    let mut page = Vec::new();
    for _ in 0..2 {
        page.clear();
        family.render(&mut page);
    }
    page.clear();
    let ((), heap) = allocations::count(|| family.render(&mut page));
    heap.allocations as f64
}

//! What series cost on the heap.

use super::counted;
use crate::allocations;
use crate::participant::{Family, Kind, Participant};
use crate::row::Condition::{AtMost, ShareOf};
use crate::row::Peer::Named;
use crate::row::{Condition, Gate, Row};
use crate::workload;

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "heap of a counter series, 3 labels, 100k series",
            "bytes/series",
            vec![
                AtMost(64.0),
                ShareOf(0.73, Named("measured")),
                ShareOf(0.28, Named("prometheus-client")),
            ],
            Kind::Counter,
            100_000,
        ),
        row(
            "heap of a registry and its one family of one series",
            "bytes",
            vec![AtMost(4096.0)],
            Kind::Counter,
            1,
        ),
        row(
            "heap of a 12-bucket histogram series, 3 labels, 10k series",
            "bytes/series",
            vec![AtMost(200.0), ShareOf(0.78, Named("measured"))],
            Kind::Histogram,
            10_000,
        ),
    ]
}

fn row(
    name: &'static str,
    unit: &'static str,
    gate: Vec<Condition>,
    kind: Kind,
    series: usize,
) -> Row {
    let heap = move |participant: &dyn Participant| {
        // What a library makes once in a process is there afterwards.
        drop(filled(participant, kind, series));
        let (family, heap) = allocations::count(|| {
            let family = filled(participant, kind, series);
            family.settle();
            family
        });
        drop(family);
        heap.live as f64 / series as f64
    };
    Row { name, unit, gate: Gate(gate), measure: counted(heap) }
}

/// A family of `series` series that all have a value; histograms have seen four observations.
pub fn filled(participant: &dyn Participant, kind: Kind, series: usize) -> Box<dyn Family> {
    let values = workload::values();
    let value = |at: usize| values[at % values.len()];
    let family = participant.family(kind);
    for n in 0..series {
        let labels = workload::labels(n);
        match kind {
            Kind::Counter => family.record(&labels, workload::total(n)),
            Kind::Gauge => family.record(&labels, value(n)),
            Kind::Histogram => (0..4).for_each(|k| family.record(&labels, value(7 * n + k))),
        }
    }
    family
}

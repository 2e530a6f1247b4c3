//! All rows, in the order of the performance contract.

mod creation;
mod hot;
mod memory;
mod render;
mod stall;

pub use memory::filled;

use crate::participant::Participant;
use crate::row::{Measure, Row};

pub fn all() -> Vec<Row> {
    [hot::rows(), render::rows(), memory::rows(), creation::rows(), stall::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// What the performance contract names, but for the rows over HTTP: the beginnings of the names of
/// rows. What is not measured must not look as if it held.
const CONTRACT: [&str; 24] = [
    "resolved counter inc, 1 thread",
    "resolved counter inc, 2 threads",
    "labelled inc, 3 strings, 2500 series, 1 thread",
    "labelled inc, 3 strings, 2500 series, 2 threads",
    "labelled inc, 3 strings, 100k",
    "labelled inc, 3 strings, 1M",
    "typed labels inc",
    "gauge set",
    "histogram observe",
    "summary observe",
    "text of 100k counters",
    "text of 100k gauges of 17 digits",
    "text of 10k histograms",
    "protobuf of 100k counters",
    "allocations of a steady scrape",
    "peak of the heap",
    "protobuf of 10k histograms",
    "heap of a counter series",
    "heap of a registry and its one family",
    "heap of a 12-bucket histogram series",
    "creation of a counter series",
    "longest creation",
    "labelled inc beside scrapes of 100k counters, time",
    "labelled inc beside scrapes of 100k counters, p99.99",
];

/// The rows of the contract that nothing measures.
pub fn missing(rows: &[Row]) -> Vec<&'static str> {
    let is_missing = |name: &&str| !rows.iter().any(|row| row.name.starts_with(*name));
    CONTRACT.into_iter().filter(is_missing).collect()
}

/// A measurement that gives the same in every round, made once for each participant.
fn counted(measure: impl Fn(&dyn Participant) -> f64 + 'static) -> Measure {
    Box::new(move |participants, _| {
        participants.iter().map(|p| Some(measure(&**p).into())).collect()
    })
}

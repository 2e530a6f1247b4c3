//! All rows, in the order of the performance contract.

mod creation;
mod hot;
mod memory;
mod render;

pub use memory::filled;

use crate::participant::Participant;
use crate::row::{Measure, Row};

pub fn all() -> Vec<Row> {
    [hot::rows(), render::rows(), memory::rows(), creation::rows()].into_iter().flatten().collect()
}

/// A measurement that gives the same in every round, made once for each participant.
fn counted(measure: impl Fn(&dyn Participant) -> f64 + 'static) -> Measure {
    Box::new(move |participants, _| {
        participants.iter().map(|p| Some(measure(&**p).into())).collect()
    })
}

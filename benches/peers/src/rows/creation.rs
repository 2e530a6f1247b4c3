//! Series that come to be.

use std::time::Duration;

use crate::participant::{Kind, Participant};
use crate::row::Condition::AtMost;
use crate::row::{Gate, Row};
use crate::timing::{self, Effort, Sample};
use crate::workload;

pub fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "creation of a counter series, 3 labels, up to 1M series",
            unit: "ns",
            gate: Gate(vec![AtMost(350.0)]),
            measure: Box::new(|participants, effort| {
                time(participants, effort.long_rounds(), |participant| {
                    let family = participant.family(Kind::Counter);
                    // The family is dropped off the clock.
                    let elapsed = timing::own_time_of(|| {
                        for n in 0..workload::MOST_SERIES {
                            family.record(&workload::labels(n), 1.0);
                        }
                    });
                    timing::nanoseconds_each(elapsed, workload::MOST_SERIES)
                })
            }),
        },
        Row {
            name: "longest creation among 100k counter series",
            unit: "µs",
            gate: Gate(vec![AtMost(500.0)]),
            measure: Box::new(|participants, effort: Effort| {
                time(participants, effort.rounds(), |participant| {
                    let family = participant.family(Kind::Counter);
                    let mut longest = Duration::ZERO;
                    for n in 0..100_000 {
                        let labels = workload::labels(n);
                        longest = longest.max(timing::own_time_of(|| family.record(&labels, 1.0)));
                    }
                    longest.as_nanos() as f64 / 1000.0
                })
            }),
        },
    ]
}

fn time(
    participants: &[Box<dyn Participant>],
    rounds: usize,
    measure: impl Fn(&dyn Participant) -> f64,
) -> Vec<Option<Sample>> {
    // The labels are made now, not by whoever comes first.
    workload::labels(0);
    let mut contenders: Vec<&dyn Participant> = participants.iter().map(|p| &**p).collect();
    timing::in_turn(rounds, Duration::ZERO, &mut contenders, |participant, _| {
        Some(measure(*participant).into())
    })
}

//! Hot paths: counting, setting and observing, on one thread and on two.

use crate::participant::{Participant, Work};
use crate::row::Condition::{AtMost, Faster, ShareOf};
use crate::row::Peer::{Best, BestCorrect, Named};
use crate::row::{Condition, Gate, Row};
use crate::timing::{self, Effort, Round, Sample};
use crate::workload;

/// Label sets that a busy service sees all the time.
const HOT_SERIES: usize = 2500;

pub fn rows() -> Vec<Row> {
    let increment = |participant: &dyn Participant| Some(participant.increment());
    let observe = |participant: &dyn Participant| Some(participant.observe());
    let typed =
        |participant: &dyn Participant| participant.increment_typed(workload::random_typed());
    let summarize = |participant: &dyn Participant| participant.summarize();
    let labelled = |series| {
        move |participant: &dyn Participant| {
            Some(participant.increment_labelled(workload::random_labels(series)))
        }
    };
    vec![
        row(
            "resolved counter inc, 1 thread",
            vec![AtMost(3.0), Faster(2.5, Best)],
            increment,
            RESOLVED_OPERATIONS,
            timing::alone,
        ),
        row(
            "resolved counter inc, 2 threads on one series",
            vec![Faster(10.0, Best)],
            increment,
            RESOLVED_OPERATIONS,
            timing::on_two_threads,
        ),
        Row {
            unit: "x",
            ..row(
                "resolved counter inc, 2 threads over 1",
                vec![AtMost(1.15)],
                increment,
                RESOLVED_OPERATIONS,
                |work, operations| {
                    let one = timing::alone(work, operations.clone());
                    timing::on_two_threads(work, operations).with(one, |two, one| two / one)
                },
            )
        },
        row(
            "labelled inc, 3 strings, 2500 series, 1 thread",
            vec![ShareOf(0.65, Named("prometheus")), ShareOf(0.4, BestCorrect)],
            labelled(HOT_SERIES),
            LABELLED_OPERATIONS,
            timing::alone,
        ),
        row(
            "labelled inc, 3 strings, 2500 series, 2 threads",
            vec![Faster(4.0, BestCorrect), Faster(3.5, Named("prometheus"))],
            labelled(HOT_SERIES),
            LABELLED_OPERATIONS,
            timing::on_two_threads,
        ),
        row(
            "labelled inc, 3 strings, 100k random series",
            vec![Faster(1.6, Best)],
            labelled(100_000),
            COLD_OPERATIONS,
            timing::alone,
        ),
        row(
            "labelled inc, 3 strings, 1M random series",
            vec![Faster(1.4, Best)],
            labelled(1_000_000),
            COLD_OPERATIONS,
            timing::alone,
        ),
        row(
            "typed labels inc, 40 series, 1 thread",
            vec![Faster(1.5, Named("measured"))],
            typed,
            RESOLVED_OPERATIONS,
            timing::alone,
        ),
        row(
            "typed labels inc, 40 series, 2 threads",
            vec![Faster(5.0, Named("measured"))],
            typed,
            RESOLVED_OPERATIONS,
            timing::on_two_threads,
        ),
        row("gauge set", vec![AtMost(0.8)], |p| Some(p.set()), RESOLVED_OPERATIONS, timing::alone),
        row(
            "histogram observe, 12 buckets, 1 thread",
            vec![Faster(3.0, Best)],
            observe,
            RESOLVED_OPERATIONS,
            timing::alone,
        ),
        row(
            "histogram observe, 12 buckets, 2 threads",
            vec![Faster(8.0, Best)],
            observe,
            RESOLVED_OPERATIONS,
            timing::on_two_threads,
        ),
        row(
            "summary observe, targeted quantiles, 1 thread",
            vec![AtMost(35.0)],
            summarize,
            RESOLVED_OPERATIONS,
            timing::alone,
        ),
        row(
            "summary observe, targeted quantiles, 2 threads",
            vec![AtMost(35.0)],
            summarize,
            RESOLVED_OPERATIONS,
            timing::on_two_threads,
        ),
    ]
}

/// Operations a round: a fraction of a millisecond, which mostly passes in one piece.
const RESOLVED_OPERATIONS: usize = 1 << 16;
const LABELLED_OPERATIONS: usize = 1 << 14;
/// More: they are to miss the caches by themselves, not because another participant had them.
const COLD_OPERATIONS: usize = 1 << 16;

fn row(
    name: &'static str,
    gate: Vec<Condition>,
    start: impl Fn(&dyn Participant) -> Option<Work> + 'static,
    operations: usize,
    time: impl Fn(&Work, std::ops::Range<usize>) -> Round + 'static,
) -> Row {
    let measure =
        move |participants: &[Box<dyn Participant>], effort: Effort| -> Vec<Option<Sample>> {
            let mut works: Vec<Option<Work>> = participants.iter().map(|p| start(&**p)).collect();
            for work in works.iter().flatten() {
                // All of the input once, so that every series is there.
                work.run()(0..workload::LONGEST_INPUT);
                work.settle();
            }
            timing::in_turn(effort.rounds(), effort.patience(), &mut works, |work, round| {
                let first = 2 * round * operations;
                Some(time(work.as_ref()?, first..first + 2 * operations))
            })
        };
    Row { name, unit: "ns", gate: Gate(gate), measure: Box::new(measure) }
}

use super::{SortKey, Spare, Stream};
use crate::instrument::summary::objectives::Objectives;

const OBJECTIVES: [(f64, f64); 4] = [(0.01, 0.002), (0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];

#[track_caller]
fn check_invariant(stream: &Stream, objectives: &Objectives) {
    let mut rank = 0;
    for entry in &stream.entries {
        // An entry that stands for one observation of known rank may be anywhere.
        if entry.gap() > 1 {
            for line in objectives.lines.iter() {
                for end in [rank, rank + entry.gap()] {
                    let allowed = line.at(end, stream.observations);
                    let gap = entry.gap() as f64;
                    assert!(gap <= allowed * (1.0 + 1e-9), "{entry:?} at {rank}: {allowed}");
                }
            }
        }
        rank += entry.own;
    }
    assert_eq!(rank, stream.observations);
    let last = stream.entries.last().expect("something was observed");
    assert_eq!((stream.entries[0].gap(), last.slack), (1, 0), "the extremes are known");
    assert!(stream.entries.is_sorted_by_key(|entry| entry.key));
}

fn batches(shuffle: u64) -> impl Iterator<Item = Vec<SortKey>> {
    (0..60_000_u64).step_by(250).map(move |first| {
        let value = |k: u64| (k * shuffle % 60_013) as f64;
        let mut keys: Vec<_> = (first..first + 250).map(|k| SortKey::new(value(k))).collect();
        keys.sort_unstable();
        keys
    })
}

#[test]
fn neighbours_are_as_near_as_is_promised_at_every_moment() {
    let objectives = Objectives::new(&OBJECTIVES).unwrap();
    // Ascending, descending, both by turns, and scattered.
    for shuffle in [1, 60_012, 30_007, 7_919] {
        let (mut stream, mut spare) = (Stream::default(), Spare::default());
        for batch in batches(shuffle) {
            stream.add(&batch, &objectives, &mut spare);
            check_invariant(&stream, &objectives);
        }
        stream.settle(&objectives, &mut spare);
        check_invariant(&stream, &objectives);
    }
}

#[test]
fn merged_streams_are_as_exact_as_one() {
    let objectives = Objectives::new(&OBJECTIVES).unwrap();
    for shuffle in [1, 60_012, 7_919] {
        let (mut merged, mut spare) = (Stream::default(), Spare::default());
        let mut part = Stream::default();
        for (at, batch) in batches(shuffle).enumerate() {
            part.add(&batch, &objectives, &mut spare);
            if at % 40 == 39 {
                merged.merge(&part, &objectives, &mut spare);
                check_invariant(&merged, &objectives);
                part.clear();
            }
        }
        assert_eq!(merged.observations, 60_000);
    }
}

#[test]
fn keys_have_the_order_of_what_they_stand_for() {
    let values = [
        f64::NEG_INFINITY,
        f64::MIN,
        -1.5,
        -f64::MIN_POSITIVE / 4.0,
        -0.0,
        0.0,
        f64::MIN_POSITIVE / 4.0,
        1.5,
        f64::MAX,
        f64::INFINITY,
    ];
    assert!(values.map(SortKey::new).is_sorted());
    for value in values {
        assert_eq!(SortKey::new(value).value().to_bits(), value.to_bits());
    }
}

use super::{read, write};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

#[test]
fn a_half_written_observation_is_not_whole() {
    let cells: [AtomicU64; 5] = Default::default();
    write(&cells, 1, 2.5);
    // As a thread leaves it that is stopped after the first of its three stores.
    cells[0].store(1, Relaxed);
    assert!(read(&cells, 2).is_err());
    cells[0].store(0, Relaxed);
    write(&cells, 0, 1.0);
    assert!(!write(&cells, 2, 1.0), "there are two buckets");
    let totals = read(&cells, 2).unwrap();
    assert_eq!((totals.counts.as_slice(), totals.sum), (&[1, 1][..], 3.5));
}

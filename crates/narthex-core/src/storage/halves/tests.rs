use super::{read, write};
use std::sync::atomic::AtomicU64;

#[test]
fn a_half_written_observation_is_not_whole() {
    let cells: [AtomicU64; 4] = Default::default();
    write(&cells, 1, 2.5);
    write(&cells, 0, 1.0);
    let totals = read(&cells, 2);
    assert_eq!((totals.counts.as_slice(), totals.sum), (&[1, 1][..], 3.5));
}

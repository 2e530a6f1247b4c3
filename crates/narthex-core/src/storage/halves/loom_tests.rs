//! Every interleaving of one observing thread and one snapshot.

use super::{read, write};
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;

/// Two buckets, the number, two sums.
fn cells() -> [AtomicU64; 5] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

#[test]
fn loom_a_snapshot_shows_whole_observations_only() {
    loom::model(|| {
        let shared = Arc::new(cells());
        let snapshot = {
            let cells = shared.clone();
            thread::spawn(move || {
                let seen = read(&cells[..], 2).expect("the writer goes on");
                // All observe 1, so that whole observations have their count as their sum.
                assert_eq!(seen.sum, seen.counts.iter().sum::<u64>() as f64);
            })
        };
        write(&shared[..], 1, 1.0);
        write(&shared[..], 0, 1.0);
        snapshot.join().unwrap();
        let all = read(&shared[..], 2).expect("nobody writes");
        assert_eq!((all.counts.as_slice(), all.sum), (&[1, 1][..], 2.0));
    });
}

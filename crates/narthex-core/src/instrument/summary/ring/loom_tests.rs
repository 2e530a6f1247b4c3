//! Every interleaving of a writer and of one who empties its queue.

use super::Ring;
use loom::sync::{Arc, Mutex};
use loom::thread;

fn empty(ring: &Ring, into: &Mutex<Vec<f64>>) {
    let Some(batch) = ring.copy() else { return };
    let mut into = into.lock().unwrap();
    if ring.take(&batch) {
        into.extend(batch.sorted().iter().map(|key| key.value()));
    }
}

#[test]
fn loom_every_observation_is_taken_once() {
    loom::model(|| {
        let ring = Arc::new(Ring::new());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let scrape = {
            let (ring, taken) = (ring.clone(), taken.clone());
            thread::spawn(move || {
                empty(&ring, &taken);
                ring.alert();
            })
        };
        // One more than there is room for.
        for value in [1.0, 2.0, 3.0] {
            while ring.push(value).is_err() {
                if !ring.look(0) {
                    empty(&ring, &taken);
                }
            }
        }
        scrape.join().unwrap();
        empty(&ring, &taken);
        let mut taken = taken.lock().unwrap().clone();
        taken.sort_unstable_by(f64::total_cmp);
        assert_eq!(taken, [1.0, 2.0, 3.0]);
    });
}

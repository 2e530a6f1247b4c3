use super::{Options, Snapshot, Store};
use crate::clock;
use crate::storage::cells::LeasedCell;
use narthex_model::LabelName;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

fn store(labels: &[&str]) -> Store {
    limited(labels, Options::default())
}

fn limited(labels: &[&str], options: Options) -> Store {
    in_cells(labels, options, 0)
}

fn in_cells(labels: &[&str], options: Options, in_cells: u32) -> Store {
    let names = labels.iter().map(|name| LabelName::new(name).unwrap()).collect();
    Store::new(names, 1, options, in_cells)
}

fn count<const N: usize>(store: &Store, values: &[&str; N], by: u64) {
    store.with(values).unwrap().values[0].fetch_add(by, Relaxed);
}

fn contents(snapshot: &Snapshot) -> HashMap<Vec<String>, u64> {
    let mut values = Vec::new();
    snapshot.for_each_record(|_, record| values.push(record[0].load(Relaxed)));
    let mut contents = HashMap::new();
    snapshot.series.for_each_slice(|at, fragments| {
        let labels = fragments.iter().map(|fragment| fragment.value().into_owned()).collect();
        assert!(contents.insert(labels, values[at]).is_none(), "a series is shown twice");
    });
    assert_eq!(contents.len(), snapshot.len());
    contents
}

#[test]
fn series_are_told_apart_by_equality() {
    let store = store(&["a", "b"]);
    // The first three are one series in a client that hashes joined values without a separator.
    let tuples =
        [["ab", "c"], ["a", "bc"], ["", "abc"], ["abc", ""], ["77kepQFQ8Kl", "!0IC=VloaY"]];
    for (n, values) in tuples.iter().enumerate() {
        count(&store, values, n as u64 + 1);
    }
    let contents = contents(&store.snapshot());
    assert_eq!(contents.len(), tuples.len());
    assert_eq!(contents[&vec!["a".to_owned(), "bc".to_owned()]], 2);
}

#[test]
fn long_values_are_compared_to_the_last_byte() {
    let store = store(&["path"]);
    let value = |middle: char, len: usize| {
        let mut value = vec!['x'; len];
        value[len / 2] = middle;
        value.into_iter().collect::<String>()
    };
    for len in [32, 33, 47, 64, 200, 8191, 8192, 8193, 100_000] {
        for middle in ['a', 'b'] {
            count(&store, &[&value(middle, len)], 1);
            count(&store, &[&value(middle, len)], 1);
        }
    }
    let contents = contents(&store.snapshot());
    assert_eq!(contents.len(), 18);
    assert!(contents.values().all(|&value| value == 2));
}

#[test]
fn many_series_keep_their_own_values_through_growth() {
    let store = store(&["method", "path", "status"]);
    for round in 1..=3 {
        for n in 0..30_000u64 {
            let path = format!("/items/{}", n / 10);
            count(&store, &["get", &path, &(n % 10).to_string()], n * round);
        }
    }
    let contents = contents(&store.snapshot());
    assert_eq!(contents.len(), 30_000);
    for n in 0..30_000u64 {
        let labels = vec!["get".to_owned(), format!("/items/{}", n / 10), (n % 10).to_string()];
        assert_eq!(contents[&labels], n * 6);
    }
}

#[test]
fn a_removed_series_is_gone_and_starts_afresh() {
    let store = store(&["l"]);
    for n in 0..100u64 {
        count(&store, &[&n.to_string()], n);
    }
    let before = store.snapshot();
    assert!((0..100).step_by(2).all(|n| store.remove(&[n.to_string().as_str()])));
    assert!(!store.remove(&["0"]));
    assert_eq!(store.len(), 50);
    count(&store, &["0"], 7);
    let after = contents(&store.snapshot());
    assert_eq!(after.len(), 51);
    assert_eq!(after[&vec!["0".to_owned()]], 7);
    assert_eq!(contents(&before).len(), 100);
}

#[test]
fn retain_asks_for_every_series_once() {
    let store = store(&["a", "b"]);
    for n in 0..1000 {
        count(&store, &[&(n % 10).to_string(), &n.to_string()], 1);
    }
    let mut asked = HashSet::new();
    store.retain(|values| {
        assert!(asked.insert(values.join("/")));
        values[0] == "3"
    });
    assert_eq!((asked.len(), store.len()), (1000, 100));
    store.retain(|_| false);
    assert_eq!(store.len(), 0);
    assert!(contents(&store.snapshot()).is_empty());
}

#[test]
fn extra_words_belong_to_one_record() {
    let store = store(&["l"]);
    let positions: Vec<_> =
        (0..100).map(|n: u32| store.with(&[n.to_string().as_str()]).unwrap().position).collect();
    assert!(store.extra(positions[0]).is_none());
    for (n, &position) in positions.iter().enumerate() {
        store.extra_or_new(position).store(n as u64, Relaxed);
    }
    for (n, &position) in positions.iter().enumerate() {
        assert_eq!(store.extra(position).unwrap().load(Relaxed), n as u64);
    }
}

#[test]
fn threads_count_exactly_while_series_come_and_go() {
    let store = store(&["kind", "n"]);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..50_000u64 {
                    count(store, &["kept", &(n % 5000).to_string()], 1);
                    if n % 100 == thread {
                        count(store, &["passing", &n.to_string()], 1);
                        store.remove(&["passing", &n.to_string()]);
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..50 {
                store.snapshot();
            }
        });
    });
    let contents = contents(&store.snapshot());
    let kept: u64 = contents.iter().filter(|(l, _)| l[0] == "kept").map(|(_, v)| v).sum();
    assert_eq!(kept, 200_000);
    assert_eq!(contents.len(), 5000);
}

#[test]
fn a_removed_record_is_reused_once_it_has_rested_and_no_snapshot_shows_it() {
    let store = store(&["l"]);
    let first = store.with(&["a"]).unwrap().position;
    store.remove(&["a"]);
    assert_ne!(store.with(&["b"]).unwrap().position, first, "not at once");
    clock::advance(Duration::from_secs(61));
    let snapshot = {
        count(&store, &["c"], 1);
        let reused = store.with(&["c"]).unwrap().position;
        assert_eq!(reused, first);
        let snapshot = store.snapshot();
        store.remove(&["c"]);
        snapshot
    };
    clock::advance(Duration::from_secs(61));
    assert_ne!(store.with(&["d"]).unwrap().position, first, "a snapshot shows it");
    assert_eq!(contents(&snapshot)[&vec!["c".to_owned()]], 1);
    drop(snapshot);
    assert_eq!(store.with(&["e"]).unwrap().position, first);
    assert_eq!(store.with(&["e"]).unwrap().values[0].load(Relaxed), 0, "it starts afresh");
    let labels: HashSet<_> = contents(&store.snapshot()).into_keys().flatten().collect();
    assert_eq!(labels, ["b", "d", "e"].map(str::to_owned).into());
}

#[test]
fn churn_neither_grows_the_store_nor_mixes_up_labels() {
    let store = store(&["kind", "id"]);
    let long = "x".repeat(50);
    let mut highest = 0;
    for round in 0..50 {
        for n in 0..100 {
            let id = format!("{round}/{n}/{long}");
            count(&store, &["passing", &id], round * 100 + n);
            highest = highest.max(store.with(&["passing", &id]).unwrap().position);
        }
        for (labels, value) in contents(&store.snapshot()) {
            assert_eq!(labels[1], format!("{}/{}/{long}", value / 100, value % 100));
        }
        store.retain(|_| false);
        clock::advance(Duration::from_secs(61));
    }
    assert!(highest < 1024, "{highest}");
    let writer = store.writer.lock();
    assert!(writer.hashes.len() < 1024, "{}", writer.hashes.len());
    assert!(writer.long_values.next < 1 << 14, "{}", writer.long_values.next);
}

#[test]
fn a_full_store_counts_the_rest_in_its_overflow_series() {
    let store = limited(&["a", "b"], Options { series: 10, value_bytes: 8, ..Options::default() });
    for n in 0..1000 {
        count(&store, &["x", &n.to_string()], 1);
        count(&store, &["far too long", "y"], 1);
    }
    let contents = contents(&store.snapshot());
    assert_eq!((contents.len(), contents.values().sum::<u64>()), (11, 2000));
    assert_eq!(contents[&vec!["overflow".to_owned(), "overflow".to_owned()]], 1990);
    assert_eq!(store.overflowed(), 1990);
    store.remove(&["x", "0"]);
    count(&store, &["x", "new"], 1);
    assert_eq!(store.with(&["x", "new"]).unwrap().values[0].load(Relaxed), 2 - 1);
}

#[test]
fn idle_series_expire_and_used_ones_stay() {
    let idle = Some(Duration::from_secs(100));
    let store = limited(&["l"], Options { idle, ..Options::default() });
    let live = |store: &Store| {
        store.sweep();
        let mut labels: Vec<_> =
            contents(&store.snapshot()).into_keys().map(|mut labels| labels.remove(0)).collect();
        labels.sort();
        labels
    };
    for label in ["idle", "looked up", "kept handle"] {
        store.with(&[label]).unwrap();
    }
    let handle = store.with(&["kept handle"]).unwrap();
    assert_eq!(live(&store).len(), 3);
    for _ in 0..3 {
        clock::advance(Duration::from_secs(60));
        store.with(&["looked up"]).unwrap();
        handle.values[0].fetch_add(1, Relaxed);
        live(&store);
    }
    assert_eq!(live(&store), ["kept handle", "looked up"]);
    clock::advance(Duration::from_secs(200));
    assert!(live(&store).is_empty());
}

#[test]
fn a_kept_handle_keeps_its_series_wherever_it_counts() {
    let idle = Some(Duration::from_secs(100));
    let store = in_cells(&["l"], Options { idle, ..Options::default() }, 4);
    let [whole, fraction, record] = ["whole", "fraction", "record"].map(|label| {
        // One more of each kind that nobody keeps.
        store.with(&[&format!("idle {label}")]).unwrap();
        store.with(&[label]).unwrap()
    });
    assert_eq!(record.position, 513, "beyond those in cells");
    for _ in 0..3 {
        clock::advance(Duration::from_secs(60));
        store.cell(whole).unwrap().add(1);
        store.extra_or_new(fraction.position).fetch_add(1, Relaxed);
        record.values[0].fetch_add(1, Relaxed);
        store.sweep();
    }
    let live: HashSet<_> = contents(&store.snapshot()).into_keys().flatten().collect();
    assert_eq!(live, ["whole", "fraction", "record"].map(str::to_owned).into());
}

#[test]
fn cells_are_given_back_with_their_records_and_their_store() {
    let unused = LeasedCell::lease().unwrap();
    for _ in 0..20 {
        let store = in_cells(&["l"], Options::default(), 700);
        for round in 0..5 {
            for n in 0..1000 {
                let label = format!("{round}/{n}");
                let series = store.with(&[&label]).unwrap();
                if let Some(cell) = store.cell(series) {
                    assert_eq!(cell.sum(), 0, "it starts afresh");
                    cell.add(1);
                    assert_ne!(cell.id(), unused.id());
                    assert!(cell.id() < 3 * 700, "{}", cell.id());
                }
            }
            store.retain(|_| false);
            clock::advance(Duration::from_secs(61));
        }
    }
    assert_eq!(unused.sum(), 0);
}

#[test]
fn series_in_cells_are_the_first_rows_of_a_snapshot() {
    let store = in_cells(&["l"], Options::default(), 512 + 100);
    let check = || {
        let snapshot = store.snapshot();
        for range in [0..2000, 0..1, 1..103, 103..104, 104..105, 50..600, 90..1500, 1990..2000] {
            let part = snapshot.part(range.clone());
            let expected = part.positions().iter().filter(|&&position| position < 612).count();
            assert_eq!(store.rows_in_cells(&part), expected, "{range:?}");
        }
    };
    check();
    for n in 0..1600 {
        store.with(&[n.to_string().as_str()]).unwrap();
        if n == 50 || n == 103 || n == 104 {
            check();
        }
    }
    check();
    store.retain(|labels| !labels[0].ends_with('7'));
    check();
    store.retain(|labels| labels[0].len() > 3);
    check();
}

#[test]
fn series_that_are_found_by_number_expire_unless_they_are_looked_up() {
    let idle = Some(Duration::from_secs(100));
    let store = limited(&["l"], Options { idle, dense: 2, ..Options::default() });
    for (index, label) in ["idle", "looked up"].iter().enumerate() {
        store.with_dense(index, &[label]).unwrap();
        assert!(store.dense_slots().at_hand(index, false).is_none(), "lookups are to be noted");
    }
    for _ in 0..3 {
        clock::advance(Duration::from_secs(60));
        assert!(store.dense(1).is_some());
        store.sweep();
    }
    assert!(store.dense(0).is_none() && store.dense(1).is_some());
}

#[test]
fn an_unscraped_store_expires_series_as_new_ones_come() {
    let idle = Some(Duration::from_secs(10));
    let store = limited(&["l"], Options { idle, ..Options::default() });
    for n in 0..100 {
        store.with(&[n.to_string().as_str()]).unwrap();
        clock::advance(Duration::from_secs(1));
    }
    assert!(store.len() < 40, "{}", store.len());
}

use super::{CHUNK, Lease, MOST_OF_LARGE_STEPS, NEAR_CHUNKS, Near, add};

/// Counts as handles do: the short way where there is one.
fn count(lease: &Lease, by: u64) {
    let near = Near::of(lease.first());
    let counted = if by == 1 { near.inc() } else { near.add(by) };
    if !counted {
        add(lease.first(), by);
    }
}

fn on_two_threads(lease: &Lease, steps: &[u64]) {
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| steps.iter().for_each(|by| count(lease, *by)));
        }
    });
}

#[test]
fn cells_that_are_not_near_count_as_the_others_do() {
    let leases: Vec<Lease> =
        (0..=NEAR_CHUNKS).map(|_| Lease::new(CHUNK, |_| false).unwrap()).collect();
    let near = |lease: &Lease| Near::of(lease.first()).0 != Near::NOWHERE.0;
    assert!(near(&leases[0]) && !near(&leases[NEAR_CHUNKS]));
    for lease in &leases {
        count(lease, 1);
        on_two_threads(lease, &[1, 1, 5]);
        assert_eq!(lease.sum(0), 15, "{}", lease.first());
    }
}

#[test]
fn a_cell_stays_at_the_end_whatever_the_steps() {
    for steps in [&[u64::MAX, 1][..], &[1, u64::MAX], &[MOST_OF_LARGE_STEPS - 1, 7, 1]] {
        let lease = Lease::new(1, |_| false).unwrap();
        for by in steps {
            count(&lease, *by);
        }
        let sum = steps.iter().fold(0, |sum: u64, by| sum.saturating_add(*by));
        assert_eq!(lease.sum(0), sum, "{steps:?}");
        on_two_threads(&lease, steps);
        assert_eq!(lease.sum(0), u64::MAX, "{steps:?}");
    }
}

#[test]
fn leases_of_a_power_of_two_lie_where_as_many_cells_are_looked_for() {
    for _ in 0..100 {
        let (one, sixteen) =
            (Lease::new(1, |_| false).unwrap(), Lease::new(16, |_| false).unwrap());
        assert_eq!(sixteen.first() % 16, 0);
        count(&one, 1);
        assert_eq!((one.sum(0), sixteen.sum(0), sixteen.sum(15)), (1, 0, 0));
    }
    assert!(Lease::new(CHUNK + 1, |_| false).is_none());
}

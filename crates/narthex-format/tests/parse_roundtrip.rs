//! What is written is read back as it was, as far as the format can say it.

#![allow(clippy::print_stdout, reason = "tells what it tried")]

mod hostile;
mod round_trip;

use hostile::{Random, Spec};

#[test]
fn g10_scrapes_are_read_back_as_they_were() {
    round_trip(4_000);
}

/// See `docs/reliability.md` for the command.
#[test]
#[ignore = "takes minutes"]
fn g10_a_million_scrapes_are_read_back_as_they_were() {
    round_trip(1_000_000);
}

fn round_trip(scrapes: usize) {
    let mut random = Random::new(20_260_101);
    let (mut checked, mut skipped) = (0, 0);
    while checked < scrapes {
        match round_trip::check(&Spec::random(&mut random)) {
            true => checked += 1,
            false => skipped += 1,
        }
    }
    println!("{checked} scrapes, {skipped} skipped, 0 differences");
    assert!(skipped < checked / 2);
}

//! Families made of the input, written in every format and read back as they were.
#![no_main]

#[path = "../../crates/narthex-format/tests/hostile/mod.rs"]
mod hostile;
#[path = "../../crates/narthex-format/tests/round_trip/mod.rs"]
mod round_trip;

use hostile::{Random, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    round_trip::check(&Spec::random(&mut Random::from_bytes(input)));
});

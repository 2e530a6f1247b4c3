//! Accept headers, one a line, and content types.
#![no_main]

#[path = "../../crates/narthex-format/tests/exercise/mod.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|headers: &str| exercise::negotiate(headers));

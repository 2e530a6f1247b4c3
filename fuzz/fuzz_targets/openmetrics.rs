//! Pages in this syntax, read, linted, written and read again.
#![no_main]

#[path = "../../crates/narthex-format/tests/exercise/mod.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;
use narthex_format::parse::Syntax;

fuzz_target!(|page: &[u8]| {
    exercise::exercise(Syntax::OpenMetrics, page);
});

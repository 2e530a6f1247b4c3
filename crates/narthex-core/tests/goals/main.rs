//! The goals of `docs/reliability.md` that are about instruments and the registry.
//!
//! Each test prints its goal, what it measured, the limit and the verdict. Those that take long are
//! ignored here, and stand beside a shorter one; this runs all of them, one after the other:
//!
//! ```text
//! cargo test --release -p narthex-core --test goals -- --include-ignored --nocapture --test-threads=1
//! ```

mod deadlock;
mod identity;
mod memory;
mod panics;
mod threads;

use std::fmt::Display;

use narthex_test::report_goal;

/// Prints what became of a goal, and fails where it was missed.
#[track_caller]
fn report(goal: &str, measured: &str, value: impl Display, limit: impl Display, holds: bool) {
    let line = format!("{goal}: {measured}: {value}, limit {limit}");
    assert!(report_goal(goal, measured, value, limit, holds), "{line}");
}

/// Numbers without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Marsaglia's xorshift, of which the high bits are the best.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}

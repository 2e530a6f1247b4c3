//! The goals of `docs/reliability.md`.

use std::fmt::Display;

/// Prints what became of a goal, and gives the verdict.
#[must_use]
#[expect(clippy::print_stdout, reason = "whoever runs the long tests reads it")]
pub fn report_goal(
    goal: &str,
    measured: &str,
    value: impl Display,
    limit: impl Display,
    holds: bool,
) -> bool {
    let verdict = if holds { "PASS" } else { "FAIL" };
    println!("{goal}: {measured}: {value}, limit {limit}: {verdict}");
    holds
}

//! Pages that nobody finds fault with.

use std::fmt::Write;

use super::syntax_of;
use crate::lint::{Rule, lint_page};
use crate::parse::{Limits, Mode, ParseError, check};

/// Asserts that strict readers accept the page and that [`lint`](mod@crate::lint) finds nothing.
///
/// The page is text, or OpenMetrics where it ends with `# EOF`.
///
/// ```
/// use narthex_format::testing::assert_clean;
///
/// assert_clean("# HELP up Whether the target is up.\n# TYPE up gauge\nup 1\n");
/// ```
///
/// # Panics
/// Panics with every fault and finding: where it is, why it is one, and how to mend it.
#[track_caller]
pub fn assert_clean(page: impl AsRef<[u8]>) {
    assert_clean_but_for(page, &[]);
}

/// Asserts what [`assert_clean`] does, some rules of the linter left out.
///
/// # Panics
/// Panics with every fault and finding, as [`assert_clean`] does.
#[track_caller]
pub fn assert_clean_but_for(page: impl AsRef<[u8]>, rules: &[Rule]) {
    let report = report(page.as_ref(), rules);
    assert!(report.is_empty(), "the page is not clean\n{report}");
}

/// Everything that is wrong with the page, empty where nothing is.
fn report(page: &[u8], rules: &[Rule]) -> String {
    let syntax = syntax_of(page);
    let mut report = String::new();
    for fault in check(syntax, page, Mode::Strict, &Limits::default()) {
        let _ = write!(report, "\n{fault}\n{}", excerpt(page, &fault));
    }
    let findings = lint_page(syntax, page, Mode::Strict).unwrap_or_default();
    for finding in findings.iter().filter(|finding| !rules.contains(&finding.rule())) {
        let rule = finding.rule();
        let _ = write!(
            report,
            "\n{finding} ({rule})\n    why: {}\n    mend: {}\n",
            rule.why(),
            rule.mend()
        );
    }
    report
}

/// The line at fault with a mark below the place.
fn excerpt(page: &[u8], fault: &ParseError) -> String {
    /// Longer lines would hide what they are to show.
    const LONGEST: usize = 200;
    let (Some(line), Some(column)) = (fault.line(), fault.column()) else {
        return String::new();
    };
    let Some(text) = page.split(|byte| *byte == b'\n').nth(line - 1) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(text);
    if text.chars().count() > LONGEST {
        return String::new();
    }
    format!("    {text}\n    {:>column$}\n", '^')
}

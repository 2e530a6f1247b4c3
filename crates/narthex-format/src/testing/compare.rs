//! Families beside those that were expected.

use narthex_model::{MetricFamily, Scrape};

use super::lines::{Times, openmetrics_lines, text_lines};
use super::syntax_of;
use crate::parse::{Mode, Syntax, parse};

/// Asserts that the families of a page are in the scrape as the page has them; others may be there
/// too.
///
/// The page is text, or OpenMetrics where it ends with `# EOF`; what the format of the page does
/// not show is not compared. Series may be in any order.
///
/// ```should_panic
/// use narthex_format::testing::assert_families;
/// use narthex_model::{MetricFamily, Scrape};
///
/// let up = MetricFamily::gauge("up", "Whether it is up.").label_names(["job"]);
/// let scrape = Scrape::new(vec![up.sample(["a"], 1.0).sample(["b"], 0.0).build()?]);
/// // Panics with the lines that differ:
/// //   - up{job="b"} 1
/// //   + up{job="b"} 0
/// assert_families(
///     &scrape,
///     "# HELP up Whether it is up.\n# TYPE up gauge\nup{job=\"a\"} 1\nup{job=\"b\"} 1\n",
/// );
/// # Ok::<(), narthex_model::FamilyError>(())
/// ```
///
/// # Panics
/// Panics where a family differs or is missing, with the lines that differ, and where the page
/// cannot be read.
#[track_caller]
pub fn assert_families(scrape: &Scrape, page: &str) {
    let syntax = syntax_of(page.as_bytes());
    let expected = match parse(syntax, page.as_bytes(), Mode::Strict) {
        Ok(expected) => expected,
        Err(error) => panic!("the page that is expected cannot be read: {error}"),
    };
    let lines = |family: &MetricFamily| {
        let alone = Scrape::new(vec![family.clone()]);
        match syntax {
            Syntax::OpenMetrics => openmetrics_lines(&alone, Times::Shown),
            _ => text_lines(&alone),
        }
    };
    let mut differences = String::new();
    for family in expected.families() {
        let name = family.name();
        let got = scrape.family(name.as_str());
        match got.map(|got| diff(&lines(family), &lines(got))) {
            Some(None) => {}
            Some(Some(diff)) => {
                differences +=
                    &format!("family `{name}` differs (- expected, + there is):\n{diff}");
            }
            None => differences += &format!("family `{name}` is missing\n"),
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// The lines that only one side has, unless there is none; their order does not count.
fn diff(expected: &[String], got: &[String]) -> Option<String> {
    let (mut missing, mut surplus) = (expected.to_vec(), got.to_vec());
    missing.retain(|line| match surplus.iter().position(|other| other == line) {
        Some(at) => {
            surplus.remove(at);
            false
        }
        None => true,
    });
    if missing.is_empty() && surplus.is_empty() {
        return None;
    }
    let mut text = String::new();
    for line in missing {
        text += &format!("- {line}");
        // The same series with another value stands right below.
        if let Some(at) = surplus.iter().position(|other| subject(other) == subject(&line)) {
            text += &format!("+ {}", surplus.remove(at));
        }
    }
    for line in surplus {
        text += &format!("+ {line}");
    }
    Some(text)
}

/// What a line is about: all up to the labels' end, or the name in a comment.
fn subject(line: &str) -> &str {
    let end = match line.strip_prefix("# ") {
        Some(_) => line.match_indices(' ').nth(2).map(|(at, _)| at),
        None => line.find("} ").or_else(|| line.find(' ')),
    };
    &line[..end.unwrap_or(line.len())]
}

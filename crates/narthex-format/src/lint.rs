//! Lint: what a page says correctly, but should not say.
//!
//! [`lint`] looks at a scrape, as a program's own test does, and [`lint_page`] at a page in text,
//! where it sees what a scrape cannot hold. Each [`Finding`] names its [`Rule`], and each rule says
//! why it is there and how to mend what it finds. Rules that promlint has give promlint's texts.
//!
//! | rule | finds | promlint |
//! |---|---|---|
//! | [`missing-help`](Rule::MissingHelp) | a family without a help text | yes |
//! | [`base-unit`](Rule::BaseUnit) | `_milliseconds`, `_megabytes`, `_days` | yes |
//! | [`total`](Rule::Total) | a counter that does not end in `_total`, another type that does | yes |
//! | [`reserved-suffix`](Rule::ReservedSuffix) | `_bucket`, `_count` and `_sum` where they belong to no histogram or summary | yes |
//! | [`reserved-label`](Rule::ReservedLabel) | `le` and `quantile`, likewise | yes |
//! | [`type-in-name`](Rule::TypeInName) | `requests_counter_total` | yes |
//! | [`colon`](Rule::Colon) | `http:requests_total` | yes |
//! | [`camel-case`](Rule::CamelCase) | `httpRequests_total` | yes |
//! | [`abbreviated-unit`](Rule::AbbreviatedUnit) | `latency_ms`, `size_kb` | yes |
//! | [`duplicate`](Rule::Duplicate) | a series that a page gives twice | yes |
//! | [`cardinality`](Rule::Cardinality) | a family of more than 1,000 series | |
//! | [`id-label`](Rule::IdLabel) | a label such as `user_id`, or with values that are UUIDs, trace ids or addresses of mail | |
//! | [`missing-unit`](Rule::MissingUnit) | `request_duration`, `queue_size`: a quantity without a unit | |
//! | [`useless-counter`](Rule::UselessCounter) | a counter that is negative, infinite or NaN, of which `rate()` makes nonsense | |
//!
//! [`Rule::why`] and [`Rule::mend`] have the reason of each and the way out; the list of what
//! [`lint_page`] found reads well as it is:
//!
//! ```
//! use narthex_format::lint::lint_page;
//! use narthex_format::parse::{Mode, Syntax};
//!
//! let page = b"# HELP request_duration Time.\nrequest_duration 0.25\n";
//! for finding in lint_page(Syntax::Text, page, Mode::Strict)? {
//!     let rule = finding.rule();
//!     assert_eq!(rule.name(), "missing-unit");
//!     assert_eq!(rule.why(), "a reader cannot tell seconds from milliseconds");
//!     println!("{finding} [{rule}]: {}; to mend it, {}", rule.why(), rule.mend());
//! }
//! # Ok::<(), narthex_format::parse::ParseError>(())
//! ```
//!
//! ```
//! use narthex_format::lint::{Rule, lint};
//! use narthex_model::{MetricFamily, Scrape};
//!
//! let family = MetricFamily::gauge("disk_free_megabytes", "Free space.").sample([""; 0], 1.0);
//! let findings = lint(&Scrape::new(vec![family.build()?]));
//! assert_eq!(
//!     findings[0].to_string(),
//!     "disk_free_megabytes: use base unit \"bytes\" instead of \"megabytes\""
//! );
//! assert_eq!(findings[0].rule(), Rule::BaseUnit);
//! # Ok::<(), narthex_model::FamilyError>(())
//! ```

mod naming;
mod rule;
mod subject;
mod values;

use std::fmt;

use narthex_model::Scrape;

pub use rule::Rule;

use crate::parse::{Limits, Mode, ParseError, Syntax, parse_within};
use subject::Subject;

/// Something that should not be as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    family: String,
    message: String,
    rule: Rule,
}

impl Finding {
    /// The metric family.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The rule, which knows why and what to do.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What was found.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.family, self.message)
    }
}

/// What should be otherwise in a scrape, sorted by family.
pub fn lint(scrape: &Scrape) -> Vec<Finding> {
    find(scrape.families().iter().map(Subject::from_family))
}

/// What should be otherwise in a page, sorted by family.
///
/// ```
/// use narthex_format::lint::lint_page;
/// use narthex_format::parse::{Mode, Syntax};
///
/// let page = b"# HELP up Up.\n# TYPE up gauge\nup 1\nup 0\n";
/// let findings = lint_page(Syntax::Text, page, Mode::Strict)?;
/// assert_eq!(findings[0].to_string(), "up: metric not unique");
/// # Ok::<(), narthex_format::parse::ParseError>(())
/// ```
///
/// # Errors
/// Returns a [`ParseError`] for a page that cannot be read.
pub fn lint_page(syntax: Syntax, page: &[u8], mode: Mode) -> Result<Vec<Finding>, ParseError> {
    let limits = Limits::default();
    match syntax.as_text() {
        Some(text) => {
            let drafts = crate::parse::page::Page::read(text, page, mode, &limits)?;
            let drafts = drafts.into_families();
            Ok(find(drafts.iter().map(|draft| Subject::from_draft(draft, text))))
        }
        None => Ok(lint(&parse_within(syntax, page, mode, &limits)?)),
    }
}

fn find<'a>(subjects: impl Iterator<Item = Subject<'a>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for subject in subjects.filter(|subject| !subject.series.is_empty()) {
        let mut found = Findings { family: &subject.name, all: &mut findings };
        naming::check(&subject, &mut found);
        values::check(&subject, &mut found);
    }
    findings.sort();
    findings
}

/// The findings, while a family is looked at.
struct Findings<'a> {
    family: &'a str,
    all: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    fn push(&mut self, rule: Rule, message: impl Into<String>) {
        let family = self.family.to_owned();
        self.all.push(Finding { family, message: message.into(), rule });
    }
}

#[cfg(test)]
mod tests;

//! For tests of your own metrics, in one line each.
//!
//! - [`value`] and [`assert_value`]: one sample by its name and labels;
//! - [`assert_families`]: whole families beside those of a page, with a readable difference;
//! - [`snapshot`]: a scrape as text in which times are blotted out, to be kept with the test;
//! - [`assert_clean`]: a page that strict readers accept and no lint finds fault with.
//!
//! All of them take the scrape that a registry gathers, or a page as a scraper gets it.
//!
//! ```
//! use narthex_format::Format;
//! use narthex_format::testing::{assert_clean, assert_families, assert_value, snapshot};
//! use narthex_model::{MetricFamily, Scrape};
//!
//! let jobs = MetricFamily::counter("jobs_total", "Jobs done.").label_names(["kind"]);
//! let scrape = Scrape::new(vec![jobs.sample(["mail"], 3u64).sample(["print"], 1u64).build()?]);
//!
//! assert_value(&scrape, "jobs_total", &[("kind", "mail")], 3.0);
//! assert_families(
//!     &scrape,
//!     concat!(
//!         "# HELP jobs_total Jobs done.\n",
//!         "# TYPE jobs_total counter\n",
//!         "jobs_total{kind=\"print\"} 1\n",
//!         "jobs_total{kind=\"mail\"} 3\n",
//!     ),
//! );
//! assert!(snapshot(&scrape).ends_with("jobs_total{kind=\"print\"} 1\n"));
//!
//! let mut page = Vec::new();
//! Format::TEXT.encode(&scrape, &mut page);
//! assert_clean(&page);
//! # Ok::<(), narthex_model::FamilyError>(())
//! ```

mod clean;
mod compare;
mod lines;
mod value;

pub use clean::{assert_clean, assert_clean_but_for};
pub use compare::assert_families;
pub use lines::snapshot;
pub use value::{assert_value, value};

use crate::parse::Syntax;

/// The syntax of a page in text: OpenMetrics ends with `# EOF`.
fn syntax_of(page: &[u8]) -> Syntax {
    if page.trim_ascii_end().ends_with(b"# EOF") { Syntax::OpenMetrics } else { Syntax::Text }
}

#[cfg(test)]
mod tests;

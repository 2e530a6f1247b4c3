//! Every form of the derive, with only the trait imported.

#![deny(warnings, missing_docs, clippy::pedantic)]

use narthex::LabelValue;

/// A variant named as what the derive also names.
#[derive(Clone, Copy, Debug, LabelValue)]
#[label(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// One.
    NotFound,
    /// Two.
    #[label(rename = "text")]
    Text,
}

/// A newtype.
#[derive(Debug, LabelValue)]
pub struct Path<'a>(&'a str);

/// A displayed field.
#[derive(Debug, LabelValue)]
pub struct Ratio(#[label(display)] f64);

fn main() {
    assert_eq!(Outcome::NotFound.text(), "not-found");
    assert_eq!(Outcome::Text.text(), "text");
    assert_eq!(Path("/a").text(), "/a");
    assert_eq!(Ratio(0.5).text(), "0.5");
}

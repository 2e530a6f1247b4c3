//! The value a Prometheus scrape is made of.
//!
//! A [`Scrape`] is a list of [`MetricFamily`] values, and each of those is *columnar*: its
//! [`Metadata`] (name, type, help, constant labels), the labels of its [`Series`] as text that was
//! escaped once when the series was born, and one [`Column`] of values. Formats are functions of a
//! scrape, parsers give one back, and live instruments make one by copying a column and sharing
//! the rest.
//!
//! Most users meet this crate through `narthex`; build a family by hand with
//! [`MetricFamily::gauge`] and its siblings.

mod family;
mod fragment;
mod metadata;
mod name;
mod scrape;
mod series;
mod value;

pub use family::{FamilyBuilder, FamilyError, MergeError, Metric, MetricFamily};
pub use fragment::{BLOCK, Fragment, Fragments, escape_into};
pub use metadata::{Label, Metadata, MetadataError, MetricType};
pub use name::{LabelName, MetricName, NameError};
pub use scrape::{Problem, Scrape};
pub use series::{RecordLayout, Records, Rows, Series};
pub use value::{
    Bounds, BoundsError, Column, Histogram, HistogramColumn, Number, Quantiles, QuantilesError,
    Summary, SummaryColumn, Value,
};

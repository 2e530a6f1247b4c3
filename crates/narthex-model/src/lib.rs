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

mod escaping;
mod exemplar;
mod family;
mod fragment;
mod metadata;
mod name;
mod native;
mod scrape;
mod series;
mod stream;
mod value;

pub use escaping::Escaping;
pub use exemplar::{BucketExemplar, Exemplar, ExemplarError, Exemplars};
pub use family::{FamilyBuilder, FamilyError, MergeError, Metric, MetricFamily};
pub use fragment::{BLOCK, Fragment, Fragments, escape_into};
pub use metadata::{Label, Metadata, MetadataError, MetricType};
pub use name::{LabelName, MetricName, NameError};
pub use native::{
    NativeBucket, NativeBuckets, NativeHistogram, NativeHistogramError, Schema, Span, ZeroBucket,
};
pub use scrape::{Problem, Scrape};
pub use series::{LabelSum, RecordLayout, Records, Rows, Series};
pub use stream::{Families, Part, SpareColumns};
pub use value::{
    Bounds, BoundsError, Column, Histogram, HistogramColumn, NativeAndClassic,
    NativeHistogramColumn, Number, Quantiles, QuantilesError, Summary, SummaryColumn, Value,
};

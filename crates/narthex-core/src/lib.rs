//! Prometheus instruments and the registry that gathers them.
//!
//! - Instruments: [`Counter`], [`Gauge`], [`Histogram`]. Using one never fails, never panics and
//!   takes no lock.
//! - Families: [`Family`] for labels that are a type, [`DynamicFamily`] for label names known at
//!   run time.
//! - [`Registry`]: checks everything when it is registered and [gathers](Registry::gather) it all
//!   into one [`Scrape`](model::Scrape).
//! - [`Collector`]: foreign data, made afresh at each gather.
//!
//! No runtime, no HTTP, no format: those are other crates of narthex.

mod buckets;
mod builder;
mod clock;
mod collector;
mod error;
mod family;
mod instrument;
mod labels;
mod registry;
mod storage;
mod sync;

pub use buckets::Buckets;
pub use builder::{Builder, Instrument, Labelled};
pub use collector::Collector;
pub use error::RegisterError;
pub use family::{DynamicFamily, Family, LabelCountError};
pub use instrument::{Child, Counter, Gauge, Histogram, InProgress, Metric, ScopedSeries, Timer};
pub use labels::{
    CharText, IntegerText, LabelValue, LabelVisitor, Labels, OptionText, cardinality,
};
pub use narthex_model as model;
pub use registry::{Registered, Registration, Registry, RegistryBuilder};

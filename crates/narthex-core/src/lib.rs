//! Prometheus instruments and the registry that gathers them.
//!
//! - Instruments: [`Counter`], [`Gauge`], [`Histogram`], [`Summary`]. Using one never fails, never
//!   panics and takes no lock.
//! - Instruments that are set as a whole: [`Info`], [`StateSet`], [`Total`], [`GaugeHistogram`],
//!   [`Unknown`]; and [`Computed`] ones, whose value a closure gives at each gather.
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
#[cfg(feature = "serde")]
mod config;
mod error;
mod family;
mod guard;
mod instrument;
mod labels;
mod metrics;
mod registry;
mod storage;
mod sync;
mod timed;

pub use buckets::Buckets;
pub use builder::{Builder, Instrument, Labelled};
pub use collector::Collector;
#[cfg(feature = "serde")]
pub use config::{AnyMetric, ConfigType, DescribedMetrics, MetricConfig, UnknownMetricError};
pub use error::RegisterError;
pub use family::{DynamicFamily, Family, LabelCountError, LabelError};
pub use guard::{
    Attempt, CountFailure, InProgress, RecordDuration, Timer, ToHandle, TrackProgress,
};
pub use instrument::{
    Child, Computed, Counter, Cumulative, Gauge, GaugeHistogram, Histogram, Info, Metric,
    NativeLimits, Reading, ScopedSeries, StateError, StateSet, Summary, Total, Unknown,
};
pub use labels::{
    CharText, IntegerText, LabelValue, LabelVisitor, Labels, OptionText, cardinality,
};
pub use metrics::Metrics;
pub use narthex_model as model;
pub use registry::{Registered, Registration, Registry, RegistryBuilder};
pub use timed::{InProgressFuture, Timed, TimedFuture};

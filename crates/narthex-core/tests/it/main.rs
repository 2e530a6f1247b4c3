//! What users of the instruments and the registry rely on, row by row of the upstream inventory
//! where a test carries a row's id.

mod computed;
mod concurrency;
#[cfg(feature = "serde")]
mod config;
mod conformance;
mod dense;
mod exemplars;
mod instruments;
mod labels;
mod lifecycle;
mod registry;
mod states;
mod summaries;
mod support;
mod transaction;
mod upstream_labels;

//! What users of the instruments and the registry rely on, row by row of the upstream inventory
//! where a test carries a row's id.

mod concurrency;
mod dense;
mod instruments;
mod labels;
mod lifecycle;
mod registry;
mod support;

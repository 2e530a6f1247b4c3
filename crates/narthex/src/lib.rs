//! The async Prometheus toolkit for Rust.

pub use narthex_core::*;
#[cfg(feature = "macros")]
pub use narthex_macros::{LabelValue, Labels};

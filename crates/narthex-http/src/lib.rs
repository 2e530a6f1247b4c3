//! Serve metrics over HTTP.

mod gather;

pub use gather::{Gather, ScrapeRequest};

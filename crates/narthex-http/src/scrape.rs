//! The scrape engine: async sources, asked at each scrape and under its deadline.

mod cached;
mod context;
mod engine;
mod group;
mod health;
mod run;
mod source;

pub use cached::Cached;
pub use context::{
    ScrapeContext, ScrapedFamily, ScrapedHistogram, ScrapedHistogramFamily, ScrapedMetric,
};
pub use engine::{OnError, ScrapeEngine, ScrapeEngineBuilder, SourceNameError};
pub use source::{BoxError, IntoFamilies, IntoSource, Source, SourceFn};

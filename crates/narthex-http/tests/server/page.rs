//! Something to serve.

use narthex_core::Registry;
use narthex_http::{Gather, MetricsService, ScrapeRequest};
use narthex_model::{MetricFamily, Scrape};

/// A registry without metrics of its own.
pub(crate) fn empty() -> MetricsService {
    MetricsService::new(Registry::new())
}

/// The same scrape each time.
struct Fixed(Scrape);

impl Gather for Fixed {
    async fn gather(&self, _: ScrapeRequest) -> Scrape {
        self.0.clone()
    }
}

/// A page of so many series, of about 70 bytes each.
pub(crate) fn of_series(series: u32) -> MetricsService {
    let mut family = MetricFamily::gauge("load", "Load of many.").label_names(["machine", "note"]);
    for machine in 0..series {
        family.push([&machine.to_string(), "which is told of here"], f64::from(machine));
    }
    MetricsService::new(Fixed(Scrape::new(vec![family.build().unwrap()])))
}

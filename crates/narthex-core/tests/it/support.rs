//! What several tests need.

use narthex_core::model::{Scrape, Value};
use narthex_core::{LabelValue, LabelVisitor, Labels};

/// Labels of a request, written by hand as the derive macro writes them.
pub(crate) struct Request<'a> {
    pub(crate) path: &'a str,
    pub(crate) status: u16,
}

impl Labels for Request<'_> {
    type Borrowed<'a> = Request<'a>;
    const NAMES: &'static [&'static str] = &["path", "status"];

    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.values([self.path.text(), self.status.text().as_ref()])
    }
}

/// The cumulative counts and the sum of the only series of a histogram family.
pub(crate) fn histogram(scrape: &Scrape, family: &str) -> (Vec<u64>, f64) {
    let metric = scrape.family(family).and_then(|family| family.metric(0)).expect("the family");
    let Value::Histogram(histogram) = metric.value() else { panic!("not a histogram") };
    (histogram.buckets().map(|(_, count)| count).collect(), histogram.sum())
}

pub(crate) fn names(scrape: &Scrape) -> Vec<&str> {
    scrape.families().iter().map(|family| family.name().as_str()).collect()
}

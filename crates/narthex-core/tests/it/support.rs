//! What several tests need.

use narthex_core::model::{Scrape, Value};
use narthex_core::{LabelValue, LabelVisitor, Labels, cardinality};

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

/// Labels of which there are eight sets, found by their number.
pub(crate) struct Switch {
    pub(crate) kind: Kind,
    pub(crate) on: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    A,
    B,
    C,
    D,
}

impl LabelValue for Kind {
    type Text<'a> = &'static str;
    const CARDINALITY: Option<usize> = Some(4);

    fn text(&self) -> &'static str {
        ["a", "b", "c", "d"][self.index()]
    }

    fn index(&self) -> usize {
        *self as usize
    }
}

impl Labels for Switch {
    type Borrowed<'a> = Switch;
    const NAMES: &'static [&'static str] = &["kind", "on"];
    const CARDINALITY: Option<usize> = cardinality(&[Kind::CARDINALITY, bool::CARDINALITY]);

    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.values([self.kind.text(), self.on.text()])
    }

    fn index(&self) -> usize {
        self.kind.index() * 2 + self.on.index()
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

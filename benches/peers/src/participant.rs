//! What a library has to do to take part, and who does.

mod measured;
mod metrics;
mod narthex;
mod prometheus;
mod prometheus_client;

use std::fmt;
use std::io;
use std::ops::Range;

use crate::workload::{Labels, Typed};

/// A library, used as its documentation says.
pub trait Participant: Sync {
    fn name(&self) -> &'static str;

    /// Increments of one counter without labels, through a handle that was resolved before.
    fn increment(&self) -> Work;

    /// Increments of the series of `labels`, in turn, each looked up by its three strings.
    fn increment_labelled(&self, labels: &'static [Labels]) -> Work;

    /// Sets one gauge without labels.
    fn set(&self) -> Work;

    /// Observations of one histogram without labels.
    fn observe(&self) -> Work;

    /// Increments of the series of `labels`, in turn, each looked up by three values of closed types;
    /// `None` where the library has no labels but strings.
    fn increment_typed(&self, _labels: &'static [Typed]) -> Option<Work> {
        None
    }

    /// Observations of one summary of the quantiles 0.5, 0.9 and 0.99 without labels; `None` where
    /// the library has no quantiles.
    fn summarize(&self) -> Option<Work> {
        None
    }

    /// A registry with one family of series with three labels.
    fn family(&self, kind: Kind) -> Box<dyn Family>;
}

/// All participants; narthex is the first.
pub fn all() -> Vec<Box<dyn Participant>> {
    vec![
        Box::new(narthex::Narthex),
        Box::new(prometheus::Prometheus),
        Box::new(prometheus_client::PrometheusClient),
        Box::new(metrics::Metrics),
        Box::new(measured::Measured),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A family and the registry that exports it.
pub trait Family: Sync {
    /// Adds the whole number `value` to a counter, sets a gauge, or observes.
    fn record(&self, labels: &Labels, value: f64);

    /// Appends the page in the text format to `page`.
    fn render(&self, page: &mut Vec<u8>);

    /// Hands the page to a sink that keeps nothing.
    fn stream(&self, sink: &mut Looker);

    /// Hands the page in delimited protobuf to a sink; returns whether the library can.
    fn protobuf(&self, _sink: &mut dyn io::Write) -> bool {
        false
    }

    /// Does what the library leaves to a background task.
    fn settle(&self) {}
}

/// A hot path: a loop that was compiled for one library.
pub struct Work {
    run: Box<dyn Fn(Range<usize>) + Send + Sync>,
    settle: Box<dyn Fn()>,
}

impl Work {
    /// Work whose loop does the operations of a range, which says where in the input to begin.
    pub fn new(run: impl Fn(Range<usize>) + Send + Sync + 'static) -> Self {
        Self { run: Box::new(run), settle: Box::new(|| {}) }
    }

    /// Adds what the library leaves to a background task.
    pub fn settled_by(mut self, settle: impl Fn() + 'static) -> Self {
        self.settle = Box::new(settle);
        self
    }

    pub fn run(&self) -> &(dyn Fn(Range<usize>) + Send + Sync) {
        &*self.run
    }

    pub fn settle(&self) {
        (self.settle)();
    }
}

/// A sink that looks at the bytes and keeps none.
#[derive(Default)]
pub struct Looker {
    pub seen: usize,
}

impl Looker {
    pub fn look(&mut self, bytes: &[u8]) {
        self.seen += std::hint::black_box(bytes).len();
    }
}

impl io::Write for Looker {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.look(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Looker {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.look(text.as_bytes());
        Ok(())
    }
}

/// The item of a list that is gone through again and again; its length is a power of two.
#[inline(always)]
fn cycle<T: Copy>(items: &[T], at: usize) -> T {
    items[at & (items.len() - 1)]
}

//! Keys that do not exist, stand elsewhere, or have another form.

use narthex::{Counter, Gauge, Histogram, Metrics};

#[derive(Metrics)]
#[metrics(namespace = 1)]
#[metrics(namespace = "a", namespace = "b")]
#[metrics(prefix = "http")]
#[metrics(const_label = "zone")]
#[metric(namespace = "http")]
struct Http {
    /// A.
    #[metric(name = 1)]
    a: Gauge,
    /// B.
    #[metric(rename = "c")]
    b: Gauge,
    /// C.
    #[metric(name = "one", name = "two")]
    c: Gauge,
    /// D.
    #[metric(flatten = true)]
    d: Gauge,
    /// E.
    #[metric(flatten, unit = "seconds")]
    e: Inner,
    /// F.
    #[metrics(name = "f")]
    f: Gauge,
    /// G.
    #[metric(namespace = "g")]
    g: Gauge,
    /// H.
    #[metric("h")]
    h: Gauge,
    #[metric(help)]
    i: Counter,
    /// J.
    #[metric(std::buckets = [1.0])]
    j: Histogram,
}

#[derive(Metrics)]
struct Inner {
    /// Inner.
    inner: Gauge,
}

fn main() {}

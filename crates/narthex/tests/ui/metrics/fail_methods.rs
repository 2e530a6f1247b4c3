//! Methods that the builder does not have, or takes otherwise.

use narthex::{Counter, Gauge, Histogram, Metrics};

#[derive(Metrics)]
struct Wrong {
    /// A gauge has no buckets.
    #[metric(buckets = [0.1, 1.0])]
    gauge: Gauge,
    /// Mistyped.
    #[metric(bucket = [0.1, 1.0])]
    histogram: Histogram,
    /// Not bounds.
    #[metric(buckets = "0.1, 1.0")]
    other: Histogram,
    /// Not a text.
    #[metric(unit = 1)]
    counter: Counter,
}

fn main() {}

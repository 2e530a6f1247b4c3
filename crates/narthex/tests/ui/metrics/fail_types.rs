//! Fields that are no instruments, and flattened ones that are no metrics.

use narthex::{Gauge, Metrics, Registry};

#[derive(Metrics)]
struct Outer {
    /// A number.
    number: u64,
    /// Metrics of its own.
    inner: Inner,
    #[metric(flatten)]
    gauge: Gauge,
}

#[derive(Metrics)]
struct Inner {
    /// Inner.
    inner: Gauge,
}

struct NotDerived;

fn main() {
    NotDerived::register(&Registry::new());
    register::<NotDerived>();
}

fn register<M: Metrics>() {}

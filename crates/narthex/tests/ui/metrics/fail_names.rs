//! Names that are not valid, and metrics without help text.

use narthex::{Counter, Gauge, Metrics};

#[derive(Metrics)]
#[metrics(namespace = "my-app")]
struct Wrong {
    no_help: Gauge,
    ///
    empty_help: Gauge,
    #[doc(hidden)]
    r#type: Gauge,
    /// Not ASCII.
    größe: Gauge,
    /// Dotted.
    #[metric(name = "http.requests")]
    dotted: Counter,
    /// Empty.
    #[metric(name = "")]
    empty: Counter,
    /// First.
    first: Counter,
    /// Second.
    #[metric(name = "first")]
    second: Counter,
}

fn main() {}

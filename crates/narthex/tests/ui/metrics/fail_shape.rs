//! Types that are no set of metrics.

use narthex::{Gauge, Metrics};

#[derive(Metrics)]
struct Tuple(Gauge);

#[derive(Metrics)]
struct Unit;

#[derive(Metrics)]
struct Empty {}

#[derive(Metrics)]
enum Enum {
    One(Gauge),
}

#[derive(Metrics)]
union Union {
    one: u8,
}

fn main() {}

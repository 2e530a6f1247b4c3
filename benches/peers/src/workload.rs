//! What all participants are given: names, label sets, values. The same in every run.

use std::sync::LazyLock;

pub const COUNTER: &str = "http_requests_total";
pub const GAUGE: &str = "http_backlog_ratio";
pub const HISTOGRAM: &str = "http_request_duration_seconds";
pub const HELP: &str = "Made for the comparison.";

pub const LABEL_NAMES: [&str; 3] = ["method", "path", "status"];

/// Upper bounds in seconds, without `+Inf`.
pub const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Values of the labels `method`, `path` and `status`.
pub type Labels = [&'static str; 3];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
const STATUSES: [&str; 10] = ["200", "201", "204", "301", "400", "401", "403", "404", "500", "503"];

/// The length of the longest round-robin of inputs; all of them are powers of two.
pub const LONGEST_INPUT: usize = 1 << 18;

/// The most series that a row asks for.
pub const MOST_SERIES: usize = 1_000_000;

/// The labels of series `n`: a path of its own for every 50 series. Made beforehand, so that the
/// time it takes to put a path together is nobody's.
pub fn labels(n: usize) -> Labels {
    static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
        (0..MOST_SERIES / 50).map(|n| format!("/api/v1/resource/{n}/items")).collect()
    });
    [METHODS[n % 5], &PATHS[n / 50], STATUSES[n / 5 % 10]]
}

/// A round-robin of label sets drawn at random from the first `series`.
pub fn random_labels(series: usize) -> &'static [Labels] {
    // Hot: long enough that a branch predictor cannot learn it. Cold: many times what caches hold.
    let count = if series <= 10_000 { 1 << 13 } else { LONGEST_INPUT };
    let mut random = Random::new();
    Vec::leak((0..count).map(|_| labels(random.below(series))).collect())
}

/// Labels of closed types, each by its number: a method of 5, a cache state of 4, and whether it
/// went well.
pub type Typed = (usize, usize, bool);

/// A round-robin of such label sets drawn at random from all 40.
pub fn random_typed() -> &'static [Typed] {
    let mut random = Random::new();
    let mut draw = || (random.below(5), random.below(4), random.below(2) == 1);
    Vec::leak((0..1 << 13).map(|_| draw()).collect())
}

/// The total that series `n` shows: mostly six digits.
pub fn total(n: usize) -> f64 {
    ((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as f64
}

/// Numbers of 16 or 17 digits: durations around 50 ms that reach all buckets.
pub fn values() -> &'static [f64; 1 << 13] {
    static VALUES: LazyLock<[f64; 1 << 13]> = LazyLock::new(|| {
        let mut random = Random::new();
        std::array::from_fn(|_| (random.normal() * 1.5 - 3.0).exp())
    });
    &VALUES
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 20) as usize % end
    }

    /// Between 0 and 1, neither included.
    fn fraction(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Normally distributed (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.fraction().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }
}

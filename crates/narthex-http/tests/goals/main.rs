//! The goals of the server: misuse that it has to survive, with figures.
//!
//! Each test has a small form that every run of the tests takes, and a full one that is ignored by
//! default. This runs all of them, one after the other:
//!
//! ```text
//! cargo test --release -p narthex-http --features tls --test goals -- --include-ignored --nocapture --test-threads=1
//! ```

#[path = "../server/certs.rs"]
#[allow(dead_code, reason = "shared with the other tests, which need more of it")]
mod certs;
mod child;
#[path = "../server/client.rs"]
#[allow(dead_code, reason = "shared with the other tests, which need more of it")]
mod client;
mod ends;
mod guesses;
mod load;
mod slow;
mod soak;

use std::time::Duration;

use narthex_test::report_goal as report;

/// Whether times count: on a machine that does other things too they say nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Full,
}

impl Size {
    fn of<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }

    /// Times are a verdict of the full form alone.
    fn in_time(self, is_in_time: bool) -> bool {
        is_in_time || self == Self::Small
    }
}

/// How long each of many took.
#[derive(Clone, Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    fn quantile(&mut self, quantile: f64) -> Duration {
        self.0.sort();
        let at = (self.0.len() as f64 * quantile).ceil() as usize;
        self.0.get(at.saturating_sub(1)).copied().unwrap_or_default()
    }

    fn median(&mut self) -> Duration {
        self.quantile(0.5)
    }

    fn p99(&mut self) -> Duration {
        self.quantile(0.99)
    }

    fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

/// A time as the tables have it.
fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Memory as the tables have it.
fn mib(bytes: i64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

//! A limit on requests, as a bucket of tokens.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One request each interval, and some at once after a pause.
#[derive(Debug)]
pub(super) struct Rate {
    interval: Duration,
    /// How far ahead of time requests may come.
    tolerance: Duration,
    /// When the bucket will be full, if nobody comes until then.
    full: Mutex<Option<Instant>>,
}

impl Rate {
    /// `burst` is at least 1.
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        let tolerance = interval.saturating_mul(burst.saturating_sub(1));
        Self { interval, tolerance, full: Mutex::new(None) }
    }

    /// Takes a token, or says how long to wait for one.
    pub(super) fn refuse(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let due = full.map_or(now, |full| full.max(now));
        let ahead = due.duration_since(now);
        if ahead > self.tolerance {
            return Some(ahead - self.tolerance);
        }
        // An interval beyond what the clock can show: nobody gets a second one.
        *full = due.checked_add(self.interval).or(*full);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::Rate;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_one_request_each_interval() {
        let rate = Rate::new(SECOND, 3);
        for _ in 0..3 {
            assert_eq!(rate.refuse(), None);
        }
        assert_eq!(rate.refuse(), Some(SECOND));
        advance(SECOND / 4).await;
        assert_eq!(rate.refuse(), Some(SECOND * 3 / 4));
        advance(SECOND * 3 / 4).await;
        assert_eq!(rate.refuse(), None);
        assert_eq!(rate.refuse(), Some(SECOND));
        advance(SECOND * 100).await;
        for _ in 0..3 {
            assert_eq!(rate.refuse(), None);
        }
        assert_eq!(rate.refuse(), Some(SECOND), "a long pause fills the bucket and no more");
    }
}

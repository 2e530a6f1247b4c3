//! The time that decides what is old; tests move it.

use std::time::{Instant, SystemTime};
#[cfg(test)]
use std::{cell::Cell, time::Duration};

/// Now, on a clock that never goes back.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    return Instant::now() + AHEAD.get();
    #[cfg(not(test))]
    Instant::now()
}

/// Milliseconds since the Unix epoch, for what is shown.
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    #[cfg(test)]
    let since = since + AHEAD.get();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
thread_local! {
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Moves the time of this thread on.
#[cfg(test)]
pub(crate) fn advance(by: Duration) {
    AHEAD.set(AHEAD.get() + by);
}

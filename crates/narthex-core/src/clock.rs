//! The time that decides what is old; tests move it.

use std::time::Instant;
#[cfg(test)]
use std::{cell::Cell, time::Duration};

/// Now, on a clock that never goes back.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    return Instant::now() + AHEAD.get();
    #[cfg(not(test))]
    Instant::now()
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

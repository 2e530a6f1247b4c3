//! The time, which tests move on.

use std::time::Instant;

pub(crate) fn now() -> Instant {
    #[cfg(test)]
    return Instant::now() + testing::offset();
    #[cfg(not(test))]
    Instant::now()
}

#[cfg(test)]
pub(crate) mod testing {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static OFFSET: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    pub(super) fn offset() -> Duration {
        OFFSET.get()
    }

    /// Moves this thread's time on.
    pub(crate) fn advance(by: Duration) {
        OFFSET.set(OFFSET.get() + by);
    }
}

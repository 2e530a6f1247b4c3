//! Guards around futures.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::guard::{InProgress, RecordDuration, Timer, ToHandle, TrackProgress};

/// Measures futures.
///
/// ```
/// use narthex_core::{Gauge, Histogram, Registry, Timed};
///
/// # let registry = Registry::new();
/// # let latency = Histogram::builder("fetch_seconds", "Fetch time.").register(&registry)?;
/// # let fetches = Gauge::builder("fetches", "Fetches under way.").register(&registry)?;
/// # async fn fetch(url: &str) {}
/// # let measured =
/// async {
///     fetch("http://localhost").timed(&latency).in_progress(&fetches).await;
/// }
/// # ;
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(std::pin::pin!(measured).poll(&mut context).is_ready());
/// # assert_eq!(latency.count(), 1);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
///
/// # Cancel safety
/// Measuring begins at the first poll and ends when the future completes or is dropped, so that a
/// future that is cancelled halfway is recorded with the time it had. One that is never polled
/// leaves no trace.
pub trait Timed: Future + Sized {
    /// Records how long the future takes, in seconds.
    fn timed<I: RecordDuration>(
        self,
        instrument: &(impl ToHandle<Handle = I> + ?Sized),
    ) -> TimedFuture<Self, I> {
        TimedFuture { future: self, timer: Guard::Waiting(instrument.to_handle()) }
    }

    /// Adds one to the gauge while the future runs.
    fn in_progress<I: TrackProgress>(
        self,
        gauge: &(impl ToHandle<Handle = I> + ?Sized),
    ) -> InProgressFuture<Self, I> {
        InProgressFuture { future: self, in_progress: Guard::Waiting(gauge.to_handle()) }
    }
}

impl<F: Future> Timed for F {}

pin_project! {
    /// The future of [`Timed::timed`].
    #[must_use = "futures do nothing unless they are awaited or polled"]
    #[derive(Debug)]
    pub struct TimedFuture<F, I: RecordDuration> {
        #[pin]
        future: F,
        timer: Guard<I, Timer<I>>,
    }
}

impl<F: Future, I: RecordDuration> Future for TimedFuture<F, I> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.timer.begin(Timer::of);
        let output = ready!(this.future.poll(context));
        *this.timer = Guard::Ended;
        Poll::Ready(output)
    }
}

pin_project! {
    /// The future of [`Timed::in_progress`].
    #[must_use = "futures do nothing unless they are awaited or polled"]
    #[derive(Debug)]
    pub struct InProgressFuture<F, I: TrackProgress> {
        #[pin]
        future: F,
        in_progress: Guard<I, InProgress<I>>,
    }
}

impl<F: Future, I: TrackProgress> Future for InProgressFuture<F, I> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.in_progress.begin(InProgress::of);
        let output = ready!(this.future.poll(context));
        *this.in_progress = Guard::Ended;
        Poll::Ready(output)
    }
}

/// A guard that begins at the first poll.
///
/// It stands behind the future in its struct, because fields are dropped in this order: what a
/// cancelled future does while it is dropped is measured too.
#[derive(Debug)]
enum Guard<I, G> {
    Waiting(I),
    Begun { _guard: G },
    Ended,
}

impl<I, G> Guard<I, G> {
    fn begin(&mut self, guard: impl FnOnce(I) -> G) {
        *self = match mem::replace(self, Self::Ended) {
            Self::Waiting(instrument) => Self::Begun { _guard: guard(instrument) },
            other => other,
        };
    }
}

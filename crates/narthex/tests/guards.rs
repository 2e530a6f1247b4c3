//! Guards: what they record on every way out of a scope, and around futures.

#![allow(unused_crate_dependencies, reason = "a test uses what it needs")]

use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use narthex::{
    Attempt, Counter, DynamicFamily, Gauge, Histogram, InProgress, Registry, Summary, Timed, Timer,
};

fn histogram() -> Histogram {
    Histogram::builder("seconds", "Time.").register(&Registry::new()).unwrap()
}

fn gauge() -> Gauge {
    Gauge::builder("busy", "Jobs at work.").register(&Registry::new()).unwrap()
}

fn counter() -> Counter {
    Counter::builder("failures_total", "Failures.").register(&Registry::new()).unwrap()
}

fn family<M: narthex::Metric>() -> DynamicFamily<M>
where
    DynamicFamily<M>: narthex::Instrument<Config: Default>,
{
    narthex::Builder::<DynamicFamily<M>>::new("labelled", "Labelled.")
        .label_names(["kind"])
        .register(&Registry::new())
        .unwrap()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn panics(work: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(work)).unwrap_err();
}

#[test]
fn a38_a_timer_observes_on_every_way_out() {
    let latency = histogram();
    let fail = |text: &str| -> Result<u8, std::num::ParseIntError> {
        let _timer = latency.start_timer();
        text.parse()
    };
    fail("1").unwrap();
    assert_eq!(latency.count(), 1);
    fail("?").unwrap_err();
    assert_eq!(latency.count(), 2);
    panics(|| {
        let _timer = latency.start_timer();
        panic!("on purpose");
    });
    assert_eq!(latency.count(), 3);

    let mut cancelled = Box::pin(async {
        let _timer = latency.start_timer();
        pending::<()>().await;
    });
    assert!(poll(cancelled.as_mut()).is_pending());
    assert_eq!(latency.count(), 3);
    drop(cancelled);
    assert_eq!(latency.count(), 4);
}

#[test]
fn a38_a_timer_observes_the_seconds_once() {
    let latency = histogram();
    let elapsed = latency.start_timer().stop();
    assert_eq!(latency.count(), 1);
    assert_eq!(latency.sum(), elapsed.as_secs_f64());
    latency.start_timer().discard();
    assert_eq!(latency.count(), 1);
}

#[test]
fn a38_a_series_is_timed_without_a_handle() {
    let latency = family::<Histogram>();
    let get = latency.with(&["get"]).unwrap();
    drop(get.start_timer());
    let elapsed = get.start_timer().stop();
    assert_eq!(get.count(), 2);
    assert!(get.sum() >= elapsed.as_secs_f64());
    assert_eq!(latency.with(&["post"]).unwrap().count(), 0);
}

#[test]
fn a38_a_summary_is_timed_too() {
    let summary = Summary::builder("seconds", "Time.").register(&Registry::new()).unwrap();
    let elapsed = summary.start_timer().stop();
    assert_eq!((summary.count(), summary.sum()), (1, elapsed.as_secs_f64()));
    assert!(poll(pin!(ready(()).timed(&summary))).is_ready());
    assert_eq!(summary.count(), 2);

    let series = family::<Summary>();
    drop(series.with(&["get"]).unwrap().start_timer());
    assert_eq!(series.with(&["get"]).unwrap().count(), 1);
}

#[test]
fn a39_progress_is_tracked_on_every_way_out() {
    let busy = gauge();
    let one = busy.track_in_progress();
    let two = busy.track_in_progress();
    assert_eq!(busy.value(), 2.0);
    drop(one);
    assert_eq!(busy.value(), 1.0);
    drop(two);
    panics(|| {
        let _job = busy.track_in_progress();
        assert_eq!(busy.value(), 1.0);
        panic!("on purpose");
    });
    assert_eq!(busy.value(), 0.0);
}

#[test]
fn b32_a_series_of_a_gauge_tracks_progress_and_time() {
    let jobs = family::<Gauge>();
    let mail = jobs.with(&["mail"]).unwrap();
    let guard = mail.track_in_progress();
    assert_eq!(mail.value(), 1.0);
    assert_eq!(jobs.with(&["print"]).unwrap().value(), 0.0);
    drop(guard);
    assert_eq!(mail.value(), 0.0);

    let elapsed = mail.start_timer().stop();
    assert_eq!(mail.value(), elapsed.as_secs_f64());
    let last = gauge();
    let elapsed = last.start_timer().stop();
    assert_eq!(last.value(), elapsed.as_secs_f64());
}

#[test]
fn a40_an_attempt_counts_unless_it_succeeds() {
    let failures = counter();
    failures.attempt().succeed();
    assert_eq!(failures.value(), 0.0);
    drop(failures.attempt());
    assert_eq!(failures.value(), 1.0);
    panics(|| {
        let _attempt = failures.attempt();
        panic!("on purpose");
    });
    assert_eq!(failures.value(), 2.0);

    let mut cancelled = Box::pin(async {
        let attempt = failures.attempt();
        pending::<()>().await;
        attempt.succeed();
    });
    assert!(poll(cancelled.as_mut()).is_pending());
    drop(cancelled);
    assert_eq!(failures.value(), 3.0);
}

#[test]
fn a40_an_attempt_ends_as_its_result_says() {
    let failures = counter();
    failures.attempt().finish(&Ok::<_, u8>(1));
    failures.attempt().finish(&Err::<u8, _>(1));
    assert_eq!(failures.value(), 1.0);
    let is_large = |error: &u8| *error > 9;
    failures.attempt().finish_if(&Err::<u8, _>(1), is_large);
    failures.attempt().finish_if(&Ok::<_, u8>(10), is_large);
    assert_eq!(failures.value(), 1.0);
    failures.attempt().finish_if(&Err::<u8, _>(10), is_large);
    assert_eq!(failures.value(), 2.0);
}

#[test]
fn a40_a_series_counts_its_own_failures() {
    let failures = family::<Counter>();
    let read = failures.with(&["read"]).unwrap();
    drop(read.attempt());
    read.attempt().succeed();
    assert_eq!(read.value(), 1.0);
    assert_eq!(failures.with(&["write"]).unwrap().value(), 0.0);
}

#[test]
fn guards_start_from_any_pointer_to_an_instrument() {
    static LATENCY: LazyLock<Histogram> = LazyLock::new(histogram);
    drop(Timer::start(&LATENCY));
    drop(Timer::start(&&*LATENCY));
    drop(Timer::start(&Arc::new(LATENCY.clone())));
    drop(Timer::start(&Box::new(LATENCY.clone())));
    assert_eq!(LATENCY.count(), 4);

    let busy = Arc::new(gauge());
    let guard = InProgress::start(&busy);
    assert_eq!(busy.value(), 1.0);
    drop(guard);
    let failures = &mut counter();
    drop(Attempt::start(&failures));
    assert_eq!(failures.value(), 1.0);
}

#[test]
fn a_guard_outlives_the_handle_it_came_from() {
    let registry = Registry::new();
    let busy = Gauge::builder("busy", "Jobs at work.").register(&registry).unwrap();
    let guard = busy.track_in_progress();
    drop(busy);
    assert_eq!(registry.gather().value("busy", &[]), Some(1.0));
    drop(guard);
    assert_eq!(registry.gather().value("busy", &[]), Some(0.0));
}

#[test]
fn a38_a_future_is_timed_from_its_first_poll_to_its_end() {
    let latency = histogram();
    let never_polled = ready(()).timed(&latency);
    drop(never_polled);
    assert_eq!(latency.count(), 0);

    let mut polls = 0;
    let slow = poll_fn(|_| {
        polls += 1;
        if polls < 3 { Poll::Pending } else { Poll::Ready(7) }
    });
    let mut timed = pin!(slow.timed(&latency));
    assert!(poll(timed.as_mut()).is_pending() && poll(timed.as_mut()).is_pending());
    assert_eq!(latency.count(), 0);
    assert_eq!(poll(timed.as_mut()), Poll::Ready(7));
    assert_eq!(latency.count(), 1, "observed when it ended, though it was not dropped yet");
}

#[test]
fn a38_a_cancelled_or_panicking_future_is_timed_once() {
    let latency = histogram();
    let mut cancelled = Box::pin(pending::<()>().timed(&latency));
    assert!(poll(cancelled.as_mut()).is_pending());
    drop(cancelled);
    assert_eq!(latency.count(), 1);

    let mut panicking = Box::pin(poll_fn::<(), _>(|_| panic!("on purpose")).timed(&latency));
    panics(|| {
        let _ = poll(panicking.as_mut());
    });
    drop(panicking);
    assert_eq!(latency.count(), 2);
}

#[test]
fn a39_a_future_is_in_progress_from_its_first_poll_to_its_end() {
    let busy = gauge();
    let mut first = Box::pin(pending::<()>().in_progress(&busy));
    let mut second = Box::pin(ready(()).in_progress(&busy));
    assert_eq!(busy.value(), 0.0);
    assert!(poll(first.as_mut()).is_pending() && poll(first.as_mut()).is_pending());
    assert_eq!(busy.value(), 1.0);
    assert!(poll(second.as_mut()).is_ready());
    assert_eq!(busy.value(), 1.0);
    drop(first);
    assert_eq!(busy.value(), 0.0);
}

#[test]
fn what_a_cancelled_future_does_while_it_is_dropped_is_in_progress_too() {
    struct Cleanup(Gauge);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            assert_eq!(self.0.value(), 1.0);
            self.0.set(5.0);
        }
    }
    let busy = gauge();
    let cleanup = Cleanup(busy.clone());
    let work = async move {
        let _cleanup = cleanup;
        pending::<()>().await;
    };
    let mut work = Box::pin(work.in_progress(&busy));
    assert!(poll(work.as_mut()).is_pending());
    drop(work);
    assert_eq!(busy.value(), 4.0);
}

#[test]
fn a_measured_future_is_sent_to_another_thread() {
    let (latency, busy) = (histogram(), gauge());
    let future: Pin<Box<dyn Future<Output = u8> + Send>> =
        Box::pin(ready(3).timed(&latency).in_progress(&busy));
    let thread = std::thread::spawn(|| poll(pin!(future)));
    assert_eq!(thread.join().unwrap(), Poll::Ready(3));
    assert_eq!((latency.count(), busy.value()), (1, 0.0));
}

#[test]
fn a_future_is_measured_by_a_series() {
    let latency = family::<Histogram>();
    let get = latency.with(&["get"]).unwrap();
    assert!(poll(pin!(ready(()).timed(&get))).is_ready());
    assert_eq!(get.count(), 1);
    assert!(get.sum() < Duration::from_secs(3600).as_secs_f64());
}

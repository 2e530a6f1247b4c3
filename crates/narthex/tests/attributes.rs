//! What `timer`, `in_progress` and `count_errors` make of a function.

// The user's lints hold for the code that the attributes emit: none of it may trip them.
#![deny(
    deprecated,
    elided_lifetimes_in_paths,
    missing_docs,
    unused,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#![allow(unused_crate_dependencies, reason = "a test uses what it needs")]
#![allow(
    clippy::float_cmp,
    clippy::future_not_send,
    clippy::missing_const_for_fn,
    clippy::unused_async,
    clippy::unused_self,
    clippy::needless_pass_by_value,
    clippy::needless_pass_by_ref_mut,
    clippy::unnecessary_wraps,
    clippy::significant_drop_tightening,
    clippy::manual_async_fn,
    clippy::redundant_pub_crate,
    clippy::type_complexity,
    reason = "the values are exact, and the functions have the forms to test"
)]

use std::error::Error;
use std::fmt::Display;
use std::future::{Future, pending, ready};
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use narthex::{
    Counter, DynamicFamily, Family, Gauge, Histogram, LabelValue, Labels, Metrics, Registry,
    count_errors, in_progress, timer,
};

#[derive(Clone, Debug, Metrics)]
struct CallMetrics {
    /// Seconds.
    seconds: Histogram,
    /// Running.
    running: Gauge,
    /// Failures.
    failures_total: Counter,
    /// Seconds by kind.
    kind_seconds: Family<Histogram, KindLabels>,
    /// Failures by kind.
    #[metric(label_names = ["kind"])]
    kind_failures_total: DynamicFamily<Counter>,
}

#[derive(Clone, Copy, Debug, LabelValue)]
enum Kind {
    Get,
    Post,
}

#[derive(Debug, Labels)]
struct KindLabels {
    kind: Kind,
}

impl CallMetrics {
    fn new() -> Self {
        Self::register(&Registry::new()).unwrap()
    }

    /// Calls that were timed, calls that run, and calls that failed.
    fn check(&self, timed: u64, running: f64, failed: f64) {
        let seen = (self.seconds.count(), self.running.value(), self.failures_total.value());
        assert_eq!(seen, (timed, running, failed));
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future that never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the future waits"),
    }
}

/// Drops a future at its first `.await`.
fn cancel(future: impl Future) {
    assert!(poll(pin!(future)).is_pending());
}

fn panics<T>(work: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
}

struct Client {
    metrics: CallMetrics,
    last: String,
}

impl Client {
    fn new() -> Self {
        Self { metrics: CallMetrics::new(), last: String::new() }
    }

    #[timer(self.metrics.seconds)]
    #[in_progress(self.metrics.running)]
    #[count_errors(self.metrics.failures_total)]
    fn parse(&mut self, text: &str) -> Result<u8, ParseIntError> {
        assert_eq!(self.metrics.running.value(), 1.0);
        text.clone_into(&mut self.last);
        if text == "early" {
            return Ok(0);
        }
        assert_ne!(text, "panic");
        let number = text.parse()?;
        Ok(number)
    }

    #[timer(self.metrics.seconds)]
    #[in_progress(self.metrics.running)]
    #[count_errors(self.metrics.failures_total)]
    async fn fetch(&mut self, text: &str) -> Result<u8, Box<dyn Error + Send + Sync>> {
        assert_eq!(self.metrics.running.value(), 1.0);
        text.clone_into(&mut self.last);
        if text == "early" {
            return Ok(0);
        }
        assert_ne!(text, "panic");
        ready(()).await;
        if text == "wait" {
            pending::<()>().await;
        }
        let number = text.parse::<u8>()?;
        Ok(number)
    }

    #[count_errors(self.metrics.failures_total)]
    #[timer(self.metrics.seconds)]
    fn last(&mut self) -> Result<&mut String, &'static str> {
        if self.last.is_empty() { Err("nothing yet") } else { Ok(&mut self.last) }
    }

    #[count_errors(self.metrics.failures_total)]
    #[timer(self.metrics.seconds)]
    async fn last_async(&mut self) -> Result<&mut str, &'static str> {
        if self.last.is_empty() { Err("nothing yet") } else { Ok(&mut self.last) }
    }

    #[timer(self.metrics.seconds)]
    #[count_errors(self.metrics.failures_total)]
    fn close(self) -> Result<String, Box<Self>> {
        if self.last.is_empty() { Err(Box::new(self)) } else { Ok(self.last) }
    }

    #[timer(self.metrics.kind_seconds.with(&KindLabels { kind }))]
    #[count_errors(self.metrics.kind_failures_total.resolve(&[kind.text()]).unwrap())]
    fn of_kind(&self, kind: Kind) -> Result<(), Kind> {
        match kind {
            Kind::Get => Ok(()),
            Kind::Post => Err(kind),
        }
    }
}

#[test]
fn a38_a39_a40_every_way_out_of_a_function_is_seen() {
    let mut client = Client::new();
    let metrics = client.metrics.clone();
    assert_eq!(client.parse("7"), Ok(7));
    metrics.check(1, 0.0, 0.0);
    assert_eq!(client.parse("early"), Ok(0));
    metrics.check(2, 0.0, 0.0);
    client.parse("seven").unwrap_err();
    metrics.check(3, 0.0, 1.0);
    panics(|| client.parse("panic"));
    metrics.check(4, 0.0, 1.0);
    assert_eq!(client.last, "panic");
}

#[test]
fn a38_a39_a40_every_way_out_of_an_async_function_is_seen() {
    let mut client = Client::new();
    let metrics = client.metrics.clone();
    assert_eq!(run(client.fetch("7")).unwrap(), 7);
    metrics.check(1, 0.0, 0.0);
    assert_eq!(run(client.fetch("early")).unwrap(), 0);
    metrics.check(2, 0.0, 0.0);
    run(client.fetch("seven")).unwrap_err();
    metrics.check(3, 0.0, 1.0);
    panics(|| run(client.fetch("panic")));
    metrics.check(4, 0.0, 1.0);
    cancel(client.fetch("wait"));
    metrics.check(5, 0.0, 1.0);
}

#[test]
fn a38_a39_an_async_function_begins_at_its_first_poll() {
    let mut client = Client::new();
    let metrics = client.metrics.clone();
    drop(client.fetch("7"));
    metrics.check(0, 0.0, 0.0);
    let mut future = Box::pin(client.fetch("wait"));
    metrics.check(0, 0.0, 0.0);
    assert!(poll(future.as_mut()).is_pending());
    metrics.check(0, 1.0, 0.0);
    drop(future);
    metrics.check(1, 0.0, 0.0);
}

#[test]
fn a_method_may_give_out_what_self_lent_it() {
    let mut client = Client::new();
    client.last().unwrap_err();
    client.last.push('a');
    client.last().unwrap().push('b');
    run(client.last_async()).unwrap().make_ascii_uppercase();
    assert_eq!(client.last, "AB");
    client.metrics.check(3, 0.0, 1.0);
}

#[test]
fn a_method_may_take_self_by_value() {
    let client = Client::new();
    let metrics = client.metrics.clone();
    let Err(client) = client.close() else { unreachable!("it had nothing") };
    metrics.check(1, 0.0, 1.0);
    assert!(Client { last: "a".to_owned(), ..*client }.close().is_ok());
    metrics.check(2, 0.0, 1.0);
}

#[test]
fn the_expression_may_use_arguments_and_give_a_series() {
    let client = Client::new();
    client.of_kind(Kind::Get).unwrap();
    client.of_kind(Kind::Post).unwrap_err();
    client.of_kind(Kind::Post).unwrap_err();
    let seconds = |kind| client.metrics.kind_seconds.with(&KindLabels { kind }).count();
    assert_eq!((seconds(Kind::Get), seconds(Kind::Post)), (1, 2));
    let failures = |kind| client.metrics.kind_failures_total.with(&[kind]).unwrap().value();
    assert_eq!((failures("get"), failures("post")), (0.0, 2.0));
}

static GLOBAL: LazyLock<CallMetrics> = LazyLock::new(CallMetrics::new);
static SECONDS: LazyLock<Histogram> = LazyLock::new(|| GLOBAL.seconds.clone());

#[timer(SECONDS)]
#[timer(&GLOBAL.seconds)]
#[timer(Arc::new(GLOBAL.seconds.clone()))]
#[in_progress(GLOBAL.running, )]
fn timed_by_statics() -> f64 {
    GLOBAL.running.value()
}

#[test]
fn the_expression_may_be_a_static_or_any_pointer() {
    assert_eq!(timed_by_statics(), 1.0);
    GLOBAL.check(3, 0.0, 0.0);
}

#[timer(metrics.seconds)]
#[count_errors(metrics.failures_total)]
fn generic<'a, T, const N: usize>(
    metrics: &'a CallMetrics,
    items: [T; N],
    extra: impl IntoIterator<Item = &'a str>,
) -> Result<impl Iterator<Item = String>, String>
where
    T: Display + 'a,
    [T; N]: Sized,
{
    if N == 0 {
        Err("none")?;
    }
    let items = items.into_iter().map(|item| item.to_string());
    Ok(items.chain(extra.into_iter().map(str::to_owned)))
}

#[timer(metrics.seconds)]
#[count_errors(metrics.failures_total)]
async fn generic_async<T>(
    metrics: &CallMetrics,
    item: Option<T>,
) -> Result<impl Iterator<Item = T>, Box<dyn Error>>
where
    T: Copy,
{
    let item = item.ok_or("none")?;
    Ok([item, item].into_iter())
}

#[test]
fn functions_may_be_generic_and_give_and_take_impl_trait() {
    let metrics = CallMetrics::new();
    let all = generic(&metrics, [1, 2], ["x"]).unwrap().collect::<Vec<_>>();
    assert_eq!(all, ["1", "2", "x"]);
    assert!(generic(&metrics, [0; 0], []).is_err());
    metrics.check(2, 0.0, 1.0);
    assert_eq!(run(generic_async(&metrics, Some(4))).unwrap().sum::<i32>(), 8);
    assert!(run(generic_async::<u8>(&metrics, None)).is_err());
    metrics.check(4, 0.0, 2.0);
}

#[async_trait::async_trait]
trait Fetch {
    fn metrics(&self) -> &CallMetrics;

    #[timer(self.metrics().seconds)]
    #[in_progress(self.metrics().running)]
    #[count_errors(self.metrics().failures_total, panics)]
    async fn fetch(&mut self, text: &str) -> Result<u8, Box<dyn Error + Send + Sync>> {
        ready(()).await;
        assert_ne!(text, "panic");
        if text == "wait" {
            pending::<()>().await;
        }
        Ok(text.parse()?)
    }

    async fn own(&self, text: &str) -> Result<u8, ParseIntError>;
}

#[async_trait::async_trait]
impl Fetch for CallMetrics {
    fn metrics(&self) -> &CallMetrics {
        self
    }

    #[count_errors(self.failures_total)]
    #[timer(self.seconds)]
    #[in_progress(self.running)]
    async fn own(&self, text: &str) -> Result<u8, ParseIntError> {
        assert_eq!(self.running.value(), 1.0);
        if text == "wait" {
            pending::<()>().await;
        }
        let number = text.parse()?;
        Ok(number)
    }
}

#[test]
fn methods_of_async_trait_are_measured_as_futures() {
    let mut fetch = CallMetrics::new();
    let metrics = fetch.clone();
    drop(fetch.fetch("7"));
    metrics.check(0, 0.0, 0.0);
    assert_eq!(run(fetch.fetch("7")).unwrap(), 7);
    run(fetch.fetch("seven")).unwrap_err();
    metrics.check(2, 0.0, 1.0);
    cancel(fetch.fetch("wait"));
    metrics.check(3, 0.0, 1.0);
    panics(|| run(fetch.fetch("panic")));
    metrics.check(4, 0.0, 2.0);

    assert_eq!(run(fetch.own("7")), Ok(7));
    run(fetch.own("seven")).unwrap_err();
    cancel(fetch.own("wait"));
    metrics.check(7, 0.0, 3.0);
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[timer(metrics.seconds)]
#[count_errors(metrics.failures_total)]
fn boxed(
    metrics: CallMetrics,
    text: &str,
) -> Pin<Box<dyn Future<Output = Result<u8, Box<dyn Error>>> + '_>> {
    let text = text.trim();
    Box::pin(async move {
        ready(()).await;
        Ok(text.parse()?)
    })
}

#[timer(metrics.seconds)]
#[count_errors(metrics.failures_total)]
fn opaque(
    metrics: &CallMetrics,
    text: &'static str,
) -> impl Future<Output = Result<u8, ParseIntError>> {
    async {
        let number = text.parse()?;
        Ok(number)
    }
}

#[timer(metrics.seconds)]
fn aliased(metrics: &CallMetrics) -> Boxed<'_, u64> {
    Box::pin(async { metrics.seconds.count() })
}

#[test]
fn a_function_that_ends_with_an_async_block_is_measured_as_that() {
    let metrics = CallMetrics::new();
    let future = boxed(metrics.clone(), " 7 ");
    metrics.check(0, 0.0, 0.0);
    assert_eq!(run(future).unwrap(), 7);
    assert!(run(boxed(metrics.clone(), "x")).is_err());
    metrics.check(2, 0.0, 1.0);
    assert_eq!(run(opaque(&metrics, "7")), Ok(7));
    assert!(run(opaque(&metrics, "x")).is_err());
    metrics.check(4, 0.0, 2.0);
    assert_eq!(run(aliased(&metrics)), 4);
    metrics.check(5, 0.0, 2.0);
}

#[count_errors(metrics.failures_total, filter = |error| *error > 9)]
fn filtered(metrics: &CallMetrics, outcome: Result<u8, u8>) -> Result<u8, u8> {
    let number = outcome?;
    Ok(number + 1)
}

#[count_errors(metrics.failures_total, filter = ParseIntErrorKind::is_empty)]
async fn filtered_async(metrics: &CallMetrics, text: &str) -> Result<u8, ParseIntError> {
    text.parse()
}

struct ParseIntErrorKind;

impl ParseIntErrorKind {
    fn is_empty(error: &ParseIntError) -> bool {
        matches!(error.kind(), std::num::IntErrorKind::Empty)
    }
}

#[test]
fn a40_only_errors_that_pass_the_filter_count() {
    let metrics = CallMetrics::new();
    assert_eq!(filtered(&metrics, Ok(10)), Ok(11));
    assert_eq!(filtered(&metrics, Err(9)), Err(9));
    metrics.check(0, 0.0, 0.0);
    assert_eq!(filtered(&metrics, Err(10)), Err(10));
    metrics.check(0, 0.0, 1.0);
    assert!(run(filtered_async(&metrics, "x")).is_err());
    metrics.check(0, 0.0, 1.0);
    assert!(run(filtered_async(&metrics, "")).is_err());
    metrics.check(0, 0.0, 2.0);
}

#[count_errors(metrics.failures_total, panics)]
fn counts_panics(metrics: &CallMetrics, outcome: Option<Result<u8, u8>>) -> Result<u8, u8> {
    outcome.expect("an outcome")
}

#[count_errors(metrics.failures_total, panics, filter = |error| *error > 9)]
async fn counts_panics_async(
    metrics: &CallMetrics,
    future: impl Future<Output = Option<Result<u8, u8>>>,
) -> Result<u8, u8> {
    future.await.expect("an outcome")
}

#[test]
fn a40_panics_count_on_request() {
    let metrics = CallMetrics::new();
    assert_eq!(counts_panics(&metrics, Some(Ok(1))), Ok(1));
    metrics.check(0, 0.0, 0.0);
    assert_eq!(counts_panics(&metrics, Some(Err(1))), Err(1));
    metrics.check(0, 0.0, 1.0);
    panics(|| counts_panics(&metrics, None));
    metrics.check(0, 0.0, 2.0);

    let outcome = |outcome| run(counts_panics_async(&metrics, ready(Some(outcome))));
    assert_eq!(outcome(Ok(1)), Ok(1));
    assert_eq!(outcome(Err(1)), Err(1));
    metrics.check(0, 0.0, 2.0);
    assert_eq!(outcome(Err(10)), Err(10));
    metrics.check(0, 0.0, 3.0);
    panics(|| run(counts_panics_async(&metrics, ready(None))));
    metrics.check(0, 0.0, 4.0);
}

#[test]
fn a40_a_cancelled_future_is_no_error_not_even_while_a_panic_unwinds() {
    let metrics = CallMetrics::new();
    cancel(counts_panics_async(&metrics, pending()));
    metrics.check(0, 0.0, 0.0);
    panics(|| {
        let mut waiting = pin!(counts_panics_async(&metrics, pending()));
        assert!(poll(waiting.as_mut()).is_pending());
        resume_unwind(Box::new("on purpose"));
    });
    metrics.check(0, 0.0, 0.0);
}

#[timer(metrics.seconds)]
#[in_progress(metrics.running)]
#[count_errors(metrics.failures_total)]
fn recursive(metrics: &CallMetrics, depth: u8) -> Result<f64, f64> {
    let running = metrics.running.value();
    if depth == 0 { Err(running) } else { recursive(metrics, depth - 1) }
}

#[timer(metrics.seconds)]
#[in_progress(metrics.running)]
#[count_errors(metrics.failures_total)]
async fn recursive_async(metrics: &CallMetrics, depth: u8) -> Result<f64, f64> {
    let running = metrics.running.value();
    if depth == 0 { Err(running) } else { Box::pin(recursive_async(metrics, depth - 1)).await }
}

#[test]
fn a_recursive_function_is_seen_at_each_level() {
    let metrics = CallMetrics::new();
    assert_eq!(recursive(&metrics, 2), Err(3.0));
    metrics.check(3, 0.0, 3.0);
    assert_eq!(run(recursive_async(&metrics, 2)), Err(3.0));
    metrics.check(6, 0.0, 6.0);
}

macro_rules! in_this_order {
    ($($name:ident: $($attribute:ident $field:ident),+;)*) => {
        $(
            #[allow(clippy::needless_return)]
            mod $name {
                use super::*;

                $(#[$attribute(metrics.$field)])+
                pub(super) fn sync(metrics: &CallMetrics, fails: bool) -> Result<(), String> {
                    assert_eq!(metrics.running.value(), 1.0);
                    Err("fails").or_else(|error| if fails { Err(error) } else { Ok(()) })?;
                    return Ok(());
                }

                $(#[$attribute(metrics.$field)])+
                pub(super) async fn future(
                    metrics: &CallMetrics,
                    fails: bool,
                ) -> Result<(), String> {
                    assert_eq!(metrics.running.value(), 1.0);
                    ready(()).await;
                    Err("fails").or_else(|error| if fails { Err(error) } else { Ok(()) })?;
                    return Ok(());
                }
            }

            #[allow(unused_results)]
            fn $name() {
                let metrics = CallMetrics::new();
                $name::sync(&metrics, false).unwrap();
                $name::sync(&metrics, true).unwrap_err();
                run($name::future(&metrics, false)).unwrap();
                run($name::future(&metrics, true)).unwrap_err();
                metrics.check(4, 0.0, 2.0);
            }
        )*

        #[test]
        fn the_order_of_attributes_does_not_matter() {
            $($name();)*
        }
    };
}

in_this_order! {
    tic: timer seconds, in_progress running, count_errors failures_total;
    tci: timer seconds, count_errors failures_total, in_progress running;
    itc: in_progress running, timer seconds, count_errors failures_total;
    ict: in_progress running, count_errors failures_total, timer seconds;
    cti: count_errors failures_total, timer seconds, in_progress running;
    cit: count_errors failures_total, in_progress running, timer seconds;
}

mod elsewhere {
    pub(super) use narthex::{Attempt, InProgress, Timer, ToHandle};
}

#[timer(metrics.seconds, crate = "crate::elsewhere")]
#[in_progress(metrics.running, crate = crate::elsewhere)]
#[count_errors(metrics.failures_total, panics, crate = "elsewhere")]
fn from_elsewhere(metrics: &CallMetrics) -> Result<(), ()> {
    Err(())
}

#[test]
fn the_crate_may_be_elsewhere() {
    let metrics = CallMetrics::new();
    from_elsewhere(&metrics).unwrap_err();
    metrics.check(1, 0.0, 1.0);
}

/// The body has items, inner attributes and names that the attributes use too.
#[must_use = "a reason"]
#[timer(metrics.seconds)]
#[count_errors(metrics.failures_total)]
async fn unhygienic(metrics: &CallMetrics, result: u8, attempt: u8) -> Result<u8, ()> {
    #![allow(non_upper_case_globals)]
    const counter: u8 = 1;
    fn body(guard: u8) -> u8 {
        guard + counter
    }
    let output = body(result) + attempt;
    Ok(output)
}

#[test]
fn the_body_sees_nothing_of_the_attributes() {
    let metrics = CallMetrics::new();
    assert_eq!(run(unhygienic(&metrics, 1, 2)), Ok(4));
    metrics.check(1, 0.0, 0.0);
}

#[test]
fn a_measured_async_function_is_send() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let mut client = Client::new();
    let metrics = CallMetrics::new();
    drop(send(client.fetch("7")));
    drop(send(unhygienic(&metrics, 1, 2)));
    drop(send(counts_panics_async(&metrics, ready(None))));
}

//! What the attribute does not go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use narthex::{Counter, Registry};

static METRIC: LazyLock<Counter> =
    LazyLock::new(|| Counter::builder("metric", "Metric.").register(&Registry::new()).unwrap());

#[narthex::count_errors(METRIC)]
const fn constant() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC)]
unsafe fn not_safe() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC)]
extern "C" fn foreign() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC)]
struct Struct;

trait Trait {
    #[narthex::count_errors(METRIC)]
    fn without_body(&self) -> Result<(), ()>;
}

#[narthex::count_errors(METRIC)]
fn gives_a_future_of_another() -> Pin<Box<dyn Future<Output = Result<(), ()>>>> {
    Box::pin(std::future::ready(Ok(())))
}

#[narthex::count_errors(METRIC)]
fn returns_nothing() {}

#[narthex::count_errors(METRIC)]
async fn returns_a_number() -> u64 {
    1
}

#[narthex::count_errors(METRIC)]
fn returns_an_option() -> Option<u64> {
    None
}

fn main() {}

//! What the attribute does not go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use narthex::{Histogram, Registry};

static METRIC: LazyLock<Histogram> =
    LazyLock::new(|| Histogram::builder("metric", "Metric.").register(&Registry::new()).unwrap());

#[narthex::timer(METRIC)]
const fn constant() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer(METRIC)]
unsafe fn not_safe() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer(METRIC)]
extern "C" fn foreign() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer(METRIC)]
struct Struct;

trait Trait {
    #[narthex::timer(METRIC)]
    fn without_body(&self) -> Result<(), ()>;
}

#[narthex::timer(METRIC)]
fn gives_a_future_of_another() -> Pin<Box<dyn Future<Output = Result<(), ()>>>> {
    Box::pin(std::future::ready(Ok(())))
}

fn main() {}

//! What the attribute does not go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use narthex::{Gauge, Registry};

static METRIC: LazyLock<Gauge> =
    LazyLock::new(|| Gauge::builder("metric", "Metric.").register(&Registry::new()).unwrap());

#[narthex::in_progress(METRIC)]
const fn constant() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress(METRIC)]
unsafe fn not_safe() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress(METRIC)]
extern "C" fn foreign() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress(METRIC)]
struct Struct;

trait Trait {
    #[narthex::in_progress(METRIC)]
    fn without_body(&self) -> Result<(), ()>;
}

#[narthex::in_progress(METRIC)]
fn gives_a_future_of_another() -> Pin<Box<dyn Future<Output = Result<(), ()>>>> {
    Box::pin(std::future::ready(Ok(())))
}

fn main() {}

//! Arguments that are missing, unknown, or written otherwise.

use std::sync::LazyLock;

use narthex::{Histogram, Registry};

static METRIC: LazyLock<Histogram> =
    LazyLock::new(|| Histogram::builder("metric", "Metric.").register(&Registry::new()).unwrap());

#[narthex::timer]
fn no_arguments() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer()]
fn empty_arguments() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer(METRIC METRIC)]
fn no_comma() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer(METRIC, level = "info")]
fn unknown_option() -> Result<(), ()> {
    Ok(())
}

#[narthex::timer(METRIC, crate)]
fn crate_without_path() -> Result<(), ()> {
    Ok(())
}

fn main() {
    let _ = (no_arguments(), empty_arguments(), no_comma(), unknown_option());
}

//! Arguments that are missing, unknown, or written otherwise.

use std::sync::LazyLock;

use narthex::{Counter, Registry};

static METRIC: LazyLock<Counter> =
    LazyLock::new(|| Counter::builder("metric", "Metric.").register(&Registry::new()).unwrap());

#[narthex::count_errors]
fn no_arguments() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors()]
fn empty_arguments() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC METRIC)]
fn no_comma() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC, level = "info")]
fn unknown_option() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC, crate)]
fn crate_without_path() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC, filter)]
fn filter_without_closure() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(METRIC, panics = true)]
fn panics_with_value() -> Result<(), ()> {
    Ok(())
}

#[narthex::count_errors(filter = |_| true, METRIC)]
fn filter_first() -> Result<(), ()> {
    Ok(())
}

fn main() {
    let _ = (no_arguments(), empty_arguments(), no_comma(), unknown_option());
}

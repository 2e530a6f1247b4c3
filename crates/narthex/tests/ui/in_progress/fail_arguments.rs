//! Arguments that are missing, unknown, or written otherwise.

use std::sync::LazyLock;

use narthex::{Gauge, Registry};

static METRIC: LazyLock<Gauge> =
    LazyLock::new(|| Gauge::builder("metric", "Metric.").register(&Registry::new()).unwrap());

#[narthex::in_progress]
fn no_arguments() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress()]
fn empty_arguments() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress(METRIC METRIC)]
fn no_comma() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress(METRIC, level = "info")]
fn unknown_option() -> Result<(), ()> {
    Ok(())
}

#[narthex::in_progress(METRIC, crate)]
fn crate_without_path() -> Result<(), ()> {
    Ok(())
}

fn main() {
    let _ = (no_arguments(), empty_arguments(), no_comma(), unknown_option());
}

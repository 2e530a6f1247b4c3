//! What users of the bridge rely on, all through the macros of the facade.

mod clashes;
mod export;
mod load;

use metrics::with_local_recorder;
use narthex_core::Registry;
use narthex_format::Format;
use narthex_metrics::MetricsRecorder;
use narthex_model::Scrape;

/// What a registry gathers after `program` was recorded into it.
fn record(program: impl FnOnce()) -> Scrape {
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).expect("the first recorder of a registry");
    with_local_recorder(&recorder, program);
    registry.gather()
}

fn page(scrape: &Scrape) -> String {
    let mut page = Vec::new();
    Format::TEXT.encode(scrape, &mut page);
    String::from_utf8(page).expect("pages are text")
}

/// Checks the page of what `program` records, where nothing may be refused.
#[track_caller]
fn check(program: impl FnOnce(), expected: &[&str]) {
    let scrape = record(program);
    assert_eq!(scrape.problems(), []);
    assert_eq!(page(&scrape), expected.join("\n") + "\n");
}

/// The first problem of what `program` records, and how many updates were refused for `family`.
#[track_caller]
fn refusal(scrape: &Scrape, family: &str) -> (String, Option<f64>) {
    let problem = scrape.problems().first().expect("something was refused");
    let refused = scrape.value("narthex_metrics_refused_total", &[("family", family)]);
    (problem.to_string(), refused)
}

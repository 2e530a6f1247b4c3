//! The scrape engine, driven through its public API.

#![expect(clippy::print_stdout, reason = "goals print what they measured")]
#![expect(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod cached;
mod chosen;
mod endings;
mod logged;
mod values;

use std::time::Duration;

use narthex_core::{Collector, Registry};
use narthex_http::{Gather, ScrapeContext, ScrapeEngine, ScrapeEngineBuilder, ScrapeRequest};
use narthex_model::{MetricFamily, Scrape};
use tokio::time::Instant;

/// How long a scrape may take unless a test says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);

fn builder() -> ScrapeEngineBuilder {
    ScrapeEngine::builder(Registry::new())
}

fn request() -> ScrapeRequest {
    ScrapeRequest::new(Instant::now() + DEADLINE)
}

async fn gather(engine: &ScrapeEngine) -> Scrape {
    engine.gather(request()).await.unwrap()
}

/// Whether the page says that it has the source's data.
fn succeeded(scrape: &Scrape, source: &str) -> bool {
    scrape
        .value("narthex_source_success", &[("source", source)])
        .map(|value| value == 1.0)
        .expect("every source is accounted for")
}

fn failures(scrape: &Scrape, source: &str, cause: &str) -> u64 {
    let labels = [("source", source), ("cause", cause)];
    scrape.value("narthex_source_failures_total", &labels).expect("every cause is shown") as u64
}

fn gauge(name: &str, value: f64) -> MetricFamily {
    MetricFamily::gauge(name, "A gauge.").sample([""; 0], value).build().unwrap()
}

/// A well-behaved source.
async fn fine(scrape: ScrapeContext) {
    scrape.gauge("fine", "A gauge.").set(1.0);
}

/// A registered collector, which stands for the program's own metrics.
struct Own;

impl Collector for Own {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        families.push(gauge("own", 7.0));
    }
}

fn registry() -> Registry {
    let registry = Registry::new();
    registry.register(Own).unwrap();
    registry
}

#[tokio::test(start_paused = true)]
async fn b22_sources_and_the_registry_share_the_page() {
    let engine = ScrapeEngine::builder(registry()).source("fine", fine).build().unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("own", &[]), Some(7.0));
    assert_eq!(scrape.value("fine", &[]), Some(1.0));
    assert!(succeeded(&scrape, "fine"));
    assert!(succeeded(&scrape, "registry"));
    assert_eq!(failures(&scrape, "fine", "error"), 0);
    assert!(scrape.problems().is_empty());
}

#[tokio::test(start_paused = true)]
async fn b22_sources_run_at_the_same_time() {
    let mut engine = builder();
    for seconds in 1..=20 {
        engine = engine.source(format!("takes_{seconds}"), move |_: ScrapeContext| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            gauge(&format!("took_{seconds}"), seconds as f64)
        });
    }
    let engine = engine.build().unwrap();
    let started = Instant::now();
    let scrape =
        engine.gather(ScrapeRequest::new(started + Duration::from_secs(30))).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 20);
    for seconds in 1..=20 {
        assert!(scrape.family(&format!("took_{seconds}")).is_some());
        let source = format!("takes_{seconds}");
        let duration = scrape.value("narthex_source_duration_seconds", &[("source", &source)]);
        assert_eq!(duration.unwrap().floor(), seconds as f64);
    }
}

#[tokio::test]
async fn b22_an_engine_needs_no_source() {
    let scrape = gather(&ScrapeEngine::new(registry())).await;
    assert_eq!(scrape.value("own", &[]), Some(7.0));
}

#[tokio::test]
async fn b22_self_metrics_can_be_left_out() {
    let engine = builder().source("fine", fine).without_self_metrics().build().unwrap();
    let scrape = gather(&engine).await;
    let names: Vec<_> = scrape.families().iter().map(|family| family.name().as_str()).collect();
    assert_eq!(names, ["fine"]);
}

#[test]
fn b22_source_names_are_checked_at_build() {
    for (names, error) in [
        (vec!["a", "b", "a"], "there are two sources called `a`"),
        (vec![""], "a source needs a name, but `` is empty"),
        (vec!["registry"], "no source may be called `registry`: that is the engine's own registry"),
    ] {
        let refused = names.last().copied().unwrap();
        let engine = names.into_iter().fold(builder(), |engine, name| engine.source(name, fine));
        let found = engine.build().unwrap_err();
        assert_eq!(found.to_string(), error);
        assert_eq!(found.name(), refused);
    }
}

//! Some of the sources, and what becomes of a page when one fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use narthex_http::{Gather, OnError, ScrapeContext, ScrapeEngine, SourceStatus};
use narthex_model::Scrape;

use crate::{builder, fine, gather, registry, request, succeeded};

fn names(scrape: &Scrape) -> Vec<&str> {
    scrape.families().iter().map(|family| family.name().as_str()).collect()
}

#[tokio::test]
async fn sources_that_are_not_wanted_are_not_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = asked.clone();
    let engine = ScrapeEngine::builder(registry())
        .source("fine", fine)
        .source("other", move |_: ScrapeContext| {
            counting.fetch_add(1, Ordering::SeqCst);
            async {}
        })
        .without_self_metrics()
        .build()
        .unwrap();
    let only = async |sources: &[&str]| {
        let scrape = engine.gather(request().only(sources.iter().copied())).await.unwrap();
        names(&scrape).join(" ")
    };
    assert_eq!(only(&["fine"]).await, "fine");
    assert_eq!(only(&["registry"]).await, "own");
    assert_eq!(only(&["fine", "registry"]).await, "fine own");
    assert_eq!(only(&[]).await, "");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn self_metrics_are_those_of_the_sources_that_were_asked() {
    let engine = builder().source("a", fine).source("b", async |_: ScrapeContext| ()).build();
    let engine = engine.unwrap();
    let scrape = engine.gather(request().only(["a"])).await.unwrap();
    assert!(succeeded(&scrape, "a"));
    assert_eq!(scrape.family("narthex_source_success").unwrap().len(), 1);
}

#[tokio::test]
async fn an_engine_tells_how_its_sources_fared() {
    let engine = builder()
        .source("fine", fine)
        .source("broken", |_: ScrapeContext| async { Err::<(), _>("password is hunter2") })
        .build()
        .unwrap();
    let before = engine.sources();
    assert_eq!(
        before.iter().map(SourceStatus::name).collect::<Vec<_>>(),
        ["registry", "fine", "broken"]
    );
    assert!(before.iter().all(|source| source.succeeded().is_none()));
    gather(&engine).await;
    let after = engine.sources();
    let succeeded: Vec<_> = after.iter().map(|source| source.succeeded().unwrap()).collect();
    assert_eq!(succeeded, [true, true, false]);
    assert_eq!(after[2].failure(), Some("error"));
    assert!(after.iter().all(|source| source.duration().is_some() && source.age().is_some()));
}

#[tokio::test]
async fn b22_a_failed_source_fails_the_scrape_where_that_is_wanted() {
    let sources = || {
        builder()
            .source("fine", fine)
            .source("broken", |_: ScrapeContext| async { Err::<(), _>("password is hunter2") })
    };
    let serving = sources().build().unwrap();
    assert_eq!(gather(&serving).await.value("fine", &[]), Some(1.0));

    let failing = sources().on_error(OnError::Fail).build().unwrap();
    let error = failing.gather(request()).await.unwrap_err();
    assert_eq!(error.to_string(), "source `broken` failed: error");
    // Who does not ask the broken one gets a page.
    assert!(failing.gather(request().only(["fine"])).await.is_ok());
}

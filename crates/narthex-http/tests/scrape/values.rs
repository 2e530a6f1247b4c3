//! What sources set and return, and how it shows.

use std::sync::Arc;

use narthex_core::{Gauge, Registry};
use narthex_http::{BoxError, ScrapeContext, ScrapeEngine, Source};
use narthex_model::{FamilyError, Metric, MetricFamily, MetricType, Number, Value};

use crate::{builder, failures, fine, gather, gauge, registry, succeeded};

#[tokio::test]
async fn b22_every_kind_of_metric_can_be_set() {
    let engine = builder()
        .source("kinds", |scrape: ScrapeContext| async move {
            scrape.gauge("temperature_celsius", "Temperature.").set(-3.5);
            scrape.counter("read_bytes_total", "Bytes read.").set(9_007_199_254_740_993_u64);
            scrape.unknown("whatever", "Who knows.").set(1_u32);
            scrape.histogram("latency_seconds", "Latency.", &[0.1, 1.0]).set([1, 2, 3], 4.5);
            let up = scrape.gauge_family("up", "Whether it is up.", ["zone", "host"]);
            up.set(["b", "1"], true);
            up.set(["a", &String::from("2")], false);
            let sizes = scrape.histogram_family("size_bytes", "Size.", &[10.0], ["disk"]);
            sizes.set(["sda"], [4, 0], 12.0);
        })
        .build()
        .unwrap();
    let scrape = gather(&engine).await;
    assert!(succeeded(&scrape, "kinds"));

    let kind = |name: &str| scrape.family(name).unwrap().metric_type();
    assert_eq!(kind("temperature_celsius"), MetricType::Gauge);
    assert_eq!(kind("read_bytes_total"), MetricType::Counter);
    assert_eq!(kind("whatever"), MetricType::Unknown);
    assert_eq!(scrape.value("temperature_celsius", &[]), Some(-3.5));
    assert_eq!(scrape.value("up", &[("host", "1"), ("zone", "b")]), Some(1.0));
    assert_eq!(scrape.value("up", &[("host", "2"), ("zone", "a")]), Some(0.0));

    let first = |name: &str| scrape.family(name).unwrap().metric(0).unwrap();
    let exact = Value::Number(Number::Unsigned(9_007_199_254_740_993));
    assert_eq!(first("read_bytes_total").value(), exact);
    let histogram = |metric: Metric<'_>| match metric.value() {
        Value::Histogram(histogram) => (histogram.counts().to_vec(), histogram.sum()),
        other => panic!("not a histogram: {other:?}"),
    };
    assert_eq!(histogram(first("latency_seconds")), (vec![1, 2, 3], 4.5));
    assert_eq!(histogram(first("size_bytes")), (vec![4, 0], 12.0));
    assert_eq!(first("size_bytes").label("disk").as_deref(), Some("sda"));
}

#[tokio::test]
async fn c08_sources_carry_the_registry_s_constant_labels_but_not_its_prefix() {
    let registry = Registry::builder().prefix("app").const_label("zone", "a").build().unwrap();
    Gauge::builder("mine", "Mine.").register(&registry).unwrap().set(1.0);
    let engine = ScrapeEngine::builder(registry)
        .source("rooms", |scrape: ScrapeContext| async move {
            scrape.gauge_family("warm", "Warm.", ["room"]).set(["cellar"], false);
            scrape.gauge_family("clash", "Has the label already.", ["zone"]).set(["b"], true);
        })
        .build()
        .unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("app_mine", &[("zone", "a")]), Some(1.0));
    assert_eq!(scrape.value("warm", &[("room", "cellar"), ("zone", "a")]), Some(0.0));
    assert!(scrape.family("clash").is_none());
    assert_eq!(scrape.problems()[0].family(), &"clash");
}

#[tokio::test]
async fn b22_what_a_source_counts_in_the_registry_is_on_the_same_page() {
    let registry = Registry::new();
    let mine = Gauge::builder("mine", "Mine.").register(&registry).unwrap();
    let engine = ScrapeEngine::builder(registry)
        .source("counts", move |_: ScrapeContext| {
            let mine = mine.clone();
            async move {
                tokio::task::yield_now().await;
                mine.inc();
            }
        })
        .build()
        .unwrap();
    for scrapes in 1..=20 {
        assert_eq!(gather(&engine).await.value("mine", &[]), Some(f64::from(scrapes)));
    }
}

#[tokio::test]
async fn b22_the_last_value_of_a_series_wins() {
    let engine = builder()
        .source("twice", |scrape: ScrapeContext| async move {
            let jobs = scrape.gauge_family("jobs", "Jobs.", ["queue"]);
            jobs.set(["a"], 1.0);
            jobs.set(["b"], 2.0);
            // Described again, as a loop over devices does.
            scrape.gauge_family("jobs", "Jobs.", ["queue"]).set(["a"], 3.0);
        })
        .build()
        .unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.family("jobs").unwrap().len(), 2);
    assert_eq!(scrape.value("jobs", &[("queue", "a")]), Some(3.0));
    assert_eq!(scrape.value("jobs", &[("queue", "b")]), Some(2.0));
}

#[tokio::test]
async fn b22_series_that_are_gone_from_the_source_are_gone_from_the_page() {
    let rounds = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let engine = builder()
        .source("rounds", move |scrape: ScrapeContext| {
            let round = rounds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move {
                let seen = scrape.gauge_family("seen", "Devices seen.", ["device"]);
                seen.set([&format!("disk{round}")], 1.0);
                // Described but never set: no family without series on the page.
                let _ = scrape.gauge("silent", "Nothing.");
            }
        })
        .build()
        .unwrap();
    for round in 0..3 {
        let scrape = gather(&engine).await;
        let seen = scrape.family("seen").unwrap();
        let devices: Vec<_> = seen.metrics().filter_map(|metric| metric.label("device")).collect();
        assert_eq!(devices, [format!("disk{round}")]);
        assert!(scrape.family("silent").is_none());
    }
}

#[tokio::test]
async fn b22_closures_may_return_nothing_families_or_results() {
    async fn function(scrape: ScrapeContext) -> Result<(), BoxError> {
        scrape.add(gauge("function", 1.0));
        Ok(())
    }
    struct Typed;
    impl Source for Typed {
        async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
            scrape.gauge("typed", "A gauge.").set(1.0);
            Ok(())
        }
    }
    let names = [
        "function",
        "typed",
        "shared",
        "unit",
        "family",
        "families",
        "built",
        "result_unit",
        "result_families",
        "text_error",
    ];
    let shared = Arc::new(|scrape: ScrapeContext| scrape.add(gauge("shared", 1.0)));
    let engine = builder()
        .source("function", function)
        .source("typed", Typed)
        .source("typed_shared", Arc::new(Typed))
        .source("shared", move |scrape: ScrapeContext| {
            let shared = shared.clone();
            async move { shared(scrape) }
        })
        .source("unit", |scrape: ScrapeContext| async move { scrape.add(gauge("unit", 1.0)) })
        .source("family", |_: ScrapeContext| async { gauge("family", 1.0) })
        .source("families", |_: ScrapeContext| async { vec![gauge("families", 1.0)] })
        .source("built", |_: ScrapeContext| async {
            MetricFamily::gauge("built", "A gauge.").sample([""; 0], 1.0).build()
        })
        .source("result_unit", |scrape: ScrapeContext| async move {
            scrape.add(gauge("result_unit", 1.0));
            Ok::<(), std::io::Error>(())
        })
        .source("result_families", |_: ScrapeContext| async {
            Ok::<_, FamilyError>(vec![gauge("result_families", 1.0)])
        })
        .source("text_error", |_: ScrapeContext| async {
            Ok::<_, &'static str>(gauge("text_error", 1.0))
        })
        .build()
        .unwrap();
    let scrape = gather(&engine).await;
    for name in names {
        assert!(scrape.value(name, &[]).is_some(), "`{name}` is not on the page");
    }
}

#[tokio::test]
async fn b22_two_sources_may_fill_one_family() {
    let disk = |device: &'static str| {
        move |scrape: ScrapeContext| async move {
            scrape.gauge_family("disk", "A disk.", ["device"]).set([device], 1.0);
        }
    };
    let engine = builder().source("a", disk("sda")).source("b", disk("sdb")).build().unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("disk", &[("device", "sda")]), Some(1.0));
    assert_eq!(scrape.value("disk", &[("device", "sdb")]), Some(1.0));
    assert!(scrape.problems().is_empty());
}

#[tokio::test]
async fn b22_a_family_that_clashes_is_left_out_and_told_of() {
    let engine = narthex_http::ScrapeEngine::builder(registry())
        .source("clash", |scrape: ScrapeContext| async move {
            scrape.histogram("own", "Not a gauge.", &[1.0]).set([1, 0], 0.5);
            scrape.gauge("beside", "A gauge.").set(1.0);
        })
        .build()
        .unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("own", &[]), Some(7.0));
    assert_eq!(scrape.value("beside", &[]), Some(1.0));
    let problems: Vec<_> = scrape.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        ["family `own` was given twice with different types, buckets or labels: \
          the second is left out"]
    );
}

#[tokio::test]
async fn b22_problems_of_the_registry_are_kept() {
    struct Broken;
    impl narthex_core::Collector for Broken {
        fn collect(&self, _: &mut Vec<MetricFamily>) {
            panic!("broken");
        }
    }
    let registry = registry();
    registry.register(Broken).unwrap();
    let engine = narthex_http::ScrapeEngine::builder(registry).build().unwrap();
    let scrape = gather(&engine).await;
    assert_eq!(scrape.value("own", &[]), Some(7.0));
    assert_eq!(scrape.problems().len(), 1);
}

#[tokio::test]
async fn b22_a_mistake_costs_its_own_source_only() {
    let engine = builder()
        .source("fine", fine)
        .source("mistaken", |scrape: ScrapeContext| async move {
            scrape.gauge("good", "A gauge.").set(1.0);
            scrape.gauge("not a name", "A gauge.").set(1.0);
        })
        .build()
        .unwrap();
    let scrape = gather(&engine).await;
    assert!(succeeded(&scrape, "fine"));
    assert_eq!(scrape.value("fine", &[]), Some(1.0));
    assert!(!succeeded(&scrape, "mistaken"));
    assert_eq!(failures(&scrape, "mistaken", "error"), 1);
    assert!(scrape.family("good").is_none());
}

//! Real servers: Pushgateway, a Prometheus that scrapes it, and VictoriaMetrics.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use narthex_core::{
    Counter, Gauge, GaugeHistogram, Histogram, Info, Registry, StateSet, Summary, Unknown,
};
use narthex_format::Format;
use narthex_format::parse::{Mode, Syntax, parse};
use narthex_model::{MetricFamily, Scrape};
use narthex_push::{PushErrorKind, Pusher};
use narthex_test::{Process, Prometheus, Pushgateway, free_address, get, poll, required_component};
use serde_json::Value;

use crate::support::{LIMIT, scrape};

/// One metric of each type.
fn every_type() -> Scrape {
    let registry = Registry::new();
    let counter = Counter::builder("a_counter_total", "A \"counter\" \\ of\nlines.");
    counter.register(&registry).unwrap().inc_by(3);
    Gauge::builder("a_gauge", "A gauge.").register(&registry).unwrap().set(-1.5);
    let histogram = Histogram::builder("a_histogram_seconds", "A histogram.").buckets([0.5, 2.0]);
    let histogram = histogram.register(&registry).unwrap();
    [0.1, 1.0, 10.0].into_iter().for_each(|value| histogram.observe(value));
    let summary = Summary::builder("a_summary_bytes", "A summary.").objectives([(0.5, 0.05)]);
    let summary = summary.register(&registry).unwrap();
    [1.0, 2.0, 3.0].into_iter().for_each(|value| summary.observe(value));
    let mut families = registry.gather().into_families();
    let labelled = [
        MetricFamily::counter("b_total", "B.")
            .label_names(["path", "text"])
            .sample(["/a/b", "é \"x\" \\ \n"], 1u64)
            .sample(["", "2"], 0.25),
        MetricFamily::gauge("b_special", "")
            .label_names(["n"])
            .sample(["nan"], f64::NAN)
            .sample(["inf"], f64::INFINITY)
            .sample(["-inf"], f64::NEG_INFINITY)
            .sample(["tiny"], 5e-324)
            .sample(["exact"], 9_007_199_254_740_992.0),
        MetricFamily::unknown("an_unknown", "Unknown.").sample([""; 0], 7u64),
        MetricFamily::info("an_info", "Info.").label_names(["version"]).sample(["1.2"], 1u64),
    ];
    families.extend(labelled.map(|family| family.build().unwrap()));
    Scrape::new(families)
}

type Samples = BTreeMap<(String, BTreeMap<String, String>), String>;

/// The samples of a page, with their values as Prometheus writes them.
fn samples(scrape: &Scrape, more: &[(&str, &str)]) -> Samples {
    let mut page = Vec::new();
    Format::TEXT.encode(scrape, &mut page);
    let mut samples = Samples::new();
    for event in narthex_format::parse::Reader::text(&page) {
        let narthex_format::parse::Event::Sample(sample) = event.unwrap() else { continue };
        let labels = sample.labels().iter().map(|(name, value)| (name.into(), value.into()));
        let mut labels: BTreeMap<String, String> = labels.collect();
        labels.retain(|_, value| !value.is_empty());
        labels.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let value = sample.value().as_f64();
        samples.insert((sample.name().to_owned(), labels), format!("{value:?}"));
    }
    samples
}

#[tokio::test]
async fn real_metrics_of_every_type_arrive_and_prometheus_has_them() {
    let Some(gateway) = Pushgateway::start() else { return };
    // Its pages say what job and instance a metric is of.
    let scrape = "honor_labels: true\n";
    let started = Prometheus::start_scraping(gateway.addr(), "/metrics", scrape);
    let Some(prometheus) = started else { return };
    let pushed = every_type();
    let group = [("instance", "a/b c+d%"), ("zone", "")];
    for (job, protobuf) in [("text", false), ("protobuf/gzip", true)] {
        let mut pusher = Pusher::new(gateway.url(), job);
        for (name, value) in group {
            pusher = pusher.grouping(name, value);
        }
        let pusher = if protobuf { pusher.protobuf().gzip() } else { pusher };
        pusher.push(&pushed).await.unwrap();
    }

    // What the gateway shows to who scrapes it.
    let page = gateway.page();
    let read = parse(Syntax::Text, page.as_bytes(), Mode::Strict).unwrap();
    for job in ["text", "protobuf/gzip"] {
        let of_job = read.filter(|metric| metric.label("job").is_some_and(|of| of == job));
        let own = |family: &MetricFamily| !family.name().as_str().starts_with("push_");
        let families: Vec<_> = of_job.into_families().into_iter().filter(own).collect();
        for family in &families {
            let sent = pushed.family(family.name().as_str()).unwrap();
            let kept = if sent.metric_type() == narthex_model::MetricType::Info {
                narthex_model::MetricType::Gauge
            } else {
                sent.metric_type()
            };
            assert_eq!(
                (family.metric_type(), family.metadata().help()),
                (kept, sent.metadata().help())
            );
        }
        let labels = [("job", job), ("instance", "a/b c+d%")];
        assert_eq!(samples(&Scrape::new(families), &[]), samples(&pushed, &labels), "{job}");
    }

    // What its API says.
    let groups = gateway.groups();
    assert_eq!(groups.len(), 2);
    for group in &groups {
        assert_eq!(group["labels"]["instance"], "a/b c+d%");
        assert_eq!(group["labels"]["zone"], "");
        assert_eq!(group["last_push_successful"], true);
        let types = |name: &str| group[name]["type"].as_str().unwrap().to_owned();
        assert_eq!(types("a_counter_total"), "COUNTER");
        assert_eq!(types("a_histogram_seconds"), "HISTOGRAM");
        assert_eq!(types("a_summary_bytes"), "SUMMARY");
        assert_eq!(types("an_unknown"), "UNTYPED");
        assert_eq!(group["a_histogram_seconds"]["metrics"][0]["buckets"]["0.5"], "1");
        assert_eq!(group["a_gauge"]["metrics"][0]["value"], "-1.5");
    }

    // And what a Prometheus makes of it.
    for job in ["text", "protobuf/gzip"] {
        let labels = [("job", job), ("instance", "a/b c+d%")];
        let expected = samples(&pushed, &labels);
        let query = format!("{{job=\"{job}\",__name__!~\"push_.*|up|scrape_.*\"}}");
        let found = poll("the pushed series", LIMIT, || {
            let found = prometheus.query(&query);
            (found.len() == expected.len()).then_some(found)
        });
        let found: Samples = found.iter().map(series).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(prometheus.complaints(), [""; 0]);
}

/// A series of Prometheus's API.
fn series(series: &Value) -> ((String, BTreeMap<String, String>), String) {
    let mut labels: BTreeMap<String, String> =
        serde_json::from_value(series["metric"].clone()).unwrap();
    let name = labels.remove("__name__").unwrap();
    let value: f64 = series["value"][1].as_str().unwrap().parse().unwrap();
    ((name, labels), format!("{value:?}"))
}

#[tokio::test]
async fn real_state_sets_and_gauge_histograms_arrive_as_what_a_gateway_knows() {
    let Some(gateway) = Pushgateway::start() else { return };
    let registry = Registry::new();
    let states = StateSet::builder("a_state", "State.").states(["on", "off"]);
    states.register(&registry).unwrap().set("on").unwrap();
    let sizes = GaugeHistogram::builder("a_queue_bytes", "Queue.").buckets([1.0]);
    sizes.register(&registry).unwrap();
    Unknown::builder("an_unknown", "Unknown.").register(&registry).unwrap().set(2.0);
    Info::builder("an_info", "Info.").register(&registry).unwrap();
    let pusher = Pusher::new(gateway.url(), "j");
    pusher.push(&registry.gather()).await.unwrap();
    let page = gateway.page();
    for line in [
        "# TYPE a_queue_bytes histogram",
        "a_queue_bytes_bucket{instance=\"\",job=\"j\",le=\"1\"} 0",
        "a_state{a_state=\"on\",instance=\"\",job=\"j\"} 1",
        "an_info{instance=\"\",job=\"j\"} 1",
        "an_unknown{instance=\"\",job=\"j\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "no `{line}` in {page}");
    }
    // As protobuf the gateway would take it, and end its page there from then on.
    let error = pusher.protobuf().push(&registry.gather()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Metrics);
    assert!(error.to_string().contains("`a_queue_bytes` is a gauge histogram"), "{error}");
}

#[tokio::test]
async fn real_native_histograms_arrive_in_protobuf() {
    let Some(gateway) = Pushgateway::start() else { return };
    let registry = Registry::new();
    let histogram = Histogram::builder("h_seconds", "H.").native(1.1).register(&registry).unwrap();
    [0.1, 1.0, 1.05, 10.0].into_iter().for_each(|value| histogram.observe(value));
    let histogram_sum: f64 = [0.1, 1.0, 1.05, 10.0].into_iter().sum();
    Pusher::new(gateway.url(), "j").protobuf().push(&registry.gather()).await.unwrap();

    let accept = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                  encoding=delimited";
    let answer = get(&format!("{}/metrics", gateway.url()), &[("Accept", accept)]).unwrap();
    // All that comes after the sum, which is the native part, as it was sent.
    let mut sent = Vec::new();
    Format::PROTOBUF.encode(&registry.gather(), &mut sent);
    let sum = histogram_sum.to_le_bytes();
    let at = sent.windows(sum.len()).position(|bytes| bytes == sum).unwrap() + sum.len();
    let native = &sent[at..];
    assert!(native.len() > 20, "{native:?}");
    let arrived = answer.body.windows(native.len()).any(|bytes| bytes == native);
    assert!(arrived, "{native:?} in {:?}", answer.body);
}

#[tokio::test]
async fn real_a43_push_replaces_the_group_add_its_families_and_delete_all() {
    let Some(gateway) = Pushgateway::start() else { return };
    let one = |name: &str, value: u64| {
        let family = MetricFamily::gauge(name, "").sample([""; 0], value).build();
        Scrape::new(vec![family.unwrap()])
    };
    let names = || {
        let page = gateway.page();
        let lines = page.lines().filter(|line| line.contains("job=\"j\""));
        let names = lines.filter(|line| !line.starts_with("push_"));
        names.map(|line| line.replace("{instance=\"\",job=\"j\"}", "")).collect::<Vec<_>>()
    };
    let pusher = Pusher::new(gateway.url(), "j");
    pusher.push(&one("a", 1)).await.unwrap();
    pusher.add(&one("b", 1)).await.unwrap();
    pusher.add(&one("a", 2)).await.unwrap();
    assert_eq!(names(), ["a 2", "b 1"]);
    pusher.push(&one("c", 3)).await.unwrap();
    assert_eq!(names(), ["c 3"]);
    pusher.delete().await.unwrap();
    poll("the deletion", LIMIT, || names().is_empty().then_some(()));
    pusher.delete().await.unwrap();
}

#[tokio::test]
async fn real_a42_groups_are_what_was_meant_whatever_is_in_their_values() {
    let Some(gateway) = Pushgateway::start() else { return };
    let values = [
        "",
        "/",
        "//",
        "a/b",
        ".",
        "..",
        "...",
        "./a",
        "a b",
        "a+b",
        "a%2Fb",
        "%",
        "a?b=c",
        "a#b",
        "é",
        "Προμηθεύς",
        "a\tb\n",
        "\u{0}",
        "\\",
        "@base64",
        "=",
        ":",
        ";",
        "a&b",
        "'\"",
        "~",
        "*",
        "\u{10ffff}",
    ];
    for (at, value) in values.into_iter().enumerate() {
        let at = at.to_string();
        // A job cannot be empty.
        let job = format!("{value}{}", if value.is_empty() { "j" } else { "" });
        let pusher = Pusher::new(gateway.url(), &*job).grouping("k", value);
        let pusher = pusher.grouping("at", &*at);
        pusher.push(&scrape()).await.unwrap_or_else(|error| panic!("{value:?}: {error}"));
        let groups = gateway.groups();
        let group = groups.iter().find(|group| group["labels"]["at"] == *at).unwrap();
        assert_eq!((&group["labels"]["job"], &group["labels"]["k"]), (&job.into(), &value.into()));
    }
}

#[tokio::test]
async fn real_what_the_gateway_refuses_is_told_with_its_reason() {
    let Some(gateway) = Pushgateway::start() else { return };
    Pusher::new(gateway.url(), "j").push(&scrape()).await.unwrap();
    let counter = MetricFamily::counter("up", "").sample([""; 0], 1u64).build().unwrap();
    let other = Pusher::new(gateway.url(), "k");
    let error = other.push(&Scrape::new(vec![counter])).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (PushErrorKind::Status, 400));
    assert!(error.body().unwrap().contains("inconsistent"), "{error}");
}

#[tokio::test]
async fn real_a41_victoria_metrics_takes_pushes_at_its_import_path() {
    let Some(program) = required_component("victoria-metrics") else { return };
    let data = tempfile::tempdir().unwrap();
    let addr = free_address();
    let mut command = Command::new(program);
    command.arg(format!("-httpListenAddr={addr}")).arg("-retentionPeriod=1");
    command.arg(format!("-storageDataPath={}", data.path().display()));
    let server = Process::start(&mut command).unwrap();
    let ready =
        || get(&format!("http://{addr}/health"), &[]).ok().filter(|answer| answer.status == 200);
    poll("victoria-metrics", LIMIT, ready);

    let pushed = every_type();
    let url = format!("http://{addr}/api/v1/import/prometheus?extra_label=job=import");
    Pusher::to_url(url).gzip().push(&pushed).await.unwrap();
    get(&format!("http://{addr}/internal/force_flush"), &[]).unwrap();
    let mut expected = samples(&pushed, &[("job", "import")]);
    // It keeps decimal numbers of limited precision, and none that is not a number.
    expected.retain(|(name, _), _| name != "b_special");
    let found: Samples = poll("the pushed series", LIMIT, || {
        let query = "/api/v1/export?match[]=%7Bjob%3D%22import%22,__name__!%3D%22b_special%22%7D";
        let answer = get(&format!("http://{addr}{query}"), &[]).unwrap();
        let lines: Vec<_> = answer.text().lines().collect();
        let all = lines.len() == expected.len();
        all.then(|| lines.into_iter().map(exported).collect())
    });
    assert_eq!(found, expected);
    drop(server);
}

/// A line of VictoriaMetrics's export.
fn exported(line: &str) -> ((String, BTreeMap<String, String>), String) {
    let line: Value = serde_json::from_str(line).unwrap();
    let mut labels: BTreeMap<String, String> =
        serde_json::from_value(line["metric"].clone()).unwrap();
    let name = labels.remove("__name__").unwrap();
    ((name, labels), format!("{:?}", line["values"][0].as_f64().unwrap()))
}

#[tokio::test]
async fn real_a_gateway_that_restarts_is_pushed_to_again() {
    let Some(mut gateway) = Pushgateway::start() else { return };
    let registry = Registry::new();
    Gauge::builder("up", "Up.").register(&registry).unwrap().set(1.0);
    let pusher = Pusher::new(gateway.url(), "j").timeout(Duration::from_secs(5));
    let task = pusher.every(Duration::from_millis(100)).start(&registry).unwrap();
    poll("a push", LIMIT, || (!gateway.groups().is_empty()).then_some(()));
    gateway.down();
    gateway.up();
    poll("a push", LIMIT, || (!gateway.groups().is_empty()).then_some(()));
    task.shutdown().await.unwrap();
}

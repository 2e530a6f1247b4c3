//! The page of every example, in every format, as other programs read it.

#![cfg(all(feature = "exporter", feature = "tokio"))]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use narthex_test::{
    Job, Process, Prometheus, Relay, example, get, openmetrics_findings, promtool_findings,
};

/// The formats, and what a scraper says that reads nothing else.
const FORMATS: [(&str, &str); 3] = [
    ("text", "text/plain;version=0.0.4"),
    ("openmetrics", "application/openmetrics-text;version=1.0.0"),
    (
        "protobuf",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    ),
];

/// The examples that serve a page, with their arguments.
const SERVED: [(&str, &[&str]); 8] = [
    ("app", &["127.0.0.1:0"]),
    ("axum", &["127.0.0.1:0"]),
    ("count_errors", &["127.0.0.1:0"]),
    ("exporter", &["--host=127.0.0.1", "--port=0"]),
    ("in_progress", &["127.0.0.1:0"]),
    ("latency", &["127.0.0.1:0", "0.05", "0.2", "0.25", "0.4", "1.5"]),
    ("service", &["127.0.0.1:0"]),
    ("timer", &["127.0.0.1:0"]),
];

/// A running example and the address of its page.
#[track_caller]
fn start(name: &str, arguments: &[&str]) -> (Process, String) {
    let mut process =
        Process::start(Command::new(example(name)).args(arguments)).expect("it starts");
    let url = process.wait_for_line("listening on ");
    (process, url)
}

fn addr(url: &str) -> SocketAddr {
    let rest = url.strip_prefix("http://").expect("an address");
    rest.split('/').next().and_then(|addr| addr.parse().ok()).expect("host and port")
}

#[track_caller]
fn page(url: &str, accept: &str) -> String {
    let answer = get(url, &[("Accept", accept)]).expect("an answer");
    assert_eq!(answer.status, 200);
    answer.text().to_owned()
}

#[test]
fn real_promtool_has_nothing_to_say_about_the_examples() {
    // The sample exporter has the names of the one it is like.
    let known = [
        "a_gauge metric name should not include type 'gauge'",
        "a_counter_total metric name should not include type 'counter'",
    ];
    let counter = Command::new(example("counter")).output().expect("it runs").stdout;
    let mut pages = vec![String::from_utf8(counter).expect("text")];
    let running = SERVED.map(|(name, arguments)| start(name, arguments));
    pages.extend(running.iter().map(|(_, url)| page(url, FORMATS[0].1)));
    for page in pages {
        let Some(findings) = promtool_findings(&page) else { return };
        let new: Vec<_> =
            findings.iter().filter(|found| !known.contains(&found.as_str())).collect();
        assert!(new.is_empty(), "{new:?}\n{page}");
    }
}

#[test]
fn real_python_reads_the_openmetrics_of_the_examples() {
    for (name, arguments) in SERVED {
        let (_process, url) = start(name, arguments);
        let page = page(&url, FORMATS[1].1);
        assert!(page.ends_with("# EOF\n"), "{page}");
        let Some(finding) = openmetrics_findings(&page) else { return };
        assert_eq!(finding, None, "{page}");
        // It does find what is wrong.
        let cut = page.strip_suffix("# EOF\n").expect("seen above");
        assert!(openmetrics_findings(cut).flatten().is_some(), "{page}");
    }
}

#[test]
fn real_prometheus_scrapes_the_examples_in_every_format() {
    let running = SERVED.map(|(name, arguments)| (name, start(name, arguments)));
    let mut jobs = Vec::new();
    for (name, (_, url)) in &running {
        for (format, accept) in FORMATS {
            let target = Relay::start(url, accept).addr();
            let answer = get(&format!("http://{target}/"), &[]).expect("an answer");
            let sent = answer.header("content-type").expect("a content type");
            assert!(sent.starts_with(accept.split(';').next().unwrap_or_default()), "{sent}");
            jobs.push(Job { name: format!("{name}-{format}"), target, metrics_path: "/".into() });
        }
    }
    let features = ["native-histograms", "exemplar-storage"];
    let Some(prometheus) = Prometheus::start_with(&jobs, &features) else { return };
    prometheus.wait_until_up();
    for format in FORMATS.map(|(format, _)| format) {
        let value = |query: &str| prometheus.value(&query.replace("FORMAT", format));
        assert_eq!(value("requests_total{job='latency-FORMAT'}"), Some(5.0), "{format}");
        assert_eq!(value("count(a_gauge{job='exporter-FORMAT'})"), Some(2.0), "{format}");
        let counter = "a_counter_total{job='exporter-FORMAT',baz='spam'} >= 0";
        assert!(value(counter).is_some(), "{format}");
        assert!(value("narthex_scrapes_in_flight{job='axum-FORMAT'}").is_some(), "{format}");
        // In protobuf it is one series, of which the server keeps the native buckets.
        let native = value("histogram_count(request_seconds{job='latency-FORMAT'})");
        let classic = value("request_seconds_count{job='latency-FORMAT'}");
        let expected = if format == "protobuf" { (Some(5.0), None) } else { (None, Some(5.0)) };
        assert_eq!((native, classic), expected, "{format}");
    }
    assert_eq!(prometheus.complaints(), [""; 0]);
}

#[test]
fn real_prometheus_answers_with_what_was_observed() {
    // As many observations in each of ten buckets that are far from each other.
    let observed: Vec<f64> = (0..100).map(|n| 0.01 * f64::from(1 << (n % 10))).collect();
    let arguments: Vec<_> = observed.iter().map(ToString::to_string).collect();
    let arguments: Vec<_> =
        ["127.0.0.1:0"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let (_process, url) = start("latency", &arguments);
    // It asks for protobuf by itself with the first of these features.
    let features = ["native-histograms", "exemplar-storage"];
    let relay = Relay::start(&url, FORMATS[1].1);
    let jobs = [
        Job { name: "protobuf".into(), target: addr(&url), metrics_path: "/metrics".into() },
        Job { name: "openmetrics".into(), target: relay.addr(), metrics_path: "/".into() },
    ];
    let Some(prometheus) = Prometheus::start_with(&jobs, &features) else { return };
    prometheus.wait_until_up();

    assert_eq!(prometheus.value("histogram_count(request_seconds)"), Some(100.0));
    let sum = prometheus.value("histogram_sum(request_seconds)").expect("a sum");
    assert!((sum - observed.iter().sum::<f64>()).abs() < 1e-9, "{sum}");
    let mut sorted = observed.clone();
    sorted.sort_by(f64::total_cmp);
    for (quantile, index) in [(0.05, 4), (0.25, 24), (0.55, 54), (0.95, 94)] {
        let query = format!("histogram_quantile({quantile}, request_seconds)");
        let answer = prometheus.value(&query).expect("a quantile");
        let truth = sorted[index];
        // The buckets grow by 1.1 at most.
        assert!((truth / 1.1..truth * 1.1).contains(&answer), "{query}: {answer}, not {truth}");
    }

    // The last one of each classic bucket, and that of the counter.
    let counted = [("trace-99", 1.0)];
    let in_buckets =
        [("trace-93", 0.08), ("trace-94", 0.16), ("trace-96", 0.64), ("trace-99", 5.12)];
    let of = |selector: &str| exemplars(&prometheus, selector);
    assert_eq!(of("requests_total{job=\"protobuf\"}"), as_map(&counted));
    assert_eq!(of("requests_total{job=\"openmetrics\"}"), as_map(&counted));
    assert_eq!(of("request_seconds_bucket{job=\"openmetrics\"}"), as_map(&in_buckets));
    // In protobuf they belong to one series, and this server keeps those of them that are younger
    // than the one before, in the order of the buckets.
    let native = of("request_seconds{job=\"protobuf\"}");
    assert_eq!(native.get("trace-93"), Some(&0.08));
    let all = as_map(&in_buckets);
    assert!(native.iter().all(|(trace, value)| all.get(trace) == Some(value)), "{native:?}");
    let order = "Error on ingesting out-of-order exemplars";
    let complaints = prometheus.complaints();
    let others: Vec<_> = complaints.iter().filter(|line| !line.contains(order)).collect();
    assert!(others.is_empty(), "{others:?}");
}

fn as_map(exemplars: &[(&str, f64)]) -> BTreeMap<String, f64> {
    exemplars.iter().map(|(trace, value)| ((*trace).to_owned(), *value)).collect()
}

/// The values of the exemplars of series, by trace.
#[track_caller]
fn exemplars(prometheus: &Prometheus, selector: &str) -> BTreeMap<String, f64> {
    let selector: String = selector.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/api/v1/query_exemplars?query={selector}&start=0&end=9999999999");
    let answer = prometheus.api(&path);
    let series = answer.as_array().into_iter().flatten();
    let exemplars = series.flat_map(|series| series["exemplars"].as_array().into_iter().flatten());
    exemplars
        .map(|exemplar| {
            let trace = exemplar["labels"]["trace_id"].as_str().expect("a trace").to_owned();
            let value = exemplar["value"].as_str().and_then(|value| value.parse().ok());
            (trace, value.expect("a number"))
        })
        .collect()
}

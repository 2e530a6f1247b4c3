//! `narthex run` and the real Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use narthex_test::{Job, Prometheus, Relay, get, openmetrics_findings, promtool_findings};
use serde_json::Value;

use crate::support::{Directory, Series};

/// Parts of names that are not in snake case, as `node_exporter` has them.
const CAMEL_CASE: &[&str] = &["node_memory_", "node_netstat_"];

#[test]
fn real_promtool_has_nothing_to_say_but_about_camel_case() {
    let page = Directory::new().run(&[]).page();
    let Some(findings) = promtool_findings(&page.text) else { return };
    let kept = |finding: &String| {
        let name = finding.split(' ').next().unwrap_or_default();
        finding.ends_with("metric names should be written in 'snake_case' not 'camelCase'")
            && CAMEL_CASE.iter().any(|prefix| name.starts_with(prefix))
    };
    let new: Vec<_> = findings.iter().filter(|finding| !kept(finding)).collect();
    assert!(new.is_empty(), "{new:#?}");
}

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

#[test]
fn real_python_reads_the_page_as_strict_openmetrics() {
    let narthex = Directory::new().run(&[]);
    let page = get(&narthex.url, &[("Accept", OPEN_METRICS)]).unwrap();
    assert!(page.text().ends_with("# EOF\n"));
    let Some(finding) = openmetrics_findings(page.text()) else { return };
    assert_eq!(finding, None);
}

#[test]
fn real_prometheus_stores_the_same_names_from_every_format() {
    let narthex = Directory::new().run(&[]);
    let jobs = [
        ("text", "text/plain;version=0.0.4"),
        ("openmetrics", OPEN_METRICS),
        (
            "protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited",
        ),
    ]
    .map(|(name, accept)| {
        let target = Relay::start(&narthex.url, accept).addr();
        let answer = get(&format!("http://{target}/"), &[]).unwrap();
        let sent = answer.header("content-type").unwrap();
        assert!(sent.starts_with(accept.split(';').next().unwrap()), "{sent}");
        Job { name: name.to_owned(), target, metrics_path: "/".to_owned() }
    });
    let features = ["native-histograms", "exemplar-storage"];
    let Some(prometheus) = Prometheus::start_with(&jobs, &features) else { return };
    prometheus.wait_until_up();
    let names = |job: &Job| -> BTreeSet<String> {
        let query = format!("count by (__name__) ({{job=\"{}\"}})", job.name);
        let series = prometheus.query(&query);
        series.iter().map(|one| one["metric"]["__name__"].as_str().unwrap().to_owned()).collect()
    };
    let text = names(&jobs[0]);
    assert!(text.contains("node_boot_time_seconds"), "{text:?}");
    for job in &jobs[1..] {
        assert_eq!(names(job), text, "{}", job.name);
    }
    assert_eq!(prometheus.complaints(), [""; 0]);
}

#[test]
fn real_prometheus_stores_what_is_on_the_page() {
    let narthex = Directory::new().run(&[]);
    let Some(prometheus) = Prometheus::start(narthex.addr(), "/metrics") else { return };
    prometheus.wait_until_up();

    // What is the same before and after a scrape was the same during it, if it only ever grows.
    let before = narthex.page();
    let scraped = prometheus.value("timestamp(up)").unwrap();
    // The first scrape that ends after this one began after the page was read.
    let next = prometheus.wait_for("timestamp(up)", |time| time > scraped);
    prometheus.wait_for("timestamp(up)", |time| time > next);
    let stored = stored(&prometheus);
    let after = narthex.page();

    assert_eq!(prometheus.value("up"), Some(1.0));
    for series in before.samples.keys().filter(|series| after.samples.contains_key(*series)) {
        assert!(stored.contains_key(series), "{series:?} is not stored");
    }
    let constant = |name: &str| {
        let gauges = ["node_boot_time_seconds", "node_memory_MemTotal_bytes", "narthex_build_info"];
        before.type_of(name) == "counter" || gauges.contains(&name)
    };
    let mut counters = 0;
    for (series, value) in before.samples.iter().filter(|(series, _)| constant(&series.0)) {
        if after.samples.get(series) != Some(value) {
            continue;
        }
        assert_eq!(stored[series], *value, "{series:?}");
        counters += usize::from(before.type_of(&series.0) == "counter" && *value > 0.0);
    }
    assert!(counters > 0, "no counter stayed the same");
    for name in ["node_boot_time_seconds", "node_memory_MemTotal_bytes"] {
        assert_eq!(prometheus.value(name), before.value(name, &[]));
    }

    let metadata = prometheus.api("/api/v1/metadata");
    for (name, (metric_type, help)) in &before.families {
        // Prometheus asks for OpenMetrics, where the suffix is not in the name of a family.
        let is_counter = metric_type == "counter";
        let family = name.strip_suffix("_total").filter(|_| is_counter).unwrap_or(name);
        let entry = &metadata[family][0];
        let expected = if metric_type == "untyped" { "unknown" } else { metric_type };
        assert_eq!(
            (entry["type"].as_str(), entry["help"].as_str()),
            (Some(expected), Some(&**help)),
            "{name}"
        );
    }
    assert_eq!(prometheus.complaints(), [""; 0]);
}

/// All series that come from the page, and their values.
fn stored(prometheus: &Prometheus) -> BTreeMap<Series, f64> {
    let series = |entry: Value| {
        let mut labels: BTreeMap<String, String> =
            serde_json::from_value(entry["metric"].clone()).unwrap();
        let name = labels.remove("__name__").unwrap();
        for added in ["instance", "job"] {
            labels.remove(added).unwrap();
        }
        let value = entry["value"][1].as_str().unwrap().parse().unwrap();
        ((name, labels), value)
    };
    prometheus.query("{job=\"narthex\"}").into_iter().map(series).collect()
}

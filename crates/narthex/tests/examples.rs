//! Every example is started, and scraped where it serves.

#![cfg(all(feature = "exporter", feature = "push", feature = "tokio"))]

use std::process::Command;
use std::time::Duration;

use narthex_test::{Process, Pushgateway, example, get, poll};

fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(sample)).expect(sample);
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn a44_the_counter_example_prints_a_page() {
    let output = Command::new(example("counter")).output().expect("it runs");
    let page = "# HELP events_total Events seen.\n# TYPE events_total counter\nevents_total 3\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), page);
}

#[cfg(feature = "axum")]
#[test]
fn a44_the_axum_example_serves_its_metrics() {
    let mut process =
        Process::start(Command::new(example("axum")).arg("127.0.0.1:0")).expect("it starts");
    let url = process.wait_for_line("listening on ");
    let hello = get(&url.replace("/metrics", "/hello/marcus"), &[]).expect("an answer");
    assert_eq!(hello.text(), "Salve, marcus!\n");
    let page = get(&url, &[]).expect("an answer");
    assert_eq!(value(page.text(), "greeting_seconds_count{language=\"latin\"}"), 1.0);
    let labels = "{method=\"GET\",path=\"/hello/{name}\",status=\"200\"}";
    assert_eq!(value(page.text(), &format!("http_requests_total{labels}")), 1.0);
}

/// Starts an example that serves its metrics, and scrapes it until `sample` is at least `least`.
fn scrape_until(name: &str, sample: &str, least: f64) -> String {
    let mut process =
        Process::start(Command::new(example(name)).arg("127.0.0.1:0")).expect("it starts");
    let url = process.wait_for_line("listening on ");
    poll(sample, Duration::from_secs(30), || {
        let page = get(&url, &[]).expect("an answer").text().to_owned();
        (value(&page, sample) >= least).then_some(page)
    })
}

#[test]
fn a44_the_timer_example_times_its_work() {
    let page = scrape_until("timer", "worker_work_seconds_count", 3.0);
    assert!(value(&page, "worker_work_seconds_sum") >= 0.003, "{page}");
}

#[test]
fn a44_the_in_progress_example_shows_work_and_gives_it_up() {
    let page = scrape_until("in_progress", "downloads_given_up_total", 1.0);
    assert!(value(&page, "downloads_in_progress") >= 0.0, "{page}");
}

#[test]
fn a44_the_count_errors_example_counts_every_third_line() {
    let page = scrape_until("count_errors", "parser_failures_total", 2.0);
    let (lines, failures) =
        (value(&page, "parser_lines_total"), value(&page, "parser_failures_total"));
    assert!((lines / 3.0 - failures).abs() <= 1.0, "{page}");
}

#[test]
fn a44_the_service_example_serves_a_counter_until_it_is_told_to_end() {
    let mut process =
        Process::start(Command::new(example("service")).arg("127.0.0.1:0")).expect("it starts");
    let url = process.wait_for_line("listening on ");
    let page = get(&url, &[]).expect("an answer");
    assert_eq!(value(page.text(), "events_total{host=\"db1\",kind=\"timer_expire\"}"), 1.0);
    // Ctrl-C before it is listened to would end the program as any other.
    let status = format!("/proc/{}/status", process.id());
    poll("a handler of SIGINT", Duration::from_secs(30), || {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
        (caught & 0b10 != 0).then_some(())
    });
    process.signal("INT");
    assert!(process.wait().success());
}

#[test]
fn a44_the_app_example_has_every_common_instrument_process_and_runtime() {
    let page = scrape_until("app", "app_requests_total", 3.0);
    for sample in [
        "app_queued_jobs",
        "app_request_seconds_bucket{le=\"+Inf\"}",
        "app_request_bytes{quantile=\"0.99\"}",
        "process_cpu_seconds_total",
        "tokio_workers",
    ] {
        value(&page, sample);
    }
}

#[test]
fn a44_the_latency_example_has_exemplars_where_the_format_has() {
    let command = &mut Command::new(example("latency"));
    let mut process = Process::start(command.args(["127.0.0.1:0", "0.2"])).expect("it starts");
    let url = process.wait_for_line("listening on ");
    let accept = [("Accept", "application/openmetrics-text")];
    let page = get(&url, &accept).expect("an answer");
    let expected = "\nrequest_seconds_bucket{le=\"0.3\"} 1 # {trace_id=\"trace-0\"} 0.2 ";
    assert!(page.text().contains(expected), "{}", page.text());
    process.signal("INT");
    assert!(process.wait().success());
}

#[test]
fn real_a44_the_push_example_pushes() {
    let Some(gateway) = Pushgateway::start() else { return };
    let output = Command::new(example("push")).arg(gateway.url()).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "pushed: 200 OK\n");
    let page = gateway.page();
    let group = "instance=\"db1\",job=\"nightly_backup\"";
    assert_eq!(value(&page, &format!("backup_files_total{{{group}}}")), 3.0);
    let sample = format!("backup_file_bytes_bucket{{{group},le=\"1e+06\"}}");
    assert_eq!(value(&page, &sample), 2.0);
}

#[test]
fn b34_the_sample_exporter_updates_its_metrics_at_each_scrape() {
    let command = &mut Command::new(example("exporter"));
    command.args(["--host", "127.0.0.1", "--port", "0", "--baz", "ham"]);
    let mut process = Process::start(command).expect("it starts");
    let url = process.wait_for_line("listening on ");
    let mut last = 0.0;
    for _ in 0..20 {
        let page = get(&url, &[]).expect("an answer");
        for sample in ["a_gauge{bar=\"one\",foo=\"this\"}", "a_gauge{bar=\"that\",foo=\"and\"}"] {
            assert!((0.0..100.0).contains(&value(page.text(), sample)));
        }
        let counter = value(page.text(), "a_counter_total{baz=\"ham\"}");
        assert!((last..last + 10.0).contains(&counter), "{counter} after {last}");
        last = counter;
    }
    assert!(last > 0.0);
    process.signal("TERM");
    assert!(process.wait().success());
}

//! Every example is started, and scraped where it serves.

#![cfg(feature = "exporter")]

use std::path::PathBuf;
use std::process::Command;

use narthex_test::{Process, get};

/// An example that was built beside this test.
fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("the path of this test");
    path.pop();
    path.pop();
    let path: PathBuf = path.join("examples").join(name);
    assert!(path.exists(), "{} is not built: test all targets", path.display());
    Command::new(path)
}

fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(sample)).expect(sample);
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn a44_the_counter_example_prints_a_page() {
    let output = example("counter").output().expect("it runs");
    let page = "# HELP events_total Events seen.\n# TYPE events_total counter\nevents_total 3\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), page);
}

#[test]
fn a44_the_axum_example_serves_its_metrics() {
    let mut process = Process::start(example("axum").arg("127.0.0.1:0")).expect("it starts");
    let url = process.wait_for_line("listening on ");
    let hello = get(&url.replace("/metrics", "/hello/marcus"), &[]).expect("an answer");
    assert_eq!(hello.text(), "Salve, marcus!\n");
    let page = get(&url, &[]).expect("an answer");
    assert_eq!(value(page.text(), "greeting_seconds_count{language=\"latin\"}"), 1.0);
}

#[test]
fn b34_the_sample_exporter_updates_its_metrics_at_each_scrape() {
    let command = &mut example("exporter");
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

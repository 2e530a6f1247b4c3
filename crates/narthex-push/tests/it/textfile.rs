//! Pages for node_exporter, in files.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use narthex_core::{Gauge, Histogram, Registry};
use narthex_model::{MetricFamily, Scrape};
use narthex_push::Textfile;
use narthex_test::{Process, free_address, get, poll, required_component};

use crate::support::{LIMIT, causes, scrape};

#[test]
fn the_file_is_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.prom");
    let file = Textfile::new(&path);
    file.write(&scrape()).unwrap();
    file.write(&Scrape::default()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    file.write(&scrape()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# HELP up Up.\n# TYPE up gauge\nup 1\n");
    assert_eq!(names(folder.path()), ["a.prom"]);
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
#[cfg(unix)]
fn the_file_has_its_mode_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.prom");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    Textfile::new(&path).write(&scrape()).unwrap();
    assert_eq!(mode(), 0o644);
    Textfile::new(&path).mode(0o666).write(&scrape()).unwrap();
    assert_eq!(mode(), 0o666);
}

#[test]
fn whoever_reads_sees_a_whole_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.prom");
    let registry = Registry::new();
    let gauges: Vec<_> = (0..500)
        .map(|n| Gauge::builder(format!("g{n}"), "G.").register(&registry).unwrap())
        .collect();
    let file = Textfile::new(&path);
    file.write(&registry.gather()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0;
            while !done.load(Ordering::Relaxed) || read == 0 {
                let page = fs::read_to_string(&path).unwrap();
                let samples = page.lines().filter(|line| !line.starts_with('#'));
                let values: Vec<_> = samples.map(|line| line.split(' ').nth(1).unwrap()).collect();
                assert_eq!(values.len(), 500);
                assert!(values.iter().all(|value| *value == values[0]), "{page}");
                read += 1;
            }
        });
        for round in 1..=50 {
            gauges.iter().for_each(|gauge| gauge.set(f64::from(round)));
            file.write(&registry.gather()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn what_node_exporter_would_not_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.prom");
    Textfile::new(&path).write(&scrape()).unwrap();
    let before = fs::read_to_string(&path).unwrap();

    let mut timed = MetricFamily::gauge("g", "");
    timed.push([""; 0], 1u64);
    timed.push_timestamp(1);
    let timed = Scrape::new(vec![timed.build().unwrap()]);
    let error = Textfile::new(&path).write(&timed).unwrap_err();
    let why = "`g` has timestamps, for which node_exporter skips the whole file";
    assert_eq!(error.to_string(), format!("`{}`: {why}", path.display()));

    let mut incomplete = scrape();
    let family = MetricFamily::gauge("lost", "").build().unwrap().name().clone();
    incomplete.push_problems([narthex_model::Problem::new(family, "its collector panicked")]);
    let error = Textfile::new(&path).write(&incomplete).unwrap_err();
    assert!(error.to_string().contains("its collector panicked"), "{error}");

    for name in ["a", "a.txt", "a.prom.tmp", ""] {
        let error = Textfile::new(folder.path().join(name)).write(&scrape()).unwrap_err();
        assert!(error.to_string().ends_with("its name has to end with `.prom`"), "{error}");
    }
    let error = Textfile::new(folder.path().join("none/a.prom")).write(&scrape()).unwrap_err();
    assert!(causes(&error).contains("cannot make a file beside it: "), "{}", causes(&error));
    // A folder in its place: the new file is there already, and goes again.
    fs::create_dir(folder.path().join("b.prom")).unwrap();
    let error = Textfile::new(folder.path().join("b.prom")).write(&scrape()).unwrap_err();
    assert!(causes(&error).contains("cannot put the new file in its place"), "{}", causes(&error));

    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let mut names = names(folder.path());
    names.sort();
    assert_eq!(names, ["a.prom", "b.prom"]);
}

#[test]
fn real_node_exporter_shows_what_was_written() {
    let Some(program) = required_component("prometheus-node-exporter") else { return };
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::new();
    let gauge = Gauge::builder("backup_saved_bytes", "Bytes \\ saved.\nAll.").register(&registry);
    gauge.unwrap().set(1.5e6);
    let seconds = Histogram::builder("backup_seconds", "Time.").buckets([1.0, 60.0]);
    seconds.register(&registry).unwrap().observe(2.5);
    Textfile::new(folder.path().join("backup.prom")).write(&registry.gather()).unwrap();

    let addr = free_address();
    let mut command = Command::new(program);
    command.args(["--collector.disable-defaults", "--collector.textfile"]);
    command.arg(format!("--collector.textfile.directory={}", folder.path().display()));
    let process = Process::start(command.arg(format!("--web.listen-address={addr}"))).unwrap();
    let url = format!("http://{addr}/metrics");
    let page = poll("node_exporter", LIMIT, || get(&url, &[]).ok());
    let page = page.text();
    for line in [
        "# HELP backup_saved_bytes Bytes \\\\ saved.\\nAll.",
        "backup_saved_bytes 1.5e+06",
        "backup_seconds_bucket{le=\"60\"} 1",
        "backup_seconds_sum 2.5",
        "node_textfile_scrape_error 0",
    ] {
        assert!(page.lines().any(|found| found == line), "no `{line}` in {page}");
    }
    drop(process);
}

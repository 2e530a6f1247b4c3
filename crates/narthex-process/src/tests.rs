use std::fs;
use std::path::{Path, PathBuf};

use narthex_core::Collector;
use narthex_model::{MetricType, Scrape};

use super::{ProcessCollector, system};

const STAT: &str =
    "42 (a) ) R 1 1 1 1 1 0 2 3 4 5 150 50 158 99 20 0 7 0 1025 1048576 3 18446744073709551615\n";
const LIMITS: &str = "Limit            Soft Limit  Hard Limit  Units\n\
                      Max open files   1024        4096        files\n\
                      Max address space unlimited  unlimited   bytes\n";

fn collect(collector: &ProcessCollector) -> Scrape {
    let mut families = Vec::new();
    collector.collect(&mut families);
    Scrape::new(families)
}

/// A proc file system with process 42, less the files named in `missing`.
fn fixture(missing: &[&str]) -> (tempfile::TempDir, ProcessCollector) {
    let proc = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        if !missing.contains(&path) {
            let path = proc.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    };
    write("stat", "cpu  1 2 3\nctxt 5\nbtime 1418183276\n");
    write("42/stat", STAT);
    write("42/limits", LIMITS);
    if !missing.contains(&"42/fd") {
        for fd in 0..4 {
            write(&format!("42/fd/{fd}"), "");
        }
    }
    let collector = ProcessCollector::from_proc(proc.path(), 42);
    (proc, collector)
}

#[test]
#[cfg(target_os = "linux")]
fn b33_process_metrics_are_read_from_proc() {
    let (_proc, collector) = fixture(&[]);
    let page = system::page_size().unwrap() as f64;
    let ticks = system::clock_ticks_per_second().unwrap();
    let expected = [
        ("process_cpu_seconds_total", 200.0 / ticks),
        ("process_max_fds", 1024.0),
        ("process_open_fds", 4.0),
        ("process_resident_memory_bytes", 3.0 * page),
        ("process_start_time_seconds", 1418183276.0 + 1025.0 / ticks),
        ("process_threads", 7.0),
        ("process_virtual_memory_bytes", 1048576.0),
        ("process_virtual_memory_max_bytes", 18446744073709551615.0),
    ];
    let scrape = collect(&collector);
    assert_eq!(scrape.problems(), []);
    let got: Vec<_> = scrape
        .families()
        .iter()
        .map(|family| (family.name().as_str(), family.metric(0).unwrap().number().unwrap()))
        .collect();
    assert_eq!(got, expected);
    let cpu = scrape.family("process_cpu_seconds_total").unwrap();
    assert_eq!(cpu.metric_type(), MetricType::Counter);
    assert_eq!(cpu.metadata().help(), "Total user and system CPU time spent in seconds.");
}

#[test]
#[cfg(target_os = "linux")]
fn b33_what_cannot_be_read_is_absent() {
    let of_stat = [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_threads",
        "process_virtual_memory_bytes",
    ];
    let cases: [(&str, &[&str]); 4] = [
        ("stat", &["process_start_time_seconds"]),
        ("42/stat", &of_stat),
        ("42/limits", &["process_max_fds", "process_virtual_memory_max_bytes"]),
        ("42/fd", &["process_open_fds"]),
    ];
    for (missing, absent) in cases {
        let (_proc, collector) = fixture(&[missing]);
        let scrape = collect(&collector);
        for described in collector.describe() {
            let name = described.name().as_str();
            assert_eq!(scrape.family(name).is_none(), absent.contains(&name), "{missing}: {name}");
        }
    }
}

#[test]
fn b33_without_proc_nothing_is_collected() {
    let empty = tempfile::tempdir().unwrap();
    let scrape = collect(&ProcessCollector::from_proc(empty.path(), 42));
    assert_eq!(scrape.families(), []);
}

#[test]
#[cfg(target_os = "linux")]
fn collects_what_it_describes() {
    let (_proc, collector) = fixture(&[]);
    let scrape = collect(&collector);
    let mut described = collector.describe();
    described.sort_by(|a, b| a.name().cmp(b.name()));
    let collected: Vec<_> = scrape.families().iter().map(|f| f.metadata().clone()).collect();
    assert_eq!(described, collected);
}

#[test]
#[cfg(target_os = "linux")]
fn counts_its_own_descriptors_without_the_listing() {
    // Tests beside this one open and close files, so that one of many tries has to agree.
    let collected = || collect(&ProcessCollector::new()).value("process_open_fds", &[]).unwrap();
    let listed = || super::count_entries(Path::new("/proc/self/fd")).unwrap() as f64;
    assert!((0..1000).any(|_| collected() + 1.0 == listed()));
}

#[test]
#[cfg(target_os = "linux")]
fn reads_the_process_it_runs_in() {
    let scrape = collect(&ProcessCollector::new());
    assert_eq!(scrape.families().len(), 8);
    let value = |name| scrape.value(name, &[]).unwrap();
    assert!(value("process_threads") >= 1.0);
    assert!(value("process_resident_memory_bytes") > 0.0);
    assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(value("process_start_time_seconds") <= now.as_secs_f64() + 1.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
}

#[test]
#[cfg(target_os = "linux")]
fn b33_third_party_cases() {
    let Some(folder) = std::env::var_os("NARTHEX_CONFORMANCE").map(PathBuf::from) else {
        println!("skipped: NARTHEX_CONFORMANCE is not set");
        return;
    };
    let folder = folder.join("process");
    let text = fs::read_to_string(folder.join("expected.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 3);
    let ticks = system::clock_ticks_per_second().unwrap();
    let page = system::page_size().unwrap();
    for case in cases {
        if case["ticks_per_second"] != ticks as u64 || case["page_size"] != page {
            println!("skipped: made on a machine with other units");
            continue;
        }
        let pid = case["pid"].as_u64().unwrap() as u32;
        let scrape = collect(&ProcessCollector::from_proc(folder.join("proc"), pid));
        for (name, expected) in case["expected"].as_object().unwrap() {
            assert_eq!(scrape.value(name, &[]), expected.as_f64(), "{pid}: {name}");
        }
    }
}

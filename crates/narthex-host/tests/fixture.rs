//! A machine made of files, against the page it must give.

#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use narthex_core::{Collector, Registry};
use narthex_host::{CollectorKind, HostBuilder, HostCollector};
use narthex_model::{MetricFamily, Value};
use support::{fixtures, machine};

/// Collectors whose numbers are those of the real machine whatever its files say.
const LIVE: [CollectorKind; 3] =
    [CollectorKind::Filesystem, CollectorKind::Time, CollectorKind::Uname];

#[test]
fn a_machine_gives_its_page() {
    let kinds = CollectorKind::ALL.iter().copied().filter(|kind| !LIVE.contains(kind));
    let host = machine(&fixtures()).only(kinds).build().unwrap();
    let mut families = Vec::new();
    for outcome in host.run(&mut families) {
        assert!(outcome.error.is_none(), "{outcome:?}");
    }
    families.retain(|family| family.name() != "node_scrape_collector_duration_seconds");
    let expected = include_str!("expected_page.txt");
    for (got, expected) in text(&families).lines().zip(expected.lines()) {
        assert_eq!(got, expected);
    }
    assert_eq!(text(&families), expected);
}

#[test]
fn file_systems_are_those_of_the_first_process() {
    let host = machine(&fixtures()).only([CollectorKind::Filesystem]).build().unwrap();
    let mut families = Vec::new();
    host.run(&mut families);
    let page = text(&families);
    let root = "{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"}";
    let lost = "{device=\"/dev/sdb1\",fstype=\"xfs\",mountpoint=\"/no/such place\"}";
    for line in [
        format!("node_filesystem_device_error{root} 0"),
        format!("node_filesystem_device_error{lost} 1"),
        format!("node_filesystem_readonly{root} 1"),
        format!("node_filesystem_readonly{lost} 0"),
    ] {
        assert!(page.lines().any(|got| got == line), "{line}");
    }
    assert!(page.contains(&format!("node_filesystem_size_bytes{root}")));
    assert!(!page.contains(&format!("node_filesystem_size_bytes{lost}")));
    assert!(!page.contains("fstype=\"proc\""));
}

#[test]
fn the_clock_source_is_that_of_the_machine() {
    let host = machine(&fixtures()).only([CollectorKind::Time]).build().unwrap();
    let mut families = Vec::new();
    host.run(&mut families);
    let page = text(&families);
    for clocksource in ["acpi_pm", "hpet", "tsc"] {
        let labels = format!("{{clocksource=\"{clocksource}\",device=\"0\"}}");
        assert!(page.contains(&format!("node_time_clocksource_available_info{labels} 1\n")));
    }
    let current = "node_time_clocksource_current_info{clocksource=\"tsc\",device=\"0\"} 1\n";
    assert!(page.contains(current));
}

#[test]
fn what_cannot_be_read_costs_only_its_own_collector() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("proc")).unwrap();
    std::fs::write(root.path().join("proc/loadavg"), "1 2 3\n").unwrap();
    std::fs::write(root.path().join("proc/meminfo"), "MemTotal: 1 kB\nMemFr").unwrap();
    let registry = Registry::new();
    registry.register(machine(root.path()).build().unwrap()).unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.problems(), []);
    assert_eq!(scrape.value("node_load15", &[]), Some(3.0));
    assert_eq!(scrape.family("node_memory_MemTotal_bytes"), None);
    // These need no file.
    let works = [CollectorKind::Loadavg, CollectorKind::Time, CollectorKind::Uname];
    for kind in CollectorKind::ALL {
        let success = scrape.value("node_scrape_collector_success", &[("collector", kind.name())]);
        assert_eq!(success, Some(f64::from(u8::from(works.contains(kind)))), "{kind}");
    }
}

#[test]
fn odd_files_never_panic_and_never_give_nan() {
    let root = tempfile::tempdir().unwrap();
    let files = copied(&fixtures(), root.path());
    assert!(files.len() > 20);
    let host = machine(root.path()).build().unwrap();
    let collect = || {
        let mut families = Vec::new();
        host.collect(&mut families);
        for metric in families.iter().flat_map(MetricFamily::metrics) {
            assert!(metric.number().is_some_and(|number| !number.is_nan()), "{metric:?}");
        }
    };
    for file in files {
        let whole = std::fs::read(&file).unwrap();
        let oddities: [&[u8]; 6] = [b"", b" ", b"\xff", b":", b"-99999999999999999999999", b"NaN"];
        for at in (0..whole.len()).step_by(19) {
            std::fs::write(&file, &whole[..at]).unwrap();
            collect();
            let (before, after) = whole.split_at(at);
            let odd = [before, oddities[at % oddities.len()], &after[1..]].concat();
            std::fs::write(&file, odd).unwrap();
            collect();
        }
        std::fs::write(&file, whole).unwrap();
    }
}

/// Copies a tree and tells the files of the copy.
fn copied(from: &Path, to: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&copy).unwrap();
            files.extend(copied(&entry.path(), &copy));
        } else {
            std::fs::copy(entry.path(), &copy).unwrap();
            files.push(copy);
        }
    }
    files
}

#[test]
fn a_failed_collector_says_why() {
    let host = machine(Path::new("/no/such/place")).only([CollectorKind::Cpu]).build().unwrap();
    let outcomes = host.run(&mut Vec::new());
    let error = outcomes[0].error.as_ref().unwrap();
    assert!(error.is_not_found());
    assert_eq!(error.to_string(), "cannot read `/no/such/place/proc/stat`");
}

#[test]
fn collectors_are_switched() {
    let kinds =
        |builder: HostBuilder| -> BTreeSet<_> { builder.build().unwrap().kinds().collect() };
    let builder = HostCollector::builder;
    assert_eq!(kinds(builder()).len(), CollectorKind::ALL.len());
    assert!(!kinds(builder().disable(CollectorKind::Os)).contains(&CollectorKind::Os));
    let both = builder().only([CollectorKind::Cpu]).enable(CollectorKind::Os);
    assert_eq!(kinds(both), BTreeSet::from([CollectorKind::Cpu, CollectorKind::Os]));
}

#[test]
fn excluded_names_are_left_out() {
    let host = machine(&fixtures())
        .excluded_disks("^(loop|sda)")
        .excluded_net_devices("^lo$")
        .excluded_fs_types("xfs")
        .excluded_mount_points("^/proc")
        .build()
        .unwrap();
    let mut families = Vec::new();
    host.collect(&mut families);
    let page = text(&families);
    for absent in ["sda\"", "\"lo\"", "\"xfs\"", "mountpoint=\"/proc\""] {
        assert!(!page.contains(absent), "{absent}");
    }
    for present in ["\"dm-0\"", "\"eth0\"", "\"ext4\""] {
        assert!(page.contains(present), "{present}");
    }
}

#[test]
fn a_bad_pattern_is_refused() {
    let error = HostCollector::builder().excluded_fs_types("(").build().unwrap_err();
    let message = "`(` cannot exclude file system types: it is not a regular expression";
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_second_collector_is_refused() {
    let registry = Registry::new();
    registry.register(HostCollector::new()).unwrap();
    assert!(registry.register(HostCollector::new()).unwrap_err().is_clash());
}

#[test]
fn this_machine_is_collected_without_a_clash() {
    let registry = Registry::new();
    registry.register(HostCollector::new()).unwrap();
    let scrape = registry.gather();
    assert_eq!(scrape.problems(), []);
    println!("{} families", scrape.families().len());
    for name in ["node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_time_seconds"] {
        assert!(scrape.family(name).is_some_and(|family| !family.is_empty()), "{name}");
    }
}

/// `# name type help` and the series of each family, sorted by name.
fn text(families: &[MetricFamily]) -> String {
    let mut blocks: Vec<String> = families.iter().map(block).collect();
    blocks.sort();
    blocks.concat()
}

fn block(family: &MetricFamily) -> String {
    let name = family.name();
    let mut block = format!("# {name} {} {}\n", family.metric_type(), family.metadata().help());
    for metric in family.metrics() {
        let labels: Vec<_> =
            metric.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let Value::Number(number) = metric.value() else {
            panic!("{name} is not a number");
        };
        block.push_str(&format!("{name}{labels} {number:?}\n"));
    }
    block
}

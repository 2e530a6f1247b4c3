//! The same machine read by us and by the real `node_exporter`, where that is installed.

#![cfg(target_os = "linux")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use narthex_core::Collector;
use narthex_host::{
    CollectorKind, DEFAULT_EXCLUDED_DISKS, DEFAULT_EXCLUDED_FS_TYPES,
    DEFAULT_EXCLUDED_MOUNT_POINTS, HostCollector,
};
use narthex_model::{MetricFamily, MetricType};
use support::{fixtures, machine};

const PROGRAM: &str = "/usr/bin/prometheus-node-exporter";

/// What `node_exporter` 1.5 has and we do not, on purpose.
const NOT_OURS: [&str; 4] = [
    // The program's own.
    "node_exporter_build_info",
    // From netlink alone; `/proc/net/dev` does not tell.
    "node_network_receive_nohandler_total",
    // Reads a file for every thread of the machine.
    "node_processes_threads_state",
    // Needs the time zone database, and nothing about a machine depends on it.
    "node_time_zone_offset_seconds",
];

/// What later versions of `node_exporter` have and 1.5 does not.
const NOT_IN_1_5: [&str; 3] = [
    "node_netstat_TcpExt_TCPOFOQueue",
    "node_netstat_TcpExt_TCPRcvQDrop",
    "node_pressure_irq_stalled_seconds_total",
];

/// Families whose values another reader sees differently: the clock, the asking program itself, and
/// the CPU counters, which the kernel lets slip back.
const VOLATILE: [&str; 7] = [
    "node_cpu_guest_seconds_total",
    "node_cpu_seconds_total",
    "node_processes_state",
    "node_scrape_collector_duration_seconds",
    "node_time_seconds",
    "node_filesystem_avail_bytes",
    "node_filesystem_free_bytes",
];

#[test]
fn a_machine_made_of_files_is_read_as_node_exporter_reads_it() {
    let root = fixtures();
    let path = |flag: &str, path: &Path| format!("--path.{flag}={}", path.display());
    let Some(exporter) = NodeExporter::start(&[
        "--no-collector.netdev.netlink".to_owned(),
        path("procfs", &root.join("proc")),
        path("sysfs", &root.join("sys")),
        path("rootfs", &root),
        path("udev.data", &root.join("run/udev/data")),
    ]) else {
        return;
    };
    let theirs = exporter.page();
    let ours = Page::of(&machine(&root).build().unwrap());
    same_series(&ours, &theirs);
    for (series, value) in ours.samples.iter().filter(|(series, _)| !series.is_volatile()) {
        // A count of free inodes may change between the two readings.
        if series.name != "node_filesystem_files_free"
            && let Some(theirs) = theirs.samples.get(series)
        {
            assert!(nearly(*value, *theirs), "{series:?}: {value} here, {theirs} there");
        }
    }
}

#[test]
fn this_machine_is_read_as_node_exporter_reads_it() {
    let Some(exporter) = NodeExporter::start(&[]) else {
        return;
    };
    let host = HostCollector::new();
    let before = Page::of(&host);
    let theirs = exporter.page();
    let after = Page::of(&host);
    same_series(&after, &theirs);
    for (series, theirs) in theirs.samples.iter().filter(|(series, _)| !series.is_volatile()) {
        let grows = after.types.get(&series.name).is_some_and(|kind| kind != "gauge");
        let (Some(before), Some(after)) = (before.samples.get(series), after.samples.get(series))
        else {
            continue;
        };
        // Untyped counters of the network stack are partly gauges.
        if grows && !series.name.starts_with("node_netstat_") {
            let between = (before.min(*theirs), after.max(*theirs));
            assert!(nearly(between.0, *before), "{series:?}: {theirs} lies before {before}");
            assert!(nearly(between.1, *after), "{series:?}: {theirs} lies after {after}");
        }
    }
    for constant in ["node_memory_MemTotal_bytes", "node_filesystem_size_bytes", "node_os_version"]
    {
        let of = |page: &Page| -> Vec<_> {
            page.samples.clone().into_iter().filter(|(series, _)| series.name == constant).collect()
        };
        assert_eq!(of(&after), of(&theirs));
    }
}

/// Types, names and labels must be the same but for the differences listed above.
fn same_series(ours: &Page, theirs: &Page) {
    let listed = |name: &str| NOT_OURS.contains(&name) || NOT_IN_1_5.contains(&name);
    let types = |page: &Page| -> BTreeMap<_, _> {
        page.types.clone().into_iter().filter(|(name, _)| !listed(name)).collect()
    };
    assert_eq!(types(ours), types(theirs));
    let series = |page: &Page| -> BTreeSet<_> {
        let all = page.samples.keys().filter(|series| !listed(&series.name));
        // Which states there are changes with every process, and 1.5 leaves out whether a file
        // system that fails is read-only.
        all.filter(|series| series.name != "node_processes_state")
            .filter(|series| series.name != "node_filesystem_readonly")
            .cloned()
            .collect()
    };
    let (ours, theirs) = (series(ours), series(theirs));
    let only_ours: Vec<_> = ours.difference(&theirs).collect();
    let only_theirs: Vec<_> = theirs.difference(&ours).collect();
    assert!(only_ours.is_empty() && only_theirs.is_empty(), "{only_ours:?} {only_theirs:?}");
}

/// Equal but for rounding: `node_exporter` multiplies by 0.001 where we divide by 1000.
fn nearly(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Series {
    fn is_volatile(&self) -> bool {
        VOLATILE.contains(&&*self.name)
    }
}

/// What either program gives, with empty labels left out.
#[derive(Debug, Default)]
struct Page {
    types: BTreeMap<String, String>,
    samples: BTreeMap<Series, f64>,
}

impl Page {
    fn of(host: &HostCollector) -> Self {
        let mut families: Vec<MetricFamily> = Vec::new();
        host.collect(&mut families);
        let mut page = Self::default();
        for family in &families {
            let name = family.name().to_string();
            let kind = match family.metric_type() {
                MetricType::Unknown => "untyped",
                known => known.as_str(),
            };
            page.types.insert(name.clone(), kind.to_owned());
            for metric in family.metrics() {
                let labels = metric.labels();
                let labels = labels.map(|(k, v)| (k.to_string(), v.into_owned())).collect();
                let series = Series { name: name.clone(), labels };
                page.samples.insert(series, metric.number().unwrap());
            }
        }
        page
    }

    /// Reads text format 0.0.4 as `node_exporter` writes it.
    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines().filter(|line| !line.contains("promhttp_")) {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                page.types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let series = Series { name: name.to_owned(), labels: labels_of(labels) };
                page.samples.insert(series, value.parse().unwrap());
            }
        }
        page
    }
}

/// The labels of `a="b",c="d"}`; no value of these machines holds `",`.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let pairs = text.trim_end_matches('}').split("\",");
    let pairs = pairs.filter_map(|pair| pair.split_once("=\""));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A `node_exporter` with our collectors and our defaults.
struct NodeExporter {
    child: Child,
    address: String,
    /// Held open, for a program that logs into a closed pipe is ended.
    _log: Lines<BufReader<ChildStderr>>,
}

impl NodeExporter {
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn start(more: &[String]) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: {PROGRAM} is not installed");
            return None;
        }
        let collectors = CollectorKind::ALL.iter().map(|kind| format!("--collector.{kind}"));
        let mut child = Command::new(PROGRAM)
            .args(["--web.listen-address=127.0.0.1:0", "--web.disable-exporter-metrics"])
            .arg("--collector.disable-defaults")
            .arg("--collector.cpu.guest")
            .args(collectors)
            .arg(format!("--collector.diskstats.device-exclude={DEFAULT_EXCLUDED_DISKS}"))
            .arg(format!("--collector.filesystem.fs-types-exclude={DEFAULT_EXCLUDED_FS_TYPES}"))
            .arg(format!(
                "--collector.filesystem.mount-points-exclude={DEFAULT_EXCLUDED_MOUNT_POINTS}"
            ))
            .arg("--collector.netdev.device-exclude=^$")
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = log.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.rsplit_once("address=")?;
            line.contains("\"Listening on\"").then(|| address.trim().to_owned())
        });
        let exporter = Self { child, address: listening.unwrap_or_default(), _log: log };
        assert!(!exporter.address.is_empty(), "node_exporter does not listen");
        Some(exporter)
    }

    fn page(&self) -> Page {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        Page::parse(answer.split_once("\r\n\r\n").unwrap().1)
    }
}

impl Drop for NodeExporter {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

//! The standard process metrics of a Prometheus client.
//!
//! [`ProcessCollector`] reads them from `/proc` on Linux. What cannot be read there is left out, so
//! that elsewhere it collects nothing. With the feature `tokio`, `TokioCollector` has those of a
//! tokio runtime.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod limits;
#[cfg(feature = "tokio")]
mod runtime;
mod stat;
#[cfg_attr(target_os = "linux", path = "system_linux.rs")]
mod system;

use std::path::{Path, PathBuf};
use std::{fs, io};

use narthex_core::Collector;
use narthex_model::{Metadata, MetricFamily, MetricName, MetricType, Number};

use self::limits::Limits;
#[cfg(feature = "tokio")]
pub use self::runtime::TokioCollector;
use self::stat::Stat;

/// Collects the metrics of a process, by default of the one it runs in.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_process::ProcessCollector;
///
/// let registry = Registry::new();
/// registry.register(ProcessCollector::new())?;
/// # #[cfg(target_os = "linux")]
/// assert!(registry.gather().value("process_resident_memory_bytes", &[]) > Some(0.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProcessCollector {
    proc: PathBuf,
    process: PathBuf,
    /// Descriptors of the process that are open only while its descriptors are listed.
    open_for_listing: u64,
}

impl ProcessCollector {
    /// Collects the metrics of this process.
    pub fn new() -> Self {
        Self { proc: "/proc".into(), process: "/proc/self".into(), open_for_listing: 1 }
    }

    /// Collects the metrics of process `pid` from a proc file system mounted at `proc`.
    ///
    /// Once the process is gone there is nothing to collect.
    pub fn from_proc(proc: impl Into<PathBuf>, pid: u32) -> Self {
        let proc = proc.into();
        let process = proc.join(pid.to_string());
        Self { proc, process, open_for_listing: 0 }
    }

    fn open_fds(&self) -> Option<u64> {
        let open = count_entries(&self.process.join("fd")).ok()?;
        Some(open.saturating_sub(self.open_for_listing))
    }
}

impl Default for ProcessCollector {
    fn default() -> Self {
        Self::new()
    }
}

impl Collector for ProcessCollector {
    fn describe(&self) -> Vec<Metadata> {
        ALL.iter().map(|description| description.metadata()).collect()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        let mut add = |description: &Description, value: Option<Number>| {
            families.extend(value.map(|value| description.family(value)));
        };
        let stat = Stat::read(&self.process);
        let ticks = system::clock_ticks_per_second();
        let stat = stat.as_ref();
        add(&CPU_SECONDS, stat.and_then(|stat| stat.cpu_seconds(ticks?)).map(Number::Float));
        add(&RESIDENT_MEMORY, stat.and_then(|stat| stat.resident_bytes(system::page_size()?)));
        let boot = || stat::boot_time(&self.proc);
        let start = stat.and_then(|stat| Some(boot()? as f64 + stat.start_seconds(ticks?)?));
        add(&START_TIME, start.map(Number::Float));
        add(&THREADS, stat.and_then(|stat| stat.threads).map(Number::Unsigned));
        add(&VIRTUAL_MEMORY, stat.and_then(|stat| stat.virtual_bytes).map(Number::Unsigned));

        let limits = Limits::read(&self.process);
        add(&MAX_FDS, limits.open_files.map(Number::Unsigned));
        add(&VIRTUAL_MEMORY_MAX, limits.address_space.map(Number::Unsigned));
        add(&OPEN_FDS, self.open_fds().map(Number::Unsigned));
    }
}

/// What a family says about itself, the same for every process.
struct Description {
    name: &'static str,
    metric_type: MetricType,
    help: &'static str,
}

const CPU_SECONDS: Description = Description {
    name: "process_cpu_seconds_total",
    metric_type: MetricType::Counter,
    help: "Total user and system CPU time spent in seconds.",
};
const MAX_FDS: Description =
    Description::gauge("process_max_fds", "Maximum number of open file descriptors.");
const OPEN_FDS: Description =
    Description::gauge("process_open_fds", "Number of open file descriptors.");
const RESIDENT_MEMORY: Description =
    Description::gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
const START_TIME: Description = Description::gauge(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
);
const THREADS: Description =
    Description::gauge("process_threads", "Number of OS threads in the process.");
const VIRTUAL_MEMORY: Description =
    Description::gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
const VIRTUAL_MEMORY_MAX: Description = Description::gauge(
    "process_virtual_memory_max_bytes",
    "Maximum amount of virtual memory available in bytes.",
);

const ALL: [&Description; 8] = [
    &CPU_SECONDS,
    &MAX_FDS,
    &OPEN_FDS,
    &RESIDENT_MEMORY,
    &START_TIME,
    &THREADS,
    &VIRTUAL_MEMORY,
    &VIRTUAL_MEMORY_MAX,
];

impl Description {
    const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, metric_type: MetricType::Gauge, help }
    }

    fn metadata(&self) -> Metadata {
        let name = MetricName::new(self.name).expect("the names of process metrics are valid");
        Metadata::new(name, self.metric_type, self.help)
    }

    fn family(&self, value: Number) -> MetricFamily {
        let family = match self.metric_type {
            MetricType::Counter => MetricFamily::counter(self.name, self.help),
            _ => MetricFamily::gauge(self.name, self.help),
        };
        family.sample([""; 0], value).build().expect("the names of process metrics are valid")
    }
}

fn count_entries(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.try_fold(0, |count, entry| entry.map(|_| count + 1))
}

#[cfg(test)]
mod tests;

//! The collector of everything, and its settings.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use narthex_core::Collector;
use narthex_model::{Metadata, MetricFamily, MetricName, MetricType};

use crate::cpu::Cpus;
use crate::diskstats::Disks;
use crate::error::{CollectError, PatternError};
use crate::filesystem::Filesystems;
use crate::kind::CollectorKind;
use crate::netdev::NetDevices;
use crate::page::Page;
use crate::paths::Paths;
use crate::pattern::{
    DEFAULT_EXCLUDED_DISKS, DEFAULT_EXCLUDED_FS_TYPES, DEFAULT_EXCLUDED_MOUNT_POINTS,
    DEFAULT_EXCLUDED_NET_DEVICES, Exclude,
};
use crate::statvfs::Prober;
use crate::{
    filefd, loadavg, meminfo, netstat, os, pressure, processes, sockstat, stat, time, uname, vmstat,
};

/// Collects the metrics of this machine.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_host::{CollectorKind, HostCollector};
///
/// let host = HostCollector::builder()
///     .disable(CollectorKind::Processes)
///     .excluded_net_devices("^(lo|veth.*)$")
///     .build()?;
/// let registry = Registry::new();
/// registry.register(host)?;
/// # #[cfg(target_os = "linux")]
/// assert!(registry.gather().value("node_memory_MemTotal_bytes", &[]) > Some(0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HostCollector {
    kinds: BTreeSet<CollectorKind>,
    paths: Paths,
    cpus: Cpus,
    disks: Disks,
    filesystems: Filesystems,
    net_devices: NetDevices,
}

impl HostCollector {
    /// All default collectors with their default settings.
    pub fn new() -> Self {
        Self::builder().build().expect("the default patterns are regular expressions")
    }

    /// Starts the settings.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// The collectors that run, sorted by name.
    pub fn kinds(&self) -> impl Iterator<Item = CollectorKind> {
        self.kinds.iter().copied()
    }

    /// Adds the families of this moment and tells how each collector fared.
    ///
    /// [`Collector::collect`] does the same without telling; use this one to log why a collector
    /// failed.
    pub fn run(&self, families: &mut Vec<MetricFamily>) -> Vec<Outcome> {
        let outcomes: Vec<_> = self.kinds().map(|kind| self.run_one(kind, families)).collect();
        families.extend(scrape_families(&outcomes));
        outcomes
    }

    fn run_one(&self, kind: CollectorKind, families: &mut Vec<MetricFamily>) -> Outcome {
        let start = Instant::now();
        let mut page = Page::default();
        let result = self.collect_one(kind, &mut page);
        let duration = start.elapsed();
        let error = result.err();
        if error.is_none() {
            families.append(&mut page.into_families());
        }
        Outcome { kind, duration, error }
    }

    fn collect_one(&self, kind: CollectorKind, page: &mut Page) -> Result<(), CollectError> {
        let paths = &self.paths;
        match kind {
            CollectorKind::Cpu => self.cpus.collect(paths, page),
            CollectorKind::Diskstats => self.disks.collect(paths, page),
            CollectorKind::Filefd => filefd::collect(paths, page),
            CollectorKind::Filesystem => self.filesystems.collect(paths, page),
            CollectorKind::Loadavg => loadavg::collect(paths, page),
            CollectorKind::Meminfo => meminfo::collect(paths, page),
            CollectorKind::Netdev => self.net_devices.collect(paths, page),
            CollectorKind::Netstat => netstat::collect(paths, page),
            CollectorKind::Os => os::collect(paths, page),
            CollectorKind::Pressure => pressure::collect(paths, page),
            CollectorKind::Processes => processes::collect(paths, page),
            CollectorKind::Sockstat => sockstat::collect(paths, page),
            CollectorKind::Stat => stat::collect(paths, page),
            CollectorKind::Time => time::collect(paths, page),
            CollectorKind::Uname => uname::collect(page),
            CollectorKind::Vmstat => vmstat::collect(paths, page),
        }
    }
}

impl Default for HostCollector {
    fn default() -> Self {
        Self::new()
    }
}

impl Collector for HostCollector {
    /// Names the families that every machine has, so that a second collector is refused; which
    /// others there are depends on the kernel.
    fn describe(&self) -> Vec<Metadata> {
        let metadata = |(name, help)| {
            let name = MetricName::new(name).expect("the names of scrape metrics are valid");
            Metadata::new(name, MetricType::Gauge, help)
        };
        [DURATION, SUCCESS].into_iter().map(metadata).collect()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        self.run(families);
    }
}

/// How one collector fared in one run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Which collector it was.
    pub kind: CollectorKind,
    /// How long it took.
    pub duration: Duration,
    /// Why it gave nothing, if it failed.
    pub error: Option<CollectError>,
}

const DURATION: (&str, &str) =
    ("node_scrape_collector_duration_seconds", "Duration of a collector scrape.");
const SUCCESS: (&str, &str) = ("node_scrape_collector_success", "Whether a collector succeeded.");

fn scrape_families(outcomes: &[Outcome]) -> impl Iterator<Item = MetricFamily> {
    let gauge = |(name, help)| MetricFamily::gauge(name, help).label_names(["collector"]);
    let (mut duration, mut success) = (gauge(DURATION), gauge(SUCCESS));
    for outcome in outcomes {
        let name = [outcome.kind.name()];
        duration.push(name, outcome.duration.as_secs_f64());
        success.push(name, outcome.error.is_none());
    }
    [duration, success]
        .into_iter()
        .map(|family| family.build().expect("each collector has its own name"))
}

/// The settings of a [`HostCollector`].
///
/// Patterns are regular expressions that match anywhere in a name unless they are anchored; an
/// empty one excludes nothing.
#[derive(Clone, Debug)]
#[must_use]
pub struct HostBuilder {
    kinds: BTreeSet<CollectorKind>,
    paths: Paths,
    excluded_mount_points: String,
    excluded_fs_types: String,
    excluded_disks: String,
    excluded_net_devices: String,
    mount_timeout: Duration,
}

impl HostBuilder {
    /// Runs a collector; by default those run of which
    /// [`is_default`](CollectorKind::is_default) holds.
    pub fn enable(mut self, kind: CollectorKind) -> Self {
        self.kinds.insert(kind);
        self
    }

    /// Does not run a collector.
    pub fn disable(mut self, kind: CollectorKind) -> Self {
        self.kinds.remove(&kind);
        self
    }

    /// Runs these collectors and no others.
    pub fn only(mut self, kinds: impl IntoIterator<Item = CollectorKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Where the proc file system is mounted; by default `/proc`.
    pub fn procfs(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.procfs = path.into();
        self
    }

    /// Where the sys file system is mounted; by default `/sys`.
    pub fn sysfs(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.sysfs = path.into();
        self
    }

    /// Where the root of the machine is mounted, as in a container; by default `/`.
    pub fn rootfs(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.rootfs = path.into();
        self
    }

    /// Leaves out file systems by mount point; by default [`DEFAULT_EXCLUDED_MOUNT_POINTS`].
    pub fn excluded_mount_points(mut self, pattern: impl Into<String>) -> Self {
        self.excluded_mount_points = pattern.into();
        self
    }

    /// Leaves out file systems by type; by default [`DEFAULT_EXCLUDED_FS_TYPES`].
    pub fn excluded_fs_types(mut self, pattern: impl Into<String>) -> Self {
        self.excluded_fs_types = pattern.into();
        self
    }

    /// Leaves out disks by name; by default [`DEFAULT_EXCLUDED_DISKS`].
    pub fn excluded_disks(mut self, pattern: impl Into<String>) -> Self {
        self.excluded_disks = pattern.into();
        self
    }

    /// Leaves out network devices by name; by default [`DEFAULT_EXCLUDED_NET_DEVICES`], none.
    pub fn excluded_net_devices(mut self, pattern: impl Into<String>) -> Self {
        self.excluded_net_devices = pattern.into();
        self
    }

    /// How long a scrape waits for file systems that do not answer; by default one second.
    ///
    /// One that took longer has `node_filesystem_device_error` 1, and no scrape waits for it again
    /// before it has answered.
    pub fn mount_timeout(mut self, timeout: Duration) -> Self {
        self.mount_timeout = timeout;
        self
    }

    /// Builds the collector.
    ///
    /// # Errors
    /// Returns a [`PatternError`] for a pattern that is not a regular expression.
    pub fn build(self) -> Result<HostCollector, PatternError> {
        Ok(HostCollector {
            kinds: self.kinds,
            paths: self.paths,
            cpus: Cpus::default(),
            disks: Disks { excluded: Exclude::new("disks", &self.excluded_disks)? },
            filesystems: Filesystems {
                excluded_points: Exclude::new("mount points", &self.excluded_mount_points)?,
                excluded_types: Exclude::new("file system types", &self.excluded_fs_types)?,
                prober: Prober::new(self.mount_timeout),
            },
            net_devices: NetDevices {
                excluded: Exclude::new("network devices", &self.excluded_net_devices)?,
            },
        })
    }
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self {
            kinds: CollectorKind::ALL.iter().copied().filter(|kind| kind.is_default()).collect(),
            paths: Paths { procfs: "/proc".into(), sysfs: "/sys".into(), rootfs: "/".into() },
            excluded_mount_points: DEFAULT_EXCLUDED_MOUNT_POINTS.to_owned(),
            excluded_fs_types: DEFAULT_EXCLUDED_FS_TYPES.to_owned(),
            excluded_disks: DEFAULT_EXCLUDED_DISKS.to_owned(),
            excluded_net_devices: DEFAULT_EXCLUDED_NET_DEVICES.to_owned(),
            mount_timeout: Duration::from_secs(1),
        }
    }
}

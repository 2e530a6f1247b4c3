//! The machine as a source: its options, and the log of what fails.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use narthex_core::Collector;
use narthex_host::{
    CollectorKind, DEFAULT_EXCLUDED_DISKS, DEFAULT_EXCLUDED_FS_TYPES,
    DEFAULT_EXCLUDED_MOUNT_POINTS, DEFAULT_EXCLUDED_NET_DEVICES, HostCollector, Outcome,
};
use narthex_model::{Metadata, MetricFamily};

/// What is collected of this machine; the names of the options are those of `node_exporter`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of collectors")]
pub(super) struct HostArgs {
    /// Regular expression of mount points to leave out.
    #[arg(
        id = "collector_filesystem_mount_points_exclude",
        long = "collector.filesystem.mount-points-exclude",
        value_name = "REGEX",
        default_value = DEFAULT_EXCLUDED_MOUNT_POINTS,
        value_parser = pattern
    )]
    excluded_mount_points: String,

    /// Regular expression of file system types to leave out.
    #[arg(
        id = "collector_filesystem_fs_types_exclude",
        long = "collector.filesystem.fs-types-exclude",
        value_name = "REGEX",
        default_value = DEFAULT_EXCLUDED_FS_TYPES,
        value_parser = pattern
    )]
    excluded_fs_types: String,

    /// Regular expression of disks to leave out.
    #[arg(
        id = "collector_diskstats_device_exclude",
        long = "collector.diskstats.device-exclude",
        value_name = "REGEX",
        default_value = DEFAULT_EXCLUDED_DISKS,
        value_parser = pattern
    )]
    excluded_disks: String,

    /// Regular expression of network devices to leave out; none by default.
    #[arg(
        id = "collector_netdev_device_exclude",
        long = "collector.netdev.device-exclude",
        value_name = "REGEX",
        default_value = DEFAULT_EXCLUDED_NET_DEVICES,
        hide_default_value = true,
        value_parser = pattern
    )]
    excluded_net_devices: String,

    /// Where the proc file system is mounted.
    #[arg(id = "path_procfs", long = "path.procfs", value_name = "DIR", default_value = "/proc")]
    procfs: PathBuf,

    /// Where the sys file system is mounted.
    #[arg(id = "path_sysfs", long = "path.sysfs", value_name = "DIR", default_value = "/sys")]
    sysfs: PathBuf,

    /// Where the root of the machine is mounted, as in a container.
    #[arg(id = "path_rootfs", long = "path.rootfs", value_name = "DIR", default_value = "/")]
    rootfs: PathBuf,

    #[command(flatten)]
    kinds: Kinds,
}

impl HostArgs {
    /// The collector that the options ask for.
    pub(super) fn collector(self) -> HostCollector {
        HostCollector::builder()
            .only(self.kinds.0)
            .procfs(self.procfs)
            .sysfs(self.sysfs)
            .rootfs(self.rootfs)
            .excluded_mount_points(self.excluded_mount_points)
            .excluded_fs_types(self.excluded_fs_types)
            .excluded_disks(self.excluded_disks)
            .excluded_net_devices(self.excluded_net_devices)
            .build()
            .expect("the patterns were tried when they were read")
    }
}

/// Reads a pattern, so that a bad one is blamed on the flag, variable or key it comes from.
fn pattern(text: &str) -> Result<String, String> {
    let Err(error) = HostCollector::builder().excluded_disks(text).build() else {
        return Ok(text.to_owned());
    };
    let reason = error.source().map(ToString::to_string).unwrap_or_default();
    // Above it the pattern is shown once more, with a mark under the place.
    let reason = reason.lines().last().unwrap_or_default();
    Err(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
}

/// The collectors to run: a flag for each that switches it on, and one that switches it off.
#[derive(Debug)]
struct Kinds(Vec<CollectorKind>);

impl clap::Args for Kinds {
    fn augment_args(command: Command) -> Command {
        CollectorKind::ALL
            .iter()
            .fold(command, |command, kind| command.arg(switch(*kind)).arg(off_switch(*kind)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Kinds {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let runs = |kind: &CollectorKind| {
            let on = matches.get_one::<bool>(&switch_id(*kind));
            *on.expect("it has a default") && !matches.get_flag(&off_switch_id(*kind))
        };
        Ok(Self(CollectorKind::ALL.iter().copied().filter(runs).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `--collector.NAME`, a boolean for the environment and files.
fn switch(kind: CollectorKind) -> Arg {
    Arg::new(switch_id(kind))
        .long(format!("collector.{kind}"))
        .help(sentence(kind.description()))
        .help_heading("Collectors")
        .value_name("BOOL")
        // Said once for all of them.
        .hide_env(true)
        .hide_default_value(true)
        .hide_possible_values(true)
        .value_parser(BoolishValueParser::new())
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_value(if kind.is_default() { "true" } else { "false" })
        .default_missing_value("true")
}

/// `--no-collector.NAME`, which the help tells of once for all.
fn off_switch(kind: CollectorKind) -> Arg {
    Arg::new(off_switch_id(kind))
        .long(format!("no-collector.{kind}"))
        .action(ArgAction::SetTrue)
        .conflicts_with(switch_id(kind))
        .hide(true)
}

/// The text with a capital letter.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn switch_id(kind: CollectorKind) -> String {
    format!("collector_{kind}")
}

fn off_switch_id(kind: CollectorKind) -> String {
    format!("no_collector_{kind}")
}

/// A [`HostCollector`] that logs when one of its collectors starts to fail, or is well again.
pub(super) struct Host {
    collector: HostCollector,
    /// Why each collector failed in the last run, if it did.
    failing: Mutex<BTreeMap<CollectorKind, String>>,
}

impl Host {
    pub(super) fn new(collector: HostCollector) -> Self {
        Self { collector, failing: Mutex::default() }
    }

    /// The families of this moment, without a word in the log.
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut families = Vec::new();
        self.collector.run(&mut families);
        families
    }

    /// Takes an outcome down and tells what is new about it.
    fn note(&self, outcome: &Outcome) -> News {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = &outcome.error else {
            return failing.remove(&outcome.kind).map_or(News::None, |_| News::Recovered);
        };
        let reason = chain(error);
        if failing.get(&outcome.kind) == Some(&reason) {
            return News::None;
        }
        failing.insert(outcome.kind, reason.clone());
        News::Failed(reason)
    }
}

impl Collector for Host {
    fn describe(&self) -> Vec<Metadata> {
        self.collector.describe()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        for outcome in self.collector.run(families) {
            let collector = outcome.kind.name();
            match self.note(&outcome) {
                News::None => {}
                News::Recovered => tracing::info!(collector, "collector has recovered"),
                News::Failed(reason) => {
                    tracing::warn!(collector, error = reason, "collector failed");
                }
            }
        }
    }
}

/// What a run tells that the one before it did not.
enum News {
    None,
    Recovered,
    Failed(String),
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

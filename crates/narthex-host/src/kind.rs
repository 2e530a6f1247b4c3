//! The collectors as data, from which flags and settings are made.

use std::fmt;
use std::str::FromStr;

use crate::error::UnknownCollector;

/// One of the collectors that a [`HostCollector`](crate::HostCollector) may run.
///
/// ```
/// use narthex_host::CollectorKind;
///
/// for kind in CollectorKind::ALL {
///     println!("--collector.{kind}  {}", kind.description());
/// }
/// assert_eq!("cpu".parse(), Ok(CollectorKind::Cpu));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CollectorKind {
    /// Time the CPUs spent in each mode.
    Cpu,
    /// Disk I/O.
    Diskstats,
    /// Allocated file descriptors.
    Filefd,
    /// Space and inodes of mounted file systems.
    Filesystem,
    /// Load averages.
    Loadavg,
    /// Memory and swap.
    Meminfo,
    /// Traffic and errors of network devices.
    Netdev,
    /// Protocol counters of the network stack.
    Netstat,
    /// Name and version of the operating system.
    Os,
    /// Pressure stall information.
    Pressure,
    /// Processes and threads.
    Processes,
    /// Sockets in use.
    Sockstat,
    /// Boot time, interrupts, context switches and forks.
    Stat,
    /// The clock.
    Time,
    /// Name and version of the kernel.
    Uname,
    /// Paging, swapping and the OOM killer.
    Vmstat,
}

impl CollectorKind {
    /// Every collector, sorted by name.
    pub const ALL: &'static [Self] = &[
        Self::Cpu,
        Self::Diskstats,
        Self::Filefd,
        Self::Filesystem,
        Self::Loadavg,
        Self::Meminfo,
        Self::Netdev,
        Self::Netstat,
        Self::Os,
        Self::Pressure,
        Self::Processes,
        Self::Sockstat,
        Self::Stat,
        Self::Time,
        Self::Uname,
        Self::Vmstat,
    ];

    /// The name, as `node_exporter` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Diskstats => "diskstats",
            Self::Filefd => "filefd",
            Self::Filesystem => "filesystem",
            Self::Loadavg => "loadavg",
            Self::Meminfo => "meminfo",
            Self::Netdev => "netdev",
            Self::Netstat => "netstat",
            Self::Os => "os",
            Self::Pressure => "pressure",
            Self::Processes => "processes",
            Self::Sockstat => "sockstat",
            Self::Stat => "stat",
            Self::Time => "time",
            Self::Uname => "uname",
            Self::Vmstat => "vmstat",
        }
    }

    /// What the collector gives, in one line for `--help`.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Cpu => "time the CPUs spent in each mode",
            Self::Diskstats => "disk I/O",
            Self::Filefd => "allocated file descriptors",
            Self::Filesystem => "space and inodes of mounted file systems",
            Self::Loadavg => "load averages",
            Self::Meminfo => "memory and swap",
            Self::Netdev => "traffic and errors of network devices",
            Self::Netstat => "protocol counters of the network stack",
            Self::Os => "name and version of the operating system",
            Self::Pressure => "pressure stall information",
            Self::Processes => "processes by state, and threads; reads one file a process",
            Self::Sockstat => "sockets in use",
            Self::Stat => "boot time, interrupts, context switches and forks",
            Self::Time => "the clock and its source",
            Self::Uname => "name and version of the kernel",
            Self::Vmstat => "paging, swapping and the OOM killer",
        }
    }

    /// Whether the collector runs unless it is switched off; at present all of them do.
    pub const fn is_default(self) -> bool {
        true
    }
}

impl fmt::Display for CollectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CollectorKind {
    type Err = UnknownCollector;

    fn from_str(name: &str) -> Result<Self, UnknownCollector> {
        let found = Self::ALL.iter().copied().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownCollector::new(name))
    }
}

#[cfg(test)]
mod tests {
    use super::CollectorKind;

    #[test]
    fn names_are_sorted_and_parse_back() {
        let names: Vec<_> = CollectorKind::ALL.iter().map(|kind| kind.name()).collect();
        assert!(names.is_sorted());
        for kind in CollectorKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "cpus".parse::<CollectorKind>().unwrap_err().to_string();
        assert!(error.starts_with("`cpus` is not a collector: expected one of `cpu`, `disk"));
        assert!(error.ends_with("`uname`, `vmstat`"), "{error}");
    }
}

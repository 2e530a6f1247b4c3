//! Metrics of this machine under the names, labels and types of `node_exporter`.
//!
//! [`HostCollector`] is a set of collectors, one a [`CollectorKind`], that read `/proc`, `/sys` and
//! the mounted file systems of a Linux machine afresh at every gather. Dashboards and rules written
//! for `node_exporter` work unchanged.
//!
//! Each collector stands alone: where one cannot read what it needs, it gives nothing and says so
//! in `node_scrape_collector_success`, and the others are served. Elsewhere than on Linux all fail.

mod collector;
mod error;
mod kind;
mod page;
mod paths;
mod pattern;
#[cfg_attr(target_os = "linux", path = "system_linux.rs")]
mod system;

mod cpu;
mod diskstats;
mod filefd;
mod filesystem;
mod loadavg;
mod meminfo;
mod mounts;
mod netdev;
mod netstat;
mod os;
mod pressure;
mod processes;
mod sockstat;
mod stat;
mod statvfs;
mod time;
mod uname;
mod vmstat;

pub use collector::{HostBuilder, HostCollector, Outcome};
pub use error::{CollectError, PatternError, UnknownCollector};
pub use kind::CollectorKind;
pub use pattern::{
    DEFAULT_EXCLUDED_DISKS, DEFAULT_EXCLUDED_FS_TYPES, DEFAULT_EXCLUDED_MOUNT_POINTS,
    DEFAULT_EXCLUDED_NET_DEVICES,
};

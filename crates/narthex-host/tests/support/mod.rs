//! Helpers of both test programs.

use std::path::{Path, PathBuf};

use narthex_host::{HostBuilder, HostCollector};

/// Where the machine made of files is.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The settings for a machine made of files.
pub(crate) fn machine(root: &Path) -> HostBuilder {
    HostCollector::builder().procfs(root.join("proc")).sysfs(root.join("sys")).rootfs(root)
}

//! Which devices and mounts are left out.

use regex::Regex;

use crate::error::PatternError;

/// The mount points that are left out by default, those of `node_exporter`.
pub const DEFAULT_EXCLUDED_MOUNT_POINTS: &str = "^/(dev|proc|run/credentials/.+|sys|\
     var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";

/// The types of file systems that are left out by default, those of `node_exporter`.
pub const DEFAULT_EXCLUDED_FS_TYPES: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|\
     devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|\
     securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$";

/// The disks that are left out by default, those of `node_exporter`: RAM disks and partitions.
pub const DEFAULT_EXCLUDED_DISKS: &str = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$";

/// The network devices that are left out by default: none, as in `node_exporter`.
pub const DEFAULT_EXCLUDED_NET_DEVICES: &str = "";

/// A compiled pattern, matched anywhere in a name; the empty one excludes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Exclude(Option<Regex>);

impl Exclude {
    /// `excluded` says for the error message what the pattern is for.
    pub(crate) fn new(excluded: &'static str, pattern: &str) -> Result<Self, PatternError> {
        if pattern.is_empty() {
            return Ok(Self(None));
        }
        match Regex::new(pattern) {
            Ok(regex) => Ok(Self(Some(regex))),
            Err(error) => Err(PatternError::new(excluded, pattern, error)),
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, excluded: &[&str], kept: &[&str]) {
        let exclude = Exclude::new("names", pattern).unwrap();
        for name in excluded {
            assert!(exclude.matches(name), "{name}");
        }
        for name in kept {
            assert!(!exclude.matches(name), "{name}");
        }
    }

    #[test]
    fn default_mount_points() {
        let excluded = ["/dev", "/dev/shm", "/proc/x", "/sys", "/var/lib/docker/overlay2/a"];
        let kept = ["/", "/devel", "/run", "/run/credentials", "/var/lib/docker", "/home/dev"];
        check(DEFAULT_EXCLUDED_MOUNT_POINTS, &excluded, &kept);
    }

    #[test]
    fn default_fs_types() {
        let excluded = ["cgroup", "cgroup2", "overlay", "tracefs", "erofs"];
        check(DEFAULT_EXCLUDED_FS_TYPES, &excluded, &["ext4", "tmpfs", "nfs4", "fuse.sshfs"]);
    }

    #[test]
    fn default_disks() {
        let excluded = ["ram0", "zram1", "loop12", "sda1", "vdb2", "xvda1", "nvme0n1p3", "fd0"];
        check(
            DEFAULT_EXCLUDED_DISKS,
            &excluded,
            &["sda", "vda", "nvme0n1", "dm-0", "md127", "sr0"],
        );
    }

    #[test]
    fn an_empty_pattern_excludes_nothing() {
        check(DEFAULT_EXCLUDED_NET_DEVICES, &[], &["lo", ""]);
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Exclude::new("disks", "sd[").unwrap_err();
        assert_eq!(error.pattern(), "sd[");
        let message = "`sd[` cannot exclude disks: it is not a regular expression";
        assert_eq!(error.to_string(), message);
        assert!(std::error::Error::source(&error).is_some());
    }
}

//! `filesystem`: space and inodes of mounted file systems.

use std::collections::HashSet;

use narthex_model::{FamilyBuilder, MetricFamily, Number};

use crate::error::CollectError;
use crate::mounts::{self, Access, Mount};
use crate::page::{Page, scaled};
use crate::paths::Paths;
use crate::pattern::Exclude;
use crate::statvfs::{Prober, Usage};

/// The collector.
#[derive(Debug)]
pub(crate) struct Filesystems {
    pub(crate) excluded_points: Exclude,
    pub(crate) excluded_types: Exclude,
    pub(crate) prober: Prober,
}

const LABELS: [&str; 3] = ["device", "fstype", "mountpoint"];

impl Filesystems {
    pub(crate) fn collect(&self, paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
        let mounts = self.included(mounts::read(paths)?);
        let points = mounts.iter().map(|(mount, _)| paths.root(&mount.point)).collect();
        let usages =
            self.prober.ask(points).map_err(|error| CollectError::system("spawn", error))?;

        let gauge = |name: &str, help: &str| {
            MetricFamily::gauge(format!("node_filesystem_{name}"), help).label_names(LABELS)
        };
        let help = "Whether an error occurred while getting statistics for the given device.";
        let mut device_error = gauge("device_error", help);
        let mut read_only = gauge("readonly", "Filesystem read-only status.");
        let mut sizes = SIZES.each_ref().map(|size| gauge(size.name, size.help));
        for ((mount, point), usage) in mounts.iter().zip(usages) {
            let labels = [&mount.device, &mount.fs_type, point];
            device_error.push(labels, usage.is_none());
            read_only.push(labels, mount.access == Access::ReadOnly);
            if let Some(usage) = usage {
                push_sizes(&mut sizes, labels, &usage);
            }
        }
        page.push(device_error)?;
        page.push(read_only)?;
        sizes.into_iter().try_for_each(|family| page.push(family))
    }

    /// The mounts that are asked, each with its mount point as a label.
    ///
    /// Labels are text and mount points are not, so that two may look the same; the first is kept.
    fn included(&self, mounts: Vec<Mount>) -> Vec<(Mount, String)> {
        let mut seen = HashSet::new();
        let labelled = mounts.into_iter().map(|mount| {
            let point = mount.point.to_string_lossy().into_owned();
            (mount, point)
        });
        labelled
            .filter(|(mount, point)| {
                !self.excluded_points.matches(point)
                    && !self.excluded_types.matches(&mount.fs_type)
                    && seen.insert((mount.device.clone(), mount.fs_type.clone(), point.clone()))
            })
            .collect()
    }
}

/// A number of a file system.
struct Size {
    name: &'static str,
    help: &'static str,
    of: fn(&Usage) -> Number,
}

const SIZES: [Size; 5] = [
    Size {
        name: "avail_bytes",
        help: "Filesystem space available to non-root users in bytes.",
        of: |usage| scaled(usage.blocks_available, usage.block_size),
    },
    Size {
        name: "files",
        help: "Filesystem total file nodes.",
        of: |usage| Number::Unsigned(usage.files),
    },
    Size {
        name: "files_free",
        help: "Filesystem total free file nodes.",
        of: |usage| Number::Unsigned(usage.files_free),
    },
    Size {
        name: "free_bytes",
        help: "Filesystem free space in bytes.",
        of: |usage| scaled(usage.blocks_free, usage.block_size),
    },
    Size {
        name: "size_bytes",
        help: "Filesystem size in bytes.",
        of: |usage| scaled(usage.blocks, usage.block_size),
    },
];

fn push_sizes(families: &mut [FamilyBuilder], labels: [&String; 3], usage: &Usage) {
    for (size, family) in SIZES.iter().zip(families) {
        family.push(labels, (size.of)(usage));
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::Filesystems;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;
    use crate::pattern::Exclude;
    use crate::statvfs::Prober;

    fn collect(mounts: &[u8], points: &[&str]) -> Vec<String> {
        let (root, paths) = machine(&[("proc/1/mounts", "")]);
        fs::write(root.path().join("proc/1/mounts"), mounts).unwrap();
        for point in points {
            fs::create_dir_all(root.path().join(point)).unwrap();
        }
        let filesystems = Filesystems {
            excluded_points: Exclude::new("mount points", "^/proc($|/)").unwrap(),
            excluded_types: Exclude::new("types", "^tmpfs$").unwrap(),
            prober: Prober::new(Duration::from_secs(60)),
        };
        let mut page = Page::default();
        filesystems.collect(&paths, &mut page).unwrap();
        page_lines(page)
    }

    #[test]
    fn mounts_are_asked_below_the_root() {
        let lines = collect(
            b"/dev/a /mnt/my\\040disk ext4 ro 0 0\n/dev/b /gone xfs rw 0 0\nt /t tmpfs rw 0 0\n\
              p /proc/x ext4 rw 0 0\n",
            &["mnt/my disk", "t"],
        );
        let disk = "{device=\"/dev/a\",fstype=\"ext4\",mountpoint=\"/mnt/my disk\"}";
        let gone = "{device=\"/dev/b\",fstype=\"xfs\",mountpoint=\"/gone\"}";
        let names: Vec<_> = lines.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
        let expected = [
            format!("node_filesystem_avail_bytes{disk}"),
            format!("node_filesystem_device_error{disk}"),
            format!("node_filesystem_device_error{gone}"),
            format!("node_filesystem_files_free{disk}"),
            format!("node_filesystem_files{disk}"),
            format!("node_filesystem_free_bytes{disk}"),
            format!("node_filesystem_readonly{disk}"),
            format!("node_filesystem_readonly{gone}"),
            format!("node_filesystem_size_bytes{disk}"),
        ];
        assert_eq!(names, expected);
        for exact in [
            format!("node_filesystem_device_error{disk} 0"),
            format!("node_filesystem_device_error{gone} 1"),
            format!("node_filesystem_readonly{disk} 1"),
            format!("node_filesystem_readonly{gone} 0"),
        ] {
            assert!(lines.contains(&exact), "{exact}");
        }
    }

    #[test]
    fn mount_points_that_look_the_same_are_given_once() {
        let lines = collect(b"a /m\xfe ext4 rw 0 0\na /m\xff ext4 rw 0 0\n", &[]);
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}

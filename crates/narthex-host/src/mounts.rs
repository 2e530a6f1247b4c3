//! The mounted file systems, from `/proc/1/mounts`.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::error::CollectError;
use crate::paths::{Paths, read_bytes};
use crate::system;

/// A file system at the place where it is mounted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mount {
    pub(crate) device: String,
    /// As the machine sees it, which may be under another root than for this process.
    pub(crate) point: PathBuf,
    pub(crate) fs_type: String,
    pub(crate) access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

/// The mounts of the first process, which are those of the machine, or of this one where it may not
/// see that; less those that a later mount covers.
pub(crate) fn read(paths: &Paths) -> Result<Vec<Mount>, CollectError> {
    let first = paths.procfs.join("1/mounts");
    let bytes = match read_bytes(&first) {
        Ok(bytes) => bytes,
        Err(_) => {
            let own = paths.procfs.join("self/mounts");
            read_bytes(&own).map_err(|error| CollectError::read(own, error))?
        }
    };
    let mut mounts = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let mount = parse(line, paths);
        mounts.push(mount.ok_or_else(|| {
            let line = String::from_utf8_lossy(line);
            CollectError::line(&first, &line, "a device, a mount point, a type and options")
        })?);
    }
    Ok(uncovered(mounts))
}

/// fstab(5): four fields and two more, one blank apart; a field may be empty.
fn parse(line: &[u8], paths: &Paths) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = unescaped(fields.next()?);
    let point = system::path(unescaped(fields.next().filter(|point| !point.is_empty())?));
    let fs_type = unescaped(fields.next()?);
    let mut options = fields.next()?.split(|&byte| byte == b',');
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some(Mount {
        device: text(device),
        point: paths.without_root(point),
        fs_type: text(fs_type),
        access: match options.any(|option| option == b"ro") {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        },
    })
}

/// Undoes the kernel's `\040` for a blank and the like.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, others @ ..] = rest {
        let (byte, after) = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after)
            }
            _ => (*first, others),
        };
        plain.push(byte);
        rest = after;
    }
    plain
}

/// Where one mount lies upon another, asking for the lower one's size would be answered by the
/// upper one.
fn uncovered(mounts: Vec<Mount>) -> Vec<Mount> {
    let mut seen = HashSet::new();
    let mut top: Vec<_> =
        mounts.into_iter().rev().filter(|mount| seen.insert(mount.point.clone())).collect();
    top.reverse();
    top
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{Access, Mount, read, unescaped};
    use crate::paths::tests::machine;

    fn mount(device: &str, point: &str, fs_type: &str) -> Mount {
        let (device, fs_type) = (device.to_owned(), fs_type.to_owned());
        Mount { device, point: point.into(), fs_type, access: Access::ReadWrite }
    }

    fn check(mounts: &[u8]) -> Result<Vec<Mount>, String> {
        let (root, paths) = machine(&[("proc/1/mounts", "")]);
        fs::write(root.path().join("proc/1/mounts"), mounts).unwrap();
        read(&paths).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_unescaped() {
        let cases: [(&str, &[u8]); 8] = [
            ("/a", b"/a"),
            ("/a\\040b", b"/a b"),
            ("\\011\\012\\043\\134040", b"\t\n#\\040"),
            ("\\377", b"\xff"),
            ("\\", b"\\"),
            ("\\04", b"\\04"),
            ("\\48a", b"\\48a"),
            ("\\777", b"\\777"),
        ];
        for (field, plain) in cases {
            assert_eq!(unescaped(field.as_bytes()), plain, "{field}");
        }
    }

    #[test]
    fn lines_become_mounts() {
        let text = b"/dev/a / ext4 rw,relatime 0 0\n my\\040disk /mnt/my\\040disk ext4 ro 0 0\n";
        let text = [&text[..], b" /t tmpfs rw,errors=remount-ro 0 0\n"].concat();
        let text = String::from_utf8(text).unwrap().replace("\n my", "\nmy");
        let read_only =
            Mount { access: Access::ReadOnly, ..mount("my disk", "/mnt/my disk", "ext4") };
        let expected = [mount("/dev/a", "/", "ext4"), read_only, mount("", "/t", "tmpfs")];
        assert_eq!(check(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    #[cfg(unix)]
    fn a_mount_point_may_be_any_bytes() {
        use std::os::unix::ffi::OsStrExt;

        let mounts = check(b"a\xff /m\xff ext4 rw 0 0\n").unwrap();
        assert_eq!(mounts[0].point.as_os_str().as_bytes(), b"/m\xff");
        assert_eq!(mounts[0].device, "a\u{fffd}");
    }

    #[test]
    fn a_covered_mount_is_left_out() {
        let mounts = check(b"a /m ext4 rw\nb /n ext4 rw\nc /m/x ext4 rw\nd /m xfs rw\n").unwrap();
        let expected =
            [mount("b", "/n", "ext4"), mount("c", "/m/x", "ext4"), mount("d", "/m", "xfs")];
        assert_eq!(mounts, expected);
    }

    #[test]
    fn own_mounts_stand_in_for_those_of_the_first_process() {
        let (_root, paths) = machine(&[("proc/self/mounts", "a / ext4 rw 0 0\n")]);
        assert_eq!(read(&paths).unwrap(), [mount("a", "/", "ext4")]);
        let (root, paths) = machine(&[]);
        let error = read(&paths).unwrap_err().to_string();
        let expected = root.path().join("proc/self/mounts");
        assert_eq!(error, format!("cannot read `{}`", expected.display()));
    }

    #[test]
    fn the_root_is_taken_off() {
        let (root, mut paths) = machine(&[]);
        paths.rootfs = PathBuf::from("/host");
        fs::create_dir_all(root.path().join("proc/1")).unwrap();
        let text = "a /host ext4 rw 0 0\nb /host/b ext4 rw 0 0\nc /c ext4 rw 0 0\n";
        fs::write(root.path().join("proc/1/mounts"), text).unwrap();
        let points: Vec<_> = read(&paths).unwrap().into_iter().map(|mount| mount.point).collect();
        assert_eq!(points, ["/", "/b", "/c"].map(PathBuf::from));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["a", "a /b", "a /b ext4", "a  ext4 rw"] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(check(b"").unwrap(), []);
    }
}

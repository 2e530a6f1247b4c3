//! Where the machine is mounted, and the files read there.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::CollectError;

/// The roots under which everything is read.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) procfs: PathBuf,
    pub(crate) sysfs: PathBuf,
    pub(crate) rootfs: PathBuf,
}

impl Paths {
    /// Reads a file of the proc file system.
    pub(crate) fn proc(&self, file: &str) -> Result<Text, CollectError> {
        Text::read(self.procfs.join(file))
    }

    /// Reads a file of the proc file system, if there is one.
    pub(crate) fn proc_if_present(&self, file: &str) -> Result<Option<Text>, CollectError> {
        match self.proc(file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where `path` of the machine is for this process.
    pub(crate) fn root(&self, path: &Path) -> PathBuf {
        self.rootfs.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What the machine calls `path`, which may be as this process sees it.
    pub(crate) fn without_root(&self, path: PathBuf) -> PathBuf {
        match path.strip_prefix(&self.rootfs) {
            Ok(rest) => Path::new("/").join(rest),
            Err(_) => path,
        }
    }
}

/// A file's text, in which what is not UTF-8 is replaced.
#[derive(Debug)]
pub(crate) struct Text {
    path: PathBuf,
    text: String,
}

impl Text {
    pub(crate) fn read(path: impl Into<PathBuf>) -> Result<Self, CollectError> {
        let path = path.into();
        match read_bytes(&path) {
            Ok(bytes) => Ok(Self { path, text: into_text(bytes) }),
            Err(error) => Err(CollectError::read(path, error)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The lines, less those that are blank.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.trim_ascii().is_empty())
    }

    /// The error that `line` is not what was `expected`.
    pub(crate) fn error(&self, line: &str, expected: &'static str) -> CollectError {
        CollectError::line(&self.path, line, expected)
    }

    /// The one number the file consists of.
    pub(crate) fn number(&self) -> Result<u64, CollectError> {
        self.text.trim_ascii().parse().map_err(|_| self.error(&self.text, "a number"))
    }
}

/// Reads a file of a kernel file system, which has no size and is best read in one piece: the
/// kernel makes up its content at each call.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    const ONE_PIECE: usize = 16 << 10;
    let mut bytes = Vec::with_capacity(ONE_PIECE);
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;

    use super::{Paths, Text};

    /// A machine that has only the given files, named from its root.
    pub(crate) fn machine(files: &[(&str, &str)]) -> (TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let paths = Paths {
            procfs: root.path().join("proc"),
            sysfs: root.path().join("sys"),
            rootfs: root.path().to_owned(),
        };
        (root, paths)
    }

    fn under(rootfs: &str) -> Paths {
        Paths { procfs: "/proc".into(), sysfs: "/sys".into(), rootfs: rootfs.into() }
    }

    #[test]
    fn the_root_is_put_before_paths_and_taken_off_again() {
        let cases = [("/", "/", "/"), ("/", "/a", "/a"), ("/host", "/a/b", "/host/a/b")];
        for (rootfs, inside, outside) in cases {
            let paths = under(rootfs);
            assert_eq!(paths.root(Path::new(inside)), Path::new(outside));
            assert_eq!(paths.without_root(outside.into()), Path::new(inside));
        }
        assert_eq!(under("/host").without_root("/host".into()), Path::new("/"));
        assert_eq!(under("/host").without_root("/hostile".into()), PathBuf::from("/hostile"));
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let (root, paths) = machine(&[("proc/a", "")]);
        fs::write(root.path().join("proc/a"), b"x\xff\n\n \ny").unwrap();
        let text = paths.proc("a").unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), ["x\u{fffd}", "y"]);
    }

    #[test]
    fn errors_name_the_file_and_show_the_line() {
        let (root, paths) = machine(&[("proc/a", "one\u{7}")]);
        let error = paths.proc("a").unwrap().number().unwrap_err();
        let path = root.path().join("proc/a");
        let expected =
            format!("cannot understand `{}`: expected a number, got `one\\u{{7}}`", path.display());
        assert_eq!(error.to_string(), expected);
        let error = Text::read(root.path().join("none")).unwrap_err();
        assert!(error.is_not_found());
        assert!(paths.proc_if_present("none").unwrap().is_none());
        assert!(error.to_string().ends_with("none`"), "{error}");
    }
}

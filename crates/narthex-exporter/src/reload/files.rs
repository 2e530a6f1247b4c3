//! What files are like from outside, to see when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What each of some files was like; `None` where it could not be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Files that are replaced, by a rename or behind a link, may be alike in all but this.
    file: u64,
}

impl Stamps {
    pub(super) fn of(files: BTreeSet<PathBuf>) -> Self {
        let mut stamps = Self::default();
        stamps.watch(files);
        stamps
    }

    /// Looks at the files.
    pub(super) fn take(&mut self) {
        for (path, stamp) in &mut self.0 {
            *stamp = Stamp::of(path);
        }
    }

    /// Replaces the list of files; those that were on it keep what was seen of them.
    pub(super) fn watch(&mut self, files: BTreeSet<PathBuf>) {
        let mut before = std::mem::take(&mut self.0);
        let stamp = |path: &PathBuf| before.remove(path).unwrap_or_else(|| Stamp::of(path));
        let stamps: Vec<_> = files.iter().map(stamp).collect();
        self.0 = files.into_iter().zip(stamps).collect();
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let (modified, length) = (metadata.modified().ok(), metadata.len());
        Some(Self { modified, length, file: number(&metadata) })
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Stamps;

    #[test]
    fn a_change_of_any_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut stamps = Stamps::of([path.clone()].into());
        let mut changes = |change: &dyn Fn()| {
            let before = stamps.clone();
            change();
            stamps.take();
            stamps != before
        };
        assert!(!changes(&|| {}));
        assert!(changes(&|| fs::write(&path, "1").unwrap()));
        assert!(!changes(&|| {}));
        assert!(changes(&|| fs::write(&path, "12").unwrap()));
        // Alike in length, and maybe in time.
        assert!(changes(&|| {
            fs::write(path.with_extension("new"), "34").unwrap();
            fs::rename(path.with_extension("new"), &path).unwrap();
        }));
        assert!(changes(&|| fs::remove_file(&path).unwrap()));
    }
}

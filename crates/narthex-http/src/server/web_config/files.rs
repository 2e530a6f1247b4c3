//! Files that are read, and read again when they have changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::error::WebConfigError;

/// Bundles of all the world's authorities have a quarter of it.
const LARGEST: u64 = 1024 * 1024;

/// Remembers what it has read, as a digest.
///
/// Contents are compared and not times of change: those are too coarse to tell a file from one that
/// replaced it at once, and a mounted volume may not keep them.
#[derive(Default)]
pub(super) struct Files(BTreeMap<PathBuf, Option<u64>>);

impl Files {
    /// Reads a file.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, WebConfigError> {
        let content = read(path);
        self.0.insert(path.to_owned(), content.as_ref().ok().map(|content| digest(content)));
        content.map_err(|error| WebConfigError::of(path, format!("it cannot be read: {error}")))
    }

    /// Reads a file that nobody but the program's own user should be able to read.
    pub(super) fn read_secret(&mut self, path: &Path) -> Result<Vec<u8>, WebConfigError> {
        tell_if_open_to_all(path);
        self.read(path)
    }

    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, known)| {
            let now = read(path).ok().map(|content| digest(&content));
            now != *known
        })
    }
}

/// Warns of a file with secrets that every user of the machine can read.
pub(super) fn tell_if_open_to_all(path: &Path) {
    if is_open_to_all(path) {
        tracing::warn!(path = %path.display(), "a file with secrets can be read by every user");
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody to write to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(content)
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(unix)]
fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_: &Path) -> bool {
    false
}

//! Unix domain sockets: files that outlive those who made them.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// The file of a socket that we made; it goes with this.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: FileId,
}

/// What tells one file from another that was later made under its name.
type FileId = (u64, u64);

/// Listens at a path.
///
/// A socket that nobody listens on any more is removed first, for whoever made it was killed. What
/// is no socket, and a socket that somebody answers, stay as they are.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => remove_if_stale(path)?,
        Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file already")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    let id = file_id(path)?;
    Ok((listener, SocketFile { path: path.to_owned(), id }))
}

fn remove_if_stale(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        // It may be alive: its queue is full, or we may not connect.
        Err(error) => Err(error),
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have put its own there in the meantime.
        if file_id(&self.path).is_ok_and(|id| id == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

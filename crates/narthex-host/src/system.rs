//! A system that is not Linux: what its calls would tell is unknown.

use std::io;
use std::path::{Path, PathBuf};

use crate::statvfs::Usage;
use crate::uname::Uname;

pub(crate) fn clock_ticks_per_second() -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn page_size() -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn uname() -> io::Result<Uname> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn usage(_: &Path) -> io::Result<Usage> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

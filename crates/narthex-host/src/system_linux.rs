//! What system calls tell, in our terms.

use std::ffi::{CStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::statvfs::Usage;
use crate::uname::Uname;

/// The unit in which the kernel counts CPU time.
pub(crate) fn clock_ticks_per_second() -> io::Result<u64> {
    Ok(rustix::param::clock_ticks_per_second().max(1))
}

pub(crate) fn page_size() -> io::Result<u64> {
    u64::try_from(rustix::param::page_size()).map_err(io::Error::other)
}

pub(crate) fn uname() -> io::Result<Uname> {
    let uname = rustix::system::uname();
    let text = |field: &CStr| field.to_string_lossy().into_owned();
    Ok(Uname {
        domainname: text(uname.domainname()),
        machine: text(uname.machine()),
        nodename: text(uname.nodename()),
        release: text(uname.release()),
        sysname: text(uname.sysname()),
        version: text(uname.version()),
    })
}

pub(crate) fn usage(path: &Path) -> io::Result<Usage> {
    let statvfs = rustix::fs::statvfs(path)?;
    Ok(Usage {
        block_size: statvfs.f_frsize,
        blocks: statvfs.f_blocks,
        blocks_free: statvfs.f_bfree,
        blocks_available: statvfs.f_bavail,
        files: statvfs.f_files,
        files_free: statvfs.f_ffree,
    })
}

/// A path is any bytes but NUL.
pub(crate) fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

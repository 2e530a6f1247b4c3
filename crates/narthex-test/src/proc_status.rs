//! What the kernel says of a process.

use std::fs;

/// A number from `/proc/PID/status`, such as `Threads` or `VmHWM`; sizes are in kibibytes.
///
/// `None` where there is no such process or field: of one that has ended there is nothing to read.
pub fn proc_status(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut values = status.lines().filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    values.next()?.trim().trim_end_matches(" kB").parse().ok()
}

/// The memory that a process has now, in bytes; `None` where it has ended.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    proc_status(pid, "VmRSS").map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::{proc_status, resident_bytes};

    #[test]
    fn a_process_has_threads_and_memory_as_long_as_it_runs() {
        let this = std::process::id();
        assert!(proc_status(this, "Threads").is_some_and(|threads| threads >= 1));
        assert!(resident_bytes(this).is_some_and(|bytes| bytes > 100_000));
        assert_eq!(proc_status(this, "Thread"), None);
        assert_eq!(proc_status(u32::MAX, "Threads"), None);
    }
}

//! `/proc/PID/limits`.

use std::fs;
use std::path::Path;

/// The soft limits of interest, absent where they cannot be read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Limits {
    pub(crate) open_files: Option<u64>,
    pub(crate) address_space: Option<u64>,
}

impl Limits {
    pub(crate) fn read(process: &Path) -> Self {
        match fs::read(process.join("limits")) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(_) => Self::default(),
        }
    }

    fn parse(text: &str) -> Self {
        let soft = |name| text.lines().find_map(|line| soft_limit(line.strip_prefix(name)?));
        Self { open_files: soft("Max open files "), address_space: soft("Max address space ") }
    }
}

/// The kernel writes its largest number as `unlimited`, which Go's client turns back.
fn soft_limit(columns: &str) -> Option<u64> {
    match columns.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn soft_limits_are_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max open files            2048                 4096                 files\n\
                    Max address space         unlimited            unlimited            bytes\n";
        let expected = Limits { open_files: Some(2048), address_space: Some(u64::MAX) };
        assert_eq!(Limits::parse(text), expected);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        for text in ["", "Max open files ", "Max open files -1 2 files", "Max open fi\0"] {
            assert_eq!(Limits::parse(text), Limits::default(), "{text}");
        }
    }
}

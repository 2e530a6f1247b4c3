//! `/proc/PID/stat`, and the boot time from `/proc/stat`.

use std::fs;
use std::path::Path;

use narthex_model::Number;

/// The fields of interest, each absent where it is missing or not a number.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stat {
    user_ticks: Option<u64>,
    system_ticks: Option<u64>,
    pub(crate) threads: Option<u64>,
    start_ticks: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    resident_pages: Option<u64>,
}

impl Stat {
    pub(crate) fn read(process: &Path) -> Option<Self> {
        let bytes = fs::read(process.join("stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    /// proc(5): the second field is the command in parentheses and may itself hold any character,
    /// so that only the last `)` is known to end it.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |at: usize| fields.get(at)?.parse().ok();
        Some(Self {
            user_ticks: field(11),
            system_ticks: field(12),
            threads: field(17),
            start_ticks: field(19),
            virtual_bytes: field(20),
            resident_pages: field(21),
        })
    }

    pub(crate) fn cpu_seconds(&self, ticks_per_second: f64) -> Option<f64> {
        let ticks = self.user_ticks?.saturating_add(self.system_ticks?);
        Some(ticks as f64 / ticks_per_second)
    }

    /// Seconds from boot to the start of the process.
    pub(crate) fn start_seconds(&self, ticks_per_second: f64) -> Option<f64> {
        Some(self.start_ticks? as f64 / ticks_per_second)
    }

    pub(crate) fn resident_bytes(&self, page_size: u64) -> Option<Number> {
        self.resident_pages?.checked_mul(page_size).map(Number::Unsigned)
    }
}

/// When the machine was started, in seconds since the Unix epoch.
pub(crate) fn boot_time(proc: &Path) -> Option<u64> {
    let bytes = fs::read(proc.join("stat")).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::Stat;

    const FIELDS: &str = "R 1 1 1 1 1 0 2 3 4 5 1677 44 158 99 20 0 7 0 82375 56274944 1981";

    fn stat() -> Stat {
        Stat {
            user_ticks: Some(1677),
            system_ticks: Some(44),
            threads: Some(7),
            start_ticks: Some(82375),
            virtual_bytes: Some(56274944),
            resident_pages: Some(1981),
        }
    }

    #[test]
    fn the_last_parenthesis_ends_the_command() {
        for command in ["vim", "", ")", "(a b ) ( c d) ", "a\n) R 9 9", "\u{fffd}"] {
            let text = format!("26231 ({command}) {FIELDS} 0 0\n");
            assert_eq!(Stat::parse(&text), Some(stat()), "{command}");
        }
    }

    #[test]
    fn what_is_missing_is_absent() {
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("26231 (vim"), None);
        assert_eq!(Stat::parse("26231 (vim)"), Some(Stat::default()));
        let cut = FIELDS.rsplit_once(' ').unwrap().0;
        let expected = Stat { resident_pages: None, ..stat() };
        assert_eq!(Stat::parse(&format!("26231 (vim) {cut}")), Some(expected));
    }

    #[test]
    fn what_is_not_a_number_is_absent() {
        let text = format!("1 (a) {}", FIELDS.replace("1677", "-1").replace("82375", "1e5"));
        let stat = Stat::parse(&text).unwrap();
        assert_eq!((stat.user_ticks, stat.start_ticks), (None, None));
        assert_eq!(stat.cpu_seconds(100.0), None);
        assert_eq!(stat.virtual_bytes, Some(56274944));
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let most = u64::MAX.to_string();
        let text = FIELDS.replace("1981", &most).replace("1677", &most);
        let stat = Stat::parse(&format!("1 (a) {text}")).unwrap();
        assert_eq!(stat.resident_bytes(4096), None);
        assert_eq!(stat.cpu_seconds(1.0), Some(u64::MAX as f64));
    }
}

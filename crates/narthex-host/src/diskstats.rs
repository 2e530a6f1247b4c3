//! `diskstats`: `/proc/diskstats`, and what udev knows of each disk.

use narthex_model::{FamilyBuilder, MetricFamily, MetricType, Number};

use crate::error::CollectError;
use crate::page::{Page, scaled};
use crate::paths::{Paths, Text};
use crate::pattern::Exclude;

/// The collector.
#[derive(Debug)]
pub(crate) struct Disks {
    pub(crate) excluded: Exclude,
}

/// A column of `/proc/diskstats` after the device's name.
struct Column {
    name: &'static str,
    help: &'static str,
    metric_type: MetricType,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Count,
    /// Sectors of 512 bytes, whatever the disk's own are.
    Sectors,
    Milliseconds,
}

const COLUMNS: [Column; 17] = [
    counter("reads_completed_total", "The total number of reads completed successfully."),
    counter("reads_merged_total", "The total number of reads merged."),
    counter("read_bytes_total", "The total number of bytes read successfully.").of(Unit::Sectors),
    counter("read_time_seconds_total", "The total number of seconds spent by all reads.")
        .of(Unit::Milliseconds),
    counter("writes_completed_total", "The total number of writes completed successfully."),
    counter("writes_merged_total", "The number of writes merged."),
    counter("written_bytes_total", "The total number of bytes written successfully.")
        .of(Unit::Sectors),
    counter("write_time_seconds_total", "This is the total number of seconds spent by all writes.")
        .of(Unit::Milliseconds),
    Column {
        name: "io_now",
        help: "The number of I/Os currently in progress.",
        metric_type: MetricType::Gauge,
        unit: Unit::Count,
    },
    counter("io_time_seconds_total", "Total seconds spent doing I/Os.").of(Unit::Milliseconds),
    counter("io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.")
        .of(Unit::Milliseconds),
    counter("discards_completed_total", "The total number of discards completed successfully."),
    counter("discards_merged_total", "The total number of discards merged."),
    counter("discarded_sectors_total", "The total number of sectors discarded successfully."),
    counter(
        "discard_time_seconds_total",
        "This is the total number of seconds spent by all discards.",
    )
    .of(Unit::Milliseconds),
    counter("flush_requests_total", "The total number of flush requests completed successfully"),
    counter(
        "flush_requests_time_seconds_total",
        "This is the total number of seconds spent by all flush requests.",
    )
    .of(Unit::Milliseconds),
];

const fn counter(name: &'static str, help: &'static str) -> Column {
    Column { name, help, metric_type: MetricType::Counter, unit: Unit::Count }
}

impl Column {
    const fn of(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    fn family(&self) -> FamilyBuilder {
        FamilyBuilder::new(self.metric_type, format!("node_disk_{}", self.name), self.help)
            .label_names(["device"])
    }

    fn value(&self, raw: u64) -> Number {
        match self.unit {
            Unit::Count => Number::Unsigned(raw),
            Unit::Sectors => scaled(raw, 512),
            Unit::Milliseconds => Number::Float(raw as f64 / 1000.0),
        }
    }
}

impl Disks {
    pub(crate) fn collect(&self, paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
        let text = paths.proc("diskstats")?;
        let mut families = COLUMNS.each_ref().map(Column::family);
        let mut info = MetricFamily::gauge("node_disk_info", "Info of /sys/block/<block_device>.")
            .label_names(INFO_LABELS);
        for line in text.lines() {
            let disk = parse(line);
            let disk = disk.ok_or_else(|| text.error(line, "two numbers, a disk and numbers"))?;
            if self.excluded.matches(disk.device) {
                continue;
            }
            for ((column, family), value) in COLUMNS.iter().zip(&mut families).zip(&disk.values) {
                family.push([disk.device], column.value(*value));
            }
            push_info(&mut info, &disk, paths);
        }
        families.into_iter().try_for_each(|family| page.push(family))?;
        page.push(info)
    }
}

struct Disk<'a> {
    major: &'a str,
    minor: &'a str,
    device: &'a str,
    values: Vec<u64>,
}

/// Kernels before 4.18 and 5.5 have fewer columns; what a later one adds is ignored.
fn parse(line: &str) -> Option<Disk<'_>> {
    let mut words = line.split_ascii_whitespace();
    let (major, minor, device) = (words.next()?, words.next()?, words.next()?);
    let values: Option<Vec<u64>> =
        words.take(COLUMNS.len()).map(|word| word.parse().ok()).collect();
    let values = values.filter(|values| values.len() >= 11)?;
    Some(Disk { major, minor, device, values })
}

const INFO_LABELS: [&str; 8] =
    ["device", "major", "minor", "path", "wwn", "model", "serial", "revision"];

/// What udev does not know is an empty label, which is none.
fn push_info(info: &mut FamilyBuilder, disk: &Disk<'_>, paths: &Paths) {
    let Disk { major, minor, device, .. } = disk;
    let file = paths.rootfs.join(format!("run/udev/data/b{major}:{minor}"));
    let text = Text::read(file).ok();
    let property = |name: &str| {
        let lines = text.as_ref().map(Text::as_str).unwrap_or_default().lines();
        lines
            .filter_map(|line| line.strip_prefix("E:")?.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    // The serial number as on the disk's label, then what virtual disks have in its place.
    let serial =
        ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"].into_iter().find_map(property);
    let [path, wwn, model, revision] = ["ID_PATH", "ID_WWN", "ID_MODEL", "ID_REVISION"]
        .map(|name| property(name).unwrap_or_default());
    let serial = serial.unwrap_or_default();
    info.push([*device, major, minor, path, wwn, model, serial, revision], 1_u64);
}

#[cfg(test)]
mod tests {
    use super::Disks;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;
    use crate::pattern::Exclude;

    fn collect(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let (_root, paths) = machine(files);
        let disks = Disks { excluded: Exclude::new("disks", "^loop").unwrap() };
        let mut page = Page::default();
        disks.collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    #[test]
    fn columns_the_kernel_lacks_are_absent() {
        let lines = collect(&[("proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n")]).unwrap();
        assert_eq!(lines.len(), 12);
        assert!(lines.contains(&"node_disk_read_bytes_total{device=\"sda\"} 1536".to_owned()));
        assert!(
            lines.contains(&"node_disk_write_time_seconds_total{device=\"sda\"} 0.008".to_owned())
        );
        assert!(lines.iter().all(|line| !line.contains("discard") && !line.contains("flush")));
    }

    #[test]
    fn columns_of_a_later_kernel_are_ignored() {
        let line = "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x\n";
        assert_eq!(collect(&[("proc/diskstats", line)]).unwrap().len(), 18);
    }

    #[test]
    fn udev_tells_of_the_disk() {
        let lines = collect(&[
            ("proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"),
            ("run/udev/data/b8:0", "S:x\nE:ID_MODEL=M=1\nE:ID_SERIAL=long\nE:ID_SERIAL_SHORT=s\n"),
        ]);
        let info =
            "node_disk_info{device=\"sda\",major=\"8\",minor=\"0\",model=\"M=1\",serial=\"s\"} 1";
        assert!(lines.unwrap().contains(&info.to_owned()));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert_eq!(collect(&[("proc/diskstats", "")]).unwrap(), [""; 0]);
        assert_eq!(
            collect(&[("proc/diskstats", "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0")]).unwrap(),
            [""; 0]
        );
        for text in ["8 0", "8 0 sda", "8 0 sda 1 2 3 4", "8 0 sda 1 2 x 4 5 6 7 8 9 10 11"] {
            assert!(collect(&[("proc/diskstats", text)]).is_err(), "{text}");
        }
    }
}

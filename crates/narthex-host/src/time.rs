//! `time`: the clock, and where the kernel takes it from.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::{Paths, Text};

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let now = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    };
    let help = "System time in seconds since epoch (1970).";
    page.single(MetricFamily::gauge("node_time_seconds", help), now)?;
    clock_sources(paths, page)
}

/// Most containers show no clock sources, so that their absence is no failure.
fn clock_sources(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let labels = ["device", "clocksource"];
    let help = "Available clocksources read from '/sys/devices/system/clocksource'.";
    let mut available =
        MetricFamily::gauge("node_time_clocksource_available_info", help).label_names(labels);
    let help = "Current clocksource read from '/sys/devices/system/clocksource'.";
    let mut current =
        MetricFamily::gauge("node_time_clocksource_current_info", help).label_names(labels);

    let directory = paths.sysfs.join("devices/system/clocksource");
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(device) = name.to_str().and_then(|name| name.strip_prefix("clocksource")) else {
            continue;
        };
        if let Ok(sources) = Text::read(entry.path().join("available_clocksource")) {
            for source in sources.as_str().split_ascii_whitespace() {
                available.push([device, source], 1_u64);
            }
        }
        if let Ok(source) = Text::read(entry.path().join("current_clocksource")) {
            current.push([device, source.as_str().trim_ascii()], 1_u64);
        }
    }
    page.push(available)?;
    page.push(current)
}

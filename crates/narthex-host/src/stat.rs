//! `stat`: the lines of `/proc/stat` that are not of a CPU.

use narthex_model::{FamilyBuilder, MetricFamily};

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::Paths;

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let text = paths.proc("stat")?;
    let mut found = false;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let Some(family) = words.next().and_then(family) {
            // The line `intr` goes on with a number for each interrupt.
            let value: Option<u64> = words.next().and_then(|word| word.parse().ok());
            let value = value.ok_or_else(|| text.error(line, "a name and a number"))?;
            page.single(family, value)?;
            found = true;
        }
    }
    if found { Ok(()) } else { Err(text.error(text.as_str(), "kernel statistics")) }
}

fn family(key: &str) -> Option<FamilyBuilder> {
    Some(match key {
        "btime" => {
            let help = "Node boot time, in unixtime.";
            MetricFamily::gauge("node_boot_time_seconds", help)
        }
        "ctxt" => {
            let help = "Total number of context switches.";
            MetricFamily::counter("node_context_switches_total", help)
        }
        "intr" => {
            let help = "Total number of interrupts serviced.";
            MetricFamily::counter("node_intr_total", help)
        }
        "processes" => MetricFamily::counter("node_forks_total", "Total number of forks."),
        "procs_blocked" => {
            let help = "Number of processes blocked waiting for I/O to complete.";
            MetricFamily::gauge("node_procs_blocked", help)
        }
        "procs_running" => {
            let help = "Number of processes in runnable state.";
            MetricFamily::gauge("node_procs_running", help)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;

    fn check(stat: &str) -> Result<Vec<String>, String> {
        let (_root, paths) = machine(&[("proc/stat", stat)]);
        let mut page = Page::default();
        collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    #[test]
    fn lines_the_kernel_lacks_are_absent() {
        assert_eq!(check("ctxt 5\nnew 1\n").unwrap(), ["node_context_switches_total{} 5"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["", "cpu 1 2 3\n", "ctxt\n", "ctxt x\n", "btime 1.5\n"] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}

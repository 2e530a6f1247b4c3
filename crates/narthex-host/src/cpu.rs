//! `cpu`: the CPU lines of `/proc/stat`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::{Paths, Text};
use crate::system;

/// The columns of `/proc/stat` that lie apart; `guest` and `guest_nice` follow them.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
/// The columns that are also part of `user` and `nice`.
const GUEST_MODES: [&str; 2] = ["user", "nice"];
const COLUMNS: usize = MODES.len() + GUEST_MODES.len();
const IDLE: usize = 3;
/// Seconds by which a counter has to go back to be believed.
const JUMP_BACK: u64 = 3;

/// The collector, with the counters it gave last.
#[derive(Debug, Default)]
pub(crate) struct Cpus {
    last: Mutex<HashMap<u32, [u64; COLUMNS]>>,
}

/// The counters of one CPU, as far as the kernel has them.
struct Cpu {
    id: u32,
    columns: usize,
    ticks: [u64; COLUMNS],
}

impl Cpus {
    pub(crate) fn collect(&self, paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
        let ticks_per_second = system::clock_ticks_per_second()
            .map_err(|error| CollectError::system("sysconf", error))?;
        let mut cpus = parse(&paths.proc("stat")?)?;
        self.never_backwards(&mut cpus, ticks_per_second);

        let help = "Seconds the CPUs spent in each mode.";
        let mut seconds =
            MetricFamily::counter("node_cpu_seconds_total", help).label_names(["cpu", "mode"]);
        let help = "Seconds the CPUs spent in guests (VMs) for each mode.";
        let mut guest = MetricFamily::counter("node_cpu_guest_seconds_total", help)
            .label_names(["cpu", "mode"]);
        for cpu in &cpus {
            let id = cpu.id.to_string();
            let values = cpu.ticks.map(|ticks| ticks as f64 / ticks_per_second as f64);
            for (column, value) in values.into_iter().take(cpu.columns).enumerate() {
                match MODES.get(column) {
                    Some(mode) => seconds.push([id.as_str(), mode], value),
                    None => guest.push([id.as_str(), GUEST_MODES[column - MODES.len()]], value),
                }
            }
        }
        page.push(seconds)?;
        page.push(guest)
    }

    /// Keeps each counter at its highest: the kernel lets `idle` and `iowait` slip back a little,
    /// which Prometheus would take for a restart and count all over again.
    ///
    /// A CPU that was taken out and put back starts at zero for good.
    fn never_backwards(&self, cpus: &mut [Cpu], ticks_per_second: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for cpu in cpus {
            let last = last.entry(cpu.id).or_insert(cpu.ticks);
            if last[IDLE].saturating_sub(cpu.ticks[IDLE]) >= JUMP_BACK * ticks_per_second {
                *last = cpu.ticks;
            }
            for (last, ticks) in last.iter_mut().zip(&mut cpu.ticks) {
                *ticks = (*ticks).max(*last);
                *last = *ticks;
            }
        }
    }
}

fn parse(stat: &Text) -> Result<Vec<Cpu>, CollectError> {
    let mut cpus = Vec::new();
    for line in stat.lines() {
        // The first line, `cpu`, is the sum of the others.
        let Some(columns) = line.strip_prefix("cpu").filter(|rest| !rest.starts_with(' ')) else {
            continue;
        };
        let cpu = parse_cpu(columns);
        cpus.push(cpu.ok_or_else(|| stat.error(line, "`cpu` with its number and ticks"))?);
    }
    if cpus.is_empty() {
        return Err(stat.error(stat.as_str(), "a line for each CPU"));
    }
    Ok(cpus)
}

fn parse_cpu(line: &str) -> Option<Cpu> {
    let mut words = line.split_ascii_whitespace();
    let id = words.next()?.parse().ok()?;
    let mut cpu = Cpu { id, columns: 0, ticks: [0; COLUMNS] };
    for (word, ticks) in words.zip(&mut cpu.ticks) {
        *ticks = word.parse().ok()?;
        cpu.columns += 1;
    }
    (cpu.columns > IDLE).then_some(cpu)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::Cpus;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;
    use crate::system::clock_ticks_per_second;

    fn collect(cpus: &Cpus, stat: &str) -> Result<Vec<String>, String> {
        let (_root, paths) = machine(&[("proc/stat", stat)]);
        let mut page = Page::default();
        cpus.collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    fn idle(lines: &[String]) -> &str {
        lines.iter().find(|line| line.contains("idle")).unwrap().rsplit_once(' ').unwrap().1
    }

    #[test]
    fn columns_the_kernel_lacks_are_absent() {
        let lines = collect(&Cpus::default(), "cpu  9 9 9 9 9\ncpu0 0 0 0 0 0\n").unwrap();
        let modes = ["idle", "iowait", "nice", "system", "user"];
        let expected =
            modes.map(|m| format!("node_cpu_seconds_total{{cpu=\"0\",mode=\"{m}\"}} 0.0"));
        assert_eq!(lines, expected);
    }

    #[test]
    fn columns_of_a_later_kernel_are_ignored() {
        let lines = collect(&Cpus::default(), "cpu7 1 2 3 4 5 6 7 8 9 10 11 12\n").unwrap();
        assert_eq!(lines.len(), 10);
    }

    #[test]
    fn a_counter_never_slips_back() {
        let cpus = Cpus::default();
        let tick = clock_ticks_per_second().unwrap();
        let at = |ticks: u64| format!("cpu0 0 0 0 {ticks} 0 0 0 0 0 0\n");
        let first = collect(&cpus, &at(100 * tick)).unwrap();
        assert_eq!(idle(&first), "100.0");
        assert_eq!(idle(&collect(&cpus, &at(98 * tick)).unwrap()), "100.0");
        assert_eq!(idle(&collect(&cpus, &at(101 * tick)).unwrap()), "101.0");
        assert_eq!(idle(&collect(&cpus, &at(2 * tick)).unwrap()), "2.0");
    }

    #[test]
    fn a_cpu_that_is_taken_out_is_gone() {
        let cpus = Cpus::default();
        collect(&cpus, "cpu0 1 1 1 1\ncpu1 1 1 1 1\n").unwrap();
        let lines = collect(&cpus, "cpu0 1 1 1 1\n").unwrap();
        assert!(lines.iter().all(|line| line.contains("cpu=\"0\"")));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let cases = ["", "cpu  1 2 3 4\n", "cpu0 1 2\n", "cpu0 1 x 3 4\n", "cpux 1 2 3 4\n", "cpu"];
        for stat in cases {
            let error = collect(&Cpus::default(), stat).unwrap_err();
            assert!(error.starts_with("cannot understand `"), "{stat}: {error}");
        }
        let huge = "99999999999999999999999";
        assert!(collect(&Cpus::default(), &format!("cpu0 {huge} 2 3 4\n")).is_err());
        let (root, paths) = machine(&[]);
        fs::create_dir(root.path().join("proc")).unwrap();
        assert!(Cpus::default().collect(&paths, &mut Page::default()).unwrap_err().is_not_found());
    }
}

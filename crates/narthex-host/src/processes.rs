//! `processes`: `/proc/PID/stat` of every process, and the limits.

use std::collections::BTreeMap;
use std::fs;

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::{Paths, read_bytes};

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let processes = Processes::read(paths)?;
    let help = "Number of processes in each state.";
    let mut state = MetricFamily::gauge("node_processes_state", help).label_names(["state"]);
    for (name, count) in processes.states {
        state.push([name.to_string()], count);
    }
    page.push(state)?;
    let gauges = [
        ("node_processes_pids", "Number of PIDs", processes.pids),
        ("node_processes_threads", "Allocated threads in system", processes.threads),
        (
            "node_processes_max_processes",
            "Number of max PIDs limit",
            paths.proc("sys/kernel/pid_max")?.number()?,
        ),
        (
            "node_processes_max_threads",
            "Limit of threads in the system",
            paths.proc("sys/kernel/threads-max")?.number()?,
        ),
    ];
    for (name, help, value) in gauges {
        page.single(MetricFamily::gauge(name, help), value)?;
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq)]
struct Processes {
    pids: u64,
    threads: u64,
    states: BTreeMap<char, u64>,
}

impl Processes {
    fn read(paths: &Paths) -> Result<Self, CollectError> {
        let error = |error| CollectError::read(&paths.procfs, error);
        let mut processes = Self::default();
        for entry in fs::read_dir(&paths.procfs).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name();
            if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            // A process may end, or be hidden from us, between the listing and this.
            if let Ok(stat) = read_bytes(&entry.path().join("stat")) {
                processes.add(&stat);
            }
        }
        Ok(processes)
    }

    /// Counts a process by its state, the first field after the last `)`, and its threads.
    fn add(&mut self, stat: &[u8]) {
        let Some(end) = stat.iter().rposition(|&byte| byte == b')') else {
            return;
        };
        let text = String::from_utf8_lossy(&stat[end + 1..]);
        let mut fields = text.split_ascii_whitespace();
        let Some(state) = fields.next().and_then(|field| field.chars().next()) else {
            return;
        };
        self.pids += 1;
        *self.states.entry(state).or_default() += 1;
        let threads: Option<u64> = fields.nth(16).and_then(|field| field.parse().ok());
        self.threads = self.threads.saturating_add(threads.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Processes, collect};
    use crate::page::Page;
    use crate::paths::tests::machine;

    fn stat(command: &str, state: char, threads: u64) -> String {
        format!("7 ({command}) {state} 1 1 1 1 1 0 2 3 4 5 0 0 0 0 20 0 {threads} 0 82375 0 0\n")
    }

    #[test]
    fn processes_are_counted_by_state() {
        let files = [
            ("proc/1/stat", stat("init", 'S', 1)),
            ("proc/22/stat", stat(") Z (", 'S', 30)),
            ("proc/333/stat", stat("x\n)", 'D', 4)),
            ("proc/4/comm", "ended".to_owned()),
            ("proc/5/stat", "5 (cut".to_owned()),
            ("proc/6/stat", "6 (cut)".to_owned()),
            ("proc/sys/stat", stat("not a process", 'X', 1)),
        ];
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let (_root, paths) = machine(&files);
        let expected =
            Processes { pids: 3, threads: 35, states: BTreeMap::from([('D', 1), ('S', 2)]) };
        assert_eq!(Processes::read(&paths).unwrap(), expected);
    }

    #[test]
    fn limits_are_needed() {
        let (_root, paths) = machine(&[("proc/sys/kernel/pid_max", "4194304\n")]);
        let error = collect(&paths, &mut Page::default()).unwrap_err().to_string();
        assert!(error.ends_with("sys/kernel/threads-max`"), "{error}");
    }
}

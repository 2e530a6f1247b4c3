//! `pressure`: stall information from `/proc/pressure`.

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::{Paths, Text};

/// A file in `/proc/pressure` and what its lines become.
struct Resource {
    file: &'static str,
    stalls: &'static [Stall],
}

struct Stall {
    line: &'static str,
    name: &'static str,
    help: &'static str,
}

const RESOURCES: [Resource; 4] = [
    Resource {
        file: "cpu",
        stalls: &[Stall {
            line: "some",
            name: "node_pressure_cpu_waiting_seconds_total",
            help: "Total time in seconds that processes have waited for CPU time",
        }],
    },
    Resource {
        file: "io",
        stalls: &[
            Stall {
                line: "some",
                name: "node_pressure_io_waiting_seconds_total",
                help: "Total time in seconds that processes have waited due to IO congestion",
            },
            Stall {
                line: "full",
                name: "node_pressure_io_stalled_seconds_total",
                help: "Total time in seconds no process could make progress due to IO congestion",
            },
        ],
    },
    Resource {
        file: "memory",
        stalls: &[
            Stall {
                line: "some",
                name: "node_pressure_memory_waiting_seconds_total",
                help: "Total time in seconds that processes have waited for memory",
            },
            Stall {
                line: "full",
                name: "node_pressure_memory_stalled_seconds_total",
                help: "Total time in seconds no process could make progress due to memory \
                       congestion",
            },
        ],
    },
    Resource {
        file: "irq",
        stalls: &[Stall {
            line: "full",
            name: "node_pressure_irq_stalled_seconds_total",
            help: "Total time in seconds no process could make progress due to IRQ congestion",
        }],
    },
];

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    for resource in &RESOURCES {
        let Some(text) = read(paths, resource.file)? else {
            continue;
        };
        for stall in resource.stalls {
            if let Some(total) = total(&text, stall.line)? {
                page.single(MetricFamily::counter(stall.name, stall.help), total as f64 / 1e6)?;
            }
        }
    }
    Ok(())
}

/// Only kernels that account for interrupts have a file `irq`.
fn read(paths: &Paths, file: &str) -> Result<Option<Text>, CollectError> {
    match file {
        "irq" => paths.proc_if_present("pressure/irq"),
        file => paths.proc(&format!("pressure/{file}")).map(Some),
    }
}

/// The microseconds of the line that starts with `kind`, if there is one.
fn total(text: &Text, kind: &str) -> Result<Option<u64>, CollectError> {
    let Some(line) = text.lines().find(|line| line.split(' ').next() == Some(kind)) else {
        return Ok(None);
    };
    let total = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="));
    match total.and_then(|total| total.parse().ok()) {
        Some(total) => Ok(Some(total)),
        None => Err(text.error(line, "stall averages and `total=` with a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;

    const LINES: &str = "some avg10=6.58 avg60=6.47 avg300=2.06 total=12797322\n\
                         full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";

    #[test]
    fn microseconds_become_seconds() {
        let (_root, paths) = machine(&[
            ("proc/pressure/cpu", LINES.lines().next().unwrap()),
            ("proc/pressure/io", LINES),
            ("proc/pressure/memory", LINES),
            ("proc/pressure/irq", LINES.lines().last().unwrap()),
        ]);
        let mut page = Page::default();
        collect(&paths, &mut page).unwrap();
        let expected = [
            "node_pressure_cpu_waiting_seconds_total{} 12.797322",
            "node_pressure_io_stalled_seconds_total{} 5e-6",
            "node_pressure_io_waiting_seconds_total{} 12.797322",
            "node_pressure_irq_stalled_seconds_total{} 5e-6",
            "node_pressure_memory_stalled_seconds_total{} 5e-6",
            "node_pressure_memory_waiting_seconds_total{} 12.797322",
        ];
        assert_eq!(page_lines(page), expected);
    }

    #[test]
    fn a_kernel_without_it_is_an_error() {
        let (_root, paths) = machine(&[("proc/stat", "")]);
        assert!(collect(&paths, &mut Page::default()).unwrap_err().is_not_found());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for cpu in ["some avg10=1\n", "some total=x\n", "some total=-1\n"] {
            let (_root, paths) = machine(&[
                ("proc/pressure/cpu", cpu),
                ("proc/pressure/io", LINES),
                ("proc/pressure/memory", LINES),
            ]);
            assert!(collect(&paths, &mut Page::default()).is_err(), "{cpu}");
        }
    }
}

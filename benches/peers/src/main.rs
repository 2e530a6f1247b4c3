//! Sets narthex beside its peers: the same work, in one process, round by round in turn.
//!
//! `cargo run --release` prints a Markdown table with one row for each row of the performance
//! contract; `docs/performance.md` says how to read it. Before anything is timed, all participants
//! print the same series and the pages are compared: who prints something else does other work.

mod allocations;
mod equality;
mod participant;
mod quiet;
mod report;
mod row;
mod rows;
mod timing;
mod workload;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::quiet::Slowdown;
use crate::report::Report;
use crate::timing::Effort;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Sets narthex beside other Prometheus libraries.
#[derive(Parser)]
struct Options {
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
    /// One JSON object a line instead of a Markdown table.
    #[arg(long)]
    json: bool,
    /// Only rows with this text in their name; may be repeated.
    #[arg(long, value_name = "NAME")]
    row: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let participants = participant::all();
    let differences = equality::differences(&participants);
    for difference in &differences {
        eprintln!("{difference}");
    }
    if !differences.is_empty() {
        return ExitCode::FAILURE;
    }

    let missing = rows::missing(&rows::all());
    if !missing.is_empty() {
        eprintln!("rows of the performance contract that nothing measures: {missing:?}");
        return ExitCode::FAILURE;
    }

    let chosen = |name: &str| {
        options.row.is_empty() || options.row.iter().any(|part| name.contains(part.as_str()))
    };
    let rows: Vec<_> = rows::all().into_iter().filter(|row| chosen(row.name)).collect();
    if rows.is_empty() {
        eprintln!("no row is named like that; there are:");
        rows::all().iter().for_each(|row| eprintln!("  {}", row.name));
        return ExitCode::FAILURE;
    }

    let effort = if options.quick { Effort::Quick } else { Effort::Full };
    let report = if options.json { Report::Json } else { Report::Markdown };
    Slowdown::calibrate(Duration::from_secs(1));
    report.start(&participants);
    for row in rows {
        let samples = (row.measure)(&participants, effort);
        report.row(&row, &participants, &samples);
    }
    let disturbed = timing::disturbed();
    if disturbed > 0 {
        eprintln!(
            "the machine is too busy: {disturbed} cells are of rounds that other programs disturbed"
        );
    }
    ExitCode::SUCCESS
}

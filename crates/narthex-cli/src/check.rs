//! `narthex check`: whether a page is right, and what it should say otherwise.

mod json;
mod lint;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use narthex_format::parse::{Limits, Mode};

use crate::format::PageFormat;
use crate::input::{Input, InputArgs};
use crate::report::{self, Remark};
use crate::terminal::{Reader, printable};
use crate::{complain, unusable};

/// Check a page of metrics: whether it can be read, and what it should say otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Format of the page; else what the server says, or what the page looks like.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<PageFormat>,

    /// Allow for what a Prometheus server does, and not only for what the format does.
    #[arg(long)]
    lenient: bool,

    /// Faults to list, and as many lint findings.
    #[arg(
        long,
        value_name = "N",
        default_value = "100",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Output"
    )]
    max_faults: u32,

    /// For people, or for programs.
    #[arg(long, value_enum, default_value = "text", value_name = "KIND", help_heading = "Output")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Each place with its line on a terminal; else one line each: `FILE:LINE:COLUMN: MESSAGE`
    Text,
    /// One object: verdict, faults, findings, and the metrics themselves
    Json,
}

const HELP: &str = "\
A page that can be read is linted: with the rules of promtool check metrics and some more, each of
which says how to mend what it finds. Colours are left out where NO_COLOR is set.

  narthex check page.txt
  narthex check http://localhost:9999/metrics --format openmetrics
  curl -s localhost:9999/metrics | narthex check --output json

Exit codes: 0 nothing to say, 1 the page cannot be read as its format, 2 there is no page (no such
file, no answer, too large) or the usage is wrong, 3 lint findings only.";

/// Checks the page; the exit code is the verdict.
pub(crate) fn check(args: &CheckArgs) -> ExitCode {
    let input = match args.input.read(args.format) {
        Ok(input) => input,
        Err(error) => return unusable(&args.input.page.name(), error),
    };
    let report = Report::new(&input, args);
    let reader = Reader::of(&io::stdout());
    let mut stdout = io::stdout().lock();
    let written = match (args.output, reader) {
        (Output::Text, _) => report.write(&mut stdout, reader),
        (Output::Json, Reader::Program) => json::write(&mut stdout, &report),
        (Output::Json, Reader::Terminal { .. }) => {
            // JSON leaves some characters as they are that a terminal obeys.
            let mut text = Vec::new();
            let written = json::write(&mut text, &report);
            written.and_then(|()| stdout.write_all(printable(&text).as_bytes()))
        }
    };
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => unusable("standard output", error),
        // Who closed the pipe has seen enough, and the verdict stands.
        _ => report.verdict().exit_code(),
    }
}

/// What is known of a page.
struct Report<'a> {
    input: &'a Input,
    mode: Mode,
    limits: Limits,
    faults: Vec<Remark>,
    /// Empty where there are faults, for then the page was not read.
    findings: Vec<Remark>,
    /// Whether there is more of either.
    more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Clean,
    Invalid,
    Lint,
}

impl<'a> Report<'a> {
    fn new(input: &'a Input, args: &CheckArgs) -> Self {
        let mode = if args.lenient { Mode::Lenient } else { Mode::Strict };
        let most = args.max_faults as usize;
        // One more, to see whether there is one.
        let limits =
            Limits::default().page(args.input.page.most_bytes()).faults(most.saturating_add(1));
        let mut faults = report::faults(input, mode, &limits);
        let mut findings = match faults.is_empty() {
            true => lint::findings(input, mode, &limits),
            false => Vec::new(),
        };
        let more = faults.len() > most || findings.len() > most;
        faults.truncate(most);
        findings.truncate(most);
        Self { input, mode, limits, faults, findings, more }
    }

    fn verdict(&self) -> Verdict {
        match (self.faults.is_empty(), self.findings.is_empty()) {
            (false, _) => Verdict::Invalid,
            (true, false) => Verdict::Lint,
            (true, true) => Verdict::Clean,
        }
    }

    fn write(&self, out: &mut impl Write, reader: Reader) -> io::Result<()> {
        report::write(out, self.input, &self.faults, reader)?;
        report::write(out, self.input, &self.findings, reader)?;
        let (faults, findings) = (self.faults.len(), self.findings.len());
        if self.more {
            let count = faults.max(findings);
            let hint = format!("these are the first {count} only; --max-faults lists more");
            complain("note", &self.input.name, hint);
        }
        let verdict = match self.verdict() {
            Verdict::Clean => "nothing to say".to_owned(),
            Verdict::Invalid => counted(faults, "fault", "faults"),
            Verdict::Lint => counted(findings, "lint finding", "lint findings"),
        };
        match reader {
            Reader::Terminal { .. } => {
                writeln!(out, "{}: {verdict}, read as {}", self.input.name, self.input.format)
            }
            // Programs have the exit code.
            Reader::Program => Ok(()),
        }
    }
}

impl Verdict {
    fn exit_code(self) -> ExitCode {
        match self {
            Self::Clean => ExitCode::SUCCESS,
            Self::Invalid => ExitCode::from(1),
            Self::Lint => ExitCode::from(3),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Invalid => "invalid",
            Self::Lint => "lint",
        }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

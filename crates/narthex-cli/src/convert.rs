//! `narthex convert`: a page in another format.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use narthex_format::Escaping;
use narthex_format::parse::{Limits, Mode, parse_within};
use narthex_model::Scrape;

use crate::format::PageFormat;
use crate::input::{Input, InputArgs};
use crate::losses::losses;
use crate::report;
use crate::terminal::{Reader, printable};
use crate::{complain, unusable};

/// Convert a page of metrics to another format.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Format of the page; else what the server says, or what the page looks like.
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<PageFormat>,

    /// Format to write.
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: PageFormat,

    /// Allow for what a Prometheus server does, and not only for what the format does.
    #[arg(long)]
    lenient: bool,

    /// How to write names with other characters than letters, digits, `_` and `:`.
    #[arg(
        long,
        value_name = "SCHEME",
        default_value = "allow-utf-8",
        value_parser = PossibleValuesParser::new(Escaping::ALL.map(Escaping::as_str))
            .map(|word| scheme(&word)),
        help_heading = "Output"
    )]
    escaping: Escaping,

    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    output_file: Option<PathBuf>,
}

const HELP: &str = "\
What the page says and the other format cannot carry is counted on standard error, one line for
each kind of it. JSON has all of the model, and is how to look into a page in protobuf.

  narthex convert metrics.pb --to text
  narthex convert http://localhost:9999/metrics --from protobuf --to json | jq .
  narthex convert page.txt --to openmetrics --output-file page.om

Exit codes: 0 the page is written, 1 it cannot be read as its format, 2 there is no page (no such
file, no answer, too large), it cannot be written, or the usage is wrong.";

/// Converts the page.
pub(crate) fn convert(args: &ConvertArgs) -> ExitCode {
    let to_standard_output = args.output_file.is_none();
    let is_terminal = to_standard_output && io::stdout().is_terminal();
    if is_terminal && args.to == PageFormat::Protobuf {
        let hint = "protobuf is not for a terminal; write it to a file with --output-file";
        return unusable("standard output", hint);
    }
    let input = match args.input.read(args.from) {
        Ok(input) => input,
        Err(error) => return unusable(&args.input.page.name(), error),
    };
    let mode = if args.lenient { Mode::Lenient } else { Mode::Strict };
    let limits = Limits::default().page(args.input.page.most_bytes());
    let Ok(scrape) = parse_within(input.format.syntax(), &input.page, mode, &limits) else {
        return refuse(&input, mode, &limits);
    };
    for problem in scrape.problems() {
        complain("warning", &input.name, problem);
    }

    let written = match &args.output_file {
        None if is_terminal => write_to_terminal(args, &scrape),
        None => write(args, &scrape, &mut io::stdout().lock()),
        Some(path) => {
            File::create(path).and_then(|file| write(args, &scrape, &mut BufWriter::new(file)))
        }
    };
    match written {
        Ok(()) => {
            for loss in losses(&scrape, args.to, args.escaping) {
                complain("warning", &input.name, loss);
            }
            ExitCode::SUCCESS
        }
        // Who closed the pipe has seen enough.
        Err(error) if to_standard_output && error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let name = args.output_file.as_deref().map(Path::as_os_str);
            let name = name.map(|name| printable(name.as_encoded_bytes()));
            unusable(name.as_deref().unwrap_or("standard output"), error)
        }
    }
}

/// Says what is wrong with the page, all of it.
fn refuse(input: &Input, mode: Mode, limits: &Limits) -> ExitCode {
    let faults = report::faults(input, mode, limits);
    // There is no place left to tell of a closed standard error.
    let _ = report::write(&mut io::stderr().lock(), input, &faults, Reader::of(&io::stderr()));
    ExitCode::from(1)
}

fn write(args: &ConvertArgs, scrape: &Scrape, out: &mut impl Write) -> io::Result<()> {
    args.to.writer(args.escaping).write(scrape, out)?;
    out.flush()
}

/// Label values and help texts may have what a terminal would obey.
fn write_to_terminal(args: &ConvertArgs, scrape: &Scrape) -> io::Result<()> {
    let mut page = Vec::new();
    write(args, scrape, &mut page)?;
    io::stdout().lock().write_all(printable(&page).as_bytes())
}

fn scheme(word: &str) -> Escaping {
    let named = Escaping::ALL.into_iter().find(|scheme| scheme.as_str() == word);
    named.expect("only the words of schemes are let through")
}

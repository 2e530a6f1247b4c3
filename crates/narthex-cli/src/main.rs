//! The program `narthex`.
//!
//! `run` exports this machine's metrics, `fetch` scrapes a page as Prometheus does, `check` says
//! what is wrong with a page, `convert` writes it in another format, and `push` sends it to a
//! Pushgateway. Exit codes: 0 all went well, 1 it did not, 2 the arguments, the settings or the
//! input cannot be used, and 3 what is right could be better.

mod check;
mod client;
mod convert;
mod fetch;
mod format;
mod input;
mod losses;
mod push;
mod report;
mod run;
mod snippet;
mod terminal;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use self::check::CheckArgs;
use self::convert::ConvertArgs;
use self::fetch::FetchArgs;
use self::push::PushArgs;
use self::run::RunArgs;

/// Metrics for Prometheus: export this machine; fetch, check, convert and push pages.
#[derive(clap::Parser)]
#[command(name = "narthex", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(Box<RunArgs>),
    Fetch(FetchArgs),
    Check(CheckArgs),
    Convert(ConvertArgs),
    Push(Box<PushArgs>),
}

fn main() -> ExitCode {
    match run::settings().try_parse::<Cli>() {
        Ok(Cli { command: Command::Run(args) }) => run::run(*args),
        Ok(Cli { command: Command::Fetch(args) }) => fetch::fetch(&args),
        Ok(Cli { command: Command::Check(args) }) => check::check(&args),
        Ok(Cli { command: Command::Convert(args) }) => convert::convert(&args),
        Ok(Cli { command: Command::Push(args) }) => push::push(&args),
        Err(error) => error.report(),
    }
}

/// Says on standard error that there is nothing to work with, and gives the exit code for it.
fn unusable(name: &str, error: impl Display) -> ExitCode {
    complain("error", name, error);
    ExitCode::from(2)
}

/// Says something about what is called `name` on standard error.
fn complain(word: &str, name: &str, message: impl Display) {
    // There is no place left to tell of a closed standard error.
    let _ = writeln!(std::io::stderr(), "{word}: {name}: {message}");
}

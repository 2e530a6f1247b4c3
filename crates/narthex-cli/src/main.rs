//! The program `narthex`.
//!
//! `run` exports this machine's metrics, `fetch` scrapes a page as Prometheus does. Exit codes: 0
//! all went well, 1 it did not, 2 the arguments or settings cannot be used.

mod fetch;
mod run;

use std::process::ExitCode;

use self::fetch::FetchArgs;
use self::run::RunArgs;

/// Metrics for Prometheus: export this machine, fetch a page.
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
}

fn main() -> ExitCode {
    match run::settings().try_parse::<Cli>() {
        Ok(Cli { command: Command::Run(args) }) => run::run(*args),
        Ok(Cli { command: Command::Fetch(args) }) => fetch::fetch(&args),
        Err(error) => error.report(),
    }
}

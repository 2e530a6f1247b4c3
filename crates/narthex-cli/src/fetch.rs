//! `narthex fetch`: scrapes a page as Prometheus does, and shows it.

mod args;
mod client;
mod show;

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use http::StatusCode;

pub(crate) use self::args::FetchArgs;
use self::client::{Answer, FetchError};
use self::show::Look;

/// Fetches the page as often as asked; the exit code is 0 where every answer was a good one.
pub(crate) fn fetch(args: &FetchArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(args, &error);
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(fetch_all(args));
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(Verdict::AllGood) => ExitCode::SUCCESS,
        Ok(Verdict::NotAllGood) => ExitCode::FAILURE,
        // Who closed the pipe has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(args, &format!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

enum Verdict {
    AllGood,
    NotAllGood,
}

/// Fails where the answers cannot be shown.
async fn fetch_all(args: &FetchArgs) -> io::Result<Verdict> {
    let look = Look { raw: args.raw, terminal: io::stdout().is_terminal() };
    let mut verdict = Verdict::AllGood;
    for round in 0..args.rounds() {
        let start = Instant::now();
        let answer = client::fetch(args).await;
        show(args, &look, round, &answer)?;
        if !answer.is_ok_and(|answer| answer.status == StatusCode::OK) {
            verdict = Verdict::NotAllGood;
        }
        if round + 1 < args.rounds() {
            tokio::time::sleep(args.interval().saturating_sub(start.elapsed())).await;
        }
    }
    Ok(verdict)
}

fn show(
    args: &FetchArgs,
    look: &Look,
    round: u64,
    answer: &Result<Answer, FetchError>,
) -> io::Result<()> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            complain(args, error);
            return Ok(());
        }
    };
    let mut page = look.page(answer);
    if round > 0 && !look.raw {
        page.insert(0, b'\n');
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&page)?;
    stdout.flush()?;
    if answer.status != StatusCode::OK {
        complain(args, &format!("the status is {}, not 200", answer.status.as_u16()));
    }
    Ok(())
}

fn complain(args: &FetchArgs, error: &impl Display) {
    // There is no place left to tell of a closed standard error.
    let _ = writeln!(io::stderr(), "error: {}: {error}", args.url);
}

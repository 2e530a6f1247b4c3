//! `narthex fetch`: scrapes a page as Prometheus does, and shows it.

mod args;
mod show;
mod text;

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use narthex_format::Escaping;
use narthex_format::parse::{Limits, Mode, ParseError, Syntax, parse_within};

pub(crate) use self::args::FetchArgs;
use self::show::Look;
use crate::client::{Answer, Client, FetchError, Most};
use crate::format::{ACCEPT_TEXT, PageFormat};
use crate::losses::losses;
use crate::{complain, unusable};

/// Fetches the page as often as asked; the exit code is 0 where every answer was a good one.
pub(crate) fn fetch(args: &FetchArgs) -> ExitCode {
    let client = match args.request.client(&args.url) {
        Ok(client) => client,
        Err(error) => return unusable(&args.url.to_string(), error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain("error", &args.url.to_string(), error);
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(fetch_all(args, &client));
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(Verdict::AllGood) => ExitCode::SUCCESS,
        Ok(Verdict::NotAllGood) => ExitCode::FAILURE,
        // Who closed the pipe has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain("error", &args.url.to_string(), format_args!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    AllGood,
    NotAllGood,
}

/// The most that is read of a page, and the most it may decode to.
const MOST: Most = Most { mebibytes: 32 };

/// Fails where the answers cannot be shown.
async fn fetch_all(args: &FetchArgs, client: &Client) -> io::Result<Verdict> {
    let look = Look { raw: args.raw, terminal: io::stdout().is_terminal() };
    let accept = args.format.map_or(ACCEPT_TEXT, PageFormat::accept);
    let mut verdict = Verdict::AllGood;
    for round in 0..args.rounds() {
        let start = Instant::now();
        let answer = client.fetch(accept, MOST).await;
        if show(args, look, round, answer)? == Verdict::NotAllGood {
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
    look: Look,
    round: u64,
    answer: Result<Answer, FetchError>,
) -> io::Result<Verdict> {
    let url = args.url.to_string();
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            complain("error", &url, error);
            return Ok(Verdict::NotAllGood);
        }
    };
    let mut verdict = Verdict::AllGood;
    let readable = match look.raw {
        true => Ok((Cow::Borrowed(&*answer.body), Vec::new())),
        false => readable(&answer),
    };
    let (body, left_out) = match readable {
        Ok(readable) => readable,
        Err(error) => {
            verdict = Verdict::NotAllGood;
            let message = format!("the page is not the protobuf it claims to be: {error}");
            complain("error", &url, message);
            (Cow::default(), Vec::new())
        }
    };
    let mut page = look.page(&answer, &body);
    if round > 0 && !look.raw {
        page.insert(0, b'\n');
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&page)?;
    stdout.flush()?;
    for warning in left_out {
        complain("warning", &url, warning);
    }
    if answer.status != StatusCode::OK {
        verdict = Verdict::NotAllGood;
        let status = answer.status.as_u16();
        complain("error", &url, format_args!("the status is {status}, not 200"));
    }
    Ok(verdict)
}

/// The body for reading, protobuf as text, and what is not shown of it.
fn readable(answer: &Answer) -> Result<(Cow<'_, [u8]>, Vec<String>), ParseError> {
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.and_then(PageFormat::announced) != Some(PageFormat::Protobuf) {
        return Ok((Cow::Borrowed(&answer.body), Vec::new()));
    }
    let limits = Limits::default();
    let scrape = parse_within(Syntax::Protobuf, &answer.body, Mode::Strict, &limits)?;
    let losses = losses(&scrape, PageFormat::Text, Escaping::AllowUtf8);
    let not_shown = losses.iter().filter(|loss| !loss.is_of_native_buckets());
    let problems = scrape.problems().iter().map(ToString::to_string);
    let remarks = problems.chain(not_shown.map(ToString::to_string)).collect();
    Ok((text::page(&scrape).into(), remarks))
}

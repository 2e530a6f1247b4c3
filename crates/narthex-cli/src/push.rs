//! `narthex push`: pushes a page to a Pushgateway.

mod args;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use narthex_format::parse::{Limits, Mode, parse_within};
use narthex_model::{MetricFamily, Scrape};
use narthex_push::{PushError, PushErrorKind, Pushed, Pusher};

use self::args::Method;
pub(crate) use self::args::PushArgs;
use crate::client::access::UsageError;
use crate::client::chain;
use crate::format::{ACCEPT_TEXT, PageFormat};
use crate::input::Input;

/// Pushes, and says in its exit code how that went: 1 where the gateway refused or could not be
/// reached, 2 where nothing was sent because the arguments or the page are wrong.
pub(crate) fn push(args: &PushArgs) -> ExitCode {
    match run(args) {
        Ok(outcome) => {
            if args.verbose {
                // There is no place left to tell of a closed standard error.
                let _ = writeln!(io::stderr(), "{outcome}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", chain(&*error));
            ExitCode::from(exit_code(&*error))
        }
    }
}

fn run(args: &PushArgs) -> Result<String, Box<dyn Error>> {
    let pusher = args.pusher()?;
    // What cannot work is told before a page is waited for.
    pusher.check()?;
    let (pusher, scrape) = match args.method {
        Method::Delete => (pusher, None),
        Method::Push | Method::Add => {
            let input = read(args)?;
            let scrape = parse(&input, args.page.most_bytes())?;
            let is_protobuf = input.format == PageFormat::Protobuf;
            (if is_protobuf { pusher.protobuf() } else { pusher }, Some(scrape))
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pushed = runtime.block_on(send(args.method, &pusher, scrape.as_ref()));
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_background();
    Ok(outcome(args, scrape.as_ref(), pushed?))
}

fn read(args: &PushArgs) -> Result<Input, UsageError> {
    let accept = args.format.map_or(ACCEPT_TEXT, PageFormat::accept);
    let input = args.page.read(args.format, accept, |url| args.client(url));
    input.map_err(|error| UsageError::new(format!("{}: {error}", args.page.name())))
}

/// The page as it will be pushed: strictly right, with nothing left out of it.
fn parse(input: &Input, most_bytes: usize) -> Result<Scrape, UsageError> {
    let wrong = |fault: &dyn Display| UsageError::new(format!("{}: {fault}", input.name));
    let limits = Limits::default().page(most_bytes);
    let scrape = parse_within(input.format.syntax(), &input.page, Mode::Strict, &limits);
    let scrape = scrape.map_err(|error| wrong(&error))?;
    match scrape.problems().first() {
        Some(problem) => Err(wrong(problem)),
        None => Ok(scrape),
    }
}

async fn send(
    method: Method,
    pusher: &Pusher,
    scrape: Option<&Scrape>,
) -> Result<Pushed, PushError> {
    match (method, scrape) {
        (Method::Push, Some(scrape)) => pusher.push(scrape).await,
        (Method::Add, Some(scrape)) => pusher.add(scrape).await,
        (_, _) => pusher.delete().await,
    }
}

fn outcome(args: &PushArgs, scrape: Option<&Scrape>, pushed: Pushed) -> String {
    let what = match (args.method, scrape) {
        (Method::Delete, _) | (_, None) => "deleted the group".to_owned(),
        (method, Some(scrape)) => {
            let families = scrape.families().len();
            let series: usize = scrape.families().iter().map(MetricFamily::len).sum();
            let done = if method == Method::Add { "added" } else { "pushed" };
            format!("{done} {series} series of {families} families")
        }
    };
    let (gateway, status, tries) = (&args.gateway, pushed.status(), pushed.attempts());
    format!("{what}: {gateway} answered {status} on try {tries}")
}

fn exit_code(error: &(dyn Error + 'static)) -> u8 {
    match error.downcast_ref::<PushError>().map(PushError::kind) {
        Some(PushErrorKind::Settings | PushErrorKind::Metrics) => 2,
        Some(_) => 1,
        None if error.is::<UsageError>() => 2,
        None => 1,
    }
}

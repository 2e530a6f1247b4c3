//! `narthex push`: pushes a page to a Pushgateway.

mod args;
mod page;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use narthex_model::{MetricFamily, Scrape};
use narthex_push::{PushError, PushErrorKind, Pushed, Pusher};

pub(crate) use self::args::PushArgs;
use self::args::{Method, UsageError};
use self::page::PageError;

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
    let ca = args.ca()?;
    let pusher = args.pusher(ca.as_deref())?;
    // What cannot work is told before a page is waited for.
    pusher.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let (pusher, scrape) = match args.method {
            Method::Delete => (pusher, None),
            Method::Push | Method::Add => {
                let page = page::read(args, ca.as_deref()).await?;
                let scrape = page.parse()?;
                (if page.is_protobuf() { pusher.protobuf() } else { pusher }, Some(scrape))
            }
        };
        Ok(outcome(args, scrape.as_ref(), send(args.method, &pusher, scrape.as_ref()).await?))
    });
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_background();
    outcome
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
        None if error.is::<PageError>() || error.is::<UsageError>() => 2,
        None => 1,
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut parts: Vec<String> = causes.map(ToString::to_string).collect();
    // Some errors have the text of their cause in their own.
    parts.dedup_by(|cause, error| error.ends_with(&**cause));
    parts.join(": ")
}

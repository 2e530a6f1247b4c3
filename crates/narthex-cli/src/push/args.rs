//! The arguments of `narthex push`.

use std::time::Duration;

use http::header::AUTHORIZATION;
use narthex_push::Pusher;

use crate::client::Client;
use crate::client::access::{AccessArgs, UsageError};
use crate::client::args::{Url, seconds};
use crate::format::PageFormat;
use crate::input::PageArgs;

/// Push a page of metrics to a Pushgateway, or delete what was pushed.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct PushArgs {
    #[arg(help = "Pushgateway, such as http://localhost:9091; a path prefix is kept")]
    pub(super) gateway: String,

    #[command(flatten)]
    pub(super) page: PageArgs,

    /// Job that the metrics belong to.
    #[arg(long, value_name = "JOB", help_heading = "Group")]
    job: String,

    /// Further label of the group. Repeatable.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label, help_heading = "Group")]
    grouping: Vec<(String, String)>,

    /// What to do with the group.
    #[arg(long, value_enum, default_value = "push", help_heading = "Group")]
    pub(super) method: Method,

    /// Format of the page; else what its server says, or what the page looks like.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) format: Option<PageFormat>,

    /// Compress what is sent.
    #[arg(long, help_heading = "Request")]
    gzip: bool,

    /// Seconds for everything, tries again and pauses included.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Request"
    )]
    timeout: Duration,

    /// How often to try again what may be sent twice.
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Request")]
    retries: u32,

    #[command(flatten)]
    access: AccessArgs,

    /// Say in one line what was done.
    #[arg(long, short, help_heading = "Output")]
    pub(super) verbose: bool,
}

const HELP: &str = "\
The page is read and checked whole before anything is sent; without timestamps, for a gateway refuses
them. It is sent as protobuf if it came so, else as text. Credentials and --cert are for the gateway
alone, --ca also for the server that the page is from. The exit code is 0 where the gateway took
the push, 1 where it refused or could not be reached, and 2 where the arguments or the page are wrong
and nothing was sent.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    /// Replace all metrics of the group (PUT)
    Push,
    /// Replace the metrics of the same names (POST)
    Add,
    /// Delete the group (DELETE)
    Delete,
}

impl PushArgs {
    pub(super) fn pusher(&self) -> Result<Pusher, UsageError> {
        if self.method == Method::Delete && self.page.is_given() {
            return Err(UsageError::new("a page is given, but a deletion has none"));
        }
        let mut pusher = Pusher::new(&self.gateway, &self.job)
            .timeout(self.timeout)
            .connect_timeout(self.timeout.min(MOST_TO_CONNECT))
            .retries(self.retries);
        for (name, value) in &self.grouping {
            pusher = pusher.grouping(name, value);
        }
        if self.gzip {
            pusher = pusher.gzip();
        }
        if let Some(value) = self.access.authorization()? {
            pusher = pusher.header(AUTHORIZATION, value);
        }
        Ok(pusher.tls(self.access.tls()?))
    }

    /// What asks for the page to push: credentials are for the gateway alone.
    pub(super) fn client(&self, url: &Url) -> Result<Client, UsageError> {
        Client::new(url, self.timeout, Vec::new(), &self.access.trust()?)
    }
}

const MOST_TO_CONNECT: Duration = Duration::from_secs(5);

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected `NAME=VALUE`")?;
    Ok((name.to_owned(), value.to_owned()))
}

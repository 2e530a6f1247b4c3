//! The arguments of `narthex push`.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use narthex_format::parse::Syntax;
use narthex_push::{ClientTls, Pusher};

/// Push a page of metrics to a Pushgateway, or delete what was pushed.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct PushArgs {
    #[arg(help = "Pushgateway, such as http://localhost:9091; a path prefix is kept")]
    pub(super) gateway: String,

    #[arg(
        value_name = "FILE|URL|-",
        help = "Page to push; standard input where there is none or it is -"
    )]
    pub(super) page: Option<String>,

    /// Job that the metrics belong to.
    #[arg(long, value_name = "JOB", help_heading = "Group")]
    job: String,

    /// Further label of the group. Repeatable.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label, help_heading = "Group")]
    grouping: Vec<(String, String)>,

    /// What to do with the group.
    #[arg(long, value_enum, default_value = "push", help_heading = "Group")]
    pub(super) method: Method,

    /// Format of the page; by default what its server says, and text.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Page")]
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
    pub(super) timeout: Duration,

    /// How often to try again what may be sent twice.
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Request")]
    retries: u32,

    /// User for basic authentication.
    #[arg(long, value_name = "USER", requires = "password_file", help_heading = "Request")]
    user: Option<String>,

    /// File with the user's password.
    #[arg(long, value_name = "FILE", requires = "user", help_heading = "Request")]
    password_file: Option<PathBuf>,

    /// File with a bearer token.
    #[arg(long, value_name = "FILE", conflicts_with = "user", help_heading = "Request")]
    bearer_token_file: Option<PathBuf>,

    /// PEM file with the authorities to trust, and no others.
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    ca: Option<PathBuf>,

    /// Say in one line what was done.
    #[arg(long, short, help_heading = "Output")]
    pub(super) verbose: bool,
}

const HELP: &str = "\
The page is read and checked whole before anything is sent; without timestamps, for a gateway refuses
them. It is sent as protobuf if it came so, else as text. The exit code is 0 where the gateway took
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PageFormat {
    Text,
    #[value(name = "openmetrics")]
    OpenMetrics,
    Protobuf,
    Json,
}

impl From<PageFormat> for Syntax {
    fn from(format: PageFormat) -> Self {
        match format {
            PageFormat::Text => Self::Text,
            PageFormat::OpenMetrics => Self::OpenMetrics,
            PageFormat::Protobuf => Self::Protobuf,
            PageFormat::Json => Self::Json,
        }
    }
}

impl PushArgs {
    /// The authorities to trust, in PEM.
    pub(super) fn ca(&self) -> Result<Option<Vec<u8>>, UsageError> {
        let file = |path| fs::read(path).map_err(|error| UsageError::file(path, error));
        self.ca.as_deref().map(file).transpose()
    }

    pub(super) fn pusher(&self, ca: Option<&[u8]>) -> Result<Pusher, UsageError> {
        if self.method == Method::Delete && self.page.is_some() {
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
        if let Some(pem) = ca {
            pusher = pusher.tls(ClientTls::new().ca_certificates(pem));
        }
        if let Some((user, file)) = self.user.as_ref().zip(self.password_file.as_deref()) {
            pusher = pusher.basic_auth(user, secret(file)?);
        }
        if let Some(file) = self.bearer_token_file.as_deref() {
            pusher = pusher.bearer_token(secret(file)?);
        }
        Ok(pusher)
    }
}

const MOST_TO_CONNECT: Duration = Duration::from_secs(5);

/// A secret in a file, without the end of its line.
fn secret(path: &Path) -> Result<String, UsageError> {
    let text = fs::read_to_string(path).map_err(|error| UsageError::file(path, error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Arguments that cannot be used.
#[derive(Debug)]
pub(super) struct UsageError {
    message: String,
    source: Option<io::Error>,
}

impl UsageError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    fn file(path: &Path, error: io::Error) -> Self {
        Self { message: format!("`{}` cannot be read", path.display()), source: Some(error) }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for UsageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected `NAME=VALUE`")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a number of seconds above 0, such as 0.5".to_owned())
}

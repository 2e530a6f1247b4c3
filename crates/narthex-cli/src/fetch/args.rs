//! The arguments of `narthex fetch`.

use std::time::Duration;

use clap::ValueEnum as _;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use crate::client::args::{RequestArgs, Url, seconds};
use crate::format::PageFormat;

/// Scrape a page as Prometheus does, and show it.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct FetchArgs {
    #[arg(help = "Page to fetch, such as http://localhost:9999/metrics")]
    pub(super) url: Url,

    /// Format to ask for; where there is none, text in any version.
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = PossibleValuesParser::new(["text", "openmetrics", "protobuf"])
            .try_map(|name| PageFormat::from_str(&name, false)),
        help_heading = "Request"
    )]
    pub(super) format: Option<PageFormat>,

    #[command(flatten)]
    pub(super) request: RequestArgs,

    /// Fetch again and again, so many seconds after each other; without end unless counted.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Repetition")]
    interval: Option<Duration>,

    /// Fetch so many times, a second after each other unless an interval is given.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        help_heading = "Repetition"
    )]
    count: Option<u64>,

    /// Show nothing but the page, byte for byte as it was before its compression.
    #[arg(long, help_heading = "Output")]
    pub(super) raw: bool,
}

const HELP: &str = "\
Shows status, headers, sizes and time, then the page. A page in protobuf is shown as text, unless
--raw is given: native histograms in comments that begin with '# native'; what text cannot show is
told on standard error. On a terminal, control characters in the page are written out. The exit code
is 0 where every answer came whole and with the status 200, 1 where one did not, and 2 where the
arguments or a file that they name cannot be used.

  narthex fetch http://localhost:9999/metrics
  narthex fetch http://localhost:9999/metrics --format protobuf --interval 5
  narthex fetch http://localhost:9999/metrics --raw | narthex check
  narthex fetch https://localhost:9999/metrics --ca ca.pem --user ann --password-file password";

impl FetchArgs {
    pub(super) fn rounds(&self) -> u64 {
        self.count.unwrap_or(if self.interval.is_some() { u64::MAX } else { 1 })
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_secs(1))
    }
}

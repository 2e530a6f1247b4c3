//! The options that every exporter has.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{BoolishValueParser, PathBufValueParser, TypedValueParser as _};

use crate::logging::{LogFormat, LogLevel};
use crate::settings::ConfigFile;

/// The options that every exporter has; flatten them into your own.
///
/// ```
/// use narthex_exporter::{Settings, WebArgs};
///
/// #[derive(clap::Parser)]
/// struct Cli {
///     #[command(flatten)]
///     web: WebArgs,
/// }
///
/// let nothing: [(&str, &str); 0] = [];
/// let cli: Cli = Settings::new("THERMO").try_parse_from(["thermo"], nothing, "/".as_ref())?;
/// assert_eq!(cli.web.port, WebArgs::default().port);
/// # Ok::<(), narthex_exporter::SettingsError>(())
/// ```
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Exporter options")]
#[non_exhaustive]
pub struct WebArgs {
    /// Host name or address to listen on; of a name, all its addresses. Repeatable.
    #[arg(short = 'H', long, default_value = DEFAULT_HOST, alias = "listen-ip")]
    pub host: Vec<String>,

    /// Port to listen on; 0 picks a free one.
    #[arg(short, long, default_value_t = DEFAULT_PORT, alias = "listen-port")]
    pub port: u16,

    /// HOST:PORT to listen on, or :PORT for all addresses, instead of host and port. Repeatable.
    #[arg(
        id = "web_listen_address",
        long = "web.listen-address",
        value_name = "HOST:PORT",
        conflicts_with_all = ["host", "port"]
    )]
    pub listen_address: Vec<ListenAddress>,

    /// Path of the metrics.
    #[arg(
        long,
        value_name = "PATH",
        default_value = DEFAULT_PATH,
        alias = "web.telemetry-path",
        value_parser = metrics_path
    )]
    pub metrics_path: String,

    /// Lowest level to log: critical, error, warning, info, debug or trace.
    #[arg(
        short = 'L',
        long,
        value_name = "LEVEL",
        default_value = "info",
        ignore_case = true,
        hide_possible_values = true,
        alias = "log.level"
    )]
    pub log_level: LogLevel,

    /// Format of log lines: plain, json or logfmt.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "plain",
        ignore_case = true,
        hide_possible_values = true,
        alias = "log.format"
    )]
    pub log_format: LogFormat,

    /// Export metrics of the exporter's own process.
    #[arg(
        long,
        value_name = "BOOL",
        default_value = "false",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        hide_possible_values = true,
        action = clap::ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub process_stats: bool,

    /// Leave out the metrics about the exporter itself, its process included.
    #[arg(id = "web_disable_exporter_metrics", long = "web.disable-exporter-metrics")]
    pub disable_exporter_metrics: bool,

    /// Seconds to take off the scraper's timeout, for the way back.
    #[arg(
        id = "web_scrape_timeout_offset",
        long = "web.scrape-timeout-offset",
        value_name = "SECONDS",
        default_value = "0.5",
        value_parser = seconds
    )]
    pub scrape_timeout_offset: Duration,

    /// Seconds that scrapes under way get to end at shutdown.
    #[arg(
        id = "web_shutdown_timeout",
        long = "web.shutdown-timeout",
        value_name = "SECONDS",
        default_value = "5",
        value_parser = seconds
    )]
    pub shutdown_timeout: Duration,

    /// TOML file with settings.
    #[arg(
        long,
        value_name = "FILE",
        alias = "config.file",
        value_parser = PathBufValueParser::new().try_map(unread_file)
    )]
    pub config: Option<ConfigFile>,

    /// Check the settings and exit.
    #[arg(id = "config_check", long = "config.check")]
    pub config_check: bool,
}

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 9090;
const DEFAULT_PATH: &str = "/metrics";

impl WebArgs {
    /// Where to listen, as `HOST:PORT` each.
    pub fn addresses(&self) -> Vec<ListenAddress> {
        if !self.listen_address.is_empty() {
            return self.listen_address.clone();
        }
        let address = |host: &String| {
            let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            ListenAddress { host: bracketed.unwrap_or(host).to_owned(), port: self.port }
        };
        self.host.iter().map(address).collect()
    }
}

/// The options of an exporter that was given none.
impl Default for WebArgs {
    fn default() -> Self {
        Self {
            host: vec![DEFAULT_HOST.to_owned()],
            port: DEFAULT_PORT,
            listen_address: Vec::new(),
            metrics_path: DEFAULT_PATH.to_owned(),
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
            process_stats: false,
            disable_exporter_metrics: false,
            scrape_timeout_offset: Duration::from_millis(500),
            shutdown_timeout: Duration::from_secs(5),
            config: None,
            config_check: false,
        }
    }
}

/// A host and a port to listen on.
///
/// ```
/// use narthex_exporter::ListenAddress;
///
/// let address: ListenAddress = "[::1]:9100".parse()?;
/// assert_eq!((address.host(), address.port()), ("::1", 9100));
/// assert_eq!(":9100".parse::<ListenAddress>()?.host(), "");
/// # Ok::<(), narthex_exporter::ListenAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Without the brackets of an IPv6 address; empty for all addresses.
    host: String,
    port: u16,
}

impl ListenAddress {
    /// The host name or address, without brackets; empty for all addresses of the machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 for any free one.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<ListenAddress> for narthex_http::ListenAddr {
    fn from(address: ListenAddress) -> Self {
        (address.host, address.port).into()
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(ListenAddressError(()))?;
        // Digits alone, for `parse` takes a sign as well.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or(ListenAddressError(()))?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let is_plain = !host.contains(['[', ']', '/']) && !host.contains(char::is_whitespace);
        if !is_plain || host.contains(':') != bracketed.is_some() {
            return Err(ListenAddressError(()));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A text that is not `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddressError(());

impl fmt::Display for ListenAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `HOST:PORT`, `[IPV6]:PORT` or `:PORT`")
    }
}

impl std::error::Error for ListenAddressError {}

fn metrics_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("it must start with `/`".to_owned());
    }
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#');
    match text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("it must be a path of printable ASCII without `?` and `#`".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let error = || "expected a number of seconds, such as 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| error())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Refuses a file: [`Settings`](crate::Settings) replaces this by one that was read.
fn unread_file(_: std::path::PathBuf) -> Result<ConfigFile, String> {
    Err("the program does not read its settings with `narthex_exporter::Settings`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{ListenAddress, WebArgs, metrics_path, seconds};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        web: WebArgs,
    }

    #[test]
    fn the_default_is_what_no_arguments_give() {
        let parsed = Cli::parse_from(["thermo"]).web;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", WebArgs::default()));
    }

    #[test]
    fn listen_addresses_are_host_and_port() {
        for (text, expected) in [
            ("localhost:1", Some(("localhost", 1))),
            (":0", Some(("", 0))),
            ("0.0.0.0:65535", Some(("0.0.0.0", 65535))),
            ("[::]:80", Some(("::", 80))),
            ("::1:80", None),
            ("[localhost]:80", None),
            ("[::1]", None),
            ("[::1:80", None),
            ("localhost", None),
            ("localhost:", None),
            ("localhost:65536", None),
            ("localhost:+1", None),
            ("http://localhost:80", None),
            ("a b:80", None),
            ("", None),
        ] {
            let address = text.parse::<ListenAddress>().ok();
            let parts = address.as_ref().map(|address| (address.host(), address.port()));
            assert_eq!(parts, expected, "{text}");
            assert!(address.is_none_or(|address| address.to_string() == text), "{text}");
        }
    }

    #[test]
    fn b05_metrics_path_starts_with_a_slash() {
        for (text, valid) in
            [("/", true), ("/metrics", true), ("metrics", false), ("", false), ("/a b", false)]
        {
            assert_eq!(metrics_path(text).is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("-1", None),
            ("inf", None),
            ("NaN", None),
            ("5s", None),
        ] {
            assert_eq!(seconds(text).ok().map(|time| time.as_millis()), expected, "{text}");
        }
    }
}

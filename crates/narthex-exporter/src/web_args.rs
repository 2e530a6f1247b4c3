//! The options that every exporter has.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{BoolishValueParser, PathBufValueParser, TypedValueParser as _};
use narthex_http::WebConfig;

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
    /// Host name or address to listen on, or unix:PATH; of a name, all its addresses. Repeatable.
    #[arg(short = 'H', long, default_value = DEFAULT_HOST, alias = "listen-ip")]
    pub host: Vec<String>,

    /// Port to listen on; 0 picks a free one.
    #[arg(short, long, default_value_t = DEFAULT_PORT, alias = "listen-port")]
    pub port: u16,

    /// HOST:PORT to listen on, :PORT for all addresses or unix:PATH, instead of host and port.
    /// Repeatable.
    #[arg(
        id = "web_listen_address",
        long = "web.listen-address",
        value_name = "HOST:PORT",
        conflicts_with_all = ["host", "port"]
    )]
    pub listen_address: Vec<ListenAddress>,

    /// Listen on the sockets that systemd hands over, instead of any other.
    #[arg(
        id = "web_systemd_socket",
        long = "web.systemd-socket",
        conflicts_with_all = ["host", "port", "web_listen_address"]
    )]
    pub systemd_socket: bool,

    /// HOST:PORT or unix:PATH to listen on for the health endpoints alone, without TLS and
    /// passwords. Repeatable.
    #[arg(id = "web_health_address", long = "web.health-address", value_name = "HOST:PORT")]
    pub health_address: Vec<ListenAddress>,

    /// Name to answer to, besides those of this machine's loopback interface. Repeatable.
    #[arg(id = "web_allowed_host", long = "web.allowed-host", value_name = "HOST")]
    pub allowed_host: Vec<String>,

    /// PEM file with the private key of the server, for TLS.
    #[arg(long, value_name = "FILE", requires = "ssl_public_key")]
    pub ssl_private_key: Option<PathBuf>,

    /// PEM file with the certificate of the server and its chain, for TLS.
    #[arg(long, value_name = "FILE", requires = "ssl_private_key")]
    pub ssl_public_key: Option<PathBuf>,

    /// PEM file with authorities; every client then needs a certificate of theirs.
    #[arg(long, value_name = "FILE", requires = "ssl_public_key")]
    pub ssl_ca: Option<PathBuf>,

    /// Web configuration file of the Prometheus exporter toolkit: TLS, passwords and more.
    #[arg(
        id = "web_config_file",
        long = "web.config.file",
        value_name = "FILE",
        conflicts_with_all = ["ssl_private_key", "ssl_public_key", "ssl_ca"]
    )]
    pub web_config_file: Option<PathBuf>,

    /// File with bearer tokens, one a line; who presents one is let in.
    #[arg(id = "web_bearer_token_file", long = "web.bearer-token-file", value_name = "FILE")]
    pub bearer_token_file: Option<PathBuf>,

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

    /// Gathers of metrics at the same time; a scrape beyond them is answered 503.
    #[arg(
        id = "web_max_requests",
        long = "web.max-requests",
        value_name = "NUMBER",
        default_value = "40",
        value_parser = at_least_one
    )]
    pub max_requests: usize,

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

    /// Print the settings and where each comes from, and exit.
    #[arg(id = "config_print", long = "config.print")]
    pub config_print: bool,

    /// Allow `POST /-/reload`.
    #[arg(id = "web_enable_lifecycle", long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,
}

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 9090;
const DEFAULT_PATH: &str = "/metrics";

impl WebArgs {
    /// Where to listen, where systemd hands over no sockets.
    pub fn addresses(&self) -> Vec<ListenAddress> {
        if !self.listen_address.is_empty() {
            return self.listen_address.clone();
        }
        let address = |host: &String| {
            if let Some(path) = host.strip_prefix(UNIX) {
                return ListenAddress(Target::Unix(path.to_owned()));
            }
            let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = bracketed.unwrap_or(host).to_owned();
            ListenAddress(Target::Tcp { host, port: self.port })
        };
        self.host.iter().map(address).collect()
    }

    /// TLS and authentication as these options have them, and `None` where no option does.
    pub fn web_config(&self) -> Option<WebConfig> {
        let mut config = WebConfig::new();
        if let Some(path) = &self.web_config_file {
            config = config.file(path);
        }
        // Half a configuration is refused by the command line; of one that was made by hand the
        // missing half is a file that cannot be read.
        if self.ssl_public_key.is_some() || self.ssl_private_key.is_some() {
            let half = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
            config = config.tls_files(half(&self.ssl_public_key), half(&self.ssl_private_key));
        }
        if let Some(path) = &self.ssl_ca {
            config = config.client_ca_file(path);
        }
        if let Some(path) = &self.bearer_token_file {
            config = config.bearer_token_file(path);
        }
        let files = [
            &self.web_config_file,
            &self.ssl_public_key,
            &self.ssl_private_key,
            &self.ssl_ca,
            &self.bearer_token_file,
        ];
        files.into_iter().any(Option::is_some).then_some(config)
    }

    /// Ends a run under [`--config.check`](Self::config_check), once everything else about the
    /// settings is known to be valid: reads the files of TLS and authentication, prints
    /// `settings are valid` or what is wrong with them, and gives the exit code.
    ///
    /// [`main`](crate::main()) and [`Settings::parse`](crate::Settings::parse) call it by
    /// themselves.
    pub fn report_check(&self) -> ExitCode {
        self.tell_check().into()
    }

    /// Does what [`report_check`](Self::report_check) does, with the exit code as a number.
    pub(crate) fn tell_check(&self) -> u8 {
        // Who closed the pipe reads the exit code alone.
        if let Some(Err(error)) = self.web_config().map(|config| config.check()) {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            return 2;
        }
        let _ = writeln!(std::io::stdout(), "settings are valid");
        0
    }
}

/// The options of an exporter that was given none.
impl Default for WebArgs {
    fn default() -> Self {
        Self {
            host: vec![DEFAULT_HOST.to_owned()],
            port: DEFAULT_PORT,
            listen_address: Vec::new(),
            systemd_socket: false,
            health_address: Vec::new(),
            allowed_host: Vec::new(),
            ssl_private_key: None,
            ssl_public_key: None,
            ssl_ca: None,
            web_config_file: None,
            bearer_token_file: None,
            metrics_path: DEFAULT_PATH.to_owned(),
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
            process_stats: false,
            disable_exporter_metrics: false,
            scrape_timeout_offset: Duration::from_millis(500),
            max_requests: 40,
            shutdown_timeout: Duration::from_secs(5),
            config: None,
            config_check: false,
            config_print: false,
            enable_lifecycle: false,
        }
    }
}

const UNIX: &str = "unix:";

/// A host and a port to listen on, or the path of a Unix domain socket.
///
/// ```
/// use narthex_exporter::ListenAddress;
///
/// let address: ListenAddress = "[::1]:9100".parse()?;
/// assert_eq!((address.host(), address.port()), (Some("::1"), Some(9100)));
/// assert_eq!(":9100".parse::<ListenAddress>()?.host(), Some(""));
/// assert_eq!("unix:/run/thermo.sock".parse::<ListenAddress>()?.host(), None);
/// # Ok::<(), narthex_exporter::ListenAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress(Target);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// The host is without the brackets of an IPv6 address, and empty for all addresses.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(String),
}

impl ListenAddress {
    /// The host name or address, without brackets; empty for all addresses of the machine, and
    /// `None` for a Unix domain socket.
    pub fn host(&self) -> Option<&str> {
        match &self.0 {
            Target::Tcp { host, .. } => Some(host),
            Target::Unix(_) => None,
        }
    }

    /// The port, which is 0 for any free one; `None` for a Unix domain socket.
    pub fn port(&self) -> Option<u16> {
        match self.0 {
            Target::Tcp { port, .. } => Some(port),
            Target::Unix(_) => None,
        }
    }
}

impl From<ListenAddress> for narthex_http::ListenAddr {
    fn from(address: ListenAddress) -> Self {
        match address.0 {
            Target::Tcp { host, port } => (host, port).into(),
            Target::Unix(path) => format!("{UNIX}{path}").into(),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let address = Self(Target::Unix(path.to_owned()));
            return path.starts_with('/').then_some(address).ok_or(ListenAddressError(()));
        }
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
        Ok(Self(Target::Tcp { host: host.to_owned(), port }))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Target::Tcp { host, port } => write!(f, "{host}:{port}"),
            Target::Unix(path) => write!(f, "{UNIX}{path}"),
        }
    }
}

/// A text that is no [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddressError(());

impl fmt::Display for ListenAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `unix:/PATH`")
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

/// Reads a number of seconds, zero or more: a value parser for options of your own.
///
/// # Errors
/// Returns what was expected instead.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let error = || "expected a number of seconds, such as 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| error())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a number, 1 or more".to_owned())
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
            ("unix:thermo.sock", None),
            ("unix:", None),
            ("a b:80", None),
            ("", None),
        ] {
            let address = text.parse::<ListenAddress>().ok();
            let parts = address.as_ref().and_then(|address| address.host().zip(address.port()));
            assert_eq!(parts, expected, "{text}");
            assert!(address.is_none_or(|address| address.to_string() == text), "{text}");
        }
    }

    #[test]
    fn a_listen_address_may_be_a_socket_file() {
        let address: ListenAddress = "unix:/run/thermo.sock".parse().unwrap();
        assert_eq!((address.host(), address.port()), (None, None));
        assert_eq!(address.to_string(), "unix:/run/thermo.sock");
        let web = Cli::parse_from(["thermo", "-H", "unix:/run/thermo.sock", "-H", "::1"]).web;
        let addresses: Vec<_> = web.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["unix:/run/thermo.sock", "[::1]:9090"]);
    }

    #[test]
    fn b09_half_a_tls_configuration_is_refused() {
        for (arguments, missing) in [
            ("--ssl-private-key k", "--ssl-public-key"),
            ("--ssl-public-key c", "--ssl-private-key"),
            ("--ssl-ca a", "--ssl-public-key"),
            ("--ssl-ca a --ssl-private-key k", "--ssl-public-key"),
            ("--ssl-private-key k --ssl-public-key c --web.config.file w", "--web.config.file"),
        ] {
            let arguments = std::iter::once("thermo").chain(arguments.split(' '));
            let error = Cli::try_parse_from(arguments.clone()).map(drop).unwrap_err().to_string();
            assert!(error.contains(missing), "{:?}: {error}", arguments.collect::<Vec<_>>());
        }
        let whole = ["thermo", "--ssl-private-key=k", "--ssl-public-key=c", "--ssl-ca=a"];
        assert!(Cli::parse_from(whole).web.web_config().is_some());
        assert!(Cli::parse_from(["thermo"]).web.web_config().is_none());
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

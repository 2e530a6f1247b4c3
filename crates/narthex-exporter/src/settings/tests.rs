use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::{Section, Settings};
use crate::WebArgs;

/// A sensor exporter.
#[derive(Parser, Debug)]
#[command(name = "thermo-exporter", version = "1.2.3")]
struct Cli {
    /// Sensor to read.
    #[arg(long)]
    device: PathBuf,
    /// Password of the sensor.
    #[arg(long, hide_env_values = true, value_parser = password)]
    password: Option<String>,
    /// User of the sensor.
    #[arg(long)]
    user: Option<String>,
    /// Realm of the user.
    #[arg(long, requires = "user")]
    realm: Option<String>,
    /// Be loud.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Sum up.
    #[arg(long, action = clap::ArgAction::Set, default_value = "true")]
    sum: bool,
    #[command(flatten)]
    web: WebArgs,
}

fn password(text: &str) -> Result<String, String> {
    if text.len() < 4 { Err(format!("`{text}` is too short")) } else { Ok(text.to_owned()) }
}

fn settings() -> Settings {
    Settings::new("THERMO")
        .default_port(9111)
        .section("labels", Section::parse::<BTreeMap<String, String>>)
}

/// One start of the program: in a directory of its own, with files, variables and arguments.
#[derive(Default)]
struct Start {
    dotenv: Option<&'static str>,
    toml: Option<&'static str>,
    /// The file `other.txt`.
    other: Option<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
    arguments: &'static str,
}

impl Start {
    fn run(&self) -> Result<Cli, String> {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(directory.path().join(name), text).unwrap();
            }
        };
        write(".env", self.dotenv);
        write("thermo.toml", self.toml);
        write("other.txt", self.other);
        let mut arguments = vec!["thermo"];
        arguments.extend(self.arguments.split_whitespace());
        if self.toml.is_some() {
            arguments.extend(["--config", "thermo.toml"]);
        }
        if !self.arguments.contains("--device")
            && !self.environment.iter().any(|e| e.0 == "THERMO_DEVICE")
        {
            arguments.extend(["--device", "d"]);
        }
        settings()
            .try_parse_from(arguments, self.environment.iter().copied(), directory.path())
            .map_err(|error| error.to_string())
    }

    /// The value that `of` picks, or the error.
    fn value<T: ToString>(&self, of: impl Fn(&Cli) -> T) -> String {
        self.run().map_or_else(|error| error, |cli| of(&cli).to_string())
    }
}

fn arguments(arguments: &'static str) -> Start {
    Start { arguments, ..Start::default() }
}

fn variable(name: &'static str, value: &'static str) -> Start {
    Start { environment: vec![(name, value)], ..Start::default() }
}

fn dotenv(text: &'static str) -> Start {
    Start { dotenv: Some(text), ..Start::default() }
}

fn toml(text: &'static str) -> Start {
    Start { toml: Some(text), ..Start::default() }
}

fn port(cli: &Cli) -> u16 {
    cli.web.port
}

fn hosts(cli: &Cli) -> String {
    cli.web.host.join(" ")
}

fn addresses(cli: &Cli) -> String {
    cli.web.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn b03_hosts_are_repeatable_and_separated_by_blanks_in_the_environment() {
    assert_eq!(arguments("").value(hosts), "localhost");
    assert_eq!(arguments("-H ::1 --host 127.0.0.1").value(hosts), "::1 127.0.0.1");
    assert_eq!(variable("THERMO_HOST", " ::1  127.0.0.1 ").value(hosts), "::1 127.0.0.1");
    assert_eq!(dotenv("THERMO_HOST='::1 127.0.0.1'").value(hosts), "::1 127.0.0.1");
    assert_eq!(toml("host = ['::1', '127.0.0.1']").value(hosts), "::1 127.0.0.1");
    assert_eq!(toml("host = '::1'").value(hosts), "::1");
    let both = Start { environment: vec![("THERMO_HOST", "a b")], ..arguments("-H c") };
    assert_eq!(both.value(hosts), "c", "the command line replaces the environment as a whole");
    assert_eq!(arguments("-H ::1 -H [::2] -p 1").value(addresses), "[::1]:1 [::2]:1");
}

#[test]
fn b04_port_is_a_port() {
    assert_eq!(arguments("").value(port), "9111");
    assert_eq!(arguments("-p 1").value(port), "1");
    assert_eq!(arguments("--port 0").value(port), "0");
    assert_eq!(
        arguments("--port 70000").value(port),
        "invalid value '70000' for '--port <PORT>': 70000 is not in 0..=65535"
    );
    assert_eq!(
        variable("THERMO_PORT", "x").value(port),
        "environment variable THERMO_PORT: invalid value 'x': invalid digit found in string"
    );
    assert_eq!(
        dotenv("# c\nTHERMO_PORT=-1").value(port),
        ".env:2: THERMO_PORT: invalid value '-1': -1 is not in 0..=65535"
    );
    assert_eq!(
        toml("\n\nport = 70000").value(port),
        "thermo.toml:3: port: invalid value '70000': 70000 is not in 0..=65535"
    );
}

#[test]
fn b05_metrics_path_must_start_with_a_slash() {
    let path = |cli: &Cli| cli.web.metrics_path.clone();
    assert_eq!(arguments("").value(path), "/metrics");
    assert_eq!(arguments("--metrics-path /").value(path), "/");
    assert_eq!(arguments("--web.telemetry-path /m").value(path), "/m");
    assert_eq!(variable("THERMO_WEB_TELEMETRY_PATH", "/m").value(path), "/m");
    assert_eq!(
        arguments("--metrics-path metrics").value(path),
        "invalid value 'metrics' for '--metrics-path <PATH>': it must start with `/`"
    );
}

#[test]
fn b06_log_level_is_one_of_six_in_any_case() {
    let level = |cli: &Cli| format!("{:?}", cli.web.log_level);
    for (text, expected) in [
        ("critical", "Critical"),
        ("ERROR", "Error"),
        ("Warning", "Warning"),
        ("WARN", "Warning"),
        ("info", "Info"),
        ("debug", "Debug"),
        ("trace", "Trace"),
    ] {
        assert_eq!(variable("THERMO_LOG_LEVEL", text).value(level), expected);
    }
    assert_eq!(arguments("--log.level debug").value(level), "Debug");
    assert_eq!(arguments("-L debug").value(level), "Debug");
    assert_eq!(
        toml("log_level = 'loud'").value(level),
        "thermo.toml:1: log_level: invalid value 'loud' \
         [possible values: critical, error, warning, info, debug, trace]"
    );
}

#[test]
fn b07_log_format_is_plain_json_or_logfmt() {
    let format = |cli: &Cli| format!("{:?}", cli.web.log_format);
    assert_eq!(arguments("").value(format), "Plain");
    assert_eq!(arguments("--log-format json").value(format), "Json");
    assert_eq!(arguments("--log.format logfmt").value(format), "Logfmt");
    assert_eq!(
        arguments("--log-format xml").value(format),
        "invalid value 'xml' for '--log-format <FORMAT>' [possible values: plain, json, logfmt]"
    );
}

#[test]
fn b08_flags_take_the_usual_booleans_from_the_environment() {
    let stats = |cli: &Cli| cli.web.process_stats;
    assert_eq!(arguments("").value(stats), "false");
    assert_eq!(arguments("--process-stats").value(stats), "true");
    for (text, expected) in [
        ("1", "true"),
        ("true", "true"),
        ("T", "true"),
        ("Yes", "true"),
        ("y", "true"),
        ("ON", "true"),
        ("0", "false"),
        ("False", "false"),
        ("f", "false"),
        ("NO", "false"),
        ("n", "false"),
        ("off", "false"),
        ("", "false"),
    ] {
        assert_eq!(variable("THERMO_PROCESS_STATS", text).value(stats), expected, "{text:?}");
    }
    assert_eq!(
        variable("THERMO_PROCESS_STATS", "maybe").value(stats),
        "environment variable THERMO_PROCESS_STATS: invalid value 'maybe': \
         expected 1/0, true/false, t/f, yes/no, y/n or on/off"
    );
    assert_eq!(toml("process_stats = true").value(stats), "true");
    assert_eq!(arguments("--process-stats=no").value(stats), "false");
    assert_eq!(variable("THERMO_SUM", "off").value(|cli| cli.sum), "false");
    assert_eq!(toml("sum = false").value(|cli| cli.sum), "false");
    assert_eq!(
        toml("process_stats = 'yes'").value(stats),
        "thermo.toml:1: process_stats: wrong type: expected a boolean, found a string"
    );
}

#[test]
fn b10_version_and_help_are_answers() {
    assert_eq!(arguments("--version").value(port), "thermo-exporter, version 1.2.3\n");
    let start = Start {
        environment: vec![("THERMO_PORT", "4242"), ("THERMO_PASSWORD", "secret")],
        dotenv: Some("THERMO_HOST=10.1.2.3"),
        ..arguments("--help")
    };
    let help = start.run().unwrap_err();
    for expected in [
        "A sensor exporter",
        "[env: THERMO_PORT]",
        "[default: 9111]",
        "[env: THERMO_WEB_LISTEN_ADDRESS]",
        "[env: THERMO_DEVICE]",
        "[default: localhost]",
    ] {
        assert!(help.contains(expected), "{expected} is not in {help}");
    }
    for value in ["4242", "secret", "10.1.2.3"] {
        assert!(!help.contains(value), "{value} is in {help}");
    }
}

#[test]
fn defaults_can_be_changed_and_overridden() {
    let settings = settings().default_value("process_stats", "true");
    let stats = |arguments: &[&str], environment: Option<(&str, &str)>| {
        let cli: Cli = settings.try_parse_from(arguments, environment, Path::new("/")).unwrap();
        cli.web.process_stats
    };
    assert!(stats(&["thermo", "--device=d"], None));
    assert!(!stats(&["thermo", "--device=d"], Some(("THERMO_PROCESS_STATS", "no"))));
    assert!(!stats(&["thermo", "--device=d", "--process-stats=false"], None));
}

#[test]
#[should_panic(expected = "no option `prot`")]
fn a_default_needs_its_option() {
    let environment: [(&str, &str); 0] = [];
    let settings = Settings::new("X").default_value("prot", "1");
    let _ = settings.try_parse_from::<Cli>(["x"], environment, Path::new("/"));
}

#[test]
fn an_answer_is_not_an_error() {
    let code = |argument: &str| {
        let environment: [(&str, &str); 0] = [];
        let error =
            settings().try_parse_from::<Cli>(["thermo", argument], environment, Path::new("/"));
        error.unwrap_err().exit_code()
    };
    assert_eq!(
        [code("--help"), code("--version"), code("--nonsense"), code("--sum=1")],
        [0, 0, 2, 2]
    );
}

#[test]
fn b11_options_of_the_program_have_variables_as_well() {
    let device = |cli: &Cli| cli.device.display().to_string();
    assert_eq!(variable("THERMO_DEVICE", "/dev/a b").value(device), "/dev/a b");
    assert_eq!(variable("THERMO_VERBOSE", "2").value(|cli| cli.verbose), "2");
    assert_eq!(
        variable("THERMO_VERBOSE", "300").value(|cli| cli.verbose),
        "environment variable THERMO_VERBOSE: invalid value '300': number too large to fit in target type"
    );
    assert_eq!(variable("OTHER_PORT", "1").value(port), "9111");
    let offset = |cli: &Cli| cli.web.scrape_timeout_offset.as_millis();
    assert_eq!(variable("THERMO_WEB_SCRAPE_TIMEOUT_OFFSET", "0.25").value(offset), "250");
}

#[test]
fn required_options_are_given_by_any_source() {
    let run = |environment: Option<(&str, &str)>, dotenv: &str, toml: &str| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".env"), dotenv).unwrap();
        std::fs::write(directory.path().join("t.toml"), toml).unwrap();
        settings()
            .try_parse_from(["thermo", "--config=t.toml"], environment, directory.path())
            .map(|cli: Cli| cli.device.display().to_string())
            .unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(run(Some(("THERMO_DEVICE", "a")), "THERMO_DEVICE=b", "device = 'c'"), "a");
    assert_eq!(run(None, "THERMO_DEVICE=b", "device = 'c'"), "b");
    assert_eq!(run(None, "", "device = 'c'"), "c");
    assert_eq!(
        run(None, "", ""),
        "the following required arguments were not provided: --device <DEVICE>"
    );
}

#[test]
fn options_that_others_require_are_given_by_any_source() {
    let start = Start { environment: vec![("THERMO_USER", "u")], ..arguments("--realm r") };
    assert_eq!(start.value(|cli| cli.user.clone().unwrap()), "u");
    assert_eq!(Start { toml: Some("user = 'u'"), ..arguments("--realm r") }.value(port), "9111");
    assert_eq!(
        variable("THERMO_REALM", "r").value(port),
        "the following required arguments were not provided: --user <USER>"
    );
}

#[test]
fn b12_a_dotenv_file_that_is_named_must_exist() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("my.env"), "THERMO_PORT=1\nPORT=2\nTHERMO_DEVICE=d")
        .unwrap();
    std::fs::write(directory.path().join(".env"), "THERMO_PORT=3").unwrap();
    let run = |path: &str| {
        settings()
            .try_parse_from(["thermo"], [("THERMO_DOTENV", path)], directory.path())
            .map_or_else(|error| error.to_string(), |cli: Cli| cli.web.port.to_string())
    };
    assert_eq!(run("my.env"), "1");
    assert_eq!(
        run("no.env"),
        "environment variable THERMO_DOTENV: no.env: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(std::env::var_os("THERMO_PORT"), None, "the process keeps its environment");
    assert_eq!(dotenv("THERMO_PORT").value(port), ".env:1: expected `NAME=VALUE`");
}

#[test]
fn b13_flag_goes_before_environment_before_dotenv_before_file_before_default() {
    let start = |flag, environment: &[_], dotenv, toml| {
        let arguments = if flag { "-p 1" } else { "" };
        let start =
            Start { arguments, environment: environment.to_vec(), dotenv, toml, other: None };
        start.value(port)
    };
    let (environment, dotenv, toml) =
        ([("THERMO_PORT", "2")], Some("THERMO_PORT=3"), Some("port = 4"));
    assert_eq!(start(true, &environment, dotenv, toml), "1");
    assert_eq!(start(false, &environment, dotenv, toml), "2");
    assert_eq!(start(false, &[], dotenv, toml), "3");
    assert_eq!(start(false, &[], None, toml), "4");
    assert_eq!(start(false, &[], None, None), "9111");
    // What is not used is not looked at, except in the file, which is sound or not as a whole.
    assert_eq!(start(true, &[("THERMO_PORT", "x")], None, None), "1");
    assert_eq!(
        start(true, &[], None, Some("port = 'x'")),
        "thermo.toml:1: port: wrong type: expected an integer, found a string"
    );
}

#[test]
fn c06_a_missing_file_is_an_error() {
    assert_eq!(
        arguments("--config no.toml").value(port),
        "no.toml: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(
        variable("THERMO_CONFIG", "no.toml").value(port),
        "no.toml: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(toml("port = ").value(port).split(": ").next().unwrap(), "thermo.toml:1");
}

#[test]
fn the_file_can_be_named_by_every_other_source() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.toml"), "device = 'a'\nport = 1").unwrap();
    let run = |arguments: &[&str], environment: Option<(&str, &str)>| {
        settings()
            .try_parse_from::<Cli>(arguments, environment, directory.path())
            .map(|cli| cli.web.config.unwrap().path().display().to_string())
            .unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(run(&["t", "--config.file", "a.toml"], None), "a.toml");
    assert_eq!(run(&["t"], Some(("THERMO_CONFIG", "a.toml"))), "a.toml");
    assert_eq!(run(&["t"], Some(("THERMO_CONFIG_FILE", "a.toml"))), "a.toml");
    std::fs::write(directory.path().join(".env"), "THERMO_CONFIG=a.toml").unwrap();
    assert_eq!(run(&["t"], None), "a.toml");
}

#[test]
fn c07_unknown_keys_are_refused() {
    let check = |text, expected: &str| assert_eq!(toml(text).value(port), expected, "{text}");
    check("port = 1\n\nprot = 2", "thermo.toml:3: unknown key `prot`; did you mean `port`?");
    check("qqqqq = 2", "thermo.toml:1: unknown key `qqqqq`");
    check("[label]\na = 'b'", "thermo.toml:1: unknown key `label`; did you mean `labels`?");
    check("[web]\nlisten_address = ':1'", "thermo.toml:1: unknown key `web`");
    check("config = 'b.toml'", "thermo.toml:1: unknown key `config`");
    check(
        "log-level = 'info'",
        "thermo.toml:1: unknown key `log-level`; did you mean `log_level`?",
    );
}

#[test]
fn c07_listen_ip_and_listen_port_are_host_and_port() {
    assert_eq!(toml("listen_ip = '127.0.0.1'\nlisten_port = 9").value(addresses), "127.0.0.1:9");
    assert_eq!(
        toml("listen_port = 9\nport = 9").value(port),
        "thermo.toml:2: port: `listen_port` sets the same, and only one can be given"
    );
    let both = [("THERMO_LISTEN_IP", "a"), ("THERMO_HOST", "b")];
    assert_eq!(
        Start { environment: both.to_vec(), ..Start::default() }.value(port),
        "environment variable THERMO_LISTEN_IP: `THERMO_HOST` sets the same, and only one can be given"
    );
}

#[test]
fn c07_wrong_types_name_file_line_and_key() {
    let check = |text, expected: &str| assert_eq!(toml(text).value(port), expected, "{text}");
    check("port = [1]", "thermo.toml:1: port: wrong type: expected an integer, found a list");
    check("port = 1.5", "thermo.toml:1: port: wrong type: expected an integer, found a float");
    check("device = 5", "thermo.toml:1: device: wrong type: expected a string, found an integer");
    check(
        "host = ['a', 5]",
        "thermo.toml:1: host: wrong type: expected a string, found an integer",
    );
    check(
        "metrics_path = {}",
        "thermo.toml:1: metrics_path: wrong type: expected a string, found a table",
    );
    check("port = 0x10", "16");
}

#[test]
fn listen_addresses_displace_host_and_port_and_the_other_way_round() {
    let address = "web_listen_address = [':1', '[::1]:2']";
    assert_eq!(toml(address).value(addresses), ":1 [::1]:2");
    assert_eq!(variable("THERMO_WEB_LISTEN_ADDRESS", "a:1 b:2").value(addresses), "a:1 b:2");
    assert_eq!(Start { arguments: "-p 5", ..toml(address) }.value(addresses), "localhost:5");
    let flag = "--web.listen-address :7";
    assert_eq!(Start { arguments: flag, ..toml("host = 'a'\nport = 1") }.value(addresses), ":7");
    assert_eq!(
        toml("port = 1\nweb_listen_address = ':1'").value(addresses),
        "thermo.toml:2: web_listen_address: cannot be used with `port`"
    );
    assert_eq!(
        arguments("-p 1 --web.listen-address :1").value(addresses),
        "the argument '--port <PORT>' cannot be used with '--web.listen-address <HOST:PORT>'"
    );
    assert_eq!(
        variable("THERMO_WEB_LISTEN_ADDRESS", "9100").value(addresses),
        "environment variable THERMO_WEB_LISTEN_ADDRESS: invalid value '9100': \
         expected `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `unix:/PATH`"
    );
}

#[test]
fn sections_are_read_with_their_places() {
    let zone = |cli: &Cli| {
        let labels: &BTreeMap<String, String> =
            cli.web.config.as_ref().unwrap().section("labels").unwrap();
        labels["zone"].clone()
    };
    assert_eq!(toml("port = 1\n[labels]\nzone = 'a'").value(zone), "a");
    assert_eq!(
        toml("port = 1\n[labels]\nrow = 'b'\nzone = 5").value(zone),
        "thermo.toml:4: labels.zone: invalid type: integer `5`, expected a string"
    );
    assert_eq!(
        toml("labels = 5").value(zone),
        "thermo.toml:1: labels: invalid type: integer `5`, expected a map"
    );
    let absent = toml("port = 1").run().unwrap().web.config.unwrap();
    assert_eq!(absent.section::<BTreeMap<String, String>>("labels"), None);
}

#[test]
fn sections_can_blame_a_value_that_they_dislike() {
    #[derive(serde::Deserialize)]
    struct Limits {
        most: crate::Spanned<u8>,
    }
    let settings = Settings::new("X").section("limits", |section| {
        let limits: Limits = section.parse()?;
        match limits.most.get_ref() {
            0 => Err(section.error(&limits.most.span(), "nothing would be left")),
            most => Ok(*most),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.toml"), "port = 1\n\n[limits]\nmost = 0").unwrap();
    let error = settings
        .try_parse_from::<Cli>(["x", "--device=d"], [("X_CONFIG", "x.toml")], directory.path())
        .unwrap_err();
    assert_eq!(error.to_string(), "x.toml:4: limits.most: nothing would be left");
}

#[test]
fn secrets_are_not_repeated() {
    let password = |cli: &Cli| cli.password.clone().unwrap_or_default();
    assert_eq!(variable("THERMO_PASSWORD", "abcd").value(password), "abcd");
    assert_eq!(
        variable("THERMO_PASSWORD", "abc").value(password),
        "environment variable THERMO_PASSWORD: invalid value"
    );
    assert_eq!(toml("password = 'abc'").value(password), "thermo.toml:1: password: invalid value");
}

#[test]
fn errors_are_one_line() {
    for start in [
        arguments("--prot 5"),
        arguments("--log-format xml"),
        arguments("--port"),
        arguments("stray"),
        variable("THERMO_LOG_FORMAT", "x\n\u{1b}[31m"),
        toml("port = [1\n2"),
        toml("\"a\\nb\" = 1"),
        dotenv("THERMO_PORT=${\u{1b}}"),
    ] {
        let error = start.run().unwrap_err();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
    assert_eq!(
        arguments("--prot 5").value(port),
        "unexpected argument '--prot' found; a similar argument exists: '--port'"
    );
}

#[derive(Parser, Debug)]
#[command(name = "multi")]
struct Multi {
    #[arg(long)]
    name: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Run {
        /// The same as `--config`.
        file: Option<PathBuf>,
        #[command(flatten)]
        web: Box<WebArgs>,
    },
    Fetch {
        #[arg(long, default_value_t = 1)]
        port: u16,
    },
}

/// The port with which a subcommand is run, and its file.
fn multi(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("m.toml"), "port = 7").unwrap();
    let parsed = Settings::new("MULTI")
        .default_port(5)
        .subcommand("run")
        .config_argument("file")
        .try_parse_from::<Multi>(arguments, environment.iter().copied(), directory.path());
    match parsed {
        Ok(Multi { command: Command::Run { web, .. }, name }) => {
            let path = web.config.as_ref().map(|file| file.path().display().to_string());
            format!("{} {} {}", name.unwrap_or_default(), web.port, path.unwrap_or_default())
        }
        Ok(Multi { command: Command::Fetch { port }, .. }) => format!("fetch {port}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_options_of_one_subcommand_can_be_set_from_outside() {
    assert_eq!(multi(&["multi", "run"], &[]), " 5 ");
    assert_eq!(multi(&["multi", "run"], &[("MULTI_PORT", "6")]), " 6 ");
    assert_eq!(multi(&["multi", "--name", "run", "run"], &[("MULTI_PORT", "6")]), "run 6 ");
    assert_eq!(multi(&["multi", "run", "m.toml"], &[]), " 7 m.toml");
    assert_eq!(multi(&["multi", "run", "--config", "m.toml"], &[("MULTI_PORT", "6")]), " 6 m.toml");
    assert_eq!(multi(&["multi", "run", "m.toml"], &[("MULTI_CONFIG", "no.toml")]), " 7 m.toml");
    assert_eq!(
        multi(&["multi", "run", "--config", "m.toml", "m.toml"], &[]),
        "the file is given both as an argument and with '--config'"
    );
    assert_eq!(multi(&["multi", "fetch"], &[("MULTI_PORT", "x")]), "fetch 1");
    assert!(multi(&["multi", "run", "--help"], &[]).contains("[env: MULTI_PORT]"));
    assert_eq!(multi(&["multi", "--version"], &[]), "multi, version unknown\n");
}

#[test]
fn files_need_settings_to_be_read() {
    let error = Cli::try_parse_from(["thermo", "--device=d", "--config=x.toml"]).unwrap_err();
    assert!(error.to_string().contains("does not read its settings"), "{error}");
}

#[test]
fn the_value_of_an_own_option_may_lie_in_a_file() {
    let password = |cli: &Cli| cli.password.clone().unwrap_or_default();
    let from_file = |toml, other| Start { toml: Some(toml), other, ..Start::default() };
    let key = "password_file = 'other.txt'";
    assert_eq!(from_file(key, Some("pass word\n")).value(password), "pass word");
    assert_eq!(from_file(key, Some("pass\r\n")).value(password), "pass");
    assert_eq!(from_file(key, Some("pass\n\n")).value(password), "pass\n");
    // What is in it is not told.
    assert_eq!(
        from_file(key, Some("abc")).value(password),
        "thermo.toml:1: password_file: invalid value"
    );
    assert_eq!(
        from_file(key, None).value(password),
        "thermo.toml:1: password_file: `other.txt` cannot be read: No such file or directory (os \
         error 2)"
    );
    assert_eq!(
        from_file("password = 'abcd'\npassword_file = 'other.txt'", Some("")).value(password),
        "thermo.toml:2: password_file: `password` sets the same, and only one can be given"
    );
    assert_eq!(
        from_file("password_file = 1", None).value(password),
        "thermo.toml:1: password_file: wrong type: expected the path of a file, a string"
    );
    // A number does not lie in a file.
    let error = from_file("port_file = 'other.txt'", Some("1")).value(port);
    assert_eq!(error, "thermo.toml:1: unknown key `port_file`; did you mean `port`?");
}

#[test]
fn strings_in_the_file_refer_to_the_environment() {
    let start = |toml| Start {
        toml: Some(toml),
        environment: vec![("NAME", "ann"), ("NUMBER", "4242")],
        ..Start::default()
    };
    let user = |cli: &Cli| cli.user.clone().unwrap_or_default();
    assert_eq!(start("user = '${NAME}@${NONE:-home}'").value(user), "ann@home");
    assert_eq!(start("user = '$${NAME}'").value(user), "${NAME}");
    assert_eq!(start("port = '${NUMBER}'").value(port), "4242");
    assert_eq!(start("host = ['${NAME}', 'b']").value(hosts), "ann b");
    assert_eq!(
        start("port = '${NAME}'").value(port),
        "thermo.toml:1: port: invalid value 'ann': invalid digit found in string"
    );
    assert_eq!(
        start("\nuser = '${NONE}'").value(user),
        "thermo.toml:2: user: environment variable NONE is not set"
    );
    let labels = |cli: &Cli| {
        let file = cli.web.config.as_ref().expect("it was given");
        file.section::<BTreeMap<String, String>>("labels").expect("it is there")["zone"].clone()
    };
    assert_eq!(start("[labels]\nzone = '${NAME}'").value(labels), "ann");
}

#[test]
fn a_string_is_a_number_only_under_the_names_of_others() {
    assert_eq!(toml("listen_port = '1234'").value(port), "1234");
    assert_eq!(
        toml("port = '1234'").value(port),
        "thermo.toml:1: port: wrong type: expected an integer, found a string"
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let start = Start {
        dotenv: Some("THERMO_SUM=perhaps"),
        toml: Some("prot = 1\nverbose = 'x'\n[labels]\nzone = 1"),
        environment: vec![("THERMO_PORT", "x"), ("THERMO_PASSWORD", "abc")],
        ..Start::default()
    };
    assert_eq!(
        start.run().unwrap_err().split("; ").collect::<Vec<_>>(),
        [
            "thermo.toml:1: unknown key `prot`",
            "did you mean `port`?",
            "thermo.toml:2: verbose: wrong type: expected an integer, found a string",
            "thermo.toml:4: labels.zone: invalid type: integer `1`, expected a string",
            "environment variable THERMO_PASSWORD: invalid value",
            "environment variable THERMO_PORT: invalid value 'x': invalid digit found in string",
            ".env:1: THERMO_SUM: invalid value 'perhaps': expected 1/0, true/false, t/f, yes/no, \
             y/n or on/off",
        ]
    );
    let broken = toml("a = \nb = 1\nc = \n").value(port);
    assert!(broken.contains("thermo.toml:1: ") && broken.contains("thermo.toml:3: "), "{broken}");
}

#[test]
fn settings_are_printed_with_their_sources_and_without_secrets() {
    let start = Start {
        dotenv: Some("THERMO_USER=ann"),
        toml: Some("realm = 'home'\nport = 1\npassword = 's3cret'\n[labels]\nzone = 'a'"),
        environment: vec![("THERMO_PORT", "2")],
        arguments: "--config.print -vv",
        ..Start::default()
    };
    let page = start.run().unwrap_err();
    for line in [
        "device = \"d\"  # command line",
        "password = \"<hidden>\"  # thermo.toml:3: password",
        "user = \"ann\"  # .env:1: THERMO_USER",
        "realm = \"home\"  # thermo.toml:1: realm",
        "port = 2  # environment variable THERMO_PORT",
        "sum = true  # default",
        "host = [\"localhost\"]  # default",
        "[labels]  # thermo.toml:4",
        "zone = \"a\"",
    ] {
        assert!(page.lines().any(|found| found == line), "`{line}` is not in {page}");
    }
    assert!(!page.contains("s3cret"), "{page}");
}

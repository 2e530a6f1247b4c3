//! Where the settings of `narthex run` come from, and what is wrong with them.

use std::net::TcpListener;

use crate::support::{Directory, Narthex, Page};

/// The line with which the program refuses to start.
#[track_caller]
fn check_refused(
    directory: &Directory,
    arguments: &[&str],
    environment: &[(&str, &str)],
    line: &str,
) {
    let (code, stdout, stderr) = directory.end_of(arguments, environment);
    assert_eq!((code, &*stdout, &*stderr), (2, "", &*format!("error: {line}\n")));
}

#[test]
fn b04_port_0_is_any_free_port_and_a_bad_one_ends_the_start() {
    let narthex = Directory::new().run(&[]);
    assert_ne!(narthex.addr().port(), 0);
    assert!(narthex.url.ends_with("/metrics"), "{}", narthex.url);
    narthex.page();
    let directory = Directory::new();
    let line = "invalid value '65536' for '--port <PORT>': 65536 is not in 0..=65535";
    check_refused(&directory, &["run", "-p", "65536"], &[], line);
}

#[test]
fn b12_a_dotenv_file_that_is_named_must_exist() {
    let directory = Directory::new()
        .write(".env", "NARTHEX_METRICS_PATH=/dotenv\n")
        .write("other.env", "# comment\nexport NARTHEX_METRICS_PATH='/other'\n");
    let mut command = directory.command(&["run", "--port=0", "--host=127.0.0.1"]);
    assert!(Narthex::start(&mut command, directory).url.ends_with("/dotenv"));

    let directory = Directory::new()
        .write(".env", "NARTHEX_METRICS_PATH=/dotenv\n")
        .write("other.env", "# comment\nexport NARTHEX_METRICS_PATH='/other'\n");
    let mut command = directory.command(&["run", "--port=0", "--host=127.0.0.1"]);
    command.env("NARTHEX_DOTENV", "other.env");
    assert!(Narthex::start(&mut command, directory).url.ends_with("/other"));

    let line = "environment variable NARTHEX_DOTENV: none.env: cannot be read: No such file or \
                directory (os error 2)";
    check_refused(&Directory::new(), &["run"], &[("NARTHEX_DOTENV", "none.env")], line);
}

#[test]
fn b13_flags_go_before_the_environment_the_dotenv_file_and_the_toml_file() {
    let environment = [("NARTHEX_METRICS_PATH", "/env")];
    for (arguments, environment, dotenv, expected) in [
        (&["--metrics-path=/flag"][..], &environment[..], "/dotenv", "/flag"),
        (&[], &environment, "/dotenv", "/env"),
        (&[], &[], "/dotenv", "/dotenv"),
        (&[], &[], "", "/toml"),
    ] {
        let directory = Directory::new()
            .write(".env", &format!("NARTHEX_METRICS_PATH={dotenv}\n"))
            .write("narthex.toml", "metrics_path = '/toml'\n");
        let mut command = directory.command(&["run", "narthex.toml"]);
        command.args(["--host=127.0.0.1", "--port=0"]).args(arguments);
        command.envs(environment.iter().copied());
        let narthex = Narthex::start(&mut command, directory);
        assert!(narthex.url.ends_with(expected), "{} instead of {expected}", narthex.url);
    }
}

#[test]
fn c07_address_and_port_come_from_the_file() {
    for arguments in [["run", "narthex.toml"], ["run", "--config=narthex.toml"]] {
        let toml = "listen_ip = '127.0.0.1'\nlisten_port = 0\n";
        let directory = Directory::new().write("narthex.toml", toml);
        let mut command = directory.command(&arguments);
        let narthex = Narthex::start(&mut command, directory);
        assert!(narthex.url.starts_with("http://127.0.0.1:"), "{}", narthex.url);
    }
}

#[test]
fn every_option_has_a_key_in_the_file() {
    let toml = "\
        host = '127.0.0.1'\nport = 0\nmetrics_path = '/m'\nlog_level = 'debug'\n\
        log_format = 'json'\nprocess_stats = false\nweb_shutdown_timeout = 1.5\n\
        collector_cpu = false\ncollector_netdev_device_exclude = '^lo$'\n\
        path_procfs = '/proc'\npath_sysfs = '/sys'\npath_rootfs = '/'\n";
    let directory = Directory::new().write("narthex.toml", toml);
    let mut command = directory.command(&["run", "narthex.toml"]);
    let narthex = Narthex::start(&mut command, directory);
    assert!(narthex.url.ends_with("/m"), "{}", narthex.url);
    let page = narthex.page();
    for absent in ["process_cpu_seconds", "node_cpu_seconds", "device=\"lo\""] {
        assert!(!page.text.contains(absent), "{absent}");
    }
    let log = narthex.process.stderr();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    assert!(log.contains("\"level\":\"debug\""), "{log}");
}

#[test]
fn bad_settings_are_one_line_that_names_their_source() {
    let directory = Directory::new()
        .write("narthex.toml", "port = 0\n\nprot = 1\n")
        .write("type.toml", "port = '9999'\n")
        .write("later.toml", "[sql.sensor]\nurl = 'http://localhost/'\n")
        .write("pattern.toml", "\ncollector_diskstats_device_exclude = 'sd['\n")
        .write("twice.toml", "port = 1\nlisten_port = 2\n")
        .write("both.toml", "collector_cpu = true\nno_collector_cpu = true\n")
        .write("broken.toml", "port = \n");
    let check = |arguments: &[&str], environment: &[(&str, &str)], line: &str| {
        check_refused(&directory, arguments, environment, line);
    };
    check(
        &["run"],
        &[("NARTHEX_PORT", "x")],
        "environment variable NARTHEX_PORT: invalid value 'x': invalid digit found in string",
    );
    check(
        &["run", "narthex.toml"],
        &[],
        "narthex.toml:3: unknown key `prot`; did you mean `port`?",
    );
    check(
        &["run", "type.toml"],
        &[],
        "type.toml:1: port: wrong type: expected an integer, found a string",
    );
    check(&["run", "later.toml"], &[], "later.toml:1: unknown key `sql`");
    let reason = "unclosed character class";
    check(
        &["run", "pattern.toml"],
        &[],
        &format!(
            "pattern.toml:2: collector_diskstats_device_exclude: invalid value 'sd[': {reason}"
        ),
    );
    check(
        &["run", "--collector.netdev.device-exclude=sd["],
        &[],
        &format!("invalid value 'sd[' for '--collector.netdev.device-exclude <REGEX>': {reason}"),
    );
    check(
        &["run"],
        &[("NARTHEX_COLLECTOR_FILESYSTEM_FS_TYPES_EXCLUDE", "sd[")],
        &format!(
            "environment variable NARTHEX_COLLECTOR_FILESYSTEM_FS_TYPES_EXCLUDE: \
             invalid value 'sd[': {reason}"
        ),
    );
    check(
        &["run", "twice.toml"],
        &[],
        "twice.toml:2: listen_port: `port` sets the same, and only one can be given",
    );
    check(
        &["run", "both.toml"],
        &[],
        "both.toml:2: no_collector_cpu: cannot be used with `collector_cpu`",
    );
    check(
        &["run", "none.toml"],
        &[],
        "none.toml: cannot be read: No such file or directory (os error 2)",
    );
    check(
        &["run", "--prot"],
        &[],
        "unexpected argument '--prot' found; a similar argument exists: '--port'",
    );
    let (code, stdout, stderr) = directory.end_of(&["run", "broken.toml"], &[]);
    assert_eq!((code, &*stdout), (2, ""));
    assert!(stderr.starts_with("error: broken.toml:1: "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn config_check_starts_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let toml =
        format!("listen_port = {}\n[labels]\nzone = 'a'\n", taken.local_addr().unwrap().port());
    let directory = Directory::new().write("narthex.toml", &toml);
    let end = directory.end_of(&["run", "narthex.toml", "--config.check"], &[]);
    assert_eq!(end, (0, "settings are valid\n".to_owned(), String::new()));
}

#[test]
fn config_check_reads_the_web_configuration() {
    let web = "basic_auth_users:\n  me: secret\n";
    let toml = "web_config_file = 'web.yml'\n";
    let directory = Directory::new().write("narthex.toml", toml).write("web.yml", web);
    let (code, stdout, stderr) = directory.end_of(&["run", "narthex.toml", "--config.check"], &[]);
    assert_eq!((code, &*stdout, stderr.lines().count()), (2, "", 1), "{stderr}");
    assert!(stderr.starts_with("error: `web.yml`, line 2, column 7: "), "{stderr}");
    assert!(!stderr.contains("secret"), "{stderr}");
}

#[test]
fn a_file_of_the_usual_name_is_not_read_unless_it_is_named() {
    let narthex = Directory::new().write("config.toml", "metrics_path = '/m'").run(&[]);
    assert!(narthex.url.ends_with("/metrics"), "{}", narthex.url);
    let line = " INFO `config.toml` is not read; `narthex run config.toml` would do so\n";
    assert!(narthex.process.stderr().contains(line), "{}", narthex.process.stderr());

    let named = Directory::new().write("config.toml", "metrics_path = '/m'").run(&["config.toml"]);
    assert!(named.url.ends_with("/m"), "{}", named.url);
    assert!(!named.process.stderr().contains("not read"), "{}", named.process.stderr());
    assert!(!Directory::new().run(&[]).process.stderr().contains("not read"));
}

#[test]
fn without_settings_it_is_port_9999_of_localhost_with_process_metrics() {
    let (code, help, _) = Directory::new().end_of(&["run", "--help"], &[]);
    assert_eq!(code, 0);
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "[env: NARTHEX_PORT] [default: 9999]",
        "[env: NARTHEX_HOST] [default: localhost]",
        "[env: NARTHEX_PROCESS_STATS] [default: true]",
        "Exporter options:",
        "Collectors: --collector.cpu[=<BOOL>] Time the CPUs spent in each mode",
    ] {
        assert!(words.contains(text), "`{text}` is not in {help}");
    }
}

#[test]
fn usage_is_told_to_those_who_ask_and_to_those_who_should() {
    let directory = Directory::new();
    let version = format!("narthex, version {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [&["--version"][..], &["run", "--version"]] {
        let end = directory.end_of(arguments, &[]);
        assert_eq!(end, (0, version.clone(), String::new()), "{arguments:?}");
    }
    let (code, stdout, stderr) = directory.end_of(&["--help"], &[]);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains("run ") && stdout.contains("fetch "), "{stdout}");
    let (code, stdout, stderr) = directory.end_of(&[], &[]);
    assert_eq!((code, &*stdout), (2, ""));
    assert!(stderr.contains("run ") && stderr.contains("fetch "), "{stderr}");
    check_refused(
        &directory,
        &["runn"],
        &[],
        "unrecognized subcommand 'runn'; a similar subcommand exists: 'run'",
    );
}

#[test]
fn the_environment_does_not_reach_other_commands() {
    let narthex = Directory::new().run(&[]);
    let environment = [("NARTHEX_PORT", "x"), ("NARTHEX_DOTENV", "none")];
    let (code, stdout, stderr) =
        narthex.directory.end_of(&["fetch", &narthex.url, "--raw"], &environment);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(Page::parse(&stdout).families.contains_key("node_load1"), "{stdout}");
}

#[test]
fn c16_the_command_line_names_file_port_level_and_version_and_refuses_the_rest() {
    let text = "[metrics.configured]\ntype = 'gauge'\nvalue = 4\n";
    let directory = Directory::new().write("own.toml", text);
    let mut arguments = vec!["run", "own.toml", "-p", "0", "-L", "debug"];
    let narthex = Narthex::start(&mut directory.command(&arguments), directory);
    assert_eq!(narthex.page().value("configured", &[]), Some(4.0));
    narthex.wait_for_log("DEBUG");

    let directory = Directory::new().write("own.toml", text);
    arguments.push("--log-color");
    let (code, _, stderr) = directory.end_of(&arguments, &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--log-color"), "{stderr}");
    let (code, stdout, _) = directory.end_of(&["--version"], &[]);
    assert_eq!(
        (code, &*stdout),
        (0, concat!("narthex, version ", env!("CARGO_PKG_VERSION"), "\n"))
    );
}

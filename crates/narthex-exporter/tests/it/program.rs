//! `examples/thermo.rs` as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use narthex_test::example;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::{body, get};

/// A directory to start the program in, with a sensor in the file `sensor`.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("sensor"), "21.5\n").unwrap();
        Self(directory)
    }

    fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    /// The program with these arguments, the sensor, and a free port of IPv4.
    fn start(self, arguments: &[&str]) -> Thermo {
        let mut command = self.command(arguments);
        command.args(["--device=sensor", "--host=127.0.0.1", "--port=0"]);
        let mut thermo = Thermo::start(&mut command);
        thermo.house = Some(self);
        thermo
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(example("thermo"));
        command.args(arguments).current_dir(&self.0).env_clear();
        command
    }

    /// Runs the program to its end: exit code, standard output, standard error.
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = self.command(arguments);
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

/// The running program; killed when dropped.
struct Thermo {
    /// Where the program lives, unless the test keeps it.
    house: Option<House>,
    child: Child,
    stdout: BufReader<ChildStdout>,
    addr: SocketAddr,
    /// Lines of standard error as they come.
    log: mpsc::Receiver<String>,
}

impl Thermo {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                // A test that is done does not listen any more.
                let _ = sender.send(line.unwrap() + "\n");
            }
        });
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("{line:?} {:?}", log.iter().collect::<String>()));
        let addr = url.split('/').next().unwrap().parse().unwrap();
        Self { house: None, child, stdout, addr, log }
    }

    /// Waits until the program logs something.
    fn wait_for(&self, text: &str) {
        assert!(self.log.iter().any(|line| line.contains(text)), "`{text}` was never logged");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: the status, and the rest of standard output and standard error.
    fn end(mut self) -> (ExitStatus, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest, self.log.iter().collect())
    }
}

impl Drop for Thermo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn b01_a_program_of_twenty_lines_serves_its_metrics() {
    let thermo = House::new().start(&[]);
    let answer = get(thermo.addr, "/metrics");
    assert!(answer.contains("erver: thermo-exporter/1.2.3\r\n"), "{answer}");
    assert!(body(&answer).contains("\ntemperature_celsius 21.5\n"), "{answer}");
    let landing = get(thermo.addr, "/");
    for text in ["thermo-exporter", "1.2.3", "Temperatures of the house"] {
        assert!(body(&landing).contains(text), "{text} is not in {landing}");
    }
}

#[test]
fn b03_a_name_is_bound_at_all_its_addresses() {
    let house = House::new();
    let thermo = Thermo::start(&mut house.command(&["--device=sensor", "--port=0"]));
    assert!(thermo.addr.ip().is_loopback());
    thermo.signal(Signal::TERM);
    let first = format!("listening on http://{}/metrics\n", thermo.addr);
    let (_, rest, _) = thermo.end();
    let count = |text: &str| (first.clone() + text).lines().count();
    let resolved = std::net::ToSocketAddrs::to_socket_addrs("localhost:0").unwrap();
    let bindable: std::collections::BTreeSet<_> =
        resolved.filter(|addr| TcpListener::bind(addr).is_ok()).collect();
    assert_eq!(count(&rest), bindable.len(), "{rest}");
}

#[test]
fn b05_the_metrics_can_be_at_the_root() {
    let thermo = House::new().start(&["--metrics-path=/"]);
    assert!(body(&get(thermo.addr, "/")).contains("temperature_celsius"));
    assert!(get(thermo.addr, "/metrics").starts_with("HTTP/1.1 404 "));
}

#[test]
fn b08_process_stats_are_there_when_asked_for() {
    for (arguments, expected) in [
        (&["--process-stats"][..], true),
        (&[], false),
        (&["--process-stats", "--web.disable-exporter-metrics"], false),
    ] {
        let thermo = House::new().start(arguments);
        let answer = get(thermo.addr, "/metrics");
        let page = body(&answer);
        assert_eq!(page.contains("\nprocess_start_time_seconds "), expected, "{page}");
    }
}

#[test]
fn exporter_metrics_can_be_left_out() {
    let page = |arguments: &[&str]| {
        let thermo = House::new().start(arguments);
        body(&get(thermo.addr, "/metrics")).to_owned()
    };
    assert!(page(&[]).contains("narthex_source_success{source=\"sensor\"} 1\n"));
    assert!(!page(&["--web.disable-exporter-metrics"]).contains("narthex_"));
}

#[test]
fn b10_version_is_name_and_version() {
    let (code, stdout, stderr) = House::new().run(&["--version"], &[]);
    assert_eq!((code, &*stdout, &*stderr), (0, "thermo-exporter, version 1.2.3\n", ""));
    let (code, stdout, stderr) = House::new().run(&["--help"], &[("THERMO_PORT", "4242")]);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains("THERMO_PORT") && stdout.contains("9111"), "{stdout}");
    assert!(!stdout.contains("4242"), "{stdout}");
}

#[test]
fn b13_all_sources_reach_the_program() {
    let house = House::new()
        .write(".env", "THERMO_METRICS_PATH=/dotenv\nTHERMO_HOST=127.0.0.1")
        .write("thermo.toml", "port = 0\nhost = 'nowhere.invalid'\ndevice = 'sensor'");
    let mut command = house.command(&["--config=thermo.toml"]);
    let thermo = Thermo::start(command.env("THERMO_PROCESS_STATS", "yes"));
    let answer = get(thermo.addr, "/dotenv");
    assert!(body(&answer).contains("temperature_celsius 21.5"), "{answer}");
    assert!(body(&answer).contains("process_"), "{answer}");
}

#[test]
fn b15_the_log_tells_of_the_start() {
    let thermo = House::new().start(&[]);
    let addr = thermo.addr;
    thermo.signal(Signal::TERM);
    let (_, _, stderr) = thermo.end();
    let lines: Vec<_> = stderr.lines().collect();
    let [startup, listening, shutdown] = lines[..] else { panic!("{stderr}") };
    assert!(startup.ends_with(" INFO startup exporter=thermo-exporter version=1.2.3"), "{startup}");
    let url = format!(" INFO listening url=http://{addr}/metrics");
    assert!(listening.ends_with(&url), "{listening}");
    assert!(shutdown.ends_with(" INFO shutdown cause=SIGTERM"), "{shutdown}");
}

#[test]
fn b16_requests_are_logged_at_debug() {
    let thermo = House::new().start(&["-L", "debug"]);
    get(thermo.addr, "/nothing");
    thermo.signal(Signal::TERM);
    let (_, _, stderr) = thermo.end();
    let is_request = |line: &&str| line.contains("DEBUG request ") && line.contains("status=404");
    assert_eq!(stderr.lines().filter(is_request).count(), 1, "{stderr}");
}

#[test]
fn b17_json_logs_are_one_object_a_line() {
    let house = House::new().write("sensor", "warm");
    let thermo = house.start(&["--log-format=json", "--log-level=debug"]);
    assert!(body(&get(thermo.addr, "/metrics")).contains("narthex_source_success"));
    thermo.signal(Signal::INT);
    let (_, _, stderr) = thermo.end();
    let lines: Vec<serde_json::Value> =
        stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        for key in ["timestamp", "level", "event"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
    assert!(lines.iter().any(|line| line["event"] == "startup" && line["version"] == "1.2.3"));
    assert!(lines.iter().any(|line| line["event"] == "shutdown" && line["cause"] == "SIGINT"));
}

#[test]
fn b18_a_failed_start_is_one_line_and_exit_code_1() {
    let (code, stdout, stderr) = House::new().run(&["--device=/no/sensor", "-L", "critical"], &[]);
    assert_eq!((code, &*stdout), (1, ""));
    let failure = "ERROR the exporter failed error=\"there is no sensor `/no/sensor`\"\n";
    assert!(stderr.ends_with(failure), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_port_in_use_is_one_line_that_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let address = format!("--web.listen-address={addr}");
    let arguments = ["--device=sensor", &address, "-L", "error"];
    let (code, stdout, stderr) = House::new().run(&arguments, &[]);
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains(&addr), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn bad_settings_are_one_line_and_exit_code_2() {
    let house = House::new().write("thermo.toml", "device = 'sensor'\n\nprot = 1");
    for (arguments, environment, expected) in [
        (
            &["--device=sensor", "--port=x"][..],
            &[][..],
            "error: invalid value 'x' for '--port <PORT>': invalid digit found in string\n",
        ),
        (
            &["--device=sensor"],
            &[("THERMO_PORT", "x")],
            "error: environment variable THERMO_PORT: invalid value 'x': \
             invalid digit found in string\n",
        ),
        (
            &["--config=thermo.toml"],
            &[],
            "error: thermo.toml:3: unknown key `prot`; did you mean `port`?\n",
        ),
        (
            &[],
            &[],
            "error: the following required arguments were not provided: --device <DEVICE>\n",
        ),
    ] {
        let (code, stdout, stderr) = house.run(arguments, environment);
        assert_eq!((code, &*stdout, &*stderr), (2, "", expected));
    }
}

#[test]
fn config_check_reads_everything_and_starts_nothing() {
    let house =
        House::new().write("good.toml", "device = '/no/sensor'").write("bad.toml", "port = -1");
    let good = house.run(&["--config=good.toml", "--config.check"], &[]);
    assert_eq!(good, (0, "settings are valid\n".to_owned(), String::new()));
    let (code, _, stderr) = house.run(&["--config=bad.toml", "--config.check"], &[]);
    assert_eq!((code, stderr.contains("bad.toml:1: port: ")), (2, true), "{stderr}");
}

#[test]
fn the_listening_line_is_printed_whatever_the_log_level() {
    let thermo = House::new().start(&["--log-level=critical"]);
    thermo.signal(Signal::TERM);
    let (status, rest, stderr) = thermo.end();
    assert_eq!((status.code(), &*rest, &*stderr), (Some(0), "", ""));
}

#[test]
fn c13_sighup_does_not_end_the_program() {
    let thermo = House::new().start(&[]);
    thermo.signal(Signal::HUP);
    assert!(body(&get(thermo.addr, "/metrics")).contains("temperature_celsius"));
    thermo.signal(Signal::INT);
    let (status, _, stderr) = thermo.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("SIGHUP has no effect"), "{stderr}");
}

/// The program in the middle of a scrape, which ends when the sensor is written to.
fn in_a_scrape() -> (Thermo, thread::JoinHandle<String>, std::fs::File) {
    let house = House::new();
    let fifo = house.0.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let arguments = ["--device=fifo", "--host=127.0.0.1", "--port=0", "--web.shutdown-timeout=60"];
    let thermo = Thermo::start(&mut house.command(&arguments));
    let addr = thermo.addr;
    let scrape = thread::spawn(move || {
        // A scraper that goes away early has no answer.
        std::panic::catch_unwind(|| get(addr, "/metrics")).unwrap_or_default()
    });
    // Opening waits for the program to open the other end.
    let sensor = std::fs::File::options().write(true).open(&fifo).unwrap();
    (thermo, scrape, sensor)
}

#[test]
fn sigterm_during_a_scrape_ends_with_a_whole_body_and_exit_code_0() {
    let (thermo, scrape, mut sensor) = in_a_scrape();
    thermo.signal(Signal::TERM);
    sensor.write_all(b"19").unwrap();
    drop(sensor);
    let answer = scrape.join().unwrap();
    assert!(body(&answer).contains("\ntemperature_celsius 19\n"), "{answer}");
    let (status, _, stderr) = thermo.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    for (signal, expected) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (thermo, scrape, sensor) = in_a_scrape();
        thermo.signal(Signal::TERM);
        thermo.wait_for("shutdown cause=SIGTERM");
        thermo.signal(signal);
        let (status, _, stderr) = thermo.end();
        assert_eq!(status.code(), Some(expected), "{stderr}");
        drop((scrape, sensor));
    }
}

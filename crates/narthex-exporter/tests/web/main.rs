//! TLS, authentication and listeners of `examples/thermo.rs` as a process.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use narthex_test::{Process, example, get, request, required_component};
use tempfile::TempDir;

/// A folder to start the program in, with a sensor, a certificate and a key.
fn house() -> TempDir {
    let house = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, content) in [
        ("sensor", "21.5\n".to_owned()),
        ("server.pem", made.cert.pem()),
        ("server.key", made.signing_key.serialize_pem()),
    ] {
        std::fs::write(house.path().join(name), content).unwrap();
    }
    house
}

fn thermo(house: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(example("thermo"));
    command.arg("--device=sensor").args(arguments).current_dir(house).env_clear();
    command
}

const LOCAL: [&str; 2] = ["--host=127.0.0.1", "--port=0"];

fn start(house: &TempDir, arguments: &[&str]) -> (Process, String) {
    let mut process = Process::start(&mut thermo(house, arguments)).unwrap();
    let url = process.wait_for_line("listening on ");
    (process, url)
}

/// Runs the program to its end: exit code and standard error.
fn fail(house: &TempDir, arguments: &[&str]) -> (i32, String) {
    let output = thermo(house, arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), stderr)
}

#[test]
fn b09_key_and_certificate_make_https() {
    let Some(curl) = required_component("curl") else { return };
    let house = house();
    let tls = ["--ssl-private-key=server.key", "--ssl-public-key=server.pem"];
    let (mut process, url) = start(&house, &[&LOCAL[..], &tls].concat());
    let url = url.replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://localhost:"), "{url}");
    let output = Command::new(curl)
        .args(["--silent", "--show-error", "--cacert", "server.pem", &url])
        .current_dir(&house)
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("\ntemperature_celsius 21.5\n"), "{output:?}");
    process.signal("TERM");
    assert!(process.wait().success());
}

#[test]
fn b09_half_a_tls_configuration_and_files_that_cannot_be_used_end_the_start() {
    let house = house();
    std::fs::write(house.path().join("web.yml"), "tls_server_config: {cert: a}\n").unwrap();
    for (arguments, reason) in [
        (&["--ssl-private-key=server.key"][..], "--ssl-public-key"),
        (&["--ssl-public-key=server.pem"], "--ssl-private-key"),
        (&["--ssl-ca=server.pem"], "--ssl-public-key"),
        (
            &["--ssl-private-key=none.key", "--ssl-public-key=server.pem"],
            "`none.key`: it cannot be read: No such file or directory",
        ),
        (
            &["--ssl-private-key=server.pem", "--ssl-public-key=server.key"],
            "`server.key`: there is no certificate in PEM",
        ),
        (
            &["--web.config.file=web.yml"],
            "`web.yml`: `tls_server_config` has neither `key` nor `key_file`",
        ),
        (&["--web.config.file=none.yml"], "`none.yml`: it cannot be read"),
        (&["--web.bearer-token-file=none"], "`none`: it cannot be read"),
        (&["--web.config.file=web.yml", "--ssl-ca=a"], "--web.config.file"),
    ] {
        let (code, stderr) = fail(&house, &[&LOCAL[..], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
}

#[test]
fn passwords_and_tokens_cover_all_but_health() {
    let house = house();
    let hash = "$2y$04$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
    let web = format!("basic_auth_users: {{me: {hash}}}\n");
    std::fs::write(house.path().join("web.yml"), web).unwrap();
    std::fs::write(house.path().join("tokens"), "good\n").unwrap();
    let arguments = ["--web.config.file=web.yml", "--web.bearer-token-file=tokens"];
    let (_process, url) = start(&house, &[&LOCAL[..], &arguments].concat());
    let base = url.strip_suffix("/metrics").unwrap();
    let status = |path: &str, headers: &[(&str, &str)]| {
        get(&format!("{base}{path}"), headers).unwrap().status
    };
    for path in ["/", "/metrics", "/robots.txt", "/nothing"] {
        assert_eq!(status(path, &[]), 401, "{path}");
        assert_eq!(status(path, &[("Authorization", "Basic bWU6d3Jvbmc=")]), 401, "{path}");
        assert_ne!(status(path, &[("Authorization", "Bearer good")]), 401, "{path}");
    }
    assert_eq!((status("/-/healthy", &[]), status("/-/ready", &[])), (200, 200));
    let page = get(&url, &[("Authorization", "Bearer good")]).unwrap();
    let line = "narthex_server_requests_refused_total{reason=\"credentials\"} 8\n";
    assert!(page.text().contains(line), "{}", page.text());
}

#[test]
fn the_health_address_and_allowed_hosts_are_options() {
    let house = house();
    let arguments = ["--web.health-address=127.0.0.1:0", "--web.allowed-host=thermo.example"];
    let (process, url) = start(&house, &[&LOCAL[..], &arguments].concat());
    let log = narthex_test::poll("the health address", Duration::from_secs(30), || {
        let log = process.stderr();
        log.contains("listening for probes").then_some(log)
    });
    let health = log.split("http://").find(|rest| rest.contains("/-/healthy")).unwrap();
    let health = health.split("/-/healthy").next().unwrap();
    assert_eq!(get(&format!("http://{health}/-/healthy"), &[]).unwrap().status, 200);
    assert_eq!(get(&format!("http://{health}/metrics"), &[]).unwrap().status, 404);
    assert_eq!(get(&url, &[("Host", "thermo.example")]).unwrap().status, 200);
    assert_eq!(get(&url, &[("Host", "evil.example")]).unwrap().status, 421);
}

/// What a GET request to a Unix domain socket is answered.
fn get_unix(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_unix_socket_is_a_host_like_any_other() {
    let house = house();
    let path = house.path().join("thermo.sock");
    // As a killed process leaves it.
    drop(UnixListener::bind(&path).unwrap());
    let host = format!("--host=unix:{}", path.display());
    let (mut process, url) = start(&house, &[&host]);
    assert_eq!(url, format!("http://unix:{}:/metrics", path.display()));
    assert!(get_unix(&path).contains("temperature_celsius 21.5"));
    let (code, stderr) = fail(&house, &[&host]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("another process listens there"), "{stderr}");
    process.signal("TERM");
    assert!(process.wait().success());
    assert!(!path.exists());
}

/// The program with this as its third file, as systemd starts it.
fn activated(house: &TempDir, socket: OwnedFd, notify: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";
    command
        .args(["-c", script])
        .arg(example("thermo"))
        .args(["--device=sensor", "--web.systemd-socket"])
        .env("NOTIFY_SOCKET", notify)
        .current_dir(house)
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn systemd_hands_over_sockets_and_is_told_of_start_and_stop() {
    let house = house();
    let notify = house.path().join("notify.sock");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let told = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr: SocketAddr = tcp.local_addr().unwrap();
    let path = house.path().join("given.sock");
    let unix = UnixListener::bind(&path).unwrap();
    for (socket, is_tcp) in [(OwnedFd::from(tcp), true), (OwnedFd::from(unix), false)] {
        let mut child = activated(&house, socket, &notify).spawn().unwrap();
        assert_eq!(told(), "READY=1\n");
        if is_tcp {
            assert_eq!(get(&format!("http://{addr}/metrics"), &[]).unwrap().status, 200);
        } else {
            assert!(get_unix(&path).contains("temperature_celsius 21.5"));
        }
        let status = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(status.success());
        assert_eq!(told(), "STOPPING=1\n");
        assert!(child.wait().unwrap().success());
    }
    assert!(path.exists(), "the file is systemd's");

    let file = std::fs::File::open(house.path().join("sensor")).unwrap();
    let output = activated(&house, file.into(), &notify).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the sockets of systemd cannot be used"), "{stderr}");
    let (code, stderr) = fail(&house, &["--web.systemd-socket"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("name none for this process"), "{stderr}");
}

#[test]
fn b09_config_check_reads_the_files_of_tls_and_authentication() {
    let house = house();
    std::fs::write(house.path().join("web.yml"), "tls_server_config: {cert: a}\n").unwrap();
    let missing = "it cannot be read: No such file or directory (os error 2)";
    for (arguments, expected) in [
        (&["--ssl-private-key=server.key", "--ssl-public-key=server.pem"][..], None),
        (
            &["--ssl-private-key=none.key", "--ssl-public-key=server.pem"],
            Some(format!("`none.key`: {missing}")),
        ),
        (
            &["--ssl-private-key=server.pem", "--ssl-public-key=server.key"],
            Some("`server.key`: there is no certificate in PEM".to_owned()),
        ),
        (
            &["--web.config.file=web.yml"],
            Some("`web.yml`: `tls_server_config` has neither `key` nor `key_file`".to_owned()),
        ),
        (&["--web.config.file=none.yml"], Some(format!("`none.yml`: {missing}"))),
        (&["--web.bearer-token-file=none"], Some(format!("`none`: {missing}"))),
    ] {
        let (code, stderr) = fail(&house, &[&["--config.check"], arguments].concat());
        let line = expected.map(|reason| format!("error: {reason}\n"));
        assert_eq!(code, if line.is_some() { 2 } else { 0 }, "{arguments:?}: {stderr}");
        assert_eq!(stderr, line.unwrap_or_default(), "{arguments:?}");
    }
}

#[test]
fn a_request_and_sighup_have_the_files_of_authentication_read_at_once() {
    let house = house();
    let write =
        |name: &str, content: &str| std::fs::write(house.path().join(name), content).unwrap();
    write("web.yml", "");
    write("tokens", "round0\n");
    let arguments =
        ["--web.config.file=web.yml", "--web.bearer-token-file=tokens", "--web.enable-lifecycle"];
    let (mut process, url) = start(&house, &[&LOCAL[..], &arguments].concat());
    let reload = url.replace("/metrics", "/-/reload");
    let bearer = |round: u32| format!("Bearer round{round}");
    let ask = |method: &str, url: &str, round: u32| {
        let answer = request(method, url, &[("Authorization", &bearer(round))]).unwrap();
        (answer.status, answer.text().to_owned())
    };
    // Of twenty changes, some would be seen too late by who looks twice a second.
    for round in 1..=20 {
        write("tokens", &format!("round{}\nround{round}\n", round - 1));
        assert_eq!(ask("POST", &reload, round - 1), (200, "reloaded\n".to_owned()));
        assert_eq!(ask("GET", &url, round).0, 200, "{round}");
    }
    assert_eq!(ask("POST", &reload, 0).0, 401);

    write("web.yml", "rate: 1\n");
    let (status, text) = ask("POST", &reload, 20);
    assert_eq!(status, 500, "{text}");
    assert!(text.starts_with("not reloaded: `web.yml`, line 1, column 1: "), "{text}");
    assert_eq!(ask("POST", &reload, 20), (status, text), "it is still as wrong as before");
    assert_eq!(ask("GET", &url, 20).0, 200, "the last good one stays");

    write("web.yml", "");
    write("tokens", "round21\n");
    process.signal("HUP");
    narthex_test::poll("the new token", Duration::from_secs(30), || {
        (ask("GET", &url, 21).0 == 200).then_some(())
    });
    let log = process.stderr();
    assert!(log.contains("configuration reloaded cause=SIGHUP"), "{log}");
}

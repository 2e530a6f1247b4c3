//! `narthex push` and its exit codes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use narthex_test::Pushgateway;

use crate::hostile::Server;
use crate::support::Directory;

/// Where nobody listens: the lowest port belongs to nobody.
const NOBODY: &str = "http://127.0.0.1:1";
const PAGE: &str = "# TYPE saved_bytes gauge\nsaved_bytes{disk=\"a\"} 1500\n";

#[test]
fn real_a_page_from_a_file_a_url_or_standard_input_is_pushed_and_deleted() {
    let Some(gateway) = Pushgateway::start() else { return };
    let directory = Directory::new().write("page.prom", PAGE);
    let url = gateway.url();
    let group = ["--job=nightly", "--grouping=path=/a b", "--grouping=e="];
    let push = |more: &[&str]| directory.end_of(&[&["push", &url], &group[..], more].concat(), &[]);
    let sample = "saved_bytes{disk=\"a\",e=\"\",instance=\"\",job=\"nightly\",path=\"/a b\"} 1500";
    let has_it = || gateway.page().lines().any(|line| line == sample);

    assert_eq!(push(&["page.prom"]), (0, String::new(), String::new()));
    assert!(has_it(), "{}", gateway.page());
    let (code, _, stderr) = push(&["--method=delete", "-v"]);
    let said = format!("deleted the group: {url} answered 202 Accepted on try 1\n");
    assert_eq!((code, stderr), (0, said));
    narthex_test::poll("the deletion", std::time::Duration::from_secs(30), || {
        (!has_it()).then_some(())
    });

    let server = Server::start(crate::fetch::ok("", PAGE.as_bytes()));
    let (code, _, stderr) = push(&["--method=add", "--gzip", "-v", &server.url]);
    let said = format!("added 1 series of 1 families: {url} answered 200 OK on try 1\n");
    assert_eq!((code, stderr), (0, said));
    assert!(has_it());

    let shell = format!(
        "exec {} push {url} --job=stdin --grouping=path=/p - < page.prom",
        env!("CARGO_BIN_EXE_narthex")
    );
    let mut command = std::process::Command::new("sh");
    let status = command.args(["-c", &shell]).current_dir(directory.path()).status().unwrap();
    assert!(status.success());
    assert!(gateway.page().contains("job=\"stdin\",path=\"/p\"} 1500\n"));
}

#[test]
fn real_every_format_is_read() {
    let Some(gateway) = Pushgateway::start() else { return };
    let openmetrics = "# TYPE c counter\nc_total 2\n# EOF\n";
    let json = r#"{"families":[{"name":"g","type":"gauge","metrics":[{"labels":{},"value":2}]}]}"#;
    let directory = Directory::new().write("om", openmetrics).write("json", json);
    for (file, format, sample) in [("om", "openmetrics", "c_total"), ("json", "json", "g")] {
        let arguments =
            ["push", &gateway.url(), "--job", file, &format!("--format={format}"), file];
        assert_eq!(directory.end_of(&arguments, &[]), (0, String::new(), String::new()));
        let line = format!("{sample}{{instance=\"\",job=\"{file}\"}} 2");
        assert!(gateway.page().lines().any(|found| found == line), "{}", gateway.page());
    }
}

#[test]
fn a_gateway_that_is_down_or_refuses_is_exit_code_1() {
    let directory = Directory::new().write("page", PAGE);
    let push =
        |gateway: &str| directory.end_of(&["push", gateway, "--job=j", "--retries=0", "page"], &[]);
    let (code, stdout, stderr) = push(NOBODY);
    assert_eq!((code, &*stdout), (1, ""));
    let start = format!("error: `PUT {NOBODY}/metrics/job/j`: cannot connect: ");
    assert!(stderr.starts_with(&start) && stderr.contains("refused"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);

    let (code, _, stderr) = push(&refusing());
    assert_eq!(code, 1);
    assert!(stderr.ends_with("the answer is 400 Bad Request: no, no\n"), "{stderr}");
}

/// A gateway that reads one push, and refuses it.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the test process.
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut part = [0; 1024];
        while !request.ends_with(PAGE.as_bytes()) {
            let read = stream.read(&mut part).unwrap();
            request.extend_from_slice(&part[..read]);
        }
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\nno, no";
        stream.write_all(answer).unwrap();
    });
    url
}

#[test]
fn a_page_that_is_wrong_is_exit_code_2_with_the_place() {
    let timed = "saved_bytes 1500 1700000000000\n";
    let directory = Directory::new()
        .write("wrong", "up 1\nup{a=b} 1\n")
        .write("twice", "up 1\nup 2\n")
        .write("timed", timed)
        .write("job", "up{job=\"other\"} 1\n");
    for (page, expected) in [
        ("wrong", "error: wrong: line 2, column 6: expected "),
        ("twice", "error: twice: "),
        ("timed", "error: `saved_bytes` has timestamps, which a gateway refuses\n"),
        ("job", "error: `up` has the label `job` with the value `other`"),
        ("none", "error: none: cannot be opened: No such file"),
        ("http://127.0.0.1:1/", "error: http://127.0.0.1:1/: cannot connect: "),
    ] {
        let (code, _, stderr) = directory.end_of(&["push", NOBODY, "--job=j", page], &[]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
    }
    let server = Server::start(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let (code, _, stderr) = directory.end_of(&["push", NOBODY, "--job=j", &server.url], &[]);
    assert_eq!(code, 2);
    let expected = format!("error: {}: the status is 404, not 200\n", server.url);
    assert_eq!(stderr, expected);
}

#[test]
fn arguments_that_cannot_be_used_are_exit_code_2() {
    let directory = Directory::new().write("page", PAGE).write("password", "secret\n");
    for (arguments, expected) in [
        (&["page"][..], "--job"),
        (&["--job=", "page"], "the job is empty"),
        (&["--job=j", "--grouping=a", "page"], "NAME=VALUE"),
        (&["--job=j", "--grouping=a-b=c", "page"], "`a-b` is not a valid label name"),
        (&["--job=j", "--grouping=job=c", "page"], "label `job` is given twice"),
        (&["--job=j", "--method=replace", "page"], "replace"),
        (&["--job=j", "--method=delete", "page"], "a deletion has none"),
        (&["--job=j", "--user=u", "page"], "--password-file"),
        (&["--job=j", "--user=a:b", "--password-file=password", "page"], "colon"),
        (&["--job=j", "--bearer-token-file=none", "page"], "`none` cannot be read"),
        (&["--job=j", "--ca=page", "page"], "there is no certificate in PEM"),
        (&["--job=j", "--timeout=0", "page"], "above 0"),
    ] {
        let (code, _, stderr) = directory.end_of(&[&["push", NOBODY], arguments].concat(), &[]);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("secret"), "{stderr}");
    }
    let (code, _, stderr) = directory.end_of(&["push", "localhost:9091", "--job=j", "page"], &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("the URL has to be"), "{stderr}");
}

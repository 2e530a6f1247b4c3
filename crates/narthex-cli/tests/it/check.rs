//! `narthex check`: verdicts, places and what is shown of them.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::fetch::ok;
use crate::hostile::{Server, gzip};
use crate::support::Directory;

const CLEAN: &str = "\
# HELP http_requests_total Requests served.
# TYPE http_requests_total counter
http_requests_total{path=\"/a\"} 1
";

const OPEN_METRICS: &str = "\
# HELP http_requests Requests served.
# TYPE http_requests counter
http_requests_total{path=\"/a\"} 1
# EOF
";

/// Three faults of three kinds, in different places.
const THREE_FAULTS: &str = "\
# HELP http_requests_total Requests served.
# TYPE http_requests_total counter
http_requests_total{path=/a} 1
http_requests_total{path=\"/b\"} 2,5
http_requests_total{path=\"/c\" 3
http_requests_total{path=\"/d\"} 4
";

/// Checks a page in a file: exit code and standard output.
#[track_caller]
fn check(page: impl AsRef<[u8]>, options: &[&str]) -> (i32, String) {
    let directory = Directory::new().write_bytes("page", page.as_ref());
    let arguments = [&["check", "page"], options].concat();
    let (code, stdout, stderr) = directory.end_of(&arguments, &[]);
    assert_eq!(stderr, "");
    (code, stdout)
}

#[test]
fn a_clean_page_is_silence_and_0() {
    for page in [CLEAN, OPEN_METRICS, ""] {
        assert_eq!(check(page, &[]), (0, String::new()), "{page}");
    }
}

#[test]
fn three_faults_are_three_places() {
    let expected = "\
page:3:26: expected a label value in double quotes, found `/a`
page:4:32: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `2,5`
page:5:31: expected `,` and another label, or `}`, found `3`
";
    assert_eq!(check(THREE_FAULTS, &[]), (1, expected.to_owned()));
    // What the messages ask for, and nothing else.
    let mended = THREE_FAULTS
        .replace("path=/a", "path=\"/a\"")
        .replace("2,5", "2.5")
        .replace("\"/c\" 3", "\"/c\"} 3");
    assert_eq!(check(mended, &[]), (0, String::new()));
}

#[test]
fn a_terminal_shows_each_line_with_a_mark() {
    let directory = Directory::new().write("page.txt", THREE_FAULTS);
    let (code, shown) = directory.on_terminal(&["check", "page.txt"], &[("TERM", "dumb")]);
    let expected = "\
error: expected a label value in double quotes, found `/a`
 --> page.txt:3:26
  |
3 | http_requests_total{path=/a} 1
  |                          ^^

error: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `2,5`
 --> page.txt:4:32
  |
4 | http_requests_total{path=\"/b\"} 2,5
  |                                ^^^

error: expected `,` and another label, or `}`, found `3`
 --> page.txt:5:31
  |
5 | http_requests_total{path=\"/c\" 3
  |                               ^

page.txt: 3 faults, read as the text format
";
    assert_eq!((code, &*shown), (1, expected));
}

#[test]
fn the_readme_shows_what_a_terminal_shows() {
    let page: Vec<_> = THREE_FAULTS.lines().take(4).collect();
    let directory = Directory::new().write("page.txt", &(page.join("\n") + "\n"));
    let (code, shown) = directory.on_terminal(&["check", "page.txt"], &[]);
    assert_eq!(code, 1);
    let readme = include_str!("../../../../README.md");
    let expected = format!("```text\n$ narthex check page.txt\n{shown}```\n");
    assert!(readme.contains(&expected), "{expected}");
}

#[test]
fn a_terminal_shows_why_a_rule_is_there_and_how_to_keep_it() {
    let directory = Directory::new().write("page.txt", "# TYPE jobs gauge\njobs 1\n");
    let (code, shown) = directory.on_terminal(&["check", "page.txt"], &[("TERM", "dumb")]);
    let expected = "\
warning: jobs: no help text
 --> page.txt:1:8
  |
1 | # TYPE jobs gauge
  |        ^^^^
  = why: whoever meets the metric in a query has only its help text to learn what it means
  = mend: give the metric a help text of one sentence
  = rule: missing-help

page.txt: 1 lint finding, read as the text format
";
    assert_eq!((code, &*shown), (3, expected));
}

#[test]
fn a_terminal_is_told_of_a_clean_page() {
    let directory = Directory::new().write("page", OPEN_METRICS);
    let (code, shown) = directory.on_terminal(&["check", "page"], &[]);
    assert_eq!((code, &*shown), (0, "page: nothing to say, read as OpenMetrics\n"));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let directory = Directory::new().write("page", "up x\n");
    let shown = |environment: &[(&str, &str)]| {
        directory.on_terminal(&["check", "page"], environment).1.contains('\x1b')
    };
    assert!(shown(&[("TERM", "xterm")]));
    assert!(shown(&[("TERM", "xterm"), ("NO_COLOR", "")]));
    assert!(!shown(&[("TERM", "xterm"), ("NO_COLOR", "1")]));
    assert!(!shown(&[("TERM", "dumb")]));
    assert!(!shown(&[]));
    let (_, stdout, _) = directory.end_of(&["check", "page"], &[("TERM", "xterm")]);
    assert!(!stdout.contains('\x1b'));
}

#[test]
fn a_terminal_sees_a_long_line_around_the_place() {
    let page = format!("up{{a=\"{}\",b=c,d=\"{}\"}} 1\n", "x".repeat(500), "y".repeat(500));
    let directory = Directory::new().write("page", &page);
    let (_, shown) = directory.on_terminal(&["check", "page"], &[]);
    // The terminal of the test does not know its size, which is 80 columns then.
    let line = format!("1 | …{}\",b=c,d=\"{}…", "x".repeat(33), "y".repeat(32));
    let mark = format!("  | {}^", " ".repeat(38));
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!((lines[1], lines[3], lines[4]), (" --> page:1:511", &*line, &*mark), "{shown}");
    assert!(lines[3].chars().count() <= 80);
}

#[test]
fn tabs_and_wide_characters_keep_the_mark_in_place() {
    let directory = Directory::new().write("page", "up{a=\"日本\"}\t\tno\n");
    let (_, shown) = directory.on_terminal(&["check", "page"], &[]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[1], " --> page:1:13");
    assert_eq!(lines[3], "1 | up{a=\"日本\"}        no");
    // Twelve characters, two of which are two columns wide, and two tabs of four.
    assert_eq!(lines[4], format!("  | {}^^", " ".repeat(20)));
}

#[test]
fn lint_findings_alone_are_3() {
    let page = "# HELP disk_free_megabytes Free.\n# TYPE disk_free_megabytes gauge\n\
                disk_free_megabytes 1\n";
    let expected = "page:2:8: disk_free_megabytes: use base unit \"bytes\" instead of \
                    \"megabytes\"; convert the value to the base unit and rename the metric \
                    [base-unit]\n";
    assert_eq!(check(page, &[]), (3, expected.to_owned()));
}

#[test]
fn lint_findings_come_in_the_order_of_the_page() {
    let page = "# TYPE b gauge\nb 1\n# TYPE a gauge\na 1\n\"c.d\"{} 1\n{\"c.d\"} 1\n";
    let page = page.replace("\"c.d\"{} 1\n", "");
    let (code, stdout) = check(page, &[]);
    let places: Vec<_> = stdout.lines().map(|line| line.split("; ").next().unwrap()).collect();
    let expected =
        ["page:1:8: b: no help text", "page:3:8: a: no help text", "page:5:3: c.d: no help text"];
    assert_eq!((code, &places[..]), (3, &expected[..]));
}

#[test]
fn a_format_can_be_told() {
    let (code, stdout) = check(CLEAN, &["--format=openmetrics"]);
    assert_eq!(code, 1);
    assert!(stdout.starts_with("page:3:1: `http_requests_total` is declared as "), "{stdout}");
    // The end is no more than a comment there.
    assert_eq!(check("# HELP a A.\na 1\n# EOF\n", &["--format=text"]).0, 0);
}

#[test]
fn lenient_is_what_a_server_allows() {
    // A second HELP, which no server looks at.
    let page = format!("# HELP http_requests Twice.\n{OPEN_METRICS}");
    let (code, stdout) = check(&page, &[]);
    assert_eq!(code, 1);
    assert!(stdout.starts_with("page:2:1: a family may have only one HELP line: "), "{stdout}");
    assert_eq!(check(&page, &["--lenient"]), (0, String::new()));
}

#[test]
fn json_tells_faults_and_their_places() {
    let (code, stdout) = check(THREE_FAULTS, &["--output=json"]);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 1);
    assert_eq!(
        json,
        serde_json::json!({
            "page": "page",
            "format": "text",
            "verdict": "invalid",
            "faults": [
                {
                    "line": 3,
                    "column": 26,
                    "token": "/a",
                    "message": "expected a label value in double quotes, found `/a`",
                },
                {
                    "line": 4,
                    "column": 32,
                    "token": "2,5",
                    "message": "expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `2,5`",
                },
                {
                    "line": 5,
                    "column": 31,
                    "token": "3",
                    "message": "expected `,` and another label, or `}`, found `3`",
                },
            ],
            "findings": [],
            "more": false,
        })
    );
}

#[test]
fn json_has_findings_and_the_metrics() {
    let (code, stdout) = check("jobs 1\n", &["--output=json"]);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 3);
    assert_eq!(
        json,
        serde_json::json!({
            "page": "page",
            "format": "text",
            "verdict": "lint",
            "faults": [],
            "findings": [{
                "line": 1,
                "column": 1,
                "token": "jobs",
                "family": "jobs",
                "message": "no help text",
                "rule": "missing-help",
                "why": "whoever meets the metric in a query has only its help text to learn what \
                        it means",
                "mend": "give the metric a help text of one sentence",
            }],
            "more": false,
            "families": [{
                "name": "jobs",
                "type": "unknown",
                "help": "",
                "unit": "",
                "metrics": [{"labels": {}, "value": 1}],
            }],
        })
    );
    // It can be read as a page again.
    let directory = Directory::new();
    let (code, stdout, _) = directory.fed(&["convert", "--to=text"], stdout.as_bytes());
    assert_eq!((code, &*stdout), (0, "# TYPE jobs untyped\njobs 1\n"));
}

#[test]
fn json_cannot_command_a_terminal() {
    let directory = Directory::new().write("page", "up{a=\"\u{9b}2J\"} 1\n");
    let (_, shown) = directory.on_terminal(&["check", "page", "--output=json"], &[]);
    assert!(shown.contains(r#""labels":{"a":"\u{9b}2J"}"#), "{shown:?}");
    assert!(!shown.trim_end().contains(char::is_control), "{shown:?}");
}

#[test]
fn a_page_in_json_has_places_too() {
    let (code, stdout) = check("{\"families\":[\n{\"name\":\"\",\"metrics\":[]}]}\n", &[]);
    assert_eq!((code, &*stdout), (1, "page:2:1: a family needs a name\n"));
}

#[test]
fn a_fault_in_protobuf_is_at_a_byte() {
    // A family `up` of type 9.
    let page = b"\x06\x0a\x02up\x18\x09";
    let (code, stdout) = check(page, &[]);
    assert_eq!((code, &*stdout), (1, "page: byte 6: 9 is not a metric type\n"));
    let directory = Directory::new().write_bytes("page", page);
    let (code, shown) = directory.on_terminal(&["check", "page"], &[]);
    let expected = "\
error: 9 is not a metric type
 --> page: byte 6
  |
  | 06 0a 02 75 70 18 09
  |                   ^^

page: 1 fault, read as protobuf
";
    assert_eq!((code, &*shown), (1, expected));
}

#[test]
fn standard_input_is_read_by_default() {
    let directory = Directory::new();
    let expected = (
        1,
        "<stdin>:1:4: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, \
                        found `x`\n"
            .to_owned(),
        String::new(),
    );
    assert_eq!(directory.fed(&["check"], b"up x\n"), expected);
    assert_eq!(directory.fed(&["check", "-"], b"up x\n"), expected);
}

#[test]
fn gzip_is_unpacked_wherever_it_comes_from() {
    let packed = gzip(CLEAN.as_bytes());
    assert_eq!(check(&packed, &[]), (0, String::new()));
    assert_eq!(Directory::new().fed(&["check"], &packed).0, 0);
    let coding = "Content-Encoding: gzip\r\n";
    for answer in [ok("", CLEAN.as_bytes()), ok(coding, &packed), ok("", &packed)] {
        let server = Server::start(answer);
        let end = Directory::new().end_of(&["check", &server.url], &[]);
        assert_eq!(end, (0, String::new(), String::new()));
    }
}

#[test]
fn a_server_says_which_format_it_sends() {
    let header = "Content-Type: application/openmetrics-text; version=1.0.0\r\n";
    let server = Server::start(ok(header, CLEAN.as_bytes()));
    let (code, stdout, _) = Directory::new().end_of(&["check", &server.url], &[]);
    assert_eq!(code, 1);
    assert!(stdout.starts_with(&format!("{}:3:1: ", server.url)), "{stdout}");
    let request = server.request();
    assert!(request.contains("\r\naccept: application/openmetrics-text;version=1.0.0;"));

    // Who says something else is not believed blindly.
    let server = Server::start(ok("Content-Type: text/html\r\n", CLEAN.as_bytes()));
    let (code, stdout, stderr) = Directory::new().end_of(&["check", &server.url], &[]);
    assert_eq!((code, &*stdout), (0, ""));
    let expected = format!(
        "warning: {}: the content type is `text/html`, but the page is read as the text format\n",
        server.url
    );
    assert_eq!(stderr, expected);
}

#[test]
fn this_machine_is_exported_in_clean_pages() {
    let narthex = Directory::new().run(&["--no-collector.meminfo", "--no-collector.netstat"]);
    for format in ["text", "openmetrics", "protobuf"] {
        let option = format!("--format={format}");
        let arguments = ["check", &narthex.url, &option, "--output=json"];
        let (code, stdout, stderr) = narthex.directory.end_of(&arguments, &[]);
        let json: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&*stderr, &json["faults"]), ("", &serde_json::json!([])), "{format}");
        assert_eq!(json["format"], *format);
        assert!(code == 0 || code == 3, "{stdout}");
    }
}

#[test]
fn without_a_page_there_is_no_verdict() {
    let directory = Directory::new().write_bytes("cut.gz", &gzip(b"up 1\n")[..15]);
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = format!("http://{refused}/");
    let server = Server::start(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n".to_vec());
    for (source, expected) in [
        ("absent", "cannot be opened: No such file or directory (os error 2)"),
        (".", "cannot be read: Is a directory (os error 21)"),
        ("cut.gz", "starts as gzip does, but cannot be unpacked: "),
        (&refused, "cannot connect: Connection refused (os error 111)"),
        (&server.url, "the status is 404, not 200"),
    ] {
        for arguments in [&["check", source][..], &["convert", source, "--to=json"]] {
            let (code, stdout, stderr) = directory.end_of(arguments, &[]);
            assert_eq!((code, &*stdout), (2, ""), "{stderr}");
            assert!(stderr.starts_with(&format!("error: {source}: {expected}")), "{stderr}");
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
    }
}

#[test]
fn wrong_usage_is_2_as_well() {
    for (arguments, expected) in [
        (
            &["check", "--format=xml"][..],
            "invalid value 'xml' for '--format <FORMAT>' [possible values: text, openmetrics, \
             protobuf, json]",
        ),
        (
            &["check", "ftp://localhost/"],
            "invalid value 'ftp://localhost/' for '[FILE|URL|-]': expected \
             `http://HOST:PORT/PATH` or `https://...`",
        ),
        (&["check", ""], "invalid value '' for '[FILE|URL|-]': expected a file, an address or -"),
        (
            &["check", "--max-size=0"],
            "invalid value '0' for '--max-size <MIB>': 0 is not in 1..=1048576",
        ),
        (&["check", "a", "b"], "unexpected argument 'b' found"),
        (&["convert", "a"], "the following required arguments were not provided: --to <FORMAT>"),
    ] {
        let (code, stdout, stderr) = Directory::new().end_of(arguments, &[]);
        assert_eq!((code, &*stdout, &*stderr), (2, "", &*format!("error: {expected}\n")));
    }
}

#[test]
fn binary_garbage_is_many_faults_and_no_more_than_asked_for() {
    // Of every byte, and far more lines than are listed.
    let garbage: Vec<u8> =
        (0u32..100_000).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect();
    let directory = Directory::new().write_bytes("page", &garbage);
    let (code, stdout, stderr) = directory.end_of(&["check", "page"], &[]);
    assert_eq!(code, 1);
    assert_eq!(stdout.lines().count(), 100);
    assert!(!stdout.contains(|c: char| c.is_control() && c != '\n'), "{stdout:?}");
    let note = "note: page: these are the first 100 only; --max-faults lists more\n";
    assert_eq!(stderr, note);

    let (_, stdout, _) = directory.end_of(&["check", "page", "--max-faults=200"], &[]);
    assert_eq!(stdout.lines().count(), 200);
    let (_, shown) = directory.on_terminal(&["check", "page"], &[("NO_COLOR", "1")]);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
}

#[test]
fn what_has_no_end_is_given_up() {
    let expected = |name: &str| {
        format!("error: {name}: the page is larger than 1 MiB; --max-size allows for more\n")
    };
    let directory = Directory::new();
    // Without the limit it would not end, and the memory is not there for a tenth of it.
    let script = "ulimit -v 100000; exec \"$0\" check --max-size=1";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_narthex")]);
    let output = command.stdin(Stdio::from(File::open("/dev/zero").unwrap())).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected("<stdin>"));

    let end = directory.end_of(&["check", "/dev/zero", "--max-size=1"], &[]);
    assert_eq!(end, (2, String::new(), expected("/dev/zero")));

    let bomb = directory.write_bytes("bomb.gz", &gzip(&vec![b'\n'; 4 << 20]));
    let end = bomb.end_of(&["check", "bomb.gz", "--max-size=1"], &[]);
    assert_eq!(end, (2, String::new(), expected("bomb.gz")));

    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 4 << 20]].concat();
    let server = Server::start(endless);
    let end = bomb.end_of(&["check", &server.url, "--max-size=1"], &[]);
    assert_eq!(end, (2, String::new(), expected(&server.url)));
}

#[test]
fn a_gigabyte_is_refused_before_it_is_read() {
    let directory = Directory::new();
    // Without blocks on the disk.
    File::create(directory.path().join("large")).unwrap().set_len(1 << 30).unwrap();
    let end = directory.end_of(&["check", "large"], &[]);
    let expected = "error: large: the page is larger than 256 MiB; --max-size allows for more\n";
    assert_eq!(end, (2, String::new(), expected.to_owned()));
}

#[test]
fn a_line_of_megabytes_is_a_fault_of_its_own() {
    let page = format!("up{{a=\"{}\"}} 1\ndown x\n", "x".repeat(2 << 20));
    let (code, stdout) = check(&page, &[]);
    assert_eq!(code, 1);
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(
        lines[0],
        "page:1:1048577: the line has 2097162 bytes, but may have 1048576 at most"
    );
    assert!(lines[1].starts_with("page:2:6: "), "{stdout}");
    let directory = Directory::new().write("page", &page);
    let (_, shown) = directory.on_terminal(&["check", "page"], &[]);
    assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
}

#[test]
fn a_closed_pipe_does_not_change_the_verdict() {
    let page = "up x\n".repeat(100_000);
    let directory = Directory::new().write("page", &page);
    let mut command = directory.command(&["check", "page", "--max-faults=100000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b""[..]));
}

//! `narthex fetch` and what it prints.

use crate::hostile::Server;
use crate::support::{Directory, Page};

/// A page as servers send it.
pub(crate) fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn a45_an_answer_is_shown_with_status_headers_sizes_and_time() {
    let narthex = Directory::new().run(&[]);
    let (code, stdout, stderr) = narthex.directory.end_of(&["fetch", &narthex.url], &[]);
    assert_eq!((code, &*stderr), (0, ""));
    let (head, body) = stdout.split_once("\n\n").unwrap();
    let lines: Vec<_> = head.lines().collect();
    let [status, content_type, encoding, length, size, time] = lines[..] else { panic!("{head}") };
    assert_eq!(status, "HTTP/1.1 200 OK");
    let expected = "Content-Type: text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
    assert_eq!(content_type, expected);
    assert_eq!(encoding, "Content-Encoding: gzip");
    let length: usize = length.strip_prefix("Content-Length: ").unwrap().parse().unwrap();
    let decoded = body.len();
    assert_eq!(size, format!("Size: {length} bytes on the wire, {decoded} decoded"));
    assert!(length < decoded, "{size}");
    let time: f64 =
        time.strip_prefix("Time: ").unwrap().strip_suffix(" ms").unwrap().parse().unwrap();
    assert!(time > 0.0);
    assert!(Page::parse(body).families.contains_key("node_load1"));
}

#[test]
fn a45_the_page_can_be_fetched_again_and_again() {
    let narthex = Directory::new().run(&[]);
    let arguments = ["fetch", &narthex.url, "--count=3", "--interval=0.01"];
    let (code, stdout, _) = narthex.directory.end_of(&arguments, &[]);
    assert_eq!(code, 0);
    assert_eq!(stdout.matches("HTTP/1.1 200 OK\n").count(), 3);
    assert_eq!(stdout.matches("\n\nHTTP/1.1 200 OK\n").count(), 2, "{stdout}");
    let page = narthex.page();
    assert_eq!(page.value("narthex_scrapes_total", &[("code", "200")]), Some(3.0));
}

#[test]
fn a45_without_a_count_an_interval_has_no_end() {
    let server = Server::start(ok("", b"up 1\n"));
    let directory = Directory::new();
    let mut command = directory.command(&["fetch", &server.url, "--interval=0.01", "--raw"]);
    let mut process = narthex_test::Process::start(&mut command).unwrap();
    for _ in 0..4 {
        server.request();
    }
    assert!(process.is_running());
    process.signal("INT");
    process.wait();
    assert!(process.stdout().starts_with("up 1\nup 1\nup 1\n"), "{}", process.stdout());
}

#[test]
fn the_request_is_one_that_prometheus_would_send() {
    let server = Server::start(ok("", b"up 1\n"));
    let url = format!("{}a?b=c", server.url);
    let arguments = ["fetch", &url, "--timeout=2.5"];
    assert_eq!(Directory::new().end_of(&arguments, &[]).0, 0);
    let request = server.request();
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some("GET /a?b=c HTTP/1.1"));
    let mut headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    headers.sort_unstable();
    let host = format!("host: {}", server.addr());
    let agent = format!("user-agent: narthex/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        "accept-encoding: gzip",
        "accept: text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;\
         q=0.3,*/*;q=0.2",
        &host,
        &agent,
        "x-prometheus-scrape-timeout-seconds: 2.5",
    ];
    assert_eq!(headers, expected);
}

#[test]
fn headers_can_be_added_and_replaced() {
    let server = Server::start(ok("", b"up 1\n"));
    let arguments = [
        "fetch",
        &server.url,
        "--header=Accept: text/html",
        "--header",
        "X-Two: 1",
        "--header=x-two: 2",
    ];
    assert_eq!(Directory::new().end_of(&arguments, &[]).0, 0);
    let request = server.request();
    assert!(request.contains("\r\naccept: text/html\r\n"), "{request}");
    assert!(request.contains("\r\nx-two: 1\r\nx-two: 2\r\n"), "{request}");
    assert_eq!(request.matches("\r\naccept: ").count(), 1, "{request}");
}

#[test]
fn raw_is_the_body_byte_for_byte() {
    let body = b"up 1\n\x1b[2J \xff\x00 no line end";
    let server = Server::start(ok("", body));
    let directory = Directory::new();
    let mut command = directory.command(&["fetch", &server.url, "--raw"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, body);
}

#[test]
fn control_bytes_do_not_reach_a_terminal() {
    let server = Server::start(ok("", b"up 1\n\x1b[2J\xc2\x9b\x9b\x07\r\n"));
    let (code, shown) = Directory::new().on_terminal(&["fetch", &server.url], &[]);
    assert_eq!(code, 0);
    assert!(shown.ends_with("\n\nup 1\n\\u{1b}[2J\\u{9b}\\x9b\\u{7}\\r\n"), "{shown:?}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
}

#[test]
fn any_status_but_200_is_exit_code_1() {
    for (status, shown) in [
        (
            "503 Service Unavailable\r\nRetry-After: 1",
            "503 Service Unavailable\nContent-Length: 5\nRetry-After: 1\n",
        ),
        (
            "302 Found\r\nLocation: http://localhost/",
            "302 Found\nContent-Length: 5\nLocation: http://localhost/\n",
        ),
        ("206 Partial Content", "206 Partial Content\nContent-Length: 5\n"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nbusy\n");
        let server = Server::start(answer.into_bytes());
        let (code, stdout, stderr) = Directory::new().end_of(&["fetch", &server.url], &[]);
        assert_eq!(code, 1);
        assert!(stdout.starts_with(&format!("HTTP/1.1 {shown}Size: 5 bytes")), "{stdout}");
        assert!(stdout.ends_with("\n\nbusy\n"), "{stdout}");
        let number = &status[..3];
        let expected = format!("error: {}: the status is {number}, not 200\n", server.url);
        assert_eq!(stderr, expected);
    }
}

#[test]
fn one_bad_answer_of_many_is_exit_code_1() {
    let bad = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = Server::with(vec![ok("", b"up 1\n"), bad, ok("", b"up 1\n")]);
    let arguments = ["fetch", &server.url, "--count=3", "--interval=0.01", "--raw"];
    let (code, stdout, stderr) = Directory::new().end_of(&arguments, &[]);
    assert_eq!((code, &*stdout), (1, "up 1\nup 1\n"));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn who_does_not_answer_is_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/metrics");
    let (code, stdout, stderr) = Directory::new().end_of(&["fetch", &url], &[]);
    assert_eq!((code, &*stdout), (1, ""));
    let expected = format!("error: {url}: cannot connect: Connection refused (os error 111)\n");
    assert_eq!(stderr, expected);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for (arguments, expected) in [
        (
            &["localhost:9999"][..],
            "invalid value 'localhost:9999' for '<URL>': expected `http://HOST:PORT/PATH` or \
             `https://...`",
        ),
        (&[], "the following required arguments were not provided: <URL>"),
        (
            &["http://localhost/", "--count=0"],
            "invalid value '0' for '--count <N>': 0 is not in 1..18446744073709551615",
        ),
        (
            &["http://localhost/", "--timeout=0"],
            "invalid value '0' for '--timeout <SECONDS>': expected a number of seconds above 0, \
             such as 0.5",
        ),
        (
            &["http://localhost/", "--format=json"],
            "invalid value 'json' for '--format <FORMAT>' [possible values: text, openmetrics, \
             protobuf]",
        ),
        (
            &["http://localhost/", "--header=Authorization secret"],
            "invalid value for '--header': expected 'NAME: VALUE'",
        ),
    ] {
        let (code, stdout, stderr) =
            Directory::new().end_of(&[&["fetch"], arguments].concat(), &[]);
        assert_eq!((code, &*stdout, &*stderr), (2, "", &*format!("error: {expected}\n")));
    }
}

/// A page in protobuf.
fn protobuf() -> Vec<u8> {
    let page = "\
# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total 3
";
    let directory = Directory::new().write("page.txt", page);
    directory.command(&["convert", "--to=protobuf", "page.txt"]).output().unwrap().stdout
}

const PROTOBUF: &str = "Content-Type: application/vnd.google.protobuf; \
                        proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n";

#[test]
fn a45_each_format_is_asked_for_by_name() {
    for (format, expected) in [
        (
            "text",
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
             */*;q=0.2",
        ),
        (
            "openmetrics",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,*/*;q=0.1",
        ),
        (
            "protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
        ),
    ] {
        let server = Server::start(ok("", b"up 1\n"));
        let option = format!("--format={format}");
        assert_eq!(Directory::new().end_of(&["fetch", &server.url, &option], &[]).0, 0);
        let request = server.request();
        assert!(request.contains(&format!("\r\naccept: {expected}\r\n")), "{request}");
    }
}

#[test]
fn a45_narthex_answers_in_each_format() {
    let narthex = Directory::new().run(&[]);
    for (format, content_type) in [
        ("text", "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        (
            "openmetrics",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
        (
            "protobuf",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
             encoding=delimited; escaping=allow-utf-8",
        ),
    ] {
        let option = format!("--format={format}");
        let arguments = ["fetch", &narthex.url, &option];
        let (code, stdout, _) = narthex.directory.end_of(&arguments, &[]);
        assert_eq!(code, 0);
        assert!(stdout.contains(&format!("\nContent-Type: {content_type}\n")), "{stdout}");
        assert!(stdout.contains("\nnode_load1 "), "{stdout}");
    }
}

#[test]
fn a45_protobuf_is_shown_as_text() {
    let page = protobuf();
    let server = Server::start(ok(PROTOBUF, &page));
    let arguments = ["fetch", &server.url, "--format=protobuf"];
    let (code, stdout, stderr) = Directory::new().end_of(&arguments, &[]);
    assert_eq!((code, &*stderr), (0, ""));
    let text = "\n\n# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total 3\n";
    assert!(stdout.ends_with(text), "{stdout}");
    let size = page.len();
    assert!(stdout.contains(&format!("\nSize: {size} bytes on the wire, {size} decoded\n")));
}

#[test]
fn native_histograms_are_shown_in_comments() {
    let json = r#"{"families": [{"name": "h", "type": "histogram", "metrics": [
        {"labels": {"a": "1"}, "histogram": {"count": 7, "sum": 4.5, "buckets": [], "native": {
            "schema": 0, "zero_threshold": 0.001, "zero_count": 2,
            "negative": {"spans": [{"offset": -1, "length": 1}], "counts": [1]},
            "positive": {"spans": [{"offset": 1, "length": 3}], "counts": [3, 0, 1]}
        }}}
    ]}]}"#;
    let directory = Directory::new().write("page.json", json);
    let convert = ["convert", "--to=protobuf", "page.json"];
    let page = directory.command(&convert).output().unwrap().stdout;
    let server = Server::start(ok(PROTOBUF, &page));
    let (code, stdout, stderr) = directory.end_of(&["fetch", &server.url], &[]);
    assert_eq!((code, &*stderr), (0, ""));
    let shown = stdout.split_once("\n\n").unwrap().1;
    let expected = "\
# TYPE h histogram
h_bucket{a=\"1\",le=\"+Inf\"} 7
h_sum{a=\"1\"} 4.5
h_count{a=\"1\"} 7
# native h{a=\"1\"} {count:7, sum:4.5, [-0.5,-0.25):1, [-0.001,0.001]:2, (1,2]:3, (4,8]:1}
";
    assert_eq!(shown, expected);
    // Text all the same.
    let page = directory.write("page.txt", shown);
    let (code, _, stderr) = page.end_of(&["convert", "--to=text", "page.txt"], &[]);
    assert_eq!((code, &*stderr), (0, ""));
}

#[test]
fn a45_raw_protobuf_is_the_body_byte_for_byte() {
    let page = protobuf();
    let server = Server::start(ok(PROTOBUF, &page));
    let directory = Directory::new();
    let output = directory.command(&["fetch", &server.url, "--raw"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), page));
}

#[test]
fn what_text_cannot_show_of_protobuf_is_told() {
    let openmetrics = "\
# TYPE jobs counter
jobs_total 3 # {trace_id=\"a\"} 1
jobs_created 12
# EOF
";
    let directory = Directory::new().write("page.om", openmetrics);
    let page = directory.command(&["convert", "--to=protobuf", "page.om"]).output().unwrap().stdout;
    let server = Server::start(ok(PROTOBUF, &page));
    let (code, _, stderr) = directory.end_of(&["fetch", &server.url], &[]);
    let name = format!("warning: {}: the text format cannot carry", server.url);
    let expected = format!(
        "{name} 1 exemplar, left out: in `jobs_total`\n\
         {name} 1 creation time, left out: in `jobs_total`\n"
    );
    assert_eq!((code, stderr), (0, expected));
}

#[test]
fn what_is_no_protobuf_is_exit_code_1() {
    let server = Server::start(ok(PROTOBUF, b"up 1\n"));
    let (code, stdout, stderr) = Directory::new().end_of(&["fetch", &server.url], &[]);
    assert_eq!(code, 1);
    assert!(stdout.ends_with(" ms\n\n"), "{stdout}");
    let claim = format!("error: {}: the page is not the protobuf it claims to be: ", server.url);
    assert!(stderr.starts_with(&claim), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

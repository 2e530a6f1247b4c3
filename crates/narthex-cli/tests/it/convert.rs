//! `narthex convert`: pages in other formats, and what is said of what they lose.

use std::fs;
use std::fs::File;
use std::process::Stdio;

use crate::hostile::gzip;
use crate::support::Directory;

/// A page with what not every format can carry.
const OPEN_METRICS: &str = "\
# HELP build About the build.
# TYPE build info
build_info{version=\"1\"} 1
# HELP jobs Jobs done.
# TYPE jobs counter
jobs_total{kind=\"a\"} 3 # {trace_id=\"x\"} 1.0 12.500
jobs_created{kind=\"a\"} 12.0
jobs_total{kind=\"b\"} 9007199254740993
jobs_created{kind=\"b\"} 12.0
# HELP request_seconds Time of requests.
# TYPE request_seconds histogram
# UNIT request_seconds seconds
request_seconds_bucket{le=\"0.5\"} 1
request_seconds_bucket{le=\"+Inf\"} 2
request_seconds_sum 1.5
request_seconds_count 2
# HELP state State of the job.
# TYPE state stateset
state{state=\"idle\"} 0
state{state=\"busy\"} 1
# EOF
";

const TEXT: &str = "\
# HELP build_info About the build.
# TYPE build_info gauge
build_info{version=\"1\"} 1
# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total{kind=\"a\"} 3
jobs_total{kind=\"b\"} 9007199254740993
# HELP request_seconds Time of requests.
# TYPE request_seconds histogram
request_seconds_bucket{le=\"0.5\"} 1
request_seconds_bucket{le=\"+Inf\"} 2
request_seconds_sum 1.5
request_seconds_count 2
# HELP state State of the job.
# TYPE state gauge
state{state=\"idle\"} 0
state{state=\"busy\"} 1
";

const JSON: &str = concat!(
    r#"{"families":[{"name":"build_info","type":"info","help":"About the build.","unit":"","#,
    r#""metrics":[{"labels":{"version":"1"},"value":1}]},"#,
    r#"{"name":"jobs_total","type":"counter","help":"Jobs done.","unit":"","metrics":["#,
    r#"{"labels":{"kind":"a"},"value":3,"exemplar":{"labels":{"trace_id":"x"},"value":1.0,"#,
    r#""timestamp":12500},"created":12000},"#,
    r#"{"labels":{"kind":"b"},"value":9007199254740993,"created":12000}]},"#,
    r#"{"name":"request_seconds","type":"histogram","help":"Time of requests.","unit":"seconds","#,
    r#""metrics":[{"labels":{},"histogram":{"count":2,"sum":1.5,"buckets":["#,
    r#"{"le":0.5,"count":1},{"le":"+Inf","count":2}]}}]},"#,
    r#"{"name":"state","type":"stateset","help":"State of the job.","unit":"","metrics":["#,
    r#"{"labels":{"state":"idle"},"value":0},{"labels":{"state":"busy"},"value":1}]}]}"#,
    "\n"
);

/// Converts a page from standard input: standard output, and standard error without the names.
#[track_caller]
fn convert(page: &str, options: &[&str]) -> (String, String) {
    let arguments = [&["convert"], options].concat();
    let (code, stdout, stderr) = Directory::new().fed(&arguments, page.as_bytes());
    assert_eq!(code, 0, "{stderr}");
    (stdout, stderr.replace("warning: <stdin>: ", ""))
}

#[test]
fn text_gets_what_it_can_carry_and_the_rest_is_told() {
    let (page, told) = convert(OPEN_METRICS, &["--to=text"]);
    assert_eq!(page, TEXT);
    let expected = "\
the text format has no type info for 1 family, written as gauge: in `build_info`
the text format cannot carry 1 exemplar, left out: in `jobs_total`
the text format cannot carry 2 creation times, left out: in `jobs_total`
the text format cannot carry 1 unit, left out: in `request_seconds`
the text format has no type stateset for 1 family, written as gauge: in `state`
";
    assert_eq!(told, expected);
}

#[test]
fn json_gets_all_of_it() {
    assert_eq!(convert(OPEN_METRICS, &["--to=json"]), (JSON.to_owned(), String::new()));
    assert_eq!(convert(JSON, &["--to=openmetrics"]), (OPEN_METRICS.to_owned(), String::new()));
}

#[test]
fn protobuf_has_other_types_and_floats_only() {
    let directory = Directory::new().write("page.om", OPEN_METRICS);
    let arguments = ["convert", "page.om", "--to=protobuf", "--output-file=page.pb"];
    let (code, stdout, stderr) = directory.end_of(&arguments, &[]);
    let expected = "\
warning: page.om: protobuf has no type info for 1 family, written as gauge: in `build_info`
warning: page.om: protobuf cannot carry all digits of 1 value: in `jobs_total`
warning: page.om: protobuf has no type stateset for 1 family, written as gauge: in `state`
";
    assert_eq!((code, &*stdout, &*stderr), (0, "", expected));
    let (code, stdout, stderr) = directory.end_of(&["convert", "page.pb", "--to=text"], &[]);
    let text = TEXT.replace("9007199254740993", "9.007199254740992e+15");
    assert_eq!((code, stdout), (0, text));
    let kept = "warning: page.pb: the text format cannot carry";
    let expected = format!(
        "{kept} 1 exemplar, left out: in `jobs_total`\n\
         {kept} 2 creation times, left out: in `jobs_total`\n\
         {kept} 1 unit, left out: in `request_seconds`\n"
    );
    assert_eq!(stderr, expected);
}

#[test]
fn a_counter_that_openmetrics_has_not_is_told() {
    let page = "# HELP jobs Jobs.\n# TYPE jobs counter\njobs 1\n# TYPE more counter\nmore 1\n";
    let (page, told) = convert(page, &["--to=openmetrics"]);
    let expected = "# HELP jobs Jobs.\n# TYPE jobs unknown\njobs 1\n\
                    # TYPE more unknown\nmore 1\n# EOF\n";
    assert_eq!(page, expected);
    let expected = "OpenMetrics has no type counter for 2 families, written as unknown: in `jobs` \
                    and 1 more\n";
    assert_eq!(told, expected);
}

#[test]
fn a_page_in_its_own_format_stays_as_it_is() {
    assert_eq!(convert(TEXT, &["--to=text"]), (TEXT.to_owned(), String::new()));
    let same = (OPEN_METRICS.to_owned(), String::new());
    assert_eq!(convert(OPEN_METRICS, &["--to=openmetrics"]), same);
}

#[test]
fn what_the_page_itself_repeats_is_told() {
    let (page, told) = convert("up 1\nup 2\n", &["--to=text"]);
    assert_eq!(page, "# TYPE up untyped\nup 1\n");
    let expected =
        "family `up` has 1 series twice: the first of each stands, the rest are left out\n";
    assert_eq!(told, expected);
}

#[test]
fn names_are_escaped_as_asked() {
    let page = "# TYPE \"http.requests\" gauge\n{\"http.requests\"} 1\n";
    for (scheme, expected) in [
        ("allow-utf-8", page.to_owned()),
        ("underscores", "# TYPE http_requests gauge\nhttp_requests 1\n".to_owned()),
        ("dots", "# TYPE http_dot_requests gauge\nhttp_dot_requests 1\n".to_owned()),
        ("values", "# TYPE U__http_2e_requests gauge\nU__http_2e_requests 1\n".to_owned()),
    ] {
        let option = format!("--escaping={scheme}");
        assert_eq!(convert(page, &["--to=text", &option]), (expected, String::new()));
    }
    assert_eq!(convert(page, &["--to=text"]).0, page);
}

#[test]
fn a_page_with_faults_is_not_converted() {
    let directory = Directory::new().write("page", "up x\ndown y\n").write("out", "before\n");
    let arguments = ["convert", "page", "--to=json", "--output-file=out"];
    let (code, stdout, stderr) = directory.end_of(&arguments, &[]);
    let expected = "\
page:1:4: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `x`
page:2:6: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `y`
";
    assert_eq!((code, &*stdout, &*stderr), (1, "", expected));
    assert_eq!(fs::read_to_string(directory.path().join("out")).unwrap(), "before\n");
}

#[test]
fn a_page_can_replace_itself() {
    let directory = Directory::new().write_bytes("page", &gzip(TEXT.as_bytes()));
    let arguments = ["convert", "page", "--to=text", "--output-file=page"];
    assert_eq!(directory.end_of(&arguments, &[]), (0, String::new(), String::new()));
    assert_eq!(fs::read_to_string(directory.path().join("page")).unwrap(), TEXT);
}

#[test]
fn what_cannot_be_written_is_2() {
    let directory = Directory::new().write("page", TEXT);
    let arguments = ["convert", "page", "--to=text", "--output-file=absent/out"];
    let (code, stdout, stderr) = directory.end_of(&arguments, &[]);
    let expected = "error: absent/out: No such file or directory (os error 2)\n";
    assert_eq!((code, &*stdout, &*stderr), (2, "", expected));

    let mut command = directory.command(&["convert", "page", "--to=text"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: standard output: No space left on device (os error 28)\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let page: String = (0..100_000).map(|n| format!("up{{n=\"{n}\"}} 1\n")).collect();
    let directory = Directory::new().write("page", &page);
    let mut command = directory.command(&["convert", "page", "--to=json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn a_terminal_gets_no_protobuf_and_nothing_to_obey() {
    let directory = Directory::new().write("page", "up{a=\"\x1b[2J\"} 1\n");
    let (code, shown) = directory.on_terminal(&["convert", "page", "--to=protobuf"], &[]);
    assert_eq!((code, &*shown), (2, ""));
    let (code, shown) = directory.on_terminal(&["convert", "page", "--to=text"], &[]);
    assert_eq!((code, &*shown), (0, "# TYPE up untyped\nup{a=\"\\u{1b}[2J\"} 1\n"));
}

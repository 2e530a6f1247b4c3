//! Verdicts of the parsers on cases of other projects, read from the folder that
//! `NARTHEX_CONFORMANCE` names.

#![expect(clippy::print_stdout, reason = "tells what was skipped")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use narthex_format::lint::lint_page;
use narthex_format::parse::{Limits, Mode, ParseError, Syntax, check, parse};
use narthex_model::{MetricFamily, MetricType, Scrape, Value as Shown};
use serde_json::Value;

/// Cases on which narthex deliberately decides otherwise, with the reason.
///
/// `DEVIATIONS.md` says the same for people.
const DEVIATIONS: [(&str, Mode, &str); 2] = [
    ("bad_invalid_labels_2", Mode::Lenient, "a label given twice fails the server's scrape later"),
    ("bad_invalid_labels_5", Mode::Lenient, "a label given twice fails the server's scrape later"),
];

/// Pages of `text_parse.json` that narthex accepts as well, but tells otherwise, with the reason.
const TOLD_OTHERWISE: [(usize, &str); 6] = [
    (3, "a summary without its count, or with times that differ, is kept sample by sample"),
    (7, "a series that is given twice counts once, with its first value"),
    (12, "counts that are no whole numbers are kept sample by sample"),
    (13, "counts that are no whole numbers are kept sample by sample"),
    (14, "counts that are no whole numbers are kept sample by sample"),
    (17, "counts that are no whole numbers are kept sample by sample"),
];

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("NARTHEX_CONFORMANCE").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: NARTHEX_CONFORMANCE names no folder");
    }
    folder
}

fn read(folder: &std::path::Path, path: &str) -> Vec<u8> {
    let path = folder.join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn cases(folder: &std::path::Path, path: &str) -> Vec<Value> {
    serde_json::from_slice(&read(folder, path)).expect("the cases are a JSON list")
}

/// A page that a case gives as text or, where it is not UTF-8, in Base64.
fn page(value: &Value) -> Vec<u8> {
    match value.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64(value["base64"].as_str().expect("text or base64")),
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> =
        text.bytes().filter(|&c| c != b'=').map(|c| u32::from(digit(c))).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let word = group.iter().fold(0, |word, digit| word << 6 | digit) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&word.to_be_bytes()[1..][..group.len() - 1]);
    }
    bytes
}

/// Compares verdicts, and counts the cases.
#[derive(Default)]
struct Verdicts {
    checked: usize,
    wrong: Vec<String>,
}

impl Verdicts {
    fn expect(&mut self, case: &str, mode: Mode, accept: bool, got: &Result<Scrape, ParseError>) {
        let deviates = DEVIATIONS.iter().any(|(name, of, _)| *name == case && *of == mode);
        if got.is_ok() != (accept != deviates) {
            let got = got.as_ref().map(|_| "accepted");
            self.wrong.push(format!("{case} {mode:?}: {got:?}"));
        }
        self.checked += 1;
    }

    #[track_caller]
    fn finish(self, cases: usize) {
        println!("{} verdicts", self.checked);
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert_eq!(self.checked, cases);
    }
}

#[test]
fn b27_openmetrics_verdicts_are_those_of_python_and_of_the_server() {
    let Some(folder) = folder() else { return };
    let oracle = String::from_utf8(read(&folder, "openmetrics/oracle.tsv")).expect("UTF-8");
    let mut verdicts = Verdicts::default();
    let (mut good, mut bad) = (0, 0);
    for row in oracle.lines().skip(1) {
        let [case, _, strict, lenient] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four cells in {row}")
        };
        let page = read(&folder, &format!("openmetrics/{case}/metrics"));
        for (mode, verdict) in [(Mode::Strict, strict), (Mode::Lenient, lenient)] {
            let got = parse(Syntax::OpenMetrics, &page, mode);
            verdicts.expect(case, mode, verdict == "accept", &got);
        }
        // The specification and its reference parser agree on all of them.
        let meant = read(&folder, &format!("openmetrics/{case}/test.json"));
        let meant: Value = serde_json::from_slice(&meant).expect("JSON");
        assert_eq!(meant["shouldParse"].as_bool(), Some(strict == "accept"), "{case}");
        *if strict == "accept" { &mut good } else { &mut bad } += 1;
    }
    assert_eq!((good, bad), (44, 167));
    verdicts.finish(422);
}

#[test]
fn b27_examples_of_the_openmetrics_specification() {
    let Some(folder) = folder() else { return };
    let mut verdicts = Verdicts::default();
    for case in cases(&folder, "openmetrics1-spec/index.json") {
        let file = case["file"].as_str().expect("a file");
        let page = read(&folder, &format!("openmetrics1-spec/{file}"));
        let accept = case["client_python"].as_str() == Some("accept");
        let got = parse(Syntax::OpenMetrics, &page, Mode::Strict);
        verdicts.expect(file, Mode::Strict, accept, &got);
    }
    verdicts.finish(39);
}

#[test]
fn b27_text_pages_are_read_as_expfmt_reads_them() {
    let Some(folder) = folder() else { return };
    let mut otherwise = Vec::new();
    for (at, case) in cases(&folder, "expfmt/text_parse.json").iter().enumerate() {
        let page = page(&case["in"]);
        let scrape = parse(Syntax::Text, &page, Mode::Strict)
            .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&page)));
        let expected = case["out"].as_array().expect("families");
        // The library forgets families without samples, of which narthex keeps what is known.
        let read: Vec<_> = scrape.families().iter().filter(|family| !family.is_empty()).collect();
        if TOLD_OTHERWISE.iter().any(|(case, _)| *case == at) {
            otherwise.push((at, read.iter().map(|family| family.len()).sum::<usize>()));
        } else {
            compare(&read, expected);
        }
    }
    // Every sample is there all the same, but for the one that is given twice.
    assert_eq!(otherwise, [(3, 12), (7, 1), (12, 7), (13, 6), (14, 7), (17, 7)]);
}

#[test]
fn b27_text_pages_are_refused_where_expfmt_refuses_them() {
    let Some(folder) = folder() else { return };
    let mut verdicts = Verdicts::default();
    for (at, case) in cases(&folder, "expfmt/text_parse_errors.json").iter().enumerate() {
        let error = case["errUTF8"].as_str().expect("a message");
        let got = parse(Syntax::Text, &page(&case["in"]), Mode::Strict);
        if let (Err(got), Some(place)) = (&got, error.split_once("line ")) {
            let line = place.1.split(':').next().and_then(|line| line.parse().ok());
            println!("{got}\n    {error}");
            assert_eq!(got.line(), line, "{got}\n{error}");
        }
        verdicts.expect(&format!("errors[{at}]"), Mode::Strict, error.is_empty(), &got);
    }
    for entry in std::fs::read_dir(folder.join("expfmt/fuzz_corpus")).expect("the corpus is there")
    {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let got = parse(Syntax::Text, &std::fs::read(&path).expect("a file"), Mode::Strict);
        verdicts.expect(name, Mode::Strict, !name.contains("error"), &got);
    }
    verdicts.finish(48 + 26);
}

#[test]
fn b27_documented_example_of_the_text_format() {
    let Some(folder) = folder() else { return };
    let page = read(&folder, "text/docs_example.txt");
    let places = |mode| -> Vec<_> {
        let faults = check(Syntax::Text, &page, mode, &Limits::default());
        faults.iter().map(|fault| (fault.line(), fault.column())).collect()
    };
    // One line of the example lacks its value, and the server takes no time before 1970.
    assert_eq!(places(Mode::Strict), [(Some(10), Some(50))]);
    assert_eq!(places(Mode::Lenient), [(Some(10), Some(50)), (Some(16), Some(50))]);
}

#[test]
fn b27_numbers_are_read_as_go_reads_them() {
    let Some(folder) = folder() else { return };
    let table = String::from_utf8(read(&folder, "numbers/float_parse.tsv")).expect("UTF-8");
    let mut seen = 0;
    for row in table.lines().skip(1) {
        let [token, verdict, bits] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three cells in {row}")
        };
        let token: String = serde_json::from_str(token).expect("a JSON string");
        let pages = [
            (Syntax::Text, Mode::Strict, format!("a {token}\n")),
            (Syntax::Text, Mode::Lenient, format!("a {token}\n")),
            (Syntax::OpenMetrics, Mode::Lenient, format!("a {token}\n# EOF\n")),
        ];
        for (syntax, mode, page) in pages {
            let got = parse(syntax, page.as_bytes(), mode);
            let got = got.ok().and_then(|scrape| scrape.value("a", &[]));
            let expected = (verdict == "accept").then(|| {
                f64::from_bits(u64::from_str_radix(bits, 16).expect("bits are hexadecimal"))
            });
            // A blank after the number is refused by all but the server's reader of text.
            if token == "1 " && syntax == Syntax::Text && mode == Mode::Lenient {
                assert_eq!(got, Some(1.0));
                continue;
            }
            let same = match (got, expected) {
                (Some(got), Some(expected)) => {
                    got == expected || (got.is_nan() && expected.is_nan())
                }
                (got, expected) => got == expected,
            };
            assert!(same, "{token:?} {syntax:?} {mode:?}: {got:?} {expected:?}");
            seen += 1;
        }
    }
    assert!(seen > 100);
}

#[test]
fn b27_protobuf_pages_say_what_their_text_says() {
    let Some(folder) = folder() else { return };
    let mut seen = 0;
    for case in cases(&folder, "expfmt/family_vectors.json") {
        let name = case["name"].as_str().expect("a name");
        let binary = base64(case["delimited_base64"].as_str().expect("Base64"));
        let binary = parse(Syntax::Protobuf, &binary, Mode::Strict).expect("a good page");
        let text = case["text_0_0_4"].as_str().expect("a page").as_bytes();
        let text = parse(Syntax::Text, text, Mode::Strict).expect("a good page");
        match (binary.families(), text.families()) {
            // Text has no gauge histograms.
            ([binary], [text]) if binary.metric_type() == MetricType::GaugeHistogram => {
                assert_eq!(binary.values(), text.values(), "{name}");
            }
            (binary, text) => assert_eq!(binary, text, "{name}"),
        }
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn b27_protobuf_pages_are_decoded_as_expfmt_decodes_them() {
    let Some(folder) = folder() else { return };
    for (at, case) in cases(&folder, "expfmt/proto_decode.json").iter().enumerate() {
        let got = parse(Syntax::Protobuf, &page(&case["in"]), Mode::Strict);
        // One is refused only for a label name outside the classic set, which narthex reads.
        let fails = case["fail"].as_bool() == Some(true) && at != 1;
        assert_eq!(got.is_err(), fails, "case {at}: {got:?}");
    }
}

#[test]
fn b27_a_page_is_the_same_in_text_and_in_protobuf() {
    let Some(folder) = folder() else { return };
    let text = parse(Syntax::Text, &read(&folder, "expfmt/testdata/text"), Mode::Strict);
    let text = text.expect("a good page");
    assert!(text.families().len() > 20);
    assert!(text.problems().is_empty());
    let binary = parse(Syntax::Protobuf, &read(&folder, "expfmt/testdata/protobuf"), Mode::Strict);
    assert_eq!(binary.expect("a good page"), text);
}

#[test]
fn b31_lint_finds_what_promlint_finds() {
    let Some(folder) = folder() else { return };
    let cases = cases(&folder, "promlint/cases.json");
    for case in &cases {
        let page = page(&case["in"]);
        let findings = lint_page(Syntax::Text, &page, Mode::Strict).expect("a good page");
        let found: Vec<_> = findings
            .iter()
            .filter(|finding| finding.rule().is_promlint())
            .map(|finding| (finding.family(), finding.message()))
            .collect();
        let text = |problem: &'static str| {
            move |all: &Value| all[problem].as_str().expect("text").to_owned()
        };
        let problems = case["problems"].as_array().into_iter().flatten();
        let wanted: Vec<_> =
            problems.map(|problem| (text("metric")(problem), text("text")(problem))).collect();
        let wanted: Vec<_> =
            wanted.iter().map(|(metric, text)| (metric.as_str(), text.as_str())).collect();
        assert_eq!(found, wanted, "{}", case["name"]);
    }
    assert_eq!(cases.len(), 75);
}

/// Compares families with those of a case, which are in the order of the page.
fn compare(read: &[&MetricFamily], expected: &[Value]) {
    let mut expected: Vec<&Value> = expected.iter().collect();
    expected.sort_by_key(|family| family["name"].as_str().map(str::to_owned));
    let names = |families: &[&MetricFamily]| -> Vec<String> {
        families.iter().map(|family| family.name().to_string()).collect()
    };
    let wanted: Vec<_> =
        expected.iter().map(|family| family["name"].as_str().expect("a name")).collect();
    assert_eq!(names(read), wanted);
    for (family, expected) in read.iter().zip(expected) {
        assert_eq!(family.metadata().help(), expected["help"].as_str().unwrap_or_default());
        let metric_type = match expected["type"].as_str() {
            None | Some("COUNTER") => MetricType::Counter,
            Some("GAUGE") => MetricType::Gauge,
            Some("HISTOGRAM") => MetricType::Histogram,
            Some("GAUGE_HISTOGRAM") => MetricType::GaugeHistogram,
            Some("SUMMARY") => MetricType::Summary,
            _ => MetricType::Unknown,
        };
        assert_eq!(family.metric_type(), metric_type, "{expected}");
        let metrics = expected["metric"].as_array().expect("metrics");
        assert_eq!(family.len(), metrics.len(), "{expected}");
        for (metric, expected) in family.metrics().zip(metrics) {
            let labels: BTreeMap<String, String> = metric
                .labels()
                .map(|(name, value)| (name.to_string(), value.into_owned()))
                .collect();
            let wanted: BTreeMap<String, String> = expected["label"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|label| {
                    let text = |key: &str| label[key].as_str().unwrap_or_default().to_owned();
                    (text("name"), text("value"))
                })
                .collect();
            assert_eq!(labels, wanted);
            assert_eq!(metric.timestamp(), expected["timestamp_ms"].as_i64());
            compare_value(metric.value(), expected);
        }
    }
}

fn compare_value(value: Shown<'_>, expected: &Value) {
    match value {
        Shown::Number(number) => {
            let kinds = ["counter", "gauge", "untyped"];
            let wanted = kinds.iter().find_map(|kind| expected.get(kind)).expect("a number");
            assert_same(number.as_f64(), float(&wanted["value"]));
        }
        Shown::Histogram(histogram) => {
            let wanted = &expected["histogram"];
            assert_eq!(Some(histogram.count()), wanted["sample_count"].as_u64());
            assert_same(histogram.sum(), float(&wanted["sample_sum"]));
            let buckets = wanted["bucket"].as_array().expect("buckets");
            assert_eq!(histogram.buckets().count(), buckets.len());
            for ((bound, count), wanted) in histogram.buckets().zip(buckets) {
                assert_same(bound, float(&wanted["upper_bound"]));
                assert_eq!(count, wanted["cumulative_count"].as_u64().unwrap_or_default());
            }
        }
        Shown::Summary(summary) => {
            let wanted = &expected["summary"];
            assert_eq!(summary.count(), wanted["sample_count"].as_u64().unwrap_or_default());
            assert_same(summary.sum(), float(&wanted["sample_sum"]));
        }
        _ => panic!("an unknown kind of value"),
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Number(number) => number.as_f64().expect("a number is a float"),
        text => text.as_str().and_then(|text| text.parse().ok()).expect("NaN or an infinity"),
    }
}

#[track_caller]
fn assert_same(a: f64, b: f64) {
    assert!(a == b || (a.is_nan() && b.is_nan()), "{a} {b}");
}

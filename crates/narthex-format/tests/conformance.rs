//! Cases of others, read from the folder that `NARTHEX_CONFORMANCE` names. Where we differ on
//! purpose, `DEVIATIONS.md` says why.

mod cases;
mod prototext;
mod schema;

use narthex_format::parse::{Mode, Syntax, parse};
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};
use narthex_model::{LabelName, MetricFamily, MetricName, Number, Scrape, Value};

use cases::{Tally, build, canonical, case_file, cases, rows};

const ALLOW_UTF8_TEXT: Format =
    Format::Text { version: TextVersion::V0_0_4, escaping: Escaping::AllowUtf8 };

fn openmetrics(created: CreatedLines) -> Format {
    let (version, escaping) = (OpenMetricsVersion::V1_0_0, Escaping::AllowUtf8);
    Format::OpenMetrics { version, escaping, created }
}

fn page(format: Format, scrape: &Scrape) -> String {
    let mut page = Vec::new();
    format.encode(scrape, &mut page);
    String::from_utf8(page).expect("a page is UTF-8")
}

fn render(format: Format, family: MetricFamily) -> String {
    page(format, &Scrape::new(vec![family]))
}

#[test]
fn a21_numbers_are_those_of_go() {
    let Some(table) = rows("numbers/float_format.tsv") else { return };
    for row in &table {
        let bits = u64::from_str_radix(&row[0], 16).expect("bits are hexadecimal");
        let family = || {
            let family = MetricFamily::gauge("g", "");
            let value = Number::Float(f64::from_bits(bits));
            family.sample([""; 0], value).build().expect("a good family")
        };
        let text = render(Format::TEXT, family());
        assert_eq!(text, format!("# TYPE g gauge\ng {}\n", row[1]), "{bits:016x}");
        let openmetrics = render(Format::OPEN_METRICS, family());
        assert_eq!(openmetrics, format!("# TYPE g gauge\ng {}\n# EOF\n", row[2]), "{bits:016x}");
    }
    println!("{} numbers", table.len());
    assert!(table.len() > 200);
}

#[test]
fn a20_families_are_written_as_prometheus_common_writes_them() {
    let Some(created) = cases("expfmt/text_create.json") else { return };
    let mut tally = Tally::default();
    for case in &created {
        match build(&case["in"]) {
            Ok(family) => {
                let expected = case["out"].as_str().expect("a page");
                assert_eq!(canonical(&render(ALLOW_UTF8_TEXT, family)), canonical(expected));
                tally.checked += 1;
            }
            Err(reason) => tally.skip(&case["in"]["name"].to_string(), reason),
        }
    }
    tally.expect(9, 3);
}

/// Cases of `expfmt/openmetrics_create.json` in which we differ on purpose.
const OPENMETRICS_DEVIATIONS: [(usize, &str); 4] = [
    (6, "negative observations: a summary comes apart"),
    (13, "an exemplar without labels is written"),
    (16, "a unit that the name does not end with is left out"),
    (17, "a gauge histogram has `_gsum` and `_gcount`"),
];

#[test]
fn b27_families_are_written_in_openmetrics_as_prometheus_common_writes_them() {
    let Some(created) = cases("expfmt/openmetrics_create.json") else { return };
    let mut tally = Tally::default();
    for (index, case) in created.iter().enumerate() {
        let with_created = !case["options"].is_null();
        let created = if with_created { CreatedLines::Written } else { CreatedLines::Omitted };
        let family = match build(&case["in"]) {
            Ok(family) => family,
            Err(reason) => {
                tally.skip(&index.to_string(), reason);
                continue;
            }
        };
        let rendered = canonical(&render(openmetrics(created), family));
        let same = rendered == canonical(case["out"].as_str().expect("a page"));
        match OPENMETRICS_DEVIATIONS.iter().find(|(deviation, _)| *deviation == index) {
            Some((_, reason)) => {
                assert!(!same, "case {index} is no deviation any more");
                tally.skip(&index.to_string(), reason);
            }
            None => {
                assert!(same, "case {index}: {rendered:#?}");
                tally.checked += 1;
            }
        }
    }
    tally.expect(13, 5);
}

#[test]
fn a24_parsed_families_are_written_in_every_format_as_prometheus_common_writes_them() {
    let Some(vectors) = cases("expfmt/family_vectors.json") else { return };
    let parsed = cases("expfmt/text_parse.json").expect("both are there");
    let mut tally = Tally::default();
    for vector in &vectors {
        let source = vector["source"].as_str().expect("a source");
        let index = source.trim_start_matches("text_parse[").trim_end_matches(']');
        let case = &parsed[index.parse::<usize>().expect("an index")];
        let families = case["out"].as_array().expect("families");
        let family = families.iter().find(|family| family["name"] == vector["name"]);
        let family = match build(family.expect("the family is there")) {
            Ok(family) => family,
            Err(reason) => {
                tally.skip(&vector["name"].to_string(), reason);
                continue;
            }
        };
        let text = vector["text_0_0_4"].as_str().expect("a page");
        assert_eq!(canonical(&render(ALLOW_UTF8_TEXT, family.clone())), canonical(text));
        let gauge_histogram =
            vector["prototext"].as_str().expect("text").contains("GAUGE_HISTOGRAM");
        if let Some(expected) = vector["openmetrics_1_0_0"].as_str().filter(|_| !gauge_histogram) {
            let rendered = render(openmetrics(CreatedLines::Omitted), family.clone());
            let negative = rendered.contains("-1.2") && expected.contains("summary");
            if negative {
                println!("{source}: negative observations: a summary comes apart");
            } else {
                assert_eq!(canonical(&rendered), canonical(expected), "{source}");
            }
        }
        let expected = base64(vector["delimited_base64"].as_str().expect("bytes"));
        let mut bytes = Vec::new();
        let format = Format::Protobuf { escaping: Escaping::AllowUtf8 };
        format.encode(&Scrape::new(vec![family]), &mut bytes);
        assert_eq!(messages(&bytes), messages(&expected), "{source}");
        tally.checked += 1;
    }
    tally.expect(19, 6);
}

/// The families of a page as text, so that NaN equals NaN, with what may be left out filled in and
/// the labels sorted.
fn messages(page: &[u8]) -> String {
    let mut families = schema::decode(page);
    for family in &mut families {
        family.help = family.help.take().filter(|help| !help.is_empty());
        for metric in &mut family.metric {
            metric.label.sort_by(|a, b| a.name.cmp(&b.name));
            if let Some(summary) = &mut metric.summary {
                summary.sample_sum.get_or_insert_default();
                summary.sample_count.get_or_insert_default();
            }
            if let Some(histogram) = &mut metric.histogram {
                histogram.bucket.retain(|bucket| bucket.upper_bound != Some(f64::INFINITY));
            }
        }
    }
    format!("{families:#?}")
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        let digit = DIGITS.iter().position(|digit| *digit == c).expect("a digit");
        (bits, held) = (bits << 6 | digit as u32, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[test]
fn a17_names_are_escaped_in_every_format() {
    let Some(table) = cases("expfmt/encode_escaped_names.json") else { return };
    for case in &table {
        let family = MetricFamily::gauge("foo.metric", "").utf8_names();
        let family = family.label_names(["dotted.label.name"]).sample(["v"], 1u64);
        let scrape = Scrape::new(vec![family.build().expect("a good family")]);
        let content_type = case["format"].as_str().expect("a content type");
        let format = Format::negotiate([content_type]);
        let (metric, label) = (&case["expectMetricName"], &case["expectLabelName"]);
        let (metric, label) = (metric.as_str().expect("text"), label.as_str().expect("text"));
        let mut bytes = Vec::new();
        format.encode(&scrape, &mut bytes);
        if let Format::Protobuf { .. } = format {
            let family = &schema::decode(&bytes)[0];
            assert_eq!(family.name.as_deref(), Some(metric));
            assert_eq!(family.metric[0].label[0].name.as_deref(), Some(label));
        } else {
            let text = String::from_utf8(bytes).expect("a page is UTF-8");
            let quoted = format!("{{\"{metric}\",\"{label}\"=\"v\"}} 1\n");
            let plain = format!("{metric}{{{label}=\"v\"}} 1\n");
            assert!(text.ends_with(&quoted) || text.ends_with(&plain), "{text}");
            assert_eq!(text.ends_with(&quoted), metric.contains('.'), "{text}");
        }
    }
    assert_eq!(table.len(), 6);
}

#[test]
fn a17_whole_families_are_escaped_as_prometheus_common_escapes_them() {
    let Some(table) = cases("escaping/escape_metric_family.json") else { return };
    let mut tally = Tally::default();
    for case in &table {
        let scheme = case["scheme"].as_str().expect("a scheme");
        let scheme = Escaping::ALL.into_iter().find(|s| s.as_str() == scheme).expect("a known one");
        if case["input"]["name"].is_null() {
            tally.skip(case["name"].as_str().expect("a name"), "it has no name");
            continue;
        }
        // The name as a label is what other libraries add to the model.
        let without_name = |family: &serde_json::Value| {
            let mut family = family.clone();
            for metric in family["metric"].as_array_mut().expect("metrics") {
                let labels = metric["label"].as_array_mut().expect("labels");
                labels.retain(|label| label["name"] != "__name__");
            }
            build(&family).expect("the model can express it")
        };
        let format = |escaping| Format::Text { version: TextVersion::V1_0_0, escaping };
        let escaped = render(format(scheme), without_name(&case["input"]));
        assert_eq!(escaped, render(ALLOW_UTF8_TEXT, without_name(&case["expected"])));
        tally.checked += 1;
    }
    tally.expect(4, 1);
}

#[test]
fn b27_pages_of_client_java_come_back_as_they_are() {
    let Some(table) = cases("client_java/exposition_formats.json") else { return };
    let mut tally = Tally::default();
    let mut differing = Vec::new();
    for case in &table {
        let name = case["test"].as_str().expect("a name");
        for (key, expected) in java_pages(case) {
            let (syntax, format, expected) = if key.starts_with("OpenMetricsText") {
                let created = match key.contains("WithoutCreated") {
                    true => CreatedLines::Omitted,
                    false => CreatedLines::Written,
                };
                (Syntax::OpenMetrics, openmetrics(created), expected.to_owned())
            } else if key.starts_with("PrometheusText") {
                (Syntax::Text, ALLOW_UTF8_TEXT, in_milliseconds(expected))
            } else {
                continue;
            };
            let Ok(scrape) = parse(syntax, expected.as_bytes(), Mode::Strict) else {
                let verdict = case["client_python_strict_parse"][key].as_str();
                assert!(
                    verdict.is_some_and(|verdict| verdict.starts_with("reject")),
                    "{name} {key}"
                );
                tally.skip(name, "client_python refuses the page, and so do we");
                continue;
            };
            let found = java_lines(&page(format, &scrape));
            match java_deviation(name, key) {
                Some(reason) => {
                    assert_ne!(
                        found,
                        java_lines(&expected),
                        "{name} {key} is no deviation any more"
                    );
                    tally.skip(name, reason);
                }
                None if found == java_lines(&expected) => tally.checked += 1,
                None => differing.push(format!("{name} {key}: {found:#?}")),
            }
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
    tally.expect(85, 45);
}

#[test]
fn b27_protobuf_of_client_java_says_what_its_text_says() {
    let Some(table) = cases("client_java/exposition_formats.json") else { return };
    let mut tally = Tally::default();
    let mut differing = Vec::new();
    for case in &table {
        let name = case["test"].as_str().expect("a name");
        for (key, prototext) in java_pages(case).filter(|(key, _)| key.contains("Protobuf")) {
            if prototext.is_empty() {
                tally.skip(name, "there is no family");
                continue;
            }
            let scrape = parse(Syntax::Protobuf, &prototext::delimited(prototext), Mode::Strict);
            let scrape = scrape.unwrap_or_else(|error| panic!("{error} {name} {key}"));
            assert_eq!(scrape.problems(), [], "{name} {key}");
            for format in [Format::Protobuf { escaping: Escaping::AllowUtf8 }, Format::Json] {
                let mut written = Vec::new();
                format.encode(&scrape, &mut written);
                let read = parse(format.into(), &written, Mode::Strict);
                assert_eq!(read.expect("a good page"), scrape, "{name} {key} {format:?}");
            }
            // client_java marks an empty one by nothing that a server takes for a mark.
            let is_native = prototext.contains("schema:") && name != "testNativeHistogramMinimal";
            let natives = scrape.families()[0].metrics();
            let natives = natives.filter(|m| matches!(m.value(), Value::NativeHistogram(_)));
            assert_eq!(natives.count() > 0, is_native, "{name}");
            let text_key = key.replace("PrometheusProtobuf", "PrometheusTextWithoutCreated");
            let text = case["expected"][&text_key].as_str();
            let Some(text) = text.or(case["expected"]["PrometheusText"].as_str()) else {
                tally.skip(name, "there is no text beside it");
                continue;
            };
            let found = java_lines(&page(ALLOW_UTF8_TEXT, &scrape));
            match java_deviation(name, key) {
                Some(reason) => tally.skip(name, reason),
                None if found == java_lines(&in_milliseconds(text)) => tally.checked += 1,
                None => differing.push(format!("{name} {key}: {found:#?}")),
            }
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
    tally.expect(17, 11);
}

#[test]
fn b27_families_of_one_name_become_one_as_in_client_java() {
    let Some(table) = cases("client_java/duplicate_names_merge.json") else { return };
    for case in &table {
        let expected = case["expected"].as_str().expect("a page");
        let (syntax, format) = match expected.ends_with("# EOF\n") {
            true => (Syntax::OpenMetrics, openmetrics(CreatedLines::Omitted)),
            false => (Syntax::Text, ALLOW_UTF8_TEXT),
        };
        let scrape = parse(syntax, expected.as_bytes(), Mode::Strict).expect("a good page");
        // Each series as a family of its own.
        let mut alone = Vec::new();
        for family in scrape.families() {
            for index in 0..family.len() {
                let mut at = 0..;
                alone.push(family.filter(|_| at.next() == Some(index)));
            }
        }
        let merged = Scrape::new(alone);
        assert_eq!(merged.problems(), []);
        assert_eq!(java_lines(&page(format, &merged)), java_lines(expected));
    }
    assert_eq!(table.len(), 4);
}

/// The pages of a case by their keys.
fn java_pages(case: &serde_json::Value) -> impl Iterator<Item = (&str, &str)> {
    let pages = case["expected"].as_object().expect("pages");
    pages.iter().map(|(key, page)| (key.as_str(), page.as_str().expect("a page")))
}

/// The page with its timestamps in milliseconds: the tests of client_java turn that off.
fn in_milliseconds(page: &str) -> String {
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((start, time)) if !line.starts_with('#') && start.rfind(' ') > start.rfind('}') => {
            format!("{start} {}\n", time.replacen('.', "", 1))
        }
        _ => format!("{line}\n"),
    };
    page.lines().map(line).collect()
}

/// Why a row of client_java does not come back as it is.
fn java_deviation(name: &str, key: &str) -> Option<&'static str> {
    let all =
        JAVA_DEVIATIONS.iter().find(|(deviation, of, _)| name == *deviation && key.starts_with(of));
    all.map(|(_, _, reason)| *reason)
}

const GAUGE_HISTOGRAM: &str = "text has no gauge histogram, which client_java writes in parts";

/// Rows of client_java, with the start of their keys, that the model cannot hold, so that they come
/// apart; and others that are told otherwise.
const JAVA_DEVIATIONS: [(&str, &str, &str); 10] = [
    ("testSummaryNoCountAndSum", "", "a summary has a count and a sum"),
    ("testSummaryJustCount", "", "a summary has a count and a sum"),
    ("testSummaryJustSum", "", "a summary has a count and a sum"),
    ("testClassicHistogramComplete", "", "the histograms of a family have the same buckets"),
    ("testClassicHistogramMinimal", "", "a histogram has a count and a sum"),
    ("testClassicGaugeHistogramComplete", "Prometheus", GAUGE_HISTOGRAM),
    ("testClassicGaugeHistogramCountAndSum", "Prometheus", GAUGE_HISTOGRAM),
    ("testClassicHistogramMinimalWithDots", "", "a histogram has a count and a sum"),
    ("testNativeHistogramMinimal", "", "a histogram has a count and a sum"),
    ("testClassicGaugeHistogramMinimal", "", "a histogram has a count and a sum"),
];

/// The lines in any order, numbers in one notation.
fn java_lines(page: &str) -> Vec<String> {
    let number = |word: &str| match word.parse::<f64>() {
        Ok(number) => number.to_string(),
        Err(_) => word.to_owned(),
    };
    let numbers = |line: &String| line.split(' ').map(number).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = canonical(page).iter().map(numbers).collect();
    lines.sort();
    lines
}

#[test]
fn names_are_valid_where_they_are_for_prometheus_common() {
    let Some(table) = case_file("escaping/names_matrix.tsv") else { return };
    let mut seen = 0;
    for line in table.lines().skip(1) {
        let row: Vec<&str> = line.split('\t').collect();
        let Ok(name) = serde_json::from_str::<String>(row[0]) else { continue };
        let unescaped = |cell: &str| serde_json::from_str::<String>(cell).expect("a JSON string");
        assert_eq!(Escaping::Dots.unescape(&name), unescaped(row[4]), "{name}");
        assert_eq!(Escaping::Values.unescape(&name), unescaped(row[5]), "{name}");
        if let Ok(metric) = MetricName::new_utf8(&name) {
            assert_eq!(metric.underscored(), unescaped(row[1]), "{name}");
            assert_eq!(metric.escaped(Escaping::Values), unescaped(row[3]), "{name}");
            if !metric.is_classic() {
                assert_eq!(metric.escaped(Escaping::Dots), unescaped(row[2]), "{name}");
            }
            assert_eq!(metric.is_classic().to_string(), row[6], "{name}");
        } else {
            assert_eq!(row[7], "false", "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 30);
}

#[test]
fn escaped_names_come_back_as_far_as_their_scheme_tells() {
    let Some(table) = rows("escaping/escape_name.tsv") else { return };
    let text = |cell: &str| serde_json::from_str::<String>(cell).expect("a JSON string");
    for row in &table {
        let name = text(&row[0]);
        assert_eq!(Escaping::Dots.unescape(&text(&row[2])), text(&row[3]), "{name}");
        assert_eq!(Escaping::Values.unescape(&text(&row[4])), name);
        if let Ok(metric) = MetricName::new_utf8(&name) {
            assert_eq!(metric.escaped(Escaping::Underscores), text(&row[1]));
            assert_eq!(metric.escaped(Escaping::Values), text(&row[4]));
        }
    }
    let errors = rows("escaping/values_unescape_errors.tsv").expect("both are there");
    for row in &errors {
        assert_eq!(Escaping::Values.unescape(&text(&row[0])), text(&row[1]));
    }
    assert_eq!((table.len(), errors.len()), (8, 10));
}

#[test]
fn a20_one_family_is_written_in_every_format_as_prometheus_common_writes_it() {
    let Some(table) = cases("expfmt/encode.json") else { return };
    let mut tally = Tally::default();
    for case in &table {
        let family = build(&case["metric"]).expect("the model can express it");
        let content_type = case["format"].as_str().expect("a content type");
        let expected = case["expOut"].as_str().expect("a page");
        let format = Format::negotiate([content_type]);
        if Syntax::detect(content_type) != Some(format.into()) {
            tally.skip(content_type, "it is not offered, and text answers");
            assert_eq!(format, Format::TEXT);
        } else if expected.is_empty() {
            tally.skip(content_type, "its bytes are not recorded");
        } else {
            // A unit that the name does not end with makes strict readers refuse the page.
            let expected = expected.replace("# UNIT foo_metric seconds\n", "");
            let rendered = render(format, family);
            assert_eq!(rendered.trim_end_matches("# EOF\n"), expected, "{content_type}");
            tally.checked += 1;
        }
    }
    tally.expect(4, 4);
}

#[test]
fn a20_families_that_prometheus_common_refuses_cannot_be_made_or_are_good_pages() {
    let Some(text) = cases("expfmt/text_create_errors.json") else { return };
    let openmetrics = cases("expfmt/openmetrics_create_errors.json").expect("both are there");
    let mut seen = Vec::new();
    for case in text.iter().chain(&openmetrics) {
        let error = case["err"].as_str().expect("an error");
        let mut family = case["in"].clone();
        if error.contains("no name") {
            family["name"] = "".into();
        }
        seen.push(match build(&family) {
            Err(reason) => reason,
            Ok(family) => {
                // The type is that of the family and not of each metric, so that none can differ.
                let page = render(Format::TEXT, family);
                assert!(parse(Syntax::Text, page.as_bytes(), Mode::Strict).is_ok(), "{error}");
                "a good page"
            }
        });
    }
    let no_name = "the model refuses it";
    assert_eq!(seen[..5], ["a good page", no_name, "a good page", no_name, "a good page"]);
    assert_eq!(seen[5..], ["the model has no floating-point counts"]);
}

#[test]
fn names_are_valid_where_they_are_for_prometheus() {
    let Some(metrics) = cases("escaping/metric_name_validity.json") else { return };
    let labels = cases("escaping/label_name_validity.json").expect("both are there");
    let mut seen = 0;
    let mut check =
        |case: &serde_json::Value, key: &str, classic: fn(&str) -> bool, utf8: fn(&str) -> bool| {
            // Two are not UTF-8, and so no `&str`.
            let Some(name) = case[key].as_str() else { return };
            assert_eq!(Some(classic(name)), case["legacyValid"].as_bool(), "{name}");
            assert_eq!(Some(utf8(name)), case["utf8Valid"].as_bool(), "{name}");
            seen += 1;
        };
    for case in &metrics {
        check(case, "mn", |n| MetricName::new(n).is_ok(), |n| MetricName::new_utf8(n).is_ok());
    }
    for case in &labels {
        check(case, "ln", |n| LabelName::new(n).is_ok(), |n| LabelName::new_utf8(n).is_ok());
    }
    assert_eq!(seen, 20);
}

#[test]
fn names_are_escaped_as_client_java_escapes_them() {
    let Some(table) = rows("escaping/client_java_naming.tsv") else { return };
    let text = |cell: &str| serde_json::from_str::<String>(cell).expect("a JSON string");
    let mut tally = Tally::default();
    for row in &table {
        let (name, expected) = (text(&row[1]), text(&row[3]));
        if row[0] != "escapeName" {
            tally.skip(&name, "what it makes of bad names is its own policy, ours refuses them");
            continue;
        }
        let Ok(metric) = MetricName::new_utf8(&name) else {
            tally.skip(&name, "it is no name");
            continue;
        };
        let scheme = match &*row[2] {
            "UNDERSCORE_ESCAPING" => Escaping::Underscores,
            "DOTS_ESCAPING" => Escaping::Dots,
            _ => Escaping::Values,
        };
        if scheme == Escaping::Dots && metric.is_classic() {
            tally.skip(&name, "a name of the classic set is left as it is, as in Go");
            continue;
        }
        assert_eq!(metric.escaped(scheme), expected, "{name} {scheme:?}");
        tally.checked += 1;
    }
    tally.expect(21, 38);
}

#[test]
fn b27_a_page_of_several_messages_is_read() {
    let Some(folder) = narthex_test::conformance("expfmt") else { return };
    let page = std::fs::read(folder.join("testdata/protobuf-multimessage")).expect("the page");
    let scrape = parse(Syntax::Protobuf, &page, Mode::Strict).expect("a good page");
    assert_eq!(scrape.problems(), []);
    assert_eq!(scrape.families().len(), schema::decode(&page).len());
    let mut written = Vec::new();
    Format::PROTOBUF.encode(&scrape, &mut written);
    assert_eq!(parse(Syntax::Protobuf, &written, Mode::Strict).expect("a good page"), scrape);
}

//! Cases of others, read from the folder that `NARTHEX_CONFORMANCE` names. Where we differ on
//! purpose, `DEVIATIONS.md` says why.

mod cases;
mod schema;

use narthex_format::parse::{Mode, Syntax, parse};
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};
use narthex_model::{MetricFamily, Number, Scrape};

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
    for case in &table {
        let name = case["test"].as_str().expect("a name");
        for (key, created) in [
            ("OpenMetricsText", CreatedLines::Written),
            ("OpenMetricsTextWithoutCreated", CreatedLines::Omitted),
        ] {
            let Some(expected) = case["expected"][key].as_str() else { continue };
            let parsed = parse(Syntax::OpenMetrics, expected.as_bytes(), Mode::Strict);
            let Ok(scrape) = parsed else {
                let verdict = case["client_python_strict_parse"][key].as_str();
                assert!(verdict.is_some_and(|verdict| verdict.starts_with("reject")), "{name}");
                tally.skip(name, "client_python refuses the page, and so do we");
                continue;
            };
            let deviation = JAVA_DEVIATIONS.iter().find(|(deviation, _)| name == *deviation);
            let same = java_lines(&page(openmetrics(created), &scrape)) == java_lines(expected);
            match deviation {
                Some((_, reason)) => {
                    assert!(!same, "{name} is no deviation any more");
                    tally.skip(name, reason);
                }
                None => {
                    assert!(same, "{name} {key}");
                    tally.checked += 1;
                }
            }
        }
    }
    tally.expect(44, 14);
}

/// Rows of client_java that the model cannot hold, so that they come apart.
const JAVA_DEVIATIONS: [(&str, &str); 7] = [
    ("testSummaryNoCountAndSum", "a summary has a count and a sum"),
    ("testSummaryJustCount", "a summary has a count and a sum"),
    ("testSummaryJustSum", "a summary has a count and a sum"),
    ("testClassicHistogramComplete", "the histograms of a family have the same buckets"),
    ("testClassicHistogramMinimal", "a histogram has a count and a sum"),
    ("testNativeHistogramMinimal", "a histogram has a count and a sum"),
    ("testClassicGaugeHistogramMinimal", "a histogram has a count and a sum"),
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
        if let Ok(metric) = narthex_model::MetricName::new_utf8(&name) {
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
        if let Ok(metric) = narthex_model::MetricName::new_utf8(&name) {
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

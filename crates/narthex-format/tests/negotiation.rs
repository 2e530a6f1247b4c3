//! Which format a scraper gets for its `Accept` headers.

mod cases;

use narthex_format::parse::Syntax;
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};
use proptest::prelude::*;

use cases::{Tally, cases, rows};

const TEXT_1: Format = text_1(Escaping::Underscores);

const fn text_1(escaping: Escaping) -> Format {
    Format::Text { version: TextVersion::V1_0_0, escaping }
}

const fn openmetrics(version: OpenMetricsVersion, escaping: Escaping) -> Format {
    Format::OpenMetrics { version, escaping, created: CreatedLines::Omitted }
}

const OPENMETRICS_0: Format = openmetrics(OpenMetricsVersion::V0_0_1, Escaping::Underscores);

/// What Go offers where OpenMetrics is not enabled.
const WITHOUT_OPENMETRICS: [Format; 2] = [Format::TEXT, Format::PROTOBUF];

const PROTOBUF_TYPE: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

#[track_caller]
fn check(accept: &str, expected: Format) {
    assert_eq!(Format::negotiate([accept]), expected, "{accept}");
}

#[test]
fn a18_who_does_not_say_gets_text() {
    assert_eq!(Format::negotiate([]), Format::TEXT);
    for accept in [
        "",
        "*/*",
        "text/*",
        "text/plain",
        "text/plain; version=0.0.4",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    ] {
        check(accept, Format::TEXT);
    }
}

#[test]
fn a18_nobody_is_turned_away() {
    for accept in [
        "application/json",
        "application/openmetrics-text;version=2.0.0",
        "application/vnd.google.protobuf",
        "text/plain;version=9",
        "text/plain;version=0.0.4;q=0",
        "*/*;q=0",
        "\u{0};;=,,\"",
        "q=1",
        "application/openmetrics-text;q=nonsense",
    ] {
        check(accept, Format::TEXT);
    }
}

#[test]
fn a18_protobuf_needs_all_its_parameters_in_any_order() {
    check(PROTOBUF_TYPE, Format::PROTOBUF);
    check(
        "application/vnd.google.protobuf ;\tencoding=delimited; proto=io.prometheus.client.MetricFamily",
        Format::PROTOBUF,
    );
    for missing in [";encoding=delimited", ";proto=io.prometheus.client.MetricFamily"] {
        check(&PROTOBUF_TYPE.replace(missing, ""), Format::TEXT);
    }
    for encoding in ["text", "compact-text"] {
        check(&PROTOBUF_TYPE.replace("delimited", encoding), Format::TEXT);
    }
}

#[test]
fn a18_the_highest_quality_wins_and_then_the_first() {
    let openmetrics = "application/openmetrics-text;version=1.0.0";
    check(&format!("text/plain;q=0.5,{openmetrics};q=0.6"), Format::OPEN_METRICS);
    check(&format!("text/plain;q=0.6,{openmetrics};q=0.5"), Format::TEXT);
    check(&format!("text/plain,{openmetrics}"), Format::TEXT);
    check(&format!("{openmetrics},text/plain"), Format::OPEN_METRICS);
    check(&format!("text/plain;q=0.0001,{openmetrics};q=0"), Format::TEXT);
    check(&format!("{openmetrics};q=0.0001,text/plain;q=0"), Format::OPEN_METRICS);
    // What is said of no format of ours does not count.
    check(&format!("image/png,{openmetrics};q=0.1"), Format::OPEN_METRICS);
}

#[test]
fn a18_quality_zero_excludes_what_it_names() {
    check("text/plain;q=0,*/*", Format::OPEN_METRICS);
    check("text/plain;version=0.0.4;q=0,text/*", TEXT_1);
    check("*/*,text/plain;q=0,application/openmetrics-text;q=0", Format::PROTOBUF);
    check("application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", Format::TEXT);
}

#[test]
fn a18_quality_above_one_is_one() {
    let openmetrics = "application/openmetrics-text;version=1.0.0";
    check(&format!("{openmetrics},text/plain;q=7"), Format::OPEN_METRICS);
    // Prometheus 2.49.0: a wildcard says nothing of what is named beside it.
    check(
        &format!("{openmetrics};q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=2"),
        Format::OPEN_METRICS,
    );
}

#[test]
fn a18_all_headers_count() {
    let headers = ["text/plain;q=0.3", "image/png", "application/openmetrics-text;version=1.0.0"];
    assert_eq!(Format::negotiate(headers), Format::OPEN_METRICS);
}

#[test]
fn a18_case_blanks_and_quotes_do_not_matter() {
    for accept in [
        "Application/OpenMetrics-Text; Version=1.0.0",
        "  application/openmetrics-text ; version = \"1.0.0\" ; Q=1.000 ",
        "image/x;a=\"q,=;\\\",text/plain\";q=1,application/openmetrics-text;version=1.0.0;q=0.5",
        "application/openmetrics-text; charset=ascii; version=1.0.0;",
    ] {
        check(accept, Format::OPEN_METRICS);
    }
    check("TEXT/PLAIN;ESCAPING=\"Allow-UTF-8\";VERSION=1.0.0", text_1(Escaping::AllowUtf8));
}

#[test]
fn b27_versions_are_those_there_are() {
    check("application/openmetrics-text;version=1.0.0", Format::OPEN_METRICS);
    check("application/openmetrics-text;version=0.0.1", OPENMETRICS_0);
    check("application/openmetrics-text", OPENMETRICS_0);
    check("application/openmetrics-text;version=9.9", Format::TEXT);
    check("text/plain;version=1.0.0", TEXT_1);
    check("text/plain;version=9.9", Format::TEXT);
    check("application/openmetrics-text;version=2.0.0,text/plain;version=1.0.0;q=0.1", TEXT_1);
}

#[test]
fn b27_the_escaping_is_that_of_the_clause_in_hand() {
    let version = OpenMetricsVersion::V1_0_0;
    for escaping in Escaping::ALL {
        let accept = |media_type: &str| format!("{media_type};escaping={escaping};q=0.5,*/*;q=0.1");
        check(
            &accept("application/openmetrics-text;version=1.0.0"),
            openmetrics(version, escaping),
        );
        check(&accept("text/plain;version=1.0.0"), text_1(escaping));
        check(&accept(PROTOBUF_TYPE), Format::Protobuf { escaping });
    }
    check("text/plain;escaping=bogus", Format::TEXT);
    check("image/png;escaping=dots,text/plain;q=0.5", Format::TEXT);
    check("text/plain;version=1.0.0;escaping=dots;escaping=dots", text_1(Escaping::Dots));
    check(
        "*/*;escaping=values",
        Format::Text { version: TextVersion::V0_0_4, escaping: Escaping::Values },
    );
}

#[test]
fn b27_an_unknown_escaping_changes_nothing_else() {
    let version = OpenMetricsVersion::V1_0_0;
    for (parameters, expected) in [
        ("escaping=bogus", Format::OPEN_METRICS),
        ("escaping=dots;escaping=bogus", openmetrics(version, Escaping::Dots)),
        ("escaping=bogus;escaping=dots", openmetrics(version, Escaping::Dots)),
    ] {
        let clause = format!("application/openmetrics-text;version=1.0.0;{parameters}");
        check(&format!("{clause},text/plain;q=0.5"), expected);
    }
}

#[test]
fn a19_content_types_name_version_and_escaping() {
    for (format, expected) in [
        (Format::TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        (TEXT_1, "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        (
            Format::OPEN_METRICS,
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        (
            OPENMETRICS_0,
            "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores",
        ),
        (
            Format::PROTOBUF,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
             encoding=delimited",
        ),
        (Format::Json, "application/json"),
    ] {
        assert_eq!(format.content_type(), expected);
    }
    for escaping in Escaping::ALL {
        let named = format!("; escaping={escaping}");
        let formats = [
            Format::Text { version: TextVersion::V0_0_4, escaping },
            text_1(escaping),
            openmetrics(OpenMetricsVersion::V0_0_1, escaping),
            openmetrics(OpenMetricsVersion::V1_0_0, escaping),
            Format::Protobuf { escaping },
        ];
        for format in formats {
            let content_type = format.content_type();
            let is_expected =
                escaping == Escaping::Underscores && !content_type.contains("escaping");
            assert!(content_type.ends_with(&named) || is_expected, "{content_type}");
            // A content type asks for its own format.
            check(content_type, format);
        }
    }
}

#[test]
fn a17_only_what_is_offered_is_given() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;escaping=dots,text/plain;q=0.5,*/*;q=0.1";
    let among = |offered: &[Format], accept| Format::negotiate_among(offered, [accept]);
    assert_eq!(among(&[Format::TEXT], prometheus), Format::TEXT);
    assert_eq!(among(&[Format::PROTOBUF], prometheus), Format::PROTOBUF);
    assert_eq!(among(&[Format::PROTOBUF, Format::TEXT], "*/*"), Format::TEXT);
    assert_eq!(among(&[Format::OPEN_METRICS], "text/plain"), Format::OPEN_METRICS);
    assert_eq!(
        among(&[Format::OPEN_METRICS], "application/openmetrics-text"),
        Format::OPEN_METRICS
    );
    assert_eq!(among(&[TEXT_1], "text/plain"), TEXT_1);
    assert_eq!(among(&[], prometheus), Format::TEXT);
    assert_eq!(among(&[Format::TEXT, Format::Json], "application/json"), Format::Json);
    let pinned = |created| Format::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::AllowUtf8,
        created,
    };
    let own = pinned(CreatedLines::Written);
    assert_eq!(among(&[own], "application/openmetrics-text;version=1.0.0"), own);
    let Format::OpenMetrics { escaping, created, .. } = among(&[own], prometheus) else {
        panic!("OpenMetrics")
    };
    assert_eq!((escaping, created), (Escaping::Dots, CreatedLines::Written));
}

proptest! {
    #[test]
    fn a18_any_header_has_an_answer(accept in "([a-z*/;,= \"\\\\0-9.]|text/plain|application/openmetrics-text|;q=|;version=|;escaping=){0,20}") {
        prop_assert!(Format::OFFERED.contains(&strip(Format::negotiate([accept.as_str()]))));
    }
}

/// The format with the scheme that is offered.
fn strip(format: Format) -> Format {
    match format {
        Format::Text { version, .. } => Format::Text { version, escaping: Escaping::Underscores },
        Format::OpenMetrics { version, .. } => openmetrics(version, Escaping::Underscores),
        _ => Format::PROTOBUF,
    }
}

/// Where `accept_by_scraper.tsv` has other answers; `DEVIATIONS.md` says why.
const DEVIATIONS: [(&str, &str); 9] = [
    ("curl", "a wildcard is text"),
    ("browser-firefox", "a wildcard is text"),
    ("browser-chrome", "a wildcard is text"),
    ("prometheus-2.49.0", "a wildcard says nothing of what is named beside it"),
    ("quoted-param", "quotes and case do not matter"),
    ("uppercase-type", "quotes and case do not matter"),
    ("proto-text", "protobuf has one encoding"),
    ("proto-compact", "protobuf has one encoding"),
    ("text-1.0.0-only", "text 1.0.0 is offered"),
];

/// The content type without what we name elsewhere, or not at all.
fn bare(content_type: &str) -> String {
    content_type.replace("; escaping=underscores", "")
}

#[test]
fn a18_scrapers_get_what_prometheus_common_gives_them() {
    let Some(table) = rows("negotiation/accept_by_scraper.tsv") else { return };
    let mut tally = Tally::default();
    for row in &table {
        let (id, accept) = (&*row[0], Some(&*row[1]).filter(|accept| *accept != "-"));
        let without = Format::negotiate_among(&WITHOUT_OPENMETRICS, accept);
        let with = Format::negotiate(accept);
        for (answer, expected) in [(without, &row[2]), (with, &row[3])] {
            if bare(answer.content_type()) == bare(expected) {
                tally.checked += 1;
                continue;
            }
            // The scheme of a clause that named nothing on offer does not count for another.
            let leaked = expected.contains("escaping=") && {
                let scheme = expected.rsplit("escaping=").next().expect("a scheme");
                bare(answer.content_type()) == bare(&expected.replace(scheme, "underscores"))
            };
            let deviation = DEVIATIONS.iter().find(|(deviation, _)| id.starts_with(deviation));
            let reason = match deviation {
                Some((_, reason)) => reason,
                None if leaked => "the scheme of another clause does not count",
                None => panic!("{id}: {} and not {expected}", answer.content_type()),
            };
            tally.skip(id, reason);
        }
    }
    tally.expect(92, 24);
}

#[test]
fn a18_headers_get_what_the_tests_of_prometheus_common_want() {
    let Some(table) = rows("negotiation/accept_expfmt.tsv") else { return };
    let mut tally = Tally::default();
    for row in &table {
        let [function, scheme, name, accept, expected, among] = &row[..] else {
            panic!("six cells: {row:?}")
        };
        let offered: Vec<Format> = match &**function {
            "Negotiate" => WITHOUT_OPENMETRICS.to_vec(),
            "NegotiateIncludingOpenMetrics" => Format::OFFERED.to_vec(),
            _ => among.split(" | ").filter_map(offer).collect(),
        };
        let scheme = Escaping::ALL.into_iter().find(|s| s.as_str() == scheme).expect("a scheme");
        let offered: Vec<Format> = offered.into_iter().map(|format| with(format, scheme)).collect();
        let answer = Format::negotiate_among(&offered, [accept.as_str()]);
        let answer = if offered.is_empty() { with(answer, scheme) } else { answer };
        if bare(answer.content_type()) == bare(expected) {
            tally.checked += 1;
        } else {
            let known = accept.contains("encoding=text")
                || accept.contains("encoding=compact-text")
                || expected.contains("version=2.0.0");
            assert!(known, "{name}: {} and not {expected}", answer.content_type());
            tally.skip(name, "neither OpenMetrics 2.0 nor protobuf as text is offered");
        }
    }
    tally.expect(21, 12);
}

/// The format of a content type, unless we have none.
fn offer(content_type: &str) -> Option<Format> {
    let format = Format::negotiate([content_type]);
    (bare(format.content_type()) == bare(content_type)).then_some(format)
}

/// The format with another scheme.
fn with(format: Format, escaping: Escaping) -> Format {
    match format {
        Format::Text { version, .. } => Format::Text { version, escaping },
        Format::OpenMetrics { version, .. } => openmetrics(version, escaping),
        _ => Format::Protobuf { escaping },
    }
}

#[test]
fn b27_headers_get_what_client_python_gives_them() {
    let Some(table) = rows("negotiation/client_python_choose_encoder.tsv") else { return };
    let mut tally = Tally::default();
    for row in &table {
        let accept: Option<String> = serde_json::from_str(&row[0]).expect("a JSON string");
        let answer = Format::negotiate(accept.as_deref());
        // Without a version client_python gives the newest OpenMetrics, and no scheme at all.
        if accept.is_some_and(|accept| !accept.contains("version=") && accept.contains("escaping"))
        {
            tally
                .skip(&row[0], "the scheme counts without a version too, which is then the oldest");
            continue;
        }
        assert_eq!(bare(answer.content_type()), bare(&row[1]));
        tally.checked += 1;
    }
    tally.expect(9, 2);
}

#[test]
fn b27_headers_get_what_client_java_gives_them() {
    let Some(table) = rows("negotiation/client_java_find_writer.tsv") else { return };
    let mut tally = Tally::default();
    for row in &table {
        let answer = Format::negotiate([row[0].as_str()]);
        if row[0].starts_with("application/openmetrics-text") {
            // client_java calls any OpenMetrics 1.0.0; Go says what was asked for.
            assert_eq!(answer, OPENMETRICS_0);
            tally.skip(&row[0], "OpenMetrics without a version, or with 0.0.1, is 0.0.1");
            continue;
        }
        assert_eq!(bare(answer.content_type()), bare(&row[1]));
        tally.checked += 1;
    }
    tally.expect(4, 2);
}

#[test]
fn a19_prometheus_reads_what_our_content_types_say() {
    let Some(table) = rows("negotiation/content_type_to_parser.tsv") else { return };
    let read: Vec<String> = table
        .iter()
        .filter(|row| row[2] == "-" && !row[3].contains("fails"))
        .map(|row| serde_json::from_str::<String>(&row[1]).expect("a JSON string"))
        .map(|content_type| content_type.split(';').next().unwrap_or_default().to_owned())
        .collect();
    for format in Format::OFFERED {
        let media_type = format.content_type().split(';').next().unwrap_or_default();
        assert!(read.iter().any(|known| known == media_type), "{media_type}");
    }
    let accepted = rows("negotiation/prometheus_accept_header.tsv").expect("both are there");
    for row in &accepted {
        let answer = Format::negotiate([row[3].as_str()]).content_type();
        assert_eq!(answer.contains("protobuf"), row[1].contains("ProtoFirst"), "{}", row[3]);
    }
}

#[test]
fn b27_content_types_are_told_apart_as_prometheus_common_tells_them() {
    let Some(kinds) = cases("negotiation/format_type.json") else { return };
    let responses =
        cases("negotiation/response_format_from_content_type.json").expect("all are there");
    let mut tally = Tally::default();
    for case in &kinds {
        let content_type = case["format"].as_str().expect("a content type");
        let expected = match case["expected"].as_u64().expect("a number") {
            2 => Some(Syntax::Protobuf),
            4 => Some(Syntax::Text),
            5 => Some(Syntax::OpenMetrics),
            // Unknown, or protobuf as text.
            _ => None,
        };
        // What a protobuf page does not say of itself is taken for the usual.
        let is_short = content_type.contains("protobuf") && !content_type.contains("encoding=");
        if is_short && !content_type.ends_with("=bad") {
            assert_eq!(Syntax::detect(content_type), Some(Syntax::Protobuf));
            tally.skip(content_type, "delimited MetricFamily is the only protobuf there is");
            continue;
        }
        assert_eq!(Syntax::detect(content_type), expected, "{content_type}");
        tally.checked += 1;
    }
    for case in &responses {
        let content_type = case["input"]["Content-Type"].as_str().expect("a header");
        let expected = case["output"].as_str().expect("a format");
        assert_eq!(Syntax::detect(content_type), Syntax::detect(expected), "{content_type}");
        tally.checked += 1;
    }
    tally.expect(19, 2);
}

#[test]
fn a17_schemes_are_read_from_and_written_to_content_types_as_in_prometheus_common() {
    let Some(read) = cases("negotiation/to_escaping_scheme.json") else { return };
    let written = cases("negotiation/with_escaping_scheme.json").expect("both are there");
    let mut tally = Tally::default();
    for case in &read {
        let answer = Format::negotiate([case["format"].as_str().expect("a content type")]);
        let scheme = match answer.content_type().split_once("escaping=") {
            Some((_, scheme)) => scheme,
            None => "underscores",
        };
        assert_eq!(case["expected"], scheme, "{case}");
        tally.checked += 1;
    }
    for case in &written {
        let scheme = case["scheme"].as_str().expect("a scheme");
        let scheme = Escaping::ALL.into_iter().find(|s| s.as_str() == scheme).expect("a known one");
        let format = case["format"].as_str().expect("a content type");
        if format.contains("encoding=compact-text") {
            tally.skip(format, "protobuf as text is not offered");
            continue;
        }
        let answer = with(Format::negotiate([format]), scheme);
        assert_eq!(case["expected"], answer.content_type(), "{case}");
        tally.checked += 1;
    }
    tally.expect(7, 1);
}

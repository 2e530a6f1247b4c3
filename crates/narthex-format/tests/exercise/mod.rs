//! Everything that can be done with a page, for tests and fuzz targets.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses a part, and so does each fuzz target"
)]

use std::hint::black_box;

use narthex_format::lint::{lint, lint_page};
use narthex_format::parse::{Event, Limits, Mode, Reader, Syntax, check, parse};
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};
use narthex_model::Scrape;

/// One of each kind, with all that it can show.
pub const FORMATS: [Format; 4] = [
    Format::Text { version: TextVersion::V1_0_0, escaping: Escaping::AllowUtf8 },
    Format::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::AllowUtf8,
        created: CreatedLines::Written,
    },
    Format::Protobuf { escaping: Escaping::AllowUtf8 },
    Format::Json,
];

/// Calls everything there is on a page; returns whether any reader accepted it.
pub fn exercise(syntax: Syntax, page: &[u8]) -> bool {
    let mut accepted = false;
    for mode in [Mode::Strict, Mode::Lenient] {
        if syntax == Syntax::Text {
            walk(Reader::text(page).mode(mode));
        } else if syntax == Syntax::OpenMetrics {
            walk(Reader::openmetrics(page).mode(mode));
        }
        let faults = check(syntax, page, mode, &Limits::default().faults(5));
        for fault in &faults {
            black_box((
                fault.to_string(),
                fault.line(),
                fault.column(),
                fault.byte(),
                fault.token(),
            ));
            assert!(fault.line().is_none_or(|line| line <= page.len() + 1));
        }
        let linted = lint_page(syntax, page, mode);
        match parse(syntax, page, mode) {
            Ok(scrape) => {
                assert_eq!(faults, [], "`parse` accepts what `check` faults");
                assert!(linted.is_ok());
                look_at(&scrape);
                accepted = true;
            }
            Err(error) => {
                assert!(faults.contains(&error), "`check` lacks {error}: {faults:?}");
                assert_eq!(linted, Err(error));
            }
        }
    }
    accepted
}

fn walk(reader: Reader<'_>) {
    for event in reader {
        match event {
            Ok(Event::Sample(sample)) => {
                let labels = sample.labels();
                for (name, value) in labels {
                    assert_eq!(labels.get(&name), Some(value), "each name stands once");
                }
                black_box((sample.name(), sample.value(), sample.timestamp()));
                if let Some(exemplar) = sample.exemplar() {
                    black_box((
                        exemplar.labels().iter().count(),
                        exemplar.value(),
                        exemplar.timestamp(),
                    ));
                }
            }
            Ok(event) => drop(black_box(format!("{event:?}"))),
            Err(error) => drop(black_box(error)),
        }
    }
}

fn look_at(scrape: &Scrape) {
    for problem in scrape.problems() {
        black_box(problem.to_string());
    }
    for finding in lint(scrape) {
        black_box((finding.to_string(), finding.rule().why(), finding.rule().mend()));
    }
    for format in FORMATS {
        let mut page = Vec::new();
        format.encode(scrape, &mut page);
        // Whatever is written can be read.
        let read = parse(format.into(), &page, Mode::Strict);
        let read = read.unwrap_or_else(|error| {
            panic!("{error}\n{scrape:?}\n{}", String::from_utf8_lossy(&page))
        });
        if format == Format::Json {
            assert_eq!(read.families(), scrape.families());
            assert_eq!(read.problems(), []);
        }
    }
}

/// Asks for a format with these headers, and for what can be asked of it.
pub fn negotiate(headers: &str) {
    black_box(Syntax::detect(headers));
    for offered in [&Format::OFFERED[..], &Format::OFFERED[2..], &[]] {
        let format = Format::negotiate_among(offered, headers.lines());
        let content_type = format.content_type();
        assert!(!content_type.is_empty());
        // Who asks for what was answered gets it again.
        let again = Format::negotiate_among(offered, [content_type]);
        assert_eq!(again.content_type(), content_type, "{headers:?}");
        assert_eq!(Syntax::detect(content_type), Some(Syntax::from(format)));
    }
}

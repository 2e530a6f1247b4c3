//! No page, however broken, makes a parser panic or go on forever, and what a parser accepts is
//! whole: it can be looked at, linted, written and read again.

#![allow(clippy::print_stdout, reason = "tells what it tried")]

mod hostile;

use std::hint::black_box;

use hostile::{Random, Spec};
use narthex_format::lint::{lint, lint_page};
use narthex_format::parse::{Event, Limits, Mode, Reader, Syntax, check, parse};
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};
use narthex_model::Scrape;

const FORMATS: [Format; 4] = [
    Format::Text { version: TextVersion::V1_0_0, escaping: Escaping::AllowUtf8 },
    Format::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::AllowUtf8,
        created: CreatedLines::Written,
    },
    Format::Protobuf { escaping: Escaping::AllowUtf8 },
    Format::Json,
];

#[test]
fn g17_mutated_pages_do_no_harm() {
    // Without optimisation, ten times fewer take as long.
    mutate(if cfg!(debug_assertions) { 20_000 } else { 200_000 });
}

/// Run with `cargo test --release -p narthex-format --test parse_mutations -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn g17_five_million_mutated_pages_do_no_harm() {
    mutate(5_000_000);
}

fn mutate(inputs: usize) {
    let mut random = Random(7);
    let mut accepted = 0;
    let mut corpus: Vec<(Syntax, Vec<u8>)> = Vec::new();
    for input in 0..inputs {
        if corpus.is_empty() || random.one_in(50) {
            if corpus.len() > 500 {
                corpus.swap_remove(random.below(500));
            }
            corpus.push(good_page(&mut random));
        }
        let (syntax, page) = &corpus[random.below(corpus.len())];
        let (syntax, mut page) = (*syntax, page.clone());
        for _ in 0..=random.below(4) {
            change(&mut page, &mut random);
        }
        let ok = exercise(syntax, &page);
        accepted += usize::from(ok);
        // What is still accepted is changed further, so that faults pile up.
        if ok && page.len() < 4_000 && random.one_in(20) {
            let at = random.below(corpus.len());
            corpus[at] = (syntax, page);
        }
        if input % 100_000 == 0 {
            println!("{input} inputs, {accepted} accepted");
        }
    }
    // Both sides are met.
    assert!((inputs / 50..inputs - inputs / 50).contains(&accepted), "{accepted} of {inputs}");
}

fn good_page(random: &mut Random) -> (Syntax, Vec<u8>) {
    let specs: Vec<_> = (0..=random.below(2)).map(|_| Spec::random(random)).collect();
    let families = specs.iter().filter_map(|spec| spec.build().ok()).collect();
    let format = random.pick(&FORMATS);
    let mut page = Vec::new();
    format.encode(&Scrape::new(families), &mut page);
    (format.into(), page)
}

fn change(page: &mut Vec<u8>, random: &mut Random) {
    const PIECES: [&[u8]; 26] = [
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"=",
        b",",
        b" ",
        b"\t",
        b"\n",
        b"\r",
        b"\0",
        b"#",
        b"# EOF\n",
        b"NaN",
        b"1e309",
        b"-1",
        b"0x1p3",
        b"1_0",
        b"_bucket",
        b"_total",
        b"le=\"+Inf\"",
        b"# TYPE a counter\n",
        b" # {a=\"b\"} 1",
        b"\xff",
        b"\xc3",
        b"[",
    ];
    let at = random.below(page.len() + 1);
    let end = (at + random.below(12)).min(page.len());
    match random.below(7) {
        0 => drop(page.splice(at..at, random.pick(&PIECES).iter().copied())),
        1 => drop(page.drain(at..end)),
        2 if at < page.len() => page[at] ^= 1 << random.below(8),
        3 if at < page.len() => page[at] = random.next() as u8,
        4 => {
            let copy = page[at..end].to_vec();
            let to = random.below(page.len() + 1);
            drop(page.splice(to..to, copy));
        }
        5 => page.truncate(at),
        _ => {
            let copy = page.split(|&byte| byte == b'\n').nth(random.below(6)).unwrap_or_default();
            let line = [copy, b"\n"].concat();
            drop(page.splice(at..at, line));
        }
    }
}

/// Calls everything there is on a page; returns whether any reader accepted it.
fn exercise(syntax: Syntax, page: &[u8]) -> bool {
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
    black_box(lint(scrape));
    for format in FORMATS {
        let mut page = Vec::new();
        format.encode(scrape, &mut page);
        if format == Format::Json {
            let read = parse(Syntax::Json, &page, Mode::Strict);
            let read = read.unwrap_or_else(|error| panic!("{error}\n{scrape:?}"));
            assert_eq!(read.families(), scrape.families());
            assert_eq!(read.problems(), []);
        }
    }
}

//! No page, however broken, makes a parser panic or go on forever, and what a parser accepts is
//! whole: it can be looked at, linted, written and read again.

#![allow(clippy::print_stdout, reason = "tells what it tried")]

mod exercise;
mod hostile;

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use exercise::{FORMATS, exercise, negotiate};
use hostile::{Random, Spec};
use narthex_format::parse::Syntax;
use narthex_model::Scrape;

#[test]
fn g17_mutated_accept_headers_get_an_answer() {
    const HEADERS: [&str; 4] = [
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5",
        "text/plain;version=\"1.0.0\"; escaping=dots\n*/*;q=0.1",
        "text/html, */*;q=0",
    ];
    let mut random = Random::new(11);
    for _ in 0..if cfg!(debug_assertions) { 20_000 } else { 200_000 } {
        let mut header = random.pick(&HEADERS).as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            change(&mut header, &mut random);
        }
        negotiate(&String::from_utf8_lossy(&header));
    }
}

#[test]
fn g17_mutated_pages_do_no_harm() {
    // Without optimisation, ten times fewer take as long.
    mutate(if cfg!(debug_assertions) { 20_000 } else { 200_000 });
}

/// Run by `cargo xtask mutate`, optimised.
#[test]
#[ignore = "takes minutes"]
fn g17_five_million_mutated_pages_do_no_harm() {
    mutate(5_000_000);
}

/// Tries that many inputs, the same ones on any number of threads.
fn mutate(inputs: usize) {
    const SHARES: usize = 20;
    let next = AtomicUsize::new(0);
    let accepted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let share = next.fetch_add(1, Relaxed);
                    if share >= SHARES {
                        return;
                    }
                    accepted.fetch_add(mutate_share(share, inputs / SHARES), Relaxed);
                }
            });
        }
    });
    let accepted = accepted.into_inner();
    println!("{inputs} inputs, {accepted} accepted");
    // Both sides are met.
    assert!((inputs / 50..inputs - inputs / 50).contains(&accepted), "{accepted} of {inputs}");
}

/// Tries a share of the inputs; returns how many any reader accepted.
fn mutate_share(share: usize, inputs: usize) -> usize {
    let mut random = Random::new(7 + share as u64);
    let mut accepted = 0;
    let mut corpus: Vec<(Syntax, Vec<u8>)> = Vec::new();
    for _ in 0..inputs {
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
    }
    accepted
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

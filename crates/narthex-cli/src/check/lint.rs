//! What the linter finds, with the lines it is about.

use std::collections::HashMap;

use narthex_format::lint::{Finding, lint, lint_page};
use narthex_format::parse::{Limits, Mode, Syntax, parse_within};

use crate::input::Input;
use crate::report::{Kind, Place, Remark};

/// What should be otherwise in a page that can be read, in the order of the page.
pub(super) fn findings(input: &Input, mode: Mode, limits: &Limits) -> Vec<Remark> {
    let (syntax, page) = (input.format.syntax(), &*input.page);
    let is_lines = matches!(syntax, Syntax::Text | Syntax::OpenMetrics);
    // The linter of pages has the usual limits; with others, what only it sees is told as a problem.
    let (found, problems) = match is_lines.then(|| lint_page(syntax, page, mode)) {
        Some(Ok(found)) => (found, Vec::new()),
        _ => match parse_within(syntax, page, mode, limits) {
            Ok(scrape) => {
                let problems = scrape.problems().iter().map(ToString::to_string).collect();
                (lint(&scrape), problems)
            }
            // The caller found no fault in it.
            Err(_) => (Vec::new(), Vec::new()),
        },
    };
    let places = match is_lines && !found.is_empty() {
        true => places(page, found.iter().map(Finding::family)),
        false => HashMap::new(),
    };
    let mut remarks: Vec<_> = found
        .iter()
        .map(|finding| {
            let family = finding.family();
            let (place, token) = places.get(family).copied().unwrap_or((Place::Page, ""));
            let kind = Kind::Lint { family: family.to_owned(), rule: finding.rule() };
            let message = finding.message().to_owned();
            Remark { place, token: token.to_owned(), message, kind }
        })
        .collect();
    remarks.extend(problems.into_iter().map(|message| {
        let (place, token) = (Place::Page, String::new());
        Remark { place, token, message, kind: Kind::Warning }
    }));
    // Stable: those about one family stay in the linter's order.
    remarks.sort_by_key(|remark| remark.place);
    remarks
}

/// Where the page first names each family, in TYPE or else in whatever comes first.
fn places<'a>(
    page: &'a [u8],
    families: impl Iterator<Item = &'a str>,
) -> HashMap<&'a str, (Place, &'a str)> {
    // OpenMetrics leaves the suffix to the samples.
    let mut wanted: HashMap<&str, &str> = HashMap::new();
    for family in families {
        wanted.insert(family, family);
        for suffix in ["_total", "_info"] {
            if let Some(base) = family.strip_suffix(suffix) {
                wanted.entry(base).or_insert(family);
            }
        }
    }
    let mut places = HashMap::new();
    let mut typed = HashMap::new();
    for (index, line) in page.split(|byte| *byte == b'\n').enumerate() {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let Some((at, name)) = named(line) else { continue };
        let Some(&family) = wanted.get(name) else { continue };
        let column = line[..at].chars().count() + 1;
        let found = (Place::Line { line: index + 1, column }, name);
        let places = if line.starts_with("# TYPE ") { &mut typed } else { &mut places };
        places.entry(family).or_insert(found);
    }
    places.extend(typed);
    places
}

/// The name that a line is about, and where it starts; quotes are no part of it.
fn named(line: &str) -> Option<(usize, &str)> {
    let comment = ["# TYPE ", "# HELP ", "# UNIT "].iter().find_map(|word| line.strip_prefix(word));
    let rest = match comment {
        Some(rest) => rest,
        None if line.starts_with('#') => return None,
        None => line.strip_prefix('{').unwrap_or(line),
    };
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([' ', '\t', '{']).next()?,
    };
    let at = name.as_ptr().addr() - line.as_ptr().addr();
    (!name.is_empty()).then_some((at, name))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_line_is_about_one_name() {
        for (line, expected) in [
            ("# TYPE up gauge", Some((7, "up"))),
            ("# HELP \"a.b\" Text.", Some((8, "a.b"))),
            ("up 1", Some((0, "up"))),
            ("up{a=\"b\"} 1", Some((0, "up"))),
            ("{\"a.b\",c=\"d\"} 1", Some((2, "a.b"))),
            ("# a comment", None),
            ("", None),
        ] {
            assert_eq!(named(line), expected, "{line}");
        }
    }
}

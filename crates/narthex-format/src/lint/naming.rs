//! The rules that promlint has, with its texts, and those on names that it has not.

use narthex_model::MetricType;

use super::subject::Subject;
use super::{Findings, Rule};

/// Units with the base unit to use instead; base units stand for themselves.
const UNITS: [(&str, &str); 25] = [
    ("amperes", "amperes"),
    ("bytes", "bytes"),
    ("celsius", "celsius"),
    ("grams", "grams"),
    ("joules", "joules"),
    ("kelvin", "kelvin"),
    ("meters", "meters"),
    ("metres", "metres"),
    ("moles", "moles"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvins", "kelvin"),
    ("fahrenheit", "celsius"),
    ("rankine", "celsius"),
    ("inches", "meters"),
    ("yards", "meters"),
    ("miles", "meters"),
    ("bits", "bytes"),
    ("calories", "joules"),
    ("pounds", "grams"),
    ("ounces", "grams"),
];

const PREFIXES: [&str; 18] = [
    "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega",
    "mibi", "giga", "gibi", "tera", "tebi", "peta", "pebi",
];

const ABBREVIATIONS: [&str; 14] =
    ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

const TYPE_WORDS: [&str; 5] = ["counter", "gauge", "summary", "histogram", "gauge_histogram"];

/// Words for what is measured, which leave open in what.
const QUANTITIES: [&str; 16] = [
    "age",
    "delay",
    "duration",
    "elapsed",
    "energy",
    "interval",
    "lag",
    "latency",
    "length",
    "size",
    "temperature",
    "time",
    "timeout",
    "uptime",
    "voltage",
    "weight",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings<'_>) {
    if !subject.has_help {
        found.push(Rule::MissingHelp, "no help text");
    }
    if subject.name.contains(':') {
        found.push(Rule::Colon, "metric names should not contain ':'");
    }
    check_unit(subject, found);
    check_case(subject, found);
    check_abbreviations(subject, found);
    // Without a type, nothing of what follows is known to be wrong.
    if !subject.is(MetricType::Unknown) {
        check_total(subject, found);
        check_reserved(subject, found);
        check_type_word(subject, found);
    }
}

fn check_unit(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let words: Vec<&str> = subject.name.split('_').collect();
    let known = words.iter().find_map(|word| Some((word, base_unit(word)?)));
    match known {
        Some((unit, base)) if *unit != base => {
            let message = format!("use base unit \"{base}\" instead of \"{unit}\"");
            found.push(Rule::BaseUnit, message);
        }
        Some(_) => {}
        None => check_quantity(subject, found),
    }
}

/// The base unit of a word that is a unit, with a prefix or without.
fn base_unit(word: &str) -> Option<&'static str> {
    let is = |unit: &str| {
        word.strip_suffix(unit)
            .is_some_and(|prefix| prefix.is_empty() || PREFIXES.contains(&prefix))
    };
    UNITS.iter().find(|(unit, _)| is(unit)).map(|(_, base)| *base)
}

fn check_quantity(subject: &Subject<'_>, found: &mut Findings<'_>) {
    if !subject.unit.is_empty() || has_word(&subject.name, &ABBREVIATIONS).next().is_some() {
        return;
    }
    let words = subject.words();
    let mut without_total = words.iter().filter(|word| *word != "total");
    if let Some(last) = without_total.next_back().filter(|last| QUANTITIES.contains(&last.as_str()))
    {
        let message = format!("a name that ends in \"{last}\" should say in which unit");
        found.push(Rule::MissingUnit, message);
    }
}

fn check_total(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let message = match (subject.is(MetricType::Counter), subject.name.ends_with("_total")) {
        (true, false) => "counter metrics should have \"_total\" suffix",
        (false, true) => "non-counter metrics should not have \"_total\" suffix",
        _ => return,
    };
    found.push(Rule::Total, message);
}

fn check_reserved(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let histogram = subject.is(MetricType::Histogram) || subject.is(MetricType::GaugeHistogram);
    let summary = subject.is(MetricType::Summary);
    if !histogram && subject.name.ends_with("_bucket") {
        let message = "non-histogram metrics should not have \"_bucket\" suffix";
        found.push(Rule::ReservedSuffix, message);
    }
    for suffix in ["_count", "_sum"] {
        if !histogram && !summary && subject.name.ends_with(suffix) {
            let message = format!(
                "non-histogram and non-summary metrics should not have \"{suffix}\" suffix"
            );
            found.push(Rule::ReservedSuffix, message);
        }
    }
    for (name, _) in subject.series.iter().flat_map(|series| &series.labels) {
        let message = match &**name {
            "le" if !histogram => "non-histogram metrics should not have \"le\" label",
            "quantile" if !summary => "non-summary metrics should not have \"quantile\" label",
            _ => continue,
        };
        found.push(Rule::ReservedLabel, message);
    }
}

fn check_type_word(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for word in has_word(&subject.name, &TYPE_WORDS) {
        let message = format!("metric name should not include type '{word}'");
        found.push(Rule::TypeInName, message);
    }
}

fn check_abbreviations(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for _ in has_word(&subject.name, &ABBREVIATIONS) {
        let message = "metric names should not contain abbreviated units";
        found.push(Rule::AbbreviatedUnit, message);
    }
}

fn check_case(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let rest = "should be written in 'snake_case' not 'camelCase'";
    if is_camel_case(&subject.name) {
        found.push(Rule::CamelCase, format!("metric names {rest}"));
    }
    for (name, _) in subject.series.iter().flat_map(|series| &series.labels) {
        if is_camel_case(name) {
            found.push(Rule::CamelCase, format!("label names {rest}"));
        }
    }
}

fn is_camel_case(name: &str) -> bool {
    name.as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Those of `words` that the name has after an underscore, as a whole word.
fn has_word<'w>(name: &str, words: &'w [&'w str]) -> impl Iterator<Item = &'w str> {
    let name = name.to_ascii_lowercase();
    words.iter().copied().filter(move |word| {
        let ends = |at: usize| matches!(name.as_bytes().get(at), None | Some(b'_'));
        let inner = |(at, _): (usize, _)| {
            at > 0 && name.as_bytes()[at - 1] == b'_' && ends(at + word.len())
        };
        name.match_indices(word).any(inner)
    })
}

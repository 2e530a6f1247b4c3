use std::collections::HashSet;

use super::{Rule, lint_page};
use crate::parse::{Mode, Syntax};

/// The findings of the rules that promlint lacks.
fn ours(page: &str) -> Vec<String> {
    let findings = lint_page(Syntax::Text, page.as_bytes(), Mode::Strict).unwrap();
    findings.iter().filter(|f| !f.rule().is_promlint()).map(ToString::to_string).collect()
}

#[test]
fn a_family_with_very_many_series_is_named() {
    let page = |series: usize| -> String {
        (0..series).map(|n| format!("requests_total{{path=\"/{n}\"}} 1\n")).collect()
    };
    assert_eq!(ours(&page(1000)), [""; 0]);
    assert_eq!(ours(&page(1001)), ["requests_total: 1001 series are more than 1000"]);
}

#[test]
fn labels_that_look_like_ids_are_named_once() {
    for (label, is_id) in [
        ("user_id=\"7\"", true),
        ("Trace_ID=\"x\"", true),
        ("x=\"123e4567-e89b-12d3-a456-426614174000\"", true),
        ("x=\"4bf92f3577b34da6a3ce929d0e0e4736\"", true),
        ("x=\"00f067aa0ba902b7\"", true),
        ("x=\"ann@example.org\"", true),
        ("x=\"deadbeefdeadbeef\"", false),
        ("x=\"ssh://git@example.org/x\"", false),
        ("x=\"2026-11-22\"", false),
        ("disk_id=\"sda\"", false),
        ("version=\"1.2.3\"", false),
    ] {
        let page = format!("a{{{label},n=\"1\"}} 1\na{{{label},n=\"2\"}} 1\n");
        let name = label.split('=').next().unwrap();
        let finding =
            format!("a: label \"{name}\" looks like an id, which has endlessly many values");
        assert_eq!(ours(&page), if is_id { vec![finding] } else { vec![] }, "{label}");
    }
}

#[test]
fn a_quantity_needs_a_unit() {
    for (name, missing) in [
        ("request_duration", Some("duration")),
        ("queue_wait_time_total", Some("time")),
        ("request_duration_seconds", None),
        ("request_duration_milliseconds", None),
        ("request_duration_ms", None),
        ("queue_size_bytes", None),
        ("sizes", None),
        ("times_total", None),
    ] {
        let wanted = missing
            .map(|word| format!("{name}: a name that ends in \"{word}\" should say in which unit"));
        assert_eq!(ours(&format!("{name} 1\n")), Vec::from_iter(wanted));
    }
}

#[test]
fn a_counter_that_a_rate_cannot_use_is_named() {
    for (value, bad) in [("NaN", true), ("-1", true), ("+Inf", true), ("0", false), ("1e9", false)]
    {
        let page = format!("# TYPE a_total counter\na_total{{n=\"1\"}} 1\na_total {value}\n");
        assert_eq!(ours(&page).len(), usize::from(bad), "{value}");
        assert_eq!(ours(&page.replace("counter", "gauge")), [""; 0]);
    }
}

#[test]
fn openmetrics_counters_are_named_as_their_samples() {
    let page = b"# TYPE a counter\n# HELP a A.\na_total 1\na_created 1\n# EOF\n";
    assert_eq!(lint_page(Syntax::OpenMetrics, page, Mode::Strict), Ok(vec![]));
}

#[test]
fn every_rule_has_a_name_of_its_own_and_says_why_and_how() {
    let names: HashSet<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(names.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        for text in [rule.why(), rule.mend()] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{rule}");
        }
    }
}

#[test]
fn the_table_of_rules_is_that_of_the_code() {
    let documentation = include_str!("../lint.rs");
    let row = |rule: Rule| {
        let start = format!("//! | [`{}`](Rule::{rule:?}) | ", rule.name());
        documentation.lines().find(|line| line.starts_with(&start)).map(str::to_owned)
    };
    for rule in Rule::ALL {
        let row = row(rule).unwrap_or_else(|| panic!("{rule} is not in the table"));
        assert_eq!(row.ends_with("| yes |"), rule.is_promlint(), "{row}");
    }
}

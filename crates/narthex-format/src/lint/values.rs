//! The rules on series and their values, of which promlint has but one.

use std::collections::{BTreeSet, HashSet};

use narthex_model::MetricType;

use super::subject::Subject;
use super::{Findings, Rule};

/// Series that a family may have before it is called large.
const MANY_SERIES: usize = 1_000;

/// Names of labels whose values never end.
const ID_NAMES: [&str; 12] = [
    "correlation_id",
    "email",
    "guid",
    "request_id",
    "session",
    "session_id",
    "span_id",
    "trace_id",
    "transaction_id",
    "user_email",
    "user_id",
    "uuid",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings<'_>) {
    check_unique(subject, found);
    check_cardinality(subject, found);
    check_ids(subject, found);
    check_counter(subject, found);
}

fn check_unique(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let mut seen = HashSet::with_capacity(subject.series.len());
    let repeated = subject.series.iter().any(|series| {
        let mut labels: Vec<_> = series.labels.iter().collect();
        labels.sort();
        !seen.insert(labels)
    });
    if repeated {
        found.push(Rule::Duplicate, "metric not unique");
    }
}

fn check_cardinality(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let series = subject.series.len();
    if series > MANY_SERIES {
        let message = format!("{series} series are more than {MANY_SERIES}");
        found.push(Rule::Cardinality, message);
    }
}

fn check_ids(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let labels = subject.series.iter().flat_map(|series| &series.labels);
    let ids = labels.filter(|(name, value)| {
        ID_NAMES.contains(&name.to_ascii_lowercase().as_str()) || is_id(value)
    });
    let names: BTreeSet<&str> = ids.map(|(name, _)| &**name).collect();
    for name in names {
        let message = format!("label \"{name}\" looks like an id, which has endlessly many values");
        found.push(Rule::IdLabel, message);
    }
}

/// Whether a label value is a UUID, a long hexadecimal number or an address of mail.
fn is_id(value: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let groups: Vec<usize> = value.split('-').map(str::len).collect();
    let uuid = groups == [8, 4, 4, 4, 12] && value.split('-').all(hexadecimal);
    // Trace ids have 32 digits, span ids 16.
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let number = matches!(value.len(), 16 | 32) && has_digit && hexadecimal(value);
    let mail = value.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !value.contains(['/', ' ', ':'])
    });
    uuid || number || mail
}

fn check_counter(subject: &Subject<'_>, found: &mut Findings<'_>) {
    if !subject.is(MetricType::Counter) {
        return;
    }
    let values = subject.series.iter().filter_map(|series| series.value);
    let bad = |value: &f64| !value.is_finite() || *value < 0.0;
    if let Some(value) = values.into_iter().find(bad) {
        let message = format!("rate() cannot use a counter of {value}");
        found.push(Rule::UselessCounter, message);
    }
}

//! Before anything is timed: do all participants print the same samples?

use prometheus::proto::{Metric, MetricFamily};
use protobuf::CodedInputStream;

use crate::participant::{Kind, Participant};
use crate::rows::filled;

const SERIES: usize = 1000;

/// A way to write the same sample that a participant is known for, and how to undo it.
struct KnownDifference {
    participant: &'static str,
    undo: fn(&str) -> String,
}

/// `prometheus-client` (by `dtoa`) and `measured` (by `ryu`) write whole floats as `1.0`, where
/// Go, and with it every other participant, writes `1`: here in the bounds 1 and 5.
const WHOLE_BOUNDS: [KnownDifference; 2] = {
    let undo = |line: &str| line.replace(".0\"", "\"");
    [
        KnownDifference { participant: "prometheus-client", undo },
        KnownDifference { participant: "measured", undo },
    ]
};

/// `prometheus-client` puts `le` before the labels of the series; the order has no meaning.
const BOUND_FIRST: KnownDifference = KnownDifference {
    participant: "prometheus-client",
    undo: |line| {
        let Some((name, rest)) = line.split_once("{le=\"") else { return line.to_owned() };
        let Some((bound, rest)) = rest.split_once("\",") else { return line.to_owned() };
        let Some((labels, value)) = rest.split_once('}') else { return line.to_owned() };
        format!("{name}{{{labels},le=\"{bound}\"}}{value}")
    },
};

/// `prometheus-client` writes floats by `dtoa`, whose digits read back as the same float but are
/// not always the ones nearest to it, which all others write.
const LAST_DIGIT: KnownDifference = KnownDifference {
    participant: "prometheus-client",
    undo: |line| {
        let Some((series, value)) = line.rsplit_once(' ') else { return line.to_owned() };
        value.parse::<f64>().map_or_else(|_| line.to_owned(), |value| format!("{series} {value}"))
    },
};

/// Only samples are compared. Comments differ: `prometheus-client` adds a full stop to the help
/// text, names counters without `_total` in them, and ends with `# EOF`; `measured` and `metrics`
/// leave blank lines.
const COMMENT: &str = "#";

/// What is printed otherwise than narthex prints it, beyond the known differences: a line for each
/// participant and kind of family that differs.
pub fn differences(participants: &[Box<dyn Participant>]) -> Vec<String> {
    let kinds = [(Kind::Counter, SERIES), (Kind::Gauge, SERIES), (Kind::Histogram, 15 * SERIES)];
    let of_kind = |(kind, lines): (Kind, usize)| {
        let pages: Vec<_> = participants.iter().map(|p| samples(&**p, kind)).collect();
        let ours = pages[0].clone();
        let differs = participants.iter().zip(pages).filter_map(move |(participant, page)| {
            let fault = if page.len() != lines {
                format!("{} samples instead of {lines}", page.len())
            } else {
                let (ours, theirs) = ours.iter().zip(&page).find(|(a, b)| a != b)?;
                format!("`{theirs}` instead of `{ours}`")
            };
            Some(format!("{} prints another page for {kind:?}: {fault}", participant.name()))
        });
        differs.collect::<Vec<_>>()
    };
    let pages = kinds.into_iter().flat_map(of_kind);
    pages.chain(protobuf_differences(participants, kinds.map(|(kind, _)| kind))).collect()
}

/// The same for pages in protobuf, read with the messages of `prometheus`.
fn protobuf_differences(
    participants: &[Box<dyn Participant>],
    kinds: impl IntoIterator<Item = Kind>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for kind in kinds {
        let pages = participants.iter().map(|p| (p.name(), messages(&**p, kind)));
        let pages: Vec<_> = pages.filter_map(|(name, page)| Some((name, page?))).collect();
        for (name, page) in &pages[1..] {
            if page.len() != SERIES || *page != pages[0].1 {
                differences.push(format!("{name} has another protobuf page for {kind:?}"));
            }
        }
    }
    differences
}

/// The metrics of a page in protobuf, sorted by their labels.
fn messages(participant: &dyn Participant, kind: Kind) -> Option<Vec<Metric>> {
    let mut page = Vec::new();
    if !filled(participant, kind, SERIES).protobuf(&mut page) {
        return None;
    }
    let mut input = CodedInputStream::from_bytes(&page);
    let mut metrics = Vec::new();
    while !input.eof().expect("bytes can be read") {
        let family: MetricFamily = input.read_message().expect("a page is messages");
        metrics.extend(family.metric);
    }
    for metric in &mut metrics {
        // The bucket of all observations is written by some and implied by others.
        let histogram = metric.histogram.mut_or_insert_default();
        histogram.bucket.retain(|bucket| bucket.upper_bound() != f64::INFINITY);
    }
    let labels = |metric: &Metric| -> Vec<_> {
        metric.label.iter().map(|pair| pair.value().to_owned()).collect()
    };
    metrics.sort_by_key(labels);
    Some(metrics)
}

/// The sample lines of a page, sorted, without known differences.
fn samples(participant: &dyn Participant, kind: Kind) -> Vec<String> {
    let mut page = Vec::new();
    filled(participant, kind, SERIES).render(&mut page);
    let page = String::from_utf8(page).expect("a page is text");
    let known: Vec<_> = WHOLE_BOUNDS
        .iter()
        .chain([&BOUND_FIRST, &LAST_DIGIT])
        .filter(|difference| difference.participant == participant.name())
        .collect();
    let mut lines: Vec<_> = page
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(COMMENT))
        .map(|line| known.iter().fold(line.to_owned(), |line, known| (known.undo)(&line)))
        .collect();
    lines.sort();
    lines
}

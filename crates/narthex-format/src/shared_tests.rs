//! What the tests of the encoders share: any family, and a page in pieces that are too small.

use std::collections::HashSet;

use narthex_model::{FamilyBuilder, MetricFamily};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::output::{CHUNK, LINE, Output};

/// The page that `encode` writes into a chunk with room for little more than a line, so that it is
/// handed on in the midst of rows.
pub(crate) fn render(encode: impl FnOnce(&mut Output<'_>)) -> Vec<u8> {
    let mut page = Vec::new();
    let mut sink = |chunk: &[u8]| page.extend_from_slice(chunk);
    let mut chunk = [0; CHUNK];
    let before = CHUNK - LINE - 100;
    let mut output = Output::new(&mut chunk, before, &mut sink);
    encode(&mut output);
    let filled = output.filled();
    page.extend_from_slice(&chunk[..filled]);
    page.split_off(before)
}

/// A counter, a gauge of floats, one of all numbers, or a histogram; with any labels and values.
pub(crate) fn any_family() -> impl Strategy<Value = MetricFamily> {
    let label = "(\\PC{0,30}|[\\\\\"\n]{0,3}|[a-z]{200})";
    (
        btree_map("[a-d]|[w-z]|m", "\\PC{0,20}", 0..3),
        0usize..10,
        vec((vec(label, 10), any::<f64>(), any::<u64>()), 1..6),
        0..4,
        "\\PC{0,10}",
    )
        .prop_map(|(constants, names, rows, kind, help)| {
            let names: Vec<String> = (0..names).map(|k| format!("l{k}")).collect();
            let mut family = match kind {
                0 => MetricFamily::counter("c_total", help),
                1 | 2 => MetricFamily::gauge("g", help),
                _ => MetricFamily::histogram("h", help, &[0.1, 2.5]),
            };
            for (name, value) in &constants {
                family = family.const_label(name, &**value);
            }
            family = family.label_names(&names).unit("seconds");
            let mut seen = HashSet::new();
            for (labels, float, whole) in &rows {
                let labels = &labels[..names.len()];
                if seen.insert(labels.to_vec()) {
                    push(&mut family, kind, labels, *float, *whole);
                }
            }
            family.build().expect("the names and labels are valid")
        })
}

fn push(family: &mut FamilyBuilder, kind: i32, labels: &[String], float: f64, whole: u64) {
    match kind {
        0 => family.push(labels, whole),
        2 if whole.is_multiple_of(2) => family.push(labels, whole),
        1 | 2 => family.push(labels, float),
        _ => family.push_histogram(labels, [whole % 7, whole >> (whole % 64), whole], float),
    }
}

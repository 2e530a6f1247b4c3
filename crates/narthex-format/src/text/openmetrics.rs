//! OpenMetrics 1.0: what its families must be like, and what becomes of those that are not.
//!
//! A reader may refuse a whole page for one family that breaks a rule, so none does: a family is
//! written as the nearest type whose rules it keeps, with the same samples. Where no type has room
//! for all of them, each kind of sample becomes a family of unknown type.

use std::collections::BTreeSet;

use narthex_model::{
    Bounds, Column, Fragment, MetricFamily, MetricType, Number, Problem, escape_into,
};

use super::shown::Shown;
use super::spelled::{Row, Sample, Speller};
use super::{Pointed, Workspace, write_all_rows};
use crate::output::Output;

/// Writes a part of a family: before the first one HELP, TYPE, UNIT, and the lines of every series.
///
/// Only families of numbers have more than one part. As what they are written is settled by the
/// first, for an instrument lets no value in that its type may not have.
///
/// # Errors
/// Returns why the family, or a piece of it, is not on the page.
pub(super) fn encode_part(
    shown: Shown<'_>,
    is_first: bool,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) -> Result<(), Problem> {
    if !is_first {
        if let Some(metric_type) = workspace.written_as {
            write_all_rows::<Pointed>(shown.as_type(metric_type), workspace, output);
        }
        return Ok(());
    }
    workspace.written_as = None;
    let names = &mut workspace.openmetrics;
    let nearest = shown.as_type(nearest_type(&shown, &mut workspace.text));
    let unknown = shown.as_type(MetricType::Unknown);
    let is_numbers = is_numbers(shown.family);
    let has_type = is_numbers || nearest.metric_type != MetricType::Unknown;
    if has_type && names.claim(&nearest, claimed_suffixes(nearest.metric_type)) {
        write_together(nearest, workspace, output);
    } else if !is_numbers {
        write_apart(unknown, workspace, output)?;
    } else if names.claim(&unknown, &[]) {
        write_together(unknown, workspace, output);
    } else {
        return Err(taken(&shown));
    }
    Ok(())
}

/// Writes the family as its type wants it.
fn write_together(shown: Shown<'_>, workspace: &mut Workspace, output: &mut Output<'_>) {
    workspace.written_as = Some(shown.metric_type);
    write_head(&shown, b"", &mut workspace.text, output);
    write_all_rows::<Pointed>(shown, workspace, output);
}

/// The names that samples of a type may have beside that of the family, written or not.
fn claimed_suffixes(metric_type: MetricType) -> &'static [&'static [u8]] {
    match metric_type {
        MetricType::Counter => &[b"_total", b"_created"],
        MetricType::Info => &[b"_info"],
        MetricType::Histogram => &[b"_bucket", b"_count", b"_sum", b"_created"],
        MetricType::Summary => &[b"_count", b"_sum", b"_created"],
        MetricType::GaugeHistogram => &[b"_bucket", b"_gcount", b"_gsum"],
        _ => &[],
    }
}

fn taken(shown: &Shown<'_>) -> Problem {
    let reason = "another family of this page has samples of that name in OpenMetrics";
    Problem::new(shown.family.name().clone(), reason)
}

/// Writes each kind of sample as a family of its own.
fn write_apart(
    shown: Shown<'_>,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) -> Result<(), Problem> {
    // Which values the samples have does not matter here.
    let kinds: &[Sample] = match shown.family.values() {
        Column::Summary(_) => &[Sample::Quantile(0.0), Sample::Sum, Sample::Count],
        _ => &[Sample::Bucket(0.0), Sample::Sum, Sample::Count],
    };
    let mut result = Ok(());
    for &kind in kinds {
        let suffix = kind.suffix(&shown);
        if !workspace.openmetrics.claim_sample(&shown, suffix) {
            result = Err(taken(&shown));
            continue;
        }
        write_head(&shown, suffix, &mut workspace.text, output);
        let mut speller = Speller { shown, text: &mut workspace.text, output };
        shown.family.series().for_each_slice(|index, fragments| {
            let same_kind =
                |sample| std::mem::discriminant(&sample) == std::mem::discriminant(&kind);
            speller.row(index, &Row::new(&shown, index, fragments), same_kind);
        });
    }
    result
}

/// Writes the lines before the samples of a family that is named as the shown one with `suffix`.
fn write_head(shown: &Shown<'_>, suffix: &[u8], text: &mut Vec<u8>, output: &mut Output<'_>) {
    let metadata = shown.family.metadata();
    let mut push = |word: &str, value: &dyn Fn(&mut Vec<u8>)| {
        text.clear();
        text.extend_from_slice(b"# ");
        text.extend_from_slice(word.as_bytes());
        text.push(b' ');
        shown.push_family_name(text, suffix);
        text.push(b' ');
        value(text);
        text.push(b'\n');
        output.push(text);
    };
    if !metadata.help().is_empty() {
        push("HELP", &|text| escape_into(text, metadata.help()));
    }
    push("TYPE", &|text| text.extend_from_slice(shown.metric_type.as_str().as_bytes()));
    if suffix.is_empty() && shows_unit(shown) {
        push("UNIT", &|text| text.extend_from_slice(metadata.unit().as_bytes()));
    }
}

/// Whether the family may have its unit: its name must end with it.
fn shows_unit(shown: &Shown<'_>) -> bool {
    let unit = shown.family.metadata().unit().as_bytes();
    if unit.is_empty() || !unit.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    let mut name = Vec::new();
    shown.push_bare_family_name(&mut name);
    let ends_with_unit = name.strip_suffix(unit).is_some_and(|rest| rest.ends_with(b"_"));
    ends_with_unit && !matches!(shown.metric_type, MetricType::Info | MetricType::StateSet)
}

fn is_numbers(family: &MetricFamily) -> bool {
    matches!(family.values(), Column::Unsigned(_) | Column::Float(_) | Column::Mixed(_))
}

/// The type of the family, or the nearest one whose rules it keeps; unknown where no type has room
/// for its samples.
fn nearest_type(shown: &Shown<'_>, text: &mut Vec<u8>) -> MetricType {
    let family = shown.family;
    let (keeps, otherwise) = match shown.metric_type {
        MetricType::Counter => {
            let counts = matches!(family.values(), Column::Unsigned(_))
                || all_numbers(family, |value| value >= 0.0);
            (has_suffix(shown, text) && counts, MetricType::Unknown)
        }
        MetricType::Info => {
            let is_one = |value: f64| value == 1.0;
            // Readers take all series of an info family for one metric.
            let stamped = family.timestamps().unwrap_or_default();
            let evenly = stamped.windows(2).all(|pair| pair[0].is_some() == pair[1].is_some());
            (has_suffix(shown, text) && all_numbers(family, is_one) && evenly, MetricType::Gauge)
        }
        MetricType::StateSet => {
            let is_state = |value: f64| value == 0.0 || value == 1.0;
            (all_numbers(family, is_state) && states_are_named(shown), MetricType::Gauge)
        }
        MetricType::Histogram | MetricType::GaugeHistogram => {
            (sums_are_allowed(shown), MetricType::Unknown)
        }
        MetricType::Summary => (summaries_are_positive(family), MetricType::Unknown),
        other => (true, other),
    };
    if keeps { shown.metric_type } else { otherwise }
}

/// Whether the name is more than the suffix that the type wants, and has it.
fn has_suffix(shown: &Shown<'_>, text: &mut Vec<u8>) -> bool {
    text.clear();
    shown.as_type(MetricType::Unknown).push_bare_family_name(text);
    let whole = text.len();
    shown.push_bare_family_name(text);
    let family = text.len() - whole;
    family > 0 && family < whole
}

fn all_numbers(family: &MetricFamily, holds: impl Fn(f64) -> bool) -> bool {
    match family.values() {
        Column::Unsigned(values) => values.iter().all(|&value| holds(value as f64)),
        Column::Float(values) => values.iter().all(|&value| holds(value)),
        Column::Mixed(values) => values.iter().all(|&value: &Number| holds(value.as_f64())),
        _ => false,
    }
}

/// A histogram has no sum where observations may be negative; a gauge histogram's may be negative
/// only there.
fn sums_are_allowed(shown: &Shown<'_>) -> bool {
    let rows = 0..shown.family.len();
    match shown.family.values() {
        Column::Histogram(column) => {
            let sums = rows.filter_map(|index| Some(column.get(index)?.sum()));
            may_have_sums(shown.metric_type, column.bounds(), sums)
        }
        Column::NativeHistogram(column) => {
            let mut natives = rows.clone().filter_map(|index| Some(column.get(index)?.native()));
            let sums = rows.filter_map(|index| Some(column.get(index)?.native().sum()));
            natives.all(|native| native.negative().is_empty())
                && may_have_sums(shown.metric_type, column.bounds(), sums)
        }
        _ => false,
    }
}

fn may_have_sums(
    metric_type: MetricType,
    bounds: &Bounds,
    mut sums: impl Iterator<Item = f64>,
) -> bool {
    let negative = bounds.as_slice().first().is_some_and(|&bound| bound < 0.0);
    match metric_type {
        MetricType::GaugeHistogram if negative => sums.all(|sum| !sum.is_nan()),
        _ => !negative && sums.all(|sum| sum >= 0.0),
    }
}

fn summaries_are_positive(family: &MetricFamily) -> bool {
    let Column::Summary(column) = family.values() else {
        return false;
    };
    (0..family.len()).filter_map(|index| column.get(index)).all(|summary| {
        // A quantile that is not known is NaN, and may be.
        let negative = |(_, value): (f64, f64)| value < 0.0;
        summary.sum() >= 0.0 && !summary.quantiles().any(negative)
    })
}

/// Whether every series has a label named as the family, which says of which state it is, and the
/// states of one thing stand together, with one timestamp.
fn states_are_named(shown: &Shown<'_>) -> bool {
    let family = shown.family;
    let escaping = shown.dialect.escaping;
    let name = family.name().escaped(escaping);
    let label_names = family.metadata().label_names();
    let Some(state) = label_names.iter().position(|label| label.escaped(escaping) == name) else {
        return false;
    };
    let timestamp = |index: usize| *family.timestamps()?.get(index)?;
    let mut finished = BTreeSet::new();
    let mut current = None;
    let mut named = true;
    family.series().for_each_slice(|index, fragments: &[&Fragment]| {
        let mut others = Vec::new();
        for (k, fragment) in fragments.iter().enumerate() {
            if k == state {
                named &= !fragment.is_empty();
            } else {
                others.push(b',');
                fragment.push_bare(&mut others);
            }
        }
        let group = Some((others, timestamp(index)));
        if group != current {
            named &= current.take().is_none_or(|(others, _)| finished.insert(others));
            current = group;
        }
    });
    named && current.is_none_or(|(others, _)| finished.insert(others))
}

/// The names on a page that no other family may use, sorted.
#[derive(Default)]
pub(super) struct Names {
    text: Vec<u8>,
    /// Where in the text each name is.
    sorted: Vec<(u32, u32)>,
}

impl Names {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.sorted.clear();
    }

    /// Takes the name of the family and those with the suffixes, or none of them where one is
    /// taken already.
    fn claim(&mut self, shown: &Shown<'_>, suffixes: &[&[u8]]) -> bool {
        let before = self.text.len();
        let all = [&b""[..]].into_iter().chain(suffixes.iter().copied());
        for suffix in all {
            if !self.claim_sample(shown, suffix) {
                self.sorted.retain(|&(start, _)| (start as usize) < before);
                self.text.truncate(before);
                return false;
            }
        }
        true
    }

    /// Takes the name of the family with a suffix, unless it is taken already.
    fn claim_sample(&mut self, shown: &Shown<'_>, suffix: &[u8]) -> bool {
        let start = self.text.len();
        shown.push_bare_family_name(&mut self.text);
        self.text.extend_from_slice(suffix);
        let name = &self.text[start..];
        let compare =
            |&(start, end): &(u32, u32)| self.text[start as usize..end as usize].cmp(name);
        match self.sorted.binary_search_by(compare) {
            Ok(_) => {
                self.text.truncate(start);
                false
            }
            Err(at) => {
                self.sorted.insert(at, (start as u32, self.text.len() as u32));
                true
            }
        }
    }
}

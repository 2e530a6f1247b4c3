//! The labels of a series in one sequence: constant ones and its own, sorted by name.

use narthex_model::{Fragment, Label, LabelName, MetricFamily};

/// A label of a series.
#[derive(Clone, Copy)]
pub(crate) enum SeriesLabel<'a> {
    /// One that every series of the family has.
    Constant(&'a Label),
    /// One of the series' own.
    Own(&'a LabelName, &'a Fragment),
}

/// The labels of the series with these fragments, sorted by name, absent ones left out.
pub(crate) fn in_order<'a>(
    family: &'a MetricFamily,
    fragments: &'a [&'a Fragment],
) -> impl Iterator<Item = SeriesLabel<'a>> {
    let metadata = family.metadata();
    let mut constants = metadata.const_labels().iter().peekable();
    let present = |(_, fragment): &(_, &&Fragment)| !fragment.is_empty();
    let mut own = metadata.label_names().iter().zip(fragments).filter(present).peekable();
    std::iter::from_fn(move || {
        let next = own.peek().map(|(name, _)| *name);
        match constants.next_if(|label| next.is_none_or(|name| label.name < *name)) {
            Some(label) => Some(SeriesLabel::Constant(label)),
            None => own.next().map(|(name, fragment)| SeriesLabel::Own(name, fragment)),
        }
    })
}

/// The constant labels that sort before all own labels and those that sort after them, or `None`
/// where one sorts in between.
pub(crate) fn outer_constants(family: &MetricFamily) -> Option<(&[Label], &[Label])> {
    let metadata = family.metadata();
    let (constants, own) = (metadata.const_labels(), metadata.label_names());
    let before = constants.partition_point(|label| own.iter().all(|name| label.name < *name));
    let (before, after) = constants.split_at(before);
    let outer = after.iter().all(|label| own.iter().all(|name| label.name > *name));
    outer.then_some((before, after))
}

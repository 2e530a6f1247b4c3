//! From what is registered to families: all of them at once, or one after the other.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use narthex_model::{
    Column, Families, Metadata, MetricFamily, MetricName, MetricType, Part, Problem, Scrape,
    Series, SpareColumns,
};

use super::scope::Scope;
use super::{Entry, EntryKind, Registry, Source, panic_message};
use crate::collector::Collector;

/// Families one after the other, for whoever writes them somewhere: large families of instruments
/// part by part, in memory that is used again.
///
/// Nothing is allocated where counters, gauges and families of these or of classic histograms are
/// all that is registered, no two of one name, and no series has come or gone since the page before.
impl Families for Registry {
    fn visit(
        &self,
        spare: &mut SpareColumns,
        divides: &dyn Fn(MetricType) -> bool,
        each: &mut dyn FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> Vec<Problem> {
        let entries = self.entries();
        let mut problems = Vec::new();
        let mut others = foreign_families(&entries, &mut problems);
        others.sort_by(|a, b| a.name().cmp(b.name()));
        let share = |name: &MetricName| others.binary_search_by(|o| o.name().cmp(name)).is_ok();
        let alone = |at: usize| {
            let name = |at: usize| Some(instrument(entries.get(at)?)?.metadata.name());
            let own = name(at);
            own.is_some_and(|own| !share(own))
                && own != name(at + 1)
                && at.checked_sub(1).is_none_or(|before| own != name(before))
        };
        let mut merged = Vec::new();
        for (at, instrument) in instruments(&entries).enumerate() {
            if !alone(at) {
                merged.extend(instrument.snapshot(spare, &mut problems));
            }
        }
        if others.is_empty() && merged.is_empty() {
            // What instruments may be called was checked when they were registered.
            let mut all = instruments(&entries);
            let _ = all.try_for_each(|i| i.visit(spare, divides, &mut problems, each));
            return problems;
        }
        let streamed: Vec<_> = instruments(&entries)
            .enumerate()
            .filter(|(at, _)| alone(*at))
            .map(|(_, i)| i)
            .collect();
        // Who comes from elsewhere is checked against the outlines of those that are streamed.
        merged.extend(others);
        merged.extend(streamed.iter().filter_map(Instrument::outline));
        let scrape = Scrape::new(merged);
        problems.extend(scrape.problems().iter().cloned());
        let _ = scrape.families().iter().try_for_each(|family| {
            match streamed.binary_search_by(|i| i.metadata.name().cmp(family.name())) {
                Ok(at) => streamed[at].visit(spare, divides, &mut problems, each),
                Err(_) => each(Part::whole(family)),
            }
        });
        problems
    }
}

/// An instrument that is registered.
pub(super) struct Instrument<'a> {
    pub(super) metadata: &'a Arc<Metadata>,
    source: &'a dyn Source,
    shows_created: bool,
}

/// The instruments among the entries, sorted by name.
pub(super) fn instruments(entries: &[Arc<Entry>]) -> impl Iterator<Item = Instrument<'_>> {
    entries.iter().map_while(|entry| instrument(entry))
}

fn instrument(entry: &Entry) -> Option<Instrument<'_>> {
    match &entry.kind {
        EntryKind::Instrument { metadata, source, shows_created, .. } => {
            Some(Instrument { metadata, source: &**source, shows_created: *shows_created })
        }
        EntryKind::Foreign { .. } => None,
    }
}

impl Instrument<'_> {
    /// Its family, whose value a closure of the user may give.
    pub(super) fn snapshot(
        &self,
        spare: &mut SpareColumns,
        problems: &mut Vec<Problem>,
    ) -> Option<MetricFamily> {
        let Self { metadata, source, shows_created } = self;
        // Nothing of narthex is changed while user code runs, so nothing is left half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| source.family(metadata, spare)));
        let family = outcome.unwrap_or_else(|panic| {
            let reason = format!("its closure panicked: {}", panic_message(&*panic));
            problems.push(Problem::new(metadata.name().clone(), reason));
            None
        })?;
        match source.created().filter(|_| *shows_created) {
            None => Some(family),
            created => family.with_created(vec![created]).ok(),
        }
    }

    fn visit(
        &self,
        spare: &mut SpareColumns,
        divides: &dyn Fn(MetricType) -> bool,
        problems: &mut Vec<Problem>,
        each: &mut dyn FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if divides(self.metadata.metric_type())
            && let Some(outcome) = self.source.visit(self.metadata, spare, each)
        {
            return outcome;
        }
        let Some(family) = self.snapshot(spare, problems) else {
            return ControlFlow::Continue(());
        };
        let outcome = each(Part::whole(&family));
        spare.put(family.into_values());
        outcome
    }

    /// Its family without series.
    fn outline(&self) -> Option<MetricFamily> {
        let none: [[&str; 0]; 0] = [];
        let series = Series::from_rows(self.metadata.label_names(), none);
        MetricFamily::from_parts(self.metadata.clone(), series, Column::Unsigned(Vec::new())).ok()
    }
}

/// The families of collectors, and those that say what the registered instruments lost.
pub(super) fn foreign_families(
    entries: &[Arc<Entry>],
    problems: &mut Vec<Problem>,
) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    for entry in entries {
        if let EntryKind::Foreign { collector, scope } = &entry.kind {
            collect(&**collector, scope, entry, &mut families, problems);
        }
    }
    let losses = |lost: fn(&dyn Source) -> u64| {
        instruments(entries).map(move |i| (i.metadata.name(), lost(i.source)))
    };
    families.extend(loss(
        "narthex_refused_values_total",
        "Values that instruments of a family did not take, such as NaN or a negative count.",
        losses(|source| source.refused()),
    ));
    families.extend(loss(
        "narthex_series_overflow_total",
        "Lookups of series that a family had no room for and counted as one overflow series.",
        losses(|source| source.overflowed()),
    ));
    families
}

/// Adds the families of a collector, or a problem where it fails.
fn collect(
    collector: &dyn Collector,
    scope: &Scope,
    entry: &Entry,
    families: &mut Vec<MetricFamily>,
    problems: &mut Vec<Problem>,
) {
    let mut collected = Vec::new();
    // A half-filled list is thrown away with the panic, so nothing broken is seen afterwards.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        collector.collect(&mut collected);
        collector.problems()
    }));
    match outcome {
        Ok(left_out) => problems.extend(left_out),
        Err(panic) => {
            let reason = format!("its collector panicked: {}", panic_message(&*panic));
            let described = entry.families.iter().map(|metadata| metadata.name().clone());
            let unnamed = || MetricName::new("collector").into_iter();
            let names: Vec<_> = match entry.families.is_empty() {
                true => unnamed().collect(),
                false => described.collect(),
            };
            problems.extend(names.into_iter().map(|name| Problem::new(name, &reason)));
            return;
        }
    }
    for family in collected {
        let name = scope.exported_name(family.name());
        match scope.relabel(family, name) {
            Ok(family) => families.push(family),
            Err(problem) => problems.push(problem),
        }
    }
}

/// What families lost, so that nothing is lost silently; `None` while nothing is.
fn loss<'a>(
    name: &str,
    help: &str,
    losses: impl Iterator<Item = (&'a MetricName, u64)>,
) -> Option<MetricFamily> {
    let mut losses = losses.filter(|(_, count)| *count > 0).peekable();
    losses.peek()?;
    let mut family = MetricFamily::counter(name, help).label_names(["family"]);
    for (name, count) in losses {
        family.push([name.as_str()], count);
    }
    family.build().ok()
}

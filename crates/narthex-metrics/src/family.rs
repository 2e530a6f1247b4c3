//! One name of the facade as a family of the registry.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use metrics::Key;
use narthex_core::{Collector, Registry};
use narthex_model::{Column, LabelName, Metadata, MetricFamily, MetricName, Series};
use parking_lot::Mutex;

use crate::builder::Options;
use crate::cell::Cell;
use crate::clock;
use crate::handles::Handles;
use crate::losses::Loss;
use crate::names;

/// All series of one name.
pub(crate) struct Family<C: Cell> {
    name: MetricName,
    /// The name in the program.
    recorded_as: String,
    shape: C::Shape,
    options: Options,
    loss: Arc<Loss>,
    handles: Arc<Handles<C>>,
    state: Mutex<State<C>>,
}

struct State<C> {
    description: Description,
    /// Every label that some series has, sorted by its name on the page.
    labels: Vec<Label>,
    /// In the order in which they were made.
    series: Vec<Kept<C>>,
    by_labels: HashMap<LabelSet, usize>,
    /// How many of them were made as overflow series.
    overflow: usize,
    swept: Instant,
    /// Dropped when something other than a value changes.
    page: Option<Arc<Page<C>>>,
    /// Counts the pages that were dropped.
    version: u64,
}

/// What the program says of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Description {
    pub(crate) help: String,
    pub(crate) unit: &'static str,
}

#[derive(Clone)]
struct Label {
    name: LabelName,
    /// The label's key in the program.
    recorded_as: String,
}

/// The labels of a series without empty ones, sorted by name; two series are one only if these are
/// equal.
type LabelSet = Arc<[(LabelName, Box<str>)]>;

struct Kept<C> {
    labels: LabelSet,
    cell: Arc<C>,
    /// The keys under which handles find it.
    keys: Vec<Key>,
    used: Instant,
    is_shown: bool,
    is_overflow: bool,
}

/// All of a family but its values, made once and used until it changes.
struct Page<C> {
    metadata: Arc<Metadata>,
    series: Series,
    cells: Vec<Arc<C>>,
}

/// More labels than this in one family are a mistake, and every series would pay for them.
const MOST_LABELS: usize = 64;

/// The value of every label of a series that stands for those which a family had no room for.
const OVERFLOW: &str = "overflow";

impl<C: Cell> Family<C> {
    pub(crate) fn new(
        name: MetricName,
        recorded_as: &str,
        description: Description,
        shape: C::Shape,
        options: Options,
        loss: Arc<Loss>,
        handles: Arc<Handles<C>>,
    ) -> Self {
        let state = State {
            description,
            labels: Vec::new(),
            series: Vec::new(),
            by_labels: HashMap::new(),
            overflow: 0,
            swept: clock::now(),
            page: None,
            version: 0,
        };
        let state = Mutex::new(state);
        Self { name, recorded_as: recorded_as.to_owned(), shape, options, loss, handles, state }
    }

    pub(crate) fn name(&self) -> &MetricName {
        &self.name
    }

    pub(crate) fn set_description(&self, description: Description) {
        let mut state = self.state.lock();
        if state.description != description {
            state.description = description;
            state.drop_page();
        }
    }

    /// The series of a key, made if there is none; or why there can be none.
    pub(crate) fn series(&self, key: &Key, registry: &Registry) -> Result<Arc<C>, String> {
        let mut state = self.state.lock();
        let (new, set) = state.labels_of(key)?;
        if !new.is_empty() {
            let mut labels = [&state.labels[..], &new].concat();
            labels.sort_by(|a, b| a.name.cmp(&b.name));
            self.check_labels(&state.description, &labels, registry)?;
            state.labels = labels;
            state.drop_page();
        }
        let now = clock::now();
        if self.options.idle.is_some_and(|idle| state.swept + idle <= now) {
            // Nobody scrapes: whoever makes series also makes room.
            self.sweep(&mut state, now);
        }
        if let Some(&at) = state.by_labels.get(&set) {
            return Ok(self.found(&mut state, at, key));
        }
        if state.series.len() - state.overflow < self.options.series || set.is_empty() {
            let at = self.insert(&mut state, set, now);
            return Ok(self.found(&mut state, at, key));
        }
        self.loss.overflow();
        let set: LabelSet = set.iter().map(|(name, _)| (name.clone(), OVERFLOW.into())).collect();
        let at = match state.by_labels.get(&set) {
            Some(&at) => at,
            None => {
                let at = self.insert(&mut state, set, now);
                state.series[at].is_overflow = true;
                state.overflow += 1;
                at
            }
        };
        // Not to be found by its key: there is no end of the keys that lead here.
        Ok(state.series[at].cell.clone())
    }

    /// Whether the family may have these labels, in its registry too.
    fn check_labels(
        &self,
        description: &Description,
        labels: &[Label],
        registry: &Registry,
    ) -> Result<(), String> {
        if labels.len() > MOST_LABELS {
            return Err(format!("it has over {MOST_LABELS} labels"));
        }
        let names: Vec<_> = labels.iter().map(|label| label.name.clone()).collect();
        let none: [[&str; 0]; 0] = [];
        let series = Series::from_rows(&names, none);
        let metadata = self.metadata(description).with_label_names(names);
        let metadata = metadata.map_err(|error| error.to_string())?;
        let column = C::column(&self.shape, &[]);
        let empty = MetricFamily::from_parts(Arc::new(metadata), series, column);
        let empty = empty.map_err(|error| error.to_string())?;
        registry.with_const_labels(empty).map(drop).map_err(|problem| problem.to_string())
    }

    fn found(&self, state: &mut State<C>, at: usize, key: &Key) -> Arc<C> {
        let kept = &mut state.series[at];
        // Another thread may have been here since the handle was missed.
        if !kept.keys.contains(key) {
            let key = key.to_retained();
            kept.keys.push(key.clone());
            self.handles.insert(key, kept.cell.clone());
        }
        kept.cell.clone()
    }

    fn insert(&self, state: &mut State<C>, labels: LabelSet, now: Instant) -> usize {
        let at = state.series.len();
        let cell = Arc::new(C::new(&self.shape, &self.loss));
        state.by_labels.insert(labels.clone(), at);
        let keys = Vec::new();
        let kept = Kept { labels, cell, keys, used: now, is_shown: true, is_overflow: false };
        state.series.push(kept);
        state.drop_page();
        at
    }

    /// Hides series that are idle, and frees those of them that nobody holds a handle to.
    fn sweep(&self, state: &mut State<C>, now: Instant) {
        let Some(idle) = self.options.idle else { return };
        state.swept = now;
        let mut changed = false;
        for kept in &mut state.series {
            if kept.cell.used().swap(false, Relaxed) {
                kept.used = now;
            }
            let is_shown = now.saturating_duration_since(kept.used) < idle;
            changed |= is_shown != kept.is_shown;
            kept.is_shown = is_shown;
            if !is_shown {
                // From here on it is found under this lock only.
                kept.keys.drain(..).for_each(|key| self.handles.remove(&key));
            }
        }
        if changed {
            state.drop_page();
        }
        let before = state.series.len();
        state.series.retain_mut(|kept| {
            // Unique: no handle is left that could write, and what the last one wrote is seen.
            let unused = Arc::get_mut(&mut kept.cell).is_some_and(|c| !c.used().load(Relaxed));
            kept.is_shown || !unused
        });
        if state.series.len() < before {
            let places = state.series.iter().enumerate();
            state.by_labels = places.map(|(at, kept)| (kept.labels.clone(), at)).collect();
            state.overflow = state.series.iter().filter(|kept| kept.is_overflow).count();
        }
    }

    fn page(&self) -> Arc<Page<C>> {
        let (version, metadata, names, shown) = {
            let mut state = self.state.lock();
            self.sweep(&mut state, clock::now());
            if let Some(page) = &state.page {
                return page.clone();
            }
            let names: Vec<_> = state.labels.iter().map(|label| label.name.clone()).collect();
            let shown = state.series.iter().filter(|kept| kept.is_shown);
            let shown: Vec<_> =
                shown.map(|kept| (kept.labels.clone(), kept.cell.clone())).collect();
            (state.version, self.metadata(&state.description), names, shown)
        };
        // Without the lock, for there may be many: new series do not wait for this.
        let page = Arc::new(Page::new(metadata, names, shown));
        let mut state = self.state.lock();
        if state.version == version {
            state.page = Some(page.clone());
        }
        page
    }

    fn metadata(&self, description: &Description) -> Metadata {
        let Description { help, unit } = description;
        let metadata = |help: &str| Metadata::new(self.name.clone(), C::TYPE, help).with_unit(unit);
        if help.trim().is_empty() {
            let name = &self.recorded_as;
            return metadata(&format!("Recorded as `{name}`, and not described by the program."));
        }
        metadata(help)
    }
}

impl<C: Cell> Collector for Family<C> {
    fn describe(&self) -> Vec<Metadata> {
        vec![self.metadata(&self.state.lock().description)]
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        let page = self.page();
        if page.cells.is_empty() {
            return;
        }
        let column: Column = C::column(&self.shape, &page.cells);
        let family = MetricFamily::from_parts(page.metadata.clone(), page.series.clone(), column);
        families.extend(family);
    }
}

impl<C> State<C> {
    /// The labels of a key that the family does not have yet, and the key as a label set.
    fn labels_of(&self, key: &Key) -> Result<(Vec<Label>, LabelSet), String> {
        let mut new: Vec<Label> = Vec::new();
        let mut set: Vec<(LabelName, Box<str>)> = Vec::with_capacity(key.labels().len());
        for label in key.labels().filter(|label| !label.value().is_empty()) {
            let recorded_as = label.key();
            let name = names::label(recorded_as);
            let name =
                match self.labels.iter().chain(&new).find(|known| known.name.as_str() == name) {
                    Some(known) if known.recorded_as == recorded_as => known.name.clone(),
                    Some(Label { recorded_as: other, .. }) => {
                        return Err(format!(
                            "`{recorded_as}` and `{other}` are one label, `{name}`"
                        ));
                    }
                    None => {
                        let name = LabelName::new(&name).map_err(|error| error.to_string())?;
                        let recorded_as = recorded_as.to_owned();
                        new.push(Label { name: name.clone(), recorded_as });
                        name
                    }
                };
            if set.iter().any(|(other, _)| *other == name) {
                return Err(format!("the label `{recorded_as}` is given twice"));
            }
            set.push((name, label.value().into()));
        }
        set.sort();
        Ok((new, set.into()))
    }

    fn drop_page(&mut self) {
        self.page = None;
        self.version += 1;
    }
}

impl<C> Page<C> {
    fn new(metadata: Metadata, names: Vec<LabelName>, shown: Vec<(LabelSet, Arc<C>)>) -> Self {
        let rows = shown.iter().map(|(labels, _)| {
            names.iter().map(|name| {
                let value = labels.binary_search_by(|(other, _)| other.cmp(name)).ok();
                value.map_or("", |at| &*labels[at].1)
            })
        });
        let series = Series::from_rows(&names, rows);
        let metadata = metadata.with_label_names(names).expect("labels are checked as they come");
        let cells = shown.iter().map(|(_, cell)| cell.clone()).collect();
        Self { metadata: Arc::new(metadata), series, cells }
    }
}

#[cfg(test)]
mod tests;

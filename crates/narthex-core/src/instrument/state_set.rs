//! State sets: which one of a few states holds.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use narthex_model::{Column, Metadata, MetricFamily, MetricType, Series, SpareColumns};

use super::{Child, Metric, OwnedSeries, SeriesShared, sealed};
use crate::builder::{Builder, ConfigOf, Instrument};
use crate::error::Fault;
use crate::labels::LabelValue;
use crate::registry::Source;
use crate::storage::Snapshot;

/// Which one of a few states holds, such as idle or running.
///
/// It shows one sample for each state, 1 where the state holds and 0 else, in a label that is named
/// as the metric. The first state holds until another is set. Cloning gives another handle to the
/// same state set.
///
/// A state is a string or anything that is a [`LabelValue`], such as an enum that derives it.
///
/// ```
/// use narthex_core::{Registry, StateSet};
///
/// let registry = Registry::new();
/// let job = StateSet::builder("job_state", "What the job does.")
///     .states(["idle", "running"])
///     .register(&registry)?;
/// job.set("running")?;
/// assert_eq!(registry.gather().value("job_state", &[("job_state", "running")]), Some(1.0));
/// assert_eq!(registry.gather().value("job_state", &[("job_state", "idle")]), Some(0.0));
/// assert_eq!(
///     job.set("walking").unwrap_err().to_string(),
///     "`walking` is not one of the states: they are `idle`, `running`",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StateSet(OwnedSeries<StateSet>);

impl StateSet {
    /// Starts a state set; `help` says whose states they are.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Sets the state that holds from now on.
    ///
    /// # Errors
    /// Returns a [`StateError`] for a state that the set was not built with; nothing changes then.
    pub fn set(&self, state: impl LabelValue) -> Result<(), StateError> {
        self.0.shared.shape.set(self.0.values(), state.text().as_ref())
    }

    /// The state that holds.
    pub fn state(&self) -> &str {
        self.0.shared.shape.state(self.0.values())
    }
}

impl<'f> Child<'f, StateSet> {
    /// Sets the state that holds from now on.
    ///
    /// # Errors
    /// Returns a [`StateError`] for a state that the set was not built with; nothing changes then.
    pub fn set(self, state: impl LabelValue) -> Result<(), StateError> {
        self.shared.shape.set(self.values(), state.text().as_ref())
    }

    /// The state that holds.
    pub fn state(self) -> &'f str {
        self.shared.shape.state(self.values())
    }
}

impl<I: Instrument<Metric = StateSet, Config = ConfigOf<StateSet>>> Builder<I> {
    /// Names the states, the one first that holds at the start; there must be at least one.
    #[must_use]
    pub fn states<S: LabelValue>(mut self, states: impl IntoIterator<Item = S>) -> Self {
        self.config = states.into_iter().map(|state| state.text().as_ref().to_owned()).collect();
        self
    }
}

/// The states a set can be in; a value is the place of one.
#[derive(Debug)]
pub struct States(Box<[Box<str>]>);

impl States {
    fn new(states: Vec<String>) -> Result<Self, Fault> {
        if states.is_empty() {
            return Err(Fault::NoStates);
        }
        for (at, state) in states.iter().enumerate() {
            if state.is_empty() {
                return Err(Fault::EmptyState { at });
            }
            if states[..at].contains(state) {
                return Err(Fault::StateTwice { state: state.clone() });
            }
        }
        Ok(Self(states.into_iter().map(Into::into).collect()))
    }

    fn set(&self, words: &[AtomicU64], state: &str) -> Result<(), StateError> {
        let Some(place) = self.0.iter().position(|known| **known == *state) else {
            return Err(StateError { state: state.into(), states: self.0.clone() });
        };
        // Relaxed: the value is one word, and nothing else is published with it.
        words[0].store(place as u64, Relaxed);
        Ok(())
    }

    fn state(&self, words: &[AtomicU64]) -> &str {
        self.0.get(words[0].load(Relaxed) as usize).map_or("", |state| state)
    }
}

impl Metric for StateSet {}

impl sealed::Kind for StateSet {
    const TYPE: MetricType = MetricType::StateSet;
    const PER_THREAD: bool = false;
    type Config = Vec<String>;
    const CONFIG: &'static str = "states";
    type Shape = States;

    fn shape(states: Vec<String>) -> Result<States, Fault> {
        States::new(states)
    }

    fn value_words(_: &States) -> usize {
        1
    }

    /// A row a state, not a series.
    const IN_PARTS: bool = false;

    /// One number a state.
    fn column(
        shared: &SeriesShared<Self>,
        snapshot: &Snapshot,
        spare: &mut SpareColumns,
    ) -> Column {
        let states = shared.shape.0.len() as u64;
        let mut numbers = spare.unsigned(snapshot.len() * shared.shape.0.len());
        snapshot.for_each_record(|_, record| {
            let holds = record[0].load(Relaxed);
            numbers.extend((0..states).map(|state| u64::from(state == holds)));
        });
        Column::Unsigned(numbers)
    }

    /// The stored series once for each state.
    fn family(
        shared: &SeriesShared<Self>,
        metadata: &Arc<Metadata>,
        snapshot: Snapshot,
        spare: &mut SpareColumns,
    ) -> Option<MetricFamily> {
        let column = Self::column(shared, &snapshot, spare);
        let names = metadata.label_names();
        let place = names.iter().position(|name| metadata.is_state_label(name))?;
        let mut stored: Vec<Vec<Cow<'_, str>>> = Vec::with_capacity(snapshot.len());
        snapshot.series.for_each_slice(|_, fragments| {
            stored.push(fragments.iter().map(|fragment| fragment.value()).collect());
        });
        let rows = stored.iter().flat_map(|values| {
            let (before, after) = values.split_at(place);
            shared.shape.0.iter().map(move |state| {
                let state = std::iter::once(&**state);
                before.iter().map(AsRef::as_ref).chain(state).chain(after.iter().map(AsRef::as_ref))
            })
        });
        MetricFamily::from_parts(metadata.clone(), Series::from_rows(names, rows), column).ok()
    }

    fn alone(states: States) -> Result<Self, Fault> {
        Ok(Self(OwnedSeries::alone(states)))
    }

    fn of_series(series: OwnedSeries<Self>) -> Self {
        Self(series)
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        self.0.source()
    }
}

impl fmt::Debug for StateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateSet({})", self.state())
    }
}

/// A state that a [`StateSet`] does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError {
    state: Box<str>,
    states: Box<[Box<str>]>,
}

impl StateError {
    /// The state that was refused.
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states: Vec<_> =
            self.states.iter().map(|state| format!("`{}`", state.escape_debug())).collect();
        let state = self.state.escape_debug();
        write!(f, "`{state}` is not one of the states: they are {}", states.join(", "))
    }
}

impl std::error::Error for StateError {}

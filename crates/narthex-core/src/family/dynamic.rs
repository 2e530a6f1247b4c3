//! Families whose label names are known only at run time.

mod named;

use std::fmt;
use std::sync::Arc;

use narthex_model::LabelName;

pub use named::LabelError;

use crate::builder::{Builder, ConfigOf, Create, Created, Instrument, Labelled};
use crate::error::Fault;
use crate::instrument::{Child, Metric, OwnedSeries, ScopedSeries, SeriesShared};
use crate::registry::{Registered, Source, sealed};
use crate::storage::{MAX_LABELS, Options};

/// One instrument for each set of label values, with label names given at run time, so that a
/// lookup may have the wrong number of values.
///
/// ```
/// use narthex_core::{Counter, DynamicFamily, Registry};
///
/// let registry = Registry::new();
/// let rows = DynamicFamily::<Counter>::builder("rows_read_total", "Rows read.")
///     .label_names(["db", "table"])
///     .register(&registry)?;
/// rows.with(&["main", "users"])?.inc_by(3);
/// assert_eq!(
///     rows.with(&["main"]).unwrap_err().to_string(),
///     "the family has 2 labels (`db`, `table`), but 1 value was given",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DynamicFamily<M: Metric> {
    shared: Arc<SeriesShared<M>>,
    /// Which of the given values belongs to each label, for labels are stored sorted by name;
    /// `None` where they were given sorted.
    order: Option<Arc<[usize]>>,
}

impl<M: Metric> DynamicFamily<M> {
    /// Starts a family; `help` says what its series have in common.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// The series of these label values, in the order in which the names were given; made if there
    /// is none.
    ///
    /// # Errors
    /// Returns a [`LabelCountError`] when there is not one value a label.
    #[inline(always)]
    pub fn with(&self, values: &[&str]) -> Result<Child<'_, M>, LabelCountError> {
        self.each_arity(values, With(&self.shared))
    }

    /// The series of these label values as a handle to keep, made if there is none.
    ///
    /// # Errors
    /// Returns a [`LabelCountError`] when there is not one value a label.
    pub fn resolve(&self, values: &[&str]) -> Result<M, LabelCountError> {
        Ok(M::of_series(OwnedSeries::new(&self.shared, self.with(values)?)))
    }

    /// The series of these label values, made if there is none, until what this returns is dropped;
    /// see [`Family::scoped`](crate::Family::scoped).
    ///
    /// # Errors
    /// Returns a [`LabelCountError`] when there is not one value a label.
    pub fn scoped(&self, values: &[&str]) -> Result<ScopedSeries<M>, LabelCountError> {
        Ok(ScopedSeries::new(OwnedSeries::new(&self.shared, self.with(values)?)))
    }

    /// Removes the series of these label values; returns whether there was one.
    ///
    /// # Errors
    /// Returns a [`LabelCountError`] when there is not one value a label.
    pub fn remove(&self, values: &[&str]) -> Result<bool, LabelCountError> {
        self.each_arity(values, Remove(&self.shared))
    }

    /// Removes the series that have all of these label values, and gives their number.
    ///
    /// A label name that the family does not have matches nothing; no labels match everything.
    pub fn remove_matching(&self, labels: &[(&str, &str)]) -> usize {
        self.shared.remove_matching(labels)
    }

    /// Keeps the series for which `keep` holds and removes the others, whose number it gives.
    ///
    /// `keep` gets the label values sorted by label name, and is called without a lock.
    pub fn retain(&self, keep: impl FnMut(&[&str]) -> bool) -> usize {
        self.shared.store().retain(keep)
    }

    /// Removes all series.
    ///
    /// Their memory is used again for new series once it has rested for a minute and no scrape
    /// shows them.
    pub fn clear(&self) {
        self.retain(|_| false);
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.shared.store().len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls the lookup that is compiled for this number of labels.
    #[inline(always)]
    fn each_arity<'f, O: Lookup<'f, M>>(
        &'f self,
        values: &[&str],
        lookup: O,
    ) -> Result<O::Output, LabelCountError> {
        let names = self.shared.store().names();
        if values.len() != names.len() {
            return Err(LabelCountError::new(names, self.order.as_deref(), values.len()));
        }
        // Filled only where it is needed, for that takes 32 instructions.
        let mut sorted;
        let values = match &self.order {
            None => values,
            Some(order) => {
                sorted = [""; MAX_LABELS];
                for (sorted, &given) in sorted.iter_mut().zip(&**order) {
                    *sorted = values[given];
                }
                &sorted[..values.len()]
            }
        };
        macro_rules! arities {
            ($($n:literal)*) => {
                match values.len() {
                    $( $n => values.first_chunk::<$n>().map(|values| lookup.run(values)), )*
                    _ => None,
                }
            };
        }
        arities!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
            .ok_or_else(|| LabelCountError::new(names, None, values.len()))
    }
}

trait Lookup<'f, M: Metric> {
    type Output;
    fn run<const N: usize>(self, values: &[&str; N]) -> Self::Output;
}

struct With<'f, M: Metric>(&'f SeriesShared<M>);

impl<'f, M: Metric> Lookup<'f, M> for With<'f, M> {
    type Output = Child<'f, M>;

    #[inline(always)]
    fn run<const N: usize>(self, values: &[&str; N]) -> Child<'f, M> {
        self.0.with(values)
    }
}

struct Remove<'f, M: Metric>(&'f SeriesShared<M>);

impl<'f, M: Metric> Lookup<'f, M> for Remove<'f, M> {
    type Output = bool;

    fn run<const N: usize>(self, values: &[&str; N]) -> bool {
        self.0.store().remove(values)
    }
}

impl<M: Metric> Clone for DynamicFamily<M> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), order: self.order.clone() }
    }
}

impl<M: Metric> fmt::Debug for DynamicFamily<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamicFamily<{}>({} series)", M::TYPE, self.len())
    }
}

impl<M: Metric> Instrument for DynamicFamily<M> {}

impl<M: Metric> Labelled for DynamicFamily<M> {}

impl<M: Metric> Create for DynamicFamily<M> {
    type Metric = M;
    type Config = ConfigOf<M>;

    fn label_names(given: &[String]) -> Vec<String> {
        given.to_vec()
    }

    fn create(
        names: Vec<LabelName>,
        config: ConfigOf<M>,
        options: Options,
    ) -> Result<Created<Self>, Fault> {
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|&a, &b| names[a].cmp(&names[b]));
        let sorted = order.iter().map(|&given| names[given].clone()).collect();
        let order = (!order.is_sorted()).then(|| order.into());
        let shared = Arc::new(SeriesShared::new(sorted, M::shape(config)?, options));
        let source: Arc<dyn Source> = shared.clone();
        Ok((Self { shared, order }, source))
    }
}

impl<M: Metric> sealed::Sealed for DynamicFamily<M> {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }
}

impl<M: Metric> Registered for DynamicFamily<M> {}

/// A lookup with another number of values than the family has labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCountError {
    names: Box<[LabelName]>,
    given: usize,
}

impl LabelCountError {
    #[cold]
    fn new(sorted: &[LabelName], order: Option<&[usize]>, given: usize) -> Self {
        let mut names = sorted.to_vec();
        for (name, &place) in sorted.iter().zip(order.unwrap_or_default()) {
            names[place] = name.clone();
        }
        Self { names: names.into(), given }
    }
}

impl fmt::Display for LabelCountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
        let labels = if names.len() == 1 { "label" } else { "labels" };
        write!(f, "the family has {} {labels}", names.len())?;
        if !names.is_empty() {
            write!(f, " ({})", names.join(", "))?;
        }
        let values = if self.given == 1 { "value was" } else { "values were" };
        write!(f, ", but {} {values} given", self.given)
    }
}

impl std::error::Error for LabelCountError {}

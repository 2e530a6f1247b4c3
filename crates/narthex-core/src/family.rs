//! Families: one instrument for each set of label values.

mod dynamic;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use narthex_model::LabelName;

pub use dynamic::{DynamicFamily, LabelCountError, LabelError};

use crate::builder::{Builder, ConfigOf, Create, Created, Instrument, Labelled};
use crate::error::Fault;
use crate::instrument::{Child, LabelsOf, Metric, OwnedSeries, ScopedSeries, SeriesShared};
use crate::labels::{LabelVisitor, Labels};
use crate::registry::{Registered, Source, sealed};
use crate::storage::{DenseSeries, DenseSlots, Options, Store};

/// One instrument for each set of label values, with labels known at compile time.
///
/// Looking a series up takes no lock and, if it is there already, allocates nothing. Cloning gives
/// another handle to the same family.
///
/// ```
/// use narthex_core::{Counter, Family, LabelValue, LabelVisitor, Labels, Registry};
///
/// // With narthex's macros: #[derive(Labels)]
/// struct Request<'a> {
///     path: &'a str,
///     status: u16,
/// }
/// # impl Labels for Request<'_> {
/// #     type Borrowed<'a> = Request<'a>;
/// #     const NAMES: &'static [&'static str] = &["path", "status"];
/// #     fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
/// #         visitor.values([self.path.text().as_ref(), self.status.text().as_ref()])
/// #     }
/// # }
///
/// let registry = Registry::new();
/// let requests: Family<Counter, Request<'static>> =
///     Family::builder("requests_total", "Requests served.").register(&registry)?;
///
/// let path = String::from("/a");
/// requests.with(&Request { path: &path, status: 200 }).inc();
/// let labels = [("path", "/a"), ("status", "200")];
/// assert_eq!(registry.gather().value("requests_total", &labels), Some(1.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
pub struct Family<M: Metric, L: Labels> {
    shared: Arc<SeriesShared<M>>,
    /// The store's, if lookups need nothing else of it.
    dense: DenseSlots,
    labels: LabelsOf<L>,
}

impl<M: Metric, L: Labels> Family<M, L> {
    /// Starts a family; `help` says what its series have in common.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self>
    where
        L: 'static,
    {
        Builder::new(name, help)
    }

    /// The series of these labels, made if there is none.
    #[inline(always)]
    pub fn with(&self, labels: &L::Borrowed<'_>) -> Child<'_, M> {
        if L::CARDINALITY.is_none() {
            return labels.visit(With(&self.shared));
        }
        let index = labels.index();
        if let Some(series) = self.dense.at_hand(index, M::PER_THREAD) {
            return self.shared.at_hand(series);
        }
        let store = self.shared.store();
        // Not a closure: it would be a function of its own, and get the labels through memory.
        let found = match store.dense(index) {
            Some(series) => Some(series),
            None => labels.visit(WithDense(store, index)),
        };
        self.shared.found(found)
    }

    /// The series of these labels as a handle to keep, made if there is none.
    ///
    /// Once the series is removed, the handle counts into the void.
    pub fn resolve(&self, labels: &L::Borrowed<'_>) -> M {
        M::of_series(OwnedSeries::new(&self.shared, self.with(labels)))
    }

    /// The series of these labels, made if there is none, until what this returns is dropped.
    ///
    /// Of several that share their labels, the first to be dropped removes the series.
    ///
    /// ```
    /// use narthex_core::{DynamicFamily, Gauge, Registry};
    ///
    /// let registry = Registry::new();
    /// let lag = DynamicFamily::<Gauge>::builder("lag_seconds", "Lag of a connection.")
    ///     .label_names(["peer"])
    ///     .register(&registry)?;
    /// let connection = lag.scoped(&["db1"])?;
    /// connection.set(0.5);
    /// drop(connection);
    /// assert!(lag.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scoped(&self, labels: &L::Borrowed<'_>) -> ScopedSeries<M> {
        ScopedSeries::new(OwnedSeries::new(&self.shared, self.with(labels)))
    }

    /// Removes the series of these labels; returns whether there was one.
    pub fn remove(&self, labels: &L::Borrowed<'_>) -> bool {
        labels.visit(Remove(&self.shared))
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
}

struct With<'f, M: Metric>(&'f SeriesShared<M>);

impl<'f, M: Metric> LabelVisitor for With<'f, M> {
    type Output = Child<'f, M>;

    #[inline(always)]
    fn values<const N: usize>(self, values: [&str; N]) -> Child<'f, M> {
        self.0.with(&values)
    }
}

struct WithDense<'f>(&'f Store, usize);

impl LabelVisitor for WithDense<'_> {
    type Output = Option<DenseSeries>;

    fn values<const N: usize>(self, values: [&str; N]) -> Option<DenseSeries> {
        self.0.with_dense(self.1, &values)
    }
}

struct Remove<'f, M: Metric>(&'f SeriesShared<M>);

impl<M: Metric> LabelVisitor for Remove<'_, M> {
    type Output = bool;

    fn values<const N: usize>(self, values: [&str; N]) -> bool {
        self.0.store().remove(&values)
    }
}

impl<M: Metric, L: Labels> Clone for Family<M, L> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), dense: self.dense.clone(), labels: PhantomData }
    }
}

impl<M: Metric, L: Labels> fmt::Debug for Family<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Family<{}>({} series)", M::TYPE, self.len())
    }
}

impl<M: Metric, L: Labels + 'static> Instrument for Family<M, L> {}

impl<M: Metric, L: Labels + 'static> Labelled for Family<M, L> {}

impl<M: Metric, L: Labels> Create for Family<M, L> {
    type Metric = M;
    type Config = ConfigOf<M>;

    fn label_names(_: &[String]) -> Vec<String> {
        L::NAMES.iter().map(|name| (*name).to_owned()).collect()
    }

    fn create(
        names: Vec<LabelName>,
        config: ConfigOf<M>,
        mut options: Options,
    ) -> Result<Created<Self>, Fault> {
        options.dense = L::CARDINALITY.unwrap_or(0);
        let shared = Arc::new(SeriesShared::new(names, M::shape(config)?, options));
        let source: Arc<dyn Source> = shared.clone();
        let dense = shared.store().dense_slots();
        Ok((Self { shared, dense, labels: PhantomData }, source))
    }
}

impl<M: Metric, L: Labels> sealed::Sealed for Family<M, L> {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }
}

impl<M: Metric, L: Labels> Registered for Family<M, L> {}

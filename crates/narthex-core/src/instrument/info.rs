//! Infos: labels that describe something.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use narthex_model::{Column, LabelName, Metadata, MetricFamily, MetricType, Series, SpareColumns};
use parking_lot::RwLock;

use super::{Metric, OwnedSeries, SeriesShared, sealed};
use crate::builder::{Builder, Create, Created, Instrument};
use crate::error::Fault;
use crate::family::LabelError;
use crate::registry::{self, Registered, Source};
use crate::storage::{Options, Snapshot};

/// Labels that describe something, such as a version; the value is always 1.
///
/// By custom its name ends in `_info`, which is exported as written. The names of the labels are
/// fixed when it is built, so that every clash is found then; their values can be
/// [replaced](Self::set). Cloning gives another handle to the same info.
///
/// A family of infos, such as `DynamicFamily<Info>`, describes several things: it has one series
/// for each set of label values that was looked up and not removed.
///
/// ```
/// use narthex_core::{DynamicFamily, Info, Registry};
///
/// let registry = Registry::new();
/// let build = Info::builder("build_info", "What runs here.")
///     .labels([("version", "1.0")])
///     .register(&registry)?;
/// build.set([("version", "1.1")])?;
/// assert_eq!(registry.gather().value("build_info", &[("version", "1.1")]), Some(1.0));
///
/// let disks = DynamicFamily::<Info>::builder("disk_info", "Which disks there are.")
///     .label_names(["disk", "model"])
///     .register(&registry)?;
/// disks.with(&["sda", "ST4000"])?;
/// let labels = [("disk", "sda"), ("model", "ST4000")];
/// assert_eq!(registry.gather().value("disk_info", &labels), Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Info(Kind);

#[derive(Clone)]
enum Kind {
    Alone(Arc<Alone>),
    /// Of a family, where it stays without a handle.
    Series,
}

/// An info that is not of a family.
struct Alone {
    /// Sorted.
    names: Vec<LabelName>,
    /// One series with the values.
    series: RwLock<Series>,
}

/// No user code runs under the lock, so a panic elsewhere leaves it whole.
impl UnwindSafe for Alone {}
impl RefUnwindSafe for Alone {}

impl Info {
    /// Starts an info; `help` says what it describes.
    pub fn builder(name: impl Into<String>, help: impl Into<String>) -> Builder<Self> {
        Builder::new(name, help)
    }

    /// Replaces all label values at once: a label that is not given is absent from now on.
    ///
    /// # Errors
    /// Returns a [`LabelError`] for a label that the info was not built with, for one given twice,
    /// and for a series of a family, whose labels are what it was looked up by. Nothing changes
    /// then.
    pub fn set<N, V>(&self, labels: impl IntoIterator<Item = (N, V)>) -> Result<(), LabelError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let Kind::Alone(alone) = &self.0 else { return Err(LabelError::FIXED) };
        let names: Vec<_> = alone.names.iter().collect();
        let values = LabelError::arrange(&names, labels)?;
        let row = values.iter().map(|value| value.as_ref().map_or("", AsRef::as_ref));
        let series = Series::from_rows(&alone.names, [row]);
        *alone.series.write() = series;
        Ok(())
    }
}

impl Builder<Info> {
    /// Sets the labels; by default there is none.
    #[must_use]
    pub fn labels<N, V>(mut self, labels: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        (self.label_names, self.config) =
            labels.into_iter().map(|(name, value)| (name.into(), value.into())).unzip();
        self
    }
}

impl Create for Info {
    type Metric = Self;
    /// The label values, in the order of the names.
    type Config = Vec<String>;
    const CONFIG: &'static str = "label values";

    fn label_names(given: &[String]) -> Vec<String> {
        given.to_vec()
    }

    fn create(
        names: Vec<LabelName>,
        values: Vec<String>,
        _: Options,
    ) -> Result<Created<Self>, Fault> {
        let alone = Arc::new(Alone::new(names, values));
        Ok((Self(Kind::Alone(alone.clone())), alone))
    }
}

impl Instrument for Info {}

impl registry::sealed::Sealed for Info {
    fn address(&self) -> usize {
        sealed::Kind::source(self).map_or(0, |source| Arc::as_ptr(&source).addr())
    }
}

impl Registered for Info {}

impl Alone {
    fn new(names: Vec<LabelName>, values: Vec<String>) -> Self {
        let mut labels: Vec<_> = names.into_iter().zip(values).collect();
        labels.sort();
        let (names, values): (Vec<_>, Vec<_>) = labels.into_iter().unzip();
        let series = Series::from_rows(&names, [values.iter().map(String::as_str)]);
        Self { names, series: RwLock::new(series) }
    }
}

impl Source for Alone {
    fn family(&self, metadata: &Arc<Metadata>, spare: &mut SpareColumns) -> Option<MetricFamily> {
        let series = self.series.read().clone();
        MetricFamily::from_parts(metadata.clone(), series, spare.number(1_u64.into())).ok()
    }

    fn refused(&self) -> u64 {
        0
    }
}

impl Metric for Info {}

impl sealed::Kind for Info {
    const TYPE: MetricType = MetricType::Info;
    const PER_THREAD: bool = false;
    type Config = ();
    type Shape = ();

    fn shape((): ()) -> Result<(), Fault> {
        Ok(())
    }

    /// That there is a series says it all.
    fn value_words((): &()) -> usize {
        0
    }

    fn column(_: &SeriesShared<Self>, snapshot: &Snapshot, spare: &mut SpareColumns) -> Column {
        let mut ones = spare.unsigned(snapshot.len());
        ones.resize(snapshot.len(), 1);
        Column::Unsigned(ones)
    }

    fn alone((): ()) -> Result<Self, Fault> {
        Ok(Self(Kind::Alone(Arc::new(Alone::new(Vec::new(), Vec::new())))))
    }

    fn of_series(_: OwnedSeries<Self>) -> Self {
        Self(Kind::Series)
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        match &self.0 {
            Kind::Alone(alone) => Some(alone.clone()),
            Kind::Series => None,
        }
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Info")
    }
}

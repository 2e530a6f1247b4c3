//! Describing an instrument, and the one place where that can fail.

use std::sync::Arc;
use std::time::Duration;

use narthex_model::{Label, LabelName, Metadata, MetricName, MetricType, NameError};

use crate::buckets::{Buckets, TakeBuckets};
use crate::error::{Fault, RegisterError};
use crate::family::DynamicFamily;
use crate::instrument::{
    Counter, Cumulative, Gauge, GaugeHistogram, Histogram, Metric, StateSet, Summary, Total,
    Unknown, sealed::Kind,
};
use crate::registry::{Kept, Registered, Registry, Source, sealed};
use crate::storage::{MAX_LABELS, Options};

/// Describes an instrument or family until it is registered.
///
/// Made by `Counter::builder` and its siblings; all that can be wrong is reported by
/// [`register`](Self::register).
#[derive(Clone, Debug)]
pub struct Builder<I: Instrument> {
    name: String,
    help: String,
    unit: String,
    const_labels: Vec<(String, String)>,
    pub(crate) label_names: Vec<String>,
    utf8_names: bool,
    options: Options,
    pub(crate) config: I::Config,
}

/// Something a [`Builder`] builds: an instrument or a family of them.
///
/// This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an instrument",
    note = "an instrument is a `Counter`, `Gauge`, `Histogram` or the like, or a `Family` of one; \
            in a struct that derives `Metrics`, a field of metrics takes `#[metric(flatten)]`"
)]
pub trait Instrument: Create + Registered + Clone + Send + Sync + 'static {}

/// A new instrument, and what its registry keeps of it.
pub(crate) type Created<I> = (I, Arc<dyn Source>);

/// How a [`Builder`] makes an [`Instrument`].
pub trait Create: Sized {
    /// The instrument, or the one that the family has for each label set.
    type Metric: Metric;

    /// What the builder collects beside names, help text and labels.
    type Config: Clone + PartialEq + Send + Sync + std::fmt::Debug + 'static;

    /// What an error calls the configuration.
    const CONFIG: &'static str = <Self::Metric as Kind>::CONFIG;

    /// The names of the labels, in the order in which lookups give values.
    fn label_names(given: &[String]) -> Vec<String>;

    fn create(
        names: Vec<LabelName>,
        config: Self::Config,
        options: Options,
    ) -> Result<Created<Self>, Fault>;
}

/// A family, which has a series for each label set.
///
/// This trait is sealed.
pub trait Labelled: Instrument {}

/// What the builder of an instrument or family of `M` collects.
pub(crate) type ConfigOf<M> = <M as Kind>::Config;

impl<I: Instrument> Builder<I> {
    /// Starts a description, for code that is generic over the instrument; `Counter::builder` and
    /// its siblings do the same.
    pub fn new(name: impl Into<String>, help: impl Into<String>) -> Self
    where
        I::Config: Default,
    {
        Self::with_config(name, help, I::Config::default())
    }

    pub(crate) fn with_config(
        name: impl Into<String>,
        help: impl Into<String>,
        config: I::Config,
    ) -> Self {
        Self {
            name: name.into(),
            help: help.into(),
            unit: String::new(),
            const_labels: Vec::new(),
            label_names: Vec::new(),
            utf8_names: false,
            options: Options::default(),
            config,
        }
    }

    /// Adds a label that every series carries; by default there is none.
    #[must_use]
    pub fn const_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.const_labels.push((name.into(), value.into()));
        self
    }

    /// Gives the unit, such as `seconds`, for formats that show it; by default there is none.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Accepts any UTF-8 in names; by default only the classic set, which every scraper reads.
    #[must_use]
    pub fn utf8_names(mut self) -> Self {
        self.utf8_names = true;
        self
    }

    /// Checks the description, makes the instrument and exports it from `registry`.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] that names what is wrong: a bad or reserved name, an empty help
    /// text, bad buckets, or a clash with something that is registered. Nothing is registered then.
    pub fn register(self, registry: &Registry) -> Result<I, RegisterError> {
        let family = registry.prefixed(&self.name);
        let fail = |fault| RegisterError::new(&family, fault);
        let (metadata, names) = self.describe().map_err(fail)?;
        let Self { config, options, .. } = self;
        let (instrument, source) =
            I::create(names.clone(), config.clone(), options).map_err(fail)?;
        let kept = Kept { instrument, label_names: names, config, options };
        registry.register_instrument(metadata, source, kept)
    }

    /// The instrument that `registry` has under this very description, registered now if it has
    /// none.
    ///
    /// ```
    /// use narthex_core::{Counter, Registry};
    ///
    /// let registry = Registry::new();
    /// let jobs = || Counter::builder("jobs_total", "Jobs done.").get_or_register(&registry);
    /// jobs()?.inc();
    /// jobs()?.inc();
    /// assert_eq!(registry.gather().value("jobs_total", &[]), Some(2.0));
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`RegisterError`] as [`register`](Self::register) does. Where the name is taken by
    /// an instrument that was described otherwise, the error says what differs.
    pub fn get_or_register(self, registry: &Registry) -> Result<I, RegisterError> {
        self.register(&registry.reusing())
    }

    fn describe(&self) -> Result<(Metadata, Vec<LabelName>), Fault> {
        let name = match self.utf8_names {
            true => MetricName::new_utf8(&self.name),
            false => MetricName::new(&self.name),
        };
        let name = name.map_err(Fault::Name)?;
        if self.help.trim().is_empty() {
            return Err(Fault::NoHelp);
        }
        let const_labels: Vec<Label> = self
            .const_labels
            .iter()
            .map(|(name, value)| {
                Ok(Label { name: self.label_name(name)?, value: value.as_str().into() })
            })
            .collect::<Result<_, NameError>>()
            .map_err(Fault::Name)?;
        let names = I::label_names(&self.label_names);
        if names.len() > MAX_LABELS {
            return Err(Fault::TooManyLabels { got: names.len(), most: MAX_LABELS });
        }
        let names: Vec<LabelName> = names
            .iter()
            .map(|name| self.label_name(name))
            .collect::<Result<_, _>>()
            .map_err(Fault::Name)?;
        let mut sorted = names.clone();
        if I::Metric::TYPE == MetricType::StateSet {
            // OpenMetrics 1.0, StateSet: the label of the states is named as the family.
            sorted.push(self.label_name(&self.name).map_err(Fault::Name)?);
        }
        sorted.sort();
        let metadata = Metadata::new(name, I::Metric::TYPE, &self.help)
            .with_unit(&self.unit)
            .with_const_labels(const_labels)
            .and_then(|metadata| metadata.with_label_names(sorted))
            .map_err(Fault::Labels)?;
        Ok((metadata, names))
    }

    fn label_name(&self, name: &str) -> Result<LabelName, NameError> {
        if self.utf8_names { LabelName::new_utf8(name) } else { LabelName::new(name) }
    }
}

impl<I: Instrument<Config: TakeBuckets>> Builder<I> {
    /// Sets the buckets; by default [`Buckets::DEFAULT`].
    #[must_use]
    pub fn buckets(mut self, buckets: impl Into<Buckets>) -> Self {
        self.config.take_buckets(buckets.into());
        self
    }
}

impl<I: Instrument<Metric: Cumulative>> Builder<I> {
    /// Shows since when each series counts, in formats that can; by default it is not shown.
    ///
    /// A reader then knows what was counted before its first scrape. It takes 8 bytes a series, and
    /// protobuf pages become longer by about 14; OpenMetrics shows it on request.
    #[must_use]
    pub fn created(mut self) -> Self {
        self.options.created = true;
        self
    }
}

impl<I: Labelled> Builder<I> {
    /// Sets the most series the family may have; by default 16 million.
    ///
    /// A lookup that would make one more is given the *overflow series*, whose labels all have the
    /// value `overflow`: totals stay exact, and `narthex_series_overflow_total` tells of it.
    #[must_use]
    pub fn series_limit(mut self, most: usize) -> Self {
        self.options.series = most;
        self
    }

    /// Sets the most bytes a label value may have; by default there is no limit.
    ///
    /// A lookup with a longer one is given the overflow series.
    #[must_use]
    pub fn label_value_limit(mut self, most: usize) -> Self {
        self.options.value_bytes = most;
        self
    }

    /// Gives every counter of the family a cell in each thread; by default the first 4100 have one, and
    /// all of a family whose labels are of closed types.
    ///
    /// Threads that count on one series at once then do not slow each other down, and each thread
    /// takes 8 bytes more a series.
    #[must_use]
    pub fn per_thread(mut self) -> Self {
        self.options.per_thread = true;
        self
    }

    /// Removes series that have been idle for this long; by default they stay.
    ///
    /// A series is in use when it is looked up and when its value changes. Idle ones are removed
    /// when the family is gathered, and where nobody gathers it, when it gets new ones.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use narthex_core::{DynamicFamily, Gauge, Registry};
    ///
    /// let depth = DynamicFamily::<Gauge>::builder("queue_depth", "Jobs that wait.")
    ///     .label_names(["queue"])
    ///     .expire_after(Duration::from_secs(600))
    ///     .series_limit(10_000)
    ///     .register(&Registry::new())?;
    /// depth.with(&["mail"])?.set(3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.options.idle = Some(idle);
        self
    }
}

impl<M: Metric> Builder<DynamicFamily<M>> {
    /// Names the labels, in the order in which lookups give their values; by default there is none.
    #[must_use]
    pub fn label_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.label_names = names.into_iter().map(Into::into).collect();
        self
    }
}

macro_rules! lone_instruments {
    ($($instrument:ident)*) => { $(
        impl Instrument for $instrument {}

        impl Create for $instrument {
            type Metric = Self;
            type Config = ConfigOf<Self>;

            fn label_names(_: &[String]) -> Vec<String> {
                Vec::new()
            }

            fn create(
                _: Vec<LabelName>,
                config: ConfigOf<Self>,
                _: Options,
            ) -> Result<Created<Self>, Fault> {
                let built = <Self as Kind>::alone(Self::shape(config)?)?;
                let source = Kind::source(&built);
                Ok((built, source.expect("an instrument made on its own has a source")))
            }
        }

        impl sealed::Sealed for $instrument {
            fn address(&self) -> usize {
                Kind::source(self).map_or(0, |source| Arc::as_ptr(&source).addr())
            }
        }

        impl Registered for $instrument {}
    )* };
}

lone_instruments!(Counter Gauge Histogram GaugeHistogram StateSet Summary Total Unknown);

//! The metrics that a registry makes of descriptions.

use std::collections::BTreeMap;
use std::fmt;

use super::{ConfigType, MetricConfig};
use crate::builder::{Builder, ConfigOf, Create, Instrument};
use crate::error::{Fault, RegisterError};
use crate::family::DynamicFamily;
use crate::instrument::{Counter, Gauge, Histogram, Info, Metric, StateSet, Summary, Unknown};
use crate::registry::{Registered, Registry, sealed};

/// A metric that was made of a [`MetricConfig`]: a family, which has one series without labels
/// from the start where the configuration names no labels.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyMetric {
    /// Of type `counter`.
    Counter(DynamicFamily<Counter>),
    /// Of type `enum`.
    Enum(DynamicFamily<StateSet>),
    /// Of type `gauge`.
    Gauge(DynamicFamily<Gauge>),
    /// Of type `histogram`.
    Histogram(DynamicFamily<Histogram>),
    /// Of type `info`.
    Info(DynamicFamily<Info>),
    /// Of type `summary`.
    Summary(DynamicFamily<Summary>),
    /// Of type `unknown`.
    Unknown(DynamicFamily<Unknown>),
}

impl Registry {
    /// Makes and exports the metric that `config` describes.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] as [`Builder::register`] does; nothing is registered then.
    pub fn create<X>(&self, config: &MetricConfig<X>) -> Result<AnyMetric, RegisterError> {
        Ok(match &config.metric_type {
            ConfigType::Counter => AnyMetric::Counter(family(config).register(self)?),
            ConfigType::Enum { states } => {
                AnyMetric::Enum(family(config).states(states).register(self)?)
            }
            ConfigType::Gauge => AnyMetric::Gauge(family(config).register(self)?),
            ConfigType::Histogram { buckets, native } => {
                let mut family: Builder<DynamicFamily<Histogram>> = family(config);
                if let Some(buckets) = buckets {
                    family = family.buckets(buckets.as_slice());
                }
                if let Some(factor) = native {
                    family = family.native(*factor);
                }
                AnyMetric::Histogram(family.register(self)?)
            }
            ConfigType::Info => AnyMetric::Info(family(config).register(self)?),
            ConfigType::Summary { objectives, max_age, age_buckets } => {
                let family: Builder<DynamicFamily<Summary>> = family(config);
                let mut family = family.objectives(objectives.iter().copied());
                if let Some(max_age) = max_age {
                    family = family.max_age(*max_age);
                }
                if let Some(age_buckets) = age_buckets {
                    family = family.age_buckets(*age_buckets);
                }
                AnyMetric::Summary(family.register(self)?)
            }
            ConfigType::Unknown => AnyMetric::Unknown(family(config).register(self)?),
        }
        .with_first_series())
    }

    /// Makes and exports all metrics that `configs` describe, or none where one cannot be.
    ///
    /// ```
    /// use narthex_core::{AnyMetric, ConfigType, MetricConfig, Registry};
    ///
    /// let mut rows: MetricConfig = MetricConfig::new("rows_read", "Rows read.", ConfigType::Counter);
    /// rows.labels = vec!["db".into()];
    ///
    /// let registry = Registry::new();
    /// let metrics = registry.create_all([&rows])?;
    /// if let AnyMetric::Counter(rows) = metrics.metric("rows_read")? {
    ///     rows.with_labels([("db", "main")])?.inc();
    /// }
    /// assert_eq!(registry.gather().value("rows_read_total", &[("db", "main")]), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns the [`RegisterError`] of the first metric that cannot be registered; none is then.
    pub fn create_all<'c, X: 'c>(
        &self,
        configs: impl IntoIterator<Item = &'c MetricConfig<X>>,
    ) -> Result<DescribedMetrics, RegisterError> {
        let configs: Vec<_> = configs.into_iter().collect();
        self.transaction(|registry| {
            let mut metrics = BTreeMap::new();
            for config in &configs {
                let metric = registry.create(config)?;
                if metrics.insert(config.name.as_str().into(), metric).is_some() {
                    let fault = Fault::Taken { by: "another of these metrics".to_owned() };
                    return Err(RegisterError::new(&config.name, fault));
                }
            }
            Ok(DescribedMetrics(metrics))
        })
    }
}

/// What all types have in common.
fn family<M: Metric, X>(config: &MetricConfig<X>) -> Builder<DynamicFamily<M>>
where
    DynamicFamily<M>: Instrument + Create<Config = ConfigOf<M>>,
{
    let mut family = DynamicFamily::builder(config.exported_name(), &config.description)
        .unit(&config.unit)
        .label_names(&config.labels);
    for (name, value) in &config.const_labels {
        family = family.const_label(name, value);
    }
    if config.utf8_names { family.utf8_names() } else { family }
}

/// Does the same with the family of any type.
macro_rules! each_family {
    ($metric:expr, $family:ident => $do:expr) => {
        match $metric {
            AnyMetric::Counter($family) => $do,
            AnyMetric::Enum($family) => $do,
            AnyMetric::Gauge($family) => $do,
            AnyMetric::Histogram($family) => $do,
            AnyMetric::Info($family) => $do,
            AnyMetric::Summary($family) => $do,
            AnyMetric::Unknown($family) => $do,
        }
    };
}

impl AnyMetric {
    /// Makes the one series of a metric without labels, so that it is exported before it is
    /// touched.
    fn with_first_series(self) -> Self {
        each_family!(&self, family => {
            if family.label_names().is_empty() {
                family.with(&[]).expect("a family without labels takes no values");
            }
        });
        self
    }
}

impl sealed::Sealed for AnyMetric {
    fn address(&self) -> usize {
        each_family!(self, family => family.address())
    }
}

impl Registered for AnyMetric {}

/// Metrics that were made of descriptions, by the names in those.
#[derive(Clone, Debug)]
pub struct DescribedMetrics(BTreeMap<Box<str>, AnyMetric>);

impl DescribedMetrics {
    /// The metric whose description has this name.
    ///
    /// # Errors
    /// Returns an [`UnknownMetricError`] where there is none.
    pub fn metric(&self, name: &str) -> Result<&AnyMetric, UnknownMetricError> {
        self.0.get(name).ok_or_else(|| UnknownMetricError { name: name.into() })
    }

    /// All metrics with their names, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AnyMetric)> {
        self.0.iter().map(|(name, metric)| (&**name, metric))
    }
}

/// A name under which no metric was described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMetricError {
    name: Box<str>,
}

impl UnknownMetricError {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for UnknownMetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no metric `{}`", self.name.escape_debug())
    }
}

impl std::error::Error for UnknownMetricError {}

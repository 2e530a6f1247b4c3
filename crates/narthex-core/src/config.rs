//! Metrics described in data, such as a configuration file.

mod described;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

pub use described::{AnyMetric, DescribedMetrics, UnknownMetricError};

/// A metric as a configuration file describes it.
///
/// The file gives `name`, `description` and `type`, and as far as they are wanted:
///
/// | key | of type | meaning |
/// |---|---|---|
/// | `labels` | any | the names of the labels; lookups by position take the values sorted by name |
/// | `const_labels` | any | labels that every series carries |
/// | `unit` | any | the unit, for formats that show it |
/// | `utf8_names` | any | whether names may be any UTF-8; by default only the classic set |
/// | `buckets` | `histogram` | the upper bounds; by default [`Buckets::DEFAULT`](crate::Buckets::DEFAULT), and none where there are native buckets |
/// | `native` | `histogram` | the factor of native buckets, such as 1.1; by default there are none |
/// | `states` | `enum` | the states, the one first that holds at the start; at least one |
/// | `objectives` | `summary` | pairs of quantile and error; by default there is none |
/// | `max_age` | `summary` | after how many seconds quantiles forget; by default 600 |
/// | `age_buckets` | `summary` | in how many steps they forget; by default 5 |
/// | `extra` | any | what the program adds to it, where it asks for an `X` |
///
/// Any other key is an error. `X` is what the program's own settings of a metric are read into; by
/// default there are none.
///
/// A counter is exported with `_total` at the end of its name, which is added where it is missing;
/// all other names are exported as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Keys<X>", bound(deserialize = "X: Deserialize<'de> + Default"))]
#[non_exhaustive]
pub struct MetricConfig<X = ()> {
    /// The name, by which the metric is also looked up.
    pub name: String,
    /// What the metric means, for people.
    pub description: String,
    /// The type, with what belongs to it alone.
    pub metric_type: ConfigType,
    /// The names of the labels, sorted.
    pub labels: Vec<String>,
    /// Labels that every series carries.
    pub const_labels: BTreeMap<String, String>,
    /// The unit, empty where there is none.
    pub unit: String,
    /// Whether names may be any UTF-8.
    pub utf8_names: bool,
    /// The program's own settings.
    pub extra: X,
}

/// The type of a [`MetricConfig`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigType {
    /// `counter`: a [`Counter`](crate::Counter).
    Counter,
    /// `enum`: a [`StateSet`](crate::StateSet).
    Enum {
        /// The states, the one first that holds at the start.
        states: Vec<String>,
    },
    /// `gauge`: a [`Gauge`](crate::Gauge).
    Gauge,
    /// `histogram`: a [`Histogram`](crate::Histogram).
    Histogram {
        /// The upper bounds of the buckets, unless they are the default ones.
        buckets: Option<Vec<f64>>,
        /// The factor of native buckets, where there are any.
        native: Option<f64>,
    },
    /// `info`: an [`Info`](crate::Info).
    Info,
    /// `summary`: a [`Summary`](crate::Summary).
    Summary {
        /// Quantiles with the error that each may have.
        objectives: Vec<(f64, f64)>,
        /// After how long quantiles forget an observation.
        max_age: Option<Duration>,
        /// In how many steps they forget.
        age_buckets: Option<u32>,
    },
    /// `unknown`: an [`Unknown`](crate::Unknown).
    Unknown,
}

impl<X: Default> MetricConfig<X> {
    /// A metric without labels; the other fields can be set afterwards.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        metric_type: ConfigType,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            metric_type,
            labels: Vec::new(),
            const_labels: BTreeMap::new(),
            unit: String::new(),
            utf8_names: false,
            extra: X::default(),
        }
    }
}

impl<X> MetricConfig<X> {
    /// The name that the registry exports, before its prefix.
    pub fn exported_name(&self) -> String {
        match self.metric_type {
            ConfigType::Counter if !self.name.ends_with("_total") => format!("{}_total", self.name),
            _ => self.name.clone(),
        }
    }
}

impl ConfigType {
    /// The words for the types.
    pub const NAMES: [&str; 7] =
        ["counter", "enum", "gauge", "histogram", "info", "summary", "unknown"];
}

/// The keys of a metric, as they stand in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "X: Deserialize<'de> + Default"))]
struct Keys<X> {
    name: String,
    description: String,
    #[serde(rename = "type")]
    metric_type: String,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    const_labels: BTreeMap<String, String>,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    utf8_names: bool,
    buckets: Option<Vec<f64>>,
    native: Option<f64>,
    states: Option<Vec<String>>,
    objectives: Option<Vec<(f64, f64)>>,
    max_age: Option<f64>,
    age_buckets: Option<u32>,
    #[serde(default)]
    extra: X,
}

impl<X> TryFrom<Keys<X>> for MetricConfig<X> {
    type Error = ConfigError;

    fn try_from(mut keys: Keys<X>) -> Result<Self, ConfigError> {
        let metric_type = keys.take_type().map_err(|fault| ConfigError::new(&keys.name, fault))?;
        keys.labels.sort();
        let Keys { name, description, labels, const_labels, unit, utf8_names, extra, .. } = keys;
        Ok(Self { name, description, metric_type, labels, const_labels, unit, utf8_names, extra })
    }
}

impl<X> Keys<X> {
    /// The type with the options that it takes; there may be no others.
    fn take_type(&mut self) -> Result<ConfigType, ConfigFault> {
        let metric_type = match &*self.metric_type {
            "counter" => ConfigType::Counter,
            "enum" => ConfigType::Enum { states: self.states.take().unwrap_or_default() },
            "gauge" => ConfigType::Gauge,
            "histogram" => {
                ConfigType::Histogram { buckets: self.buckets.take(), native: self.native.take() }
            }
            "info" => ConfigType::Info,
            "summary" => ConfigType::Summary {
                objectives: self.objectives.take().unwrap_or_default(),
                max_age: self.max_age.take().map(seconds).transpose()?,
                age_buckets: self.age_buckets.take(),
            },
            "unknown" => ConfigType::Unknown,
            _ => return Err(ConfigFault::Type { given: self.metric_type.as_str().into() }),
        };
        let left = [
            ("buckets", self.buckets.is_some()),
            ("native", self.native.is_some()),
            ("states", self.states.is_some()),
            ("objectives", self.objectives.is_some()),
            ("max_age", self.max_age.is_some()),
            ("age_buckets", self.age_buckets.is_some()),
        ];
        match left.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => {
                Err(ConfigFault::Option { key, of: self.metric_type.as_str().into() })
            }
            None => Ok(metric_type),
        }
    }
}

fn seconds(given: f64) -> Result<Duration, ConfigFault> {
    Duration::try_from_secs_f64(given).map_err(|_| ConfigFault::Seconds { key: "max_age", given })
}

/// A description of a metric that makes no sense.
#[derive(Clone, Debug, PartialEq)]
struct ConfigError {
    name: Box<str>,
    fault: ConfigFault,
}

#[derive(Clone, Debug, PartialEq)]
enum ConfigFault {
    Type { given: Box<str> },
    Option { key: &'static str, of: Box<str> },
    Seconds { key: &'static str, given: f64 },
}

impl ConfigError {
    fn new(name: &str, fault: ConfigFault) -> Self {
        Self { name: name.into(), fault }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.escape_debug();
        match &self.fault {
            ConfigFault::Type { given } => write!(
                f,
                "invalid type `{}` for `{name}`: it must be one of {}",
                given.escape_debug(),
                ConfigType::NAMES.join(", ")
            ),
            ConfigFault::Option { key, of } => {
                write!(f, "`{key}` of `{name}` makes no sense for the type {of}")
            }
            ConfigFault::Seconds { key, given } => {
                write!(f, "`{key}` of `{name}` is {given}, which is not a number of seconds")
            }
        }
    }
}

impl Error for ConfigError {}

//! What a family says about itself: name, type, help, unit and constant labels.

use std::fmt;

use crate::name::{LabelName, MetricName};

/// The type of a metric family, as OpenMetrics 1.0 lists them.
///
/// Formats that lack a type write the nearest one they have (text 0.0.4 writes `Info` as a gauge).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricType {
    /// A value that only grows, and restarts at zero.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
    /// Observations summed up, with quantiles where they are kept.
    Summary,
    /// Labels that describe something, with the value 1.
    Info,
    /// One series a state, 1 where it holds.
    StateSet,
    /// A histogram whose counts may fall.
    GaugeHistogram,
    /// Nothing is known of how the value moves.
    Unknown,
}

impl MetricType {
    /// The word OpenMetrics uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Unknown => "unknown",
        }
    }

    /// The suffixes under which samples of a family of this type are written, by any format, beside
    /// its own name.
    ///
    /// A family may not have the name of another one's sample: `h_count` clashes with a histogram `h`.
    pub const fn sample_suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Histogram => &["_bucket", "_count", "_sum"],
            Self::Summary => &["_count", "_sum"],
            // The text format writes it as a histogram.
            Self::GaugeHistogram => &["_bucket", "_count", "_sum", "_gcount", "_gsum"],
            Self::Counter | Self::Gauge | Self::Info | Self::StateSet | Self::Unknown => &[],
        }
    }

    /// The label that samples of this type carry for themselves, so that no user may use it.
    pub const fn reserved_label(self) -> Option<&'static str> {
        match self {
            Self::Histogram | Self::GaugeHistogram => Some("le"),
            Self::Summary => Some("quantile"),
            Self::Counter | Self::Gauge | Self::Info | Self::StateSet | Self::Unknown => None,
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A label with its value, the same on every series of a family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The label's name.
    pub name: LabelName,
    /// The label's value, any UTF-8.
    pub value: Box<str>,
}

/// Everything about a family but its series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    name: MetricName,
    metric_type: MetricType,
    help: Box<str>,
    unit: Box<str>,
    const_labels: Vec<Label>,
    label_names: Vec<LabelName>,
}

impl Metadata {
    /// Describes a family without labels.
    pub fn new(name: MetricName, metric_type: MetricType, help: &str) -> Self {
        Self {
            name,
            metric_type,
            help: help.into(),
            unit: "".into(),
            const_labels: Vec::new(),
            label_names: Vec::new(),
        }
    }

    /// Adds a unit, such as `seconds`.
    #[must_use]
    pub fn with_unit(mut self, unit: &str) -> Self {
        self.unit = unit.into();
        self
    }

    /// Replaces the name, as a registry with a prefix does.
    ///
    /// The label of a state set's states is named as the family, so it follows.
    #[must_use]
    pub fn with_name(mut self, name: MetricName) -> Self {
        if let Some(at) = self.label_names.iter().position(|label| self.is_state_label(label)) {
            self.label_names[at] = LabelName::of_states(&name);
            self.label_names.sort();
        }
        self.name = name;
        self
    }

    /// Adds the names of the labels that tell series apart, in the order in which rows give values.
    ///
    /// # Errors
    /// Returns a [`MetadataError`] for a name given twice and for one the type reserves.
    pub fn with_label_names(mut self, names: Vec<LabelName>) -> Result<Self, MetadataError> {
        self.label_names = names;
        self.check()?;
        Ok(self)
    }

    /// Adds labels that every series carries; they are kept sorted by name.
    ///
    /// # Errors
    /// Returns a [`MetadataError`] for a name given twice and for one the type reserves.
    pub fn with_const_labels(
        mut self,
        labels: impl IntoIterator<Item = Label>,
    ) -> Result<Self, MetadataError> {
        self.const_labels.extend(labels);
        self.const_labels.sort();
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<(), MetadataError> {
        let error = |label: &LabelName, fault| {
            Err(MetadataError { family: self.name.clone(), label: label.clone(), fault })
        };
        let names = || self.const_labels.iter().map(|label| &label.name).chain(&self.label_names);
        for (at, name) in names().enumerate() {
            if self.metric_type.reserved_label() == Some(name.as_str()) {
                return error(name, LabelFault::Reserved(self.metric_type));
            }
            // Compared as old scrapers see them: `a.b` and `a_b` are one label there.
            let mut later = names().skip(at + 1);
            if later.any(|other| other.collides(name)) {
                return error(
                    name,
                    match self.is_state_label(name) {
                        true => LabelFault::Reserved(self.metric_type),
                        false => LabelFault::Duplicate,
                    },
                );
            }
        }
        Ok(())
    }

    /// Whether this is the label that says of which state a state set's sample is.
    pub fn is_state_label(&self, label: &LabelName) -> bool {
        self.metric_type == MetricType::StateSet && label.as_str() == self.name.as_str()
    }

    /// The family's name, as every format writes it.
    pub fn name(&self) -> &MetricName {
        &self.name
    }

    /// The family's type.
    pub fn metric_type(&self) -> MetricType {
        self.metric_type
    }

    /// What the family means, for people.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The unit, empty where none was given.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The labels that every series carries, sorted by name.
    pub fn const_labels(&self) -> &[Label] {
        &self.const_labels
    }

    /// The names of the labels that tell series apart.
    pub fn label_names(&self) -> &[LabelName] {
        &self.label_names
    }
}

/// Labels that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataError {
    family: MetricName,
    label: LabelName,
    fault: LabelFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LabelFault {
    Duplicate,
    Reserved(MetricType),
}

impl MetadataError {
    /// The label at fault.
    pub fn label(&self) -> &LabelName {
        &self.label
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, label, fault } = self;
        match fault {
            LabelFault::Duplicate => write!(f, "label `{label}` is given twice for `{family}`"),
            LabelFault::Reserved(metric_type) => {
                write!(f, "label `{label}` of `{family}` is reserved in a {metric_type}")
            }
        }
    }
}

impl std::error::Error for MetadataError {}

//! The one error of setting up instruments.

use std::fmt;

use narthex_model::{BoundsError, MetadataError, MetricName, NameError};

/// An instrument or collector that cannot be registered; nothing was changed.
///
/// ```
/// use narthex_core::{Counter, Registry};
///
/// let registry = Registry::new();
/// Counter::builder("jobs_total", "Jobs done.").register(&registry)?;
/// let error = Counter::builder("jobs_total", "Jobs done.").register(&registry).unwrap_err();
/// assert!(error.is_clash());
/// assert_eq!(error.to_string(), "cannot register `jobs_total`: the name is taken by a counter");
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterError {
    family: Box<str>,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    Name(NameError),
    Labels(MetadataError),
    Buckets(BoundsError),
    BucketList(String),
    TooManyLabels { got: usize, most: usize },
    TooManyBuckets { got: usize, most: usize },
    NoHelp,
    Taken { by: String },
    SampleName { name: String, family: MetricName },
    Differs { what: &'static str },
}

impl RegisterError {
    pub(crate) fn new(family: &str, fault: Fault) -> Self {
        Self { family: family.into(), fault }
    }

    /// The name of the family that was refused.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// Whether the family is sound but clashes with one that is registered already.
    pub fn is_clash(&self) -> bool {
        matches!(self.fault, Fault::Taken { .. } | Fault::SampleName { .. } | Fault::Differs { .. })
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot register `{}`: ", self.family.escape_debug())?;
        match &self.fault {
            Fault::Name(error) => error.fmt(f),
            Fault::Labels(error) => error.fmt(f),
            Fault::Buckets(error) => error.fmt(f),
            Fault::BucketList(reason) => f.write_str(reason),
            Fault::TooManyLabels { got, most } => {
                write!(f, "it has {got} labels, and {most} is the most a family can have")
            }
            Fault::TooManyBuckets { got, most } => {
                write!(f, "it has {got} buckets, and {most} is the most a histogram can have")
            }
            Fault::NoHelp => f.write_str("its help text is empty"),
            Fault::Taken { by } => write!(f, "the name is taken by {by}"),
            Fault::SampleName { name, family } => {
                write!(f, "both it and `{family}` would export `{name}`")
            }
            Fault::Differs { what } => write!(
                f,
                "the family is registered already, and its {what} would have to be the same"
            ),
        }
    }
}

impl std::error::Error for RegisterError {}

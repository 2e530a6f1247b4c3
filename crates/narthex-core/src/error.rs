//! The one error of setting up instruments.

use std::fmt;
use std::time::Duration;

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
    TooManyObjectives { got: usize, most: usize },
    Objective { quantile: f64, error: f64, fault: ObjectiveFault },
    AgeBuckets { got: u32, most: u32 },
    MaxAge { got: Duration },
    NoHelp,
    NoStates,
    EmptyState { at: usize },
    StateTwice { state: String },
    Taken { by: String },
    SampleName { name: String, family: MetricName },
    Differs { what: &'static str },
}

/// What is wrong with an objective of a summary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ObjectiveFault {
    Quantile,
    Error,
    Twice,
    TooFine { least: f64 },
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
            Fault::TooManyObjectives { got, most } => {
                write!(f, "it has {got} objectives, and {most} is the most a summary can have")
            }
            Fault::Objective { quantile, error, fault } => {
                write!(f, "in the objective `({quantile}, {error})`, {fault}")
            }
            Fault::AgeBuckets { got, most } => {
                write!(f, "it has {got} age buckets, and a summary has 1 to {most}")
            }
            Fault::MaxAge { got } => {
                write!(f, "its greatest age of {got:?} is too short for its age buckets")
            }
            Fault::NoHelp => f.write_str("its help text is empty"),
            Fault::NoStates => f.write_str("a state set needs at least one state"),
            Fault::EmptyState { at } => write!(f, "state {} is empty", at + 1),
            Fault::StateTwice { state } => {
                write!(f, "state `{}` is given twice", state.escape_debug())
            }
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

impl fmt::Display for ObjectiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile => f.write_str("the quantile is not from 0 to 1"),
            Self::Error => f.write_str("the error is not above 0 and below 1"),
            Self::Twice => f.write_str("the quantile is one that another objective has"),
            Self::TooFine { least } => write!(
                f,
                "the error is so small that most observations would be kept: {least:.1e} is the \
                 least for this quantile"
            ),
        }
    }
}

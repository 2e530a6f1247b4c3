//! Exemplars: single observations beside the sums that they went into.

use std::fmt;

use crate::metadata::Label;
use crate::name::{LabelName, NameError};

/// A single observation with labels of its own, such as the id of the trace that it was made in.
///
/// ```
/// use narthex_model::Exemplar;
///
/// let exemplar = Exemplar::new([("trace_id", "KOO5S4vxi0o")], 0.67)?.at(1_520_879_607_789);
/// assert_eq!(exemplar.value(), 0.67);
/// assert!(Exemplar::new([("trace_id", "x".repeat(200))], 0.67).is_err());
/// # Ok::<(), narthex_model::ExemplarError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Exemplar {
    labels: Box<[Label]>,
    value: f64,
    timestamp: Option<i64>,
}

impl Exemplar {
    /// The most code points that the names and values of the labels may have together.
    pub const MOST_CODE_POINTS: usize = 128;

    /// Checks the labels, whose names may be any UTF-8; they keep their order.
    ///
    /// # Errors
    /// Returns an [`ExemplarError`] for a bad name, for one given twice and where names and values
    /// have more than [`MOST_CODE_POINTS`](Self::MOST_CODE_POINTS) together.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(
        labels: impl IntoIterator<Item = (N, V)>,
        value: f64,
    ) -> Result<Self, ExemplarError> {
        let mut checked: Vec<Label> = Vec::new();
        let mut code_points = 0;
        for (name, value) in labels {
            let (name, value) = (name.as_ref(), value.as_ref());
            let name = LabelName::new_utf8(name).map_err(ExemplarError::Name)?;
            // Compared as old scrapers see them: `a.b` and `a_b` are one label there.
            if checked.iter().any(|label| label.name.collides(&name)) {
                return Err(ExemplarError::Duplicate(name));
            }
            code_points += name.as_str().chars().count() + value.chars().count();
            checked.push(Label { name, value: value.into() });
        }
        if code_points > Self::MOST_CODE_POINTS {
            return Err(ExemplarError::TooLong { code_points });
        }
        Ok(Self { labels: checked.into(), value, timestamp: None })
    }

    /// Adds the time of the observation, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// The labels, in the order in which they were given.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The value that was observed.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// When it was observed, in milliseconds since the Unix epoch.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }
}

/// Exemplars are equal when they show the same; NaN equals NaN, so that pages can be compared.
impl PartialEq for Exemplar {
    fn eq(&self, other: &Self) -> bool {
        self.labels == other.labels
            && (self.value == other.value || (self.value.is_nan() && other.value.is_nan()))
            && self.timestamp == other.timestamp
    }
}

/// Labels that an exemplar cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExemplarError {
    /// A name is not one.
    Name(NameError),
    /// A name is given twice.
    Duplicate(LabelName),
    /// Names and values are too long.
    TooLong {
        /// What they have together.
        code_points: usize,
    },
}

impl fmt::Display for ExemplarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(_) => f.write_str("a label of an exemplar cannot be used"),
            Self::Duplicate(name) => write!(f, "label `{name}` is given twice for an exemplar"),
            Self::TooLong { code_points } => write!(
                f,
                "the labels of an exemplar have {code_points} characters, {} are allowed",
                Exemplar::MOST_CODE_POINTS
            ),
        }
    }
}

impl std::error::Error for ExemplarError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Duplicate(_) | Self::TooLong { .. } => None,
        }
    }
}

/// The exemplars of a family's series: at most one a bucket of a histogram, one a counter.
///
/// Only series that have any take memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exemplars(Vec<BucketExemplar>);

/// An exemplar and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketExemplar {
    series: usize,
    bucket: usize,
    exemplar: Exemplar,
}

impl Exemplars {
    /// No exemplars.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the exemplar of a bucket of series `series`; a counter is its own bucket 0.
    ///
    /// Fastest in ascending order of series and buckets.
    pub fn set(&mut self, series: usize, bucket: usize, exemplar: Exemplar) {
        let new = BucketExemplar { series, bucket, exemplar };
        match self.0.binary_search_by_key(&(series, bucket), |e| (e.series, e.bucket)) {
            Ok(at) => self.0[at] = new,
            Err(at) => self.0.insert(at, new),
        }
    }

    /// The exemplars of series `series`, by bucket.
    pub fn of(&self, series: usize) -> &[BucketExemplar] {
        let start = self.0.partition_point(|e| e.series < series);
        let len = self.0[start..].iter().take_while(|e| e.series == series).count();
        &self.0[start..start + len]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of series up to the last one that has an exemplar.
    pub(crate) fn series(&self) -> usize {
        self.0.last().map_or(0, |last| last.series + 1)
    }
}

impl BucketExemplar {
    /// The index of the bucket, 0 for a counter.
    pub fn bucket(&self) -> usize {
        self.bucket
    }

    /// The exemplar.
    pub fn exemplar(&self) -> &Exemplar {
        &self.exemplar
    }
}

#[cfg(test)]
mod tests {
    use super::{Exemplar, ExemplarError, Exemplars};

    #[test]
    fn labels_have_at_most_128_code_points_together() {
        let exemplar = |len: usize| Exemplar::new([("tr\u{e9}", "\u{1f631}".repeat(len))], 1.0);
        assert!(exemplar(125).is_ok());
        assert_eq!(
            exemplar(126).unwrap_err().to_string(),
            "the labels of an exemplar have 129 characters, 128 are allowed"
        );
    }

    #[test]
    fn names_are_checked() {
        let error = |names: [&str; 2]| Exemplar::new(names.map(|name| (name, "v")), 1.0).err();
        assert_eq!(error(["a", "b"]), None);
        assert!(matches!(error(["a.b", "a_b"]), Some(ExemplarError::Duplicate(_))));
        assert!(matches!(error(["a", "__b"]), Some(ExemplarError::Name(_))));
        assert!(matches!(error(["a", ""]), Some(ExemplarError::Name(_))));
    }

    #[test]
    fn each_bucket_keeps_the_last_one() {
        let exemplar = |value| Exemplar::new([("a", "b")], value).unwrap();
        let mut exemplars = Exemplars::new();
        for (series, bucket, value) in [(3, 1, 1.0), (0, 2, 2.0), (3, 0, 3.0), (3, 1, f64::NAN)] {
            exemplars.set(series, bucket, exemplar(value));
        }
        let of = |series| {
            let of = exemplars.of(series).iter();
            of.map(|e| (e.bucket(), e.exemplar().value().to_string())).collect::<Vec<_>>()
        };
        assert_eq!(of(0), [(2, "2".to_owned())]);
        assert_eq!(of(1), []);
        assert_eq!(of(3), [(0, "3".to_owned()), (1, "NaN".to_owned())]);
        assert_eq!(exemplars.series(), 4);
        assert_eq!(exemplars, exemplars.clone());
    }
}

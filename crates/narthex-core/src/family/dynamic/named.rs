//! Series looked up by label names and values, in any order.

use std::fmt;

use narthex_model::LabelName;

use super::DynamicFamily;
use crate::instrument::{Child, Metric};

impl<M: Metric> DynamicFamily<M> {
    /// The names of the labels, in the order in which lookups give their values.
    pub fn label_names(&self) -> Vec<&LabelName> {
        let sorted = self.shared.store().names();
        let mut names: Vec<_> = sorted.iter().collect();
        for (name, &place) in sorted.iter().zip(self.order.as_deref().unwrap_or_default()) {
            names[place] = name;
        }
        names
    }

    /// The series of these labels, such as those of a map, in any order; made if there is none.
    ///
    /// It is slower than [`with`](Self::with), which is given the values in order.
    ///
    /// ```
    /// use narthex_core::{Counter, DynamicFamily, Registry};
    ///
    /// let registry = Registry::new();
    /// let rows = DynamicFamily::<Counter>::builder("rows_read_total", "Rows read.")
    ///     .label_names(["db", "table"])
    ///     .register(&registry)?;
    /// rows.with_labels([("table", "users"), ("db", "main")])?.inc();
    /// assert_eq!(
    ///     rows.with_labels([("table", "users")]).unwrap_err().to_string(),
    ///     "label `db` is missing",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`LabelError`] for a label that the family does not have, for one given twice, and
    /// for one that is missing.
    pub fn with_labels<N, V>(
        &self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Child<'_, M>, LabelError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let values = self.ordered(labels)?;
        let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
        Ok(self.with(&values).expect("there is one value a label"))
    }

    /// The series of these labels, in any order, as a handle to keep; made if there is none.
    ///
    /// # Errors
    /// Returns a [`LabelError`] for a label that the family does not have, for one given twice, and
    /// for one that is missing.
    pub fn resolve_labels<N, V>(
        &self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Result<M, LabelError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let values = self.ordered(labels)?;
        let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
        Ok(self.resolve(&values).expect("there is one value a label"))
    }

    /// One value a label, in the order of [`label_names`](Self::label_names).
    fn ordered<N, V>(&self, labels: impl IntoIterator<Item = (N, V)>) -> Result<Vec<V>, LabelError>
    where
        N: AsRef<str>,
    {
        let names = self.label_names();
        let values = LabelError::arrange(&names, labels)?;
        let missing = |name: &LabelName| LabelError(Fault::Missing { label: name.clone() });
        values
            .into_iter()
            .zip(names)
            .map(|(value, name)| value.ok_or_else(|| missing(name)))
            .collect()
    }
}

/// Labels that do not fit those of a family or an [`Info`](crate::Info).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelError(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Unknown { label: Box<str>, names: Box<[LabelName]> },
    Twice { label: LabelName },
    Missing { label: LabelName },
    Fixed,
}

impl LabelError {
    /// For an info that is a series of a family.
    pub(crate) const FIXED: Self = Self(Fault::Fixed);

    /// The label at fault, where it is a single one.
    pub fn label(&self) -> Option<&str> {
        match &self.0 {
            Fault::Unknown { label, .. } => Some(label),
            Fault::Twice { label } | Fault::Missing { label } => Some(label.as_str()),
            Fault::Fixed => None,
        }
    }

    /// The values of `labels` in the order of `names`, `None` where there is none.
    pub(crate) fn arrange<N: AsRef<str>, V>(
        names: &[&LabelName],
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Vec<Option<V>>, Self> {
        let mut values: Vec<Option<V>> = names.iter().map(|_| None).collect();
        for (name, value) in labels {
            let label = name.as_ref();
            let Some(place) = names.iter().position(|name| name.as_str() == label) else {
                let names = names.iter().map(|&name| name.clone()).collect();
                return Err(Self(Fault::Unknown { label: label.into(), names }));
            };
            if values[place].replace(value).is_some() {
                return Err(Self(Fault::Twice { label: names[place].clone() }));
            }
        }
        Ok(values)
    }
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Unknown { label, names } => {
                write!(f, "there is no label `{}`", label.escape_debug())?;
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                match names.len() {
                    0 => f.write_str(": there are no labels"),
                    1 => write!(f, ": the only one is {}", names[0]),
                    _ => write!(f, ": the labels are {}", names.join(", ")),
                }
            }
            Fault::Twice { label } => write!(f, "label `{label}` is given twice"),
            Fault::Missing { label } => write!(f, "label `{label}` is missing"),
            Fault::Fixed => f.write_str(
                "the labels of a series of a family are those that it was looked up by, and stay",
            ),
        }
    }
}

impl std::error::Error for LabelError {}

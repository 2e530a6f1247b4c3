//! What a handle to a registry adds to all that is registered through it.

use std::sync::Arc;

use narthex_model::{Label, LabelName, Metadata, MetricFamily, MetricName, MetricType, Problem};

use super::Registry;
use crate::error::{Fault, RegisterError};

/// The prefix and constant labels of a handle.
#[derive(Clone, Default)]
pub(super) struct Scope {
    prefix: String,
    const_labels: Vec<Label>,
    /// Labels of every family that does not have one of that name itself.
    default_labels: Vec<Label>,
    pub(super) existing: Existing,
}

/// What becomes of an instrument whose like is registered already.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Existing {
    #[default]
    Refused,
    Reused,
}

impl Registry {
    /// Starts another handle to this registry, under which everything gets a further prefix and
    /// further constant labels.
    ///
    /// ```
    /// use narthex_core::{Counter, Registry};
    ///
    /// let registry = Registry::new();
    /// let db = registry.scope().prefix("db").const_label("shard", "1").build()?;
    /// Counter::builder("queries_total", "Queries.").register(&db)?.inc();
    /// assert_eq!(registry.gather().value("db_queries_total", &[("shard", "1")]), Some(1.0));
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn scope(&self) -> RegistryBuilder {
        RegistryBuilder {
            outer: self.clone(),
            prefix: String::new(),
            const_labels: Vec::new(),
            default_labels: Vec::new(),
        }
    }

    /// A name as this handle exports it, valid or not.
    pub(crate) fn prefixed(&self, name: &str) -> String {
        self.scope.prefixed(name)
    }

    /// Another handle to this registry, which gives an instrument that is registered already
    /// instead of refusing to register it again.
    pub(crate) fn reusing(&self) -> Self {
        let scope = Scope { existing: Existing::Reused, ..self.scope.as_ref().clone() };
        Self { scope: Arc::new(scope), state: self.state.clone() }
    }
}

impl Scope {
    /// The description as the registry exports it.
    pub(super) fn exported(&self, metadata: Metadata) -> Result<Metadata, RegisterError> {
        let name = self.exported_name(metadata.name());
        let labels = self.labels_for(&metadata);
        metadata
            .with_name(name.clone())
            .with_const_labels(labels)
            .map_err(|error| RegisterError::new(name.as_str(), Fault::Labels(error)))
    }

    pub(super) fn exported_name(&self, name: &MetricName) -> MetricName {
        if self.prefix.is_empty() {
            return name.clone();
        }
        MetricName::new_utf8(&self.prefixed(name.as_str())).expect("a prefixed name is not empty")
    }

    /// A name behind the prefix, valid or not.
    pub(super) fn prefixed(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}_{name}", self.prefix) }
    }

    /// The family under another name and with the constant labels.
    pub(super) fn relabel(
        &self,
        family: MetricFamily,
        name: MetricName,
    ) -> Result<MetricFamily, Problem> {
        let labels = self.labels_for(family.metadata());
        if *family.name() == name && labels.is_empty() {
            return Ok(family);
        }
        family.relabel(name.clone(), &labels).map_err(|error| Problem::new(name, error))
    }

    /// The constant labels, and those default ones that the family does not have itself.
    fn labels_for(&self, metadata: &Metadata) -> Vec<Label> {
        let own = || {
            let constant = metadata.const_labels().iter().map(|label| &label.name);
            constant.chain(metadata.label_names())
        };
        let added = self.default_labels.iter().filter(|label| !own().any(|own| *own == label.name));
        self.const_labels.iter().chain(added).cloned().collect()
    }
}

/// Builds a [`Registry`], or a handle to one, whose families share a prefix or constant labels.
///
/// ```
/// use narthex_core::{Counter, Registry};
///
/// let registry = Registry::builder().prefix("app").const_label("zone", "a").build()?;
/// Counter::builder("jobs_total", "Jobs done.").register(&registry)?.inc();
/// assert_eq!(registry.gather().value("app_jobs_total", &[("zone", "a")]), Some(1.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RegistryBuilder {
    outer: Registry,
    prefix: String,
    const_labels: Vec<(String, String)>,
    default_labels: Vec<(String, String)>,
}

impl RegistryBuilder {
    /// Puts `prefix` and an underscore before every name; by default there is none.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Adds a label to every series; a family that has a label of that name itself is refused.
    #[must_use]
    pub fn const_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.const_labels.push((name.into(), value.into()));
        self
    }

    /// Adds a label to every series of the families that have no label of that name themselves.
    ///
    /// ```
    /// use narthex_core::{Gauge, Registry};
    ///
    /// let registry = Registry::builder().default_label("room", "cellar").build()?;
    /// Gauge::builder("humidity_ratio", "Humidity.").register(&registry)?;
    /// Gauge::builder("lamps", "Lamps.").const_label("room", "attic").register(&registry)?;
    /// let scrape = registry.gather();
    /// assert_eq!(scrape.value("humidity_ratio", &[("room", "cellar")]), Some(0.0));
    /// assert_eq!(scrape.value("lamps", &[("room", "attic")]), Some(0.0));
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    #[must_use]
    pub fn default_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.default_labels.push((name.into(), value.into()));
        self
    }

    /// Builds the registry.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] for a prefix or label name outside the classic set and for a
    /// label given twice.
    pub fn build(self) -> Result<Registry, RegisterError> {
        let Self { outer, prefix, const_labels, default_labels } = self;
        let error = |fault| RegisterError::new(&prefix, fault);
        let mut scope = outer.scope.as_ref().clone();
        if !prefix.is_empty() {
            MetricName::new(&prefix).map_err(|e| error(Fault::Name(e)))?;
            scope.prefix = scope.prefixed(&prefix);
        }
        // What is said here goes before a default of the handle that this one is made from.
        let said = |label: &Label| {
            const_labels
                .iter()
                .chain(&default_labels)
                .any(|(name, _)| *name == *label.name.as_str())
        };
        scope.default_labels.retain(|label| !said(label));
        for (labels, added) in
            [(&mut scope.const_labels, const_labels), (&mut scope.default_labels, default_labels)]
        {
            for (name, value) in added {
                let name = LabelName::new(&name).map_err(|e| error(Fault::Name(e)))?;
                labels.push(Label { name, value: value.into() });
            }
        }
        let probe = MetricName::new("registry").expect("a valid name");
        Metadata::new(probe, MetricType::Unknown, "")
            .with_const_labels(scope.const_labels.iter().chain(&scope.default_labels).cloned())
            .map_err(|e| error(Fault::Labels(e)))?;
        Ok(Registry { scope: Arc::new(scope), state: outer.state })
    }
}

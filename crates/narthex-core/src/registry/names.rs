//! Which names are taken: by families, and by the samples that they write.

use std::collections::HashMap;
use std::sync::Arc;

use narthex_model::{Metadata, MetricName, MetricType};

use crate::error::{Fault, RegisterError};

/// The names that registered families use.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// Several descriptions share a name where they differ in the values of constant labels.
    families: HashMap<MetricName, Vec<Arc<Metadata>>>,
    /// Each name that may appear on a page, escaped for old scrapers, with the family it is of.
    samples: HashMap<String, MetricName>,
}

impl Names {
    /// Takes the names of all `families`, or of none.
    pub(super) fn add(&mut self, families: &[Arc<Metadata>]) -> Result<(), RegisterError> {
        for (added, family) in families.iter().enumerate() {
            if let Err(fault) = self.add_one(family) {
                families[..added].iter().for_each(|family| self.remove(family));
                return Err(RegisterError::new(family.name().as_str(), fault));
            }
        }
        Ok(())
    }

    fn add_one(&mut self, family: &Arc<Metadata>) -> Result<(), Fault> {
        if let Some(others) = self.families.get(family.name()) {
            check_siblings(family, others)?;
        }
        for name in exposed_names(family) {
            if let Some(owner) = self.samples.get(&name).filter(|&owner| owner != family.name()) {
                return Err(Fault::SampleName { name, family: owner.clone() });
            }
        }
        for name in exposed_names(family) {
            self.samples.insert(name, family.name().clone());
        }
        self.families
            .entry(family.name().clone())
            .or_insert_with(|| Vec::with_capacity(1))
            .push(family.clone());
        Ok(())
    }

    /// Frees the names of a family that was added.
    pub(super) fn remove(&mut self, family: &Metadata) {
        let Some(siblings) = self.families.get_mut(family.name()) else { return };
        if let Some(at) = siblings.iter().position(|sibling| **sibling == *family) {
            siblings.remove(at);
        }
        if siblings.is_empty() {
            self.families.remove(family.name());
            for name in exposed_names(family) {
                self.samples.remove(&name);
            }
        }
    }
}

/// Two instruments may share a family only as different series of it.
fn check_siblings(family: &Metadata, others: &[Arc<Metadata>]) -> Result<(), Fault> {
    for other in others {
        let what = difference(family, other);
        if what != Some("type") && other.const_labels() == family.const_labels() {
            return Err(Fault::Taken { by: format!("a {}", other.metric_type()) });
        }
        if let Some(what) = what {
            return Err(Fault::Differs { what });
        }
    }
    Ok(())
}

/// What keeps two descriptions from being of one family.
pub(super) fn difference(family: &Metadata, other: &Metadata) -> Option<&'static str> {
    let label_names = |metadata: &Metadata| {
        let constant = metadata.const_labels().iter().map(|label| label.name.clone());
        constant.chain(metadata.label_names().iter().cloned()).collect::<Vec<_>>()
    };
    if other.metric_type() != family.metric_type() {
        Some("type")
    } else if other.help() != family.help() {
        Some("help text")
    } else if other.unit() != family.unit() {
        Some("unit")
    } else if label_names(other) != label_names(family) {
        Some("label names")
    } else {
        None
    }
}

/// Every name under which the family or a sample of it appears in some format.
///
/// OpenMetrics 1.0 strips `_total` and `_info` from the family's name and may write `_created`.
fn exposed_names(family: &Metadata) -> Vec<String> {
    // As a scraper sees it that does not understand UTF-8 names.
    let name = &*family.name().underscored();
    let metric_type = family.metric_type();
    let mut names = vec![name.to_owned()];
    names.extend(metric_type.sample_suffixes().iter().map(|suffix| format!("{name}{suffix}")));
    let base = match metric_type {
        MetricType::Counter => name.strip_suffix("_total"),
        MetricType::Info => name.strip_suffix("_info"),
        _ => None,
    };
    names.extend(base.map(str::to_owned));
    let created = match metric_type {
        MetricType::Counter => base,
        MetricType::Histogram | MetricType::Summary => Some(name),
        _ => None,
    };
    names.extend(created.map(|base| format!("{base}_created")));
    names
}

//! The table `[labels]`: labels of every exported metric.

use std::collections::BTreeMap;

use narthex_core::Registry;
use narthex_exporter::{Section, SettingsError};
use narthex_model::{LabelName, MetricFamily};
use toml::Spanned;

/// The labels, with their places in the file.
#[derive(Debug)]
pub(super) struct Labels {
    section: Section,
    labels: BTreeMap<Spanned<String>, String>,
}

impl Labels {
    /// Reads the table; a name that no label can have is an error.
    pub(super) fn read(section: &Section) -> Result<Self, SettingsError> {
        let labels: BTreeMap<Spanned<String>, String> = section.parse()?;
        for name in labels.keys() {
            LabelName::new(name.get_ref()).map_err(|error| section.error(&name.span(), error))?;
        }
        Ok(Self { section: section.clone(), labels })
    }

    /// A registry that has these labels; one that any of the `families` has already is an error.
    pub(super) fn registry<'f>(
        &self,
        families: impl IntoIterator<Item = &'f MetricFamily>,
    ) -> Result<Registry, SettingsError> {
        for family in families {
            self.check(family)?;
        }
        let labels = self.labels.iter();
        let builder = labels.fold(Registry::builder(), |builder, (name, value)| {
            builder.const_label(name.get_ref(), value)
        });
        Ok(builder.build().expect("the names were checked, and a table has each of them once"))
    }

    fn check(&self, family: &MetricFamily) -> Result<(), SettingsError> {
        let metadata = family.metadata();
        let constant = metadata.const_labels().iter().map(|label| &label.name);
        for taken in metadata.label_names().iter().chain(constant) {
            let clash = self.labels.keys().find(|name| name.get_ref() == taken.as_str());
            if let Some(name) = clash {
                let message = format!("`{}` has a label of this name already", family.name());
                return Err(self.section.error(&name.span(), message));
            }
        }
        Ok(())
    }
}

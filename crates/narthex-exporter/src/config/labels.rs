//! The table `[labels]`: labels of every exported metric.

use std::fmt;
use std::ops::Range;

use narthex_model::{LabelName, NameError};
use toml::Spanned;

use crate::settings::{Fields, Section, SettingsError};

/// The labels, with their places in the file.
pub(super) struct ConfigLabels {
    section: Section,
    labels: Vec<(LabelName, Range<usize>, String)>,
}

impl ConfigLabels {
    pub(super) fn read(section: &Section) -> Result<Self, SettingsError> {
        let mut fields = section.fields()?;
        let labels = labels(&mut fields);
        fields.finish(Self { section: section.clone(), labels })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = FileLabel<'_>> {
        self.labels.iter().map(|(name, span, value)| FileLabel {
            section: &self.section,
            span,
            name,
            value,
        })
    }
}

/// A label of `[labels]`.
#[derive(Debug)]
#[non_exhaustive]
pub struct FileLabel<'f> {
    section: &'f Section,
    span: &'f Range<usize>,
    /// Its name.
    pub name: &'f LabelName,
    /// Its value.
    pub value: &'f str,
}

impl FileLabel<'_> {
    /// An error at the place of this label in the file.
    pub fn error(&self, message: impl fmt::Display) -> SettingsError {
        self.section.error(self.span, message)
    }
}

/// The labels that are left in a table of labels.
pub(super) fn labels(fields: &mut Fields<'_>) -> Vec<(LabelName, Range<usize>, String)> {
    let mut labels = Vec::new();
    for (name, value) in fields.named::<String>() {
        if let Some(valid) = fields.check(&name.span(), label_name(&name)) {
            labels.push((valid, name.span(), value.into_inner()));
        }
    }
    labels
}

/// A label name that no format keeps for itself.
pub(super) fn label_name(name: &Spanned<String>) -> Result<LabelName, LabelFault> {
    match name.get_ref().as_str() {
        reserved @ ("le" | "quantile") => Err(LabelFault::Reserved(reserved.to_owned())),
        name => LabelName::new(name).map_err(LabelFault::Name),
    }
}

/// Why a name cannot be that of a label.
pub(super) enum LabelFault {
    Name(NameError),
    Reserved(String),
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Reserved(name) => {
                write!(f, "`{name}` is the label of histograms or summaries alone")
            }
        }
    }
}

//! What a family looks like in a text format: its type and its names.

use narthex_model::{Escaping, Label, LabelName, MetricFamily, MetricType, escape_into};

use super::spelled::Sample;
use crate::family_type::type_by_values;
use crate::format::CreatedLines;

/// One of the text formats, with what a scraper may choose of it.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) syntax: Syntax,
    pub(crate) escaping: Escaping,
}

/// Where the text formats differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// The text format; its versions differ in their content types only.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics(CreatedLines),
}

/// A family as a page shows it.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) family: &'a MetricFamily,
    pub(super) dialect: Dialect,
    /// The type as which it is written.
    pub(super) metric_type: MetricType,
    /// Whether all names lie in the classic set, so that lines need not look.
    is_classic: bool,
}

impl<'a> Shown<'a> {
    /// The family by its own type, unless that says something else than its values.
    pub(super) fn new(family: &'a MetricFamily, dialect: Dialect) -> Self {
        let metadata = family.metadata();
        let is_classic = metadata.name().is_classic()
            && metadata.label_names().iter().all(LabelName::is_classic)
            && metadata.const_labels().iter().all(|label| label.name.is_classic());
        Self { family, dialect, metric_type: type_by_values(family), is_classic }
    }

    /// The family written as another type.
    pub(super) fn as_type(self, metric_type: MetricType) -> Self {
        Self { metric_type, ..self }
    }

    pub(super) fn is_openmetrics(&self) -> bool {
        self.dialect.syntax != Syntax::Prometheus
    }

    /// Whether the exemplars of the family, if it has any, are written.
    pub(super) fn shows_exemplars(&self) -> bool {
        let type_has_some = matches!(
            self.metric_type,
            MetricType::Counter | MetricType::Histogram | MetricType::GaugeHistogram
        );
        self.is_openmetrics() && type_has_some && self.family.exemplars().is_some()
    }

    /// Whether the creation times of the family, if it has any, are written.
    pub(super) fn shows_created(&self) -> bool {
        let type_has_some = matches!(
            self.metric_type,
            MetricType::Counter | MetricType::Histogram | MetricType::Summary
        );
        self.dialect.syntax == Syntax::OpenMetrics(CreatedLines::Written)
            && type_has_some
            && self.family.created().is_some()
    }

    /// Appends the name of the family as its head has it, and a suffix.
    pub(super) fn push_family_name(&self, out: &mut Vec<u8>, suffix: &[u8]) {
        if self.quotes_name() {
            out.push(b'"');
        }
        self.push_bare_family_name(out);
        out.extend_from_slice(suffix);
        if self.quotes_name() {
            out.push(b'"');
        }
    }

    /// Appends the name of the family as its head has it, never in quotes.
    pub(super) fn push_bare_family_name(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.is_classic {
            out.extend_from_slice(self.family.name().as_str().as_bytes());
        } else if self.quotes_name() {
            escape_into(out, self.family.name().as_str());
        } else {
            self.family.name().escape_into(out, self.dialect.escaping);
        }
        out.truncate(out.len() - self.family_suffix(&out[start..]).len());
    }

    /// Appends what a line of the sample begins with: all up to its first label.
    pub(super) fn push_start(&self, out: &mut Vec<u8>, sample: Sample) {
        if self.quotes_name() {
            out.push(b'{');
        }
        self.push_family_name(out, sample.suffix(self));
        if !self.quotes_name() {
            out.push(b'{');
        }
    }

    /// Appends the name of a label of the series, in quotes where it needs them.
    pub(super) fn push_label_name(&self, out: &mut Vec<u8>, name: &LabelName) {
        if self.is_classic {
            out.extend_from_slice(name.as_str().as_bytes());
        } else {
            push_label_name(out, name, self.dialect.escaping);
        }
    }

    /// Appends `name="value"` of a label of the series.
    pub(super) fn push_label(&self, out: &mut Vec<u8>, label: &Label) {
        self.push_label_name(out, &label.name);
        push_label_value(out, label);
    }

    /// Whether the fragments of all labels are as this format wants them.
    pub(super) fn takes_fragments(&self) -> bool {
        // A fragment has a name outside the classic set in quotes.
        self.is_classic
            || self.dialect.escaping == Escaping::AllowUtf8
            || self.family.metadata().label_names().iter().all(LabelName::is_classic)
    }

    /// Whether the name of the family stands in quotes and, on lines of samples, in the braces.
    fn quotes_name(&self) -> bool {
        !self.is_classic
            && self.dialect.escaping == Escaping::AllowUtf8
            && !self.family.name().is_classic()
    }

    /// The end of the family's name that OpenMetrics takes for a suffix of the samples.
    fn family_suffix(&self, name: &[u8]) -> &'static [u8] {
        let suffix = self.required_suffix();
        if name.ends_with(suffix) { suffix } else { b"" }
    }

    /// The suffix that samples of the type must have.
    pub(super) fn required_suffix(&self) -> &'static [u8] {
        match self.metric_type {
            MetricType::Counter if self.is_openmetrics() => b"_total",
            MetricType::Info if self.is_openmetrics() => b"_info",
            _ => b"",
        }
    }
}

/// Appends `name="value"`.
pub(super) fn push_label(out: &mut Vec<u8>, label: &Label, escaping: Escaping) {
    push_label_name(out, &label.name, escaping);
    push_label_value(out, label);
}

fn push_label_value(out: &mut Vec<u8>, label: &Label) {
    out.extend_from_slice(b"=\"");
    escape_into(out, &label.value);
    out.push(b'"');
}

fn push_label_name(out: &mut Vec<u8>, name: &LabelName, escaping: Escaping) {
    if escaping == Escaping::AllowUtf8 && !name.is_classic() {
        out.push(b'"');
        escape_into(out, name.as_str());
        out.push(b'"');
    } else {
        name.escape_into(out, escaping);
    }
}

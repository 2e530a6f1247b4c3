//! The tables `[metrics.NAME]`: metrics whose values stand in the file.

use std::collections::BTreeSet;
use std::ops::Range;

use narthex_core::Collector;
use narthex_model::{
    FamilyBuilder, LabelName, Metadata, MetricFamily, MetricName, MetricType, Number,
};
use toml::Spanned;

use super::Described;
use super::labels::labels;
use crate::settings::{Fields, Section, SettingsError};

/// The metrics, with their places in the file.
pub(super) struct ConfigMetrics {
    section: Section,
    metrics: Vec<(Range<usize>, MetricFamily)>,
}

impl ConfigMetrics {
    pub(super) fn read(section: &Section) -> Result<Self, SettingsError> {
        let mut fields = section.fields()?;
        let mut metrics = Vec::new();
        let mut names = BTreeSet::new();
        for (name, mut table) in fields.named_tables() {
            let family = metric(&name, &mut table, &mut names);
            metrics.extend(family.map(|family| (name.span(), family)));
            fields.end(table);
        }
        fields.finish(Self { section: section.clone(), metrics })
    }

    pub(super) fn described(&self) -> impl Iterator<Item = (&str, Described<'_>)> {
        self.metrics.iter().map(|(span, family)| {
            let (metric_type, help) = (family.metric_type(), family.metadata().help());
            let described =
                Described { section: &self.section, span, metric_type, help, family: Some(family) };
            (family.name().as_str(), described)
        })
    }

    pub(super) fn collector(&self) -> impl Collector {
        Constant(self.metrics.iter().map(|(_, family)| family.clone()).collect())
    }
}

fn metric(
    name: &Spanned<String>,
    table: &mut Fields<'_>,
    names: &mut BTreeSet<MetricName>,
) -> Option<MetricFamily> {
    let valid = metric_name(name, table);
    let metric_type = metric_type(table);
    let help = table.optional::<String>("help").map(Spanned::into_inner).unwrap_or_default();
    let value = table.optional::<toml::Value>("value");
    let labels = match table.table("labels") {
        Some(mut table_of_labels) => {
            let labels = labels(&mut table_of_labels);
            table.end(table_of_labels);
            labels
        }
        None => Vec::new(),
    };
    let value = value.map(|value| (value.span(), number(value.get_ref())));
    let value = match value {
        Some((span, value)) => table.check(&span, value)?,
        None => Number::Unsigned(0),
    };
    let is_total = value.as_f64() >= 0.0;
    if metric_type == MetricType::Counter && !is_total {
        let span = table.span();
        table.fail(&span, "`value` of a counter must be zero or more");
        return None;
    }
    let valid = valid?;
    if !names.insert(valid.clone()) {
        table.fail(&name.span(), &format!("there are two metrics called `{valid}`"));
        return None;
    }
    let family = FamilyBuilder::new(metric_type, valid.as_str(), help);
    let family = labels.iter().fold(family, |family, (name, _, value): &(LabelName, _, String)| {
        family.const_label(name.as_str(), value)
    });
    table.check(&name.span(), family.sample([""; 0], value).build())
}

/// The name as it is exported: as it is written, with `_` for blanks as in prometheus_exporter.
pub(super) fn metric_name(name: &Spanned<String>, table: &mut Fields<'_>) -> Option<MetricName> {
    table.check(&name.span(), MetricName::new(&name.get_ref().replace(' ', "_")))
}

/// The type, which is unknown where none is given.
pub(super) fn metric_type(table: &mut Fields<'_>) -> MetricType {
    let Some(given) = table.optional::<String>("type") else { return MetricType::Unknown };
    match &*given.get_ref().to_ascii_lowercase() {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "untyped" | "unknown" => MetricType::Unknown,
        other => {
            let other = other.escape_debug();
            let message = format!("`{other}` is none of `counter`, `gauge` and `untyped`");
            table.fail(&given.span(), &message);
            MetricType::Unknown
        }
    }
}

fn number(value: &toml::Value) -> Result<Number, String> {
    match value {
        toml::Value::Integer(integer) => {
            Ok(u64::try_from(*integer).map_or(Number::Float(*integer as f64), Number::Unsigned))
        }
        toml::Value::Float(float) => Ok(Number::Float(*float)),
        toml::Value::Boolean(boolean) => Ok((*boolean).into()),
        other => Err(format!("wrong type: expected a number, found {}", other.type_str())),
    }
}

/// Collects metrics that never change.
struct Constant(Vec<MetricFamily>);

impl Collector for Constant {
    fn describe(&self) -> Vec<Metadata> {
        self.0.iter().map(|family| family.metadata().clone()).collect()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        families.extend(self.0.iter().cloned());
    }
}

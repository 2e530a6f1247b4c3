//! What the rules look at.

use std::borrow::Cow;
use std::collections::HashSet;

use narthex_model::{MetricFamily, MetricType};

use crate::parse::TextSyntax;
use crate::parse::page::Draft;

/// A family, from a scrape or from a page.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) metric_type: MetricType,
    pub(super) has_help: bool,
    pub(super) unit: &'a str,
    pub(super) series: Vec<Series<'a>>,
}

/// A series; the label that a type has for itself is none of its labels.
#[derive(Debug)]
pub(super) struct Series<'a> {
    pub(super) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The value, unless it is a histogram or summary.
    pub(super) value: Option<f64>,
}

impl<'a> Subject<'a> {
    pub(super) fn from_family(family: &'a MetricFamily) -> Self {
        let series = family.metrics().map(|metric| Series {
            labels: metric.labels().map(|(name, value)| (name.as_str().into(), value)).collect(),
            value: metric.number(),
        });
        Self {
            name: family.name().as_str().into(),
            metric_type: family.metric_type(),
            has_help: !family.metadata().help().is_empty(),
            unit: family.metadata().unit(),
            series: series.collect(),
        }
    }

    pub(super) fn from_draft(draft: &Draft<'a>, syntax: TextSyntax) -> Self {
        let metric_type = draft.metric_type.unwrap_or(MetricType::Unknown);
        let own = metric_type.reserved_label();
        let mut seen = HashSet::new();
        let mut series = Vec::new();
        for sample in &draft.samples {
            if draft.suffix(sample) == "_created" {
                continue;
            }
            let labels = sample.labels().iter().filter(|(name, _)| Some(&**name) != own);
            let labels: Vec<_> = labels.collect();
            let value = match own {
                None => Some(sample.value().as_f64()),
                // Many samples make up one histogram or summary.
                Some(_) => {
                    let mut key = labels.clone();
                    key.sort();
                    if !seen.insert(key) {
                        continue;
                    }
                    None
                }
            };
            series.push(Series { labels, value });
        }
        Self {
            name: draft.exported_name(syntax),
            metric_type,
            has_help: draft.help.as_ref().is_some_and(|help| !help.is_empty()),
            unit: draft.unit,
            series,
        }
    }

    pub(super) fn is(&self, metric_type: MetricType) -> bool {
        self.metric_type == metric_type
    }

    /// The words of the name, in lower case.
    pub(super) fn words(&self) -> Vec<String> {
        self.name.split('_').map(str::to_ascii_lowercase).collect()
    }
}

//! The metrics one run of a source has set so far.

use std::collections::HashMap;
use std::fmt;

use narthex_model::{Bounds, FamilyBuilder, FamilyError, MetricFamily, MetricType, Number};

/// Families under construction, and the first mistake that was made with them.
#[derive(Default)]
pub(super) struct Group {
    drafts: Vec<Draft>,
    by_name: HashMap<Box<str>, usize>,
    ready: Vec<MetricFamily>,
    mistake: Option<Mistake>,
}

/// A family of which rows may still change.
struct Draft {
    metric_type: MetricType,
    name: Box<str>,
    help: Box<str>,
    label_names: Vec<Box<str>>,
    bounds: Vec<f64>,
    rows: HashMap<Box<[Box<str>]>, usize>,
    values: Vec<RowValue>,
}

/// The value of one series.
pub(super) enum RowValue {
    Number(Number),
    Histogram { counts: Vec<u64>, sum: f64 },
}

impl Group {
    /// Finds or adds a family; `None` where one of that name is described otherwise.
    pub(super) fn declare(
        &mut self,
        metric_type: MetricType,
        name: &str,
        help: &str,
        label_names: &[&str],
        bounds: &[f64],
    ) -> Option<usize> {
        let Some(&known) = self.by_name.get(name) else {
            let index = self.drafts.len();
            self.drafts.push(Draft {
                metric_type,
                name: name.into(),
                help: help.into(),
                label_names: label_names.iter().map(|&name| name.into()).collect(),
                bounds: bounds.to_vec(),
                rows: HashMap::new(),
                values: Vec::new(),
            });
            self.by_name.insert(name.into(), index);
            return Some(index);
        };
        let draft = &self.drafts[known];
        let differs = if draft.metric_type != metric_type {
            "type"
        } else if *draft.help != *help {
            "help text"
        } else if !draft.label_names.iter().map(|name| &**name).eq(label_names.iter().copied()) {
            "label names"
        } else if draft.bounds != bounds {
            "buckets"
        } else {
            return Some(known);
        };
        self.fail(Mistake::Differs { family: name.into(), what: differs });
        None
    }

    pub(super) fn set(&mut self, family: usize, labels: &[&str], value: RowValue) {
        let draft = &mut self.drafts[family];
        let labels = labels.iter().map(|&value| value.into()).collect();
        let row = *draft.rows.entry(labels).or_insert(draft.values.len());
        match draft.values.get_mut(row) {
            Some(old) => *old = value,
            None => draft.values.push(value),
        }
    }

    pub(super) fn add(&mut self, family: MetricFamily) {
        self.ready.push(family);
    }

    /// All families, those first that were described here.
    pub(super) fn finish(mut self) -> Result<Vec<MetricFamily>, Mistake> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let mut families = Vec::with_capacity(self.drafts.len() + self.ready.len());
        for draft in self.drafts {
            families.push(draft.build()?);
        }
        families.append(&mut self.ready);
        check_same_names(&families)?;
        families.retain(|family| !family.is_empty());
        Ok(families)
    }

    fn fail(&mut self, mistake: Mistake) {
        self.mistake.get_or_insert(mistake);
    }
}

impl Draft {
    fn build(self) -> Result<MetricFamily, Mistake> {
        let family = self.name;
        let mut builder = match self.metric_type {
            MetricType::Histogram => MetricFamily::histogram(&*family, self.help, &self.bounds),
            other => FamilyBuilder::new(other, &*family, self.help),
        }
        .label_names(&self.label_names);
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|&(_, row)| row);
        for ((labels, _), value) in rows.into_iter().zip(self.values) {
            match value {
                RowValue::Number(value) => {
                    if self.metric_type == MetricType::Counter && !is_total(value) {
                        return Err(Mistake::Total { family, value });
                    }
                    builder.push(labels, value);
                }
                RowValue::Histogram { counts, sum } => {
                    // Bad bounds are the builder's to tell of.
                    let expected = Bounds::new(&self.bounds).map_or(counts.len(), |b| b.buckets());
                    if counts.len() != expected {
                        return Err(Mistake::Counts { family, expected, got: counts.len() });
                    }
                    builder.push_histogram(labels, counts, sum);
                }
            }
        }
        builder.build().map_err(Mistake::Family)
    }
}

/// Whether a counter may have this value.
fn is_total(value: Number) -> bool {
    value.as_f64() >= 0.0
}

/// Finds families of one name that cannot be one family; equal ones are merged with the scrape.
fn check_same_names(families: &[MetricFamily]) -> Result<(), Mistake> {
    let mut seen = HashMap::with_capacity(families.len());
    for family in families {
        let first: &MetricFamily = seen.entry(family.name().as_str()).or_insert(family);
        let what = if first.metric_type() != family.metric_type() {
            "type"
        } else if first.metadata().help() != family.metadata().help() {
            "help text"
        } else {
            continue;
        };
        return Err(Mistake::Differs { family: family.name().as_str().into(), what });
    }
    Ok(())
}

/// A mistake in what a source has set.
#[derive(Debug)]
pub(super) enum Mistake {
    Family(FamilyError),
    Differs { family: Box<str>, what: &'static str },
    Total { family: Box<str>, value: Number },
    Counts { family: Box<str>, expected: usize, got: usize },
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family(error) => error.fmt(f),
            Self::Differs { family, what } => {
                write!(f, "`{}` is set twice, and not with the same {what}", family.escape_debug())
            }
            Self::Total { family, value } => write!(
                f,
                "counter `{}` cannot be {}: it must be zero or more",
                family.escape_debug(),
                value.as_f64()
            ),
            Self::Counts { family, expected, got } => write!(
                f,
                "histogram `{}` has {expected} buckets with +Inf, but {got} counts are given",
                family.escape_debug()
            ),
        }
    }
}

impl std::error::Error for Mistake {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Shown as itself, so what lies below it follows.
            Self::Family(error) => error.source(),
            Self::Differs { .. } | Self::Total { .. } | Self::Counts { .. } => None,
        }
    }
}

//! Families of the model, built from rows that may differ in labels, bounds and quantiles.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use narthex_model::{
    Bounds, BoundsError, Exemplar, Exemplars, FamilyBuilder, FamilyError, MetricFamily, MetricName,
    MetricType, NativeHistogram, Number, Problem, Scrape,
};

use super::labels::Labels;

/// A family as rows.
#[derive(Debug)]
pub(super) struct Family<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) metric_type: MetricType,
    pub(super) help: Cow<'a, str>,
    pub(super) unit: Cow<'a, str>,
    pub(super) rows: Vec<Row<'a>>,
}

/// A series with its value.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) labels: RowLabels<'a>,
    pub(super) value: RowValue,
    pub(super) timestamp: Option<i64>,
    pub(super) created: Option<i64>,
    /// Exemplars with the index of the bucket they belong to, which is 0 for a counter.
    pub(super) exemplars: Vec<(usize, Exemplar)>,
}

/// The labels of a row.
#[derive(Clone, Debug)]
pub(super) enum RowLabels<'a> {
    /// Those on the page, without the one that the type has for itself.
    Page {
        labels: Labels<'a>,
        left_out: &'static str,
    },
    List(Vec<(Cow<'a, str>, Cow<'a, str>)>),
}

#[derive(Debug)]
pub(super) enum RowValue {
    Number(Number),
    /// The upper bounds but for +Inf, the observations in each bucket alone with that, and the sum.
    Histogram {
        bounds: Vec<f64>,
        counts: Vec<u64>,
        sum: f64,
    },
    /// A native histogram, with the same of its classic buckets.
    Native {
        bounds: Vec<f64>,
        counts: Vec<u64>,
        /// Boxed, for rows of numbers are as large as the largest.
        native: Box<NativeHistogram>,
    },
    /// Quantiles with their values, the number of observations and their sum.
    Summary {
        quantiles: Vec<(f64, f64)>,
        count: u64,
        sum: f64,
    },
}

impl<'a> Row<'a> {
    /// A row that has nothing but labels and a value.
    pub(super) fn new(labels: RowLabels<'a>, value: RowValue) -> Self {
        Self { labels, value, timestamp: None, created: None, exemplars: Vec::new() }
    }
}

impl Row<'_> {
    /// Leaves a native histogram with its classic buckets alone.
    pub(super) fn make_classic(&mut self) {
        if let RowValue::Native { bounds, counts, native } = &mut self.value {
            let (bounds, counts) = (std::mem::take(bounds), std::mem::take(counts));
            self.value = RowValue::Histogram { bounds, counts, sum: native.sum() };
        }
    }
}

impl RowLabels<'_> {
    /// Calls `each` with every label that has a value; an empty one is the same as none.
    pub(super) fn for_each<'r>(&'r self, mut each: impl FnMut(Cow<'r, str>, Cow<'r, str>)) {
        match self {
            Self::Page { labels, left_out } => {
                for (name, value) in *labels {
                    if !value.is_empty() && name != *left_out {
                        each(name, value);
                    }
                }
            }
            Self::List(list) => {
                for (name, value) in list.iter().filter(|(_, value)| !value.is_empty()) {
                    each(Cow::Borrowed(name), Cow::Borrowed(value));
                }
            }
        }
    }

    /// The labels that have a value, sorted by name, so that two sets can be compared.
    pub(super) fn sorted(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let mut labels = Vec::new();
        self.for_each(|name, value| labels.push((name, value)));
        labels.sort();
        labels
    }
}

/// The families of a page under construction.
#[derive(Debug, Default)]
pub(super) struct ScrapeBuilder {
    families: Vec<MetricFamily>,
    problems: Vec<Problem>,
}

impl ScrapeBuilder {
    /// Adds a family; one that cannot be built becomes a problem of the scrape.
    pub(super) fn push(&mut self, family: &Family<'_>) {
        match family.build() {
            Ok((built, dropped)) => {
                if dropped > 0 {
                    self.problems.push(Problem::repeated_series(built.name().clone(), dropped));
                }
                self.families.push(built);
            }
            Err(error) => {
                if let Ok(name) = MetricName::new_utf8(&family.name) {
                    self.problems.push(Problem::new(name, error));
                }
            }
        }
    }

    /// Notes that a part of the family is left out.
    pub(super) fn note(&mut self, family: &str, reason: impl fmt::Display) {
        if let Ok(name) = MetricName::new_utf8(family) {
            self.problems.push(Problem::in_part(name, reason));
        }
    }

    pub(super) fn finish(self) -> Scrape {
        let mut scrape = Scrape::new(self.families);
        scrape.push_problems(self.problems);
        scrape
    }
}

/// Why a family is left out of a scrape.
enum Unfit {
    Model(FamilyError),
    /// A column a label would take memory that grows with the square of the page.
    Sparse {
        names: usize,
        rows: usize,
    },
}

impl From<FamilyError> for Unfit {
    fn from(error: FamilyError) -> Self {
        Self::Model(error)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => {
                write!(f, "{error}")?;
                match std::error::Error::source(error) {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
            Self::Sparse { names, rows } => {
                write!(f, "its {rows} series have {names} different labels, few of them in common")
            }
        }
    }
}

impl Family<'_> {
    /// Whether the rows can share one column.
    pub(super) fn fits(&self) -> bool {
        let Some(first) = self.rows.first() else {
            return true;
        };
        match &first.value {
            RowValue::Number(_) => self.all(|value| matches!(value, RowValue::Number(_))),
            RowValue::Histogram { bounds: first, .. } => {
                let same = |value: &_| matches!(value, RowValue::Histogram { bounds, .. } if bounds == first);
                model_bounds(first).is_ok() && self.all(same)
            }
            RowValue::Native { bounds: first, .. } => {
                let same =
                    |value: &_| matches!(value, RowValue::Native { bounds, .. } if bounds == first);
                model_bounds(first).is_ok() && self.all(same)
            }
            RowValue::Summary { .. } => self.all(|value| matches!(value, RowValue::Summary { .. })),
        }
    }

    fn all(&self, holds: impl Fn(&RowValue) -> bool) -> bool {
        self.rows.iter().all(|row| holds(&row.value))
    }

    /// The family, and how many rows were left out because another has the same labels.
    fn build(&self) -> Result<(MetricFamily, usize), Unfit> {
        let table = LabelTable::new(&self.rows);
        table.check(self.rows.len())?;
        match self.build_rows(&table, |_| true) {
            Ok(family) => Ok((family, 0)),
            Err(error) => {
                // Rows are compared only here, for hardly any page repeats one.
                let mut seen = HashSet::new();
                let mut repeated = Vec::new();
                for row in &self.rows {
                    repeated.push(!seen.insert(row.labels.sorted()));
                }
                let dropped = repeated.iter().filter(|repeated| **repeated).count();
                if dropped == 0 {
                    return Err(error.into());
                }
                let family = self.build_rows(&table, |at| !repeated[at])?;
                Ok((family, dropped))
            }
        }
    }

    fn build_rows(
        &self,
        table: &LabelTable<'_>,
        keep: impl Fn(usize) -> bool,
    ) -> Result<MetricFamily, FamilyError> {
        let quantiles = self.quantiles();
        let mut builder = self.start(&quantiles).utf8_names().unit(&*self.unit);
        builder = builder.label_names(&table.names);
        let mut exemplars = Exemplars::new();
        let mut slots = Slots::default();
        let kept = self.rows.iter().enumerate().filter(|(at, _)| keep(*at));
        for (built, (_, row)) in kept.enumerate() {
            let values = slots.fill(table, row);
            match &row.value {
                RowValue::Number(number) => builder.push(values, *number),
                RowValue::Histogram { counts, sum, .. } => {
                    builder.push_histogram(values, counts.iter().copied(), *sum);
                }
                RowValue::Native { counts, native, .. } => {
                    builder.push_native_histogram(
                        values,
                        counts.iter().copied(),
                        NativeHistogram::clone(native),
                    );
                }
                RowValue::Summary { quantiles: own, count, sum } => {
                    let value = |level: &f64| {
                        let found = own.iter().find(|(own, _)| own == level);
                        found.map_or(f64::NAN, |(_, value)| *value)
                    };
                    builder.push_summary(values, quantiles.iter().map(value), *count, *sum);
                }
            }
            if let Some(timestamp) = row.timestamp {
                builder.push_timestamp(timestamp);
            }
            if let Some(created) = row.created {
                builder.push_created(created);
            }
            for (bucket, exemplar) in &row.exemplars {
                exemplars.set(built, *bucket, exemplar.clone());
            }
        }
        let family = builder.build()?;
        if exemplars.is_empty() { Ok(family) } else { family.with_exemplars(exemplars) }
    }

    fn start(&self, quantiles: &[f64]) -> FamilyBuilder {
        let (name, help) = (&*self.name, &*self.help);
        let plain = || FamilyBuilder::new(self.metric_type, name, help);
        match self.rows.first().map(|row| &row.value) {
            Some(RowValue::Histogram { bounds, .. }) => {
                plain().histograms(model_bounds(bounds).expect(FITS))
            }
            Some(RowValue::Native { bounds, .. }) => {
                plain().native_histograms(model_bounds(bounds).expect(FITS))
            }
            Some(RowValue::Summary { .. }) => MetricFamily::summary(name, help, quantiles),
            Some(RowValue::Number(_)) | None => plain(),
        }
    }

    /// All quantiles that any row has, ascending.
    fn quantiles(&self) -> Vec<f64> {
        let mut quantiles: Vec<f64> = Vec::new();
        for row in &self.rows {
            if let RowValue::Summary { quantiles: own, .. } = &row.value
                && !own.iter().map(|(level, _)| level).eq(&quantiles)
            {
                quantiles.extend(own.iter().map(|(level, _)| level));
                quantiles.sort_by(f64::total_cmp);
                quantiles.dedup();
            }
        }
        quantiles
    }
}

/// Histograms become a family only where [`Family::fits`] holds.
const FITS: &str = "the bounds were checked when the family was found to fit";

/// The bounds of the finite buckets, of which there may be none.
fn model_bounds(bounds: &[f64]) -> Result<Bounds, BoundsError> {
    if bounds.is_empty() { Ok(Bounds::none()) } else { Bounds::new(bounds) }
}

/// The label names of all rows.
struct LabelTable<'a> {
    names: Vec<Cow<'a, str>>,
    index: HashMap<Cow<'a, str>, usize>,
    /// Labels that the rows have together.
    labels: usize,
}

impl<'a> LabelTable<'a> {
    fn new(rows: &'a [Row<'_>]) -> Self {
        let mut table = Self { names: Vec::new(), index: HashMap::new(), labels: 0 };
        let mut places = Vec::new();
        for row in rows {
            let mut k = 0;
            row.labels.for_each(|name, _| {
                let known = table.find(&name, k, &places);
                remember(&mut places, k, known.unwrap_or(table.names.len()));
                if known.is_none() {
                    table.index.insert(name.clone(), table.names.len());
                    table.names.push(name);
                }
                k += 1;
            });
            table.labels += k;
        }
        table
    }

    /// Refuses rows whose table would be almost empty.
    fn check(&self, rows: usize) -> Result<(), Unfit> {
        /// Places in the table for each label there is.
        const SPARSE: usize = 16;
        /// A table of any page may be as large as this.
        const SMALL: usize = 1 << 20;
        let places = self.names.len().saturating_mul(rows);
        if places <= SMALL.max(SPARSE * self.labels) {
            return Ok(());
        }
        Err(Unfit::Sparse { names: self.names.len(), rows })
    }

    /// The column of a name, which mostly is the one that the row before had in its place.
    fn find(&self, name: &str, k: usize, places: &[usize]) -> Option<usize> {
        let guess = places.get(k).copied();
        guess.filter(|&at| self.names[at] == name).or_else(|| self.index.get(name).copied())
    }
}

fn remember(places: &mut Vec<usize>, k: usize, at: usize) {
    match places.get_mut(k) {
        Some(place) => *place = at,
        None => places.push(at),
    }
}

/// The values of a row in the order of the label names, in memory that is used again.
#[derive(Default)]
struct Slots<'a> {
    values: Vec<Cow<'a, str>>,
    places: Vec<usize>,
}

impl<'a> Slots<'a> {
    fn fill(&mut self, table: &LabelTable<'_>, row: &'a Row<'_>) -> &[Cow<'a, str>] {
        self.values.clear();
        self.values.resize(table.names.len(), Cow::Borrowed(""));
        let mut k = 0;
        row.labels.for_each(|name, value| {
            if let Some(at) = table.find(&name, k, &self.places) {
                remember(&mut self.places, k, at);
                self.values[at] = value;
            }
            k += 1;
        });
        &self.values
    }
}

//! Families one after the other, without a scrape of them all.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::family::MetricFamily;
use crate::metadata::MetricType;
use crate::scrape::{Problem, Scrape};
use crate::series::Series;
use crate::value::{Bounds, Column, HistogramColumn, Number};

/// What metric families can be had from, one after the other and large ones part by part.
///
/// Whoever writes them somewhere then needs memory for one part, whatever the number of series: the
/// columns of the parts before are used again. Registries and scrapes are such sources.
///
/// ```
/// use std::ops::ControlFlow;
/// use narthex_model::{Families, MetricFamily, Scrape, SpareColumns};
///
/// let up = MetricFamily::gauge("up", "Up.").sample([""; 0], 1.0).build()?;
/// let scrape = Scrape::new(vec![up]);
/// let mut names = Vec::new();
/// scrape.visit(&mut SpareColumns::default(), &|_| true, &mut |part| {
///     if part.is_first() {
///         names.push(part.family().name().to_string());
///     }
///     ControlFlow::Continue(())
/// });
/// assert_eq!(names, ["up"]);
/// # Ok::<(), narthex_model::FamilyError>(())
/// ```
pub trait Families {
    /// Calls `each` with every part of every family, sorted by name, until it breaks.
    ///
    /// A family comes in one part unless `divides` says of its type that it may come in several.
    /// Columns are made of the `spare` ones and go back there. Returns what was left out.
    fn visit(
        &self,
        spare: &mut SpareColumns,
        divides: &dyn Fn(MetricType) -> bool,
        each: &mut dyn FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> Vec<Problem>;
}

impl Families for Scrape {
    fn visit(
        &self,
        _: &mut SpareColumns,
        _: &dyn Fn(MetricType) -> bool,
        each: &mut dyn FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> Vec<Problem> {
        let _ = self.families().iter().try_for_each(|family| each(Part::whole(family)));
        Vec::new()
    }
}

/// Some rows of a family that follow each other, or all of them.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    family: &'a MetricFamily,
    all: &'a Series,
    start: usize,
}

impl<'a> Part<'a> {
    /// A family as its only part.
    pub fn whole(family: &'a MetricFamily) -> Self {
        Self { family, all: family.series(), start: 0 }
    }

    /// The rows of `family`, which are those of `all` from `start` on.
    pub fn new(family: &'a MetricFamily, all: &'a Series, start: usize) -> Self {
        Self { family, all, start }
    }

    /// A family that has only the rows of this part.
    pub fn family(&self) -> &'a MetricFamily {
        self.family
    }

    /// The series of all parts.
    pub fn all_series(&self) -> &'a Series {
        self.all
    }

    /// Whether the family begins here.
    pub fn is_first(&self) -> bool {
        self.start == 0
    }

    /// Whether the family ends here.
    pub fn is_last(&self) -> bool {
        self.start + self.family.len() >= self.all.len()
    }
}

/// Columns that are no longer needed, whose memory new ones get.
#[derive(Debug, Default)]
pub struct SpareColumns {
    unsigned: VecDeque<Vec<u64>>,
    float: VecDeque<Vec<f64>>,
    histograms: VecDeque<HistogramColumn>,
}

impl SpareColumns {
    /// Columns of a kind that are kept; more would be memory that nobody asks for.
    const MOST: usize = 4;

    /// Takes a column that is no longer needed.
    pub fn put(&mut self, column: Column) {
        fn keep<T>(columns: &mut VecDeque<T>, column: T) {
            if columns.len() < SpareColumns::MOST {
                columns.push_back(column);
            }
        }
        match column {
            Column::Unsigned(values) => keep(&mut self.unsigned, values),
            Column::Float(values) => keep(&mut self.float, values),
            Column::Histogram(column) => keep(&mut self.histograms, column),
            // Rare, or made of more than one piece of memory a series.
            Column::Mixed(_) | Column::NativeHistogram(_) | Column::Summary(_) => {}
        }
    }

    /// An empty column of whole numbers with room for `len`.
    pub fn unsigned(&mut self, len: usize) -> Vec<u64> {
        cleared(self.unsigned.pop_front(), len)
    }

    /// An empty column of floating-point numbers with room for `len`.
    pub fn float(&mut self, len: usize) -> Vec<f64> {
        cleared(self.float.pop_front(), len)
    }

    /// An empty column of histograms.
    pub fn histograms(&mut self, bounds: &Bounds) -> HistogramColumn {
        match self.histograms.pop_front() {
            Some(column) => column.cleared(bounds.clone()),
            None => HistogramColumn::new(bounds.clone()),
        }
    }

    /// A column of one number.
    pub fn number(&mut self, number: Number) -> Column {
        match number {
            Number::Unsigned(value) => {
                let mut values = self.unsigned(1);
                values.push(value);
                Column::Unsigned(values)
            }
            Number::Float(value) => {
                let mut values = self.float(1);
                values.push(value);
                Column::Float(values)
            }
        }
    }
}

fn cleared<T>(values: Option<Vec<T>>, len: usize) -> Vec<T> {
    let mut values = values.unwrap_or_default();
    values.clear();
    values.reserve(len);
    values
}

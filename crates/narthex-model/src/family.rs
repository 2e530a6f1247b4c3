//! Metric families: what a scrape is a list of.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::exemplar::{BucketExemplar, Exemplar, Exemplars};
use crate::metadata::{Label, Metadata, MetadataError, MetricType};
use crate::name::{LabelName, MetricName, NameError};
use crate::native::NativeHistogram;
use crate::series::{Series, SeriesBuilder};
use crate::value::{
    Bounds, BoundsError, Column, ColumnBuilder, HistogramColumn, NativeHistogramColumn, Number,
    Quantiles, QuantilesError, SummaryColumn, Value,
};
use side::SideColumns;

mod side;

/// A snapshot of a metric family: its description, the labels of its series and one column of
/// values.
///
/// ```
/// use narthex_model::MetricFamily;
///
/// let family = MetricFamily::gauge("temperature_celsius", "Temperature of a room.")
///     .label_names(["room"])
///     .sample(["kitchen"], 21.5)
///     .sample(["cellar"], 12.0)
///     .build()?;
/// assert_eq!(family.name(), "temperature_celsius");
/// assert_eq!(family.len(), 2);
/// # Ok::<(), narthex_model::FamilyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MetricFamily {
    metadata: Arc<Metadata>,
    series: Series,
    values: Column,
    /// Most families have none.
    side: Option<Box<SideColumns>>,
}

impl MetricFamily {
    /// Starts a counter family.
    pub fn counter(name: impl Into<String>, help: impl Into<String>) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::Counter, name, help)
    }

    /// Starts a gauge family.
    pub fn gauge(name: impl Into<String>, help: impl Into<String>) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::Gauge, name, help)
    }

    /// Starts a family whose labels describe something, such as a version; its values are 1.
    pub fn info(name: impl Into<String>, help: impl Into<String>) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::Info, name, help)
    }

    /// Starts a family with a series for each state, which is 1 where the state holds and else 0.
    ///
    /// The label that says which state it is must be named as the family.
    ///
    /// ```
    /// use narthex_model::MetricFamily;
    ///
    /// let family = MetricFamily::state_set("job_state", "What the job does.")
    ///     .label_names(["job", "job_state"])
    ///     .sample(["backup", "idle"], 0_u64)
    ///     .sample(["backup", "running"], 1_u64)
    ///     .build()?;
    /// assert_eq!(family.len(), 2);
    /// # Ok::<(), narthex_model::FamilyError>(())
    /// ```
    pub fn state_set(name: impl Into<String>, help: impl Into<String>) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::StateSet, name, help)
    }

    /// Starts a family of which nothing is known but its values.
    pub fn unknown(name: impl Into<String>, help: impl Into<String>) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::Unknown, name, help)
    }

    /// Starts a histogram family.
    pub fn histogram(
        name: impl Into<String>,
        help: impl Into<String>,
        bounds: &[f64],
    ) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::Histogram, name, help).bounds(bounds)
    }

    /// Starts a family of histograms whose counts may fall, such as the sizes of what is there now.
    pub fn gauge_histogram(
        name: impl Into<String>,
        help: impl Into<String>,
        bounds: &[f64],
    ) -> FamilyBuilder {
        FamilyBuilder::new(MetricType::GaugeHistogram, name, help).bounds(bounds)
    }

    /// Starts a family of native histograms, which have classic buckets too unless `bounds` is
    /// empty.
    pub fn native_histogram(
        name: impl Into<String>,
        help: impl Into<String>,
        bounds: &[f64],
    ) -> FamilyBuilder {
        let mut builder = FamilyBuilder::new(MetricType::Histogram, name, help);
        match if bounds.is_empty() { Ok(Bounds::none()) } else { Bounds::new(bounds) } {
            Ok(bounds) => builder.native_histograms(bounds),
            Err(error) => {
                builder.fail(FamilyFault::Bounds(error));
                builder
            }
        }
    }

    /// Starts a summary family; `quantiles` may be empty.
    pub fn summary(
        name: impl Into<String>,
        help: impl Into<String>,
        quantiles: &[f64],
    ) -> FamilyBuilder {
        let mut builder = FamilyBuilder::new(MetricType::Summary, name, help);
        match Quantiles::new(quantiles) {
            Ok(quantiles) => {
                builder.column = ColumnBuilder::Summary(SummaryColumn::new(quantiles));
            }
            Err(error) => builder.fail(FamilyFault::Quantiles(error)),
        }
        builder
    }

    /// Puts a family together from its parts, as live instruments do.
    ///
    /// # Errors
    /// Returns a [`FamilyError`] where the parts do not have the same number of series or labels.
    pub fn from_parts(
        metadata: Arc<Metadata>,
        series: Series,
        values: Column,
    ) -> Result<Self, FamilyError> {
        let labels = metadata.label_names().len();
        if series.labels() != labels || series.len() != values.len() {
            let fault = FamilyFault::Parts { series: series.len(), values: values.len() };
            return Err(FamilyError { family: metadata.name().as_str().into(), fault });
        }
        Ok(Self { metadata, series, values, side: None })
    }

    /// Adds the time since which each series counts, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// Returns a [`FamilyError`] where there is not one entry a series.
    pub fn with_created(mut self, created: Vec<Option<i64>>) -> Result<Self, FamilyError> {
        self.check_side(created.len() == self.len(), created.len())?;
        let mut side = self.side.take().unwrap_or_default();
        side.put_created(created);
        self.side = side.finish(self.len());
        Ok(self)
    }

    /// Adds exemplars to counters or to buckets of histograms.
    ///
    /// Formats leave out what belongs to neither.
    ///
    /// # Errors
    /// Returns a [`FamilyError`] where one belongs to a series that there is not.
    pub fn with_exemplars(mut self, exemplars: Exemplars) -> Result<Self, FamilyError> {
        if exemplars.is_empty() && self.side.is_none() {
            return Ok(self);
        }
        self.check_side(exemplars.series() <= self.len(), exemplars.series())?;
        let mut side = self.side.take().unwrap_or_default();
        side.put_exemplars(exemplars);
        self.side = side.finish(self.len());
        Ok(self)
    }

    fn check_side(&self, fits: bool, values: usize) -> Result<(), FamilyError> {
        let fault = FamilyFault::Parts { series: self.len(), values };
        let error = || FamilyError { family: self.name().as_str().into(), fault };
        if fits { Ok(()) } else { Err(error()) }
    }

    /// Everything but the series.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The family's name.
    pub fn name(&self) -> &MetricName {
        self.metadata.name()
    }

    /// The family's type.
    pub fn metric_type(&self) -> MetricType {
        self.metadata.metric_type()
    }

    /// The labels of the series.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The values of the series.
    pub fn values(&self) -> &Column {
        &self.values
    }

    /// The values of the series, for a caller that takes the family apart.
    pub fn into_values(self) -> Column {
        self.values
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the family has no series.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The timestamps that were given with the values, in milliseconds since the Unix epoch.
    pub fn timestamps(&self) -> Option<&[Option<i64>]> {
        self.side.as_ref()?.timestamps()
    }

    /// The times since which the series count, in milliseconds since the Unix epoch.
    pub fn created(&self) -> Option<&[Option<i64>]> {
        self.side.as_ref()?.created()
    }

    /// The exemplars of the series.
    pub fn exemplars(&self) -> Option<&Exemplars> {
        self.side.as_ref()?.exemplars()
    }

    /// One series.
    pub fn metric(&self, index: usize) -> Option<Metric<'_>> {
        let value = self.values.value(index)?;
        Some(Metric { family: self, index, value })
    }

    /// All series.
    pub fn metrics(&self) -> impl Iterator<Item = Metric<'_>> {
        (0..self.len()).filter_map(|index| self.metric(index))
    }

    /// The same series under another name and with more constant labels, as a registry with a
    /// prefix exports them.
    ///
    /// # Errors
    /// Returns a [`MetadataError`] where a constant label is also a label of the family.
    pub fn relabel(
        mut self,
        name: MetricName,
        const_labels: &[Label],
    ) -> Result<Self, MetadataError> {
        let metadata = Metadata::clone(&self.metadata)
            .with_name(name)
            .with_const_labels(const_labels.iter().cloned())?;
        if metadata.label_names() != self.metadata.label_names() {
            self.series = self.series_under(&metadata);
        }
        self.metadata = Arc::new(metadata);
        Ok(self)
    }

    /// The series with label names as `metadata` has them: the label of a state set's states is
    /// named as the family.
    fn series_under(&self, metadata: &Metadata) -> Series {
        let names = metadata.label_names();
        let mut series = SeriesBuilder::new(names);
        for metric in self.metrics() {
            let value = |name: &LabelName| match metadata.is_state_label(name) {
                true => metric.label(self.name().as_str()),
                false => metric.label(name.as_str()),
            };
            let values: Vec<_> = names.iter().map(value).collect();
            series.push(values.iter().map(Option::as_deref));
        }
        series.finish()
    }

    /// The series for which `keep` holds, which is given the labels and the value.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&Metric<'_>) -> bool) -> Self {
        let mut rows = FamilyRows::new(&self.metadata, &self.values);
        for metric in self.metrics().filter(|metric| keep(metric)) {
            rows.push(&metric);
        }
        rows.finish(self.metadata.clone())
    }

    /// One family with the series of both; a series that both have is taken from `self`.
    ///
    /// Returns the family and the number of series of `other` that were dropped as duplicates.
    ///
    /// # Errors
    /// Returns a [`MergeError`] where `other` differs in type or, as a histogram or summary, in
    /// bounds or quantiles.
    pub fn merge(&self, other: &Self) -> Result<(Self, usize), MergeError> {
        let mut labels = self.metadata.label_names().to_vec();
        for name in other.metadata.label_names() {
            if !labels.contains(name) {
                labels.push(name.clone());
            }
        }
        // Constant labels differ between the halves, so they become labels of the series.
        let consts = [&self.metadata, &other.metadata].map(|m| m.const_labels());
        let keep_consts = consts[0] == consts[1];
        if !keep_consts {
            for label in consts.into_iter().flatten() {
                if !labels.contains(&label.name) {
                    labels.push(label.name.clone());
                }
            }
        }
        labels.sort();
        let plain = Metadata::new(self.name().clone(), self.metric_type(), self.metadata.help())
            .with_unit(self.metadata.unit());
        let kept = if keep_consts { consts[0] } else { &[] };
        let metadata = plain
            .with_const_labels(kept.iter().cloned())
            .and_then(|metadata| metadata.with_label_names(labels));
        let Ok(metadata) = metadata else {
            return Err(MergeError(()));
        };
        let mut rows = FamilyRows::new(&metadata, &self.values);
        if self.metric_type() != other.metric_type() || !rows.column.accepts(&other.values) {
            return Err(MergeError(()));
        }
        for metric in self.metrics() {
            rows.push(&metric);
        }
        let dropped = other.metrics().filter(|metric| !rows.push(metric)).count();
        Ok((rows.finish(Arc::new(metadata)), dropped))
    }
}

/// Two families of one name that cannot be one family: they differ in type, buckets or quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeError(());

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the families differ in type, buckets, quantiles or reserved labels")
    }
}

impl std::error::Error for MergeError {}

/// Families are equal when a reader could not tell them apart: same description, and the same
/// series in the same order.
impl PartialEq for MetricFamily {
    fn eq(&self, other: &Self) -> bool {
        let labels = |metric: Metric<'_>| {
            let mut labels: Vec<_> =
                metric.labels().map(|(name, value)| (name.clone(), value.into_owned())).collect();
            labels.sort();
            labels
        };
        self.name() == other.name()
            && self.metric_type() == other.metric_type()
            && self.metadata.help() == other.metadata.help()
            && self.metadata.unit() == other.metadata.unit()
            && self.len() == other.len()
            && self.metrics().zip(other.metrics()).all(|(a, b)| {
                a.value == b.value
                    && a.timestamp() == b.timestamp()
                    && a.created() == b.created()
                    && a.exemplars().eq(b.exemplars())
                    && labels(a) == labels(b)
            })
    }
}

/// One series of a family with its value.
#[derive(Clone)]
pub struct Metric<'a> {
    family: &'a MetricFamily,
    index: usize,
    value: Value<'a>,
}

impl<'a> Metric<'a> {
    /// The labels the series has, constant ones first; absent ones are left out.
    pub fn labels(&self) -> impl Iterator<Item = (&'a LabelName, Cow<'a, str>)> + use<'a> {
        let metadata: &'a Metadata = &self.family.metadata;
        let constant =
            metadata.const_labels().iter().map(|label| (&label.name, Cow::Borrowed(&*label.value)));
        let own = metadata
            .label_names()
            .iter()
            .zip(self.family.series.fragments(self.index))
            .filter(|(_, fragment)| !fragment.is_empty())
            .map(|(name, fragment)| (name, fragment.value()));
        constant.chain(own)
    }

    /// The value of one label, if the series has it.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels().find(|(label, _)| label.as_str() == name).map(|(_, value)| value)
    }

    /// Whether the series has all of these labels; an empty value stands for an absent label.
    ///
    /// No labels at all match every series.
    pub fn matches(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|&(name, value)| self.label(name).as_deref().unwrap_or("") == value)
    }

    /// The value.
    pub fn value(&self) -> Value<'a> {
        self.value
    }

    /// The value as a number, unless it is a histogram or summary.
    pub fn number(&self) -> Option<f64> {
        match self.value {
            Value::Number(number) => Some(number.as_f64()),
            Value::Histogram(_) | Value::NativeHistogram(_) | Value::Summary(_) => None,
        }
    }

    /// The timestamp given with the value, in milliseconds since the Unix epoch.
    pub fn timestamp(&self) -> Option<i64> {
        *self.family.timestamps()?.get(self.index)?
    }

    /// The time since which the series counts, in milliseconds since the Unix epoch.
    pub fn created(&self) -> Option<i64> {
        *self.family.created()?.get(self.index)?
    }

    /// The exemplars with the index of the bucket they belong to, which is 0 for a counter.
    pub fn exemplars(&self) -> impl Iterator<Item = (usize, &'a Exemplar)> + use<'a> {
        let exemplars = self.family.exemplars().map_or(&[][..], |all| all.of(self.index));
        exemplars.iter().map(|e: &BucketExemplar| (e.bucket(), e.exemplar()))
    }
}

impl fmt::Debug for Metric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.labels()).finish()?;
        write!(f, " {:?}", self.value)
    }
}

/// Rows that are copied from other families.
struct FamilyRows {
    names: Vec<LabelName>,
    series: SeriesBuilder,
    column: ColumnBuilder,
    side: SideColumns,
}

impl FamilyRows {
    fn new(metadata: &Metadata, like: &Column) -> Self {
        let names = metadata.label_names().to_vec();
        Self {
            series: SeriesBuilder::new(&names),
            names,
            column: ColumnBuilder::like(like),
            side: SideColumns::default(),
        }
    }

    /// Adds a row unless there is one with these labels already.
    fn push(&mut self, metric: &Metric<'_>) -> bool {
        let labels: Vec<_> = metric.labels().collect();
        let value = |name: &LabelName| {
            labels.iter().find(|(label, _)| *label == name).map(|(_, value)| &**value)
        };
        let row = self.series.rows();
        let new = self.series.push(self.names.iter().map(value));
        if new {
            self.column.append(&metric.family.values, metric.index);
            if let Some(timestamp) = metric.timestamp() {
                self.side.set_timestamp(row, timestamp);
            }
            if let Some(created) = metric.created() {
                self.side.set_created(row, created);
            }
            for (bucket, exemplar) in metric.exemplars() {
                self.side.set_exemplar(row, bucket, exemplar.clone());
            }
        }
        new
    }

    fn finish(self, metadata: Arc<Metadata>) -> MetricFamily {
        let series = self.series.finish();
        let side = self.side.finish(series.len());
        MetricFamily { metadata, series, values: self.column.finish(), side }
    }
}

/// Builds a family row by row; the first mistake is kept and returned by [`build`](Self::build).
#[derive(Debug)]
pub struct FamilyBuilder {
    name: String,
    help: String,
    unit: String,
    metric_type: MetricType,
    const_labels: Vec<Label>,
    label_names: Vec<LabelName>,
    /// Which of a row's values belongs to each label name, for the names are kept sorted.
    order: Vec<usize>,
    series: SeriesBuilder,
    column: ColumnBuilder,
    side: SideColumns,
    utf8: bool,
    fault: Option<FamilyFault>,
}

impl FamilyBuilder {
    /// Starts a family of a type; see [`MetricFamily::counter`] and its siblings.
    pub fn new(metric_type: MetricType, name: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            help: help.into(),
            unit: String::new(),
            metric_type,
            const_labels: Vec::new(),
            label_names: Vec::new(),
            order: Vec::new(),
            series: SeriesBuilder::new(&[]),
            column: ColumnBuilder::Numbers(Vec::new()),
            side: SideColumns::default(),
            utf8: false,
            fault: None,
        }
    }

    /// Accepts any UTF-8 in names from here on; by default only the classic set.
    #[must_use]
    pub fn utf8_names(mut self) -> Self {
        self.utf8 = true;
        self
    }

    /// Gives the family a unit, such as `seconds`; by default it has none.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Makes the values histograms with these bounds, which may be none: of a gauge histogram too.
    ///
    /// ```
    /// use narthex_model::{Bounds, FamilyBuilder, MetricType};
    ///
    /// let mut family = FamilyBuilder::new(MetricType::GaugeHistogram, "queue_bytes", "Messages.")
    ///     .histograms(Bounds::none());
    /// family.push_histogram([""; 0], [3], 12.5);
    /// assert_eq!(family.build()?.len(), 1);
    /// # Ok::<(), narthex_model::FamilyError>(())
    /// ```
    #[must_use]
    pub fn histograms(mut self, bounds: Bounds) -> Self {
        self.column = ColumnBuilder::Histogram(HistogramColumn::new(bounds));
        self
    }

    /// Makes the values native histograms, with classic buckets of these bounds beside them, which
    /// may be none: of a gauge histogram too.
    #[must_use]
    pub fn native_histograms(mut self, bounds: Bounds) -> Self {
        let column = NativeHistogramColumn::new(Some(bounds));
        self.column = ColumnBuilder::NativeHistogram(column);
        self
    }

    /// Adds a label that every series carries.
    #[must_use]
    pub fn const_label(mut self, name: &str, value: impl Into<String>) -> Self {
        match self.label_name(name) {
            Ok(name) => {
                self.const_labels.push(Label { name, value: value.into().into() });
            }
            Err(error) => self.fail(FamilyFault::Name(error)),
        }
        self
    }

    /// Names the labels that tell the series apart, before any sample is added.
    ///
    /// Samples give their values in this order; pages show the labels sorted by name.
    #[must_use]
    pub fn label_names<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Result<Vec<_>, _> =
            names.into_iter().map(|name| self.label_name(name.as_ref())).collect();
        match names {
            Ok(names) => {
                self.order = (0..names.len()).collect();
                self.order.sort_by(|&a, &b| names[a].cmp(&names[b]));
                self.label_names = self.order.iter().map(|&k| names[k].clone()).collect();
                self.series = SeriesBuilder::new(&self.label_names);
            }
            Err(error) => self.fail(FamilyFault::Name(error)),
        }
        self
    }

    /// Adds a series: one value a label name, and its number.
    #[must_use]
    pub fn sample<V: AsRef<str>>(
        mut self,
        labels: impl IntoIterator<Item = V>,
        value: impl Into<Number>,
    ) -> Self {
        self.push(labels, value);
        self
    }

    /// Adds a series, for use in a loop.
    pub fn push<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        value: impl Into<Number>,
    ) {
        self.push_number(labels, value.into(), None);
    }

    /// Adds a series with the time at which its value held, in milliseconds since the Unix epoch.
    ///
    /// A series with a timestamp of its own outlives its target by five minutes in Prometheus, so
    /// leave it out unless the value is re-exported from elsewhere.
    pub fn push_at<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        value: impl Into<Number>,
        timestamp: i64,
    ) {
        self.push_number(labels, value.into(), Some(timestamp));
    }

    /// Adds a histogram series: the observations in each bucket alone, +Inf last, and their sum.
    pub fn push_histogram<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        counts: impl IntoIterator<Item = u64>,
        sum: f64,
    ) {
        if !matches!(self.column, ColumnBuilder::Histogram(_)) {
            self.fail(FamilyFault::Kind);
        } else if self.push_row(labels, None)
            && let ColumnBuilder::Histogram(column) = &mut self.column
        {
            column.push(counts, sum);
        }
    }

    /// Adds a native histogram series: the observations in each classic bucket but +Inf, and the
    /// native histogram; see [`NativeHistogramColumn::push`].
    pub fn push_native_histogram<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        counts: impl IntoIterator<Item = u64>,
        histogram: NativeHistogram,
    ) {
        if !matches!(self.column, ColumnBuilder::NativeHistogram(_)) {
            self.fail(FamilyFault::Kind);
        } else if self.push_row(labels, None)
            && let ColumnBuilder::NativeHistogram(column) = &mut self.column
        {
            column.push(counts, histogram);
        }
    }

    /// Adds a summary series: one value a quantile, NaN where there is none, then the number of
    /// observations and their sum.
    pub fn push_summary<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        values: impl IntoIterator<Item = f64>,
        count: u64,
        sum: f64,
    ) {
        if !matches!(self.column, ColumnBuilder::Summary(_)) {
            self.fail(FamilyFault::Kind);
        } else if self.push_row(labels, None)
            && let ColumnBuilder::Summary(column) = &mut self.column
        {
            column.push(values, count, sum);
        }
    }

    /// Says since when the series that was added last counts, in milliseconds since the Unix
    /// epoch.
    pub fn push_created(&mut self, created: i64) {
        match self.series.rows().checked_sub(1) {
            Some(row) => self.side.set_created(row, created),
            None => self.fail(FamilyFault::NoSeries),
        }
    }

    /// Says at which time the value of the series that was added last held, in milliseconds since
    /// the Unix epoch; see [`push_at`](Self::push_at).
    pub fn push_timestamp(&mut self, timestamp: i64) {
        match self.series.rows().checked_sub(1) {
            Some(row) => self.side.set_timestamp(row, timestamp),
            None => self.fail(FamilyFault::NoSeries),
        }
    }

    /// Adds an exemplar to the series that was added last, a counter or a histogram; there it
    /// belongs to the classic bucket that counts its value.
    ///
    /// A native histogram without classic buckets may have several, which are numbered instead.
    ///
    /// ```
    /// use narthex_model::{Exemplar, MetricFamily};
    ///
    /// let mut family = MetricFamily::histogram("request_seconds", "Requests.", &[0.1, 1.0]);
    /// family.push_histogram([""; 0], [7, 1], 1.25);
    /// family.push_exemplar(Exemplar::new([("trace_id", "KOO5S4vxi0o")], 0.67)?);
    /// let family = family.build()?;
    /// let metric = family.metric(0).expect("the series is there");
    /// assert_eq!(metric.exemplars().map(|(bucket, _)| bucket).collect::<Vec<_>>(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push_exemplar(&mut self, exemplar: Exemplar) {
        let Some(row) = self.series.rows().checked_sub(1) else {
            return self.fail(FamilyFault::NoSeries);
        };
        let bucket = match &self.column {
            ColumnBuilder::Histogram(column) => column.bounds().bucket(exemplar.value()),
            ColumnBuilder::NativeHistogram(column) => match column.bounds().as_slice() {
                [] => self.side.exemplars_of(row),
                _ => column.bounds().bucket(exemplar.value()),
            },
            ColumnBuilder::Numbers(_) if self.metric_type == MetricType::Counter => 0,
            _ => return self.fail(FamilyFault::Exemplar(self.metric_type)),
        };
        self.side.set_exemplar(row, bucket, exemplar);
    }

    /// Puts the family together.
    ///
    /// # Errors
    /// Returns a [`FamilyError`] with the first mistake: a bad name, a wrong number of label
    /// values, two series with the same labels, a reserved or repeated label, or bad bounds.
    pub fn build(self) -> Result<MetricFamily, FamilyError> {
        let family: Box<str> = self.name.as_str().into();
        let fail = |fault| FamilyError { family: family.clone(), fault };
        if let Some(fault) = self.fault {
            return Err(fail(fault));
        }
        let name =
            if self.utf8 { MetricName::new_utf8(&self.name) } else { MetricName::new(&self.name) };
        let name = name.map_err(|error| fail(FamilyFault::Name(error)))?;
        let metadata = Metadata::new(name, self.metric_type, &self.help)
            .with_unit(&self.unit)
            .with_const_labels(self.const_labels)
            .and_then(|metadata| metadata.with_label_names(self.label_names))
            .map_err(|error| fail(FamilyFault::Labels(error)))?;
        let (metadata, series) = (Arc::new(metadata), self.series.finish());
        let side = self.side.finish(series.len());
        Ok(MetricFamily { metadata, series, values: self.column.finish(), side })
    }

    fn push_number<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        number: Number,
        timestamp: Option<i64>,
    ) {
        if !matches!(self.column, ColumnBuilder::Numbers(_)) {
            self.fail(FamilyFault::Kind);
        } else if self.push_row(labels, timestamp)
            && let ColumnBuilder::Numbers(numbers) = &mut self.column
        {
            numbers.push(number);
        }
    }

    fn push_row<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = V>,
        timestamp: Option<i64>,
    ) -> bool {
        let values: Vec<V> = labels.into_iter().collect();
        let expected = self.label_names.len();
        if values.len() != expected {
            self.fail(FamilyFault::LabelCount { expected, got: values.len() });
            return false;
        }
        if !self.series.push(self.order.iter().map(|&k| Some(values[k].as_ref()))) {
            let labels = values.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\", \"");
            self.fail(FamilyFault::DuplicateSeries { labels: labels.into() });
            return false;
        }
        if let Some(timestamp) = timestamp {
            self.side.set_timestamp(self.series.rows() - 1, timestamp);
        }
        true
    }

    fn bounds(mut self, bounds: &[f64]) -> Self {
        match Bounds::new(bounds) {
            Ok(bounds) => self.column = ColumnBuilder::Histogram(HistogramColumn::new(bounds)),
            Err(error) => self.fail(FamilyFault::Bounds(error)),
        }
        self
    }

    fn label_name(&self, name: &str) -> Result<LabelName, NameError> {
        if self.utf8 { LabelName::new_utf8(name) } else { LabelName::new(name) }
    }

    fn fail(&mut self, fault: FamilyFault) {
        self.fault.get_or_insert(fault);
    }
}

/// A family that cannot be put together.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyError {
    family: Box<str>,
    fault: FamilyFault,
}

#[derive(Clone, Debug, PartialEq)]
enum FamilyFault {
    Name(NameError),
    Labels(MetadataError),
    Bounds(BoundsError),
    Quantiles(QuantilesError),
    LabelCount { expected: usize, got: usize },
    DuplicateSeries { labels: Box<str> },
    Kind,
    NoSeries,
    Exemplar(MetricType),
    Parts { series: usize, values: usize },
}

impl FamilyError {
    /// The name of the family.
    pub fn family(&self) -> &str {
        &self.family
    }
}

impl fmt::Display for FamilyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.family.escape_debug();
        match &self.fault {
            FamilyFault::Name(_) | FamilyFault::Labels(_) => {
                write!(f, "metric family `{family}` cannot be built")
            }
            FamilyFault::Bounds(_) => write!(f, "the buckets of `{family}` cannot be used"),
            FamilyFault::Quantiles(_) => write!(f, "the quantiles of `{family}` cannot be used"),
            FamilyFault::LabelCount { expected, got } => {
                write!(f, "`{family}` has {expected} labels, but a sample gives {got} values")
            }
            FamilyFault::DuplicateSeries { labels } => {
                write!(f, "`{family}` has two samples with the label values \"{labels}\"")
            }
            FamilyFault::Kind => {
                write!(f, "`{family}` mixes histograms, summaries and numbers")
            }
            FamilyFault::NoSeries => {
                write!(f, "`{family}` has no series yet to which this could be added")
            }
            FamilyFault::Exemplar(metric_type) => {
                write!(f, "`{family}` has an exemplar, which a {metric_type} cannot have")
            }
            FamilyFault::Parts { series, values } => {
                write!(f, "`{family}` has labels for {series} series and {values} values")
            }
        }
    }
}

impl std::error::Error for FamilyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            FamilyFault::Name(error) => Some(error),
            FamilyFault::Labels(error) => Some(error),
            FamilyFault::Bounds(error) => Some(error),
            FamilyFault::Quantiles(error) => Some(error),
            FamilyFault::LabelCount { .. }
            | FamilyFault::DuplicateSeries { .. }
            | FamilyFault::Kind
            | FamilyFault::NoSeries
            | FamilyFault::Exemplar(_)
            | FamilyFault::Parts { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;

//! The rules between the lines of a page in OpenMetrics, as Python's parser keeps them.

mod histogram;

use std::borrow::Cow;
use std::collections::HashSet;

use narthex_model::{MetricType, escape_into};

use super::error::{Line, ParseError};
use super::number::{Numbers, Timestamp, float};
use super::openmetrics::{is_unit_of, unit_message};
use super::reader::{Event, Sample};
use histogram::HistogramRules;

/// Checks a page in OpenMetrics, event by event.
#[derive(Debug, Default)]
pub(super) struct OpenMetricsRules<'a> {
    /// The names of all families so far, with the suffixes of their samples.
    taken: HashSet<Cow<'a, str>>,
    family: Option<FamilyRules<'a>>,
}

/// A set of labels as text, the same text in whichever way a page gives the set.
type LabelSet<'a> = Cow<'a, str>;

/// The family under way.
#[derive(Debug)]
struct FamilyRules<'a> {
    name: Cow<'a, str>,
    /// Where the family starts.
    line: Line<'a>,
    metric_type: Option<MetricType>,
    help: bool,
    unit: Option<(&'a str, Line<'a>)>,
    samples: bool,
    /// The labels of the metric under way and its last time, and the labels of all before it.
    metric: Option<(LabelSet<'a>, Option<Timestamp>)>,
    metrics: HashSet<LabelSet<'a>>,
    /// The samples of the metric under way that have its last time.
    points: HashSet<Point<'a>>,
    histogram: HistogramRules<'a>,
}

/// What tells the samples of one metric at one time apart.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Point<'a> {
    name: Cow<'a, str>,
    /// The value of the label that the type has for itself.
    own: Option<Cow<'a, str>>,
    /// All labels, for an info: its samples count as one metric.
    labels: LabelSet<'a>,
}

impl<'a> OpenMetricsRules<'a> {
    /// Checks one more event.
    pub(super) fn check(&mut self, event: &Event<'a>, line: Line<'a>) -> Result<(), ParseError> {
        match event {
            Event::Help { family, .. } => {
                let described = self.described(family, line)?;
                let twice = std::mem::replace(&mut described.help, true);
                once(twice, "HELP", line)
            }
            Event::Type { family, metric_type } => {
                let twice = self.described(family, line)?.metric_type.replace(*metric_type);
                once(twice.is_some(), "TYPE", line)
            }
            Event::Unit { family, unit } => {
                let twice = self.described(family, line)?.unit.replace((unit, line));
                once(twice.is_some(), "UNIT", line)
            }
            Event::Sample(sample) => self.check_sample(sample, line),
            Event::Eof => Ok(()),
        }
    }

    /// Checks the last family; to be called once, after all events.
    pub(super) fn finish(&mut self) -> Result<(), ParseError> {
        let Some(mut family) = self.family.take() else {
            return Ok(());
        };
        family.check_unit()?;
        family.histogram.finish()?;
        let own = std::iter::once("").chain(suffixes(family.metric_type).iter().copied());
        let names: Vec<String> = own.map(|suffix| format!("{}{suffix}", family.name)).collect();
        if let Some(name) = names.iter().find(|name| self.taken.contains(name.as_str())) {
            let message = self.taken_by_whom(&family, name);
            return Err(ParseError::rule(family.line, &family.name, message));
        }
        self.taken.extend(names.into_iter().map(Cow::Owned));
        Ok(())
    }

    /// Why `name`, which `family` would take, cannot be had.
    fn taken_by_whom(&self, family: &FamilyRules<'_>, name: &str) -> String {
        // Counters carried over from the text format, whose samples then belong to nobody.
        if family.metric_type.is_none()
            && family.samples
            && family.name == name
            && self.taken.contains(&*format!("{name}_total"))
        {
            let plain = name.strip_suffix("_total").unwrap_or(name);
            return format!(
                "`{name}` is declared as the name of a counter and used as that of a sample: TYPE, \
                 HELP and UNIT leave `_total` out, as in `# TYPE {plain} counter`, samples have it"
            );
        }
        format!(
            "`{name}` is already taken by another family: the lines of a family must stand \
             together, and its name with `_total`, `_count` and the like must be free"
        )
    }

    /// The family that a HELP, TYPE or UNIT line is about.
    fn described(
        &mut self,
        name: &Cow<'a, str>,
        line: Line<'a>,
    ) -> Result<&mut FamilyRules<'a>, ParseError> {
        match &self.family {
            Some(family) if family.name == *name && family.samples => {
                let message = format!("what describes `{name}` must come before its samples");
                return Err(ParseError::rule(line, line.text, message));
            }
            Some(family) if family.name == *name => {}
            _ => self.start(name.clone(), line)?,
        }
        Ok(self.family.as_mut().expect("a family was started"))
    }

    fn start(&mut self, name: Cow<'a, str>, line: Line<'a>) -> Result<(), ParseError> {
        let finished = self.finish();
        self.family = Some(FamilyRules::new(name, line));
        finished
    }

    fn check_sample(&mut self, sample: &Sample<'a>, line: Line<'a>) -> Result<(), ParseError> {
        let known = self.family.as_ref().is_some_and(|family| family.owns(&sample.name));
        if !known {
            self.start(sample.name.clone(), line)?;
            if !is_classic(&sample.name) {
                let message = format!(
                    "`{}` has characters beyond letters, digits, `_` and `:`, and so needs a TYPE \
                     line before it",
                    sample.name.escape_debug()
                );
                return Err(ParseError::rule(line, &sample.name, message));
            }
        }
        let family = self.family.as_mut().expect("the sample has a family");
        family.samples = true;
        family.check_labels(sample, line)?;
        family.check_value(sample, line)?;
        family.check_exemplar(sample, line)?;
        family.check_order(sample, line)
    }
}

impl<'a> FamilyRules<'a> {
    fn new(name: Cow<'a, str>, line: Line<'a>) -> Self {
        Self {
            name,
            line,
            metric_type: None,
            help: false,
            unit: None,
            samples: false,
            metric: None,
            metrics: HashSet::new(),
            points: HashSet::new(),
            histogram: HistogramRules::default(),
        }
    }

    /// Whether a sample of that name belongs to the family.
    fn owns(&self, sample: &str) -> bool {
        match sample.strip_prefix(&*self.name) {
            Some("") => has_bare_samples(self.metric_type),
            Some(suffix) => suffixes(self.metric_type).contains(&suffix),
            None => false,
        }
    }

    fn is(&self, metric_type: MetricType) -> bool {
        self.metric_type == Some(metric_type)
    }

    fn is_histogram(&self) -> bool {
        self.is(MetricType::Histogram) || self.is(MetricType::GaugeHistogram)
    }

    fn check_unit(&self) -> Result<(), ParseError> {
        let Some((unit, line)) = self.unit.filter(|(unit, _)| !unit.is_empty()) else {
            return Ok(());
        };
        if !is_unit_of(&self.name, unit) {
            return Err(ParseError::rule(line, unit, unit_message(&self.name, unit)));
        }
        if self.is(MetricType::Info) || self.is(MetricType::StateSet) {
            let message = "an info or stateset has no unit: remove the UNIT line";
            return Err(ParseError::rule(line, unit, message));
        }
        Ok(())
    }

    /// Checks the label that samples of the type carry for themselves.
    fn check_labels(&self, sample: &Sample<'a>, line: Line<'a>) -> Result<(), ParseError> {
        let suffix = &sample.name[self.name.len()..];
        if self.is(MetricType::StateSet) && sample.labels.get(&self.name).is_none() {
            let message = format!(
                "a sample of the stateset `{0}` names its state in a label `{0}`, as in \
                 `{0}{{{0}=\"on\"}} 1`",
                self.name
            );
            return Err(ParseError::rule(line, &line.text[..0], message));
        }
        if self.is_histogram() && suffix == "_bucket" {
            return check_bound(sample, line).map(drop);
        }
        if self.is(MetricType::Summary) && suffix.is_empty() {
            let quantile = sample.labels.get("quantile");
            let level = quantile.as_deref().and_then(|text| float(text, Numbers::Python));
            if !level.is_some_and(|level| (0.0..=1.0).contains(&level)) {
                let message = format!(
                    "`{0}` of a summary needs a label `quantile` from 0 to 1, as in \
                     `{0}{{quantile=\"0.99\"}}`",
                    self.name
                );
                return Err(ParseError::rule(line, &line.text[..0], message));
            }
        }
        Ok(())
    }

    fn check_value(&self, sample: &Sample<'a>, line: Line<'a>) -> Result<(), ParseError> {
        let value = sample.value.as_f64();
        let suffix = &sample.name[self.name.len()..];
        let broken = |rule: &str| {
            let message = format!("{rule}, but `{}` is {}", sample.name, sample.value_token);
            Err(ParseError::rule(line, sample.value_token, message))
        };
        if self.is(MetricType::Info) && value != 1.0 {
            return broken("the value of an info is 1");
        }
        if self.is(MetricType::StateSet) && value != 0.0 && value != 1.0 {
            return broken("the value of a state is 0 or 1");
        }
        let whole = matches!(suffix, "_bucket" | "_count" | "_gcount");
        let counter_like = whole || matches!(suffix, "_total" | "_sum");
        if (counter_like || suffix == "_gsum") && value.is_nan() {
            return broken("a counter or sum is a number");
        }
        if counter_like && value < 0.0 {
            return broken("a counter is never negative");
        }
        if whole && value.fract() != 0.0 {
            return broken("a count is a whole number");
        }
        if self.is(MetricType::Summary) && suffix.is_empty() && value < 0.0 {
            return broken("a quantile is never negative");
        }
        Ok(())
    }

    fn check_exemplar(&self, sample: &Sample<'a>, line: Line<'a>) -> Result<(), ParseError> {
        let suffix = &sample.name[self.name.len()..];
        let allowed = match suffix {
            "_bucket" => self.is_histogram(),
            "_total" => self.is(MetricType::Counter),
            _ => false,
        };
        if sample.exemplar.is_none() || allowed {
            return Ok(());
        }
        let message = "only the `_total` of a counter and the `_bucket` of a histogram may have an \
                       exemplar";
        Err(ParseError::rule(line, &line.text[..0], message))
    }

    /// Checks that metrics stand together, that their times ascend, and that buckets do.
    fn check_order(&mut self, sample: &Sample<'a>, line: Line<'a>) -> Result<(), ParseError> {
        let own = self.own_label(sample);
        let labels = match self.metric_type {
            Some(MetricType::Info) => Cow::Borrowed(""),
            _ => label_set(sample, own.as_deref()),
        };
        let last = match self.metric.take() {
            Some((current, time)) if current == labels => Some(time),
            Some((before, _)) => {
                self.metrics.insert(before);
                None
            }
            None => None,
        };
        let repeated = last.is_none() && self.metrics.contains(&labels);
        self.metric = Some((labels, sample.timestamp));
        if repeated {
            let message = format!(
                "the samples of one metric of `{}` must stand together, without those of others in \
                 between",
                self.name
            );
            return Err(ParseError::rule(line, &line.text[..0], message));
        }
        if let Some(time) = last {
            self.check_time(time, sample, line)?;
        }
        let starts = last != Some(sample.timestamp);
        if starts {
            self.points.clear();
        }
        // A point that is given twice at one time is left out, as its first value stands.
        let new = self.points.insert(self.point(sample, own.as_deref()));
        if !new || !self.is_histogram() {
            return Ok(());
        }
        let finished = if starts { self.histogram.start(line) } else { Ok(()) };
        self.histogram.check(&sample.name[self.name.len()..], sample, line)?;
        finished
    }

    fn point(&self, sample: &Sample<'a>, own: Option<&str>) -> Point<'a> {
        let labels = match self.metric_type {
            Some(MetricType::Info) => label_set(sample, None),
            _ => Cow::Borrowed(""),
        };
        let own = own.and_then(|own| sample.labels.get(own));
        Point { name: sample.name.clone(), own, labels }
    }

    fn check_time(
        &self,
        last: Option<Timestamp>,
        sample: &Sample<'a>,
        line: Line<'a>,
    ) -> Result<(), ParseError> {
        let message = match (last, sample.timestamp) {
            (Some(last), Some(time)) if time < last && !self.is(MetricType::Info) => {
                "the timestamps of a metric must not go backwards"
            }
            (Some(_), Some(_)) | (None, None) => return Ok(()),
            _ => "all samples of a metric have a timestamp, or none has",
        };
        Err(ParseError::rule(line, sample.value_token, message))
    }

    /// The label of a sample that the type has for itself, which tells no metrics apart.
    fn own_label(&self, sample: &Sample<'a>) -> Option<Cow<'a, str>> {
        let suffix = &sample.name[self.name.len()..];
        match self.metric_type {
            Some(MetricType::Summary) if suffix.is_empty() => Some("quantile".into()),
            Some(MetricType::StateSet) => Some(self.name.clone()),
            _ if self.is_histogram() && suffix == "_bucket" => Some("le".into()),
            _ => None,
        }
    }
}

/// The bound of a bucket.
fn check_bound(sample: &Sample<'_>, line: Line<'_>) -> Result<f64, ParseError> {
    let bound = sample.labels.get("le");
    let value = bound.as_deref().and_then(|text| float(text, Numbers::Python));
    match (value, bound.as_deref()) {
        (Some(f64::INFINITY), Some(text)) if text != "+Inf" => {
            let message = "the last bucket must be spelled `le=\"+Inf\"`";
            Err(ParseError::rule(line, &line.text[..0], message))
        }
        (Some(value), _) if !value.is_nan() => Ok(value),
        _ => {
            let message = format!(
                "`{0}` needs a label `le` with its upper bound, as in `{0}{{le=\"0.5\"}}`",
                sample.name
            );
            Err(ParseError::rule(line, &line.text[..0], message))
        }
    }
}

/// A sample's labels without `left_out`, sorted by name: on most pages they are so as they stand.
fn label_set<'a>(sample: &Sample<'a>, left_out: Option<&str>) -> LabelSet<'a> {
    let raw = sample.labels.as_page_text();
    if left_out.is_none() && is_sorted_and_plain(sample) {
        return Cow::Borrowed(raw);
    }
    let labels = sample.labels.iter().filter(|(name, _)| Some(&**name) != left_out);
    let mut labels: Vec<_> = labels.collect();
    labels.sort();
    let mut text = Vec::with_capacity(raw.len());
    for (at, (name, value)) in labels.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"" } else { b"," });
        if is_classic(name) {
            text.extend_from_slice(name.as_bytes());
        } else {
            text.push(b'"');
            escape_into(&mut text, name);
            text.push(b'"');
        }
        text.extend_from_slice(b"=\"");
        escape_into(&mut text, value);
        text.push(b'"');
    }
    Cow::Owned(String::from_utf8(text).expect("escaping keeps UTF-8 whole"))
}

/// Whether the labels stand on the page in the order of their names, with nothing escaped, no name
/// in quotes and no blanks.
fn is_sorted_and_plain(sample: &Sample<'_>) -> bool {
    let mut last = Cow::Borrowed("");
    let mut len = 0;
    for (name, value) in sample.labels {
        let is_plain = matches!((&name, &value), (Cow::Borrowed(_), Cow::Borrowed(_)));
        if !is_plain || name <= last {
            return false;
        }
        // The equals sign, two quotes and the comma.
        len += name.len() + value.len() + 4;
        last = name;
    }
    len == sample.labels.as_page_text().len() + usize::from(len > 0)
}

fn once(twice: bool, keyword: &str, line: Line<'_>) -> Result<(), ParseError> {
    if !twice {
        return Ok(());
    }
    let message = format!("a family may have only one {keyword} line: remove this one");
    Err(ParseError::rule(line, line.text, message))
}

/// The suffixes that samples of a type may have.
fn suffixes(metric_type: Option<MetricType>) -> &'static [&'static str] {
    match metric_type {
        Some(MetricType::Counter) => &["_total", "_created"],
        Some(MetricType::Summary) => &["_count", "_sum", "_created"],
        Some(MetricType::Histogram) => &["_count", "_sum", "_bucket", "_created"],
        Some(MetricType::GaugeHistogram) => &["_gcount", "_gsum", "_bucket"],
        Some(MetricType::Info) => &["_info"],
        _ => &[],
    }
}

/// Whether samples of a type may have the family's own name.
fn has_bare_samples(metric_type: Option<MetricType>) -> bool {
    use MetricType::{Counter, GaugeHistogram, Histogram, Info};
    !matches!(metric_type, Some(Counter | Histogram | GaugeHistogram | Info))
}

fn is_classic(name: &str) -> bool {
    narthex_model::MetricName::new(name).is_ok()
}

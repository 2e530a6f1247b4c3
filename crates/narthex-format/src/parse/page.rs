//! A page as families of samples, before histograms and summaries are put together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use narthex_model::MetricType;

use super::error::{Line, ParseError};
use super::number::{Numbers, float};
use super::reader::{Event, Reader, Sample};
use super::rules::OpenMetricsRules;
use super::{Limits, Mode, TextSyntax};

/// The families of a page, in the order in which it first names them.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    syntax: TextSyntax,
    mode: Mode,
    rules: OpenMetricsRules<'a>,
    families: Vec<Draft<'a>>,
    /// Families by the name that HELP, TYPE and UNIT give them.
    by_family: HashMap<Cow<'a, str>, usize>,
    /// Families by the names of their samples.
    by_sample: HashMap<Cow<'a, str>, usize>,
    /// The family of the last sample, for the next one is mostly of the same.
    last: Option<usize>,
}

/// A family as the page gives it.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) metric_type: Option<MetricType>,
    pub(crate) help: Option<Cow<'a, str>>,
    pub(crate) unit: &'a str,
    pub(crate) samples: Vec<Sample<'a>>,
}

impl<'a> Page<'a> {
    /// Reads a page, up to its first fault.
    pub(crate) fn read(
        syntax: TextSyntax,
        page: &'a [u8],
        mode: Mode,
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        let mut first = None;
        let read = Self::read_on(syntax, page, mode, limits, |error| {
            first = Some(error);
            Next::Stop
        });
        first.map_or(Ok(read), Err)
    }

    /// Reads a page beyond its faults, as long as the caller wants to hear of more of them.
    pub(crate) fn read_on(
        syntax: TextSyntax,
        page: &'a [u8],
        mode: Mode,
        limits: &Limits,
        mut fault: impl FnMut(ParseError) -> Next,
    ) -> Self {
        let mut reader = syntax.reader(page).mode(mode).limits(*limits);
        let mut read = Self::new(syntax, mode);
        while let Some(found) = reader.next_located() {
            let added = found.and_then(|(event, line)| read.add(event, line));
            if added.is_err_and(|error| fault(error) == Next::Stop) {
                return read;
            }
        }
        if let Err(error) = read.finish() {
            fault(error);
        }
        read
    }

    fn new(syntax: TextSyntax, mode: Mode) -> Self {
        Self {
            syntax,
            mode,
            rules: OpenMetricsRules::default(),
            families: Vec::new(),
            by_family: HashMap::new(),
            by_sample: HashMap::new(),
            last: None,
        }
    }

    /// The families.
    pub(crate) fn into_families(self) -> Vec<Draft<'a>> {
        self.families
    }

    fn add(&mut self, event: Event<'a>, line: Line<'a>) -> Result<(), ParseError> {
        if self.mode == Mode::Strict && self.syntax == TextSyntax::OpenMetrics {
            self.rules.check(&event, line)?;
        }
        match event {
            Event::Help { family, text } => {
                let draft = self.described(family);
                if draft.help.is_none() {
                    draft.help = Some(text);
                } else if self.mode == Mode::Strict {
                    let message = "a family may have only one HELP line: remove this one";
                    return Err(ParseError::rule(line, line.text, message));
                }
            }
            Event::Type { family, metric_type } => self.set_type(family, metric_type, line)?,
            Event::Unit { family, unit } => self.described(family).unit = unit,
            Event::Sample(sample) => {
                let at = self.family_of(&sample);
                if self.mode == Mode::Strict && self.syntax == TextSyntax::Text {
                    self.families[at].check_text(&sample, line)?;
                }
                self.families[at].samples.push(sample);
            }
            Event::Eof => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ParseError> {
        if self.mode == Mode::Strict && self.syntax == TextSyntax::OpenMetrics {
            self.rules.finish()?;
        }
        Ok(())
    }

    /// The family that a HELP, TYPE or UNIT line is about.
    fn described(&mut self, name: Cow<'a, str>) -> &mut Draft<'a> {
        let at = self.described_at(name);
        &mut self.families[at]
    }

    fn described_at(&mut self, name: Cow<'a, str>) -> usize {
        if let Some(&at) = self.by_family.get(&name) {
            return at;
        }
        // In text, `h_count` beside a histogram `h` is a sample of that and no family.
        if self.syntax == TextSyntax::Text
            && let Some(&at) = self.by_sample.get(&name)
        {
            return at;
        }
        let at = self.new_family(name.clone());
        self.by_family.insert(name, at);
        at
    }

    fn new_family(&mut self, name: Cow<'a, str>) -> usize {
        self.families.push(Draft {
            name,
            metric_type: None,
            help: None,
            unit: "",
            samples: Vec::new(),
        });
        self.families.len() - 1
    }

    fn set_type(
        &mut self,
        family: Cow<'a, str>,
        metric_type: MetricType,
        line: Line<'a>,
    ) -> Result<(), ParseError> {
        let at = self.described_at(family);
        let draft = &mut self.families[at];
        if draft.metric_type.is_some() || !draft.samples.is_empty() {
            if self.mode == Mode::Lenient {
                return Ok(());
            }
            let message = format!(
                "TYPE of `{}` comes twice or after its samples: give it once, before them",
                draft.name
            );
            return Err(ParseError::rule(line, line.text, message));
        }
        draft.metric_type = Some(metric_type);
        self.last = None;
        for suffix in sample_suffixes(metric_type, self.syntax) {
            let name = format!("{}{suffix}", self.families[at].name);
            // A family that already has samples of the name keeps it.
            if let Entry::Vacant(entry) = self.by_sample.entry(name.into()) {
                entry.insert(at);
            }
        }
        Ok(())
    }

    /// The family a sample belongs to, a new one of its own name if need be.
    fn family_of(&mut self, sample: &Sample<'a>) -> usize {
        if let Some(at) = self.last
            && self.families[at].samples.last().is_some_and(|last| last.name == sample.name)
        {
            return at;
        }
        let at = match self.by_sample.get(&sample.name) {
            Some(&at) => at,
            None => {
                let described = self.by_family.get(&sample.name).copied();
                // Where OpenMetrics wants `c_total` of a counter, `c` is another family.
                let own = described.filter(|&at| !self.families[at].has_own_suffix(self.syntax));
                let at = own.unwrap_or_else(|| self.new_family(sample.name.clone()));
                self.by_sample.insert(sample.name.clone(), at);
                self.by_family.entry(sample.name.clone()).or_insert(at);
                at
            }
        };
        self.last = Some(at);
        at
    }
}

/// Whether to read on after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Stop,
    Continue,
}

/// The suffixes of a family's samples, beside those that have its own name.
fn sample_suffixes(metric_type: MetricType, syntax: TextSyntax) -> &'static [&'static str] {
    match (metric_type, syntax) {
        (MetricType::Counter, TextSyntax::OpenMetrics) => &["_total", "_created"],
        (MetricType::Info, TextSyntax::OpenMetrics) => &["_info"],
        (MetricType::Histogram, TextSyntax::OpenMetrics) => {
            &["_bucket", "_count", "_sum", "_created"]
        }
        (MetricType::Summary, TextSyntax::OpenMetrics) => &["_count", "_sum", "_created"],
        (MetricType::GaugeHistogram, TextSyntax::OpenMetrics) => &["_bucket", "_gcount", "_gsum"],
        (MetricType::Histogram | MetricType::GaugeHistogram, TextSyntax::Text) => {
            &["_bucket", "_count", "_sum"]
        }
        (MetricType::Summary, TextSyntax::Text) => &["_count", "_sum"],
        _ => &[],
    }
}

impl<'a> Draft<'a> {
    /// Whether every sample of the family has a suffix, so that its own name is free for another.
    fn has_own_suffix(&self, syntax: TextSyntax) -> bool {
        syntax == TextSyntax::OpenMetrics
            && matches!(self.metric_type, Some(MetricType::Counter | MetricType::Info))
    }

    /// The family's name as narthex exports it: that of its samples, where they have but one.
    pub(crate) fn exported_name(&self, syntax: TextSyntax) -> Cow<'a, str> {
        let suffix = match (self.metric_type, syntax) {
            (Some(MetricType::Counter), TextSyntax::OpenMetrics) => "_total",
            (Some(MetricType::Info), TextSyntax::OpenMetrics) => "_info",
            _ => return self.name.clone(),
        };
        format!("{}{suffix}", self.name).into()
    }

    /// What a sample's name has after that of its family.
    pub(crate) fn suffix<'s>(&self, sample: &'s Sample<'a>) -> &'s str {
        sample.name.strip_prefix(&*self.name).unwrap_or_default()
    }

    /// Checks what Go's reader of the text format checks of a sample's value and own labels.
    fn check_text(&self, sample: &Sample<'a>, line: Line<'a>) -> Result<(), ParseError> {
        let (label, counts): (_, &[&str]) = match self.metric_type {
            Some(MetricType::Summary) => ("quantile", &[]),
            Some(MetricType::Histogram | MetricType::GaugeHistogram) => {
                ("le", &["_bucket", "_count"])
            }
            _ => return Ok(()),
        };
        let own = sample.labels.get(label);
        if let Some(bound) = &own
            && float(bound, Numbers::Go).is_none()
        {
            let message = format!(
                "label `{label}` of a {} must be a number such as `0.5`, not `{}`",
                self.metric_type.unwrap_or(MetricType::Unknown),
                bound.escape_debug()
            );
            let token = if let Cow::Borrowed(token) = bound { token } else { "" };
            return Err(ParseError::rule(line, token, message));
        }
        let suffix = self.suffix(sample);
        let counted = counts.contains(&suffix) && (suffix != "_bucket" || own.is_some());
        if counted && sample.value.as_f64() < 0.0 {
            let message = format!("`{}` counts observations and cannot be negative", sample.name);
            return Err(ParseError::rule(line, sample.value_token, message));
        }
        Ok(())
    }
}

impl TextSyntax {
    fn reader(self, page: &[u8]) -> Reader<'_> {
        match self {
            Self::Text => Reader::text(page),
            Self::OpenMetrics => Reader::openmetrics(page),
        }
    }
}

//! What a format cannot carry of a scrape.

use std::collections::HashMap;
use std::fmt;

use narthex_format::parse::{Limits, Mode, parse_within};
use narthex_format::{Escaping, Format};
use narthex_model::{MetricFamily, MetricType, Number, Scrape, Value};

use crate::format::PageFormat;

/// What is gone when the scrape is written in the format: one entry a kind.
///
/// Found by writing it and reading that again, so that it is true whatever the format does.
pub(crate) fn losses(scrape: &Scrape, format: PageFormat, escaping: Escaping) -> Vec<Loss> {
    let writer = format.writer(escaping);
    let mut page = Vec::new();
    writer.encode(scrape, &mut page);
    // The reader of what narthex writes: without bounds, for the scrape is in memory anyway.
    let limits = Limits::default().page(usize::MAX).line(usize::MAX).labels(usize::MAX);
    let mut found = Found { format, losses: Vec::new() };
    match parse_within(format.syntax(), &page, Mode::Strict, &limits) {
        Ok(kept) => found.compare(scrape, &kept, writer, escaping),
        Err(error) => found.losses.push(Loss {
            format,
            kind: LossKind::Unreadable(error.to_string()),
            count: 0,
            families: 0,
            first: String::new(),
        }),
    }
    found.losses
}

/// One kind of thing that a format cannot carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    format: PageFormat,
    kind: LossKind,
    /// How many of them.
    count: usize,
    /// In how many families.
    families: usize,
    /// The first of these.
    first: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LossKind {
    Family,
    Series,
    Type(MetricType, MetricType),
    Help,
    Unit,
    NativeBuckets,
    Exemplars,
    Created,
    Timestamps,
    /// Values that the format writes with fewer digits.
    Digits,
    /// The page cannot be read again, which is a bug worth a report.
    Unreadable(String),
}

impl Loss {
    /// Whether it is of native buckets, which people may be shown beside the page.
    pub(crate) fn is_of_native_buckets(&self) -> bool {
        self.kind == LossKind::NativeBuckets
    }
}

struct Found {
    format: PageFormat,
    losses: Vec<Loss>,
}

impl Found {
    fn compare(&mut self, before: &Scrape, after: &Scrape, writer: Format, escaping: Escaping) {
        let escaping = if writer == Format::Json { Escaping::AllowUtf8 } else { escaping };
        let after: HashMap<&str, &MetricFamily> =
            after.families().iter().map(|family| (family.name().as_str(), family)).collect();
        for family in before.families().iter().filter(|family| !family.is_empty()) {
            let name = family.name().as_str();
            match after.get(&*family.name().escaped(escaping)) {
                Some(kept) => self.compare_families(name, family, kept),
                None => self.add(name, LossKind::Family, 1),
            }
        }
    }

    fn compare_families(&mut self, name: &str, before: &MetricFamily, after: &MetricFamily) {
        let (old, new) = (before.metadata(), after.metadata());
        if old.metric_type() != new.metric_type() {
            self.add(name, LossKind::Type(old.metric_type(), new.metric_type()), 1);
        }
        self.add(name, LossKind::Help, usize::from(old.help() != new.help()));
        self.add(name, LossKind::Unit, usize::from(old.unit() != new.unit()));
        self.add(name, LossKind::Series, before.len().saturating_sub(after.len()));
        let (old, new) = (Extras::of(before), Extras::of(after));
        for (kind, old, new) in [
            (LossKind::NativeBuckets, old.native, new.native),
            (LossKind::Exemplars, old.exemplars, new.exemplars),
            (LossKind::Created, old.created, new.created),
            (LossKind::Timestamps, old.timestamps, new.timestamps),
        ] {
            self.add(name, kind, old.saturating_sub(new));
        }
        if before.len() == after.len() {
            let pairs = before.metrics().zip(after.metrics());
            let changed = pairs.filter(|(old, new)| digits_differ(old.value(), new.value()));
            self.add(name, LossKind::Digits, changed.count());
        }
    }

    fn add(&mut self, family: &str, kind: LossKind, count: usize) {
        if count == 0 {
            return;
        }
        if let Some(loss) = self.losses.iter_mut().find(|loss| loss.kind == kind) {
            loss.count += count;
            loss.families += 1;
            return;
        }
        let (format, first) = (self.format, family.escape_debug().to_string());
        self.losses.push(Loss { format, kind, count, families: 1, first });
    }
}

/// How many series of a family have what not all have.
#[derive(Default)]
struct Extras {
    native: usize,
    exemplars: usize,
    created: usize,
    timestamps: usize,
}

impl Extras {
    fn of(family: &MetricFamily) -> Self {
        let mut extras = Self::default();
        for metric in family.metrics() {
            extras.native += usize::from(matches!(metric.value(), Value::NativeHistogram(_)));
            extras.exemplars += metric.exemplars().count();
            extras.created += usize::from(metric.created().is_some());
            extras.timestamps += usize::from(metric.timestamp().is_some());
        }
        extras
    }
}

/// Whether a whole number is another one now, which floats above 2^53 do to them.
fn digits_differ(before: Value<'_>, after: Value<'_>) -> bool {
    let (Value::Number(Number::Unsigned(before)), Value::Number(after)) = (before, after) else {
        return false;
    };
    match after {
        Number::Unsigned(after) => before != after,
        // Exact: a float of that size is whole, and what is too large for the integer saturates.
        other => u128::from(before) != other.as_f64() as u128,
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, kind, count, families, first } = self;
        let these = |one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let left_out =
            |one: &str, many: &str| format!("{format} cannot carry {}, left out", these(one, many));
        let what = match kind {
            LossKind::Family => left_out("family", "families"),
            LossKind::Series => left_out("series", "series"),
            LossKind::Type(before, after) => format!(
                "{format} has no type {before} for {}, written as {after}",
                these("family", "families")
            ),
            LossKind::Help => left_out("help text", "help texts"),
            LossKind::Unit => left_out("unit", "units"),
            LossKind::NativeBuckets => {
                left_out("histogram's native buckets", "histograms' native buckets")
            }
            LossKind::Exemplars => left_out("exemplar", "exemplars"),
            LossKind::Created => left_out("creation time", "creation times"),
            LossKind::Timestamps => left_out("timestamp", "timestamps"),
            LossKind::Digits => {
                format!("{format} cannot carry all digits of {}", these("value", "values"))
            }
            LossKind::Unreadable(error) => {
                return write!(f, "the page in {format} cannot be read again: {error}");
            }
        };
        match families {
            1 => write!(f, "{what}: in `{first}`"),
            families => write!(f, "{what}: in `{first}` and {} more", families - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_core::{Counter, Histogram, Registry};
    use narthex_format::Escaping;
    use narthex_model::{MetricFamily, Scrape};

    use super::losses;
    use crate::format::PageFormat;

    #[track_caller]
    fn check(scrape: &Scrape, format: PageFormat, escaping: Escaping, expected: &str) {
        let losses = losses(scrape, format, escaping);
        let lines: String = losses.iter().map(|loss| format!("{loss}\n")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn native_buckets_and_exemplars_are_counted() {
        let registry = Registry::new();
        for name in ["a_seconds", "b_seconds"] {
            let histogram = Histogram::builder(name, "Time.").native(1.1).buckets([1.0]);
            let histogram = histogram.register(&registry).unwrap();
            histogram.observe_with_exemplar(0.5, [("trace_id", "a")]);
            histogram.observe_with_exemplar(1.5, [("trace_id", "b")]);
        }
        Counter::builder("c_total", "Count.").register(&registry).unwrap().inc();
        let scrape = registry.gather();
        let expected = "\
the text format cannot carry 2 histograms' native buckets, left out: in `a_seconds` and 1 more
the text format cannot carry 4 exemplars, left out: in `a_seconds` and 1 more
";
        check(&scrape, PageFormat::Text, Escaping::AllowUtf8, expected);
        let expected = "OpenMetrics cannot carry 2 histograms' native buckets, left out: in \
                        `a_seconds` and 1 more\n";
        check(&scrape, PageFormat::OpenMetrics, Escaping::AllowUtf8, expected);
    }

    #[test]
    fn an_escaped_name_is_no_loss() {
        let family = MetricFamily::gauge("a.b", "Text.").utf8_names().sample([""; 0], 1.0);
        let scrape = Scrape::new(vec![family.build().unwrap()]);
        for escaping in Escaping::ALL {
            for format in
                [PageFormat::Text, PageFormat::OpenMetrics, PageFormat::Protobuf, PageFormat::Json]
            {
                check(&scrape, format, escaping, "");
            }
        }
    }

    #[test]
    fn a_family_that_the_format_leaves_out_is_told() {
        // OpenMetrics has such a sample beside the histogram.
        let histogram = MetricFamily::histogram("h", "Text.", &[1.0]);
        let gauge = MetricFamily::gauge("h_created", "Text.").sample([""; 0], 1.0);
        let mut histogram = histogram.label_names([""; 0]);
        histogram.push_histogram([""; 0], [1, 0], 0.5);
        let scrape = Scrape::new(vec![histogram.build().unwrap(), gauge.build().unwrap()]);
        let expected = "OpenMetrics cannot carry 1 family, left out: in `h_created`\n";
        check(&scrape, PageFormat::OpenMetrics, Escaping::AllowUtf8, expected);
        check(&scrape, PageFormat::Text, Escaping::AllowUtf8, "");
    }
}

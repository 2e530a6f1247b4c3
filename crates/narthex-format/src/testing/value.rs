//! One sample, found by its name and labels.

use narthex_model::{Histogram, Metric, Scrape, Summary, Value};

use super::snapshot;

/// The value of one sample, by the name and the labels that it has in the text format.
///
/// The labels are all that the sample has, constant ones included, in any order. The parts of a
/// histogram or summary are found as they stand on a page: `latency_seconds_count`,
/// `latency_seconds_sum`, and `latency_seconds_bucket` with a label `le`. Bounds and quantiles are
/// compared as numbers, so that `1` and `1.0` are the same.
///
/// ```
/// use narthex_format::testing::value;
/// use narthex_model::{MetricFamily, Scrape};
///
/// let mut latency = MetricFamily::histogram("latency_seconds", "Latency.", &[0.1, 1.0]);
/// latency.push_histogram([""; 0], [2, 1], 1.25);
/// let scrape = Scrape::new(vec![latency.build()?]);
/// assert_eq!(value(&scrape, "latency_seconds_bucket", &[("le", "1")]), Some(3.0));
/// assert_eq!(value(&scrape, "latency_seconds_sum", &[]), Some(1.25));
/// assert_eq!(value(&scrape, "latency_seconds_sum", &[("path", "/")]), None);
/// # Ok::<(), narthex_model::FamilyError>(())
/// ```
pub fn value(scrape: &Scrape, sample: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let of = |family: &str, part: Part| {
        scrape.family(family)?.metrics().find_map(|metric| part.of(&metric, labels))
    };
    of(sample, Part::Itself)
        .or_else(|| PARTS.iter().find_map(|(suffix, part)| of(sample.strip_suffix(suffix)?, *part)))
}

/// Asserts that a sample has this value; see [`value`](fn@value).
///
/// NaN equals NaN.
///
/// # Panics
/// Panics where the sample is not there or has another value, and shows its family.
#[track_caller]
pub fn assert_value(scrape: &Scrape, sample: &str, labels: &[(&str, &str)], expected: f64) {
    let got = value(scrape, sample, labels);
    if got.is_some_and(|got| got == expected || (got.is_nan() && expected.is_nan())) {
        return;
    }
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let asked = format!("{sample}{{{}}}", labels.join(","));
    let found = match got {
        Some(got) => format!("`{asked}` is {got}, expected {expected}"),
        None => format!("there is no `{asked}`, expected {expected}"),
    };
    panic!("{found}\n{}", beside(scrape, sample));
}

/// What there is of the family that the sample would belong to.
fn beside(scrape: &Scrape, sample: &str) -> String {
    let stems = PARTS.iter().filter_map(|(suffix, _)| sample.strip_suffix(suffix));
    let family = [sample].into_iter().chain(stems).find_map(|name| scrape.family(name));
    match family {
        Some(family) => {
            let alone = Scrape::new(vec![family.clone()]);
            format!("its family:\n{}", snapshot(&alone))
        }
        None => {
            let names: Vec<_> =
                scrape.families().iter().map(|family| family.name().as_str()).collect();
            format!("the families are: {}", names.join(", "))
        }
    }
}

/// The suffixes of samples, with the part of a metric that they stand for.
const PARTS: [(&str, Part); 5] = [
    ("_bucket", Part::Bucket),
    ("_count", Part::Count),
    ("_sum", Part::Sum),
    ("_gcount", Part::Count),
    ("_gsum", Part::Sum),
];

#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// A number, or a quantile.
    Itself,
    Bucket,
    Count,
    Sum,
}

impl Part {
    fn of(self, metric: &Metric<'_>, labels: &[(&str, &str)]) -> Option<f64> {
        let found = match metric.value() {
            Value::Number(number) if self == Self::Itself => (None, number.as_f64()),
            Value::Histogram(histogram) => self.of_histogram(histogram, labels)?,
            Value::NativeHistogram(both) => self.of_histogram(both.classic(), labels)?,
            Value::Summary(summary) => self.of_summary(summary, labels)?,
            _ => return None,
        };
        let (own, value) = found;
        let asked = labels.iter().filter(|(name, _)| Some(*name) != own);
        let same = |(name, value): &(&str, &str)| metric.label(name).is_some_and(|v| v == *value);
        let all_there = asked.clone().all(same) && asked.count() == metric.labels().count();
        all_there.then_some(value)
    }

    /// The label that the part has for itself, and its value.
    fn of_histogram(
        self,
        histogram: Histogram<'_>,
        labels: &[(&str, &str)],
    ) -> Option<(Option<&'static str>, f64)> {
        match self {
            Self::Bucket => {
                let bound = number(labels, "le")?;
                let (_, count) = histogram.buckets().find(|(le, _)| *le == bound)?;
                Some((Some("le"), count as f64))
            }
            Self::Count => Some((None, histogram.count() as f64)),
            Self::Sum => Some((None, histogram.sum())),
            Self::Itself => None,
        }
    }

    fn of_summary(
        self,
        summary: Summary<'_>,
        labels: &[(&str, &str)],
    ) -> Option<(Option<&'static str>, f64)> {
        match self {
            Self::Itself => {
                let level = number(labels, "quantile")?;
                let (_, value) = summary.quantiles().find(|(quantile, _)| *quantile == level)?;
                Some((Some("quantile"), value))
            }
            Self::Count => Some((None, summary.count() as f64)),
            Self::Sum => Some((None, summary.sum())),
            Self::Bucket => None,
        }
    }
}

fn number(labels: &[(&str, &str)], name: &str) -> Option<f64> {
    labels.iter().find(|(label, _)| *label == name)?.1.parse().ok()
}

//! Setting a recorder up, and all that can be wrong with it.

use std::time::Duration;

use narthex_core::{Buckets, Histogram, RegisterError, Registry};
use narthex_model::{Bounds, Column};

use crate::names;
use crate::recorder::MetricsRecorder;

/// Sets up a [`MetricsRecorder`].
///
/// Names in it may be given as in the program or as on the page: `http.request_size` and
/// `http_request_size` are the same here.
///
/// ```
/// use std::time::Duration;
///
/// use narthex_core::{Buckets, Registry};
/// use narthex_metrics::MetricsRecorder;
///
/// let recorder = MetricsRecorder::builder(&Registry::new())
///     .buckets_for_prefix("http.", Buckets::exponential(0.001, 2.0, 14))
///     .buckets_for("http.request_size", [1e3, 1e4, 1e5, 1e6])
///     .expire_after(Duration::from_secs(3600))
///     .build()?;
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is built"]
pub struct RecorderBuilder {
    registry: Registry,
    default_buckets: Buckets,
    buckets: Vec<(Rule, Buckets)>,
    options: Options,
}

/// How counters are named on the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CounterNames {
    /// With `_total` at the end, which is added where it is missing.
    ///
    /// Libraries that count with the facade leave it out, while OpenMetrics 1.0 knows a counter by
    /// it: without, every one of them would be of type `unknown` there.
    #[default]
    WithTotal,
    /// As in the program.
    ///
    /// For those whose dashboards know the names that other recorders for Prometheus export.
    AsRecorded,
}

/// Which histograms some buckets are for; the text is as on the page.
#[derive(Clone, Debug)]
enum Rule {
    Name(String),
    Prefix(String),
    Suffix(String),
}

/// What a recorder's families have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) counter_names: CounterNames,
    /// After how much idle time a series is no longer shown.
    pub(crate) idle: Option<Duration>,
    /// The most series of a family, the overflow series not counted.
    pub(crate) series: usize,
}

impl RecorderBuilder {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            default_buckets: Buckets::default(),
            buckets: Vec::new(),
            options: Options {
                counter_names: CounterNames::default(),
                idle: None,
                series: usize::MAX,
            },
        }
    }

    /// Sets the buckets of histograms that nothing else is said about; by default
    /// [`Buckets::DEFAULT`], 5 ms to 10 s.
    pub fn buckets(mut self, buckets: impl Into<Buckets>) -> Self {
        self.default_buckets = buckets.into();
        self
    }

    /// Sets the buckets of the histogram `name`.
    pub fn buckets_for(self, name: &str, buckets: impl Into<Buckets>) -> Self {
        self.rule(Rule::Name(names::metric(name)), buckets.into())
    }

    /// Sets the buckets of histograms whose names begin with `prefix`; the longest prefix counts.
    pub fn buckets_for_prefix(self, prefix: &str, buckets: impl Into<Buckets>) -> Self {
        self.rule(Rule::Prefix(names::metric(prefix)), buckets.into())
    }

    /// Sets the buckets of histograms whose names end with `suffix`, such as `_bytes`, where no
    /// prefix says otherwise; the longest suffix counts.
    pub fn buckets_for_suffix(self, suffix: &str, buckets: impl Into<Buckets>) -> Self {
        self.rule(Rule::Suffix(names::metric(suffix)), buckets.into())
    }

    fn rule(mut self, rule: Rule, buckets: Buckets) -> Self {
        self.buckets.push((rule, buckets));
        self
    }

    /// Sets how counters are named; by default [`CounterNames::WithTotal`].
    pub fn counter_names(mut self, names: CounterNames) -> Self {
        self.options.counter_names = names;
        self
    }

    /// Takes series from the page that were not updated for this long; by default they stay.
    ///
    /// The memory of such a series is given back once the program holds no handle to it. While it
    /// holds one, nothing is lost: the next update brings the series back as it was.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.options.idle = Some(idle);
        self
    }

    /// Sets the most series that a metric may have; by default there is no limit.
    ///
    /// A lookup that would make one more is given the *overflow series*, whose labels all have the
    /// value `overflow`: totals stay exact, and `narthex_metrics_overflow_total` tells of it.
    pub fn series_limit(mut self, most: usize) -> Self {
        self.options.series = most;
        self
    }

    /// Makes the recorder.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] for buckets that cannot be used, and where the registry has a
    /// recorder already.
    pub fn build(self) -> Result<MetricsRecorder, RegisterError> {
        let default = bounds("default_buckets", self.default_buckets)?;
        let mut rules = Vec::with_capacity(self.buckets.len());
        for (rule, buckets) in self.buckets {
            let bounds = bounds(rule.text(), buckets)?;
            rules.push((rule, bounds));
        }
        MetricsRecorder::with(self.registry, self.options, BucketRules { default, rules })
    }
}

/// The buckets of each histogram, by its name on the page.
#[derive(Debug)]
pub(crate) struct BucketRules {
    default: Bounds,
    rules: Vec<(Rule, Bounds)>,
}

impl BucketRules {
    pub(crate) fn of(&self, name: &str) -> Bounds {
        let matching =
            self.rules.iter().filter_map(|(rule, bounds)| Some((rule.weight(name)?, bounds)));
        // Of rules that weigh the same, the one that was given last.
        matching
            .max_by_key(|(weight, _)| *weight)
            .map_or(&self.default, |(_, bounds)| bounds)
            .clone()
    }
}

impl Rule {
    fn text(&self) -> &str {
        match self {
            Self::Name(text) | Self::Prefix(text) | Self::Suffix(text) => text,
        }
    }

    /// How much this rule counts for `name`, if it is about it.
    fn weight(&self, name: &str) -> Option<(u8, usize)> {
        let (rank, applies) = match self {
            Self::Name(text) => (2, name == text),
            Self::Prefix(text) => (1, name.starts_with(text)),
            Self::Suffix(text) => (0, name.ends_with(text)),
        };
        applies.then(|| (rank, self.text().len()))
    }
}

/// The bounds of `buckets`, checked as those of a histogram called `name`.
fn bounds(name: &str, buckets: Buckets) -> Result<Bounds, RegisterError> {
    let registry = Registry::new();
    Histogram::builder(name, "A histogram that shows its buckets.")
        .buckets(buckets)
        .register(&registry)?;
    let scrape = registry.gather();
    let Some(Column::Histogram(column)) =
        scrape.family(name).map(narthex_model::MetricFamily::values)
    else {
        unreachable!("a registry shows the histogram that was just registered");
    };
    Ok(column.bounds().clone())
}

//! Exporters from TOML: sources that a configuration file describes.

mod exporter;
mod json;
mod labels;
mod metrics;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use narthex_model::{MetricFamily, MetricType};

use self::json::{Endpoint, JsonSource};
use self::labels::ConfigLabels;
pub use self::labels::FileLabel;
use self::metrics::ConfigMetrics;
use crate::reload::Sources;
use crate::settings::{ConfigFile, Errors, Section, Settings, SettingsError};

const LABELS: &str = "labels";
const METRICS: &str = "metrics";
const JSON: &str = "json";

/// What `[labels]`, `[metrics.NAME]` and `[json.NAME]` of configuration files say, as sources.
///
/// A program that reads its settings with [`Settings`] gets its sources from the file that
/// `--config` names in three steps: it makes the sections [known](Self::sections), reads the
/// settings, and [loads](Self::load) what the file has. [`Exporter::from_config`] does all of it
/// for a program that has no options of its own.
///
/// The keys are those of prometheus_exporter and json_exporter, and more; `docs/config.md` lists
/// them.
///
/// [`Exporter::from_config`]: crate::Exporter::from_config
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use narthex_core::Registry;
/// use narthex_exporter::{BoxError, Exporter, FileSources, Settings, Sources, WebArgs};
///
/// #[derive(clap::Parser)]
/// struct Cli {
///     #[command(flatten)]
///     web: WebArgs,
/// }
///
/// fn load(files: &FileSources) -> Result<(Sources, WebArgs), BoxError> {
///     let settings = FileSources::sections(Settings::new("THERMO"));
///     let web = settings.try_parse::<Cli>()?.web;
///     let sources = match &web.config {
///         Some(file) => files.load(file, Duration::from_secs(60))?,
///         None => Sources::new(),
///     };
///     Ok((sources, web))
/// }
///
/// # fn main() -> Result<(), BoxError> {
/// let files = Arc::new(FileSources::default());
/// let (sources, web) = load(&files)?;
/// let exporter = Exporter::new("thermo-exporter", Registry::new(), web)
///     .reloadable(sources, move || load(&files).map(|(sources, _)| sources));
/// # drop(exporter);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct FileSources {
    /// The endpoints of the last load: one that is still the same keeps its cache.
    endpoints: Mutex<HashMap<String, Arc<JsonSource>>>,
}

impl FileSources {
    /// Makes the sections known.
    #[must_use]
    pub fn sections(settings: Settings) -> Settings {
        settings
            .section(LABELS, ConfigLabels::read)
            .section(METRICS, ConfigMetrics::read)
            .section(JSON, Endpoints::read)
    }

    /// Whether the file describes any source.
    pub fn has_sources(file: &ConfigFile) -> bool {
        file.has(METRICS) || file.has(JSON)
    }

    /// The labels of every metric that the file has, with what makes an error of the place of one.
    pub fn labels(file: &ConfigFile) -> impl Iterator<Item = FileLabel<'_>> {
        file.section::<ConfigLabels>(LABELS).into_iter().flat_map(ConfigLabels::iter)
    }

    /// Refuses metrics of the file that cannot stand on one page with `families`, which the program
    /// exports beside them: of another type, with another help text, or with the same series.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] with the place of each such metric.
    pub fn check_beside<'f>(
        file: &ConfigFile,
        families: impl IntoIterator<Item = &'f MetricFamily>,
    ) -> Result<(), SettingsError> {
        let families = families.into_iter().map(|family| (family.name().as_str(), family));
        let known: BTreeMap<_, _> = families.collect();
        let mut errors = Errors::default();
        let metrics = described(file.section(METRICS), file.section(JSON));
        for (name, metric) in metrics {
            let Some(family) = known.get(name) else { continue };
            let fault = if metric.metric_type != family.metric_type() {
                "the program exports a metric of this name with another type"
            } else if metric.help != family.metadata().help() {
                "the program exports a metric of this name with another help text"
            } else if metric.family.is_some_and(|own| !is_apart(family, own)) {
                "the program exports the same series"
            } else {
                continue;
            };
            errors.push(metric.section.error(metric.span, fault));
        }
        errors.or(())
    }

    /// Makes sources of what the file has, and [watches](Sources::watch) the file.
    ///
    /// An endpoint that gives no `cache_life` has this one.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] where sections of the file clash with each other.
    pub fn load(&self, file: &ConfigFile, cache_life: Duration) -> Result<Sources, SettingsError> {
        let metrics = file.section::<ConfigMetrics>(METRICS);
        let endpoints = file.section::<Endpoints>(JSON);
        check_clashes(metrics, endpoints)?;

        let mut sources = Sources::new();
        for path in file.files() {
            sources.watch(path);
        }
        for label in Self::labels(file) {
            sources.label(label.name.clone(), label.value);
        }
        if let Some(metrics) = metrics {
            sources.collector(METRICS, metrics.collector());
        }
        let mut known = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = HashMap::new();
        for endpoint in endpoints.into_iter().flat_map(|endpoints| &endpoints.list) {
            let source = match known.get(&endpoint.name) {
                Some(source) if source.is_for(endpoint, cache_life) => source.clone(),
                _ => Arc::new(JsonSource::new(endpoint.clone(), cache_life)),
            };
            sources.source(format!("{JSON}.{}", endpoint.name), source.clone());
            now.insert(endpoint.name.clone(), source);
        }
        *known = now;
        Ok(sources)
    }
}

impl fmt::Debug for FileSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSources").finish_non_exhaustive()
    }
}

/// The section `[json]`.
struct Endpoints {
    section: Section,
    list: Vec<Endpoint>,
}

impl Endpoints {
    fn read(section: &Section) -> Result<Self, SettingsError> {
        let mut fields = section.fields()?;
        let mut list = Vec::new();
        for (name, mut table) in fields.named_tables() {
            list.extend(Endpoint::read(name.get_ref(), &mut table));
            fields.end(table);
        }
        fields.finish(Self { section: section.clone(), list })
    }
}

/// A metric of the file, as far as it can clash with others.
struct Described<'f> {
    section: &'f Section,
    span: &'f Range<usize>,
    metric_type: MetricType,
    help: &'f str,
    /// What it will be on the page, where that is known before anybody is asked.
    family: Option<&'f MetricFamily>,
}

/// The metrics of the file, by name.
fn described<'f>(
    metrics: Option<&'f ConfigMetrics>,
    endpoints: Option<&'f Endpoints>,
) -> impl Iterator<Item = (&'f str, Described<'f>)> {
    let constant = metrics.into_iter().flat_map(ConfigMetrics::described);
    let fetched = endpoints.into_iter().flat_map(|endpoints| {
        let metrics = endpoints.list.iter().flat_map(|endpoint| &endpoint.metrics);
        metrics.map(|metric| {
            let described = Described {
                section: &endpoints.section,
                span: &metric.span,
                metric_type: metric.metric_type,
                help: &metric.help,
                family: None,
            };
            (metric.name.as_str(), described)
        })
    });
    constant.chain(fetched)
}

/// Whether two families of one name have no series in common.
fn is_apart(one: &MetricFamily, other: &MetricFamily) -> bool {
    one.merge(other).is_ok_and(|(_, shared)| shared == 0)
}

/// Sources share a family where they mean the same by it, and else one of them would not be on the
/// page.
fn check_clashes(
    metrics: Option<&ConfigMetrics>,
    endpoints: Option<&Endpoints>,
) -> Result<(), SettingsError> {
    let mut errors = Errors::default();
    let mut known: BTreeMap<&str, Described<'_>> = BTreeMap::new();
    for (name, metric) in described(metrics, endpoints) {
        let fault = match known.get(name) {
            _ if name.starts_with("narthex_") => "names that begin with `narthex_` are reserved",
            _ if json::OWN_METRICS.contains(&name) => "every endpoint has a metric of this name",
            Some(other) if other.metric_type != metric.metric_type => {
                "the file has a metric of this name with another type"
            }
            Some(other) if other.help != metric.help => {
                "the file has a metric of this name with another help text"
            }
            Some(_) => continue,
            None => {
                known.insert(name, metric);
                continue;
            }
        };
        errors.push(metric.section.error(metric.span, fault));
    }
    errors.or(())
}

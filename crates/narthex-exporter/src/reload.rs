//! What is made anew while the exporter runs: its sources, and TLS and authentication.

mod files;
mod route;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use narthex_core::Collector;
use narthex_http::{
    BoxError, Gather, GatherError, IntoSource, ScrapeEngine, ScrapeEngineBuilder, ScrapeRequest,
    SourceNameError, SourceStatus, WebConfigHandle,
};
use narthex_model::{LabelName, MetricFamily, Scrape};
use tokio::task::spawn_blocking;

use self::files::Stamps;
pub(crate) use self::route::{RELOAD, ReloadRoute};
use crate::lifecycle::Hangups;
use crate::settings::SettingsError;

/// Sources that take the place of others when the exporter
/// [reloads](crate::Exporter::reloadable).
///
/// ```
/// use std::time::Duration;
///
/// use narthex_core::Registry;
/// use narthex_exporter::{BoxError, Exporter, ScrapeContext, Sources, WebArgs};
///
/// fn sources() -> Result<Sources, BoxError> {
///     let rooms = std::fs::read_to_string("rooms.txt").unwrap_or_default();
///     let mut sources = Sources::new();
///     sources.watch("rooms.txt");
///     for room in rooms.lines() {
///         sources.source(format!("room.{room}"), |scrape: ScrapeContext| async move {
///             scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
///         });
///     }
///     Ok(sources)
/// }
///
/// # fn main() -> Result<(), BoxError> {
/// let exporter = Exporter::new("thermo-exporter", Registry::new(), WebArgs::default())
///     .reloadable(sources()?, sources);
/// # drop(exporter);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Sources {
    names: Vec<String>,
    add: Vec<Box<dyn FnOnce(ScrapeEngineBuilder) -> ScrapeEngineBuilder + Send>>,
    files: BTreeSet<PathBuf>,
}

impl Sources {
    /// No sources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an async source, as [`Exporter::source`](crate::Exporter::source) does.
    pub fn source<M>(
        &mut self,
        name: impl Into<String>,
        source: impl IntoSource<M, Source: Send>,
    ) -> &mut Self {
        let (name, source) = (name.into(), source.into_source());
        self.names.push(name.clone());
        self.add.push(Box::new(|engine| engine.source(name, source)));
        self
    }

    /// Adds a sync collector as a source, as [`Exporter::collector`](crate::Exporter::collector)
    /// does.
    pub fn collector(&mut self, name: impl Into<String>, collector: impl Collector) -> &mut Self {
        let name = name.into();
        self.names.push(name.clone());
        self.add.push(Box::new(|engine| engine.collector(name, collector)));
        self
    }

    /// Adds a label to every metric that has none of this name, those of the exporter's registry
    /// and of its other sources included, but not to those about scrapes.
    pub fn label(&mut self, name: LabelName, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        self.add.push(Box::new(|engine| engine.label(name, value)));
        self
    }

    /// Reloads when this file changes.
    pub fn watch(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.files.insert(path.into());
        self
    }

    /// Takes over what others have.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.names.append(&mut others.names);
        self.add.append(&mut others.add);
        self.files.append(&mut others.files);
    }

    fn build(self, base: &ScrapeEngineBuilder) -> Result<ScrapeEngine, SourceNameError> {
        self.add.into_iter().fold(base.clone(), |engine, add| add(engine)).build()
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("sources", &self.names)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Makes the sources anew.
pub(crate) type Load = Box<dyn Fn() -> Result<Sources, BoxError> + Send + Sync>;

/// What is scraped: sources that stay as they are, or those that may be made anew.
#[derive(Clone)]
pub(crate) enum Scraped {
    Fixed(ScrapeEngine),
    Reloadable(Arc<Reloader>),
}

impl Scraped {
    /// Starts what runs whether anybody scrapes or not.
    pub(crate) fn start(&self) {
        match self {
            Self::Fixed(engine) => engine.start(),
            Self::Reloadable(reloader) => reloader.start(),
        }
    }

    /// Reloads as long as it is polled, where there is anything to reload.
    pub(crate) async fn reload_for(self, hangups: Hangups) {
        match self {
            Self::Fixed(_) => hangups.ignore().await,
            Self::Reloadable(reloader) => reloader.run(hangups).await,
        }
    }
}

impl Gather for Scraped {
    async fn gather(&self, request: ScrapeRequest) -> Result<Scrape, GatherError> {
        match self {
            Self::Fixed(engine) => engine.gather(request).await,
            Self::Reloadable(reloader) => reloader.gather(request).await,
        }
    }

    fn sources(&self) -> Vec<SourceStatus> {
        match self {
            Self::Fixed(engine) => engine.sources(),
            Self::Reloadable(reloader) => reloader.sources(),
        }
    }
}

/// What is scraped, and how it is made anew.
///
/// A scrape keeps the engine that it began with, so that no scrape sees two sets of sources.
pub(crate) struct Reloader {
    /// With the sources that stay.
    base: ScrapeEngineBuilder,
    loads: Vec<Load>,
    /// TLS and authentication, which look for changes of their files by themselves as well.
    protection: Option<WebConfigHandle>,
    current: RwLock<Current>,
    /// What the files were like when they were last read. Held while they are read, so that reloads
    /// come one after the other.
    stamps: Mutex<Stamps>,
    self_metrics: SelfMetrics,
}

struct Current {
    engine: ScrapeEngine,
    is_started: bool,
    is_last_good: bool,
    since: SystemTime,
}

/// Whether the page tells of reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelfMetrics {
    On,
    Off,
}

/// How often files are looked at for changes.
const PERIOD: Duration = Duration::from_secs(1);

impl Reloader {
    pub(crate) fn new(
        base: ScrapeEngineBuilder,
        parts: Vec<(Sources, Load)>,
        protection: Option<WebConfigHandle>,
        self_metrics: SelfMetrics,
    ) -> Result<Arc<Self>, SourceNameError> {
        let mut sources = Sources::new();
        let mut loads = Vec::with_capacity(parts.len());
        for (part, load) in parts {
            sources.append(part);
            loads.push(load);
        }
        let stamps = Mutex::new(Stamps::of(std::mem::take(&mut sources.files)));
        let engine = sources.build(&base)?;
        let since = SystemTime::now();
        let current = Current { engine, is_started: false, is_last_good: true, since };
        let current = RwLock::new(current);
        Ok(Arc::new(Self { base, loads, protection, current, stamps, self_metrics }))
    }

    fn start(&self) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.is_started = true;
        current.engine.start();
    }

    fn engine(&self) -> ScrapeEngine {
        self.current.read().unwrap_or_else(PoisonError::into_inner).engine.clone()
    }

    /// Reloads on a thread where blocking does no harm.
    ///
    /// # Cancel safety
    /// What has begun goes on to its end.
    pub(crate) async fn reload(self: &Arc<Self>, cause: Cause) -> Result<(), BoxError> {
        let this = self.clone();
        spawn_blocking(move || this.reload_now(cause)).await?
    }

    /// The sources and the protection are two things: each is renewed whether or not the other can
    /// be.
    fn reload_now(&self, cause: Cause) -> Result<(), BoxError> {
        let protection = match (&self.protection, cause) {
            (Some(protection), Cause::Hangup | Cause::Request) => protection.reload(),
            _ => Ok(()),
        };
        let sources = self.reload_sources(cause);
        match (sources, protection) {
            (sources, Ok(())) => sources,
            (Ok(()), Err(error)) => Err(error.into()),
            (Err(first), Err(second)) => Err(format!("{first}; {second}").into()),
        }
    }

    fn reload_sources(&self, cause: Cause) -> Result<(), BoxError> {
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        // Before they are read: what changes meanwhile is a change.
        stamps.take();
        let loaded = self.load();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let outcome = match loaded {
            Ok((engine, files)) => {
                stamps.watch(files);
                if current.is_started {
                    engine.start();
                }
                current.engine = engine;
                current.is_last_good = true;
                current.since = SystemTime::now();
                Ok(())
            }
            Err(error) => {
                current.is_last_good = false;
                Err(error)
            }
        };
        drop(current);
        drop(stamps);
        match &outcome {
            Ok(()) => tracing::info!(%cause, "configuration reloaded"),
            Err(error) => log_refusal(cause, &**error),
        }
        outcome
    }

    /// A new engine, and the files that it depends on.
    fn load(&self) -> Result<(ScrapeEngine, BTreeSet<PathBuf>), BoxError> {
        let mut sources = Sources::new();
        for load in &self.loads {
            sources.append(load()?);
        }
        let files = std::mem::take(&mut sources.files);
        Ok((sources.build(&self.base)?, files))
    }

    /// Reloads for each hangup, and when the files change, as long as it is polled.
    pub(crate) async fn run(self: Arc<Self>, mut hangups: Hangups) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changed = None;
        loop {
            tokio::select! {
                () = hangups.next() => {
                    // An error is in the log and on the page.
                    let _ = self.reload(Cause::Hangup).await;
                }
                _ = ticks.tick() => {
                    let before = changed.take();
                    changed = self.change().await;
                    // Twice the same: who writes the file has come to an end.
                    if changed.is_some() && changed == before {
                        let _ = self.reload(Cause::FileChange).await;
                        changed = None;
                    }
                }
            }
        }
    }

    /// What the files are like now, unless it is as when they were last read.
    async fn change(self: &Arc<Self>) -> Option<Stamps> {
        let this = self.clone();
        let look = move || {
            let read = this.stamps.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut now = read.clone();
            now.take();
            (now != read).then_some(now)
        };
        spawn_blocking(look).await.ok().flatten()
    }

    fn families(&self) -> [MetricFamily; 2] {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let since = current.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let gauge = |name, help, value: f64| {
            let family = MetricFamily::gauge(name, help).sample([""; 0], value);
            family.build().expect("the name is valid")
        };
        [
            gauge(
                "narthex_config_last_reload_successful",
                "Whether the configuration could be used when it was last read.",
                f64::from(u8::from(current.is_last_good)),
            ),
            gauge(
                "narthex_config_last_reload_success_timestamp_seconds",
                "When the configuration that is in use was read.",
                since.as_secs_f64(),
            ),
        ]
    }
}

impl Gather for Reloader {
    async fn gather(&self, request: ScrapeRequest) -> Result<Scrape, GatherError> {
        let mut scrape = self.engine().gather(request).await?;
        if self.self_metrics == SelfMetrics::On {
            scrape.push_families(self.families());
        }
        Ok(scrape)
    }

    fn sources(&self) -> Vec<SourceStatus> {
        self.engine().sources()
    }
}

/// Why the configuration is read again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    Hangup,
    Request,
    FileChange,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP",
            Self::Request => "request",
            Self::FileChange => "file change",
        })
    }
}

fn log_refusal(cause: Cause, error: &(dyn Error + Send + Sync + 'static)) {
    let text = "the configuration cannot be used, the last good one stays";
    match error.downcast_ref::<SettingsError>() {
        Some(errors) => {
            for error in errors.all() {
                tracing::error!(%cause, error = error as &dyn Error, "{text}");
            }
        }
        None => tracing::error!(%cause, error = error as &dyn Error, "{text}"),
    }
}

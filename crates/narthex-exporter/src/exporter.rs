//! The exporter: what is exported, and its life from binding to the last response.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::Write as _;

use bytes::Bytes;
use http::{Request, Response};
use narthex_core::{Collector, Registry};
use narthex_http::{
    Body, BoxError, IntoSource, MetricsService, OnError, RouteError, Running, ScrapeEngine,
    ScrapeEngineBuilder, Server, Site,
};
use narthex_process::ProcessCollector;
use tokio::task::JoinSet;
use tower_service::Service;

use crate::error::ExporterError;
use crate::lifecycle::{ExporterHandle, Hangups, Hook, Signals};
use crate::reload::{Load, RELOAD, ReloadRoute, Reloader, Scraped, SelfMetrics, Sources};
use crate::systemd::{self, Stage};
use crate::web_args::WebArgs;

/// A registry, sources, and what serves them.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_exporter::{Exporter, ScrapeContext, WebArgs};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), narthex_exporter::ExporterError> {
/// let mut web = WebArgs::default();
/// web.port = 0;
/// Exporter::new("thermo-exporter", Registry::new(), web)
///     .source("sensor", |scrape: ScrapeContext| async move {
///         scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
///     })
///     .on_startup(|exporter| async move {
///         exporter.shutdown(); // or serve until a signal comes
///         Ok(())
///     })
///     .run()
///     .await
/// # }
/// ```
#[must_use]
pub struct Exporter {
    name: String,
    version: Option<String>,
    description: Option<String>,
    details: Vec<(String, String)>,
    registry: Registry,
    web: WebArgs,
    engine: ScrapeEngineBuilder,
    routes: Vec<AddRoute>,
    startup: Vec<Hook>,
    shutdown: Vec<Hook>,
    reload: Vec<(Sources, Load)>,
}

/// Adds an endpoint whose type is known no more.
type AddRoute = Box<dyn FnOnce(Site) -> Result<Site, RouteError> + Send>;

impl Exporter {
    /// An exporter of what is in `registry`.
    pub fn new(name: impl Into<String>, registry: Registry, web: WebArgs) -> Self {
        Self {
            name: name.into(),
            version: None,
            description: None,
            details: Vec::new(),
            engine: ScrapeEngine::builder(registry.clone()),
            registry,
            web,
            routes: Vec::new(),
            startup: Vec::new(),
            shutdown: Vec::new(),
            reload: Vec::new(),
        }
    }

    /// Names the exporter otherwise than before.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Gives the exporter's version; by default it is the program's under [`main`](crate::main()),
    /// and else none.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Describes the exporter in a sentence for the landing page; by default it is what the program
    /// says about itself under [`main`](crate::main()), and else nothing.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Tells more about the exporter on the landing page, such as what it was built from; the
    /// version of narthex and the platform are there by default.
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((name.into(), value.into()));
        self
    }

    /// Chooses what becomes of a scrape when a source fails; by default the others are served.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.engine = self.engine.on_error(on_error);
        self
    }

    /// Adds an async source: a [`Source`](narthex_http::Source), or a closure from
    /// [`ScrapeContext`](narthex_http::ScrapeContext) to a future.
    pub fn source<M>(mut self, name: impl Into<String>, source: impl IntoSource<M>) -> Self {
        self.engine = self.engine.source(name, source);
        self
    }

    /// Adds a sync collector as a source; each run gets a thread where blocking does no harm.
    pub fn collector(mut self, name: impl Into<String>, collector: impl Collector) -> Self {
        self.engine = self.engine.collector(name, collector);
        self
    }

    /// Adds `sources`, and has `load` make others in their place when the exporter reloads: on
    /// SIGHUP, when a file changes that they [watch](Sources::watch), and on `POST /-/reload` where
    /// [`--web.enable-lifecycle`](WebArgs::enable_lifecycle) allows it.
    ///
    /// What `load` returns takes the place of what it returned before at once and as a whole: a
    /// scrape sees the one or the other. Where it fails, what was there stays. SIGHUP and the request
    /// also have the files of TLS and authentication read again, with or without sources to make
    /// anew. Everything else about the exporter stays as it is until the next start. `load` runs
    /// where blocking does no harm. Called several times, this adds several parts, which are made
    /// anew together.
    ///
    /// | family | type | meaning |
    /// |---|---|---|
    /// | `narthex_config_last_reload_successful` | gauge | 1, or 0 where `load` failed the last time |
    /// | `narthex_config_last_reload_success_timestamp_seconds` | gauge | when what is in use was made |
    pub fn reloadable<F>(mut self, sources: Sources, load: F) -> Self
    where
        F: Fn() -> Result<Sources, BoxError> + Send + Sync + 'static,
    {
        self.reload.push((sources, Box::new(load)));
        self
    }

    /// Adds an endpoint of your own: a [tower service](tower_service::Service), which the landing
    /// page links to.
    ///
    /// A path that is not valid, or taken by a built-in endpoint or another of your own, is an error
    /// of [`run`](Self::run) before anything is bound.
    pub fn route<S, B>(mut self, path: impl Into<String>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let path = path.into();
        self.routes.push(Box::new(move |site| site.route(path, service)));
        self
    }

    /// Adds a hook that runs between binding and serving; several run one after the other.
    ///
    /// A hook that fails or panics ends the start: nothing is served.
    pub fn on_startup<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(ExporterHandle) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.startup.push(Hook::new(hook));
        self
    }

    /// Adds a hook that runs when nothing is served any more; several run one after the other.
    ///
    /// They run where the start had succeeded. Each one runs, even where one before it fails.
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(ExporterHandle) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.shutdown.push(Hook::new(hook));
        self
    }

    /// Takes what the program says about itself where nothing else was said.
    pub(crate) fn or_about(mut self, version: &str, about: &str) -> Self {
        self.version.get_or_insert_with(|| version.to_owned());
        self.description.get_or_insert_with(|| about.to_owned());
        self
    }

    /// Serves until SIGTERM, SIGINT or [`ExporterHandle::shutdown`]; then lets scrapes under way
    /// end, for [`--web.shutdown-timeout`](WebArgs::shutdown_timeout) at most, and runs the shutdown
    /// hooks. SIGHUP makes the sources anew that are [reloadable](Self::reloadable), and has the
    /// files of TLS and authentication read again.
    ///
    /// Prints `listening on URL` for each listener on standard output once it serves.
    ///
    /// # Errors
    /// Returns an [`ExporterError`] where the start or a hook fails, or where a second signal comes
    /// before all is done.
    ///
    /// # Cancel safety
    /// Dropping the future ends the exporter at once: connections are cut, and no further hook
    /// runs.
    ///
    /// # Panics
    /// Must be called within a tokio runtime with I/O and time enabled.
    pub async fn run(mut self) -> Result<(), ExporterError> {
        let version = self.version.clone().unwrap_or_default();
        tracing::info!(exporter = %self.name, version, "startup");
        tracing::debug!(web = ?self.web, "configuration");
        let mut signals = Signals::listen().map_err(ExporterError::Signals)?;
        let hangups = Hangups::listen().map_err(ExporterError::Signals)?;
        let startup = std::mem::take(&mut self.startup);
        let shutdown = std::mem::take(&mut self.shutdown);
        let registry = self.registry.clone();

        let server = listen(&self.web).await?;
        let (site, scraped) = self.into_site(&server)?;
        // Ended when the exporter ends, as it is dropped then.
        let mut reloads = JoinSet::new();
        reloads.spawn(scraped.clone().reload_for(hangups));
        let handle = ExporterHandle::new(registry, server.local_addrs(), site.readiness());
        tokio::select! {
            outcome = run_until_failure(startup, &handle) => outcome?,
            signal = signals.next() => {
                tracing::info!(%signal, "shutdown before the start was done");
                return Ok(());
            }
        }
        scraped.start();
        let running = server.serve(site);
        announce(&running);
        systemd::tell(Stage::Ready);

        let stop = signals.stop(&handle).await;
        tracing::info!(cause = %stop, "shutdown");
        systemd::tell(Stage::Stopping);
        tokio::select! {
            outcome = end(running, shutdown, &handle) => outcome,
            signal = signals.next() => Err(ExporterError::Interrupted(signal)),
        }
    }

    fn into_site(self, server: &Server) -> Result<(Site, Scraped), ExporterError> {
        let web = self.web;
        let mut engine = self.engine;
        // Not through the registry, whose prefix and labels are not for these.
        if web.process_stats && !web.disable_exporter_metrics {
            engine = engine.collector("process", ProcessCollector::new());
        }
        if web.disable_exporter_metrics {
            engine = engine.without_self_metrics();
        }
        let self_metrics = match web.disable_exporter_metrics {
            true => SelfMetrics::Off,
            false => SelfMetrics::On,
        };
        let protection = server.web_config_handle();
        let scraped = if self.reload.is_empty() && protection.is_none() {
            Scraped::Fixed(engine.build()?)
        } else {
            let reloader = Reloader::new(engine, self.reload, protection, self_metrics)?;
            Scraped::Reloadable(reloader)
        };
        let service = match self_metrics {
            SelfMetrics::Off => MetricsService::new(scraped.clone()).without_self_metrics(),
            SelfMetrics::On => MetricsService::new(server.metrics().beside(scraped.clone())),
        };
        let service =
            service.timeout_offset(web.scrape_timeout_offset).max_gathers(web.max_requests);
        let mut site = Site::new(service)
            .name(self.name)
            .version(self.version.unwrap_or_default())
            .description(self.description.unwrap_or_default())
            .detail("narthex", env!("CARGO_PKG_VERSION"))
            .detail("Platform", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH))
            .metrics_path(web.metrics_path)?;
        for (name, value) in self.details {
            site = site.detail(name, value);
        }
        for route in self.routes {
            site = route(site)?;
        }
        if let (Scraped::Reloadable(reloader), true) = (&scraped, web.enable_lifecycle) {
            site = site.route(RELOAD, ReloadRoute(reloader.clone()))?;
        }
        Ok((site, scraped))
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("name", &self.name)
            .field("engine", &self.engine)
            .field("web", &self.web)
            .finish_non_exhaustive()
    }
}

async fn run_until_failure(hooks: Vec<Hook>, handle: &ExporterHandle) -> Result<(), ExporterError> {
    for hook in hooks {
        hook.run(handle.clone()).await.map_err(ExporterError::Startup)?;
    }
    Ok(())
}

/// Binds and protects, so that everything that can be wrong about it is known before anything else
/// starts.
async fn listen(web: &WebArgs) -> Result<Server, ExporterError> {
    let mut server = match web.systemd_socket {
        true => systemd::server()?,
        false => Server::bind_all(web.addresses()).await?,
    };
    for address in web.health_address.clone() {
        server = server.health_address(address).await?;
    }
    for host in &web.allowed_host {
        server = server.allowed_host(host);
    }
    if let Some(config) = web.web_config() {
        server = server.web_config(config)?;
    }
    Ok(server.shutdown_timeout(web.shutdown_timeout))
}

/// Says where the metrics are: to programs on standard output, and to readers of the log.
fn announce(running: &Running) {
    let mut stdout = std::io::stdout().lock();
    for url in running.metrics_urls() {
        // Who closed the pipe does not want to know.
        let _ = writeln!(stdout, "listening on {url}").and_then(|()| stdout.flush());
        tracing::info!(url, "listening");
    }
    for url in running.health_urls() {
        tracing::info!(url, "listening for probes");
    }
}

/// Ends what runs, hooks last.
async fn end(
    running: Running,
    hooks: Vec<Hook>,
    handle: &ExporterHandle,
) -> Result<(), ExporterError> {
    if let Err(error) = running.shutdown().await {
        tracing::warn!("{error}");
    }
    let mut outcome = Ok(());
    for hook in hooks {
        if let Err(error) = hook.run(handle.clone()).await {
            match outcome {
                Ok(()) => outcome = Err(ExporterError::Shutdown(error)),
                // One can be returned.
                Err(_) => tracing::error!(error = &*error as &dyn Error, "a shutdown hook failed"),
            }
        }
    }
    outcome
}

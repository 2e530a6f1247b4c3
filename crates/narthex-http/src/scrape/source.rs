//! What a source is, and what can be one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use narthex_model::MetricFamily;

use super::context::ScrapeContext;

/// Any error a source may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Data that is fetched anew for each scrape.
///
/// What a source sets on its [`ScrapeContext`] becomes visible when it returns `Ok`, all at once.
/// When it fails, panics or misses the scrape's deadline, nothing of it shows, and everything else
/// is served.
///
/// ```
/// use narthex_http::{BoxError, ScrapeContext, Source};
///
/// struct Sensor;
///
/// impl Sensor {
///     async fn read(&self) -> Result<f64, BoxError> {
///         Ok(21.5)
///     }
/// }
///
/// impl Source for Sensor {
///     async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
///         scrape.gauge("temperature_celsius", "Temperature.").set(self.read().await?);
///         Ok(())
///     }
/// }
/// ```
///
/// # Cancel safety
/// The future is dropped at any `.await` when the deadline passes or the scraper goes away. A
/// source that two scrapes ask at once is run twice at once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source",
    note = "implement `Source`, or give a closure `|scrape: ScrapeContext| async move {{ .. }}`"
)]
pub trait Source: Send + Sync + 'static {
    /// Fetches the data of one scrape.
    ///
    /// # Errors
    /// An error costs the source's own data; its text goes to the log, its cause to
    /// `narthex_source_failures_total`.
    fn collect(&self, scrape: &ScrapeContext) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Is called once before the first scrape where the engine is
    /// [started](crate::ScrapeEngine::start), within its runtime; by default it does nothing.
    fn start(&self) {}
}

impl<S: Source> Source for Arc<S> {
    fn collect(&self, scrape: &ScrapeContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        (**self).collect(scrape)
    }

    fn start(&self) {
        (**self).start();
    }
}

/// Anything that can be added to an engine as a source: a [`Source`], or a closure or function
/// from [`ScrapeContext`] to a future of [`IntoFamilies`].
///
/// `Marker` only tells the two apart; it is always inferred.
///
/// ```
/// use narthex_http::{ScrapeContext, ScrapeEngine};
/// use narthex_model::MetricFamily;
///
/// let engine = ScrapeEngine::builder(narthex_core::Registry::new())
///     .source("sets", |scrape: ScrapeContext| async move {
///         scrape.gauge("queue_length", "Jobs that wait.").set(3_u64);
///     })
///     .source("returns", |_: ScrapeContext| async {
///         MetricFamily::gauge("disks", "Disks found.").sample([""; 0], 2_u64).build()
///     })
///     .build()?;
/// # Ok::<(), narthex_http::SourceNameError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source",
    note = "implement `Source`, or give a closure `|scrape: ScrapeContext| async move {{ .. }}`",
    note = "the future must be `Send` and give families, nothing, or a `Result` of either"
)]
pub trait IntoSource<Marker> {
    /// The source it becomes.
    type Source: Source;

    /// Makes it a source.
    fn into_source(self) -> Self::Source;
}

/// Marks the [`IntoSource`] of types that are sources already.
#[derive(Debug)]
pub struct IsSource;

impl<S: Source> IntoSource<IsSource> for S {
    type Source = S;

    fn into_source(self) -> S {
        self
    }
}

/// Marks the [`IntoSource`] of closures and functions.
#[derive(Debug)]
pub struct IsFunction;

impl<F, Fut, R> IntoSource<IsFunction> for F
where
    F: Fn(ScrapeContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = R> + Send,
    R: IntoFamilies,
{
    type Source = SourceFn<F>;

    fn into_source(self) -> SourceFn<F> {
        SourceFn(self)
    }
}

/// A closure or function as a [`Source`]; made by [`IntoSource`].
#[derive(Clone)]
pub struct SourceFn<F>(F);

impl<F, Fut, R> Source for SourceFn<F>
where
    F: Fn(ScrapeContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = R> + Send,
    R: IntoFamilies,
{
    async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
        for family in (self.0)(scrape.clone()).await.into_families()? {
            scrape.add(family);
        }
        Ok(())
    }
}

impl<F> std::fmt::Debug for SourceFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFn").finish_non_exhaustive()
    }
}

/// What a source that is a closure may return.
#[diagnostic::on_unimplemented(
    message = "a source cannot return `{Self}`",
    note = "return `()`, a `MetricFamily`, a `Vec<MetricFamily>`, or a `Result` of one of these"
)]
pub trait IntoFamilies {
    /// Gives the families that were returned, beside those that were set on the context.
    ///
    /// # Errors
    /// Returns the error that the closure returned.
    fn into_families(self) -> Result<Vec<MetricFamily>, BoxError>;
}

impl IntoFamilies for () {
    fn into_families(self) -> Result<Vec<MetricFamily>, BoxError> {
        Ok(Vec::new())
    }
}

impl IntoFamilies for MetricFamily {
    fn into_families(self) -> Result<Vec<MetricFamily>, BoxError> {
        Ok(vec![self])
    }
}

impl IntoFamilies for Vec<MetricFamily> {
    fn into_families(self) -> Result<Vec<MetricFamily>, BoxError> {
        Ok(self)
    }
}

impl<T: IntoFamilies, E: Into<BoxError>> IntoFamilies for Result<T, E> {
    fn into_families(self) -> Result<Vec<MetricFamily>, BoxError> {
        self.map_err(Into::into)?.into_families()
    }
}

/// [`Source`] behind a pointer.
pub(super) trait DynSource: Send + Sync + 'static {
    fn collect_boxed<'a>(
        &'a self,
        scrape: &'a ScrapeContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

    fn start_dyn(&self);
}

impl<S: Source> DynSource for S {
    fn collect_boxed<'a>(
        &'a self,
        scrape: &'a ScrapeContext,
    ) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>> {
        Box::pin(self.collect(scrape))
    }

    fn start_dyn(&self) {
        self.start();
    }
}

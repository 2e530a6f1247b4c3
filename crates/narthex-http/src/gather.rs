//! The seam between the service and what it serves.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use narthex_core::Registry;
use narthex_model::Scrape;
use tokio::time::Instant;

/// Something that can be scraped: a [`Registry`], or a
/// [`ScrapeEngine`](crate::ScrapeEngine) that asks async sources first.
pub trait Gather: Send + Sync + 'static {
    /// Gathers one scrape.
    ///
    /// Dropping the future gives the scrape up; nothing of it may show afterwards.
    ///
    /// # Errors
    /// Returns a [`GatherError`] where there is to be no page at all. What fails in part is left
    /// out instead, and told of on the page.
    fn gather(
        &self,
        request: ScrapeRequest,
    ) -> impl Future<Output = Result<Scrape, GatherError>> + Send;

    /// The parts that can be asked for by name, and how each fared last; by default there are none.
    fn sources(&self) -> Vec<SourceStatus> {
        Vec::new()
    }
}

/// What a scraper asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScrapeRequest {
    /// When the answer must be ready: the scraper's own timeout less a margin.
    pub deadline: Instant,
    selection: Selection,
}

impl ScrapeRequest {
    /// A request that must be answered by `deadline`, for all sources.
    pub fn new(deadline: Instant) -> Self {
        Self { deadline, selection: Selection::All }
    }

    /// Asks these sources alone.
    #[must_use]
    pub fn only<N: Into<Box<str>>>(self, sources: impl IntoIterator<Item = N>) -> Self {
        let sources = sources.into_iter().map(Into::into).collect();
        self.selecting(Selection::Only(sources))
    }

    /// Whether this source is asked.
    pub fn wants(&self, source: &str) -> bool {
        match &self.selection {
            Selection::All => true,
            Selection::Only(sources) => sources.contains(source),
        }
    }

    pub(crate) fn selecting(self, selection: Selection) -> Self {
        Self { selection, ..self }
    }
}

/// Which sources a scrape is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    Only(BTreeSet<Box<str>>),
}

/// How a source fared when it was last asked.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    pub(crate) name: Box<str>,
    pub(crate) last: Option<LastRun>,
}

#[derive(Clone, Debug)]
pub(crate) struct LastRun {
    /// The cause of the failure, where it failed.
    pub(crate) failed: Option<&'static str>,
    pub(crate) took: Duration,
    pub(crate) at: Instant,
}

impl SourceStatus {
    /// The status of a source that was not asked yet.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), last: None }
    }

    /// The name by which it can be asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its last run succeeded; `None` before the first one.
    pub fn succeeded(&self) -> Option<bool> {
        self.last.as_ref().map(|last| last.failed.is_none())
    }

    /// Why the last run failed, in a word; `None` where it did not.
    pub fn failure(&self) -> Option<&str> {
        self.last.as_ref()?.failed
    }

    /// How long the last run took.
    pub fn duration(&self) -> Option<Duration> {
        self.last.as_ref().map(|last| last.took)
    }

    /// How long ago the last run ended.
    pub fn age(&self) -> Option<Duration> {
        self.last.as_ref().map(|last| last.at.elapsed())
    }
}

/// A scrape that failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherError(Box<str>);

impl GatherError {
    /// A failure with its reason, which scrapers are told: it must hold no secret.
    pub fn new(reason: impl Into<Box<str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for GatherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GatherError {}

impl Gather for Registry {
    async fn gather(&self, _request: ScrapeRequest) -> Result<Scrape, GatherError> {
        Ok(Registry::gather(self))
    }
}

impl<G: Gather> Gather for Arc<G> {
    fn gather(
        &self,
        request: ScrapeRequest,
    ) -> impl Future<Output = Result<Scrape, GatherError>> + Send {
        (**self).gather(request)
    }

    fn sources(&self) -> Vec<SourceStatus> {
        (**self).sources()
    }
}

/// A gather under way, behind a pointer.
type Gathering<'a> = Pin<Box<dyn Future<Output = Result<Scrape, GatherError>> + Send + 'a>>;

/// [`Gather`] behind a pointer.
pub(crate) trait DynGather: Send + Sync + 'static {
    fn gather_boxed(&self, request: ScrapeRequest) -> Gathering<'_>;

    fn source_statuses(&self) -> Vec<SourceStatus>;
}

impl<G: Gather> DynGather for G {
    fn gather_boxed(&self, request: ScrapeRequest) -> Gathering<'_> {
        Box::pin(self.gather(request))
    }

    fn source_statuses(&self) -> Vec<SourceStatus> {
        self.sources()
    }
}

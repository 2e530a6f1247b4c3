//! The seam between the service and what it serves.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use narthex_core::Registry;
use narthex_model::Scrape;
use tokio::time::Instant;

/// Something that can be scraped: a [`Registry`], or a
/// [`ScrapeEngine`](crate::ScrapeEngine) that asks async sources first.
pub trait Gather: Send + Sync + 'static {
    /// Gathers one scrape.
    ///
    /// Dropping the future gives the scrape up; nothing of it may show afterwards.
    fn gather(&self, request: ScrapeRequest) -> impl Future<Output = Scrape> + Send;
}

/// What a scraper asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScrapeRequest {
    /// When the answer must be ready: the scraper's own timeout less a margin.
    pub deadline: Instant,
}

impl ScrapeRequest {
    /// A request that must be answered by `deadline`.
    pub fn new(deadline: Instant) -> Self {
        Self { deadline }
    }
}

impl Gather for Registry {
    async fn gather(&self, _request: ScrapeRequest) -> Scrape {
        Registry::gather(self)
    }
}

impl<G: Gather> Gather for Arc<G> {
    fn gather(&self, request: ScrapeRequest) -> impl Future<Output = Scrape> + Send {
        (**self).gather(request)
    }
}

/// [`Gather`] behind a pointer.
pub(crate) trait DynGather: Send + Sync + 'static {
    fn gather_boxed(
        &self,
        request: ScrapeRequest,
    ) -> Pin<Box<dyn Future<Output = Scrape> + Send + '_>>;
}

impl<G: Gather> DynGather for G {
    fn gather_boxed(
        &self,
        request: ScrapeRequest,
    ) -> Pin<Box<dyn Future<Output = Scrape> + Send + '_>> {
        Box::pin(self.gather(request))
    }
}

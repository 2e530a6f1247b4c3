//! The metrics page as a tower service.

mod flight;
mod negotiate;
mod pages;
mod self_metrics;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
    VARY,
};
use http::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use self::flight::Flights;
use self::negotiate::Coding;
use self::pages::{AllPages, Variant};
use self::self_metrics::SelfMetrics;
use crate::body::Body;
use crate::gather::{DynGather, Gather};

/// Answers scrapes: a [tower service](tower_service::Service) for any request body.
///
/// Mount it in an existing application, or hand it to [`Server::serve`](crate::Server::serve).
/// The path is the router's business: the service looks at the method and the headers only.
///
/// - GET and HEAD are answered, other methods get 405.
/// - The format follows `Accept`, and the page is compressed with gzip where `Accept-Encoding`
///   asks for it.
/// - Scrapes that arrive while the metrics are being gathered share that gather, and everybody
///   who wants the same format reads the same bytes. At most two pages of a format are alive: who
///   finds both still being read gets the younger if it is under one second old, and 503 with
///   `Retry-After` otherwise, so that slow readers cannot eat the memory.
/// - The gather must be ready by the scraper's own timeout, which it tells in
///   `X-Prometheus-Scrape-Timeout-Seconds`, less a margin; where it is not, the answer is 503.
/// - What a gather had to leave out is logged once as a warning, and counted.
///
/// # Self-metrics
/// The service adds a few families of its own to the page, unless told
/// [otherwise](Self::without_self_metrics). As a page is made before it is answered, it does not
/// count itself.
///
/// | name | meaning |
/// |---|---|
/// | `narthex_scrapes_total{code}` | scrapes answered, by HTTP status: 200, 500, 503 |
/// | `narthex_scrapes_in_flight` | scrapes being answered, the one that shows it included |
/// | `narthex_gathers_total` | times the metrics were gathered; fewer than scrapes where some shared |
/// | `narthex_scrape_problems_total` | families or series that had to be left out of a page |
///
/// # Cancel safety
/// The future of a response may be dropped at any time. Others who wait for the same gather still
/// get it; when nobody waits any more, the gather is dropped as well.
///
/// # Panics
/// Must be called within a tokio runtime, as the gather runs in a task of its own.
///
/// ```
/// use http::{Request, StatusCode};
/// use narthex_core::{Counter, Registry};
/// use narthex_http::MetricsService;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new();
/// Counter::builder("jobs_total", "Jobs done.").register(&registry)?.inc();
/// let mut service = MetricsService::new(registry);
///
/// let response = service.call(Request::get("/metrics").body(())?).await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MetricsService {
    core: Arc<Core>,
}

struct Core {
    options: Options,
    metrics: Arc<SelfMetrics>,
    flights: Flights,
    pages: AllPages,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    timeout_offset: Duration,
    default_timeout: Duration,
    compression: bool,
    self_metrics: bool,
}

impl MetricsService {
    /// A service for what `gather` gives: a registry or a scrape engine.
    ///
    /// Set the options before cloning: clones share their gathers and pages, and a changed option
    /// starts afresh.
    pub fn new(gather: impl Gather) -> Self {
        let options = Options {
            timeout_offset: Duration::from_millis(500),
            default_timeout: Duration::from_secs(10),
            compression: true,
            self_metrics: true,
        };
        Self::with(Arc::new(gather), options)
    }

    /// Keeps `offset` of the scraper's timeout for the way back; by default half a second.
    ///
    /// It never takes more than half of the timeout.
    #[must_use]
    pub fn timeout_offset(self, offset: Duration) -> Self {
        self.option(|options| options.timeout_offset = offset)
    }

    /// Gives scrapers that tell no timeout this one; by default ten seconds.
    #[must_use]
    pub fn default_timeout(self, timeout: Duration) -> Self {
        self.option(|options| options.default_timeout = timeout)
    }

    /// Sends pages as they are, even to those who ask for gzip.
    #[must_use]
    pub fn without_compression(self) -> Self {
        self.option(|options| options.compression = false)
    }

    /// Leaves the service's own metrics out of the page.
    #[must_use]
    pub fn without_self_metrics(self) -> Self {
        self.option(|options| options.self_metrics = false)
    }

    fn option(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.core.options;
        change(&mut options);
        Self::with(self.core.flights.gather(), options)
    }

    fn with(gather: Arc<dyn DynGather>, options: Options) -> Self {
        let metrics = Arc::new(SelfMetrics::new(options.self_metrics));
        let flights = Flights::new(gather, metrics.clone());
        let core = Core { options, metrics, flights, pages: AllPages::default() };
        Self { core: Arc::new(core) }
    }

    pub(crate) fn respond(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let ask = Ask::new(method, headers, &self.core.options);
        let core = self.core.clone();
        async move {
            match ask {
                Some(ask) => core.answer(&ask).await,
                None => method_not_allowed(),
            }
        }
    }
}

impl fmt::Debug for MetricsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsService")
            .field("options", &self.core.options)
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for MetricsService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let response = self.respond(request.method(), request.headers());
        ResponseFuture::new(response)
    }
}

/// The response of a [`MetricsService`] or a [`Site`](crate::Site) to come.
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl ResponseFuture {
    pub(crate) fn new(response: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self(Box::pin(response))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// What one request asks for.
struct Ask {
    head: bool,
    variant: Variant,
    /// Whether another `Accept-Encoding` could have had another answer.
    compressible: bool,
    /// When the gather must be ready.
    deadline: Instant,
    /// When the scraper is told that it was not.
    limit: Instant,
}

impl Ask {
    fn new(method: &Method, headers: &HeaderMap, options: &Options) -> Option<Self> {
        if method != Method::GET && method != Method::HEAD {
            return None;
        }
        let format = negotiate::format(headers);
        let coding =
            if options.compression { Coding::negotiate(headers) } else { Coding::Identity };
        let (ready, margin) = match negotiate::scrape_timeout(headers) {
            Some(timeout) => {
                let offset = options.timeout_offset.min(timeout / 2);
                (timeout - offset, offset)
            }
            None => (options.default_timeout, options.timeout_offset),
        };
        let deadline = Instant::now() + ready;
        Some(Self {
            head: method == Method::HEAD,
            variant: Variant { format, coding },
            compressible: options.compression,
            deadline,
            limit: deadline + margin / 2,
        })
    }
}

/// Why a scrape got no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// All pages are being read, and the youngest is too old to be handed out again.
    Busy,
    /// The gather was not ready in time.
    Late,
    /// The gather or the encoder panicked.
    Failed,
}

impl Core {
    async fn answer(&self, ask: &Ask) -> Response<Body> {
        let in_flight = self.metrics.begin();
        let page = timeout_at(ask.limit, self.page(ask)).await.unwrap_or(Err(Refusal::Late));
        match page {
            Ok(page) => {
                in_flight.end(StatusCode::OK);
                page_response(page, ask)
            }
            Err(refusal) => {
                let response = refusal_response(refusal, ask);
                in_flight.end(response.status());
                response
            }
        }
    }

    async fn page(&self, ask: &Ask) -> Result<Bytes, Refusal> {
        let pages = self.pages.of(ask.variant);
        // Known before the gather: no page could be made of it.
        if let Some(answer) = pages.answer_if_all_are_read() {
            return answer;
        }
        let flight = self.flights.join(ask.deadline);
        let gathered = flight.landed().await?;
        pages.page(gathered).await
    }
}

fn page_response(page: Bytes, ask: &Ask) -> Response<Body> {
    let vary = if ask.compressible { "accept, accept-encoding" } else { "accept" };
    let content_type = ask.variant.format.content_type();
    let mut response = content_response(StatusCode::OK, content_type, page, ask.head);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static(vary));
    if ask.variant.coding == Coding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn refusal_response(refusal: Refusal, ask: &Ask) -> Response<Body> {
    let (status, text) = match refusal {
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many slow readers\n"),
        Refusal::Late => (StatusCode::SERVICE_UNAVAILABLE, "the metrics were not ready in time\n"),
        Refusal::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "the scrape failed\n"),
    };
    let mut response = text_response(status, text, ask.head);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pub(crate) fn method_not_allowed() -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = text_response(status, "method not allowed\n", false);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// A short answer in plain text; a HEAD request gets its headers alone.
pub(crate) fn text_response(status: StatusCode, text: &'static str, head: bool) -> Response<Body> {
    let text = Bytes::from_static(text.as_bytes());
    content_response(status, "text/plain; charset=utf-8", text, head)
}

pub(crate) fn content_response(
    status: StatusCode,
    content_type: &'static str,
    content: Bytes,
    head: bool,
) -> Response<Body> {
    // Told here, for a response to HEAD has the length of the content that it lacks.
    let length = HeaderValue::from(content.len());
    let mut response = Response::new(if head { Body::empty() } else { Body::from(content) });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, length);
    response
}

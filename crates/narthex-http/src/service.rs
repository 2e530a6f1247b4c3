//! The metrics page as a tower service.

mod chunks;
mod coding;
mod flight;
mod negotiate;
mod pages;
mod query;
mod readers;
mod self_metrics;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use narthex_format::Format;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use self::chunks::Progress;
use self::coding::Coding;
use self::flight::Flights;
use self::pages::{AllPages, Variant};
use self::query::{Query, QueryError};
pub(crate) use self::readers::{Reader, Taken};
use self::self_metrics::SelfMetrics;
use crate::body::Body;
use crate::gather::{DynGather, Gather, Selection, SourceStatus};

/// Answers scrapes: a [tower service](tower_service::Service) for any request body.
///
/// Mount it in an existing application, or hand it to [`Server::serve`](crate::Server::serve).
/// The path is the router's business: the service looks at the method, the query and the headers.
///
/// - GET and HEAD are answered, other methods get 405.
/// - The format follows `Accept`, among those that are [offered](Self::formats), and the page is
///   compressed where `Accept-Encoding` asks for it: with gzip, or with zstd under the feature of
///   that name.
/// - Scrapes that arrive while the metrics are being gathered share that gather, and everybody
///   who wants the same format reads the same bytes, which are made off the async workers.
/// - A page of more than 64 KiB is sent while its rest is being made, then without `Content-Length`.
/// - The gather must be ready by the scraper's own timeout, which it tells in
///   `X-Prometheus-Scrape-Timeout-Seconds`, less a margin; where it is not, the answer is 503 with
///   `Retry-After`, and so it is where too many gathers are [under way](Self::max_gathers).
/// - What a gather had to leave out is logged once as a warning, and counted.
///
/// # Filters
/// The query chooses what is shown, unless [told otherwise](Self::without_filters). Each parameter
/// may be repeated.
///
/// | parameter | shows |
/// |---|---|
/// | `collect[]=SOURCE` | these [sources](Gather::sources) alone, and asks no other |
/// | `exclude[]=SOURCE` | all sources but these |
/// | `name[]=METRIC` | families of these names, or with samples of these names, whole |
/// | `LABEL=VALUE` | series with this label; several values of one label are alternatives |
///
/// Values are decoded as those of HTML forms are; an empty one stands for series without the
/// label. A malformed query and an unknown source are answered 400 with the reason. Filters apply
/// to what was gathered or cached, and never to what is kept.
///
/// # Slow readers
/// At most two pages of a format are alive, and eight pairs of filtered ones, so that slow readers
/// cannot eat the memory. Who finds both still being read gets the younger if it is under one
/// second old. If it is older, a page is taken back whose readers all took nothing for half a
/// second or have outlived their own timeout (at most a minute): their responses break off.
/// Where there is no such page, the answer is 503 with `Retry-After`.
///
/// # Self-metrics
/// The service adds a few families of its own to the page, unless told
/// [otherwise](Self::without_self_metrics). As a page is made before it is answered, it does not
/// count itself.
///
/// | name | meaning |
/// |---|---|
/// | `narthex_scrapes_total{code}` | scrapes answered, by HTTP status: 200, 400, 500, 503 |
/// | `narthex_scrapes_refused_total{reason}` | scrapes without a page: `query` (400), `failure` (500), `deadline`, `gathers` and `slow_readers` (503) |
/// | `narthex_scrapes_in_flight` | scrapes being answered, the one that shows it included |
/// | `narthex_gathers_total` | times the metrics were gathered; fewer than scrapes where some shared |
/// | `narthex_responses_revoked_total` | responses broken off because their readers were too slow |
/// | `narthex_scrape_problems_total` | families or series that had to be left out of a page |
///
/// A [`ScrapeEngine`](crate::ScrapeEngine) adds those of its sources.
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

#[derive(Clone, Debug)]
struct Options {
    formats: Arc<[Format]>,
    timeout_offset: Duration,
    default_timeout: Duration,
    max_gathers: usize,
    compression: bool,
    filters: bool,
    self_metrics: bool,
}

impl MetricsService {
    /// A service for what `gather` gives: a registry or a scrape engine.
    ///
    /// Set the options before cloning: clones share their gathers and pages, and a changed option
    /// starts afresh.
    pub fn new(gather: impl Gather) -> Self {
        let options = Options {
            formats: Format::OFFERED.into(),
            timeout_offset: Duration::from_millis(500),
            default_timeout: Duration::from_secs(10),
            max_gathers: 40,
            compression: true,
            filters: true,
            self_metrics: true,
        };
        Self::with(Arc::new(gather), options)
    }

    /// Offers these formats alone; by default all of [`Format::OFFERED`].
    ///
    /// Who asks for none of them gets the text format where it is offered, and else the first. A
    /// format's escaping scheme is what a scraper gets that asks for none.
    ///
    /// ```
    /// use narthex_core::Registry;
    /// use narthex_format::Format;
    /// use narthex_http::MetricsService;
    ///
    /// let service = MetricsService::new(Registry::new()).formats([Format::OPEN_METRICS]);
    /// # drop(service);
    /// ```
    #[must_use]
    pub fn formats(self, formats: impl IntoIterator<Item = Format>) -> Self {
        let formats = formats.into_iter().collect();
        self.option(|options| options.formats = formats)
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

    /// Gathers at most so often at the same time; by default 40, and never less than once.
    ///
    /// Scrapes of the same sources share a gather, so that only those which choose sources count,
    /// and those that come after a deadline has passed.
    #[must_use]
    pub fn max_gathers(self, gathers: usize) -> Self {
        self.option(|options| options.max_gathers = gathers.max(1))
    }

    /// Shows everything to everybody, whatever the query says.
    #[must_use]
    pub fn without_filters(self) -> Self {
        self.option(|options| options.filters = false)
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
        let mut options = self.core.options.clone();
        change(&mut options);
        Self::with(self.core.flights.gather(), options)
    }

    fn with(gather: Arc<dyn DynGather>, options: Options) -> Self {
        let metrics = Arc::new(SelfMetrics::new(options.self_metrics));
        let flights = Flights::new(gather, metrics.clone(), options.max_gathers);
        let pages = AllPages::new(metrics.clone());
        let core = Core { options, metrics, flights, pages };
        Self { core: Arc::new(core) }
    }

    /// The sources of what is served, and how each fared last.
    pub(crate) fn sources(&self) -> Vec<SourceStatus> {
        self.core.flights.sources()
    }

    pub(crate) fn respond(
        &self,
        request: &Parts,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let is_read = [Method::GET, Method::HEAD].contains(&request.method);
        let core = self.core.clone();
        let ask = is_read.then(|| {
            let head = request.method == Method::HEAD;
            (head, Ask::new(request, &core.options, || core.flights.sources()))
        });
        async move {
            match ask {
                Some((head, ask)) => core.answer(head, ask).await,
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
        let (request, _) = request.into_parts();
        ResponseFuture::new(self.respond(&request))
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
    variant: Variant,
    /// Whether another `Accept-Encoding` could have had another answer.
    compressible: bool,
    /// When the gather must be ready.
    deadline: Instant,
    /// When the scraper is told that it was not.
    limit: Instant,
    /// When the scraper itself gives up.
    until: Instant,
    /// Whether the length must be told: it is what HEAD asks for, and before HTTP/1.1 nothing else
    /// tells a whole page from a part of one.
    measured: bool,
}

impl Ask {
    fn new(
        request: &Parts,
        options: &Options,
        sources: impl FnOnce() -> Vec<SourceStatus>,
    ) -> Result<Self, QueryError> {
        let headers = &request.headers;
        let query = request.uri.query().filter(|_| options.filters).unwrap_or_default();
        let query = Query::parse(query)?;
        let selection =
            if query.chooses_sources() { query.selection(&sources())? } else { Selection::All };
        let coding =
            if options.compression { Coding::negotiate(headers) } else { Coding::Identity };
        let (ready, margin) = match negotiate::scrape_timeout(headers) {
            Some(timeout) => {
                let offset = options.timeout_offset.min(timeout / 2);
                (timeout - offset, offset)
            }
            None => (options.default_timeout, options.timeout_offset),
        };
        let now = Instant::now();
        let deadline = now + ready;
        Ok(Self {
            variant: Variant {
                format: negotiate::format(headers, &options.formats),
                coding,
                selection,
                filter: query.filter().map(Arc::new),
            },
            compressible: options.compression,
            deadline,
            limit: deadline + margin / 2,
            until: now + (ready + margin).min(LONGEST_READ),
            measured: request.method == Method::HEAD || request.version < Version::HTTP_11,
        })
    }
}

/// Nobody's page is safe from those who wait for longer than this, whatever timeout it tells.
const LONGEST_READ: Duration = Duration::from_secs(60);

/// Why a scrape got no page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// The query is malformed, or asks for what there is not.
    Query(QueryError),
    /// All pages are being read, and the youngest is too old to be handed out again.
    Busy,
    /// As many gathers as there may be are under way.
    Crowded,
    /// The gather was not ready in time.
    Late,
    /// The gather or the encoder failed or panicked.
    Failed(Box<str>),
}

impl Refusal {
    /// What each kind is counted as, and answered with.
    const KINDS: [(&'static str, StatusCode); 5] = [
        ("query", StatusCode::BAD_REQUEST),
        ("slow_readers", StatusCode::SERVICE_UNAVAILABLE),
        ("gathers", StatusCode::SERVICE_UNAVAILABLE),
        ("deadline", StatusCode::SERVICE_UNAVAILABLE),
        ("failure", StatusCode::INTERNAL_SERVER_ERROR),
    ];

    const fn kind(&self) -> usize {
        match self {
            Self::Query(_) => 0,
            Self::Busy => 1,
            Self::Crowded => 2,
            Self::Late => 3,
            Self::Failed(_) => 4,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Query(error) => format!("{error}\n"),
            Self::Busy => "too many slow readers\n".into(),
            Self::Crowded => "too many scrapes at the same time\n".into(),
            Self::Late => "the metrics were not ready in time\n".into(),
            Self::Failed(reason) => format!("{reason}\n"),
        }
    }
}

impl Core {
    async fn answer(&self, head: bool, ask: Result<Ask, QueryError>) -> Response<Body> {
        let in_flight = self.metrics.begin();
        let response = match ask {
            Ok(ask) => timeout_at(ask.limit, self.page(&ask))
                .await
                .unwrap_or(Err(Refusal::Late))
                .map(|page| page_response(page, &ask, head)),
            Err(error) => Err(Refusal::Query(error)),
        };
        in_flight.end(response.as_ref().map(drop));
        response.unwrap_or_else(|refusal| refusal_response(&refusal, head))
    }

    /// A page of which there is something to send; all of it where its length must be told.
    async fn page(&self, ask: &Ask) -> Result<Reader, Refusal> {
        let page = self.begin(ask).await?;
        // Also, a short page is whole then, so that its length can be told.
        let progress = if ask.measured { page.written().await } else { page.begun().await };
        match progress {
            Progress::Growing | Progress::Whole => Ok(page),
            Progress::Broken => Err(Refusal::Failed("the scrape failed".into())),
        }
    }

    async fn begin(&self, ask: &Ask) -> Result<Reader, Refusal> {
        // Known before the gather: no page could be made of it.
        let known = self.pages.known(&ask.variant);
        if let Some(answer) = known.and_then(|pages| pages.answer_if_all_are_read(ask.until)) {
            return answer;
        }
        let flight = self.flights.join(&ask.variant.selection, ask.deadline)?;
        let gathered = flight.landed().await?;
        // Only now, so that those who wait for a gather keep no filtered page from others.
        self.pages.of(&ask.variant)?.page(gathered, ask.until).await
    }
}

fn page_response(page: Reader, ask: &Ask, head: bool) -> Response<Body> {
    let vary = if ask.compressible { "accept, accept-encoding" } else { "accept" };
    let content_type = ask.variant.format.content_type();
    let mut response =
        content_response(StatusCode::OK, content_type, page.left(), Body::from(page), head);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static(vary));
    if let Some(coding) = ask.variant.coding.content_encoding() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn refusal_response(refusal: &Refusal, head: bool) -> Response<Body> {
    let (_, status) = Refusal::KINDS[refusal.kind()];
    let text = refusal.text();
    let mut response =
        content_response(status, "text/plain; charset=utf-8", text.len(), text.into(), head);
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
    content_response(status, "text/plain; charset=utf-8", text.len(), text.into(), head)
}

/// A response with this content; its `length` where it is known already.
pub(crate) fn content_response(
    status: StatusCode,
    content_type: &'static str,
    length: impl Into<Option<usize>>,
    content: Body,
    head: bool,
) -> Response<Body> {
    let mut response = Response::new(if head { Body::empty() } else { content });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Told here, for a response to HEAD has the length of the content that it lacks.
    if let Some(length) = length.into() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

//! The endpoints of an exporter.

mod landing;
mod route;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    SERVER, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use tower_service::Service;

use self::landing::Landing;
pub use self::route::RouteError;
use self::route::{DynRoute, Route};
use crate::BoxError;
use crate::body::Body;
use crate::service::{
    MetricsService, ResponseFuture, content_response, method_not_allowed, text_response,
};

/// The endpoints around a metrics page.
///
/// | path | answer |
/// |---|---|
/// | `/metrics`, or [another](Self::metrics_path) | the metrics |
/// | `/` | a landing page, unless the metrics are there: links, the sources and how they fared last |
/// | `/-/healthy` | 200 as long as the process answers |
/// | `/-/ready` | 200, or 503 while [not ready](Self::readiness) or draining |
/// | `/robots.txt` | keeps crawlers away |
/// | [own routes](Self::route) | up to them |
///
/// Paths are compared as they are: there are no patterns, and a trailing slash makes another
/// path. Only the metrics path gathers anything. Built-in endpoints answer GET and HEAD; every
/// response carries a `Server` header with the site's name and version.
///
/// A site is a [tower service](tower_service::Service); [`Server::serve`](crate::Server::serve)
/// takes one, or makes the default one of a [`MetricsService`].
///
/// ```
/// use narthex_core::Registry;
/// use narthex_http::{MetricsService, Site};
///
/// let site = Site::new(MetricsService::new(Registry::new()))
///     .name("thermo-exporter")
///     .version("1.4.0")
///     .description("Temperatures of the house.")
///     .metrics_path("/thermo")?;
/// # drop(site);
/// # Ok::<(), narthex_http::RouteError>(())
/// ```
#[derive(Clone)]
pub struct Site {
    plan: Arc<Plan>,
    /// Set by the server that drains; other servers of the same site are not concerned.
    draining: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Plan {
    name: String,
    version: String,
    description: String,
    server_header: HeaderValue,
    metrics_path: String,
    metrics: MetricsService,
    routes: BTreeMap<String, Arc<dyn DynRoute>>,
    details: Vec<(String, String)>,
    readiness: Readiness,
    started: Instant,
}

const LANDING: &str = "/";
const HEALTHY: &str = "/-/healthy";
const READY: &str = "/-/ready";
const ROBOTS: &str = "/robots.txt";

/// A body that nobody asked for is passed over up to this length, and refused beyond.
const MOST_BODY: u64 = 64 * 1024;

impl Site {
    /// The default endpoints around `metrics`.
    pub fn new(metrics: MetricsService) -> Self {
        let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let plan = Plan {
            name: name.into(),
            version: version.into(),
            description: String::new(),
            server_header: server_header(name, version),
            metrics_path: "/metrics".into(),
            metrics,
            routes: BTreeMap::new(),
            details: Vec::new(),
            readiness: Readiness(Arc::new(AtomicBool::new(true))),
            started: Instant::now(),
        };
        Self { plan: Arc::new(plan), draining: Arc::default() }
    }

    /// Names the exporter, on the landing page and in the `Server` header; by default this crate
    /// is named.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let plan = Arc::make_mut(&mut self.plan);
        plan.name = name.into();
        plan.server_header = server_header(&plan.name, &plan.version);
        self
    }

    /// Gives the exporter's version, shown beside its name; empty shows none.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        let plan = Arc::make_mut(&mut self.plan);
        plan.version = version.into();
        plan.server_header = server_header(&plan.name, &plan.version);
        self
    }

    /// Describes the exporter in a sentence for the landing page; by default there is none.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.plan).description = description.into();
        self
    }

    /// Tells more about the exporter on the landing page, such as what it was built from; by default
    /// there is nothing.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.plan).details.push((name.into(), value.into()));
        self
    }

    /// Serves the metrics at `path`; by default at `/metrics`.
    ///
    /// With `/` there is no landing page.
    ///
    /// # Errors
    /// Returns a [`RouteError`] where `path` does not start with `/`, holds characters that a path
    /// cannot have, or is taken.
    pub fn metrics_path(mut self, path: impl Into<String>) -> Result<Self, RouteError> {
        let path = path.into();
        RouteError::check(&path)?;
        if [HEALTHY, READY, ROBOTS].contains(&path.as_str()) || self.plan.routes.contains_key(&path)
        {
            return Err(RouteError::taken(path));
        }
        Arc::make_mut(&mut self.plan).metrics_path = path;
        Ok(self)
    }

    /// Adds an endpoint of your own, for all methods.
    ///
    /// # Errors
    /// Returns a [`RouteError`] where `path` does not start with `/`, holds characters that a path
    /// cannot have, or is taken.
    ///
    /// ```
    /// use narthex_core::Registry;
    /// use narthex_http::{MetricsService, Site};
    ///
    /// let site = Site::new(MetricsService::new(Registry::new()));
    /// let other = MetricsService::new(Registry::new());
    /// let error = site.route("/-/ready", other).unwrap_err();
    /// assert_eq!(error.to_string(), "path `/-/ready` is taken by another endpoint");
    /// ```
    pub fn route<S, B>(mut self, path: impl Into<String>, service: S) -> Result<Self, RouteError>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let path = path.into();
        RouteError::check(&path)?;
        if self.plan.has(&path) {
            return Err(RouteError::taken(path));
        }
        let plan = Arc::make_mut(&mut self.plan);
        plan.routes.insert(path, Arc::new(Route(service)));
        Ok(self)
    }

    /// The switch behind `/-/ready`; by default it stands at ready.
    pub fn readiness(&self) -> Readiness {
        self.plan.readiness.clone()
    }

    /// The path of the metrics.
    pub(crate) fn path(&self) -> &str {
        &self.plan.metrics_path
    }

    /// The same site, for a server that will say by the flag that it drains.
    pub(crate) fn draining_by(self, draining: Arc<AtomicBool>) -> Self {
        Self { draining, ..self }
    }

    /// Refuses a request that cannot be trusted, and the connection with it.
    pub(crate) fn refuse(&self, reason: &'static str) -> Response<Body> {
        let mut response = bad_request(reason);
        response.headers_mut().insert(SERVER, self.plan.server_header.clone());
        response
    }

    /// Puts this site's name on a response that others made.
    pub(crate) fn sign(&self, response: Response<Body>) -> Response<Body> {
        self.plan.signed(response)
    }

    /// Whether a path is asked by those who watch the process and have no credentials.
    pub(crate) fn is_probe(path: &str) -> bool {
        [HEALTHY, READY].contains(&path)
    }

    pub(crate) fn respond<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let plan = self.plan.clone();
        if let Some(route) = plan.routes.get(request.uri().path()) {
            let response = route.clone().respond(request.map(Body::new));
            return ResponseFuture::new(async move { plan.signed(response.await) });
        }
        let state = self.state();
        let (request, _) = request.into_parts();
        ResponseFuture::new(async move {
            let response = plan.built_in(&request, state).await;
            plan.signed(response)
        })
    }

    fn state(&self) -> State {
        if self.draining.load(Ordering::Acquire) {
            State::Draining
        } else if self.plan.readiness.is_ready() {
            State::Ready
        } else {
            State::NotReady
        }
    }
}

impl From<MetricsService> for Site {
    fn from(metrics: MetricsService) -> Self {
        Self::new(metrics)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("name", &self.plan.name)
            .field("version", &self.plan.version)
            .field("metrics_path", &self.plan.metrics_path)
            .field("routes", &self.plan.routes.keys())
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Site
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        self.respond(request)
    }
}

/// Says whether a [`Site`] is ready to be scraped; clones are handles to the same switch.
///
/// ```
/// use narthex_core::Registry;
/// use narthex_http::{MetricsService, Site};
///
/// let site = Site::new(MetricsService::new(Registry::new()));
/// let readiness = site.readiness();
/// readiness.not_ready(); // while the caches are warming up
/// assert!(!readiness.is_ready());
/// readiness.ready();
/// ```
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicBool>);

// Release and acquire: who sees the switch also sees what was prepared before it was thrown.
impl Readiness {
    /// Lets `/-/ready` answer 200.
    pub fn ready(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Lets `/-/ready` answer 503.
    pub fn not_ready(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Which of the two it is.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone, Copy)]
enum State {
    NotReady,
    Ready,
    Draining,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

impl Plan {
    fn has(&self, path: &str) -> bool {
        [LANDING, HEALTHY, READY, ROBOTS, &self.metrics_path].contains(&path)
            || self.routes.contains_key(path)
    }

    async fn built_in(&self, request: &http::request::Parts, state: State) -> Response<Body> {
        // None of these endpoints reads a body, and a length that two headers may tell
        // differently is how requests are smuggled.
        if request.headers.contains_key(TRANSFER_ENCODING) {
            return bad_request("this endpoint takes no body\n");
        }
        let length = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length
            .is_some_and(|length| length.parse().map_or(true, |length: u64| length > MOST_BODY))
        {
            let text = "this endpoint takes no body\n";
            return text_response(StatusCode::PAYLOAD_TOO_LARGE, text, false);
        }
        let path = request.uri.path();
        let head = request.method == Method::HEAD;
        let mut response = if path == self.metrics_path {
            self.metrics.respond(request).await
        } else if ![LANDING, HEALTHY, READY, ROBOTS].contains(&path) {
            text_response(StatusCode::NOT_FOUND, "not found\n", head)
        } else if !head && request.method != Method::GET {
            method_not_allowed()
        } else {
            match path {
                LANDING => self.landing(state, head),
                HEALTHY => text_response(StatusCode::OK, "healthy\n", head),
                ROBOTS => text_response(StatusCode::OK, "User-agent: *\nDisallow: /\n", head),
                _ => ready_response(state, head),
            }
        };
        let nosniff = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
        response
    }

    fn landing(&self, state: State, head: bool) -> Response<Body> {
        const HEADERS: [(HeaderName, &str); 3] = [
            (
                CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'",
            ),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
        ];
        let page = Landing {
            name: &self.name,
            version: &self.version,
            description: &self.description,
            state: state.as_str(),
            metrics_path: &self.metrics_path,
            routes: self.routes.keys().map(String::as_str).collect(),
            sources: self.metrics.sources(),
            details: &self.details,
            running_for: self.started.elapsed(),
        }
        .page();
        let mut response = content_response(
            StatusCode::OK,
            "text/html; charset=utf-8",
            page.len(),
            page.into(),
            head,
        );
        for (name, value) in HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn signed(&self, mut response: Response<Body>) -> Response<Body> {
        response.headers_mut().insert(SERVER, self.server_header.clone());
        response
    }
}

fn ready_response(state: State, head: bool) -> Response<Body> {
    let (status, text) = match state {
        State::Ready => (StatusCode::OK, "ready\n"),
        State::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        State::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    };
    text_response(status, text, head)
}

fn bad_request(reason: &'static str) -> Response<Body> {
    let mut response = text_response(StatusCode::BAD_REQUEST, reason, false);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// `name/version`, with a dash for each character that a product token cannot have.
fn server_header(name: &str, version: &str) -> HeaderValue {
    let token = |text: &str| -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        text.chars().map(|c| if allowed(c) { c } else { '-' }).collect()
    };
    let mut product = token(name);
    if !version.is_empty() {
        product.push('/');
        product.push_str(&token(version));
    }
    HeaderValue::try_from(product).expect("a product token is a header value")
}

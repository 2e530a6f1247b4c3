//! Metrics of any HTTP service: middleware for tower and hyper.

mod body;
mod builder;
mod exchange;
mod families;
mod future;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use narthex_core::{RegisterError, Registry};
use tower_layer::Layer;
use tower_service::Service;

pub use self::body::MeasuredBody;
pub use self::builder::{MetricNames, MetricsLayerBuilder, StatusLabel};
use self::exchange::Exchange;
pub use self::future::MeasuredFuture;

/// Measures the requests of an HTTP service: a [tower layer](tower_layer::Layer).
///
/// | family | meaning |
/// |---|---|
/// | `http_requests_total{method,path,status}` | requests that have ended |
/// | `http_requests_in_flight{method,path}` | requests being answered, until the response's last byte |
/// | `http_request_duration_seconds{method,path}` | time from the request's head to the response's last byte |
/// | `http_request_size_bytes{method,path}` | length of request bodies, where the request tells it |
/// | `http_response_size_bytes{method,path}` | bytes of response bodies that were sent |
///
/// Each request counts exactly once, whatever becomes of it:
///
/// | `status` | the response |
/// |---|---|
/// | `200` and its like, or `2xx` [by class](StatusLabel::Class) | was sent whole |
/// | `aborted` | was not: the client went away before its end |
/// | `failed` | was not: the service or the body failed or panicked |
///
/// The labels take few values, so that no client can fill the memory: `method` is one of the nine
/// of RFC 9110 and RFC 5789, or `other`; `path` is the route's template, or `unmatched`. Under the
/// feature `axum` the template is axum's `MatchedPath`; other routers
/// [tell it](MetricsLayerBuilder::path) by a closure.
///
/// Requests for `/metrics`, `/metrics/` and `/favicon.ico` are left out unless
/// [told otherwise](MetricsLayerBuilder::exclude).
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use narthex_core::Registry;
/// use narthex_http::MetricsLayer;
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// # #[derive(Clone)]
/// # struct Hello;
/// # impl Service<Request<()>> for Hello {
/// #     type Response = Response<Full<bytes::Bytes>>;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
/// #     fn poll_ready(
/// #         &mut self,
/// #         _: &mut std::task::Context<'_>,
/// #     ) -> std::task::Poll<Result<(), Self::Error>> {
/// #         std::task::Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, _: Request<()>) -> Self::Future {
/// #         std::future::ready(Ok(Response::new(Full::from("hello"))))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new();
/// let mut service = MetricsLayer::register(&registry)?.layer(Hello);
///
/// let response = service.call(Request::get("/hello").body(())?).await?;
/// response.into_body().collect().await?;
/// let labels = [("method", "GET"), ("path", "unmatched"), ("status", "200")];
/// assert_eq!(registry.gather().value("http_requests_total", &labels), Some(1.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MetricsLayer {
    shared: Arc<builder::Shared>,
}

impl MetricsLayer {
    /// Registers the metrics with `registry`; two layers of one registry count together.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] where a name is taken by something else.
    pub fn register(registry: &Registry) -> Result<Self, RegisterError> {
        Self::builder().register(registry)
    }

    /// Starts a layer with options.
    pub fn builder() -> MetricsLayerBuilder {
        MetricsLayerBuilder::new()
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsMiddleware<S>;

    fn layer(&self, inner: S) -> MetricsMiddleware<S> {
        MetricsMiddleware { inner, shared: self.shared.clone() }
    }
}

impl fmt::Debug for MetricsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsLayer").finish_non_exhaustive()
    }
}

/// A service whose requests are measured by a [`MetricsLayer`].
///
/// It is a tower service around a tower service, and a hyper service around a hyper service.
///
/// # Cancel safety
/// Dropping the future or the body of a response counts the request as `aborted`.
#[derive(Clone)]
pub struct MetricsMiddleware<S> {
    inner: S,
    shared: Arc<builder::Shared>,
}

impl<S, B, R> Service<Request<B>> for MetricsMiddleware<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<MeasuredBody<R>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let exchange = Exchange::begin(&self.shared, &request);
        MeasuredFuture::new(exchange, || self.inner.call(request))
    }
}

impl<S, B, R> hyper::service::Service<Request<B>> for MetricsMiddleware<S>
where
    S: hyper::service::Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<MeasuredBody<R>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let exchange = Exchange::begin(&self.shared, &request);
        MeasuredFuture::new(exchange, || self.inner.call(request))
    }
}

impl<S: fmt::Debug> fmt::Debug for MetricsMiddleware<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsMiddleware").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// A request without its body: what a layer's closures are shown.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The address that was asked for.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What routers and other layers have noted, such as the route's template.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

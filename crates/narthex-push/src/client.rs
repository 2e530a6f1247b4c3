//! The HTTP client: connections that are kept, each made within its time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as HyperClient, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use crate::error::{BoxError, SettingsFault};
#[cfg(feature = "tls")]
pub(crate) use crate::tls::ClientTls;

/// Clients whose connections are used again.
pub(crate) struct Client {
    /// For the server that is pushed to.
    known: Pool,
    /// For where that one redirects to.
    stranger: Pool,
}

type Pool = HyperClient<Limited<Connector>, Full<Bytes>>;

#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;
#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;

/// There is nothing to set up without TLS.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Default)]
pub(crate) struct ClientTls {}

impl Client {
    /// Makes a client; what connecting takes longer than `limit` has failed.
    pub(crate) fn new(
        limit: Duration,
        https: bool,
        tls: &ClientTls,
    ) -> Result<Self, SettingsFault> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let pool = |inner| {
            HyperClient::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(MOST_IDLE)
                .http1_max_buf_size(MOST_HEAD_BYTES)
                .build(Limited { inner, limit })
        };
        let [known, stranger] = connectors(tcp, https, tls)?.map(pool);
        Ok(Self { known, stranger })
    }

    /// Sends a request; only a server that is trusted gets to know who asks.
    pub(crate) fn request(&self, request: Request<Full<Bytes>>, trusted: bool) -> ResponseFuture {
        if trusted { self.known.request(request) } else { self.stranger.request(request) }
    }
}

/// Less than servers commonly wait, so that few requests meet a connection that is being closed.
const IDLE: Duration = Duration::from_secs(45);
const MOST_IDLE: usize = 2;
/// The most that is read of status line and headers of an answer.
const MOST_HEAD_BYTES: usize = 64 << 10;

#[cfg(not(feature = "tls"))]
fn connectors(
    tcp: HttpConnector,
    https: bool,
    _: &ClientTls,
) -> Result<[Connector; 2], SettingsFault> {
    if https {
        let message = "this build cannot push over https: it lacks the feature `tls`";
        return Err(SettingsFault::new(message));
    }
    Ok([tcp.clone(), tcp])
}

#[cfg(feature = "tls")]
fn connectors(
    tcp: HttpConnector,
    https: bool,
    tls: &ClientTls,
) -> Result<[Connector; 2], SettingsFault> {
    if tls.has_identity() && !https {
        let message = "there is a client certificate, but the URL is not `https`";
        return Err(SettingsFault::new(message));
    }
    tls.connectors(tcp, https)
}

/// A connector that gives up: on names, on TCP and on TLS taken together.
#[derive(Clone, Debug)]
pub(crate) struct Limited<C> {
    inner: C,
    limit: Duration,
}

impl<C> Service<Uri> for Limited<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connected, limit) = (self.inner.call(uri), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connected).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => {
                    let text = format!("no connection within {} s", limit.as_secs_f64());
                    Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
                }
            }
        })
    }
}

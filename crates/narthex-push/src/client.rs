//! The HTTP client: connections that are kept, each made within its time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use crate::error::{BoxError, SettingsFault};

/// A client whose connections are used again.
pub(crate) type Client = HyperClient<Limited<Connector>, Full<Bytes>>;

#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;
#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;

/// Whom to trust.
#[derive(Clone, Debug, Default)]
pub(crate) enum Roots {
    /// Who this machine trusts.
    #[default]
    System,
    /// These certificates and no others, in PEM.
    #[cfg(feature = "tls")]
    Own(std::sync::Arc<[u8]>),
}

/// Makes a client; what connecting takes longer than `limit` has failed.
pub(crate) fn client(limit: Duration, https: bool, roots: &Roots) -> Result<Client, SettingsFault> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector = Limited { inner: connector(tcp, https, roots)?, limit };
    Ok(HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .http1_max_buf_size(MOST_HEAD_BYTES)
        .build(connector))
}

/// Less than servers commonly wait, so that few requests meet a connection that is being closed.
const IDLE: Duration = Duration::from_secs(45);
const MOST_IDLE: usize = 2;
/// The most that is read of status line and headers of an answer.
const MOST_HEAD_BYTES: usize = 64 << 10;

#[cfg(not(feature = "tls"))]
fn connector(tcp: HttpConnector, https: bool, _: &Roots) -> Result<Connector, SettingsFault> {
    if https {
        let message = "this build cannot push over https: it lacks the feature `tls`";
        return Err(SettingsFault::new(message));
    }
    Ok(tcp)
}

#[cfg(feature = "tls")]
fn connector(tcp: HttpConnector, https: bool, roots: &Roots) -> Result<Connector, SettingsFault> {
    use hyper_rustls::ConfigBuilderExt as _;

    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions");
    let config = match roots {
        Roots::Own(pem) => config.with_root_certificates(own_roots(pem)?),
        Roots::System if https => config.with_native_roots().map_err(|error| {
            SettingsFault::because("the certificates that this machine trusts are missing", error)
        })?,
        // A redirect to https finds nobody whom it could trust; reading the machine's certificates
        // takes long, and most gateways are never behind TLS.
        Roots::System => config.with_root_certificates(rustls::RootCertStore::empty()),
    };
    let config = config.with_no_client_auth();
    let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config);
    Ok(https.https_or_http().enable_http1().wrap_connector(tcp))
}

#[cfg(feature = "tls")]
fn own_roots(pem: &[u8]) -> Result<rustls::RootCertStore, SettingsFault> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate
            .map_err(|error| SettingsFault::because("the own certificates are not PEM", error))?;
        roots.add(certificate).map_err(|error| {
            SettingsFault::because("one of the own certificates cannot be used", error)
        })?;
    }
    if roots.is_empty() {
        return Err(SettingsFault::new("the own certificates are none: there is no PEM in them"));
    }
    Ok(roots)
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

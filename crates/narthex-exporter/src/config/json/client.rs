//! The HTTP client: one request, one answer of limited size.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::plan::Plan;

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(90);
/// The most that is read of status line and headers.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// Sends the requests of one plan.
pub(super) struct JsonClient {
    plan: Plan,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl JsonClient {
    pub(super) fn new(plan: Plan) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(&plan.tls))
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .http1_max_buf_size(MOST_HEAD_BYTES)
            .build(connector);
        Self { plan, client }
    }

    /// The body of an answer that the plan takes.
    ///
    /// Redirects are not followed: what a plan sends may hold secrets, and they are for one host.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(super) async fn fetch(&self) -> Result<Bytes, FetchError> {
        let fault = match tokio::time::timeout(self.plan.timeout, self.exchange()).await {
            Ok(Ok(body)) => return Ok(body),
            Ok(Err(fault)) => fault,
            Err(_) => Fault::TimedOut(self.plan.timeout),
        };
        Err(FetchError { endpoint: self.plan.to_string(), fault })
    }

    async fn exchange(&self) -> Result<Bytes, Fault> {
        let mut request = Request::new(Full::new(self.plan.body.clone()));
        *request.method_mut() = self.plan.method.clone();
        *request.uri_mut() = self.plan.uri.clone();
        *request.headers_mut() = self.plan.headers.clone();
        let response =
            self.client.request(request).await.map_err(|error| Fault::Exchange(chain(&error)))?;
        self.check(response.status(), response.headers())?;
        self.body(response).await
    }

    fn check(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), Fault> {
        let is_taken = match &*self.plan.status {
            [] => status.is_success(),
            taken => taken.contains(&status.as_u16()),
        };
        if !is_taken {
            return Err(Fault::Status(status));
        }
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_ascii_lowercase();
        let media_type = headers.get(CONTENT_TYPE).map(text).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let is_json =
            matches!(media_type, "application/json" | "text/json") || media_type.ends_with("+json");
        let is_named = self
            .plan
            .content_type
            .as_deref()
            .is_some_and(|named| named == "*" || named.eq_ignore_ascii_case(media_type));
        if !is_json && !is_named {
            return Err(Fault::ContentType(media_type.to_owned()));
        }
        if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
            return Err(Fault::Coding(text(coding)));
        }
        let length =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        match length.is_some_and(|length: u64| length > self.plan.max_size as u64) {
            true => Err(Fault::TooLarge(self.plan.max_size)),
            false => Ok(()),
        }
    }

    /// Reads the body, and no further than is allowed.
    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, Fault> {
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| Fault::Exchange(chain(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            if body.len() + data.len() > self.plan.max_size {
                return Err(Fault::TooLarge(self.plan.max_size));
            }
            body.extend_from_slice(data);
        }
        Ok(body.into())
    }
}

/// Trusts the certificates of this machine.
pub(super) fn system_config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // A machine may well have some that are not sound.
        roots.add_parsable_certificates(found.certs);
        match roots.is_empty() {
            true => Err("this machine trusts no certificates; `ca_file` can name some".to_owned()),
            false => config(roots),
        }
    });
    config.clone()
}

/// Trusts the certificates in a PEM file, and no others.
pub(super) fn private_config(pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("it is not valid PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err("it has no certificate in PEM".to_owned());
    }
    config(roots)
}

/// Trusts nobody, for endpoints without TLS.
pub(super) fn plain_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let empty = || config(RootCertStore::empty()).expect("the provider has the default protocols");
    CONFIG.get_or_init(empty).clone()
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    // Named, so that it does not matter what else the process uses.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// An endpoint that did not answer as it should have.
#[derive(Clone, Debug)]
pub(super) struct FetchError {
    endpoint: String,
    fault: Fault,
}

impl FetchError {
    pub(super) fn not_json(plan: &Plan, error: &serde_json::Error) -> Self {
        Self { endpoint: plan.to_string(), fault: Fault::NotJson(error.to_string()) }
    }
}

#[derive(Clone, Debug)]
enum Fault {
    Exchange(String),
    TimedOut(Duration),
    Status(StatusCode),
    ContentType(String),
    Coding(String),
    TooLarge(usize),
    NotJson(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.endpoint)?;
        match &self.fault {
            Fault::Exchange(error) => write!(f, "gave no whole answer: {error}"),
            Fault::TimedOut(timeout) => {
                write!(f, "gave no whole answer within {} s", timeout.as_secs_f64())
            }
            Fault::Status(status) if status.is_redirection() => {
                write!(f, "answered {status}, and redirects are not followed")
            }
            Fault::Status(status) => write!(f, "answered {status}"),
            Fault::ContentType(media_type) if media_type.is_empty() => {
                f.write_str("did not say that its answer is JSON; `content_type = \"*\"` takes it")
            }
            Fault::ContentType(media_type) => {
                let media_type = media_type.escape_debug();
                write!(f, "answered `{media_type}`, not JSON; `content_type` can name it")
            }
            Fault::Coding(coding) => {
                write!(f, "answered in the coding `{}`, unasked", coding.escape_debug())
            }
            Fault::TooLarge(limit) => {
                write!(f, "answered more than {limit} bytes; `max_size` can be more")
            }
            Fault::NotJson(error) => write!(f, "answered what is not valid JSON: {error}"),
        }
    }
}

impl Error for FetchError {}

/// An error with its causes, each of them once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

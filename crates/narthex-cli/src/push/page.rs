//! The page that is pushed: from a file, standard input or a URL.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use narthex_format::parse::{self, Limits, Mode, ParseError, Syntax};
use narthex_model::{Problem, Scrape};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::args::PushArgs;

/// A page, not parsed yet.
pub(super) struct Page {
    /// Where it is from.
    place: String,
    syntax: Syntax,
    bytes: Vec<u8>,
}

/// Why there is no page to push.
#[derive(Debug)]
pub(super) struct PageError {
    place: String,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Terminal,
    Io(io::Error),
    Fetch(Box<dyn Error + Send + Sync>),
    Status(http::StatusCode),
    TimedOut,
    TooLarge,
    Parse(ParseError),
    Problem(Problem),
}

/// Reads the page that the arguments name.
pub(super) async fn read(args: &PushArgs, ca: Option<&[u8]>) -> Result<Page, PageError> {
    let syntax = args.format.map(Syntax::from);
    let name = args.page.as_deref();
    let is_url = |name: &&str| name.starts_with("http://") || name.starts_with("https://");
    let place = name.filter(|name| *name != "-").unwrap_or("standard input").to_owned();
    let read = match name {
        Some(url) if is_url(&url) => {
            let fetched = tokio::time::timeout(args.timeout, fetch(url, syntax, ca)).await;
            fetched.unwrap_or(Err(Fault::TimedOut))
        }
        None if io::stdin().is_terminal() => Err(Fault::Terminal),
        None | Some("-") => whole(io::stdin().lock()).map(|bytes| (None, bytes)),
        Some(path) => {
            let file = File::open(path).map_err(Fault::Io);
            file.and_then(whole).map(|bytes| (None, bytes))
        }
    };
    match read {
        Ok((announced, bytes)) => {
            let syntax = syntax.or(announced).unwrap_or(Syntax::Text);
            Ok(Page { place, syntax, bytes })
        }
        Err(fault) => Err(PageError { place, fault }),
    }
}

impl Page {
    /// The page as it will be pushed: strictly right, with nothing left out of it.
    pub(super) fn parse(&self) -> Result<Scrape, PageError> {
        let wrong = |fault| PageError { place: self.place.clone(), fault };
        let scrape = parse::parse(self.syntax, &self.bytes, Mode::Strict);
        let scrape = scrape.map_err(|error| wrong(Fault::Parse(error)))?;
        match scrape.problems().first() {
            Some(problem) => Err(wrong(Fault::Problem(problem.clone()))),
            None => Ok(scrape),
        }
    }

    pub(super) fn is_protobuf(&self) -> bool {
        self.syntax == Syntax::Protobuf
    }
}

/// Everything there is to read, unless it is more than a page may be.
fn whole(source: impl Read) -> Result<Vec<u8>, Fault> {
    let most = Limits::default().page;
    let mut bytes = Vec::new();
    source.take(most as u64 + 1).read_to_end(&mut bytes).map_err(Fault::Io)?;
    if bytes.len() > most { Err(Fault::TooLarge) } else { Ok(bytes) }
}

/// Gets a page, and the format that its server says it has. Redirects are not followed.
async fn fetch(
    url: &str,
    syntax: Option<Syntax>,
    ca: Option<&[u8]>,
) -> Result<(Option<Syntax>, Vec<u8>), Fault> {
    let uri: Uri =
        url.parse().map_err(|error: http::uri::InvalidUri| Fault::Fetch(error.into()))?;
    let tls = tls(uri.scheme_str() == Some("https"), ca).map_err(Fault::Fetch)?;
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(uri)
        .header(ACCEPT, accepted(syntax))
        .body(Empty::<Bytes>::new())
        .map_err(|error| Fault::Fetch(error.into()))?;
    let response = client.request(request).await.map_err(|error| Fault::Fetch(error.into()))?;
    if response.status() != http::StatusCode::OK {
        return Err(Fault::Status(response.status()));
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let announced = content_type.and_then(Syntax::detect);
    let body = Limited::new(response.into_body(), Limits::default().page).collect().await;
    let body = body.map_err(Fault::Fetch)?;
    Ok((announced, body.to_bytes().into()))
}

fn accepted(syntax: Option<Syntax>) -> &'static str {
    match syntax {
        Some(Syntax::OpenMetrics) => "application/openmetrics-text;version=1.0.0",
        Some(Syntax::Protobuf) => {
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        }
        Some(Syntax::Json) => "application/json",
        _ => "text/plain;version=0.0.4",
    }
}

fn tls(
    is_needed: bool,
    ca: Option<&[u8]>,
) -> Result<rustls::ClientConfig, Box<dyn Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions()?;
    let config = match ca {
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate?)?;
            }
            config.with_root_certificates(roots)
        }
        None if is_needed => config.with_native_roots()?,
        None => config.with_root_certificates(rustls::RootCertStore::empty()),
    };
    Ok(config.with_no_client_auth())
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.fault {
            Fault::Terminal => {
                f.write_str("no page there, but a terminal; name a FILE, a URL or -")
            }
            Fault::Io(_) | Fault::Fetch(_) => f.write_str("the page cannot be read"),
            Fault::Status(status) => write!(f, "the answer is {status}, not a page"),
            Fault::TimedOut => f.write_str("the page did not come in time"),
            Fault::TooLarge => f.write_str("the page is too large"),
            Fault::Parse(error) => write!(f, "{error}"),
            Fault::Problem(problem) => write!(f, "{problem}"),
        }
    }
}

impl Error for PageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::Io(error) => Some(error),
            Fault::Fetch(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

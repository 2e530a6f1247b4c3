//! One request for a page, over TLS where its address says so, and the answer.

pub(crate) mod access;
pub(crate) mod args;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use narthex_push::ClientTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, rustls};

use self::access::UsageError;
use self::args::Url;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Bytes of the body before it was decoded.
    pub(crate) size_on_the_wire: usize,
    pub(crate) body: Vec<u8>,
    /// From before the connection to the end of the body.
    pub(crate) time: Duration,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum FetchError {
    Connect(io::Error),
    Handshake(io::Error),
    Exchange(hyper::Error),
    TimedOut(Duration),
    TooLarge(Most),
    /// What decodes to so much more than it was is made to fill memory.
    Bomb,
    Coding(String),
    Gzip(io::Error),
}

/// The most that is read of a body, and the most it may decode to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Most {
    pub(crate) mebibytes: usize,
}

impl Most {
    pub(crate) fn bytes(self) -> usize {
        self.mebibytes.saturating_mul(1 << 20)
    }
}

/// How much larger than on the wire a body may be. Pages of metrics are 10 to 50 times larger.
const MOST_GROWTH: usize = 250;
/// What a small body may decode to all the same.
const HARMLESS: usize = 1 << 20;
/// The most that is read of status line and headers.
const MOST_HEAD_BYTES: usize = 64 << 10;

const SCRAPE_TIMEOUT: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// What asks for one page, once or again and again.
pub(crate) struct Client {
    url: Url,
    timeout: Duration,
    /// Each in place of one of the same name that would be sent otherwise.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Where the page is behind TLS.
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Client {
    pub(crate) fn new(
        url: &Url,
        timeout: Duration,
        headers: Vec<(HeaderName, HeaderValue)>,
        tls: &ClientTls,
    ) -> Result<Self, UsageError> {
        let tls = if url.is_https() { Some(Tls::new(url, tls)?) } else { None };
        Ok(Self { url: url.clone(), timeout, headers, tls })
    }

    /// Fetches the page, asking for the formats that `accept` names. A redirect is an answer as any
    /// other: nothing is sent elsewhere.
    pub(crate) async fn fetch(
        &self,
        accept: &'static str,
        most: Most,
    ) -> Result<Answer, FetchError> {
        let start = Instant::now();
        let exchange = tokio::time::timeout(self.timeout, self.exchange(accept, most)).await;
        let (head, wire) = exchange.map_err(|_| FetchError::TimedOut(self.timeout))??;
        let size_on_the_wire = wire.len();
        let body = decoded(&head.headers, wire, most)?;
        Ok(Answer {
            version: head.version,
            status: head.status,
            headers: head.headers,
            size_on_the_wire,
            body,
            time: start.elapsed(),
        })
    }

    async fn exchange(&self, accept: &'static str, most: Most) -> Result<Whole, FetchError> {
        let request = self.request(accept);
        let stream = TcpStream::connect((self.url.host(), self.url.port())).await;
        let stream = stream.map_err(FetchError::Connect)?;
        let Some(tls) = &self.tls else { return exchange(stream, request, most).await };
        let stream = tls.connector.connect(tls.name.clone(), stream).await;
        exchange(stream.map_err(FetchError::Handshake)?, request, most).await
    }

    fn request(&self, accept: &'static str) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.url.path.clone().into();
        let value = |text: String| HeaderValue::try_from(text).expect("it is printable");
        let headers = request.headers_mut();
        headers.insert(HOST, value(self.url.authority.to_string()));
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(SCRAPE_TIMEOUT, value(self.timeout.as_secs_f64().to_string()));
        for (name, _) in &self.headers {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        request
    }
}

impl Tls {
    fn new(url: &Url, tls: &ClientTls) -> Result<Self, UsageError> {
        let name = ServerName::try_from(url.host().to_owned());
        let name = name.map_err(|_| {
            UsageError::new("the host of the address is no name that a certificate can have")
        })?;
        let config = tls.config().map_err(|error| UsageError::new(chain(&error)))?;
        Ok(Self { connector: Arc::new(config).into(), name })
    }
}

const USER_AGENT_VALUE: &str = concat!("narthex/", env!("CARGO_PKG_VERSION"));

/// The head of an answer, and its body as it was sent.
type Whole = (http::response::Parts, Vec<u8>);

/// Sends the request and reads the answer to its end.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Empty<Bytes>>,
    most: Most,
) -> Result<Whole, FetchError> {
    let handshake = Builder::new().max_buf_size(MOST_HEAD_BYTES).handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(FetchError::Exchange)?;
    let connection = async {
        // What goes wrong with it is told to those who wait for an answer as well, and an answer
        // may still be read when it is gone.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = answer(sender, request, most) => answer,
        never = connection => match never {},
    }
}

async fn answer(
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    most: Most,
) -> Result<Whole, FetchError> {
    let response = sender.send_request(request).await.map_err(FetchError::Exchange)?;
    let (head, body) = response.into_parts();
    Ok((head, read(body, most).await?))
}

async fn read(mut body: Incoming, most: Most) -> Result<Vec<u8>, FetchError> {
    let mut wire = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(FetchError::Exchange)?;
        let Some(data) = frame.data_ref() else { continue };
        if wire.len() + data.len() > most.bytes() {
            return Err(FetchError::TooLarge(most));
        }
        wire.extend_from_slice(data);
    }
    Ok(wire)
}

/// The body without its coding.
fn decoded(headers: &HeaderMap, wire: Vec<u8>, most: Most) -> Result<Vec<u8>, FetchError> {
    let codings: Vec<_> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|coding| coding.trim_ascii().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != b"identity")
        .collect();
    match codings.as_slice() {
        [] => Ok(wire),
        [coding] if coding == b"gzip" || coding == b"x-gzip" => gunzip(&wire, most),
        codings => Err(FetchError::Coding(codings.join(&b", "[..]).escape_ascii().to_string())),
    }
}

fn gunzip(wire: &[u8], most: Most) -> Result<Vec<u8>, FetchError> {
    let may_grow_to = wire.len().saturating_mul(MOST_GROWTH).max(HARMLESS).min(most.bytes());
    let mut body = Vec::new();
    // One byte more, to see whether there is one.
    let mut decoder = MultiGzDecoder::new(wire).take(may_grow_to as u64 + 1);
    decoder.read_to_end(&mut body).map_err(FetchError::Gzip)?;
    match body.len() {
        size if size <= may_grow_to => Ok(body),
        _ if may_grow_to == most.bytes() => Err(FetchError::TooLarge(most)),
        _ => Err(FetchError::Bomb),
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Handshake(error) => write!(f, "cannot connect over TLS: {error}"),
            Self::Exchange(error) => match alert(error) {
                Some(alert) => write!(f, "cannot connect over TLS: {alert}"),
                None => write!(f, "no whole answer: {}", chain(error)),
            },
            Self::TimedOut(timeout) => {
                write!(f, "no whole answer within {} s", timeout.as_secs_f64())
            }
            Self::TooLarge(most) => write!(f, "the page is larger than {} MiB", most.mebibytes),
            Self::Bomb => write!(f, "the page is more than {MOST_GROWTH} times what was sent"),
            Self::Coding(coding) => write!(f, "the page has the unknown coding `{coding}`"),
            Self::Gzip(error) => write!(f, "the page is not the gzip it claims to be: {error}"),
        }
    }
}

/// What the server says of our certificate: with TLS 1.3 we are told so when the request is on its
/// way.
fn alert(error: &hyper::Error) -> Option<&rustls::Error> {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    let failed: &io::Error = causes.find_map(|cause| cause.downcast_ref())?;
    let error: &rustls::Error = failed.get_ref()?.downcast_ref()?;
    matches!(error, rustls::Error::AlertReceived(_)).then_some(error)
}

/// An error with its causes, each of them once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut parts: Vec<String> = causes.map(ToString::to_string).collect();
    // Some errors have the text of their cause in their own.
    parts.dedup_by(|cause, error| error.ends_with(&**cause));
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderMap;

    use super::{HARMLESS, MOST_GROWTH, Most, decoded};

    const MOST: Most = Most { mebibytes: 32 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What a body with this coding decodes to, or the error.
    fn check(coding: &str, wire: &[u8]) -> Result<Vec<u8>, String> {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", coding.parse().unwrap());
        decoded(&headers, wire.to_owned(), MOST).map_err(|error| error.to_string())
    }

    #[test]
    fn bodies_are_decoded() {
        let page = b"up 1\n".as_slice();
        for coding in ["gzip", "GZIP", "x-gzip", "gzip, identity"] {
            assert_eq!(check(coding, &gzip(page)).as_deref(), Ok(page), "{coding}");
        }
        assert_eq!(check("identity", page).as_deref(), Ok(page));
        assert_eq!(check("", page).as_deref(), Ok(page));
        let two_members = [gzip(page), gzip(page)].concat();
        assert_eq!(check("gzip", &two_members), Ok(page.repeat(2)));
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error() {
        let page = gzip(b"up 1\n");
        let claim = "the page is not the gzip it claims to be: ";
        for wire in [&page[..page.len() - 1], &page[..5], b"up 1\n", b""] {
            assert!(check("gzip", wire).unwrap_err().starts_with(claim), "{wire:?}");
        }
        assert_eq!(check("br", b"").unwrap_err(), "the page has the unknown coding `br`");
        let twice = check("gzip, gzip", b"").unwrap_err();
        assert_eq!(twice, "the page has the unknown coding `gzip, gzip`");
    }

    #[test]
    fn a_body_can_only_grow_so_much() {
        assert_eq!(check("gzip", &gzip(&vec![0; HARMLESS])).map(|body| body.len()), Ok(HARMLESS));
        let bomb = gzip(&vec![0; 4 << 20]);
        assert!((4 << 20) / bomb.len() > MOST_GROWTH, "{}", bomb.len());
        let error = check("gzip", &bomb).unwrap_err();
        assert_eq!(error, "the page is more than 250 times what was sent");
        // A page that does not compress well, in front of one that does.
        let noise: Vec<u8> =
            (0u32..100_000).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
        let large = [noise, vec![0; MOST.bytes()]].concat();
        assert_eq!(check("gzip", &gzip(&large)).unwrap_err(), "the page is larger than 32 MiB");
    }
}

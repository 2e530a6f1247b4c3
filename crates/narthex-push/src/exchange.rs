//! One try: a request, the redirects on its way, and the answer.

use std::error::Error;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use crate::client::Client;
use crate::error::{Fault, PushError};
use crate::target::Url;

/// What is sent, wherever it leads.
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) body: Bytes,
    /// What any server may see.
    pub(crate) headers: HeaderMap,
    /// What only the server that is pushed to may see: own headers may be secrets as well.
    pub(crate) confidential: HeaderMap,
}

/// Which answers mean that the push was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// A Pushgateway's: 200 and 202, of which a deletion gets the latter.
    Gateway,
    /// Any that HTTP calls a success.
    Any,
}

/// Sends the message to `url` or where the server there redirects to.
///
/// A redirect keeps the method and the body: what would become a GET, as browsers have it, would
/// be answered with a page and look like success.
pub(crate) async fn exchange(
    client: &Client,
    url: &Url,
    message: &Message,
    success: Success,
) -> Result<StatusCode, PushError> {
    let mut at = url.clone();
    // Once away from the server that they are for, they stay at home.
    let mut trusted = true;
    for _ in 0..=MOST_REDIRECTS {
        let request = message.request(&at, trusted)?;
        let response = client.request(request, trusted).await.map_err(fault_of)?;
        if success.is(&message.method, response.status()) {
            // Read to its end, the connection can be used again.
            let status = response.status();
            read_beginning(response.into_body()).await?;
            return Ok(status);
        }
        if !is_redirect(response.status()) {
            return Err(refusal(response).await);
        }
        at = redirected(&at, &response)?;
        trusted &= at.same_origin(url);
    }
    let message = format!("more than {MOST_REDIRECTS} redirects, the last to `{at}`");
    Err(PushError::new(Fault::Redirect(message.into())))
}

const MOST_REDIRECTS: usize = 5;

impl Message {
    fn request(&self, url: &Url, trusted: bool) -> Result<Request<Full<Bytes>>, PushError> {
        let unusable = |error: http::Error| {
            let text = format!("`{url}` cannot be requested: {error}");
            PushError::new(Fault::Redirect(text.into()))
        };
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = url.uri().map_err(unusable)?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        if trusted {
            for name in self.confidential.keys() {
                headers.remove(name);
            }
            for (name, value) in &self.confidential {
                headers.append(name, value.clone());
            }
        }
        Ok(request)
    }
}

impl Success {
    fn is(self, method: &Method, status: StatusCode) -> bool {
        match self {
            Self::Gateway if method == Method::DELETE => status == StatusCode::ACCEPTED,
            Self::Gateway => matches!(status, StatusCode::OK | StatusCode::ACCEPTED),
            Self::Any => status.is_success(),
        }
    }
}

/// Those that name another place for the same request. 303 asks for a GET, which pushes nothing.
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 307 | 308)
}

fn redirected(from: &Url, response: &Response<Incoming>) -> Result<Url, PushError> {
    let status = response.status();
    let fault = |message: String| PushError::new(Fault::Redirect(message.into()));
    let location = response.headers().get(LOCATION);
    let location = location.ok_or_else(|| fault(format!("{status} does not say where to")))?;
    let to = location.to_str().ok().and_then(|location| from.follow(location));
    let to =
        to.ok_or_else(|| fault(format!("{status} leads to {location:?}, which is no place")))?;
    if from.is_https() && !to.is_https() {
        return Err(fault(format!("{status} leads from https to `{to}`, which anybody can read")));
    }
    Ok(to)
}

/// The error of an answer that is neither success nor redirect.
async fn refusal(response: Response<Incoming>) -> PushError {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(delay);
    // The status says enough where its body does not come.
    let body = read_beginning(response.into_body()).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into();
    PushError::new(Fault::Status { status, body, retry_after })
}

/// Reads up to [`MOST_BODY`] bytes.
async fn read_beginning(mut body: Incoming) -> Result<Vec<u8>, PushError> {
    let mut read = Vec::new();
    while read.len() < MOST_BODY
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|error| PushError::new(Fault::Exchange(error.into())))?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        read.extend_from_slice(&data[..data.len().min(MOST_BODY - read.len())]);
    }
    Ok(read)
}

const MOST_BODY: usize = 4 << 10;

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn delay(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn fault_of(error: hyper_util::client::legacy::Error) -> PushError {
    let unsent = error.is_connect() || causes(&error).any(was_never_sent) || is_refused(&error);
    PushError::new(match unsent {
        true => Fault::Connect(error.into()),
        false => Fault::Exchange(error.into()),
    })
}

fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Whether the failure is a certificate of either side, which does not get better by waiting.
#[cfg(feature = "tls")]
pub(crate) fn is_untrusted(error: &PushError) -> bool {
    tls_error(error).is_some()
}

#[cfg(not(feature = "tls"))]
pub(crate) fn is_untrusted(_: &PushError) -> bool {
    false
}

/// Whether the server refuses our certificate, or that there is none. With TLS 1.3 we are told so
/// when the request is on its way, but nobody reads it.
#[cfg(feature = "tls")]
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    use rustls::AlertDescription as Alert;

    let Some(rustls::Error::AlertReceived(alert)) = tls_error(error) else { return false };
    matches!(
        alert,
        Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            // It is signed by somebody who has the name of an authority, and is none.
            | Alert::DecryptError
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate
    )
}

#[cfg(not(feature = "tls"))]
fn is_refused(_: &(dyn Error + 'static)) -> bool {
    false
}

#[cfg(feature = "tls")]
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        // An error of input and output hides what it wraps: its source is that one's source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        cause = wrapped.map(|wrapped| wrapped as _).or_else(|| error.source());
    }
    None
}

/// The header of basic authentication (RFC 7617); a user with a colon has none.
pub(crate) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    if user.contains(':') {
        return None;
    }
    confidential(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

/// The header of a bearer token (RFC 6750).
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    if token.is_empty() { None } else { confidential(&format!("Bearer {token}")) }
}

fn confidential(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Puts `Authorization` in place of what was there.
pub(crate) fn authorize(headers: &mut HeaderMap, value: HeaderValue) {
    headers.insert(AUTHORIZATION, value);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::{basic, bearer, delay};

    #[test]
    fn a_delay_is_seconds_or_a_date() {
        let delay = |text: &'static str| delay(&HeaderValue::from_static(text));
        assert_eq!(delay("120"), Some(Duration::from_secs(120)));
        assert_eq!(delay("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert!(delay("Tue, 31 Dec 2999 23:59:59 GMT") > Some(Duration::from_secs(1)));
        assert_eq!(delay("-1"), None);
        assert_eq!(delay("soon"), None);
    }

    #[test]
    fn credentials_become_headers_that_are_not_shown() {
        let header = basic("Aladdin", "open sesame").unwrap();
        assert_eq!(header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert_eq!(bearer("t").unwrap(), "Bearer t");
        assert!(basic("a:b", "c").is_none() && bearer("").is_none() && bearer("a\nb").is_none());
    }
}

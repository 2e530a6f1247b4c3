//! Requests that may mean one thing to us and another to a proxy before us.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Request, Version};

/// Why a request is refused, if it is.
///
/// What hyper refuses by itself is not looked for again, and of what it repairs silently only
/// that which can still be seen.
pub(super) fn fault<B>(request: &Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 {
        return Some("several Host headers\n");
    }
    // RFC 9112, section 3.2.
    if hosts == 0 && request.version() >= Version::HTTP_11 {
        return Some("no Host header\n");
    }
    // RFC 9112, section 6.1.
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Some("both Transfer-Encoding and Content-Length\n");
    }
    // A target with an authority is meant for a proxy, and could name another host than Host does.
    if request.uri().authority().is_some() || !request.uri().path().starts_with('/') {
        return Some("the target is not a path\n");
    }
    None
}

//! Requests that may mean one thing to us and another to a proxy before us.

use http::header::HOST;
use http::{Request, Version};

use super::watch::Watch;

/// Why a request is refused, if it is.
///
/// What hyper refuses by itself is not looked for again; what it repairs without telling was seen
/// [byte by byte](super::heads).
pub(super) fn fault<B>(request: &Request<B>, watch: &Watch) -> Option<&'static str> {
    if let Some(reason) = watch.ambiguity() {
        return Some(reason);
    }
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 {
        return Some("several Host headers\n");
    }
    // RFC 9112, section 3.2.
    if hosts == 0 && request.version() >= Version::HTTP_11 {
        return Some("no Host header\n");
    }
    // A target with an authority is meant for a proxy, and could name another host than Host does.
    if request.uri().authority().is_some() || !request.uri().path().starts_with('/') {
        return Some("the target is not a path\n");
    }
    None
}

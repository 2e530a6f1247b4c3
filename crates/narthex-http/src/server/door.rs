//! What the connections of one listener lead to.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Limits;
use super::guard::Guard;
use super::hosts::Hosts;
use super::listener::Peer;
use super::metrics::{Refused, ServerMetrics};
use super::strict;
use super::watch::Watch;
use crate::body::Body;
use crate::service::text_response;
use crate::site::Site;

/// The way from a listener to the site, with everybody who stands in it.
pub(super) struct Door {
    pub(super) site: Site,
    pub(super) role: Role,
    pub(super) hosts: Hosts,
    pub(super) guard: Option<Arc<dyn Guard>>,
    pub(super) limits: Limits,
    pub(super) metrics: ServerMetrics,
    pub(super) told: Mutex<Option<Instant>>,
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Everything,
    /// The health endpoints and nothing else, for probes that have no credentials.
    Health,
}

impl Door {
    pub(super) async fn answer(&self, request: Request<Incoming>, watch: &Watch) -> Response<Body> {
        let head = request.method() == http::Method::HEAD;
        // The length of such a body is told in the body, and where it ends is for its decoder to
        // say: what follows it on the same connection is not read.
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        let mut response = if let Some(reason) = strict::fault(&request, watch) {
            self.metrics.refuse(Refused::Ambiguous);
            self.site.refuse(reason)
        } else if !self.hosts.take(request.headers()) {
            self.metrics.refuse(Refused::Host);
            let text = "this server does not answer to that Host\n";
            self.site.sign(text_response(StatusCode::MISDIRECTED_REQUEST, text, head))
        } else if let Some(refusal) = self.refusal(&request).await {
            self.site.sign(refusal)
        } else {
            let Ok(response) = self.site.respond(request).await;
            response
        };
        if let Some(guard) = &self.guard {
            guard.dress(&mut response);
        }
        if is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// What a request is answered that may not reach the site.
    async fn refusal(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let is_probe = Site::is_probe(request.uri().path());
        match (self.role, &self.guard) {
            (Role::Health, _) if !is_probe => {
                let head = request.method() == http::Method::HEAD;
                Some(text_response(StatusCode::NOT_FOUND, "not found\n", head))
            }
            (Role::Everything, Some(guard)) if !is_probe => guard.refusal(request.headers()).await,
            _ => None,
        }
    }

    /// Logs a failed handshake: one in a while for everybody, all of them for those who look.
    pub(super) fn tell_of_handshake(&self, peer: Peer, error: &io::Error) {
        const SILENCE: Duration = Duration::from_secs(60);
        let error = error.to_string();
        let error = error.escape_debug();
        let is_news = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let is_news = told.is_none_or(|told| told.elapsed() >= SILENCE);
            if is_news {
                *told = Some(Instant::now());
            }
            is_news
        };
        if is_news {
            tracing::warn!(remote = %peer, %error, "a TLS handshake failed; more are not told of for a minute");
        } else {
            tracing::debug!(remote = %peer, %error, "a TLS handshake failed");
        }
    }
}

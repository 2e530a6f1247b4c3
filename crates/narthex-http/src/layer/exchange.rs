//! One request and its response, counted once whatever becomes of it.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;

use super::RequestHead;
use super::builder::{Shared, StatusLabel};
use super::families::{self, Families, Outcome, Target};

/// A request under way; it ends when this is dropped.
pub(super) struct Exchange {
    shared: Arc<Shared>,
    method: &'static str,
    path: String,
    started: Instant,
    /// The bytes of the response's body so far.
    sent: u64,
    /// The bytes after which nobody asks for more.
    whole: Option<u64>,
    status: Option<StatusCode>,
    end: End,
}

/// How a request ends if nothing else happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody waits for the rest any more.
    Aborted,
    /// The service or the body gave an error, or panicked.
    Failed,
    Complete,
}

impl Exchange {
    /// Counts a request that begins; `None` where it is left out.
    pub(super) fn begin<B>(shared: &Arc<Shared>, request: &Request<B>) -> Option<Self> {
        let path = shared.rules.path(RequestHead::of(request))?;
        let exchange = Self {
            shared: shared.clone(),
            method: method(request.method()),
            path,
            started: Instant::now(),
            sent: 0,
            whole: None,
            status: None,
            end: End::Aborted,
        };
        let length = length(request.headers());
        let target = exchange.target();
        match &shared.families {
            Families::Standard(families) => {
                families.in_flight.with(&target).inc();
                if let Some(length) = length {
                    families.request_sizes.with(&target).observe(length as f64);
                }
            }
            Families::Aioprometheus(families) => families.requests.with(&target).inc(),
        }
        Some(exchange)
    }

    /// Code of others runs: if it never comes back, it has panicked.
    pub(super) fn at_risk<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let end = std::mem::replace(&mut self.end, End::Failed);
        let returned = run();
        self.end = end;
        returned
    }

    /// The response has begun.
    pub(super) fn head<R: Body>(&mut self, response: &Response<R>) {
        let status = response.status();
        self.status = Some(status);
        self.whole = length(response.headers());
        if let Families::Aioprometheus(_) = &self.shared.families {
            self.respond(status);
        }
        // RFC 9112, section 6.3: nobody reads these bodies, whatever there is of them.
        let is_bare = self.method == "HEAD"
            || status.is_informational()
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        if is_bare || response.body().is_end_stream() {
            self.complete();
        }
    }

    /// Part of the body goes out.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        if self.whole.is_some_and(|whole| self.sent >= whole) {
            self.complete();
        }
    }

    /// The service or its body gave an error.
    pub(super) fn failed(&mut self) {
        self.end = End::Failed;
    }

    /// All that is read of the response has gone out.
    pub(super) fn complete(&mut self) {
        // A failure is not mended by what comes after it.
        if self.end == End::Aborted {
            self.end = End::Complete;
        }
    }

    fn target(&self) -> Target<'_> {
        Target { method: self.method, path: &self.path }
    }

    /// Counts a response in aioprometheus's way.
    fn respond(&self, status: StatusCode) {
        let Families::Aioprometheus(counters) = &self.shared.families else { return };
        let target = self.target();
        counters.responses.with(&target).inc();
        let status = self.status_text(status);
        let outcome = Outcome { target, status: &status };
        counters.status_codes.with(&families::StatusCode(outcome)).inc();
    }

    fn status_text(&self, status: StatusCode) -> String {
        match self.shared.rules.status {
            StatusLabel::Code => status.as_str().to_owned(),
            StatusLabel::Class => format!("{}xx", status.as_u16() / 100),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let target = self.target();
        match &self.shared.families {
            Families::Standard(families) => {
                let status = match (self.end, self.status) {
                    (End::Complete, Some(status)) => self.status_text(status),
                    (End::Failed, _) => "failed".to_owned(),
                    (End::Aborted | End::Complete, _) => "aborted".to_owned(),
                };
                families.in_flight.with(&target).dec();
                families.requests.with(&Outcome { target, status: &status }).inc();
                families.durations.with(&target).observe_duration(self.started.elapsed());
                if self.status.is_some() {
                    families.response_sizes.with(&target).observe(self.sent as f64);
                }
            }
            Families::Aioprometheus(families) => {
                if self.end == End::Failed {
                    families.exceptions.with(&target).inc();
                    // Who asked has got no answer of the service's, so it is the server's error.
                    if self.status.is_none() {
                        self.respond(StatusCode::INTERNAL_SERVER_ERROR);
                    }
                }
            }
        }
    }
}

/// The length that a message tells of its body.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The methods of RFC 9110, section 9, and RFC 5789; a client may invent any number of others.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

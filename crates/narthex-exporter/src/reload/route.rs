//! `POST /-/reload`.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use narthex_http::Body;
use tower_service::Service;

use super::{Cause, Reloader};

/// Where reloads are asked for, as of Prometheus.
pub(crate) const RELOAD: &str = "/-/reload";

/// Reloads for each POST or PUT, and answers when that is done: 200, or 500 and what is wrong.
#[derive(Clone)]
pub(crate) struct ReloadRoute(pub(crate) Arc<Reloader>);

impl Service<Request<Body>> for ReloadRoute {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let reloader = self.0.clone();
        Box::pin(async move {
            if ![Method::POST, Method::PUT].contains(request.method()) {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let mut response = answer(status, "method not allowed\n".into());
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, PUT"));
                return Ok(response);
            }
            Ok(match reloader.reload(Cause::Request).await {
                Ok(()) => answer(StatusCode::OK, "reloaded\n".into()),
                Err(error) => {
                    let text = format!("not reloaded: {error}\n");
                    answer(StatusCode::INTERNAL_SERVER_ERROR, text)
                }
            })
        })
    }
}

impl fmt::Debug for ReloadRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadRoute").finish_non_exhaustive()
    }
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

//! Endpoints of the user's own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::BoxError;
use crate::body::Body;
use crate::service::text_response;

/// A service behind a pointer, for a site to keep beside others.
pub(super) trait DynRoute: Send + Sync {
    fn respond(
        self: Arc<Self>,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
}

pub(super) struct Route<S>(pub(super) S);

impl<S, B> DynRoute for Route<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn respond(
        self: Arc<Self>,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(async move {
            // A clone, because a service may answer several requests at a time.
            let mut service = self.0.clone();
            let path = request.uri().path().to_owned();
            if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
                return failed(&path, &error.into());
            }
            match service.call(request).await {
                Ok(response) => response.map(Body::new),
                Err(error) => failed(&path, &error.into()),
            }
        })
    }
}

fn failed(path: &str, error: &BoxError) -> Response<Body> {
    let error = error.to_string();
    tracing::error!(path, error = %error.escape_debug(), "a route failed");
    text_response(StatusCode::INTERNAL_SERVER_ERROR, "the request failed\n", false)
}

/// A path that an endpoint cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError {
    path: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    NotAbsolute,
    Character(char),
    Taken,
}

impl RouteError {
    /// The path at fault.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn taken(path: String) -> Self {
        Self { path, fault: Fault::Taken }
    }

    /// Checks that a request can have this path at all (RFC 3986, section 3.3).
    pub(super) fn check(path: &str) -> Result<(), Self> {
        let error = |fault| Self { path: path.to_owned(), fault };
        if !path.starts_with('/') {
            return Err(error(Fault::NotAbsolute));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%".contains(c);
        match path.chars().find(|&c| !allowed(c)) {
            Some(character) => Err(error(Fault::Character(character))),
            None => Ok(()),
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.escape_debug();
        match self.fault {
            Fault::NotAbsolute => write!(f, "path `{path}` does not start with `/`"),
            Fault::Character(character) => {
                let character = character.escape_debug();
                write!(f, "path `{path}` holds `{character}`, which no path can have as it is")
            }
            Fault::Taken => write!(f, "path `{path}` is taken by another endpoint"),
        }
    }
}

impl std::error::Error for RouteError {}

//! What stands between the network and the site, as far as the rest of the server knows.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::watch::Watched;
use crate::body::Body;

/// Encrypts connections, lets requests in or not, and has a last word on responses.
pub(super) trait Guard: fmt::Debug + Send + Sync {
    /// What addresses begin with.
    fn scheme(&self) -> &'static str;

    /// Makes of a connection what HTTP is spoken on.
    fn handshake(self: Arc<Self>, io: Watched) -> Pending<'static, io::Result<Box<dyn Io>>>;

    /// What a request is answered that is not let in.
    fn refusal<'a>(&'a self, headers: &'a HeaderMap) -> Pending<'a, Option<Response<Body>>>;

    /// Adds what every response carries.
    fn dress(&self, response: &mut Response<Body>);

    /// Reads again at once what says how it protects; where that cannot be used, what was there
    /// stays. Blocks.
    #[cfg(feature = "tls")]
    fn reload(&self) -> Result<(), super::WebConfigError>;

    /// Keeps itself up to date for as long as it is polled; never ends.
    fn upkeep(self: Arc<Self>) -> Pending<'static, ()>;
}

/// A future behind a pointer.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection of any kind.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

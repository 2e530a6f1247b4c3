//! The body type of requests and responses.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::BoxError;
use crate::service::{Reader, Taken};

/// A body: shared bytes, or any other body behind a pointer.
///
/// A metrics page is shared by everybody who reads it, so a clone of its bytes costs nothing.
///
/// ```
/// use http_body::Body as _;
/// use narthex_http::Body;
///
/// assert_eq!(Body::from("ok\n").size_hint().exact(), Some(3));
/// assert!(Body::empty().is_end_stream());
/// ```
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    /// What is left to send.
    Whole(Bytes),
    /// A page that others read too.
    Page(Reader),
    Streamed(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// A body without content.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// Any body, behind a pointer.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = body.map_err(|error| BodyError(error.into()));
        Self(Kind::Streamed(body.boxed_unsync()))
    }
}

impl From<Reader> for Body {
    fn from(reader: Reader) -> Self {
        Self(Kind::Page(reader))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Page(reader) => Poll::Ready(match ready!(reader.poll_take(cx)) {
                Taken::Chunk(chunk) => Some(Ok(Frame::data(chunk))),
                Taken::End => None,
                Taken::Revoked => Some(Err(BodyError(Break::Revoked.into()))),
                Taken::Broken => Some(Err(BodyError(Break::Unfinished.into()))),
            }),
            Kind::Streamed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Page(reader) => reader.left() == Some(0),
            Kind::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Page(reader) => {
                reader.left().map_or_else(SizeHint::new, |left| SizeHint::with_exact(left as u64))
            }
            Kind::Streamed(body) => body.size_hint(),
        }
    }
}

/// A body broke off before its end.
#[derive(Debug)]
pub struct BodyError(BoxError);

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body broke off before its end")
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Why a page broke off.
#[derive(Debug)]
enum Break {
    /// It was given up for the sake of others, because its reader had stalled or was overdue.
    Revoked,
    /// Encoding it failed.
    Unfinished,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "its reader was too slow while others waited for a page",
            Self::Unfinished => "encoding the page failed",
        })
    }
}

impl std::error::Error for Break {}

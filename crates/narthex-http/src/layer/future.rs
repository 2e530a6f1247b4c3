//! The response to come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::MeasuredBody;
use super::exchange::Exchange;

pin_project! {
    /// The response of a [`MetricsMiddleware`](super::MetricsMiddleware) to come.
    pub struct MeasuredFuture<F> {
        #[pin]
        inner: F,
        exchange: Option<Exchange>,
    }
}

impl<F> MeasuredFuture<F> {
    pub(super) fn new(mut exchange: Option<Exchange>, call: impl FnOnce() -> F) -> Self {
        let inner = match &mut exchange {
            Some(exchange) => exchange.at_risk(call),
            None => call(),
        };
        Self { inner, exchange }
    }
}

impl<F, R, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<MeasuredBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(exchange) = this.exchange else {
            let response = ready!(this.inner.poll(cx))?;
            return Poll::Ready(Ok(response.map(|body| MeasuredBody::new(body, None))));
        };
        let outcome = ready!(exchange.at_risk(|| this.inner.poll(cx)));
        let mut exchange = this.exchange.take();
        match outcome {
            Ok(response) => {
                if let Some(exchange) = &mut exchange {
                    exchange.head(&response);
                }
                Poll::Ready(Ok(response.map(|body| MeasuredBody::new(body, exchange))))
            }
            Err(error) => {
                if let Some(exchange) = &mut exchange {
                    exchange.failed();
                }
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F> fmt::Debug for MeasuredFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredFuture").finish_non_exhaustive()
    }
}

//! Metrics as a struct: what `derive(Metrics)` implements.

use crate::error::RegisterError;
use crate::registry::Registry;

/// A set of metrics that is registered as a whole; derive it on a struct.
///
/// Written by hand it looks like this:
///
/// ```
/// use narthex_core::{Counter, Gauge, Metrics, RegisterError, Registry};
///
/// struct HttpMetrics {
///     requests_total: Counter,
///     requests_in_progress: Gauge,
/// }
///
/// impl Metrics for HttpMetrics {
///     fn register(registry: &Registry) -> Result<Self, RegisterError> {
///         registry.transaction(|registry| {
///             let http = registry.scope().prefix("http").build()?;
///             Ok(Self {
///                 requests_total: Counter::builder("requests_total", "HTTP requests served.")
///                     .register(&http)?,
///                 requests_in_progress: Gauge::builder(
///                     "requests_in_progress",
///                     "Requests being served now.",
///                 )
///                 .register(&http)?,
///             })
///         })
///     }
/// }
///
/// let registry = Registry::new();
/// let http = HttpMetrics::register(&registry)?;
/// http.requests_total.inc();
/// http.requests_in_progress.set(3.0);
/// assert_eq!(registry.gather().value("http_requests_total", &[]), Some(1.0));
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of metrics",
    note = "derive `Metrics` on a struct whose fields are the metrics"
)]
pub trait Metrics: Sized {
    /// Registers all metrics, or none when one cannot be registered.
    ///
    /// # Errors
    /// Returns the [`RegisterError`] of the first metric that cannot be registered.
    fn register(registry: &Registry) -> Result<Self, RegisterError>;

    /// The metrics that `registry` has under these very descriptions; those that it has not are
    /// registered now, all of them or none.
    ///
    /// # Errors
    /// Returns the [`RegisterError`] of the first metric that cannot be registered. Where its name
    /// is taken by one that was described otherwise, the error says what differs.
    fn get_or_register(registry: &Registry) -> Result<Self, RegisterError> {
        Self::register(&registry.reusing())
    }
}

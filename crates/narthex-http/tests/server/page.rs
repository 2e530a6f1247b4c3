//! Something to serve.

use narthex_core::Registry;
use narthex_http::MetricsService;

/// A registry without metrics of its own.
pub(crate) fn empty() -> MetricsService {
    MetricsService::new(Registry::new())
}

//! Data that does not live in narthex instruments.

use narthex_model::{Metadata, MetricFamily, Problem};

/// A source of metric families that are made afresh at each gather, such as the state of the
/// operating system or of another library.
///
/// `collect` is called once a gather, outside any lock of the registry, and must not block for
/// long; sources that wait for the network belong to the scrape engine of `narthex-http`.
///
/// ```
/// use narthex_core::{Collector, Registry};
/// use narthex_model::MetricFamily;
///
/// struct Uptime(std::time::Instant);
///
/// impl Collector for Uptime {
///     fn collect(&self, families: &mut Vec<MetricFamily>) {
///         let uptime = self.0.elapsed().as_secs_f64();
///         families.extend(
///             MetricFamily::gauge("uptime_seconds", "Time since start.")
///                 .sample([""; 0], uptime)
///                 .build(),
///         );
///     }
/// }
///
/// let registry = Registry::new();
/// registry.register(Uptime(std::time::Instant::now()))?;
/// assert!(registry.gather().family("uptime_seconds").is_some());
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
pub trait Collector: Send + Sync + 'static {
    /// The families this collector will give, as far as it knows them before the first gather.
    ///
    /// Those named here are checked against everything else at registration; a clash of any other
    /// is found at gather, where the family is left out and told of. By default none is named.
    fn describe(&self) -> Vec<Metadata> {
        Vec::new()
    }

    /// Adds the families of this moment.
    fn collect(&self, families: &mut Vec<MetricFamily>);

    /// What [`collect`](Self::collect) has to leave out, and why.
    ///
    /// It is asked after each `collect`, for the [problems](narthex_model::Scrape::problems) of that
    /// scrape. By default nothing is left out.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

impl<T: Collector + ?Sized> Collector for std::sync::Arc<T> {
    fn describe(&self) -> Vec<Metadata> {
        (**self).describe()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        (**self).collect(families);
    }

    fn problems(&self) -> Vec<Problem> {
        (**self).problems()
    }
}

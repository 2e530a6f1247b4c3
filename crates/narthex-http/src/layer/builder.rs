//! The options of a layer.

use std::fmt;
use std::sync::Arc;

use narthex_core::{Buckets, RegisterError, Registry};

use super::families::Families;
use super::{MetricsLayer, RequestHead};

/// The options of a [`MetricsLayer`].
///
/// ```
/// use narthex_core::Registry;
/// use narthex_http::{MetricsLayer, StatusLabel};
///
/// let layer = MetricsLayer::builder()
///     .status(StatusLabel::Class)
///     .exclude(["/metrics", "/static/*"])
///     .const_label("service", "shop")
///     .register(&Registry::new())?;
/// # drop(layer);
/// # Ok::<(), narthex_core::RegisterError>(())
/// ```
#[must_use]
pub struct MetricsLayerBuilder {
    names: MetricNames,
    const_labels: Vec<(String, String)>,
    durations: Buckets,
    sizes: Buckets,
    rules: Rules,
}

/// What the metrics are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricNames {
    /// As the [`MetricsLayer`] describes them.
    #[default]
    Standard,
    /// The four counters of aioprometheus, for dashboards that know them:
    /// `requests_total_counter{method,path}`, `responses_total_counter{method,path}`,
    /// `exceptions_total_counter{method,path}` and
    /// `status_codes_counter{method,path,status_code}`.
    ///
    /// A response counts when its head is sent. A service that fails or panics before that counts
    /// as an exception and a response with status 500; a body that fails as an exception alone; a
    /// request that is given up as a request alone.
    Aioprometheus,
}

/// What the label `status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusLabel {
    /// The status code, such as `404`.
    #[default]
    Code,
    /// Its class, such as `4xx`.
    Class,
}

/// What is looked at in a request, and how.
pub(super) struct Rules {
    pub(super) status: StatusLabel,
    excluded: Vec<String>,
    exclude_if: Vec<Look<bool>>,
    path: Look<Option<String>>,
}

/// What a user's closure says of a request.
type Look<T> = Box<dyn Fn(RequestHead<'_>) -> T + Send + Sync>;

/// What the clones of a layer share.
pub(super) struct Shared {
    pub(super) families: Families,
    pub(super) rules: Rules,
}

impl MetricsLayerBuilder {
    pub(super) fn new() -> Self {
        Self {
            names: MetricNames::Standard,
            const_labels: Vec::new(),
            durations: Buckets::from([
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
            ]),
            sizes: Buckets::exponential(64.0, 4.0, 10),
            rules: Rules {
                status: StatusLabel::Code,
                excluded: ["/metrics", "/metrics/", "/favicon.ico"].map(Into::into).into(),
                exclude_if: Vec::new(),
                path: Box::new(template),
            },
        }
    }

    /// Chooses the names of the metrics; by default those that the [`MetricsLayer`] describes.
    pub fn names(mut self, names: MetricNames) -> Self {
        self.names = names;
        self
    }

    /// Gives all metrics a label.
    pub fn const_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.const_labels.push((name.into(), value.into()));
        self
    }

    /// Chooses what the label `status` says; by default the code.
    pub fn status(mut self, status: StatusLabel) -> Self {
        self.rules.status = status;
        self
    }

    /// Chooses the buckets for durations, in seconds; by default 13 from a millisecond to ten
    /// seconds.
    pub fn duration_buckets(mut self, buckets: impl Into<Buckets>) -> Self {
        self.durations = buckets.into();
        self
    }

    /// Chooses the buckets for sizes, in bytes; by default ten from 64 B to 16 MiB.
    pub fn size_buckets(mut self, buckets: impl Into<Buckets>) -> Self {
        self.sizes = buckets.into();
        self
    }

    /// Leaves requests out whose path is one of these, or begins with one that ends with `*`; by
    /// default `/metrics`, `/metrics/` and `/favicon.ico`.
    ///
    /// A pattern is compared with the path of the request and with its template.
    pub fn exclude<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.rules.excluded = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Leaves requests out for which `exclude` holds, beside those that are left out by path.
    pub fn exclude_if(
        mut self,
        exclude: impl Fn(RequestHead<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.rules.exclude_if.push(Box::new(exclude));
        self
    }

    /// Chooses the label `path` of a request; `None` makes it `unmatched`. By default it is axum's
    /// `MatchedPath` under the feature `axum`, and else all requests are unmatched.
    ///
    /// There is a series for each path, so the paths must be few: templates, not what clients send.
    /// The families keep 10,000 series, and count the rest in one whose labels are `overflow`.
    ///
    /// ```
    /// use narthex_core::Registry;
    /// use narthex_http::{MetricsLayer, RequestHead};
    ///
    /// let first_segment = |request: RequestHead<'_>| {
    ///     let first = request.uri.path().split('/').nth(1)?;
    ///     ["users", "orders"].contains(&first).then(|| format!("/{first}"))
    /// };
    /// let layer = MetricsLayer::builder().path(first_segment).register(&Registry::new())?;
    /// # drop(layer);
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn path(
        mut self,
        path: impl Fn(RequestHead<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.rules.path = Box::new(path);
        self
    }

    /// Registers the metrics; two layers of one registry with the same options count together.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] where a name is taken by something else, or a bucket or label is
    /// not valid.
    pub fn register(self, registry: &Registry) -> Result<MetricsLayer, RegisterError> {
        let Self { names, const_labels, durations, sizes, rules } = self;
        let families = Families::register(registry, names, &const_labels, &durations, &sizes)?;
        Ok(MetricsLayer { shared: Arc::new(Shared { families, rules }) })
    }
}

impl fmt::Debug for MetricsLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsLayerBuilder")
            .field("names", &self.names)
            .field("status", &self.rules.status)
            .field("excluded", &self.rules.excluded)
            .finish_non_exhaustive()
    }
}

impl Rules {
    /// The label `path` of a request; `None` where it is left out.
    pub(super) fn path(&self, request: RequestHead<'_>) -> Option<String> {
        const UNMATCHED: &str = "unmatched";
        let template = (self.path)(request);
        let excluded = |path: &str| self.excluded.iter().any(|pattern| matches(pattern, path));
        let is_left_out = excluded(request.uri.path())
            || template.as_deref().is_some_and(excluded)
            || self.exclude_if.iter().any(|exclude| exclude(request));
        (!is_left_out).then(|| template.unwrap_or_else(|| UNMATCHED.to_owned()))
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}

#[cfg(feature = "axum")]
fn template(request: RequestHead<'_>) -> Option<String> {
    let matched = request.extensions.get::<axum::extract::MatchedPath>()?;
    Some(matched.as_str().to_owned())
}

#[cfg(not(feature = "axum"))]
fn template(_request: RequestHead<'_>) -> Option<String> {
    None
}

//! The macros of [narthex](https://docs.rs/narthex): [`macro@Labels`], [`macro@LabelValue`] and
//! [`macro@Metrics`] to derive, [`macro@timer`], [`macro@in_progress`] and [`macro@count_errors`] to
//! write on functions.
//!
//! The crate `narthex` re-exports them beside the traits and guards that they use; depend on that
//! one. What they emit is what one would write by hand, so that one may do without them.

mod attr;
mod attribute;
mod ctxt;
mod derive;
mod naming;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Labels`: each named field of the struct is a label.
///
/// The name of a label is the name of its field; its value is whatever `LabelValue` gives for the
/// field. Lifetimes let a lookup borrow: a family of `Request<'static>` is asked with a
/// `Request<'_>` that points into the caller's data.
///
/// ```
/// use narthex::{LabelValue, Labels};
///
/// #[derive(LabelValue)]
/// enum Method {
///     Get,
///     Post,
/// }
///
/// #[derive(Labels)]
/// struct Request<'a> {
///     method: Method,
///     path: &'a str,
///     #[label(rename = "code")]
///     status: u16,
/// }
///
/// assert_eq!(Request::NAMES, ["code", "method", "path"]);
/// ```
///
/// Where each label has few values, such as those of an enum or a `bool`, a family finds its series
/// by the number of the label set and hashes nothing.
///
/// # On a field
///
/// - `#[label(rename = "...")]` names the label otherwise.
/// - `#[label(skip)]` leaves the field out: it is no label.
/// - `#[label(display)]` takes the text from `Display`, through a `String` that each lookup
///   allocates.
///
/// # On the struct
///
/// - `#[narthex(crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// # Generics
///
/// A type parameter that a label needs gets the bound `LabelValue` (or `Display`). All lifetime
/// parameters become the one of `Labels::Borrowed`; a type parameter that stands behind one of
/// them, such as `T` in `&'a T`, gets the bound `'static`.
///
/// # Errors
///
/// It is an error, on the name that causes it, when a label name is not of the form
/// `[a-zA-Z_][a-zA-Z0-9_]*`, starts with `__`, or is there twice, and when there are more than 16
/// labels. All errors of a struct are reported at once.
#[proc_macro_derive(Labels, attributes(label, narthex))]
pub fn derive_labels(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::labels::expand(&input).into()
}

/// Implements `LabelValue`: the type can be the value of a label.
///
/// The text of an enum's variant is its name in `snake_case`. A struct of one field has the text of
/// that field, whose type must be as public as the struct.
///
/// ```
/// use narthex::LabelValue;
///
/// #[derive(LabelValue)]
/// enum Outcome {
///     Done,
///     NotFound,
///     #[label(rename = "5xx")]
///     ServerError,
/// }
///
/// #[derive(LabelValue)]
/// struct Shard(u16);
///
/// assert_eq!(Outcome::NotFound.text(), "not_found");
/// assert_eq!(Outcome::ServerError.text(), "5xx");
/// assert_eq!(Shard(7).text().as_ref(), "7");
/// ```
///
/// # On an enum
///
/// - `#[label(rename_all = "...")]` names all variants by another rule: `lowercase`, `UPPERCASE`,
///   `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE`, `PascalCase`,
///   `camelCase`, or `verbatim` for the names as they are written.
/// - `#[label(rename = "...")]` on a variant gives its text. The empty text means that the series
///   does not have the label.
///
/// # On any type
///
/// - `#[label(display)]`, on the type or on the one field of a struct, takes the text from
///   `Display`, through a `String` that each lookup allocates.
/// - `#[narthex(crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// use narthex::LabelValue;
///
/// #[derive(LabelValue)]
/// struct Peer(#[label(display)] IpAddr);
///
/// assert_eq!(Peer(Ipv4Addr::LOCALHOST.into()).text(), "127.0.0.1");
/// ```
///
/// # Errors
///
/// It is an error, on the name that causes it, when two variants have the same text, when a variant
/// carries data, and when a struct has no field or several. All errors of a type are reported at
/// once.
#[proc_macro_derive(LabelValue, attributes(label, narthex))]
pub fn derive_label_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::label_value::expand(&input).into()
}

/// Implements `Metrics`: each named field of the struct is a metric.
///
/// The name of a metric is the name of its field behind the namespace, and its help text is the
/// first paragraph of the doc comment. `register` registers all of them or, when one cannot be,
/// none; `get_or_register` gives those that are registered already.
///
/// ```
/// use narthex::{Buckets, Counter, DynamicFamily, Gauge, Histogram, Metrics, Registry};
///
/// #[derive(Metrics)]
/// #[metrics(namespace = "http")]
/// struct HttpMetrics {
///     /// Requests being served now.
///     requests_in_progress: Gauge,
///     /// Time to serve a request.
///     #[metric(buckets = Buckets::exponential(0.001, 2.0, 12), unit = "seconds")]
///     request_duration_seconds: Histogram,
///     /// Replies sent.
///     #[metric(name = "replies_total", label_names = ["code"])]
///     replies: DynamicFamily<Counter>,
///     #[metric(flatten)]
///     cache: CacheMetrics,
/// }
///
/// #[derive(Metrics)]
/// #[metrics(namespace = "cache")]
/// struct CacheMetrics {
///     /// Replies that were in the cache.
///     hits_total: Counter,
/// }
///
/// let registry = Registry::new();
/// let http = HttpMetrics::register(&registry)?;
/// http.requests_in_progress.set(3.0);
/// http.cache.hits_total.inc();
/// assert_eq!(registry.gather().value("http_cache_hits_total", &[]), Some(1.0));
/// # Ok::<(), narthex::RegisterError>(())
/// ```
///
/// # On a field
///
/// - `#[metric(name = "...")]` names the metric otherwise; the namespace still goes before it.
/// - `#[metric(help = "...")]` gives the help text, in the place of the doc comment.
/// - `#[metric(flatten)]`: the field is a struct that implements `Metrics`, whose metrics are
///   registered under the namespace and constant labels of this one.
/// - Anything else is a method of the builder: `#[metric(unit = "seconds")]` calls
///   `.unit("seconds")`, `#[metric(utf8_names)]` calls `.utf8_names()`, and
///   `#[metric(const_label("zone", "a"))]` calls `.const_label("zone", "a")`.
///
/// # On the struct
///
/// - `#[metrics(namespace = "...")]` puts a name and an underscore before all names.
/// - `#[metrics(const_label("name", "value"))]` adds a label to all series.
/// - `#[narthex(crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// # Errors
///
/// It is an error, on the field that causes it, when a metric has no help text, when its name is
/// not of the form `[a-zA-Z_:][a-zA-Z0-9_:]*`, and when two have the same name. All errors of a
/// struct are reported at once. What only shows at run time, such as bounds of buckets that do not
/// ascend, is a `RegisterError`.
#[proc_macro_derive(Metrics, attributes(metric, metrics, narthex))]
pub fn derive_metrics(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::metrics::expand(&input).into()
}

/// Records how long each call takes, in seconds.
///
/// `#[timer(EXPRESSION)]` stands on a function or method, sync or `async`. The expression gives a
/// histogram, summary or gauge, one series of such a family, or a pointer to one; it may use `self`
/// and the arguments, and is evaluated first. A call is recorded however it ends: by its last line,
/// `return`, `?`, a panic, or because its future is dropped. The time of an `async fn` begins when
/// its future is polled first.
///
/// ```
/// use narthex::{Histogram, Registry};
///
/// struct Client {
///     latency: Histogram,
/// }
///
/// impl Client {
///     #[narthex::timer(self.latency)]
///     fn fetch(&mut self, url: &str) -> std::io::Result<String> {
///         std::fs::read_to_string(url)
///     }
/// }
///
/// # let latency = Histogram::builder("fetch_seconds", "Fetch time.").register(&Registry::new())?;
/// let mut client = Client { latency };
/// client.fetch("/no/such/file").unwrap_err();
/// assert_eq!(client.latency.count(), 1);
/// # Ok::<(), narthex::RegisterError>(())
/// ```
///
/// The body is what it was, behind one statement:
/// `let _guard = narthex::Timer::start(&self.latency);`. Several attributes may stand on a function,
/// in any order.
///
/// A method that `async_trait` rewrites, and any function that ends with an `async` block (in a
/// `Box::pin`, or not), is measured as the future that it returns.
///
/// A series of a family is borrowed while the call runs. In a method that takes `&mut self` and
/// needs all of it, `self.latency.resolve(&labels)` gives a handle that is not.
///
/// # Options
///
/// - `#[timer(EXPRESSION, crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// # Errors
///
/// It is an error when the expression gives nothing that can record a duration, and when the
/// function is `const`, `unsafe` or `extern`.
#[proc_macro_attribute]
pub fn timer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::timer(arguments.into(), item.into()).into()
}

/// Counts the calls that are in progress.
///
/// `#[in_progress(EXPRESSION)]` adds one to a gauge when a call begins, or when the future of an
/// `async fn` is polled first, and takes it off again however the call ends. All else is as with
/// [`macro@timer`].
///
/// ```
/// use narthex::{Gauge, Registry};
///
/// #[narthex::in_progress(busy)]
/// fn work(busy: &Gauge) {
///     assert_eq!(busy.value(), 1.0);
/// }
///
/// # let busy = Gauge::builder("busy", "Calls under way.").register(&Registry::new())?;
/// work(&busy);
/// assert_eq!(busy.value(), 0.0);
/// # Ok::<(), narthex::RegisterError>(())
/// ```
///
/// # Options
///
/// - `#[in_progress(EXPRESSION, crate = "path")]` says where the crate is, if not at `::narthex`.
///
/// # Errors
///
/// It is an error when the expression gives no gauge, and when the function is `const`, `unsafe` or
/// `extern`.
#[doc(alias = "inprogress")]
#[proc_macro_attribute]
pub fn in_progress(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::in_progress(arguments.into(), item.into()).into()
}

/// Counts the calls that end with an error.
///
/// `#[count_errors(EXPRESSION)]` stands on a function that returns a `Result`, and adds one to a
/// counter for each `Err`. A call whose future is dropped before it ends counts nothing. All else is
/// as with [`macro@timer`].
///
/// ```
/// use narthex::{Counter, Registry};
///
/// struct Config {
///     failures: Counter,
/// }
///
/// impl Config {
///     #[narthex::count_errors(self.failures)]
///     fn port(&self, text: &str) -> Result<u16, Box<dyn std::error::Error>> {
///         Ok(text.parse()?)
///     }
/// }
///
/// # let failures = Counter::builder("failures_total", "Failures.").register(&Registry::new())?;
/// let config = Config { failures };
/// assert!(config.port("80").is_ok() && config.port("http").is_err());
/// assert_eq!(config.failures.value(), 1.0);
/// # Ok::<(), narthex::RegisterError>(())
/// ```
///
/// # Options
///
/// - `filter = |error| ...` counts only errors for which the closure holds, which gets a reference.
/// - `panics` counts calls that panic, too; the panic goes on.
/// - `crate = "path"` says where the crate is, if not at `::narthex`.
///
/// ```
/// use std::io::{Error, ErrorKind, Result};
///
/// # use narthex::{Counter, Registry};
/// #[narthex::count_errors(failures, filter = |error| error.kind() != ErrorKind::NotFound, panics)]
/// fn read(path: &str, failures: &Counter) -> Result<String> {
///     std::fs::read_to_string(path)
/// }
///
/// # let failures = Counter::builder("failures_total", "Failures.").register(&Registry::new())?;
/// assert!(read("/no/such/file", &failures).is_err());
/// assert_eq!(failures.value(), 0.0);
/// # Ok::<(), narthex::RegisterError>(())
/// ```
///
/// # Errors
///
/// It is an error when the expression gives no counter, when the function returns no `Result`, and
/// when it is `const`, `unsafe` or `extern`.
#[doc(alias = "count_exceptions")]
#[proc_macro_attribute]
pub fn count_errors(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::count_errors(arguments.into(), item.into()).into()
}

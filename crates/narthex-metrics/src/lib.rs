//! Exports what is instrumented with the [`metrics`] facade through a narthex registry.
//!
//! Many libraries count with the macros of `metrics`. A [`MetricsRecorder`] takes what they count,
//! and puts it on the page of a [`Registry`](narthex_core::Registry), beside narthex's own
//! instruments:
//!
//! ```
//! use narthex_core::Registry;
//! use narthex_metrics::MetricsRecorder;
//!
//! let registry = Registry::new();
//! let recorder = MetricsRecorder::new(&registry)?;
//! // A program says `recorder.install()?` once, at its start.
//! metrics::with_local_recorder(&recorder, || {
//!     metrics::describe_counter!("cache.hits", "Lookups that the cache answered.");
//!     metrics::counter!("cache.hits", "shard" => "a").increment(2);
//! });
//! assert_eq!(registry.gather().value("cache_hits_total", &[("shard", "a")]), Some(2.0));
//! # Ok::<(), narthex_core::RegisterError>(())
//! ```
//!
//! # How it is exported
//!
//! | in the program | on the page |
//! |---|---|
//! | names and label keys, any text | every character outside the classic set as `_` |
//! | counter `cache.hits` | `cache_hits_total`; see [`CounterNames`] |
//! | gauge | gauge |
//! | histogram | histogram with [buckets](RecorderBuilder::buckets), by default 5 ms to 10 s |
//! | description and unit | help and unit, whether they come before the first use or after |
//! | no description | a help text that says so, and the name in the program |
//! | one name with different labels | one family; a label that a series lacks is absent there |
//! | a label with an empty value | no label, for that is what Prometheus takes it for |
//!
//! # What cannot be exported
//!
//! Nothing that is recorded can break the page or panic. What comes second and cannot stand beside
//! the first is refused: a name that another kind of metric or an instrument of the registry has,
//! `a_b` beside `a.b`, a label that is given twice, is reserved (`le`) or constant in the registry. So is NaN in a
//! histogram. Each refused update is counted in `narthex_metrics_refused_total{family}`, and the
//! [problems](narthex_model::Scrape::problems) of each scrape say what was refused and why.
//!
//! # Cost
//!
//! A handle, such as `metrics::counter!` gives, updates one atomic and takes no lock, so keep it
//! where it matters. A macro that is called again and again looks its series up each time, under a
//! lock that it shares with other lookups. A series costs the same whatever is recorded in it, and
//! whether or not anybody scrapes; there is no upkeep to run.

mod builder;
mod cell;
mod clock;
mod family;
mod handles;
mod losses;
mod names;
mod recorder;

pub use builder::{CounterNames, RecorderBuilder};
pub use recorder::{InstallError, MetricsRecorder};

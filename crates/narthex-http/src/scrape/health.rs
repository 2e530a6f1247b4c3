//! How sources fare: failures, what is logged of them, and the metrics that show it.

use std::any::Any;
use std::error::Error;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use narthex_model::{FamilyBuilder, MetricFamily};
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::gather::LastRun;

/// Why the data of a source is not on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    cause: Cause,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Error,
    Panic,
    Deadline,
    Hung,
}

impl Cause {
    const ALL: [Self; 4] = [Self::Error, Self::Panic, Self::Deadline, Self::Hung];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Deadline => "deadline",
            Self::Hung => "hung",
        }
    }
}

impl Failure {
    /// The source returned an error.
    pub(super) fn error(error: &(dyn Error + 'static)) -> Self {
        let mut text = error.to_string();
        for cause in std::iter::successors(error.source(), |&error| error.source()) {
            text.push_str(": ");
            text.push_str(&cause.to_string());
        }
        Self { cause: Cause::Error, text: text.into() }
    }

    /// The source's task came to a bad end.
    pub(super) fn join(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self { cause: Cause::Panic, text: panic_text(panic).into() },
            Err(error) => Self::error(&error),
        }
    }

    /// The deadline passed first.
    pub(super) fn deadline() -> Self {
        Self { cause: Cause::Deadline, text: "not done by the scrape's deadline".into() }
    }

    /// What went wrong, in a word.
    pub(super) fn cause(&self) -> &'static str {
        self.cause.as_str()
    }

    /// An earlier run has not ended.
    pub(super) fn hung() -> Self {
        let text = "not started: its run for an earlier scrape still blocks".into();
        Self { cause: Cause::Hung, text }
    }
}

/// What a panic said, where it said something.
fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = said.map_or_else(|| "panicked".to_owned(), |said| format!("panicked: {said}"));
    // Dropping the payload runs code of the source, which may panic again. What that throws is
    // leaked, for there is no end to it otherwise.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        let _leaked = ManuallyDrop::new(again);
    }
    text
}

/// The history of one source.
#[derive(Default)]
pub(super) struct Health {
    failures: [u64; Cause::ALL.len()],
    /// The failure of the last run, so that the same one is not logged again.
    failing: Option<Failure>,
    /// When the last run ended, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Health {
    /// Takes a run's end down; gives what is new about it, and the failures so far by cause.
    pub(super) fn note(
        &mut self,
        failure: Option<&Failure>,
        took: Duration,
    ) -> (News, [u64; Cause::ALL.len()]) {
        self.last = Some((Instant::now(), took));
        if let Some(failure) = failure {
            self.failures[failure.cause as usize] += 1;
        }
        let news = if self.failing.as_ref() == failure {
            News::None
        } else {
            self.failing = failure.cloned();
            self.failing.clone().map_or(News::Recovered, News::Failed)
        };
        (news, self.failures)
    }

    /// How the last run went.
    pub(super) fn last(&self) -> Option<LastRun> {
        let (at, took) = self.last?;
        let failed = self.failing.as_ref().map(|failure| failure.cause.as_str());
        Some(LastRun { failed, took, at })
    }
}

/// What a run tells that the one before it did not.
pub(super) enum News {
    None,
    Recovered,
    Failed(Failure),
}

impl News {
    pub(super) fn log(self, source: &str) {
        match self {
            Self::None => {}
            Self::Recovered => tracing::info!(source, "source has recovered"),
            Self::Failed(Failure { cause, text }) => {
                tracing::warn!(source, cause = cause.as_str(), error = %text, "source failed");
            }
        }
    }
}

/// How a source stands after a scrape.
pub(super) struct Standing {
    pub(super) success: bool,
    pub(super) duration: Duration,
    /// How old the data is, where it is from a cache.
    pub(super) age: Option<Duration>,
    pub(super) failures: [u64; Cause::ALL.len()],
}

/// The families that tell how each source stands.
pub(super) fn self_metrics<'a>(
    sources: impl Iterator<Item = &'a str>,
    standings: &[Standing],
) -> Vec<MetricFamily> {
    let mut success =
        MetricFamily::gauge("narthex_source_success", "Whether the source's last run succeeded.")
            .label_names(["source"]);
    let mut duration = MetricFamily::gauge(
        "narthex_source_duration_seconds",
        "How long the source took, or was waited for.",
    )
    .label_names(["source"]);
    let mut age = MetricFamily::gauge(
        "narthex_source_age_seconds",
        "How old the data of a cached source is.",
    )
    .label_names(["source"]);
    let mut failures = MetricFamily::counter(
        "narthex_source_failures_total",
        "Scrapes that lack the source's data or show older data instead, by cause.",
    )
    .label_names(["source", "cause"]);
    for (source, standing) in sources.zip(standings) {
        success.push([source], standing.success);
        duration.push([source], standing.duration.as_secs_f64());
        if let Some(kept) = standing.age {
            age.push([source], kept.as_secs_f64());
        }
        for cause in Cause::ALL {
            failures.push([source, cause.as_str()], standing.failures[cause as usize]);
        }
    }
    let families = [success, duration, age, failures].map(built);
    families.into_iter().filter(|family| !family.is_empty()).collect()
}

fn built(family: FamilyBuilder) -> MetricFamily {
    family.build().expect("the names are valid and no two sources share theirs")
}

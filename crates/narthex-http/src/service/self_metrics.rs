//! What the service says about itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use narthex_model::{FamilyError, MetricFamily, Problem, Scrape};

use super::Refusal;

/// So many distinct problems are logged at most, and remembered for it.
const MOST_LOGGED: usize = 1_000;

// Relaxed throughout: the numbers stand alone, nothing is read on their strength.
pub(super) struct SelfMetrics {
    on_page: bool,
    answered: AtomicU64,
    refused: [AtomicU64; Refusal::KINDS.len()],
    in_flight: AtomicU64,
    gathers: AtomicU64,
    revoked: AtomicU64,
    problems: AtomicU64,
    logged: Mutex<HashSet<String>>,
}

impl SelfMetrics {
    pub(super) fn new(on_page: bool) -> Self {
        Self {
            on_page,
            answered: AtomicU64::new(0),
            refused: Default::default(),
            in_flight: AtomicU64::new(0),
            gathers: AtomicU64::new(0),
            revoked: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            logged: Mutex::default(),
        }
    }

    /// Counts a scrape that begins.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Takes note of responses that were broken off for the sake of others.
    pub(super) fn note_revoked(&self, responses: u64) {
        self.revoked.fetch_add(responses, Ordering::Relaxed);
    }

    /// Takes note of a gather, and puts these metrics on the page where they are wanted.
    pub(super) fn note(&self, mut scrape: Scrape) -> Scrape {
        self.gathers.fetch_add(1, Ordering::Relaxed);
        // Before these metrics are made, which tell of them.
        self.note_problems(scrape.problems());
        if self.on_page {
            let noted = scrape.problems().len();
            let families = self.families().expect("the names are valid and the samples distinct");
            scrape.push_families(families);
            // Problems of these metrics themselves: somebody else uses their names.
            self.note_problems(&scrape.problems()[noted..]);
        }
        scrape
    }

    fn note_problems(&self, problems: &[Problem]) {
        if problems.is_empty() {
            return;
        }
        self.problems.fetch_add(problems.len() as u64, Ordering::Relaxed);
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for problem in problems {
            if logged.len() < MOST_LOGGED && logged.insert(problem.to_string()) {
                new.push(problem);
            }
        }
        // A log layer is foreign code, so it runs without the lock.
        drop(logged);
        for problem in new {
            let problem = problem.to_string();
            tracing::warn!(problem = %problem.escape_debug(), "the scrape is incomplete");
        }
    }

    fn families(&self) -> Result<Vec<MetricFamily>, FamilyError> {
        let mut by_code = BTreeMap::from([(200, self.answered.load(Ordering::Relaxed))]);
        let mut refused = MetricFamily::counter(
            "narthex_scrapes_refused_total",
            "Scrapes that got no page, by reason.",
        )
        .label_names(["reason"]);
        for ((reason, status), count) in Refusal::KINDS.iter().zip(&self.refused) {
            let count = count.load(Ordering::Relaxed);
            *by_code.entry(status.as_u16()).or_default() += count;
            refused.push([*reason], count);
        }
        let mut scrapes = MetricFamily::counter(
            "narthex_scrapes_total",
            "Scrapes answered, by HTTP status code.",
        )
        .label_names(["code"]);
        for (status, count) in by_code {
            scrapes.push([status.to_string()], count);
        }
        let revoked = MetricFamily::counter(
            "narthex_responses_revoked_total",
            "Responses broken off because their readers were too slow while others waited.",
        )
        .sample([""; 0], self.revoked.load(Ordering::Relaxed));
        let in_flight =
            MetricFamily::gauge("narthex_scrapes_in_flight", "Scrapes being answered now.")
                .sample([""; 0], self.in_flight.load(Ordering::Relaxed));
        let gathers = MetricFamily::counter(
            "narthex_gathers_total",
            "Times the metrics were gathered; concurrent scrapes share one gather.",
        )
        .sample([""; 0], self.gathers.load(Ordering::Relaxed));
        let problems = MetricFamily::counter(
            "narthex_scrape_problems_total",
            "Families or series that had to be left out of a page.",
        )
        .sample([""; 0], self.problems.load(Ordering::Relaxed));
        let families = [scrapes, refused, in_flight, gathers, revoked, problems];
        let mut built = Vec::with_capacity(families.len());
        for family in families {
            built.push(family.build()?);
        }
        Ok(built)
    }
}

/// A scrape being answered.
pub(super) struct InFlight<'a>(&'a SelfMetrics);

impl InFlight<'_> {
    /// Counts the answer; a scrape that is given up has none.
    pub(super) fn end(self, outcome: Result<(), &Refusal>) {
        let count = match outcome {
            Ok(()) => &self.0.answered,
            Err(refusal) => &self.0.refused[refusal.kind()],
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

//! What the service says about itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use narthex_model::{FamilyError, MetricFamily, Problem, Scrape};

/// The statuses a scrape can end with; all of them are on the page from the start.
const STATUSES: [StatusCode; 3] =
    [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];

/// So many distinct problems are logged at most, and remembered for it.
const MOST_LOGGED: usize = 1_000;

// Relaxed throughout: the numbers stand alone, nothing is read on their strength.
pub(super) struct SelfMetrics {
    on_page: bool,
    answered: [AtomicU64; STATUSES.len()],
    in_flight: AtomicU64,
    gathers: AtomicU64,
    problems: AtomicU64,
    logged: Mutex<HashSet<String>>,
}

impl SelfMetrics {
    pub(super) fn new(on_page: bool) -> Self {
        Self {
            on_page,
            answered: Default::default(),
            in_flight: AtomicU64::new(0),
            gathers: AtomicU64::new(0),
            problems: AtomicU64::new(0),
            logged: Mutex::default(),
        }
    }

    /// Counts a scrape that begins.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Takes note of a gather, and puts these metrics on the page where they are wanted.
    pub(super) fn note(&self, scrape: Scrape) -> Scrape {
        self.gathers.fetch_add(1, Ordering::Relaxed);
        if !self.on_page {
            self.note_problems(scrape.problems());
            return scrape;
        }
        let problems = scrape.problems().to_vec();
        self.note_problems(&problems);
        let mut families = scrape.into_families();
        families.extend(self.families().expect("the names are valid and the samples distinct"));
        let mut scrape = Scrape::new(families);
        // Problems of these metrics themselves: somebody else uses their names.
        self.note_problems(scrape.problems());
        for problem in problems {
            scrape.push_problem(problem);
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

    fn families(&self) -> Result<[MetricFamily; 4], FamilyError> {
        let mut scrapes = MetricFamily::counter(
            "narthex_scrapes_total",
            "Scrapes answered, by HTTP status code.",
        )
        .label_names(["code"]);
        for (status, answered) in STATUSES.iter().zip(&self.answered) {
            scrapes.push([status.as_str()], answered.load(Ordering::Relaxed));
        }
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
        Ok([scrapes.build()?, in_flight.build()?, gathers.build()?, problems.build()?])
    }
}

/// A scrape being answered.
pub(super) struct InFlight<'a>(&'a SelfMetrics);

impl InFlight<'_> {
    /// Counts the answer; a scrape that is given up has none.
    pub(super) fn end(self, status: StatusCode) {
        if let Some(at) = STATUSES.iter().position(|known| *known == status) {
            self.0.answered[at].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

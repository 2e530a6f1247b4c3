//! Runs of sources: started together, ended by the deadline.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narthex_core::{Collector, Registry};
use narthex_model::{MetricFamily, Problem};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use super::cached::Keeping;
use super::context::ScrapeContext;
use super::health::{Failure, Health, Standing};
use super::source::{DynSource, Source};
use crate::gather::SourceStatus;

/// A source with what is known of its earlier runs.
pub(super) struct Slot {
    name: Box<str>,
    work: Work,
    health: Mutex<Health>,
    /// Runs nobody waits for any more, which had not ended when last looked at.
    overdue: Mutex<VecDeque<Overdue>>,
}

/// What a run does.
pub(super) enum Work {
    Async(Box<dyn DynSource>),
    Blocking(Arc<dyn Fn() -> Yield + Send + Sync>),
}

/// What a run gives when all goes well.
#[derive(Default)]
pub(super) struct Yield {
    pub(super) families: Vec<MetricFamily>,
    pub(super) problems: Vec<Problem>,
    /// Where the data is from a cache.
    pub(super) kept: Option<Keeping>,
}

/// How a run ended, and how long the scrape waited for it.
pub(super) struct Report {
    pub(super) outcome: Result<Yield, Failure>,
    pub(super) duration: Duration,
}

impl Work {
    pub(super) fn source(source: impl Source) -> Self {
        Self::Async(Box::new(source))
    }

    pub(super) fn collector(collector: impl Collector) -> Self {
        Self::Blocking(Arc::new(move || {
            let mut yielded = Yield::default();
            collector.collect(&mut yielded.families);
            yielded
        }))
    }

    pub(super) fn registry(registry: Registry) -> Self {
        Self::Blocking(Arc::new(move || {
            let scrape = registry.gather();
            let problems = scrape.problems().to_vec();
            Yield { families: scrape.into_families(), problems, kept: None }
        }))
    }
}

impl Slot {
    pub(super) fn new(name: String, work: Work) -> Self {
        let (health, overdue) = (Mutex::default(), Mutex::default());
        Self { name: name.into(), work, health, overdue }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gets ready for the first scrape.
    pub(super) fn start(&self) {
        if let Work::Async(source) = &self.work {
            source.start_dyn();
        }
    }

    /// Takes a run's end down, and logs it where it is news.
    pub(super) fn note(&self, report: &Report) -> Standing {
        let kept = report.outcome.as_ref().ok().and_then(|yielded| yielded.kept.as_ref());
        let failure = match (&report.outcome, kept) {
            (Err(failure), _) => Some(failure),
            (Ok(_), kept) => kept.and_then(|kept| kept.failure.as_ref()),
        };
        // What a cache gives took as long as it took when it was fetched.
        let duration = kept.map_or(report.duration, |kept| kept.took);
        let (news, failures) = self.health().note(failure, duration);
        // After the lock is gone, for a log subscriber may be anything.
        news.log(&self.name);
        let age = kept.map(|kept| kept.age);
        Standing { success: failure.is_none(), duration, age, failures }
    }

    pub(super) fn status(&self) -> SourceStatus {
        SourceStatus { name: self.name.clone(), last: self.health().last() }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One run, from start to end. Dropping `_running` is what tells that it is over.
    async fn run(
        self: Arc<Self>,
        context: ScrapeContext,
        running: watch::Sender<()>,
    ) -> Result<Yield, Failure> {
        if self.is_hung(context.deadline()).await {
            return Err(Failure::hung());
        }
        match &self.work {
            Work::Async(source) => {
                // The error is turned into text here, within the source's own task, for its code
                // may panic as well.
                source.collect_boxed(&context).await.map_err(|error| Failure::error(&*error))?;
                let kept = context.kept().transpose()?;
                let families = context.finish().map_err(|error| Failure::error(&error))?;
                Ok(Yield { families, problems: Vec::new(), kept })
            }
            Work::Blocking(collect) => {
                let collect = collect.clone();
                let collected = spawn_blocking(move || {
                    // The task that waits may be dropped before this thread is done.
                    let _running = running;
                    collect()
                });
                collected.await.map_err(Failure::join)
            }
        }
    }

    /// Whether a run that was given up is still going on.
    ///
    /// A task that was stopped needs a moment to go, so a run that was given up just now is waited
    /// for.
    async fn is_hung(&self, deadline: Instant) -> bool {
        for mut run in self.overdue() {
            if timeout_at(deadline.min(run.since + Overdue::GRACE), run.ended()).await.is_err() {
                return true;
            }
        }
        false
    }

    fn give_up(&self, run: watch::Receiver<()>) {
        let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        overdue.retain(Overdue::is_running);
        overdue.push_back(Overdue { run, since: Instant::now() });
    }

    fn overdue(&self) -> VecDeque<Overdue> {
        let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        overdue.retain(Overdue::is_running);
        overdue.clone()
    }
}

/// A run that was given up.
#[derive(Clone)]
struct Overdue {
    run: watch::Receiver<()>,
    since: Instant,
}

impl Overdue {
    const GRACE: Duration = Duration::from_millis(100);

    fn is_running(&self) -> bool {
        // The run holds the sender and sends nothing: an error means that it is gone.
        self.run.has_changed().is_ok()
    }

    async fn ended(&mut self) {
        while self.run.changed().await.is_ok() {}
    }
}

/// One run of every source.
pub(super) struct Runs {
    // Dropped before the tasks, so that a run is known to be given up before it is stopped.
    runs: Vec<Run>,
    /// Stops its tasks when dropped.
    tasks: JoinSet<Result<Yield, Failure>>,
    started: Instant,
    deadline: Instant,
}

/// One run of one source; gives it up when dropped.
struct Run {
    slot: Arc<Slot>,
    task: Id,
    context: ScrapeContext,
    running: watch::Receiver<()>,
    report: Option<Report>,
}

impl Runs {
    pub(super) fn start(slots: &[Arc<Slot>], deadline: Instant) -> Self {
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        let start = |slot: &Arc<Slot>| {
            let context = ScrapeContext::new(deadline);
            let (sender, running) = watch::channel(());
            let task = tasks.spawn(slot.clone().run(context.clone(), sender)).id();
            Run { slot: slot.clone(), task, context, running, report: None }
        };
        let runs = slots.iter().map(start).collect();
        Self { runs, tasks, started, deadline }
    }

    /// Waits for all runs, but not beyond the deadline; one report a slot, in their order.
    pub(super) async fn reports(mut self) -> Vec<Report> {
        // What is done by now is taken even after the deadline: `timeout_at` asks the tasks first.
        while let Ok(Some(joined)) = timeout_at(self.deadline, self.tasks.join_next_with_id()).await
        {
            let (task, outcome) = match joined {
                Ok(ended) => ended,
                Err(error) => (error.id(), Err(Failure::join(error))),
            };
            let report = Report { outcome, duration: self.started.elapsed() };
            if let Some(run) = self.runs.iter_mut().find(|run| run.task == task) {
                run.context.close();
                run.report = Some(report);
            }
        }
        let duration = self.started.elapsed();
        let late = || Report { outcome: Err(Failure::deadline()), duration };
        self.runs.iter_mut().map(|run| run.report.take().unwrap_or_else(late)).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.context.close();
        if self.running.has_changed().is_ok() {
            self.slot.give_up(self.running.clone());
        }
    }
}

//! One gather for all who wait at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use narthex_model::{Column, Scrape};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Refusal;
use super::self_metrics::SelfMetrics;
use crate::gather::{DynGather, ScrapeRequest};

/// What is gathered, and the gather that is under way, if any.
pub(super) struct Flights {
    gather: Arc<dyn DynGather>,
    metrics: Arc<SelfMetrics>,
    current: Mutex<Weak<Flight>>,
    started: AtomicU64,
}

/// A gather in a task of its own.
///
/// Those who wait for it own it together: the first of them may leave without harm to the others,
/// and when the last one leaves, the gather ends.
pub(super) struct Flight {
    deadline: Instant,
    landed: watch::Receiver<Option<Arc<Gathered>>>,
    task: AbortHandle,
}

/// The result of a gather, for all formats.
pub(super) struct Gathered {
    /// Gathers are numbered in the order in which they started.
    pub(super) number: u64,
    pub(super) at: Instant,
    pub(super) scrape: Scrape,
}

impl Flights {
    pub(super) fn new(gather: Arc<dyn DynGather>, metrics: Arc<SelfMetrics>) -> Self {
        Self { gather, metrics, current: Mutex::default(), started: AtomicU64::new(0) }
    }

    pub(super) fn gather(&self) -> Arc<dyn DynGather> {
        self.gather.clone()
    }

    /// Joins the gather under way, or starts one.
    pub(super) fn join(&self, deadline: Instant) -> Arc<Flight> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = current.upgrade().filter(|flight| flight.is_under_way()) {
            return flight;
        }
        // Relaxed: the lock orders the numbers.
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (gather, metrics) = (self.gather.clone(), self.metrics.clone());
        let (land, landed) = watch::channel(None);
        let task = tokio::spawn(async move {
            let scrape = gather.gather_boxed(ScrapeRequest::new(deadline)).await;
            let scrape = metrics.note(scrape);
            let gathered = Gathered { number, at: Instant::now(), scrape };
            land.send_replace(Some(Arc::new(gathered)));
        });
        let flight = Arc::new(Flight { deadline, landed, task: task.abort_handle() });
        *current = Arc::downgrade(&flight);
        flight
    }
}

impl Flight {
    /// Waits for the result.
    pub(super) async fn landed(&self) -> Result<Arc<Gathered>, Refusal> {
        let mut landed = self.landed.clone();
        match landed.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(gathered)) => Ok(gathered.clone()),
            // The sender is gone, so the task panicked: it is not aborted while somebody waits.
            _ => {
                tracing::error!("a gather panicked");
                Err(Refusal::Failed)
            }
        }
    }

    /// Whether it is worth joining: one that panicked or outlived its deadline is not.
    fn is_under_way(&self) -> bool {
        self.landed.has_changed().is_ok()
            && self.landed.borrow().is_none()
            && Instant::now() < self.deadline
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gathered {
    /// About how many lines of text this makes.
    pub(super) fn lines(&self) -> usize {
        let lines = |column: &Column| match column {
            // Beside the buckets there are the sum and the count.
            Column::Histogram(histograms) => column.len() * (histograms.bounds().buckets() + 2),
            _ => column.len(),
        };
        self.scrape.families().iter().map(|family| lines(family.values())).sum()
    }
}

//! One gather for all who wait at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use narthex_model::{Column, Scrape};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Refusal;
use super::self_metrics::SelfMetrics;
use crate::gather::{DynGather, GatherError, ScrapeRequest, Selection, SourceStatus};

/// What is gathered, and the gathers that are under way.
pub(super) struct Flights {
    gather: Arc<dyn DynGather>,
    metrics: Arc<SelfMetrics>,
    most: usize,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    under_way: Vec<Weak<Flight>>,
    started: u64,
}

/// A gather in a task of its own.
///
/// Those who wait for it own it together: the first of them may leave without harm to the others,
/// and when the last one leaves, the gather ends.
pub(super) struct Flight {
    selection: Selection,
    deadline: Instant,
    landed: watch::Receiver<Option<Landed>>,
    task: AbortHandle,
}

type Landed = Result<Arc<Gathered>, GatherError>;

/// The result of a gather, for all formats.
pub(super) struct Gathered {
    /// Gathers are numbered in the order in which they started.
    pub(super) number: u64,
    pub(super) at: Instant,
    pub(super) scrape: Scrape,
}

impl Flights {
    pub(super) fn new(gather: Arc<dyn DynGather>, metrics: Arc<SelfMetrics>, most: usize) -> Self {
        Self { gather, metrics, most, board: Mutex::default() }
    }

    pub(super) fn gather(&self) -> Arc<dyn DynGather> {
        self.gather.clone()
    }

    pub(super) fn sources(&self) -> Vec<SourceStatus> {
        self.gather.source_statuses()
    }

    /// Joins the gather of these sources that is under way, or starts one.
    pub(super) fn join(
        &self,
        selection: &Selection,
        deadline: Instant,
    ) -> Result<Arc<Flight>, Refusal> {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let mut flying = Vec::with_capacity(board.under_way.len());
        flying.extend(board.under_way.iter().filter_map(Weak::upgrade).filter(|f| f.is_flying()));
        let joined = flying.iter().find(|flight| flight.takes(selection)).cloned();
        if let Some(flight) = joined {
            return Ok(flight);
        }
        if flying.len() >= self.most {
            return Err(Refusal::Crowded);
        }
        let number = board.started;
        board.started += 1;
        let flight = Arc::new(self.start(number, selection, deadline));
        board.under_way = flying.iter().chain([&flight]).map(Arc::downgrade).collect();
        Ok(flight)
    }

    fn start(&self, number: u64, selection: &Selection, deadline: Instant) -> Flight {
        let (gather, metrics) = (self.gather.clone(), self.metrics.clone());
        let (land, landed) = watch::channel(None);
        let request = ScrapeRequest::new(deadline).selecting(selection.clone());
        let task = tokio::spawn(async move {
            let scrape = gather.gather_boxed(request).await;
            let landed = scrape.map(|scrape| {
                let (at, scrape) = (Instant::now(), metrics.note(scrape));
                Arc::new(Gathered { number, at, scrape })
            });
            land.send_replace(Some(landed));
        });
        Flight { selection: selection.clone(), deadline, landed, task: task.abort_handle() }
    }
}

impl Flight {
    /// Waits for the result.
    pub(super) async fn landed(&self) -> Result<Arc<Gathered>, Refusal> {
        let mut landed = self.landed.clone();
        match landed.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(gathered))) => Ok(gathered.clone()),
            Ok(Some(Err(error))) => Err(Refusal::Failed(error.to_string().into())),
            // The sender is gone, so the task panicked: it is not aborted while somebody waits.
            _ => {
                tracing::error!("a gather panicked");
                Err(Refusal::Failed("the scrape failed".into()))
            }
        }
    }

    fn is_flying(&self) -> bool {
        self.landed.has_changed().is_ok() && self.landed.borrow().is_none()
    }

    /// Whether it is worth joining: one that outlived its deadline is not.
    fn takes(&self, selection: &Selection) -> bool {
        self.selection == *selection && Instant::now() < self.deadline
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

//! Things to scrape.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use narthex_http::{Gather, GatherError, ScrapeRequest};
use narthex_model::{MetricFamily, Scrape};
use tokio::sync::{Notify, Semaphore};

/// The same scrape each time.
pub(crate) struct Fixed(pub(crate) Scrape);

impl Gather for Fixed {
    async fn gather(&self, _request: ScrapeRequest) -> Result<Scrape, GatherError> {
        Ok(self.0.clone())
    }
}

/// One family with one series.
pub(crate) fn small() -> Fixed {
    Fixed(Scrape::new(vec![gauge("temperature_celsius", 21.5)]))
}

/// A page of several megabytes, more than the sockets between two processes hold.
pub(crate) fn large() -> Fixed {
    let mut family = MetricFamily::gauge("load", "Load of many.").label_names(["machine", "note"]);
    let note = "x".repeat(1000);
    for machine in 0..12_000_u32 {
        family.push([&machine.to_string(), &note], f64::from(machine));
    }
    Fixed(Scrape::new(vec![family.build().unwrap()]))
}

pub(crate) fn gauge(name: &str, value: f64) -> MetricFamily {
    MetricFamily::gauge(name, "A gauge.").sample([""; 0], value).build().unwrap()
}

/// Counts its gathers, each of which waits to be let through.
#[derive(Clone)]
pub(crate) struct Gated(Arc<Gate>);

struct Gate {
    begun: AtomicUsize,
    pass: Semaphore,
    dropped: Notify,
}

impl Gated {
    pub(crate) fn new() -> Self {
        let (begun, pass, dropped) = (AtomicUsize::new(0), Semaphore::new(0), Notify::new());
        Self(Arc::new(Gate { begun, pass, dropped }))
    }

    pub(crate) fn let_pass(&self, gathers: usize) {
        self.0.pass.add_permits(gathers);
    }

    pub(crate) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Waits until a gather was given up before its end.
    pub(crate) async fn given_up(&self) {
        self.0.dropped.notified().await;
    }
}

impl Gather for Gated {
    async fn gather(&self, _request: ScrapeRequest) -> Result<Scrape, GatherError> {
        let number = self.0.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let mut unfinished = Unfinished(Some(&self.0.dropped));
        self.0.pass.acquire().await.unwrap().forget();
        unfinished.0 = None;
        Ok(Scrape::new(vec![gauge("gather_number", number as f64)]))
    }
}

struct Unfinished<'a>(Option<&'a Notify>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(dropped) = self.0 {
            dropped.notify_one();
        }
    }
}

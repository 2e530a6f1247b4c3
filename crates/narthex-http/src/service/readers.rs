//! Those who read a page, and when it may be taken from them.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::chunks::{Chunks, Next, Progress};

/// A reader that took nothing for so long has stalled: nobody who reads at all is that slow, and less
/// than a page may be old before it is not handed out again.
const STALLED: Duration = Duration::from_millis(500);

/// One who reads a page: the state of a response's body.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    page: Shared,
    next: usize,
    /// Bytes of the chunks taken so far.
    taken: usize,
    taken_at: Instant,
    /// When the scraper itself has given up.
    until: Instant,
}

/// The page as its reader has it.
#[derive(Debug)]
enum Shared {
    Held(Arc<Chunks>),
    /// All of it was taken.
    Read,
    Revoked,
}

/// What a reader gets next.
pub(crate) enum Taken {
    Chunk(Bytes),
    End,
    /// The page was given up for the sake of others.
    Revoked,
    /// The page could not be written to its end.
    Broken,
}

impl Reader {
    /// The next chunk; pending while it is being written.
    pub(crate) fn poll_take(&mut self, cx: &Context<'_>) -> Poll<Taken> {
        let mut reading = lock(&self.0);
        let page = match &reading.page {
            Shared::Held(page) => page.clone(),
            Shared::Read => return Poll::Ready(Taken::End),
            Shared::Revoked => return Poll::Ready(Taken::Revoked),
        };
        Poll::Ready(match ready!(page.poll_chunk(reading.next, cx)) {
            Next::Chunk(chunk) => {
                reading.next += 1;
                reading.taken += chunk.len();
                reading.taken_at = Instant::now();
                reading.let_go_if_read();
                Taken::Chunk(chunk)
            }
            Next::End => {
                reading.page = Shared::Read;
                Taken::End
            }
            Next::Broken => Taken::Broken,
        })
    }

    /// The bytes that are still to come, once all of the page is written.
    pub(crate) fn left(&self) -> Option<usize> {
        let reading = lock(&self.0);
        match &reading.page {
            Shared::Held(page) => Some(page.length()? - reading.taken),
            Shared::Read => Some(0),
            Shared::Revoked => None,
        }
    }

    /// Waits until there is something to read, be it the end; tells how far the page is.
    pub(super) async fn begun(&self) -> Progress {
        let Some(page) = self.page() else { return Progress::Broken };
        poll_fn(|cx| page.poll_chunk(0, cx)).await;
        // An empty page is read already.
        lock(&self.0).let_go_if_read();
        page.progress()
    }

    /// Waits until all of the page is written; tells how that ended.
    pub(super) async fn written(&self) -> Progress {
        let Some(page) = self.page() else { return Progress::Broken };
        poll_fn(|cx| page.poll_end(cx)).await
    }

    fn page(&self) -> Option<Arc<Chunks>> {
        match &lock(&self.0).page {
            Shared::Held(page) => Some(page.clone()),
            Shared::Read | Shared::Revoked => None,
        }
    }
}

impl Reading {
    fn let_go_if_read(&mut self) {
        if let Shared::Held(page) = &self.page
            && page.length() == Some(self.taken)
        {
            self.page = Shared::Read;
        }
    }
}

/// The readers of one page.
#[derive(Debug, Default)]
pub(super) struct Readers(Vec<Weak<Mutex<Reading>>>);

impl Readers {
    /// Lets another one read, who gives up at `until`.
    pub(super) fn admit(&mut self, page: &Arc<Chunks>, until: Instant) -> Reader {
        self.0.retain(|reader| reader.strong_count() > 0);
        let reading = Reading {
            page: Shared::Held(page.clone()),
            next: 0,
            taken: 0,
            taken_at: Instant::now(),
            until,
        };
        let reader = Arc::new(Mutex::new(reading));
        self.0.push(Arc::downgrade(&reader));
        Reader(reader)
    }

    /// Takes the page from its readers, if each of them has stalled or given up; tells how many
    /// lost it.
    ///
    /// Nothing is lost with those who gave up, and who takes nothing may never do.
    pub(super) fn revoke(&self) -> Option<u64> {
        let readers: Vec<_> = self.0.iter().filter_map(Weak::upgrade).collect();
        let mut readings: Vec<_> = readers.iter().map(|reader| lock(reader)).collect();
        readings.retain(|reading| matches!(reading.page, Shared::Held(_)));
        let now = Instant::now();
        let revocable = |reading: &Reading| now >= (reading.taken_at + STALLED).min(reading.until);
        if !readings.iter().all(|reading| revocable(reading)) {
            return None;
        }
        for reading in &mut readings {
            reading.page = Shared::Revoked;
        }
        Some(readings.len() as u64)
    }
}

fn lock(reading: &Mutex<Reading>) -> MutexGuard<'_, Reading> {
    // Nothing that can panic runs under the lock.
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Those who read a page, and when it may be taken from them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::chunks::Chunks;

/// A reader that took nothing for so long has stalled: nobody who reads at all is that slow, and less
/// than a page may be old before it is not handed out again.
const STALLED: Duration = Duration::from_millis(500);

/// One who reads a page: the state of a response's body.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    /// `None` when all was taken, or when the page was revoked.
    page: Option<Arc<Chunks>>,
    next: usize,
    left: usize,
    taken_at: Instant,
    /// When the scraper itself has given up.
    until: Instant,
}

/// What a reader gets next.
pub(crate) enum Taken {
    Chunk(Bytes),
    End,
    /// The page was given up for the sake of others.
    Revoked,
}

impl Reader {
    pub(crate) fn take(&self) -> Taken {
        let mut reading = lock(&self.0);
        let Some(page) = reading.page.clone() else {
            return if reading.left == 0 { Taken::End } else { Taken::Revoked };
        };
        let Some(chunk) = page.get(reading.next).cloned() else { return Taken::End };
        reading.next += 1;
        reading.left -= chunk.len();
        reading.taken_at = Instant::now();
        if reading.next == page.count() {
            reading.page = None;
        }
        Taken::Chunk(chunk)
    }

    /// The bytes that are still to come.
    pub(crate) fn left(&self) -> usize {
        lock(&self.0).left
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
            page: (page.count() > 0).then(|| page.clone()),
            next: 0,
            left: page.len(),
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
        readings.retain(|reading| reading.page.is_some());
        let now = Instant::now();
        let revocable = |reading: &Reading| now >= (reading.taken_at + STALLED).min(reading.until);
        if !readings.iter().all(|reading| revocable(reading)) {
            return None;
        }
        for reading in &mut readings {
            reading.page = None;
        }
        Some(readings.len() as u64)
    }
}

fn lock(reading: &Mutex<Reading>) -> MutexGuard<'_, Reading> {
    // Nothing that can panic runs under the lock.
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The encoded pages: at most two of a kind, shared by all who read them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use narthex_format::Format;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::Refusal;
use super::flight::Gathered;
use super::negotiate::Coding;

/// How a scrape is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) format: Format,
    pub(super) coding: Coding,
}

/// The pages of all variants that were asked for so far.
#[derive(Default)]
pub(super) struct AllPages(Mutex<Vec<(Variant, Pages)>>);

impl AllPages {
    pub(super) fn of(&self, variant: Variant) -> Pages {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pages)) = all.iter().find(|(known, _)| *known == variant) {
            return pages.clone();
        }
        let slots = Slots { variant, pages: [None, None] };
        let pages = Pages(Arc::new(tokio::sync::Mutex::new(slots)));
        all.push((variant, pages.clone()));
        pages
    }
}

/// The pages of one variant.
///
/// The lock is held while a page is encoded, so that the others who want it wait for it.
#[derive(Clone)]
pub(super) struct Pages(Arc<tokio::sync::Mutex<Slots>>);

struct Slots {
    variant: Variant,
    pages: [Option<Page>; 2],
}

struct Page {
    bytes: Bytes,
    gather: u64,
    gathered_at: Instant,
}

/// A page that is younger may be handed out again where no new one can be made.
const FRESH: Duration = Duration::from_secs(1);

/// Up to here a page is encoded at once, in at most a few hundred microseconds; a longer one goes
/// to a thread that may block.
const LINES_AT_ONCE: usize = 1_000;

impl Pages {
    /// What a request gets that could not have a page of its own whatever was gathered.
    pub(super) fn answer_if_all_are_read(&self) -> Option<Result<Bytes, Refusal>> {
        // Where the lock is taken, somebody found a free page and writes it now.
        let slots = self.0.try_lock().ok()?;
        slots.free().is_none().then(|| slots.youngest())
    }

    /// The page of a scrape, encoded unless somebody did it already.
    ///
    /// When the caller gives up, the page is finished all the same, for those who wait for it.
    pub(super) async fn page(&self, gathered: Arc<Gathered>) -> Result<Bytes, Refusal> {
        let slots = self.0.clone().lock_owned().await;
        if let Some(page) = slots.page_of(gathered.number) {
            return Ok(page);
        }
        if slots.free().is_none() {
            return slots.youngest();
        }
        if gathered.lines() <= LINES_AT_ONCE {
            return Ok(encode(slots, &gathered));
        }
        tokio::task::spawn_blocking(move || encode(slots, &gathered)).await.map_err(|error| {
            tracing::error!(%error, "encoding a page failed");
            Refusal::Failed
        })
    }
}

impl Slots {
    /// The page of this gather or a later one.
    fn page_of(&self, gather: u64) -> Option<Bytes> {
        let page = self.pages.iter().flatten().find(|page| page.gather >= gather)?;
        Some(page.bytes.clone())
    }

    /// A place that nobody reads from; one with a buffer to use again where there is one.
    fn free(&self) -> Option<usize> {
        let nobody_reads = |page: &Page| page.bytes.is_empty() || page.bytes.is_unique();
        let used = self.pages.iter().position(|page| page.as_ref().is_some_and(nobody_reads));
        used.or_else(|| self.pages.iter().position(Option::is_none))
    }

    fn youngest(&self) -> Result<Bytes, Refusal> {
        let page = self.pages.iter().flatten().max_by_key(|page| page.gather);
        page.filter(|page| page.gathered_at.elapsed() < FRESH)
            .map(|page| page.bytes.clone())
            .ok_or(Refusal::Busy)
    }

    /// The buffer of a free place.
    ///
    /// Frees the other place too where nobody reads from it, for one buffer is enough then.
    fn take_buffer(&mut self) -> BytesMut {
        let buffer = self.free().and_then(|at| self.pages[at].take()).map(Page::into_buffer);
        if let Some(idle) = self.free() {
            self.pages[idle] = None;
        }
        buffer.unwrap_or_default()
    }

    fn put(&mut self, page: Page) {
        let at = self.pages.iter().position(Option::is_none);
        self.pages[at.expect("the page's buffer left its place empty")] = Some(page);
    }
}

impl Page {
    fn into_buffer(self) -> BytesMut {
        const SPARE: usize = 64 * 1024;
        let enough = 4 * self.bytes.len() + SPARE;
        let mut buffer = self.bytes.try_into_mut().unwrap_or_default();
        buffer.clear();
        // A page that was large once does not keep its memory for ever.
        if buffer.capacity() <= enough { buffer } else { BytesMut::new() }
    }
}

fn encode(mut slots: OwnedMutexGuard<Slots>, gathered: &Gathered) -> Bytes {
    let Variant { format, coding } = slots.variant;
    let mut buffer = slots.take_buffer();
    let scrape = &gathered.scrape;
    match coding {
        Coding::Identity => format.encode(scrape, &mut buffer),
        Coding::Gzip => {
            // Level 1 costs a ninth of level 6 and gives little more than half its ratio, which is
            // the better bargain on a local network.
            let mut gzip = GzEncoder::new(buffer.writer(), Compression::fast());
            let written = format.write(scrape, &mut gzip).and_then(|()| gzip.finish());
            buffer = written.expect("writing to memory does not fail").into_inner();
        }
    }
    let bytes = buffer.freeze();
    let page = Page { bytes: bytes.clone(), gather: gathered.number, gathered_at: gathered.at };
    slots.put(page);
    bytes
}

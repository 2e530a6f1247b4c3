//! Encoded pages: at most two of a kind, shared by all who read them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use narthex_format::{Encoder, Format};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::Refusal;
use super::chunks::{ChunkWriter, Chunks};
use super::coding::Coding;
use super::flight::Gathered;
use super::query::Filter;
use super::readers::{Reader, Readers};
use super::self_metrics::SelfMetrics;
use crate::gather::Selection;

/// What a scrape is made into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) format: Format,
    pub(super) coding: Coding,
    pub(super) selection: Selection,
    pub(super) filter: Option<Arc<Filter>>,
}

impl Variant {
    /// Whether it is one of few: those that show everything.
    fn is_whole(&self) -> bool {
        self.selection == Selection::All && self.filter.is_none()
    }
}

/// There are as many partial pages as there are queries, so that no more than these are kept.
const MOST_PARTIAL: usize = 8;

/// The pages of all variants that were asked for so far.
pub(super) struct AllPages {
    all: Mutex<Vec<(Variant, Pages)>>,
    metrics: Arc<SelfMetrics>,
}

impl AllPages {
    pub(super) fn new(metrics: Arc<SelfMetrics>) -> Self {
        Self { all: Mutex::default(), metrics }
    }

    /// The pages of a variant that was asked for before.
    pub(super) fn known(&self, variant: &Variant) -> Option<Pages> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(known, _)| known == variant).map(|(_, pages)| pages.clone())
    }

    /// The pages of a variant; `Busy` where too many partial ones are being read.
    pub(super) fn of(&self, variant: &Variant) -> Result<Pages, Refusal> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().position(|(known, _)| known == variant) {
            // The order is that of the last use.
            let found = all.remove(known);
            let pages = found.1.clone();
            all.push(found);
            return Ok(pages);
        }
        if !variant.is_whole() {
            let partial = all.iter().filter(|(variant, _)| !variant.is_whole()).count();
            if partial >= MOST_PARTIAL {
                let idle =
                    all.iter().position(|(variant, pages)| !variant.is_whole() && pages.are_idle());
                all.remove(idle.ok_or(Refusal::Busy)?);
            }
        }
        let slots = Slots {
            variant: variant.clone(),
            pages: [None, None],
            encoder: None,
            metrics: self.metrics.clone(),
        };
        let pages = Pages(Arc::new(tokio::sync::Mutex::new(slots)));
        all.push((variant.clone(), pages.clone()));
        Ok(pages)
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
    /// Kept for its buffers.
    encoder: Option<Encoder>,
    metrics: Arc<SelfMetrics>,
}

struct Page {
    chunks: Arc<Chunks>,
    readers: Readers,
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
    pub(super) fn answer_if_all_are_read(&self, until: Instant) -> Option<Result<Reader, Refusal>> {
        // Where the lock is taken, somebody found a free page and writes it now.
        self.0.try_lock().ok()?.answer_without_place(until)
    }

    /// The page of a scrape, encoded unless somebody did it already.
    ///
    /// When the caller gives up, the page is finished all the same, for those who wait for it.
    pub(super) async fn page(
        &self,
        gathered: Arc<Gathered>,
        until: Instant,
    ) -> Result<Reader, Refusal> {
        let mut slots = self.0.clone().lock_owned().await;
        if let Some(page) = slots.page_of(gathered.number) {
            return Ok(page.admit(until));
        }
        if let Some(answer) = slots.answer_without_place(until) {
            return answer;
        }
        if gathered.lines() <= LINES_AT_ONCE {
            return Ok(encode(slots, &gathered, until));
        }
        let encoded = tokio::task::spawn_blocking(move || encode(slots, &gathered, until)).await;
        encoded.map_err(|error| {
            tracing::error!(%error, "encoding a page failed");
            Refusal::Failed("the scrape failed".into())
        })
    }

    /// Whether nobody waits for a page and none is read.
    fn are_idle(&self) -> bool {
        // Ours is the only handle, so nobody can come by another before the board is unlocked.
        Arc::strong_count(&self.0) == 1
            && self.0.try_lock().is_ok_and(|mut slots| slots.pages.iter_mut().all(Slots::is_free))
    }
}

impl Slots {
    /// The page of this gather or a later one.
    fn page_of(&mut self, gather: u64) -> Option<&mut Page> {
        self.pages.iter_mut().flatten().find(|page| page.gather >= gather)
    }

    /// What is answered where there is no place for a new page: the younger page while it is fresh.
    ///
    /// After that a page is taken back from readers that have stalled, which makes a place.
    fn answer_without_place(&mut self, until: Instant) -> Option<Result<Reader, Refusal>> {
        if self.pages.iter_mut().any(Self::is_free) {
            return None;
        }
        let youngest = self.pages.iter_mut().flatten().max_by_key(|page| page.gather);
        if let Some(fresh) = youngest.filter(|page| page.gathered_at.elapsed() < FRESH) {
            return Some(Ok(fresh.admit(until)));
        }
        if self.take_back() { None } else { Some(Err(Refusal::Busy)) }
    }

    fn take_back(&mut self) -> bool {
        let mut pages: Vec<_> = self.pages.iter().flatten().collect();
        pages.sort_by_key(|page| page.gather);
        let revoked = pages.into_iter().find_map(|page| page.readers.revoke());
        self.metrics.note_revoked(revoked.unwrap_or(0));
        revoked.is_some()
    }

    fn is_free(place: &mut Option<Page>) -> bool {
        place.as_mut().is_none_or(Page::is_unread)
    }

    /// The memory of the pages that nobody reads; one of them is enough.
    fn take_spare(&mut self) -> Vec<BytesMut> {
        let mut spare = Vec::new();
        for place in &mut self.pages {
            if let Some(page) = place.take_if(Page::is_unread)
                && spare.is_empty()
            {
                spare = page.into_spare();
            }
        }
        spare
    }

    fn put(&mut self, page: Page) -> &mut Page {
        let place = self.pages.iter_mut().find(|place| place.is_none());
        place.expect("a free place was made").insert(page)
    }
}

impl Page {
    fn admit(&mut self, until: Instant) -> Reader {
        self.readers.admit(&self.chunks, until)
    }

    fn is_unread(&mut self) -> bool {
        // Readers hold the chunks, and come by them through this page only.
        Arc::get_mut(&mut self.chunks).is_some()
    }

    fn into_spare(self) -> Vec<BytesMut> {
        Arc::into_inner(self.chunks).map(Chunks::into_spare).unwrap_or_default()
    }
}

fn encode(mut slots: OwnedMutexGuard<Slots>, gathered: &Gathered, until: Instant) -> Reader {
    let Variant { format, coding, .. } = slots.variant;
    let filtered = slots.variant.filter.as_ref().map(|filter| filter.apply(&gathered.scrape));
    let scrape = filtered.as_ref().unwrap_or(&gathered.scrape);
    let mut encoder = slots.encoder.take().unwrap_or_else(|| Encoder::new(format));
    let mut page = coding.compressor(ChunkWriter::new(slots.take_spare()));
    let page = encoder
        .encode(scrape, |chunk| page.write_all(chunk))
        .and_then(|()| page.finish())
        .expect("writing to memory does not fail");
    slots.encoder = Some(encoder);
    let page = Page {
        chunks: Arc::new(page.finish()),
        readers: Readers::default(),
        gather: gathered.number,
        gathered_at: gathered.at,
    };
    slots.put(page).admit(until)
}

//! Encoded pages: at most two of a kind, shared by all who read them, from their first bytes on.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use narthex_format::{Encoder, Format};
use narthex_model::Scrape;
use tokio::time::Instant;

use super::Refusal;
use super::chunks::{ChunkWriter, Chunks, Progress};
use super::coding::{Coding, Compressor};
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
        let pages = Pages(Arc::new(Mutex::new(slots)));
        all.push((variant.clone(), pages.clone()));
        Ok(pages)
    }
}

/// The pages of one variant.
#[derive(Clone)]
pub(super) struct Pages(Arc<Mutex<Slots>>);

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
        let mut slots = self.slots();
        // While a page is being written, nobody knows yet who will read it.
        if slots.growing().is_some() { None } else { slots.answer_without_place(until) }
    }

    /// The page of a scrape, begun unless somebody did it already.
    ///
    /// When the caller gives up, the page is finished all the same, for those who read it.
    pub(super) async fn page(
        &self,
        gathered: Arc<Gathered>,
        until: Instant,
    ) -> Result<Reader, Refusal> {
        let (reader, encoding) = loop {
            let other = {
                let mut slots = self.slots();
                if let Some(page) = slots.page_of(gathered.number) {
                    return Ok(page.admit(until));
                }
                match slots.growing() {
                    Some(other) => other,
                    None => match slots.answer_without_place(until) {
                        Some(answer) => return answer,
                        None => break slots.begin(&gathered, until),
                    },
                }
            };
            // One after the other, with the same encoder.
            poll_fn(|cx| other.poll_end(cx)).await;
        };
        let (slots, lines) = (self.0.clone(), gathered.lines());
        let encode = move || {
            let encoder = encoding.run(&gathered.scrape);
            lock(&slots).encoder = Some(encoder);
        };
        if lines <= LINES_AT_ONCE {
            encode();
        } else {
            tokio::task::spawn_blocking(encode);
        }
        Ok(reader)
    }

    /// Whether nobody waits for a page and none is read.
    fn are_idle(&self) -> bool {
        // Ours is the only handle, so nobody can come by another before the board is unlocked.
        Arc::strong_count(&self.0) == 1 && self.slots().pages.iter_mut().all(Slots::is_free)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.0)
    }
}

fn lock(slots: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    // Nothing that can panic runs under the lock.
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slots {
    /// The page of this gather or a later one.
    fn page_of(&mut self, gather: u64) -> Option<&mut Page> {
        let mut pages = self.pages.iter_mut().flatten();
        pages.find(|page| page.gather >= gather && page.chunks.progress() != Progress::Broken)
    }

    /// The page that is being written.
    fn growing(&self) -> Option<Arc<Chunks>> {
        let mut pages = self.pages.iter().flatten();
        let page = pages.find(|page| page.chunks.progress() == Progress::Growing)?;
        Some(page.chunks.clone())
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

    /// Makes place for the page of a gather, lets the first one read, and says how it is written.
    fn begin(&mut self, gathered: &Gathered, until: Instant) -> (Reader, Encoding) {
        let Variant { format, coding, filter, .. } = &self.variant;
        let encoder = self.encoder.take().unwrap_or_else(|| Encoder::new(*format));
        let (coding, filter) = (*coding, filter.clone());
        let chunks = Arc::new(Chunks::default());
        let writer = ChunkWriter::new(chunks.clone(), self.take_spare());
        let mut page = Page {
            chunks,
            readers: Readers::default(),
            gather: gathered.number,
            gathered_at: gathered.at,
        };
        let reader = page.admit(until);
        let place = self.pages.iter_mut().find(|place| place.is_none());
        *place.expect("a free place was made") = Some(page);
        (reader, Encoding { filter, encoder, page: coding.compressor(writer) })
    }
}

/// A page to be written.
struct Encoding {
    filter: Option<Arc<Filter>>,
    encoder: Encoder,
    page: Compressor,
}

impl Encoding {
    /// Writes the page, and gives its encoder back.
    fn run(mut self, scrape: &Scrape) -> Encoder {
        let filtered = self.filter.map(|filter| filter.apply(scrape));
        let scrape = filtered.as_ref().unwrap_or(scrape);
        self.encoder
            .encode(scrape, |chunk| self.page.write_all(chunk))
            .and_then(|()| self.page.finish())
            .expect("writing to memory does not fail");
        self.encoder
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

//! The bytes of a page, in chunks that can be sent while the rest is still being made, and given up
//! one reader at a time.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};

/// Bytes in a chunk.
///
/// A reader whose page was revoked still holds the one that its connection is sending, so that a
/// thousand of them hold 64 MiB, whatever the page.
pub(super) const CHUNK: usize = 64 * 1024;

/// The content of a page, as far as it has been written.
#[derive(Debug, Default)]
pub(crate) struct Chunks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Bytes>,
    len: usize,
    progress: Progress,
    /// Readers that have taken all there is.
    waiting: Vec<Waker>,
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    #[default]
    Growing,
    Whole,
    /// Its writer panicked.
    Broken,
}

/// What there is of a page at some place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Chunk(Bytes),
    End,
    Broken,
}

impl Chunks {
    /// The bytes of the whole page, once there are no more to come.
    pub(super) fn length(&self) -> Option<usize> {
        let state = self.state();
        (state.progress == Progress::Whole).then_some(state.len)
    }

    pub(super) fn progress(&self) -> Progress {
        self.state().progress
    }

    /// The chunk at `at`, or what there is in its place; pending while it may still be written.
    pub(super) fn poll_chunk(&self, at: usize, cx: &Context<'_>) -> Poll<Next> {
        let mut state = self.state();
        match (state.chunks.get(at), state.progress) {
            (Some(chunk), _) => Poll::Ready(Next::Chunk(chunk.clone())),
            (None, Progress::Whole) => Poll::Ready(Next::End),
            (None, Progress::Broken) => Poll::Ready(Next::Broken),
            (None, Progress::Growing) => state.wait(cx),
        }
    }

    /// Whether the page is whole, or why not; pending while it grows.
    pub(super) fn poll_end(&self, cx: &Context<'_>) -> Poll<Progress> {
        let mut state = self.state();
        match state.progress {
            Progress::Growing => state.wait(cx),
            end => Poll::Ready(end),
        }
    }

    /// The memory of those chunks that nobody sends any more.
    pub(super) fn into_spare(self) -> Vec<BytesMut> {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut spare: Vec<_> =
            state.chunks.into_iter().filter_map(|chunk| chunk.try_into_mut().ok()).collect();
        for chunk in &mut spare {
            chunk.clear();
        }
        spare
    }

    /// Changes the page and wakes those who wait for it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.state();
            change(&mut state);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push(chunk);
        }
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Writes a page, in memory of an earlier one where there is some.
///
/// A page whose writer is dropped before it has [finished](Self::finish) is broken.
pub(super) struct ChunkWriter {
    page: Arc<Chunks>,
    filling: BytesMut,
    spare: Vec<BytesMut>,
}

impl ChunkWriter {
    pub(super) fn new(page: Arc<Chunks>, mut spare: Vec<BytesMut>) -> Self {
        let filling = spare.pop().unwrap_or_default();
        Self { page, filling, spare }
    }

    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Infallible> {
        while !bytes.is_empty() {
            if self.filling.len() == CHUNK {
                self.seal();
                self.filling = self.spare.pop().unwrap_or_else(|| BytesMut::with_capacity(CHUNK));
            }
            let room = CHUNK - self.filling.len();
            let (here, later) = bytes.split_at(bytes.len().min(room));
            self.filling.extend_from_slice(here);
            bytes = later;
        }
        Ok(())
    }

    /// Says that this was all.
    pub(super) fn finish(mut self) {
        let last = std::mem::take(&mut self.filling).freeze();
        // At once, so that whoever waits for the first chunk of a short page sees that it is whole.
        self.page.change(|state| {
            state.push(last);
            state.progress = Progress::Whole;
        });
    }

    fn seal(&mut self) {
        let chunk = std::mem::take(&mut self.filling).freeze();
        self.page.change(|state| state.push(chunk));
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        if self.page.progress() == Progress::Growing {
            tracing::error!("encoding a page failed");
            self.page.change(|state| state.progress = Progress::Broken);
        }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Ok(()) = self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::{CHUNK, ChunkWriter, Chunks, Next, Progress};

    fn chunk(page: &Chunks, at: usize) -> Poll<Next> {
        page.poll_chunk(at, &Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_page_of_any_length_is_whole_and_its_memory_is_used_again() {
        let mut spare = Vec::new();
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7, 10] {
            let text: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let page = Arc::new(Chunks::default());
            let mut writer = ChunkWriter::new(page.clone(), std::mem::take(&mut spare));
            for part in text.chunks(1_000) {
                let Ok(()) = writer.put(part);
            }
            writer.finish();
            assert_eq!(page.length(), Some(len));
            let mut read = Vec::new();
            let mut count = 0;
            while let Poll::Ready(Next::Chunk(chunk)) = chunk(&page, count) {
                assert!(chunk.len() <= CHUNK);
                read.extend_from_slice(&chunk);
                count += 1;
            }
            assert_eq!(chunk(&page, count), Poll::Ready(Next::End));
            assert_eq!(read, text);
            spare = Arc::into_inner(page).unwrap().into_spare();
            assert_eq!(spare.len(), count);
        }
    }

    #[tokio::test]
    async fn what_is_written_can_be_read_before_the_rest_is() {
        let page = Arc::new(Chunks::default());
        let mut writer = ChunkWriter::new(page.clone(), Vec::new());
        let Ok(()) = writer.put(&[b'a'; CHUNK]);
        assert_eq!((chunk(&page, 0), page.length()), (Poll::Pending, None));
        let Ok(()) = writer.put(b"b");
        assert!(matches!(chunk(&page, 0), Poll::Ready(Next::Chunk(chunk)) if chunk.len() == CHUNK));
        assert_eq!(chunk(&page, 1), Poll::Pending);

        let read = page.clone();
        let waiting = tokio::spawn(async move { poll_fn(|cx| read.poll_chunk(1, cx)).await });
        tokio::task::yield_now().await;
        writer.finish();
        assert_eq!(waiting.await.unwrap(), Next::Chunk("b".into()));
    }

    #[tokio::test]
    async fn who_waits_for_a_page_hears_that_its_writer_is_gone() {
        let page = Arc::new(Chunks::default());
        let writer = ChunkWriter::new(page.clone(), Vec::new());
        let read = page.clone();
        let waiting = tokio::spawn(async move { poll_fn(|cx| read.poll_end(cx)).await });
        tokio::task::yield_now().await;
        drop(writer);
        assert_eq!(waiting.await.unwrap(), Progress::Broken);
        assert_eq!(chunk(&page, 0), Poll::Ready(Next::Broken));
    }
}

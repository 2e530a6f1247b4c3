//! The bytes of a page, in chunks that can be given up one reader at a time.

use std::convert::Infallible;
use std::io::{self, Write};

use bytes::{Bytes, BytesMut};

/// Bytes in a chunk.
///
/// A reader whose page was revoked still holds the one that its connection is sending, so that a
/// thousand of them hold 64 MiB, whatever the page.
pub(super) const CHUNK: usize = 64 * 1024;

/// The content of a page.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: Vec<Bytes>,
    len: usize,
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, at: usize) -> Option<&Bytes> {
        self.chunks.get(at)
    }

    pub(super) fn count(&self) -> usize {
        self.chunks.len()
    }

    /// The memory of those chunks that nobody sends any more.
    pub(super) fn into_spare(self) -> Vec<BytesMut> {
        let mut spare: Vec<_> =
            self.chunks.into_iter().filter_map(|chunk| chunk.try_into_mut().ok()).collect();
        for chunk in &mut spare {
            chunk.clear();
        }
        spare
    }
}

/// Writes a page, in memory of an earlier one where there is some.
#[derive(Default)]
pub(super) struct ChunkWriter {
    page: Chunks,
    filling: BytesMut,
    spare: Vec<BytesMut>,
}

impl ChunkWriter {
    pub(super) fn new(mut spare: Vec<BytesMut>) -> Self {
        let filling = spare.pop().unwrap_or_default();
        Self { page: Chunks::default(), filling, spare }
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

    pub(super) fn finish(mut self) -> Chunks {
        if !self.filling.is_empty() {
            self.seal();
        }
        self.page
    }

    fn seal(&mut self) {
        let chunk = std::mem::take(&mut self.filling).freeze();
        self.page.len += chunk.len();
        self.page.chunks.push(chunk);
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
    use super::{CHUNK, ChunkWriter};

    #[test]
    fn a_page_of_any_length_is_whole_and_its_memory_is_used_again() {
        let mut spare = Vec::new();
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7, 10] {
            let page: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let mut writer = ChunkWriter::new(std::mem::take(&mut spare));
            for part in page.chunks(1_000) {
                let Ok(()) = writer.put(part);
            }
            let chunks = writer.finish();
            assert_eq!(chunks.len(), len);
            assert_eq!(chunks.chunks.concat(), page);
            assert!(chunks.chunks.iter().all(|chunk| chunk.len() <= CHUNK));
            let count = chunks.count();
            spare = chunks.into_spare();
            assert_eq!(spare.len(), count);
        }
    }
}

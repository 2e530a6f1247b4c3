//! Where encoders write: a chunk that is handed on whenever it is full.

/// Bytes in a chunk: it stays in the second-level cache, which a whole page would not.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Bytes in the window in which a line is put together by moves of fixed size.
///
/// Longer lines exist; they are put together in memory that grows.
pub(crate) const LINE: usize = 1024;

/// A chunk and the sink behind it.
pub(crate) struct Output<'a> {
    chunk: &'a mut [u8; CHUNK],
    filled: usize,
    sink: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Output<'a> {
    /// Goes on after the first `filled` bytes of `chunk`.
    pub(crate) fn new(
        chunk: &'a mut [u8; CHUNK],
        filled: usize,
        sink: &'a mut dyn FnMut(&[u8]),
    ) -> Self {
        Self { chunk, filled, sink }
    }

    /// The window for the next line; what it holds counts once it is [kept](Self::keep).
    #[inline(always)]
    pub(crate) fn line(&mut self) -> &mut [u8; LINE] {
        let start = if self.filled <= CHUNK - LINE {
            self.filled
        } else {
            self.flush();
            0
        };
        self.chunk[start..].first_chunk_mut().expect("a chunk is longer than a line")
    }

    /// Keeps the first `len` bytes of the window.
    #[inline(always)]
    pub(crate) fn keep(&mut self, len: usize) {
        debug_assert!(len <= LINE);
        self.filled += len;
    }

    /// Appends text of any length.
    pub(crate) fn push(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            if self.filled == self.chunk.len() {
                self.flush();
            }
            let room = &mut self.chunk[self.filled..];
            let (here, later) = text.split_at(text.len().min(room.len()));
            room[..here.len()].copy_from_slice(here);
            self.filled += here.len();
            text = later;
        }
    }

    /// Bytes at the start of the chunk that the sink has not seen.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    #[cold]
    fn flush(&mut self) {
        (self.sink)(&self.chunk[..self.filled]);
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, LINE, Output};

    #[test]
    fn text_of_any_length_arrives_in_order() {
        let mut chunk = [0; CHUNK];
        let mut seen = Vec::new();
        let mut sink = |bytes: &[u8]| seen.extend_from_slice(bytes);
        let mut output = Output::new(&mut chunk, 0, &mut sink);
        let long: Vec<u8> = (0..3 * CHUNK - LINE + 1).map(|n| n as u8).collect();
        output.push(&long);
        output.line()[..2].copy_from_slice(b"ab");
        output.keep(2);
        output.push(b"c");
        let filled = output.filled();
        seen.extend_from_slice(&chunk[..filled]);
        assert_eq!(seen, [&long[..], b"abc"].concat());
    }
}

//! Moves of fixed size.
//!
//! A copy whose length is known only at run time is a function call, dearer than the bytes it
//! moves. So text is padded to whole blocks of [`BLOCK`] bytes, and whole blocks are copied: what a
//! block brings too much is overwritten by what follows.

use narthex_model::BLOCK;

use crate::output::LINE;

/// Text in zero-padded blocks, as in a [`Fragment`](narthex_model::Fragment).
#[derive(Default)]
pub(crate) struct Padded {
    first: [u8; BLOCK],
    rest: Vec<[u8; BLOCK]>,
    len: usize,
}

impl Padded {
    pub(crate) fn set(&mut self, text: &[u8]) {
        let mut blocks = text.chunks(BLOCK).map(|bytes| {
            let mut block = [0; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            block
        });
        self.first = blocks.next().unwrap_or_default();
        self.rest.clear();
        self.rest.extend(blocks);
        self.len = text.len();
    }

    /// Bytes of text, without the padding.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts the text at `at` and returns where it ends, if its blocks fit the line.
    #[inline(always)]
    pub(crate) fn put(&self, line: &mut [u8; LINE], at: usize) -> Option<usize> {
        put_blocks(line, at, &self.first, &self.rest, self.len)
    }
}

/// Puts padded text of `len` bytes at `at` and returns where it ends, if its blocks fit the line.
#[inline(always)]
pub(crate) fn put_blocks(
    line: &mut [u8; LINE],
    at: usize,
    first: &[u8; BLOCK],
    rest: &[[u8; BLOCK]],
    len: usize,
) -> Option<usize> {
    put_block(line, at, first)?;
    match rest {
        [] => {}
        [second] => put_block(line, at + BLOCK, second)?,
        rest => put_many(line, at + BLOCK, rest)?,
    }
    Some(at + len)
}

#[inline(always)]
fn put_block(line: &mut [u8; LINE], at: usize, block: &[u8; BLOCK]) -> Option<()> {
    line.get_mut(at..at + BLOCK)?.copy_from_slice(block);
    Some(())
}

/// Labels of so many blocks are rare, and a loop for each label of a line in the midst of it took
/// twice the instructions for those of two.
#[inline(never)]
fn put_many(line: &mut [u8; LINE], mut at: usize, blocks: &[[u8; BLOCK]]) -> Option<()> {
    for block in blocks {
        put_block(line, at, block)?;
        at += BLOCK;
    }
    Some(())
}

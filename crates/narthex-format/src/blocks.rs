//! Moves of fixed size.
//!
//! A copy whose length is known only at run time is a function call, dearer than the bytes it
//! moves. So text is padded to whole blocks of [`BLOCK`] bytes, and whole blocks are copied: what a
//! block brings too much is overwritten by what follows.

use narthex_model::{BLOCK, Fragment};

/// What stands between the labels and the value; every [`Fragment`] has it
/// in its padding.
pub(crate) const LABELS_END: &[u8] = b"} ";

/// Text in zero-padded blocks, as in a [`Fragment`].
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
}

/// Text in blocks, with padding after it.
pub(crate) trait Blocks {
    fn first(&self) -> &[u8; BLOCK];

    /// The blocks after the first.
    fn rest(&self) -> &[[u8; BLOCK]];

    /// Bytes of text, without the padding.
    fn len(&self) -> usize;
}

impl Blocks for Padded {
    #[inline(always)]
    fn first(&self) -> &[u8; BLOCK] {
        &self.first
    }

    #[inline(always)]
    fn rest(&self) -> &[[u8; BLOCK]] {
        &self.rest
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.len
    }
}

impl Blocks for Fragment {
    #[inline(always)]
    fn first(&self) -> &[u8; BLOCK] {
        self.first_block()
    }

    #[inline(always)]
    fn rest(&self) -> &[[u8; BLOCK]] {
        self.rest_blocks()
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.len()
    }
}

/// Puts text at `at` and returns where it ends, if its blocks fit the line.
#[inline(always)]
pub(crate) fn put_text<const LINE: usize>(
    line: &mut [u8; LINE],
    at: usize,
    text: &impl Blocks,
) -> Option<usize> {
    put_block(line, at, text.first())?;
    // What follows the text in its padding may begin another block. Most texts are shorter, and of
    // these not even the number of blocks is read.
    if text.len() > BLOCK - LABELS_END.len() {
        match text.rest() {
            [second] => put_block(line, at + BLOCK, second)?,
            rest => put_many(line, at + BLOCK, rest)?,
        }
    }
    Some(at + text.len())
}

#[inline(always)]
fn put_block<const LINE: usize>(
    line: &mut [u8; LINE],
    at: usize,
    block: &[u8; BLOCK],
) -> Option<()> {
    line.get_mut(at..at + BLOCK)?.copy_from_slice(block);
    Some(())
}

/// Labels of so many blocks are rare, and a loop for each label of a line in the midst of it took
/// twice the instructions for those of two. As this is cold, a line keeps in registers what it had to
/// load again for fear of this call, which saves four instructions of a line with three labels.
#[cold]
#[inline(never)]
fn put_many(line: &mut [u8], mut at: usize, blocks: &[[u8; BLOCK]]) -> Option<()> {
    for block in blocks {
        line.get_mut(at..at + BLOCK)?.copy_from_slice(block);
        at += BLOCK;
    }
    Some(())
}

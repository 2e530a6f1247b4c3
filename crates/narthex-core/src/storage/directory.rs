//! Chunks that never move, found without a lock.

use std::sync::{Arc, OnceLock};

/// A list of chunks that readers index while the one writer appends.
///
/// The first `NEAR` chunks are found in the directory itself, as a small family has no others. Those
/// that follow are in blocks, each twice as long as the one before, so that nothing is ever moved and
/// there is nothing but the chunks themselves to publish.
pub(crate) struct Directory<T, const NEAR: usize> {
    near: [Slot<T>; NEAR],
    far: OnceLock<Box<[OnceLock<Block<T>>; BLOCKS]>>,
}

type Block<T> = Box<[Slot<T>]>;
type Slot<T> = OnceLock<Arc<[T]>>;

/// Chunks in the first block.
const FIRST: usize = 16;
/// Enough for 2^22 chunks.
const BLOCKS: usize = 18;

impl<T, const NEAR: usize> Directory<T, NEAR> {
    pub(crate) const fn new() -> Self {
        Self { near: [const { OnceLock::new() }; NEAR], far: OnceLock::new() }
    }

    /// The chunk at `index`.
    #[inline(always)]
    pub(crate) fn chunk(&self, index: usize) -> Option<&Arc<[T]>> {
        if index < NEAR {
            return self.near_chunk(index);
        }
        let (block, at) = Self::far_place(index);
        self.far.get()?.get(block)?.get()?.get(at)?.get()
    }

    /// The chunk at `index` if it is near.
    #[inline(always)]
    pub(crate) fn near_chunk(&self, index: usize) -> Option<&Arc<[T]>> {
        self.near.get(index)?.get()
    }

    /// Puts `chunk` at `index` unless there is one; for the one writer.
    pub(crate) fn set(&self, index: usize, chunk: impl FnOnce() -> Arc<[T]>) -> &Arc<[T]> {
        let slot = match self.near.get(index) {
            Some(slot) => slot,
            None => {
                let (block, at) = Self::far_place(index);
                let far = self.far.get_or_init(|| Box::new([const { OnceLock::new() }; BLOCKS]));
                let slots = || (0..FIRST << block).map(|_| OnceLock::new()).collect();
                &far[block].get_or_init(slots)[at]
            }
        };
        slot.get_or_init(chunk)
    }

    /// The block of a chunk that is not near, and which it is there.
    #[inline(always)]
    fn far_place(index: usize) -> (usize, usize) {
        let number = index - NEAR + FIRST;
        let block = (number / FIRST).ilog2();
        (block as usize, number - (FIRST << block))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Directory;
    use std::sync::Arc;

    #[test]
    fn chunks_stay_where_they_are_while_the_list_grows() {
        let directory: Directory<usize, 3> = Directory::new();
        let first: *const usize = directory.set(0, || Arc::new([0])).as_ptr();
        for index in 0..1000 {
            directory.set(index, || Arc::new([index]));
        }
        assert!((0..1000).all(|index| directory.chunk(index).unwrap()[0] == index));
        assert_eq!(directory.chunk(0).unwrap().as_ptr(), first);
        assert!(directory.chunk(1000).is_none());
        assert!(directory.chunk(usize::MAX / 2).is_none());
    }

    #[test]
    fn an_empty_directory_has_no_chunk() {
        let directory: Directory<u8, 3> = Directory::new();
        assert!([0, 2, 3, 1000].iter().all(|&index| directory.chunk(index).is_none()));
    }
}

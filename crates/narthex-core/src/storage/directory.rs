//! Chunks that never move, found without a lock.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, OnceLock};

/// A list of chunks that readers index while the one writer appends.
///
/// The list of chunk pointers is replaced by one four times as long when it is full; both lists
/// share the chunks, and the old lists are kept (together a third of the newest).
pub(crate) struct Directory<T> {
    current: AtomicUsize,
    near: [OnceLock<Level<T>>; NEAR],
    /// Those of large families only, apart: a family of few series is smaller than these.
    far: OnceLock<Box<[OnceLock<Level<T>>; FAR]>>,
}

type Level<T> = Box<[OnceLock<Arc<[T]>>]>;

/// 1, 4, 16, 64 chunk pointers, and then 256, ... enough for 2^22 chunks.
const NEAR: usize = 4;
const FAR: usize = 8;

/// A directory as one lookup sees it.
pub(crate) struct View<'a, T>(&'a [OnceLock<Arc<[T]>>]);

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<T> Directory<T> {
    pub(crate) const fn new() -> Self {
        let near = [const { OnceLock::new() }; NEAR];
        Self { current: AtomicUsize::new(0), near, far: OnceLock::new() }
    }

    /// One load for the whole lookup.
    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_, T> {
        // Acquire pairs with the Release in `set`; the level itself is published by its OnceLock.
        let current = self.current.load(Acquire);
        let level = match self.near.get(current) {
            Some(level) => level.get(),
            None => self.far.get().and_then(|far| far.get(current - NEAR)?.get()),
        };
        View(level.map_or(&[], |level| level))
    }

    /// Puts `chunk` at `index` unless there is one, growing the list; for the one writer.
    pub(crate) fn set(&self, index: usize, chunk: impl FnOnce() -> Arc<[T]>) -> &Arc<[T]> {
        // Relaxed: only the writer stores `current`.
        let mut current = self.current.load(Relaxed);
        let mut level = self.slot(current).get_or_init(|| Self::level(1, &[]));
        while index >= level.len() {
            let longer = Self::level(level.len() * 4, level);
            current += 1;
            level = self.slot(current).get_or_init(|| longer);
            self.current.store(current, Release);
        }
        level[index].get_or_init(chunk)
    }

    fn slot(&self, index: usize) -> &OnceLock<Level<T>> {
        match self.near.get(index) {
            Some(slot) => slot,
            None => {
                let far = self.far.get_or_init(|| Box::new([const { OnceLock::new() }; FAR]));
                &far[index - NEAR]
            }
        }
    }

    fn level(len: usize, shorter: &[OnceLock<Arc<[T]>>]) -> Level<T> {
        let known = shorter.iter().cloned();
        known.chain(std::iter::repeat_with(OnceLock::new)).take(len).collect()
    }
}

impl<'a, T> View<'a, T> {
    /// The chunk at `index`.
    #[inline(always)]
    pub(crate) fn chunk(self, index: usize) -> Option<&'a Arc<[T]>> {
        self.0.get(index)?.get()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Directory;
    use std::sync::Arc;

    #[test]
    fn chunks_stay_where_they_are_while_the_list_grows() {
        let directory = Directory::new();
        let first: *const usize = directory.set(0, || Arc::new([0])).as_ptr();
        for index in 0..1000 {
            directory.set(index, || Arc::new([index]));
        }
        let view = directory.view();
        assert!((0..1000).all(|index| view.chunk(index).unwrap()[0] == index));
        assert_eq!(view.chunk(0).unwrap().as_ptr(), first);
        assert!(view.chunk(5000).is_none());
    }

    #[test]
    fn an_empty_directory_has_no_chunk() {
        assert!(Directory::<u8>::new().view().chunk(0).is_none());
    }
}

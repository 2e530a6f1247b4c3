//! The keys of a family's label values, found by the ids of their fragments.

use std::sync::OnceLock;

use super::directory::Directory;
use super::key::StoredKey;
use crate::sync::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Keys by id.
///
/// Most families have few label values. While they do, the keys lie in one list, where a lookup
/// finds one by comparing its id with the length; a list that is full is replaced by one four times
/// as long, and kept for readers that still look at it. From [`LISTED`] keys on, the others lie in
/// chunks, so that no insert has to copy many.
pub(super) struct Keys {
    /// Which of the lists it is by now.
    current: AtomicUsize,
    lists: [OnceLock<Box<[StoredKey]>>; LISTS],
    rest: Directory<StoredKey, 0>,
}

/// The keys as one lookup sees them.
#[derive(Clone, Copy)]
pub(super) struct View<'k> {
    list: &'k [StoredKey],
    rest: &'k Directory<StoredKey, 0>,
}

const FIRST: usize = if cfg!(loom) { 1 } else { 4 };
const LISTS: usize = if cfg!(loom) { 2 } else { 6 };
/// Keys that lie in one list at most: a quarter of them, which a growing list copies, are 40 KiB.
const LISTED: usize = len(LISTS - 1);
const CHUNK: usize = 64;

impl Keys {
    pub(super) fn new() -> Self {
        let lists = [const { OnceLock::new() }; LISTS];
        Self { current: AtomicUsize::new(0), lists, rest: Directory::new() }
    }

    /// The keys in the list.
    #[inline(always)]
    pub(super) fn listed(&self) -> &[StoredKey] {
        // Acquire pairs with the Release in `grow`: the keys were copied before.
        let current = self.lists.get(self.current.load(Acquire));
        current.and_then(OnceLock::get).map_or(&[], |list| list)
    }

    /// All keys.
    #[inline(always)]
    pub(super) fn view(&self) -> View<'_> {
        View { list: self.listed(), rest: &self.rest }
    }

    /// Gives `id` the key of a value, all of which is at `start` if it is long; for the one writer.
    pub(super) fn set(&self, id: u32, value: &str, start: u32) {
        let id = id as usize;
        while id < LISTED && id >= self.listed().len() {
            self.grow();
        }
        let key = match self.listed().get(id) {
            Some(key) => key,
            None => {
                let (chunk, at) = place(id - LISTED);
                &self.rest.set(chunk, || keys(CHUNK).collect())[at]
            }
        };
        key.set(value, start);
    }

    /// Replaces the list by a longer one.
    fn grow(&self) {
        let list = self.listed();
        // Relaxed: only the writer stores it.
        let next = if list.is_empty() { 0 } else { self.current.load(Relaxed) + 1 };
        self.lists[next].get_or_init(|| {
            let longer: Box<[_]> = keys(len(next)).collect();
            longer.iter().zip(list).for_each(|(new, old)| new.copy(old));
            longer
        });
        self.current.store(next, Release);
    }
}

impl<'k> View<'k> {
    #[inline(always)]
    pub(super) fn get(self, id: u32) -> Option<&'k StoredKey> {
        let id = id as usize;
        match self.list.get(id) {
            Some(key) => Some(key),
            None => {
                let (chunk, at) = place(id.checked_sub(LISTED)?);
                self.rest.chunk(chunk)?.get(at)
            }
        }
    }
}

/// Keys that a list has room for.
const fn len(list: usize) -> usize {
    FIRST << (2 * list)
}

fn place(unlisted: usize) -> (usize, usize) {
    (unlisted / CHUNK, unlisted % CHUNK)
}

fn keys(len: usize) -> impl Iterator<Item = StoredKey> {
    (0..len).map(|_| StoredKey::default())
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::{Keys, LISTED};
    use crate::storage::key::Key;
    use crate::sync::{
        AtomicU32,
        Ordering::{Acquire, Release},
    };
    use loom::sync::Arc;
    use loom::thread;

    /// The second key is in a longer list than the first was, the last one in a chunk.
    const KEYS: [(u32, &str); 3] = [(0, "a"), (1, "b"), (LISTED as u32, "c")];

    #[test]
    fn loom_a_key_that_was_published_is_found_or_missed_never_another() {
        loom::model(|| {
            let keys = Arc::new(Keys::new());
            let published = Arc::new(AtomicU32::new(0));
            let publish = |count: usize| {
                let (id, value) = KEYS[count - 1];
                keys.set(id, value, 0);
                published.store(count as u32, Release);
            };
            publish(1);
            let reader = {
                let (keys, published) = (keys.clone(), published.clone());
                thread::spawn(move || {
                    let view = keys.view();
                    for (id, value) in &KEYS[..published.load(Acquire) as usize] {
                        let key = view.get(*id);
                        // The first key is in every list there is.
                        assert!(*id > 0 || key.is_some());
                        assert!(key.is_none_or(|key| key.agrees(Key::new(0, value), value)));
                    }
                })
            };
            publish(2);
            publish(3);
            reader.join().unwrap();
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Keys, LISTED};
    use crate::storage::key::Key;

    #[test]
    fn every_key_is_found_by_its_id_while_others_are_added() {
        let keys = Keys::new();
        let early = keys.view();
        let count = LISTED as u32 + 1000;
        let is =
            |id: u32, value: &str| keys.view().get(id).unwrap().agrees(Key::new(7, value), value);
        for id in 0..count {
            keys.set(id, &id.to_string(), 0);
            assert!(is(id / 2, &(id / 2).to_string()));
        }
        assert!((0..count).all(|id| is(id, &id.to_string())));
        assert!(keys.view().get(count + 100).is_none());
        assert!(early.get(0).is_none());
    }

    #[test]
    fn a_key_is_replaced_where_its_id_is_used_again() {
        let keys = Keys::new();
        for id in [3, LISTED as u32 + 3] {
            for value in ["gone", "new"] {
                keys.set(id, value, 0);
                let key = keys.view().get(id).unwrap();
                assert!(key.agrees(Key::new(7, value), value));
                assert!(!key.agrees(Key::new(7, "other"), "other"));
            }
        }
    }
}

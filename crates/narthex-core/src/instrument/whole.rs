//! Values of several words that are set and read as one: a sequence lock of atomics.
//!
//! The first word is a version, odd while the others are being set. Setting waits for nobody but
//! another thread that sets the very same series. Reading writes nothing, so a scrape never holds
//! up who sets; it reads again where a value was being set meanwhile, which takes as long as a
//! store a word.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{self, Word};

/// Words that the version takes.
pub(super) const VERSION: usize = 1;

/// Sets the words after the version to `values`.
pub(super) fn set(words: &[impl Word], values: &[u64]) {
    let Some((version, words)) = words.split_first() else { return };
    let mut attempt = 0;
    let before = loop {
        let before = version.load(Relaxed);
        // Acquire pairs with the last Release below: the setter before has stored all its words.
        if before.is_multiple_of(2) && version.replace(before, before.wrapping_add(1), Acquire) {
            break before;
        }
        attempt += 1;
        sync::wait(attempt);
    };
    for (word, value) in words.iter().zip(values) {
        // Release pairs with the Acquires in `get`: who sees this word sees that the version is
        // odd, or what follows it.
        word.store(*value, Release);
    }
    version.store(before.wrapping_add(2), Release);
}

/// Reads the words after the version into `values`.
pub(super) fn get(words: &[impl Word], values: &mut [u64]) {
    let Some((version, words)) = words.split_first() else { return };
    let mut attempt = 0;
    loop {
        // Acquire pairs with the last Release in `set`: every word of this version is seen.
        let before = version.load(Acquire);
        for (value, word) in values.iter_mut().zip(words) {
            *value = word.load(Acquire);
        }
        // Relaxed: the Acquires keep this load after those of the words.
        if before.is_multiple_of(2) && version.load(Relaxed) == before {
            return;
        }
        attempt += 1;
        sync::wait(attempt);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::{get, set};
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use loom::thread;

    #[test]
    fn a_value_is_never_read_in_part() {
        loom::model(|| {
            let words: Arc<[AtomicU64; 3]> = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
            let setter = thread::spawn({
                let words = words.clone();
                move || set(&words[..], &[1, 1])
            });
            let mut seen = [7, 8];
            get(&words[..], &mut seen);
            assert_eq!(seen[0], seen[1]);
            setter.join().unwrap();
        });
    }

    #[test]
    fn setters_come_one_after_the_other() {
        loom::model(|| {
            let words: Arc<[AtomicU64; 3]> = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
            let setter = thread::spawn({
                let words = words.clone();
                move || set(&words[..], &[1, 1])
            });
            set(&words[..], &[2, 2]);
            setter.join().unwrap();
            let mut seen = [7, 8];
            get(&words[..], &mut seen);
            assert!(seen == [1, 1] || seen == [2, 2]);
        });
    }
}

//! When a removed record may be reused: once no snapshot shows it.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// Time counted in removals. Every snapshot holds the epoch in which it was taken.
#[derive(Debug)]
pub(super) struct Epochs {
    current: Arc<()>,
    number: u64,
    /// Epochs that some snapshot may still hold, oldest first.
    older: VecDeque<(u64, Weak<()>)>,
}

impl Epochs {
    pub(super) fn new() -> Self {
        Self { current: Arc::new(()), number: 0, older: VecDeque::new() }
    }

    /// Marks a snapshot as taken now; it is over when the mark is dropped.
    pub(super) fn hold(&self) -> Arc<()> {
        self.current.clone()
    }

    /// Ends the current epoch and gives its number: what is removed now is shown by no later one.
    pub(super) fn end(&mut self) -> u64 {
        let ended = self.number;
        if Arc::strong_count(&self.current) > 1 {
            let current = std::mem::replace(&mut self.current, Arc::new(()));
            self.older.push_back((ended, Arc::downgrade(&current)));
        }
        self.number += 1;
        ended
    }

    /// The number of the current epoch.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether every snapshot taken up to the end of `epoch` is gone.
    pub(super) fn is_over(&mut self, epoch: u64) -> bool {
        while self.older.front().is_some_and(|(_, held)| held.strong_count() == 0) {
            self.older.pop_front();
        }
        self.older.front().is_none_or(|(oldest, _)| *oldest > epoch)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Epochs;

    #[test]
    fn an_old_snapshot_keeps_later_removals_too() {
        let mut epochs = Epochs::new();
        let first = epochs.hold();
        let a = epochs.end();
        let second = epochs.hold();
        let b = epochs.end();
        assert!(!epochs.is_over(a) && !epochs.is_over(b));
        drop(second);
        // The first snapshot was taken before both removals and shows both records.
        assert!(!epochs.is_over(a) && !epochs.is_over(b));
        drop(first);
        assert!(epochs.is_over(a) && epochs.is_over(b));
    }

    #[test]
    fn without_snapshots_everything_is_over_at_once() {
        let mut epochs = Epochs::new();
        let removed = epochs.end();
        assert!(epochs.is_over(removed));
        let _later = epochs.hold();
        assert!(epochs.is_over(removed));
    }
}

//! How series are stored: the lock-free part of narthex, in one place.
//!
//! A labelled family keeps a [`Store`]. Each series is one *record*: its value words, a generation
//! and the ids of its label values, 24 bytes for a counter with three labels. Records live in
//! chunks that never move ([`Directory`]), so a lookup may hand out a plain borrow, and a scrape
//! shares the chunks instead of copying labels.
//!
//! - [`key`] turns a borrowed label value into its hash and into words that *are* the value, so
//!   that a lookup compares words and touches no text; [`keys`] finds them by the ids in a record, and
//!   [`long_values`] are what does not fit.
//! - [`table`] finds the record of a hash. Readers take no lock: they may miss a series that is
//!   there (a slot was being moved), never find one that is not theirs. Every miss is looked up
//!   again under the writer's mutex, and that one rule makes growth and deletion simple.
//! - [`expiry`] knows which series have been idle for long.
//! - [`epochs`] tells when no snapshot shows a removed record any more, so that it may be reused.
//! - [`dense`] are slots for series that are found by a number, where labels have few values.
//! - [`cells`] are counters that each thread keeps for itself, for instruments without labels.
//! - [`slots`] are what some series have beside their records, each behind a lock of its own.
//! - [`halves`] are such cells for observations, which a snapshot sees whole or not at all.

pub(crate) mod cells;
mod dense;
pub(crate) mod directory;
mod epochs;
mod expiry;
pub(crate) mod halves;
pub(crate) mod key;
mod keys;
mod long_values;
pub(crate) mod slots;
mod store;
mod table;

pub(crate) use dense::{DenseSeries, DenseSlots};
pub(crate) use store::{Options, Series, Snapshot, Store};

/// The most labels a family can have beside constant ones.
///
/// The loops over labels are unrolled by hand, for LLVM leaves a loop with a large body rolled and
/// its keys on the stack, which costs a quarter of a lookup.
pub(crate) const MAX_LABELS: usize = 16;

/// Repeats a body for each label `k` below `N`; what lies beyond is cut at compile time.
macro_rules! each_label {
    ($n:ident, $k:ident => $body:block) => {
        each_label!(@ $n, $k, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $n:ident, $k:ident, $body:block, $($index:literal)*) => {
        $( if $index < $n { let $k: usize = $index; $body } )*
    };
}
pub(crate) use each_label;

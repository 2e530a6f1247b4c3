//! Exemplars: single observations that instruments keep beside their totals.

use std::sync::OnceLock;

use narthex_model::{Exemplar, Exemplars};
use parking_lot::Mutex;

use crate::clock;
use crate::storage::slots::{SeriesId, Slots};

/// Where an exemplar belongs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// To a bucket, of which it is then the only one.
    Bucket(usize),
    /// To no bucket: it is one of the last few.
    Recent,
}

/// The exemplar of something counted now, unless its labels cannot be those of one.
pub(super) fn new<N: AsRef<str>, V: AsRef<str>>(
    labels: impl IntoIterator<Item = (N, V)>,
    value: f64,
) -> Option<Exemplar> {
    Some(Exemplar::new(labels, value).ok()?.at(clock::unix_millis()))
}

/// The exemplars of an instrument on its own; they take memory once there is one.
#[derive(Debug, Default)]
pub(super) struct LoneExemplars(OnceLock<Box<Mutex<Latest>>>);

impl LoneExemplars {
    /// Keeps an exemplar, unless another thread is at it: it may get lost, but nobody waits.
    pub(super) fn keep(&self, slot: Slot, exemplar: Exemplar) {
        if let Some(mut latest) = self.0.get_or_init(Box::default).try_lock() {
            latest.keep(slot, exemplar);
        }
    }

    pub(super) fn show(&self) -> Exemplars {
        let mut shown = Exemplars::new();
        if let Some(latest) = self.0.get() {
            latest.lock().show(0, &mut shown);
        }
        shown
    }
}

/// The exemplars of a family's series; they take memory once there is one.
#[derive(Default)]
pub(super) struct SeriesExemplars(OnceLock<Box<Slots<Latest>>>);

impl SeriesExemplars {
    /// Keeps an exemplar, unless another thread is at it.
    pub(super) fn keep(&self, series: SeriesId, slot: Slot, exemplar: Exemplar) {
        let slots = self.0.get_or_init(|| Box::new(Slots::new()));
        slots.try_update(series, Latest::default, |latest| latest.keep(slot, exemplar));
    }

    /// What there is, if anything.
    pub(super) fn slots(&self) -> Option<&Slots<Latest>> {
        self.0.get().map(|slots| &**slots)
    }
}

/// The latest exemplar of each bucket, or the latest few.
#[derive(Debug, Default)]
pub(super) struct Latest(Vec<(usize, Exemplar)>);

impl Latest {
    /// As many as `client_golang` keeps of a native histogram.
    const MOST_RECENT: usize = 10;

    fn keep(&mut self, slot: Slot, exemplar: Exemplar) {
        let bucket = match slot {
            Slot::Bucket(bucket) => bucket,
            Slot::Recent if self.0.len() < Self::MOST_RECENT => self.0.len(),
            Slot::Recent => {
                let oldest = self.0.iter().min_by_key(|(_, exemplar)| exemplar.timestamp());
                oldest.map_or(0, |(bucket, _)| *bucket)
            }
        };
        match self.0.iter_mut().find(|(there, _)| *there == bucket) {
            Some((_, last)) => *last = exemplar,
            None => self.0.push((bucket, exemplar)),
        }
    }

    pub(super) fn show(&self, series: usize, shown: &mut Exemplars) {
        for (bucket, exemplar) in &self.0 {
            shown.set(series, *bucket, exemplar.clone());
        }
    }
}

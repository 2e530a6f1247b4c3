//! What series may have beside their values.

use crate::exemplar::{Exemplar, Exemplars};

/// Columns that few families have; the others pay for none of them.
#[derive(Clone, Debug, Default)]
pub(super) struct SideColumns {
    /// Milliseconds since the Unix epoch, one a series or, where no series has any, empty.
    timestamps: Vec<Option<i64>>,
    /// The same.
    created: Vec<Option<i64>>,
    exemplars: Exemplars,
}

impl SideColumns {
    pub(super) fn set_timestamp(&mut self, series: usize, timestamp: i64) {
        set(&mut self.timestamps, series, timestamp);
    }

    pub(super) fn set_created(&mut self, series: usize, created: i64) {
        set(&mut self.created, series, created);
    }

    pub(super) fn set_exemplar(&mut self, series: usize, bucket: usize, exemplar: Exemplar) {
        self.exemplars.set(series, bucket, exemplar);
    }

    /// The number of exemplars that a series has.
    pub(super) fn exemplars_of(&self, series: usize) -> usize {
        self.exemplars.of(series).len()
    }

    pub(super) fn put_created(&mut self, created: Vec<Option<i64>>) {
        self.created = created;
    }

    pub(super) fn put_exemplars(&mut self, exemplars: Exemplars) {
        self.exemplars = exemplars;
    }

    /// The columns of a family of `series` series, if it has any.
    pub(super) fn finish(mut self, series: usize) -> Option<Box<Self>> {
        for times in [&mut self.timestamps, &mut self.created] {
            if !times.is_empty() {
                times.resize(series, None);
            }
        }
        let none = self.timestamps.is_empty() && self.created.is_empty();
        (!none || !self.exemplars.is_empty()).then(|| Box::new(self))
    }

    pub(super) fn timestamps(&self) -> Option<&[Option<i64>]> {
        (!self.timestamps.is_empty()).then_some(&self.timestamps)
    }

    pub(super) fn created(&self) -> Option<&[Option<i64>]> {
        (!self.created.is_empty()).then_some(&self.created)
    }

    pub(super) fn exemplars(&self) -> Option<&Exemplars> {
        (!self.exemplars.is_empty()).then_some(&self.exemplars)
    }
}

fn set(times: &mut Vec<Option<i64>>, series: usize, time: i64) {
    if times.len() <= series {
        times.resize(series + 1, None);
    }
    times[series] = Some(time);
}

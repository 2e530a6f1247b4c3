//! The label side of a family: which label values each series carries.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::fragment::{Fragment, Fragments, FragmentsView};
use crate::name::LabelName;

/// Records of many series, each a few words, in chunks that never move.
///
/// A record holds fragment ids, two a word, and whatever else its owner keeps in it. The records
/// are atomics so that a live family shares them with its snapshots: the owner never rewrites the
/// ids of a record while a snapshot that shows it is alive.
#[derive(Clone)]
pub struct Records {
    chunks: Arc<Vec<Arc<[AtomicU64]>>>,
    layout: RecordLayout,
}

/// Where a record's fragment ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLayout {
    /// Words a record.
    pub width: usize,
    /// The half word at which the id of the first label stands; the others follow.
    pub first_label: usize,
    /// Labels a series has.
    pub labels: usize,
}

impl RecordLayout {
    /// Reads the fragment id of label `k`.
    #[inline(always)]
    pub fn fragment_id(self, record: &[AtomicU64], k: usize) -> u32 {
        let half = self.first_label + k;
        let Some(word) = record.get(half / 2) else {
            return u32::MAX;
        };
        (word.load(Relaxed) >> (32 * (half % 2))) as u32
    }

    /// Writes the fragment id of label `k`.
    pub fn set_fragment_id(self, record: &[AtomicU64], k: usize, id: u32) {
        let half = self.first_label + k;
        if let Some(word) = record.get(half / 2) {
            let shift = 32 * (half % 2);
            let kept = word.load(Relaxed) & !(u64::from(u32::MAX) << shift);
            // Relaxed: the owner publishes the record afterwards.
            word.store(kept | u64::from(id) << shift, Relaxed);
        }
    }
}

/// The fragment ids in the `N` half words after the first of word `at`; `None` where the record
/// ends before, which those of [`Records`] do not.
#[inline(always)]
fn fragment_ids<const N: usize>(record: &[AtomicU64], at: usize) -> Option<[u32; N]> {
    let words = record.get(at..)?.get(..(1 + N).div_ceil(2))?;
    Some(std::array::from_fn(|k| {
        let half = 1 + k;
        (words[half / 2].load(Relaxed) >> (32 * (half % 2))) as u32
    }))
}

impl Records {
    /// Records a chunk spans, as a power of two: row `i` is record `i % 2^LOG` of chunk `i >> LOG`.
    pub const CHUNK_LOG: u32 = 9;

    /// Wraps chunks of whole records.
    ///
    /// Any chunk may hold fewer records than it spans; the rows it lacks do not exist.
    ///
    /// # Panics
    /// Panics where the ids of the layout do not lie in its records.
    pub fn new(chunks: Arc<Vec<Arc<[AtomicU64]>>>, layout: RecordLayout) -> Self {
        assert!(layout.first_label + layout.labels <= 2 * layout.width, "ids lie in their record");
        Self { chunks, layout }
    }

    #[inline(always)]
    fn chunks(&self) -> impl Iterator<Item = &[AtomicU64]> {
        self.chunks.iter().map(|chunk| &**chunk)
    }

    /// How many of these rows come before a record.
    fn rows_before(&self, rows: &Rows, record: u32) -> usize {
        if let Some(rows) = rows.listed() {
            return rows.partition_point(|&row| row < record);
        }
        let (chunk, at) = (record >> Self::CHUNK_LOG, record % (1 << Self::CHUNK_LOG));
        let held = |chunk: &[AtomicU64]| chunk.len() / self.layout.width;
        let before: usize = self.chunks().take(chunk as usize).map(held).sum();
        (before + at as usize).saturating_sub(rows.range.start).min(rows.len())
    }

    /// Calls `each` with the rows of each chunk that has any of `rows`, in order.
    #[inline(always)]
    fn each_run<'a>(&'a self, rows: &'a Rows, mut each: impl FnMut(Run<'a>)) {
        let width = self.layout.width;
        let mut left = rows.len();
        let mut listed = rows.listed();
        // Records at the start of the next chunk that come before the rows.
        let mut before = if listed.is_some() { 0 } else { rows.range.start };
        for (index, chunk) in self.chunks().enumerate() {
            if left == 0 {
                break;
            }
            let held = chunk.len() / width;
            if before >= held {
                before -= held;
                continue;
            }
            let start = (index as u32) << Self::CHUNK_LOG;
            let len = match listed {
                None => (held - before).min(left),
                Some(rows) => rows.partition_point(|&row| row < start + held as u32),
            };
            let here = listed.map(|rows| &rows[..len]);
            each(Run { chunk, width, start, first: before, len, listed: here });
            listed = listed.map(|rows| &rows[len..]);
            left -= len;
            before = 0;
        }
    }

    /// Calls `each` with the rows and their records, in order.
    #[inline(always)]
    fn each(&self, rows: &Rows, mut each: impl FnMut(u32, &[AtomicU64])) {
        self.each_run(rows, |run| {
            if run.listed.is_some() {
                for k in 0..run.len {
                    let (row, record) = run.record(k);
                    each(row, record);
                }
                return;
            }
            // Looking each of them up by its number takes three times the instructions.
            let first = run.start + run.first as u32;
            for (row, record) in (first..).zip(run.records_from(0).take(run.len)) {
                each(row, record);
            }
        });
    }
}

/// Rows that follow each other in one chunk.
struct Run<'a> {
    chunk: &'a [AtomicU64],
    width: usize,
    /// The row of the chunk's first record.
    start: u32,
    /// Which record of the chunk is the first one, unless they are listed.
    first: usize,
    len: usize,
    listed: Option<&'a [u32]>,
}

impl<'a> Run<'a> {
    #[inline(always)]
    fn record(&self, k: usize) -> (u32, &'a [AtomicU64]) {
        let at = match self.listed {
            None => self.first + k,
            Some(rows) => (rows[k] - self.start) as usize,
        };
        (self.start + at as u32, &self.chunk[at * self.width..][..self.width])
    }

    /// The records of unlisted rows from the `k`th on.
    #[inline(always)]
    fn records_from(&self, k: usize) -> impl Iterator<Item = &'a [AtomicU64]> {
        self.chunk[(self.first + k) * self.width..].chunks_exact(self.width)
    }

    /// Looks the fragments of the rows from the `at`th on up, as many as `found` has room for.
    #[inline(never)]
    fn find<'f, const N: usize>(
        &self,
        at: usize,
        layout: RecordLayout,
        fragments: FragmentsView<'f>,
        found: &mut [[&'f Fragment; N]],
    ) {
        if self.listed.is_none() && layout.first_label % 2 == 1 {
            for (found, record) in found.iter_mut().zip(self.records_from(at)) {
                let Some(ids) = fragment_ids::<N>(record, layout.first_label / 2) else { return };
                *found = ids.map(|id| fragments.get(id));
            }
            return;
        }
        for (k, found) in found.iter_mut().enumerate() {
            let (_, record) = self.record(at + k);
            *found = std::array::from_fn(|k| fragments.get(layout.fragment_id(record, k)));
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({} chunks, {:?})", self.chunks.len(), self.layout)
    }
}

/// Which records of a family are series of this snapshot, in order.
///
/// Cloning and [dividing](Self::part) them shares the list, where there is one.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Which records are series, where some have been removed; else all of them are.
    listed: Option<Arc<Vec<u32>>>,
    /// Which of those these are.
    range: Range<usize>,
}

impl Rows {
    /// The first so many records.
    pub fn first(len: usize) -> Self {
        Self { listed: None, range: 0..len }
    }

    /// The records of this list, which must ascend.
    pub fn of_list(rows: Arc<Vec<u32>>) -> Self {
        Self { range: 0..rows.len(), listed: Some(rows) }
    }

    /// Those of these rows that lie in `range`; what is beyond the end is left out.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let len = self.len();
        let (start, end) = (range.start.min(len), range.end.min(len));
        let range = self.range.start + start..self.range.start + end.max(start);
        Self { listed: self.listed.clone(), range }
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The records, where they are listed.
    fn listed(&self) -> Option<&[u32]> {
        self.listed.as_ref()?.get(self.range.clone())
    }
}

/// A snapshot of the labels of a family's series; cheap, for it shares text and ids with the
/// family it was taken from.
#[derive(Clone, Debug)]
pub struct Series {
    fragments: Fragments,
    records: Option<Records>,
    rows: Rows,
    /// Held so that a live family does not reuse a record which this snapshot shows.
    _hold: Option<Arc<()>>,
    label_sum: Option<Arc<LabelSum>>,
}

/// What [`Series::label_sum`] gave, with the constant that it was given: shared by all snapshots of the
/// same series.
#[derive(Debug, Default)]
pub struct LabelSum(OnceLock<(usize, usize)>);

impl Series {
    /// One series without labels.
    pub fn unlabelled() -> Self {
        Self::own(Fragments::default(), None, Rows::first(1))
    }

    /// Series with one value for each of the label `names`, empty where the label is absent; one
    /// that is there already is left out.
    pub fn from_rows<'v, R>(names: &[LabelName], rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = &'v str>,
    {
        let mut series = SeriesBuilder::new(names);
        for row in rows {
            series.push(row.into_iter().map(Some));
        }
        series.finish()
    }

    /// A snapshot of a live family.
    ///
    /// The family must not rewrite the shown records before `hold` is dropped everywhere else, and
    /// gives another `label_sum` when it has other series.
    pub fn shared(
        fragments: Fragments,
        records: Records,
        rows: Rows,
        hold: Arc<()>,
        label_sum: Arc<LabelSum>,
    ) -> Self {
        let (hold, label_sum) = (Some(hold), Some(label_sum));
        Self { fragments, records: Some(records), rows, _hold: hold, label_sum }
    }

    /// Series that no live family has.
    fn own(fragments: Fragments, records: Option<Records>, rows: Rows) -> Self {
        Self { fragments, records, rows, _hold: None, label_sum: None }
    }

    /// The series of these rows, which lie in `range`.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let Self { fragments, records, rows, _hold, label_sum: _ } = self.clone();
        Self { fragments, records, rows: rows.part(range), _hold, label_sum: None }
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of series in records before this one; they come first.
    pub fn rows_before(&self, record: u32) -> usize {
        self.records.as_ref().map_or(0, |records| records.rows_before(&self.rows, record))
    }

    /// The number of labels a series has, absent ones included.
    pub fn labels(&self) -> usize {
        self.records.as_ref().map_or(0, |records| records.layout.labels)
    }

    /// Calls `each` with the fragments of series that follow each other and the index of the first
    /// one, until all had their turn, in order.
    ///
    /// `N` must be [`labels`](Self::labels), and not 0; nothing is called otherwise. This is the hot
    /// loop of every encoder: it neither allocates nor checks more than it must.
    #[inline(always)]
    pub fn for_each_batch<const N: usize>(&self, mut each: impl FnMut(usize, &[[&Fragment; N]])) {
        /// Rows whose fragments are looked up before `each` is called for them. An encoder's loop
        /// needs more registers than there are. With the lookup in a loop of its own, a line of text
        /// took 13 ns instead of 27 on the same busy machine, in about as many instructions.
        const BATCH: usize = 32;
        let Some(records) = self.records.as_ref().filter(|_| N == self.labels()) else {
            return;
        };
        let fragments = self.fragments.view();
        let mut batch = [[Fragment::absent(); N]; BATCH];
        let mut index = 0;
        records.each_run(&self.rows, |run| {
            let mut at = 0;
            while at < run.len {
                let len = (run.len - at).min(BATCH);
                let batch = &mut batch[..len];
                run.find(at, records.layout, fragments, batch);
                each(index, batch);
                index += len;
                at += len;
            }
        });
    }

    /// Calls `each` with the fragments of every series, in order: for what is quickly done with each.
    ///
    /// `N` must be [`labels`](Self::labels), and not 0; nothing is called otherwise.
    #[inline(always)]
    pub fn for_each<const N: usize>(&self, mut each: impl FnMut(&[&Fragment; N])) {
        let Some(records) = self.records.as_ref().filter(|_| N == self.labels()) else {
            return;
        };
        let fragments = self.fragments.view();
        let layout = records.layout;
        records.each_run(&self.rows, |run| {
            if run.listed.is_none() && layout.first_label % 2 == 1 {
                for record in run.records_from(0).take(run.len) {
                    let ids = fragment_ids::<N>(record, layout.first_label / 2);
                    let Some(ids) = ids else { return };
                    each(&ids.map(|id| fragments.get(id)));
                }
                return;
            }
            for k in 0..run.len {
                let (_, record) = run.record(k);
                each(&std::array::from_fn(|k| fragments.get(layout.fragment_id(record, k))));
            }
        });
    }

    /// What `add_up` adds up over the labels of all series, each of which counts `constant` beside its
    /// labels.
    ///
    /// Snapshots of the same series remember the sum, so it must depend on nothing else. The walk over
    /// the series that this saves took a quarter of the instructions of a protobuf page.
    pub fn label_sum(&self, constant: usize, add_up: impl FnOnce() -> usize) -> usize {
        let Some(LabelSum(remembered)) = self.label_sum.as_deref() else { return add_up() };
        match remembered.get() {
            Some(&(same, sum)) if same == constant => sum,
            // The first one stays: pages of one family seldom differ in the constant.
            _ => {
                let sum = add_up();
                let _ = remembered.set((constant, sum));
                sum
            }
        }
    }

    /// Calls `each` with the index and the fragments of every series, whatever their number.
    pub fn for_each_slice<'a>(&'a self, mut each: impl FnMut(usize, &[&'a Fragment])) {
        let Some(records) = &self.records else {
            return (0..self.len()).for_each(|index| each(index, &[]));
        };
        let layout = records.layout;
        // Few labels need no memory of their own.
        let (mut few, mut many) = ([Fragment::absent(); 8], Vec::new());
        let fragments = match few.get_mut(..layout.labels) {
            Some(few) => few,
            None => {
                many.resize(layout.labels, Fragment::absent());
                &mut many[..]
            }
        };
        let mut index = 0;
        records.each(&self.rows, |_, record| {
            for (k, fragment) in fragments.iter_mut().enumerate() {
                *fragment = self.fragments.get(layout.fragment_id(record, k));
            }
            each(index, fragments);
            index += 1;
        });
    }

    /// Appends to `values` what `value` makes of the record of every series, in order.
    #[inline(always)]
    pub fn extend_from_records<T>(
        &self,
        values: &mut Vec<T>,
        mut value: impl FnMut(&[AtomicU64]) -> T,
    ) {
        let Some(records) = &self.records else { return };
        records.each_run(&self.rows, |run| match run.listed {
            None => values.extend(run.records_from(0).take(run.len).map(&mut value)),
            Some(_) => values.extend((0..run.len).map(|k| value(run.record(k).1))),
        });
    }

    /// Calls `each` with the row and the record of every series, in order; series that were given
    /// one by one and have no labels have none.
    #[inline(always)]
    pub fn for_each_record(&self, each: impl FnMut(u32, &[AtomicU64])) {
        if let Some(records) = &self.records {
            records.each(&self.rows, each);
        }
    }

    /// The fragments of one series.
    pub fn fragments(&self, index: usize) -> Vec<&Fragment> {
        let mut fragments = Vec::new();
        let Some(records) = &self.records else {
            return fragments;
        };
        let layout = records.layout;
        let read = |_, record: &[AtomicU64]| {
            let ids = (0..layout.labels).map(|k| layout.fragment_id(record, k));
            fragments.extend(ids.map(|id| self.fragments.get(id)));
        };
        records.each(&self.rows.part(index..index + 1), read);
        fragments
    }
}

/// Collects the labels of a family that is built row by row.
#[derive(Debug)]
pub(crate) struct SeriesBuilder {
    names: Vec<LabelName>,
    fragments: Fragments,
    interned: Vec<HashMap<Box<str>, u32>>,
    next_fragment: u32,
    /// The fragment ids of every row, one after the other.
    ids: Vec<u32>,
    rows: HashSet<Box<[u32]>>,
}

impl SeriesBuilder {
    pub(crate) fn new(names: &[LabelName]) -> Self {
        Self {
            names: names.to_vec(),
            fragments: Fragments::default(),
            interned: names.iter().map(|_| HashMap::new()).collect(),
            next_fragment: 0,
            ids: Vec::new(),
            rows: HashSet::new(),
        }
    }

    /// Adds a row with one value a label, `None` or empty where it is absent.
    ///
    /// Returns whether the row is new.
    pub(crate) fn push<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) -> bool {
        let start = self.ids.len();
        for (k, value) in values.enumerate() {
            let id = self.intern(k, value.unwrap_or_default());
            self.ids.push(id);
        }
        if !self.rows.insert(self.ids[start..].into()) {
            self.ids.truncate(start);
            return false;
        }
        true
    }

    /// The number of rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    fn intern(&mut self, k: usize, value: &str) -> u32 {
        if let Some(&id) = self.interned[k].get(value) {
            return id;
        }
        let id = self.next_fragment;
        self.next_fragment += 1;
        let fragment = match value {
            "" => Fragment::absent().clone(),
            value => Fragment::new(&self.names[k], value, k == 0),
        };
        self.fragments.set(id, fragment);
        self.interned[k].insert(value.into(), id);
        id
    }

    pub(crate) fn finish(self) -> Series {
        let labels = self.names.len();
        let rows = Rows::first(self.rows.len());
        if labels == 0 {
            return Series::own(self.fragments, None, rows);
        }
        let layout = RecordLayout { width: labels.div_ceil(2), first_label: 0, labels };
        let words: Arc<[AtomicU64]> =
            (0..self.rows.len() * layout.width).map(|_| AtomicU64::new(0)).collect();
        for (record, ids) in words.chunks_exact(layout.width).zip(self.ids.chunks_exact(labels)) {
            for (k, &id) in ids.iter().enumerate() {
                layout.set_fragment_id(record, k, id);
            }
        }
        let records = Records::new(Arc::new(vec![words]), layout);
        Series::own(self.fragments, Some(records), rows)
    }
}

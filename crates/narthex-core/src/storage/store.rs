//! The series of one family: interned label values, records, and the way from one to the other.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use narthex_model::{Fragment, Fragments, LabelName, LabelSum, RecordLayout, Records, Rows};
use parking_lot::Mutex;

use super::cells::{LeasedCell, Near};
use super::dense::{DenseSeries, DenseSlots};
use super::directory::Directory;
use super::each_label;
use super::epochs::Epochs;
use super::expiry::Expiry;
use super::key::{Key, Seeds, SeriesHash, StoredKey, mixed, seeds};
use super::keys::Keys;
use super::long_values::LongValues;
use super::table::{Candidates, Growth, Table};
use crate::clock;

/// All series of a family. Lookups of known series take no lock and write nothing.
pub(crate) struct Store {
    names: Box<[LabelName]>,
    layout: RecordLayout,
    /// Words at the start of a record that hold the value.
    value_words: usize,
    seeds: Seeds,
    keys: Keys,
    /// Most families have none.
    long_values: OnceLock<Box<Directory<AtomicU64, 1>>>,
    records: Directory<AtomicU64, NEAR_CHUNKS>,
    /// Where label sets are found by their number.
    dense: DenseSlots,
    /// One more word for each record, where anything has asked for it.
    extras: OnceLock<Box<Directory<AtomicU64, 1>>>,
    /// When each record became a series, in milliseconds since the Unix epoch, where it is shown.
    created: Option<Box<Directory<AtomicU64, 1>>>,
    table: Table,
    /// Records before this one have a cell in each thread: their first word is a [`LeasedCell`].
    in_cells: u32,
    options: Options,
    expiry: Option<Box<Expiry>>,
    /// Lookups that were given the overflow series.
    overflowed: AtomicU64,
    writer: Mutex<Writer>,
}

/// How a family keeps its series, and what keeps it from growing without bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The most series, the overflow series not counted.
    pub(crate) series: usize,
    /// The most bytes of a label value.
    pub(crate) value_bytes: usize,
    /// After how much idle time a series is removed.
    pub(crate) idle: Option<Duration>,
    /// Whether every series has a cell in each thread, where the instrument can use one.
    pub(crate) per_thread: bool,
    /// Label sets that are found by their number; 0 where there is no end of them.
    pub(crate) dense: usize,
    /// Whether it is shown since when series count.
    pub(crate) created: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            series: usize::MAX,
            value_bytes: usize::MAX,
            idle: None,
            per_thread: false,
            dense: 0,
            created: false,
        }
    }
}

/// What only the writer sees.
struct Writer {
    growth: Growth,
    interned: Box<[HashTable<u32>]>,
    fragments: Fragments,
    /// Hashes of all fragments.
    hashes: Vec<u64>,
    free_fragments: Vec<u32>,
    /// Records that use each fragment.
    uses: Vec<u32>,
    long_values: LongValues,
    next_position: u32,
    chunks: Arc<Vec<Arc<[AtomicU64]>>>,
    removed: VecDeque<Removed>,
    live: Option<Live>,
    epochs: Epochs,
    swept: Instant,
    /// Where the overflow series is or was.
    overflow: Option<u32>,
}

/// Which records are live: snapshots share this until it changes.
#[derive(Clone)]
struct Live {
    state: LiveState,
    /// The live ones, where some are not.
    positions: Option<Arc<Vec<u32>>>,
    label_sum: Arc<LabelSum>,
}

/// What changes whenever a record comes alive or dies.
#[derive(Clone, Copy, PartialEq, Eq)]
struct LiveState {
    epoch: u64,
    next_position: u32,
    removed: usize,
}

/// A record that waits to be reused.
struct Removed {
    position: u32,
    epoch: u64,
    at: Instant,
}

/// Chunks of records near enough for [`Store::find_near`]: those of a small table.
pub(super) const NEAR_CHUNKS: usize = 9;

/// The value of every label of the series that counts for all that found the family full.
const OVERFLOW: &str = "overflow";

/// Series that fit the slots of a table, with room for the overflow series.
const MOST_SERIES: usize = 16_000_000;

/// How long a removed record rests before it is reused, beside waiting for snapshots: a thread
/// that looked the series up just before may still be about to count on it.
const REST: Duration = Duration::from_secs(60);

/// One series, borrowed from its store.
#[derive(Clone, Copy)]
pub(crate) struct Series<'s> {
    /// The words of the value.
    pub(crate) values: &'s [AtomicU64],
    pub(crate) position: u32,
}

/// The rows of a snapshot, and what keeps them from being reused.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) series: narthex_model::Series,
}

impl Store {
    /// Records in the first chunk, so that a family with few series stays small.
    const FIRST_RECORDS: u32 = 4;
    const CHUNK: u32 = 1 << Records::CHUNK_LOG;

    /// Records before this one are in chunks that are near: all those of a family of few series.
    pub(crate) const NEAR_RECORDS: u32 = NEAR_CHUNKS as u32 * Self::CHUNK;

    /// The records before `in_cells` have a cell in each thread.
    pub(crate) fn new(
        names: Vec<LabelName>,
        value_words: usize,
        options: Options,
        in_cells: u32,
    ) -> Self {
        let labels = names.len();
        let layout = RecordLayout {
            width: value_words + (1 + labels).div_ceil(2),
            first_label: 2 * value_words + 1,
            labels,
        };
        let writer = Writer {
            growth: Growth::new(),
            interned: names.iter().map(|_| HashTable::new()).collect(),
            fragments: Fragments::default(),
            hashes: Vec::new(),
            free_fragments: Vec::new(),
            uses: Vec::new(),
            long_values: LongValues::default(),
            next_position: 0,
            chunks: Arc::default(),
            removed: VecDeque::new(),
            live: None,
            epochs: Epochs::new(),
            swept: clock::now(),
            overflow: None,
        };
        Self {
            names: names.into(),
            layout,
            value_words,
            seeds: seeds(),
            keys: Keys::new(),
            long_values: OnceLock::new(),
            records: Directory::new(),
            dense: DenseSlots::new(options.dense),
            extras: OnceLock::new(),
            created: options.created.then(|| Box::new(Directory::new())),
            table: Table::new(),
            in_cells,
            options,
            expiry: options.idle.map(|after| Box::new(Expiry::new(after, clock::now()))),
            overflowed: AtomicU64::new(0),
            writer: Mutex::new(writer),
        }
    }

    /// The names of the labels, in the order in which values are given.
    pub(crate) fn names(&self) -> &[LabelName] {
        &self.names
    }

    /// The series of these values, made if there is none; the overflow series where the family may
    /// not have another. `None` only for a wrong number of values.
    #[inline(always)]
    pub(crate) fn with<const N: usize>(&self, values: &[&str; N]) -> Option<Series<'_>> {
        let series = match self.find_near(values) {
            Some(series) => series,
            // The values are copied first: handing these over would keep them in memory here.
            None => self.find_or_insert(&{ *values })?,
        };
        if let Some(expiry) = &self.expiry {
            expiry.mark(series.position);
        }
        Some(series)
    }

    /// The slots of label sets that are found by their number, for lookups that need not come here:
    /// none where series expire.
    pub(crate) fn dense_slots(&self) -> DenseSlots {
        if self.expiry.is_some() { DenseSlots::new(0) } else { self.dense.clone() }
    }

    /// The series of the label set with this number, if it is there.
    #[cold]
    #[inline(never)]
    pub(crate) fn dense(&self, index: usize) -> Option<DenseSeries> {
        let series = self.dense.get(index)?;
        if let Some(expiry) = &self.expiry {
            expiry.mark(series.position());
        }
        Some(series)
    }

    /// The series of these values, from now on to be found by the number of their set.
    #[cold]
    pub(crate) fn with_dense<const N: usize>(
        &self,
        index: usize,
        values: &[&str; N],
    ) -> Option<DenseSeries> {
        let series = self.dense_series(self.with(values)?);
        let _one_writer = self.writer.lock();
        // Not the overflow series, nor one that was removed meanwhile.
        let (hash, keys) = self.hash(values);
        let is_theirs = |found: Series<'_>| found.position == series.position();
        if self.find(hash, &keys, values).is_some_and(is_theirs) {
            self.dense.set(index, series);
        }
        Some(series)
    }

    /// A series with its cell, if it has one in each thread.
    fn dense_series(&self, series: Series<'_>) -> DenseSeries {
        let cell = self.cell(series).map_or(Near::NOWHERE, LeasedCell::near);
        DenseSeries::new(series.position, cell)
    }

    /// The cell of a series, if it has one in each thread.
    #[inline(always)]
    pub(crate) fn cell(&self, series: Series<'_>) -> Option<LeasedCell> {
        let word = series.values.first().filter(|_| series.position < self.in_cells)?;
        Some(LeasedCell::from_bits(word.load(Relaxed)))
    }

    /// All that the value of a series consists of.
    fn value(&self, series: Series<'_>) -> Vec<u64> {
        let words = series.values.iter().chain(self.extra(series.position));
        let mut value: Vec<_> = words.map(|word| word.load(Relaxed)).collect();
        if let Some(cell) = self.cell(series) {
            value[0] = cell.sum();
        }
        value
    }

    /// How many series of a snapshot have a cell in each thread; they come first.
    pub(crate) fn rows_in_cells(&self, snapshot: &Snapshot) -> usize {
        snapshot.series.rows_before(self.in_cells)
    }

    /// The series in a record.
    pub(crate) fn at(&self, position: u32) -> Option<Series<'_>> {
        let record = self.record(position)?;
        Some(Series { values: &record[..self.value_words], position })
    }

    /// Lookups so far that found the family full and were given its overflow series.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Relaxed)
    }

    /// Removes a series; returns whether it was there.
    pub(crate) fn remove<const N: usize>(&self, values: &[&str; N]) -> bool {
        let (hash, keys) = self.hash(values);
        let mut writer = self.writer.lock();
        let Some(position) = self.find(hash, &keys, values).map(|series| series.position) else {
            return false;
        };
        self.remove_at(&mut writer, position);
        true
    }

    /// Removes the series in this record if it is still the one of that generation.
    pub(crate) fn remove_record(&self, position: u32, generation: u32) {
        let mut writer = self.writer.lock();
        let record = self.record(position);
        let is_it =
            |record: &[AtomicU64]| record[self.value_words].load(Relaxed) as u32 == generation;
        if record.is_some_and(is_it) {
            self.remove_at(&mut writer, position);
        }
    }

    /// Removes what has been idle for too long, if the family's series expire.
    pub(crate) fn sweep(&self) {
        let Some(expiry) = &self.expiry else { return };
        let now = clock::now();
        self.writer.lock().swept = now;
        // While the snapshot lives, no record that is live now becomes another series.
        let snapshot = self.snapshot();
        let mut idle = Vec::new();
        snapshot.for_each_record(|position, record| {
            let value = self.value(Series { values: &record[..self.value_words], position });
            if expiry.sweep(position, &value, now) {
                idle.push(position);
            }
        });
        self.remove_live(&idle);
    }

    /// Removes every series for which `keep` does not hold, and gives their number.
    ///
    /// `keep` is called without a lock; a series made meanwhile stays.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&[&str]) -> bool) -> usize {
        let snapshot = self.snapshot();
        let mut doomed = Vec::new();
        let positions = snapshot.positions();
        let mut positions = positions.iter();
        snapshot.series.for_each_slice(|_, fragments| {
            let values: Vec<_> = fragments.iter().map(|fragment| fragment.value()).collect();
            let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            let position = positions.next();
            if !keep(&values) {
                doomed.extend(position.copied());
            }
        });
        // The snapshot keeps a record that somebody removed meanwhile from being reused, so what is
        // live still is the series that `keep` was asked about.
        self.remove_live(&doomed)
    }

    /// Removes the records that still are live, and gives their number.
    fn remove_live(&self, positions: &[u32]) -> usize {
        let mut writer = self.writer.lock();
        let live = positions.iter().filter(|&&position| self.is_live(position));
        live.map(|&position| self.remove_at(&mut writer, position)).count()
    }

    /// A snapshot of which series there are; values are read with [`Snapshot::for_each_record`].
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (hold, known, len, state) = {
            let writer = self.writer.lock();
            let (state, hold) = (writer.live_state(), writer.epochs.hold());
            let known = writer.live.as_ref().filter(|live| live.state == state);
            (hold, known.cloned(), writer.records(), state)
        };
        // While `hold` lives, no record that is live now is reused; which ones are live is found
        // without the lock, for there may be many.
        let live = known.unwrap_or_else(|| Live {
            state,
            positions: (state.removed > 0).then(|| Arc::new(self.live_positions())),
            label_sum: Arc::default(),
        });
        // Last, so that they hold every row just found and its text.
        let (fragments, chunks) = {
            let mut writer = self.writer.lock();
            if writer.live_state() == state {
                writer.live = Some(live.clone());
            }
            (writer.fragments.clone(), writer.chunks.clone())
        };
        let Live { positions, label_sum, .. } = live;
        let rows = positions.map_or(Rows::first(len), Rows::of_list);
        let records = Records::new(chunks, self.layout);
        let series = narthex_model::Series::shared(fragments, records, rows, hold, label_sum);
        Snapshot { series }
    }

    /// The number of series.
    pub(crate) fn len(&self) -> usize {
        let writer = self.writer.lock();
        writer.records() - writer.removed.len()
    }

    /// Whether any record may have an extra word.
    pub(crate) fn has_extras(&self) -> bool {
        self.extras.get().is_some()
    }

    /// The extra word of a record, if one was ever asked for near it.
    pub(crate) fn extra(&self, position: u32) -> Option<&AtomicU64> {
        let (chunk, at) = Self::record_place(position);
        self.extras.get()?.chunk(chunk)?.get(at)
    }

    /// The extra word of a record; the first in a chunk takes the writer's lock and 4 KiB.
    pub(crate) fn extra_or_new(&self, position: u32) -> &AtomicU64 {
        if let Some(extra) = self.extra(position) {
            return extra;
        }
        let _one_writer = self.writer.lock();
        let (chunk, at) = Self::record_place(position);
        let words = || (0..Self::chunk_records(chunk)).map(|_| AtomicU64::new(0)).collect();
        &self.extras.get_or_init(|| Box::new(Directory::new())).set(chunk, words)[at]
    }

    /// When a record became a series, in milliseconds since the Unix epoch, where it is shown.
    pub(crate) fn created(&self, position: u32) -> Option<i64> {
        let (chunk, at) = Self::record_place(position);
        Some(self.created.as_ref()?.chunk(chunk)?.get(at)?.load(Relaxed) as i64)
    }

    /// Whether it is shown since when series count.
    pub(crate) fn shows_created(&self) -> bool {
        self.created.is_some()
    }

    /// The chunk of a record, its offset in it, and its generation: what an owned handle keeps.
    pub(crate) fn owned(&self, position: u32) -> Option<(Arc<[AtomicU64]>, usize, u32)> {
        let (chunk, at) = Self::record_place(position);
        let chunk = self.records.chunk(chunk)?;
        let at = at * self.layout.width;
        let generation = chunk.get(at + self.value_words)?.load(Relaxed) as u32;
        Some((chunk.clone(), at, generation))
    }

    #[inline(always)]
    fn hash<const N: usize>(&self, values: &[&str; N]) -> (u64, [Key; N]) {
        let mut keys = [Key::default(); N];
        let mut hash = SeriesHash::new(&self.seeds);
        each_label!(N, k => {
            keys[k] = Key::new(self.seeds[k], values[k]);
            hash.add(k, keys[k].hash);
        });
        (hash.finish(N), keys)
    }

    /// The series of these values, if it is there and a lookup that goes no long way finds it: in a
    /// family of few series and label values, where no value is long.
    ///
    /// This is what is inlined where a counter is counted; [`find_or_insert`](Self::find_or_insert)
    /// does the rest.
    #[inline(always)]
    fn find_near<const N: usize>(&self, values: &[&str; N]) -> Option<Series<'_>> {
        let slots = self.table.small()?;
        if values.iter().fold(0, |lengths, value| lengths | value.len()) > StoredKey::EXACT {
            return None;
        }
        let (hash, keys) = self.hash(values);
        let listed = self.keys.listed();
        let chunk = |index| self.records.near_chunk(index);
        let is = |id: u32, key, value: &str| {
            listed.get(id as usize).is_some_and(|there| there.agrees(key, value))
        };
        self.find_among(Candidates::new(slots, hash), &keys, values, chunk, is)
    }

    /// The series of these values, if it is there.
    #[inline(always)]
    fn find<const N: usize>(
        &self,
        hash: u64,
        keys: &[Key; N],
        values: &[&str; N],
    ) -> Option<Series<'_>> {
        let candidates = self.table.candidates(hash);
        let stored = self.keys.view();
        let chunk = |index| self.records.chunk(index);
        let is =
            |id, key, value: &str| stored.get(id).is_some_and(|there| self.is(there, key, value));
        self.find_among(candidates, keys, values, chunk, is)
    }

    /// The candidate whose label values are these.
    #[inline(always)]
    fn find_among<'s, const N: usize>(
        &'s self,
        mut candidates: Candidates<'s>,
        keys: &[Key; N],
        values: &[&str; N],
        chunk: impl Fn(usize) -> Option<&'s Arc<[AtomicU64]>>,
        is: impl Fn(u32, Key, &str) -> bool,
    ) -> Option<Series<'s>> {
        if N != self.names.len() {
            return None;
        }
        // A loop, not a closure: the compiler would make the comparison a function of its own and
        // hand it the keys through memory.
        'candidates: while let Some(position) = candidates.next() {
            let (index, at) = Self::record_place(position);
            // The rest of the chunk follows the record: how long it is need not be looked at.
            let record = chunk(index)?.get(at * self.layout.width..)?;
            let (words, labels) = record.split_at_checked(self.value_words)?;
            // The generation is in the first half word, and in the others are the fragment ids. This is
            // `RecordLayout::fragment_id` with constant places.
            let labels = labels.get(..N / 2 + 1)?;
            each_label!(N, k => {
                let half = k + 1;
                let id = (labels[half / 2].load(Relaxed) >> (32 * (half % 2))) as u32;
                if !is(id, keys[k], values[k]) {
                    continue 'candidates;
                }
            });
            return Some(Series { values: words, position });
        }
        None
    }

    /// Whether a fragment's key is that of this value, and not of another that is too long for one.
    #[inline(always)]
    fn is(&self, there: &StoredKey, key: Key, value: &str) -> bool {
        there.agrees(key, value)
            && (value.len() <= StoredKey::EXACT || self.is_long_value(there, value))
    }

    #[cold]
    fn is_long_value(&self, there: &StoredKey, value: &str) -> bool {
        let words = self.long_values.get();
        words.is_some_and(|words| LongValues::equals(words, there.start(), value.as_bytes()))
    }

    /// The series of these values wherever it is, made if there is none. Apart, so that its loads and
    /// jumps are not where a counter is counted; not cold, for large families come here each time.
    #[inline(never)]
    fn find_or_insert<const N: usize>(&self, values: &[&str; N]) -> Option<Series<'_>> {
        let (hash, keys) = self.hash(values);
        match self.find(hash, &keys, values) {
            Some(series) => Some(series),
            None => self.insert_or_overflow(hash, &keys, values),
        }
    }

    #[cold]
    fn insert_or_overflow<const N: usize>(
        &self,
        hash: u64,
        keys: &[Key; N],
        values: &[&str; N],
    ) -> Option<Series<'_>> {
        if N != self.names.len() {
            return None;
        }
        if let Some(expiry) = &self.expiry
            && self.writer.lock().swept + expiry.after() <= clock::now()
        {
            // Nobody scrapes: whoever makes series also makes room.
            self.sweep();
        }
        let mut writer = self.writer.lock();
        if let Some(series) = self.find(hash, keys, values) {
            return Some(series);
        }
        let overflow = writer.overflow.is_some_and(|position| self.is_live(position));
        let live = writer.records() - writer.removed.len() - usize::from(overflow);
        let fits = values.iter().all(|value| value.len() <= self.options.value_bytes);
        if fits && live < self.options.series.min(MOST_SERIES) {
            return self.insert(&mut writer, hash, keys, values);
        }
        self.overflowed.fetch_add(1, Relaxed);
        let values = [OVERFLOW; N];
        let (hash, keys) = self.hash(&values);
        let series = match self.find(hash, &keys, &values) {
            Some(series) => series,
            None => self.insert(&mut writer, hash, &keys, &values)?,
        };
        writer.overflow = Some(series.position);
        Some(series)
    }

    /// Makes a series that is not there.
    fn insert<const N: usize>(
        &self,
        writer: &mut Writer,
        hash: u64,
        keys: &[Key; N],
        values: &[&str; N],
    ) -> Option<Series<'_>> {
        let position = self.free_position(writer)?;
        if let Some(expiry) = &self.expiry {
            expiry.begin(position, clock::now());
        }
        let (chunk, at) = Self::record_place(position);
        let record = &self.records.chunk(chunk)?[at * self.layout.width..];
        let record = &record[..self.layout.width];
        for (k, (key, value)) in keys.iter().zip(values).enumerate() {
            let id = self.intern(writer, k, key, value);
            writer.uses[id as usize] += 1;
            self.layout.set_fragment_id(record, k, id);
        }
        let values = &record[..self.value_words];
        values.iter().for_each(|word| word.store(0, Relaxed));
        if let Some(created) = &self.created {
            let words = || (0..Self::chunk_records(chunk)).map(|_| AtomicU64::new(0)).collect();
            // Relaxed: the slot that leads here is published afterwards.
            created.set(chunk, words)[at].store(clock::unix_millis() as u64, Relaxed);
        }
        if position < self.in_cells {
            values.first()?.store(LeasedCell::lease()?.bits(), Relaxed);
        }
        self.bump_generation(record);
        let hashes_of = |positions: &[u32]| self.hashes_of(&writer.hashes, positions);
        if !self.table.insert(&mut writer.growth, hash, position, hashes_of) {
            self.retire(writer, position);
            return None;
        }
        Some(Series { values, position })
    }

    /// A record to use: one that has rested long enough, or a new one.
    fn free_position(&self, writer: &mut Writer) -> Option<u32> {
        if let Some(oldest) = writer.removed.front()
            && clock::now().saturating_duration_since(oldest.at) >= REST
            && writer.epochs.is_over(oldest.epoch)
        {
            let position = writer.removed.pop_front()?.position;
            self.release_labels(writer, position);
            return Some(position);
        }
        let position = writer.next_position;
        if position > Table::MAX_POSITION {
            return None;
        }
        let (chunk, _) = Self::record_place(position);
        if chunk == writer.chunks.len() {
            let words = Self::chunk_records(chunk) * self.layout.width;
            let words = || (0..words).map(|_| AtomicU64::new(0)).collect();
            let records = self.records.set(chunk, words).clone();
            Arc::make_mut(&mut writer.chunks).push(records);
        }
        writer.next_position =
            if position + 1 == Self::FIRST_RECORDS { Self::CHUNK } else { position + 1 };
        Some(position)
    }

    /// Gives back what a removed record still held of its labels.
    fn release_labels(&self, writer: &mut Writer, position: u32) {
        let Some(record) = self.record(position) else { return };
        for k in 0..self.layout.labels {
            let id = self.layout.fragment_id(record, k);
            writer.uses[id as usize] -= 1;
            if writer.uses[id as usize] == 0 {
                self.forget(writer, k, id);
            }
        }
        if let Some(extra) = self.extra(position) {
            extra.store(0, Relaxed);
        }
        self.release_cell(position);
    }

    /// Gives back the cell of a record: no thread can be about to count there any more.
    fn release_cell(&self, position: u32) {
        if let Some(cell) = self.at(position).and_then(|series| self.cell(series)) {
            cell.give_back();
        }
    }

    /// The fragment of a value of label `k`.
    fn intern(&self, writer: &mut Writer, k: usize, key: &Key, value: &str) -> u32 {
        let stored = self.keys.view();
        let is_this = |&id: &u32| stored.get(id).is_some_and(|there| self.is(there, *key, value));
        match writer.interned[k].find(mixed(key.hash, self.seeds[k]), is_this) {
            Some(&id) => id,
            None => self.intern_new(writer, k, key, value),
        }
    }

    /// A fragment for a value that label `k` does not have.
    #[cold]
    fn intern_new(&self, writer: &mut Writer, k: usize, key: &Key, value: &str) -> u32 {
        let id = writer.free_fragments.pop().unwrap_or_else(|| {
            writer.uses.push(0);
            writer.hashes.push(0);
            writer.hashes.len() as u32 - 1
        });
        writer.hashes[id as usize] = key.hash;
        let fragment = match value {
            "" => Fragment::absent().clone(),
            value => Fragment::new(&self.names[k], value, k == 0),
        };
        writer.fragments.set(id, fragment);
        let start = match value.len() > StoredKey::EXACT {
            true => {
                let words = self.long_values.get_or_init(|| Box::new(Directory::new()));
                writer.long_values.add(words, value.as_bytes())
            }
            false => 0,
        };
        self.keys.set(id, value, start);
        let (hashes, seed) = (&writer.hashes, self.seeds[k]);
        let hash_of = |&id: &u32| mixed(hashes[id as usize], seed);
        writer.interned[k].insert_unique(hash_of(&id), id, hash_of);
        id
    }

    /// Frees a fragment that no record uses.
    fn forget(&self, writer: &mut Writer, k: usize, id: u32) {
        let hash = mixed(writer.hashes[id as usize], self.seeds[k]);
        if let Ok(entry) = writer.interned[k].find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        let keys = self.keys.view();
        if let Some(key) = keys.get(id)
            && key.len() as usize > StoredKey::EXACT
        {
            writer.long_values.free(key.start(), key.len());
        }
        writer.fragments.forget(id);
        writer.free_fragments.push(id);
    }

    fn remove_at(&self, writer: &mut Writer, position: u32) {
        let hash = self.hash_of(writer, position);
        let hashes_of = |positions: &[u32]| self.hashes_of(&writer.hashes, positions);
        if self.table.remove(&mut writer.growth, hash, position, hashes_of) {
            self.retire(writer, position);
        }
    }

    /// Lets a record rest that no lookup finds any more.
    fn retire(&self, writer: &mut Writer, position: u32) {
        if let Some(record) = self.record(position) {
            self.bump_generation(record);
        }
        // Who looks this set up from here on makes a new series.
        self.dense.clear(position);
        let epoch = writer.epochs.end();
        writer.removed.push_back(Removed { position, epoch, at: clock::now() });
    }

    /// Makes a dead record live or a live one dead: odd generations are live.
    fn bump_generation(&self, record: &[AtomicU64]) {
        // The low half only: the high half is the first label's fragment.
        let word = &record[self.value_words];
        let old = word.load(Relaxed);
        let generation = (old as u32).wrapping_add(1);
        word.store(old & !u64::from(u32::MAX) | u64::from(generation), Relaxed);
    }

    /// The generation of the record's series, if it is that of one.
    pub(crate) fn live_generation(&self, position: u32) -> Option<u32> {
        let record = self.record(position)?;
        let generation = record[self.value_words].load(Relaxed) as u32;
        (generation & 1 == 1).then_some(generation)
    }

    /// Whether the record is that of a series.
    fn is_live(&self, position: u32) -> bool {
        self.record(position).is_some_and(|record| record[self.value_words].load(Relaxed) & 1 == 1)
    }

    fn live_positions(&self) -> Vec<u32> {
        let mut live = Vec::new();
        for index in 0.. {
            let Some(chunk) = self.records.chunk(index) else { break };
            let start = (index as u32) << Records::CHUNK_LOG;
            for (at, record) in chunk.chunks_exact(self.layout.width).enumerate() {
                if record[self.value_words].load(Relaxed) & 1 == 1 {
                    live.push(start + at as u32);
                }
            }
        }
        live
    }

    fn hash_of(&self, writer: &Writer, position: u32) -> u64 {
        self.hashes_of(&writer.hashes, &[position])[0]
    }

    /// The hashes of stored series, put together from those of all fragments.
    ///
    /// Each loop reads once where a cache may miss and does little else, so that many of these reads
    /// are under way at a time. Random reads of 32 MiB took 15 ns each like this, and 170 ns where
    /// each had to wait for the one before.
    fn hashes_of(&self, of_fragments: &[u64], positions: &[u32]) -> Vec<u64> {
        let record = |&position| self.record(position).unwrap_or_default();
        let records: Vec<_> = positions.iter().map(record).collect();
        let mut hashes = vec![SeriesHash::new(&self.seeds); records.len()];
        for k in 0..self.layout.labels {
            let id = |record: &&[AtomicU64]| self.layout.fragment_id(record, k);
            let ids: Vec<_> = records.iter().map(id).collect();
            for (hash, id) in hashes.iter_mut().zip(ids) {
                hash.add(k, of_fragments[id as usize]);
            }
        }
        hashes.into_iter().map(|hash| hash.finish(self.layout.labels)).collect()
    }

    #[inline(always)]
    fn record(&self, position: u32) -> Option<&[AtomicU64]> {
        let (chunk, at) = Self::record_place(position);
        let at = at * self.layout.width;
        self.records.chunk(chunk)?.get(at..at + self.layout.width)
    }

    /// The chunk of a record, and which it is there.
    #[inline(always)]
    pub(crate) fn record_place(position: u32) -> (usize, usize) {
        ((position >> Records::CHUNK_LOG) as usize, (position & (Self::CHUNK - 1)) as usize)
    }

    /// The position of a record by its place.
    pub(crate) fn position_at(chunk: usize, at: usize) -> u32 {
        ((chunk as u32) << Records::CHUNK_LOG) + at as u32
    }

    /// The records that a chunk holds.
    pub(crate) fn chunk_records(chunk: usize) -> usize {
        if chunk == 0 { Self::FIRST_RECORDS as usize } else { Self::CHUNK as usize }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let made = self.writer.get_mut().next_position.min(self.in_cells);
        // Positions that no record has are skipped.
        (0..made).for_each(|position| self.release_cell(position));
    }
}

impl Writer {
    fn live_state(&self) -> LiveState {
        let (epoch, removed) = (self.epochs.number(), self.removed.len());
        LiveState { epoch, next_position: self.next_position, removed }
    }

    /// Records made so far, removed ones included.
    fn records(&self) -> usize {
        let first = Store::FIRST_RECORDS;
        let skipped = if self.next_position > first { Store::CHUNK - first } else { 0 };
        (self.next_position - skipped) as usize
    }
}

impl Snapshot {
    /// The number of series.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// The series of these rows, which lie in `range`.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { series: self.series.part(range) }
    }

    /// Appends to `values` what `value` makes of the record of every series, in order.
    #[inline(always)]
    pub(crate) fn extend_from_records<T>(
        &self,
        values: &mut Vec<T>,
        value: impl FnMut(&[AtomicU64]) -> T,
    ) {
        self.series.extend_from_records(values, value);
    }

    /// Calls `each` with the position and the record of every series, in order.
    #[inline(always)]
    pub(crate) fn for_each_record(&self, each: impl FnMut(u32, &[AtomicU64])) {
        self.series.for_each_record(each);
    }

    fn positions(&self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.len());
        self.for_each_record(|position, _| positions.push(position));
        positions
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

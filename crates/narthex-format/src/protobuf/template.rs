//! `Metric` messages by moves of fixed size.
//!
//! A label fragment is text such as `,path="/a"`, and a `LabelPair` has the same name and value in
//! the same order: tag, length, tag, length, `path`, tag, length, `/a`. Put down three bytes later,
//! the fragment's name and value are where the message has them, and only what stands around them
//! is written over: the comma by the length of the name, `="` by the tag and length of the value.

use narthex_model::{Escaping, Fragment, Histogram, Label, LabelName, MetricFamily};

use super::spelled::number_field;
use super::wire::{double_tag, field, length_tag, push_constant_label, varint_len, varint_tag};
use crate::blocks::{Blocks, Padded, put_text};
use crate::labels::outer_constants;
use crate::output::{LINE, Output};

/// A length below this takes one byte.
const SHORT: usize = 0x80;

/// Bytes in which a label is put together: four before a name that has at most 255, and two after
/// it. Whatever blocks a short label has lie in there as well.
const PAIR: usize = 4 + u8::MAX as usize + 2;

/// The most labels that loops are made for.
pub(super) const MOST_LABELS: usize = 8;

/// Everything in a family's metrics but the labels that tell series apart, and the values.
#[derive(Default)]
pub(super) struct Template {
    /// The labels before the series' own.
    before: Padded,
    /// The labels after them.
    after: Padded,
    frames: [Frame; MOST_LABELS],
    /// What stands before a number: tag and length of its field, its own tag; and a byte of padding,
    /// for four are put down at once.
    number_head: [u8; 4],
}

/// Bytes of a number's field: its tag and length, the tag of the number, the number.
const NUMBER: usize = 3 + size_of::<f64>();

/// What stands around the name and the value of a label.
#[derive(Clone, Copy, Default)]
struct Frame {
    /// Tag and length of the pair, tag and length of the name.
    head: u32,
    /// Tag and length of the value.
    middle: u16,
    name_len: u8,
}

impl Frame {
    /// The second byte of `head` and `middle` is a length. It is given for a pair that took no bytes
    /// at all, so that those it takes are added to it.
    fn new(name: &LabelName) -> Self {
        let name_len = name.as_str().len() as u8;
        let (pair, name) = (length_tag(field::metric::LABEL), length_tag(field::label::NAME));
        let value = length_tag(field::label::VALUE);
        let head = u32::from_le_bytes([pair, 0, name, name_len]).wrapping_sub(2 << 8);
        let middle = u16::from_le_bytes([value, 0]).wrapping_sub((6 + u16::from(name_len)) << 8);
        Self { head, middle, name_len }
    }
}

impl Template {
    /// Whether the metrics of the family are constant labels, fragments, and a value.
    pub(super) fn suits(family: &MetricFamily) -> bool {
        let short = |name: &LabelName| name.is_classic() && name.as_str().len() < SHORT;
        family.timestamps().is_none()
            && family.created().is_none()
            && family.exemplars().is_none()
            && family.metadata().label_names().iter().all(short)
            && outer_constants(family).is_some()
    }

    /// Makes this the template of the family; `text` is used along the way.
    pub(super) fn set(&mut self, family: &MetricFamily, escaping: Escaping, text: &mut Vec<u8>) {
        let (before, after) = outer_constants(family).unwrap_or_default();
        let push_all = |labels: &[Label], text: &mut Vec<u8>| {
            text.clear();
            for label in labels {
                push_constant_label(text, field::metric::LABEL, label, escaping);
            }
        };
        push_all(before, text);
        self.before.set(text);
        push_all(after, text);
        self.after.set(text);
        for (frame, name) in self.frames.iter_mut().zip(family.metadata().label_names()) {
            *frame = Frame::new(name);
        }
        let (number, value) = (number_field(family.metric_type()), field::number::VALUE);
        self.number_head = [length_tag(number), NUMBER as u8 - 2, double_tag(value), 0];
    }

    /// Bytes that a metric of a number has beside its own labels, and that all have.
    pub(super) fn constant_len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Bytes of a metric with a number and these labels; `None` where it must be spelled out.
    #[inline(always)]
    pub(super) fn number_len<const N: usize>(&self, fragments: &[&Fragment; N]) -> Option<usize> {
        Some(field_len(self.labels_len(fragments)? + NUMBER))
    }

    /// Puts a metric with a number together and returns its length; `None` where it must be
    /// spelled out.
    #[inline(always)]
    pub(super) fn put_number<const N: usize>(
        &self,
        line: &mut [u8; LINE],
        fragments: &[&Fragment; N],
        value: f64,
    ) -> Option<usize> {
        let len = self.labels_len(fragments)? + NUMBER;
        let at = self.put_labels(line, len, fragments)?;
        // One check for both moves.
        let field: &mut [u8; NUMBER] = line.get_mut(at..)?.first_chunk_mut()?;
        field[..4].copy_from_slice(&self.number_head);
        field[3..].copy_from_slice(&value.to_le_bytes());
        Some(at + NUMBER)
    }

    /// Bytes of a metric with a histogram and these labels; `None` where it must be spelled out.
    #[inline(always)]
    pub(super) fn histogram_len<const N: usize>(
        &self,
        fragments: &[&Fragment; N],
        histogram: Histogram<'_>,
    ) -> Option<usize> {
        let histogram = Totals::of(histogram).len;
        Some(field_len(self.labels_len(fragments)? + field_len(histogram)))
    }

    /// Writes a metric with a histogram; `None` where it must be spelled out, before anything is
    /// written.
    #[inline(always)]
    pub(super) fn write_histogram<const N: usize>(
        &self,
        output: &mut Output<'_>,
        fragments: &[&Fragment; N],
        histogram: Histogram<'_>,
    ) -> Option<()> {
        let totals = Totals::of(histogram);
        let len = self.labels_len(fragments)? + field_len(totals.len);
        let line = output.line();
        let at = self.put_labels(line, len, fragments)?;
        let at = put(line, at, [length_tag(field::metric::HISTOGRAM)])?;
        let at = put_varint(line, at, totals.len as u64)?;
        let at = put(line, at, [varint_tag(field::histogram::COUNT)])?;
        let at = put_varint(line, at, totals.count)?;
        let at = put(line, at, [double_tag(field::histogram::SUM)])?;
        let at = put(line, at, histogram.sum().to_le_bytes())?;
        output.keep(at);
        for (bound, count) in histogram.buckets() {
            let len = put_bucket(output.line(), bound, count);
            output.keep(len);
        }
        Some(())
    }

    /// Bytes of a metric's labels; `None` where a label is not as its fragment has it, or not short.
    #[inline(always)]
    fn labels_len<const N: usize>(&self, fragments: &[&Fragment; N]) -> Option<usize> {
        let pairs: usize = fragments.iter().map(|fragment| fragment.pair_len()).sum();
        // None of them is an odd one if not even their sum is as long.
        let fit = pairs < usize::from(Fragment::OTHER_PAIR);
        fit.then_some(self.before.len() + pairs + self.after.len())
    }

    /// Puts down the beginning of a metric of `len` bytes, up to what its series has for itself.
    #[inline(always)]
    fn put_labels<const N: usize>(
        &self,
        line: &mut [u8; LINE],
        len: usize,
        fragments: &[&Fragment; N],
    ) -> Option<usize> {
        let mut at = if len < SHORT {
            line[1] = len as u8;
            2
        } else {
            put_varint(line, 1, len as u64)?
        };
        line[0] = length_tag(field::family::METRIC);
        if self.before.len() > 0 {
            at = put_text(line, at, &self.before)?;
        }
        // A loop over `N` would stay one, as in the text format.
        macro_rules! put {
            ($($k:literal)*) => {
                $(if let Some(fragment) = fragments.get($k) {
                    at = self.put_pair(line, at, fragment, $k)?;
                })*
            };
        }
        put!(0 1 2 3 4 5 6 7);
        if self.after.len() > 0 {
            at = put_text(line, at, &self.after)?;
        }
        Some(at)
    }

    /// Puts down the `LabelPair` of label `k`.
    ///
    /// That of an absent label takes no bytes, so that what follows is put over it.
    #[inline(always)]
    fn put_pair(
        &self,
        line: &mut [u8; LINE],
        at: usize,
        fragment: &Fragment,
        k: usize,
    ) -> Option<usize> {
        // One check for all moves within the pair.
        let line: &mut [u8; PAIR] = line.get_mut(at..at + PAIR)?.first_chunk_mut()?;
        let Frame { head, middle, name_len } = self.frames[k];
        // The first fragment of a series has no comma.
        put_text(line, 3 + usize::from(k == 0), fragment)?;
        let len = (fragment.pair_len() as u32) << 8;
        put(line, 0, head.wrapping_add(len).to_le_bytes())?;
        put(line, 4 + usize::from(name_len), middle.wrapping_add(len as u16).to_le_bytes())?;
        Some(at + fragment.pair_len())
    }
}

/// What a histogram's message needs to know before its buckets are written.
struct Totals {
    count: u64,
    /// Bytes of the message.
    len: usize,
}

impl Totals {
    #[inline(always)]
    fn of(histogram: Histogram<'_>) -> Self {
        let counts = histogram.counts();
        let (mut count, mut varints) = (0u64, 0);
        for own in counts {
            count = count.wrapping_add(*own);
            varints += varint_len(count);
        }
        // A bucket has a tag and a length, and then its count and its bound after their tags.
        let buckets = counts.len() * (2 + 1 + 1 + size_of::<f64>()) + varints;
        Self { count, len: 1 + varint_len(count) + 1 + size_of::<f64>() + buckets }
    }
}

/// Bytes of a message with its tag and length.
#[inline(always)]
fn field_len(message: usize) -> usize {
    let len = if message < SHORT { 1 } else { varint_len(message as u64) };
    1 + len + message
}

#[inline(always)]
fn put_bucket(line: &mut [u8; LINE], bound: f64, count: u64) -> usize {
    const HEAD: usize = 3;
    let Some(at) = put_varint(line, HEAD, count) else {
        return 0;
    };
    let len = at - HEAD + 2 + size_of::<f64>();
    line[0] = length_tag(field::histogram::BUCKET);
    line[1] = len as u8;
    line[2] = varint_tag(field::bucket::COUNT);
    let at = put(line, at, [double_tag(field::bucket::BOUND)]);
    let end = at.and_then(|at| put(line, at, bound.to_le_bytes()));
    end.expect("a bucket is shorter than a line")
}

#[inline(always)]
fn put<const LINE: usize, const N: usize>(
    line: &mut [u8; LINE],
    at: usize,
    bytes: [u8; N],
) -> Option<usize> {
    *line.get_mut(at..)?.first_chunk_mut()? = bytes;
    Some(at + N)
}

#[inline(always)]
fn put_varint(line: &mut [u8; LINE], at: usize, value: u64) -> Option<usize> {
    let len = varint_len(value);
    if value >> 28 != 0 {
        return put_long_varint(line, at, value);
    }
    // The groups of seven bits, moved to a byte each, all at once.
    let value = value as u32;
    let groups =
        value & 0x7f | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0xfe0_0000) << 3;
    let more = 0x0080_8080_u32 & ((1u32 << (8 * (len - 1))) - 1);
    put(line, at, (groups | more).to_le_bytes())?;
    Some(at + len)
}

#[cold]
fn put_long_varint(line: &mut [u8; LINE], at: usize, mut value: u64) -> Option<usize> {
    let len = varint_len(value);
    for byte in line.get_mut(at..at + len)? {
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    line[at + len - 1] &= 0x7f;
    Some(at + len)
}

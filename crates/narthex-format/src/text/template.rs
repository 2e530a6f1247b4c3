//! Lines by moves of fixed size.

use narthex_model::{BLOCK, Bounds, Fragment};

use super::shown::Shown;
use super::spelled::Sample;
use crate::blocks::{Blocks, LABELS_END, Padded, put_text};
use crate::labels::outer_constants;
use crate::number::{Numeral, ROOM, Spelling};
use crate::output::LINE;

/// Everything in a family's lines but the labels that tell series apart, and the values.
#[derive(Default)]
pub(super) struct Template {
    /// Such as `http_requests_total{cluster="a",`.
    head: Padded,
    /// Such as `,zone="b"} `.
    tail: Padded,
}

impl Template {
    /// Whether lines of the family are a head, the fragments as they are, and a tail.
    pub(super) fn suits(shown: &Shown<'_>) -> bool {
        shown.family.timestamps().is_none()
            && !shown.shows_exemplars()
            && !shown.shows_created()
            && shown.takes_fragments()
            && outer_constants(shown.family).is_some()
    }

    /// Makes this the template of one of the family's samples; `text` is used along the way.
    pub(super) fn set(&mut self, shown: &Shown<'_>, sample: Sample, text: &mut Vec<u8>) {
        set_head(&mut self.head, shown, sample, text);
        set_tail(&mut self.tail, shown, sample, text);
    }

    /// Whether nothing follows the labels that tell series apart.
    #[inline(always)]
    fn ends_at_once(&self) -> bool {
        self.tail.len() == LABELS_END.len()
    }

    /// Puts a line together and returns its length; `None` where it is too long or begins with an
    /// absent label.
    #[inline(always)]
    pub(super) fn put_line<S: Spelling, const N: usize>(
        &self,
        line: &mut [u8; LINE],
        fragments: &[&Fragment; N],
        value: impl Numeral,
    ) -> Option<usize> {
        let at = put_labels(line, &self.head, fragments)?;
        // The end of the labels stands in the padding of every fragment already.
        let at = if self.ends_at_once() {
            at + LABELS_END.len()
        } else {
            put_text(line, at, &self.tail)?
        };
        put_value::<S>(line, at, value)
    }
}

/// The templates of a histogram family's lines.
#[derive(Default)]
pub(super) struct HistogramTemplate {
    bucket_head: Padded,
    /// One a bucket, such as `,le="0.5"} `; surplus ones are of families before.
    bucket_tails: Vec<Padded>,
    pub(super) sum: Template,
    pub(super) count: Template,
}

impl HistogramTemplate {
    /// Makes these the templates of the family; `text` is used along the way.
    pub(super) fn set(&mut self, shown: &Shown<'_>, bounds: &Bounds, text: &mut Vec<u8>) {
        set_head(&mut self.bucket_head, shown, Sample::Bucket(f64::INFINITY), text);
        if self.bucket_tails.len() < bounds.buckets() {
            self.bucket_tails.resize_with(bounds.buckets(), Padded::default);
        }
        let bounds = bounds.as_slice().iter().copied().chain([f64::INFINITY]);
        for (tail, bound) in self.bucket_tails.iter_mut().zip(bounds) {
            set_tail(tail, shown, Sample::Bucket(bound), text);
        }
        self.sum.set(shown, Sample::Sum, text);
        self.count.set(shown, Sample::Count, text);
    }

    /// Puts together what all bucket lines of a series begin with.
    #[inline(always)]
    pub(super) fn put_start<const N: usize>(
        &self,
        start: &mut [u8; LINE],
        fragments: &[&Fragment; N],
    ) -> Option<usize> {
        put_labels(start, &self.bucket_head, fragments)
    }

    /// What follows it, at least one a bucket.
    #[inline(always)]
    pub(super) fn bucket_tails(&self) -> impl Iterator<Item = &Padded> {
        self.bucket_tails.iter()
    }
}

/// Puts a bucket line together and returns its length; `None` where it is too long.
#[inline(always)]
pub(super) fn put_bucket_line<S: Spelling>(
    line: &mut [u8; LINE],
    start: &[u8; LINE],
    start_len: usize,
    tail: &Padded,
    count: u64,
) -> Option<usize> {
    let blocks = start.as_chunks::<BLOCK>().0.iter().take(start_len.div_ceil(BLOCK));
    for (to, from) in line.as_chunks_mut::<BLOCK>().0.iter_mut().zip(blocks) {
        *to = *from;
    }
    let at = put_text(line, start_len, tail)?;
    put_value::<S>(line, at, count)
}

fn set_head(head: &mut Padded, shown: &Shown<'_>, sample: Sample, text: &mut Vec<u8>) {
    let (before, _) = outer_constants(shown.family).unwrap_or_default();
    text.clear();
    shown.push_start(text, sample);
    if !text.ends_with(b"{") {
        text.push(b',');
    }
    for label in before {
        shown.push_label(text, label);
        text.push(b',');
    }
    head.set(text);
}

fn set_tail(tail: &mut Padded, shown: &Shown<'_>, sample: Sample, text: &mut Vec<u8>) {
    let (_, after) = outer_constants(shown.family).unwrap_or_default();
    text.clear();
    for label in after {
        text.push(b',');
        shown.push_label(text, label);
    }
    if let Sample::Bucket(_) = sample {
        text.push(b',');
        sample.push_own_label(text, shown);
    }
    text.extend_from_slice(LABELS_END);
    tail.set(text);
}

/// Puts the head and the labels at the start of a line and returns where they end.
#[inline(always)]
fn put_labels<const N: usize>(
    line: &mut [u8; LINE],
    head: &Padded,
    fragments: &[&Fragment; N],
) -> Option<usize> {
    // The fragments after the first begin with a comma, which must not be the first thing in the
    // braces.
    if fragments.first().is_none_or(|fragment| fragment.is_empty()) {
        return None;
    }
    let mut at = put_text(line, 0, head)?;
    // A loop over `N` would stay one, at twice the time of the line: the compiler does not unroll
    // bodies of this size.
    macro_rules! put {
        ($($k:literal)*) => {
            $(if let Some(&fragment) = fragments.get($k) {
                at = put_text(line, at, fragment)?;
            })*
        };
    }
    put!(0 1 2 3 4 5 6 7);
    Some(at)
}

/// Puts the value and the line's end at `at` and returns the length of the line.
#[inline(always)]
fn put_value<S: Spelling>(line: &mut [u8; LINE], at: usize, value: impl Numeral) -> Option<usize> {
    let room = line.get_mut(at..)?.first_chunk_mut::<ROOM>()?;
    Some(at + value.end_line::<S>(room))
}

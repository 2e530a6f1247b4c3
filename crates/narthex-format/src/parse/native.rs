//! Native histograms, put together from what a page gives of them.

use narthex_model::{NativeBuckets, NativeHistogram, Number, Schema, Span, ZeroBucket};

use super::parts::whole;
use crate::number::{Plain, push_number};

/// A native histogram as a page gives it.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) schema: i64,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: Option<Number>,
    pub(super) positive: Side,
    pub(super) negative: Side,
}

/// The buckets on one side of zero.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) spans: Vec<Span>,
    pub(super) counts: Vec<Number>,
    /// The same as differences, which count where there are any.
    pub(super) deltas: Vec<i64>,
}

impl Draft {
    /// Whether there is anything that a classic histogram does not have; as servers decide it.
    pub(super) fn is_native(&self) -> bool {
        self.zero_threshold > 0.0
            || self.zero_count.is_some_and(|count| count.as_f64() > 0.0)
            || !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
    }

    /// The histogram with this count and sum, or why the model cannot hold it.
    pub(super) fn finish(self, count: Number, sum: f64) -> Result<NativeHistogram, String> {
        let schema = i32::try_from(self.schema).ok().and_then(Schema::new);
        let schema = schema.ok_or_else(|| {
            format!("{} is not a schema with exponential buckets, which are -4 to 8", self.schema)
        })?;
        let zero_count = self.zero_count.map_or(Ok(0), whole_count)?;
        let zero = ZeroBucket { threshold: self.zero_threshold, count: zero_count };
        let (positive, negative) = (self.positive.finish()?, self.negative.finish()?);
        NativeHistogram::new(schema, zero, positive, negative, whole_count(count)?, sum)
            .map_err(|error| error.to_string())
    }
}

impl Side {
    fn finish(mut self) -> Result<NativeBuckets, String> {
        if self.counts.is_empty() && self.deltas.is_empty() {
            // A span of no buckets says that the histogram is native, and no more.
            self.spans.retain(|span| span.length > 0);
        }
        let buckets = if self.deltas.is_empty() {
            let counts: Result<_, _> = self.counts.into_iter().map(whole_count).collect();
            NativeBuckets::new(self.spans, counts?)
        } else {
            NativeBuckets::from_deltas(self.spans, self.deltas)
        };
        buckets.map_err(|error| error.to_string())
    }
}

fn whole_count(count: Number) -> Result<u64, String> {
    whole(count).ok_or_else(|| {
        let mut text = Vec::new();
        push_number::<Plain>(&mut text, count.as_f64());
        format!("{} is not a whole count", String::from_utf8_lossy(&text))
    })
}

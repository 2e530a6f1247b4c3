//! The rules of a histogram, which many lines make up together.

use super::super::error::{Line, ParseError};
use super::super::reader::Sample;
use super::check_bound;

/// Checks the histograms of a family, sample by sample.
#[derive(Debug, Default)]
pub(super) struct HistogramRules<'a> {
    current: Option<HistogramState<'a>>,
}

/// One histogram at one time.
#[derive(Debug)]
struct HistogramState<'a> {
    /// Where it starts.
    line: Line<'a>,
    /// The last bucket's bound and count.
    bucket: Option<(f64, f64)>,
    has_negative_bounds: bool,
    count: Option<f64>,
    sum: Option<Sum>,
}

/// The sum of a histogram, or that of a gauge histogram and whether it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sum {
    Plain,
    Gauge { negative: bool },
}

impl<'a> HistogramRules<'a> {
    /// Starts another histogram at `line`, after checking the one before as a whole.
    pub(super) fn start(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        let finished = self.finish();
        self.current = Some(HistogramState {
            line,
            bucket: None,
            has_negative_bounds: false,
            count: None,
            sum: None,
        });
        finished
    }

    /// Checks one more sample of the histogram under way, whose name ends in `suffix`.
    pub(super) fn check(
        &mut self,
        suffix: &str,
        sample: &Sample<'a>,
        line: Line<'a>,
    ) -> Result<(), ParseError> {
        let Some(state) = &mut self.current else {
            return Ok(());
        };
        let value = sample.value.as_f64();
        match suffix {
            "_bucket" => {
                let bound = check_bound(sample, line)?;
                state.check_bucket(bound, value, sample, line)?;
            }
            "_count" | "_gcount" => state.count = Some(value),
            "_sum" => state.sum = Some(Sum::Plain),
            "_gsum" => state.sum = Some(Sum::Gauge { negative: value < 0.0 }),
            _ => {}
        }
        Ok(())
    }

    /// Checks the histogram under way as a whole.
    pub(super) fn finish(&mut self) -> Result<(), ParseError> {
        self.current.take().map_or(Ok(()), |state| state.check_whole())
    }
}

impl HistogramState<'_> {
    fn check_bucket(
        &mut self,
        bound: f64,
        value: f64,
        sample: &Sample<'_>,
        line: Line<'_>,
    ) -> Result<(), ParseError> {
        let message = match self.bucket {
            Some((before, _)) if bound <= before => {
                "the buckets of a histogram must stand in ascending order of `le`"
            }
            Some((_, before)) if value < before => {
                "a bucket counts what the one before it does, and more: its value cannot be smaller"
            }
            _ => {
                self.bucket = Some((bound, value));
                self.has_negative_bounds |= bound < 0.0;
                return Ok(());
            }
        };
        Err(ParseError::rule(line, sample.value_token, message))
    }

    fn check_whole(&self) -> Result<(), ParseError> {
        let infinite = self.bucket.filter(|&(bound, _)| bound == f64::INFINITY);
        let message = match (infinite, self.count, self.sum) {
            (None, ..) => {
                "the histogram that starts here lacks its last bucket, `le=\"+Inf\"`, which equals \
                 `_count`"
            }
            (Some((_, value)), Some(count), _) if value != count => {
                "the histogram that starts here has a `_count` that differs from its bucket \
                 `le=\"+Inf\"`"
            }
            (_, None, Some(_)) => "the histogram that starts here has a sum, but no count",
            (_, Some(_), None) => "the histogram that starts here has a count, but no sum",
            (_, _, Some(Sum::Plain)) if self.has_negative_bounds => {
                "a histogram with a negative `le` must not have `_sum`: it could fall"
            }
            (_, _, Some(Sum::Gauge { negative: true })) if !self.has_negative_bounds => {
                "a `_gsum` below zero needs a bucket with a negative `le`"
            }
            _ => return Ok(()),
        };
        let end = self.line.text.find(['{', ' ']).unwrap_or(self.line.text.len());
        Err(ParseError::rule(self.line, &self.line.text[..end], message))
    }
}

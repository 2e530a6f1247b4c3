//! Protobuf: `io.prometheus.client.MetricFamily` messages, each after its length.
//!
//! The length of a family comes before its metrics, so a family is walked twice: once to add up
//! the lengths, once to write. The length of a number does not depend on the number, so those of a
//! family of numbers are remembered until series come or go.
//!
//! As in the text formats, where a family allows it a [`Template`] is made once and a metric is a few
//! moves of fixed size; all else is spelled out.

mod spelled;
mod template;
mod wire;

use narthex_model::{Column, Escaping, Fragment, HistogramColumn, MetricFamily, Number, Part};

use crate::output::Output;
use spelled::push_metric;
use template::{MOST_LABELS, Template};

/// Memory that an encoder keeps from family to family.
#[derive(Default)]
pub(crate) struct Workspace {
    head: Vec<u8>,
    text: Vec<u8>,
    template: Template,
}

/// Writes a part of a family. Only families of numbers have more than one part: the length of all
/// comes first, and that of a number does not depend on the number.
pub(crate) fn encode_part(
    part: Part<'_>,
    escaping: Escaping,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) {
    let Workspace { head, text, template } = workspace;
    let family = part.family();
    let message = Message { part, family, escaping, head, text, output };
    if !Template::suits(family) {
        return message.spell();
    }
    match family.series().labels() {
        1 => write::<1>(template, message),
        2 => write::<2>(template, message),
        3 => write::<3>(template, message),
        4 => write::<4>(template, message),
        5 => write::<5>(template, message),
        6 => write::<6>(template, message),
        7 => write::<7>(template, message),
        MOST_LABELS => write::<MOST_LABELS>(template, message),
        _ => message.spell(),
    }
}

/// Writes a family whose series have `N` labels by a template.
fn write<const N: usize>(template: &mut Template, message: Message<'_, '_>) {
    let Message { family, escaping, .. } = message;
    template.set(family, escaping, message.text);
    match family.values() {
        Column::Histogram(column) => {
            write_histograms::<N>(column, template, message);
        }
        Column::Unsigned(values) => {
            write_numbers::<N, _>(values, |value| value as f64, template, message);
        }
        Column::Float(values) => {
            write_numbers::<N, _>(values, |value| value, template, message);
        }
        Column::Mixed(values) => {
            write_numbers::<N, _>(values, Number::as_f64, template, message);
        }
        _ => message.spell(),
    }
}

#[inline(never)]
fn write_numbers<const N: usize, T: Copy>(
    values: &[T],
    number: impl Fn(T) -> f64,
    template: &Template,
    mut message: Message<'_, '_>,
) {
    if message.part.is_first() {
        let all = message.part.all_series();
        let metrics_len = all.label_sum(template.constant_len(), || {
            let mut metrics_len = 0;
            all.for_each(|fragments: &[&Fragment; N]| {
                metrics_len += match template.number_len(fragments) {
                    Some(len) => len,
                    // Any row will do: their numbers are of one length.
                    None => message.spell_metric(0, fragments).len(),
                };
            });
            metrics_len
        });
        message.write_head(metrics_len);
    }
    message.family.series().for_each_batch(|first, batch: &[[&Fragment; N]]| {
        let values = values.get(first..).unwrap_or_default();
        for (k, (fragments, &value)) in batch.iter().zip(values).enumerate() {
            match template.put_number(message.output.line(), fragments, number(value)) {
                Some(len) => message.output.keep(len),
                None => message.write_spelled(first + k, fragments),
            }
        }
    });
    message.write_tail();
}

#[inline(never)]
fn write_histograms<const N: usize>(
    column: &HistogramColumn,
    template: &Template,
    mut message: Message<'_, '_>,
) {
    let series = message.family.series();
    let mut metrics_len = 0;
    series.for_each_batch(|first, batch: &[[&Fragment; N]]| {
        for (index, fragments) in (first..).zip(batch) {
            let Some(histogram) = column.get(index) else {
                return;
            };
            metrics_len += match template.histogram_len(fragments, histogram) {
                Some(len) => len,
                None => message.spell_metric(index, fragments).len(),
            };
        }
    });
    message.write_head(metrics_len);
    series.for_each_batch(|first, batch: &[[&Fragment; N]]| {
        for (index, fragments) in (first..).zip(batch) {
            let Some(histogram) = column.get(index) else {
                return;
            };
            if template.write_histogram(message.output, fragments, histogram).is_none() {
                message.write_spelled(index, fragments);
            }
        }
    });
    message.write_tail();
}

/// The message of a family under way.
struct Message<'a, 'o> {
    part: Part<'a>,
    family: &'a MetricFamily,
    escaping: Escaping,
    head: &'a mut Vec<u8>,
    text: &'a mut Vec<u8>,
    output: &'a mut Output<'o>,
}

impl Message<'_, '_> {
    /// Writes all metrics field by field.
    fn spell(mut self) {
        if self.part.is_first() {
            let mut metrics_len = 0;
            self.part.all_series().for_each_slice(|index, fragments| {
                // Rows beyond the first part are numbers, which are all of one length.
                let index = if index < self.family.len() { index } else { 0 };
                metrics_len += self.spell_metric(index, fragments).len();
            });
            self.write_head(metrics_len);
        }
        self.family
            .series()
            .for_each_slice(|index, fragments| self.write_spelled(index, fragments));
        self.write_tail();
    }

    /// Writes the length of the family and what comes before its metrics.
    fn write_head(&mut self, metrics_len: usize) {
        let (text, head) = (&mut *self.text, &mut *self.head);
        text.clear();
        spelled::push_tail(text, self.family);
        let tail_len = text.len();
        text.clear();
        spelled::push_head(text, self.family, self.escaping);
        head.clear();
        wire::push_varint(head, (text.len() + metrics_len + tail_len) as u64);
        self.output.push(head);
        self.output.push(text);
    }

    /// Writes what comes after the metrics of the last part.
    fn write_tail(&mut self) {
        if !self.part.is_last() {
            return;
        }
        let text = &mut *self.text;
        text.clear();
        spelled::push_tail(text, self.family);
        self.output.push(text);
    }

    #[cold]
    fn write_spelled(&mut self, index: usize, fragments: &[&Fragment]) {
        self.spell_metric(index, fragments);
        self.output.push(self.text);
    }

    /// The metric of series `index`, spelled out.
    #[cold]
    fn spell_metric(&mut self, index: usize, fragments: &[&Fragment]) -> &[u8] {
        let text = &mut *self.text;
        text.clear();
        push_metric(text, self.family, self.escaping, index, fragments);
        text
    }
}

#[cfg(test)]
mod tests;

//! The type of a family as its values allow it.

use narthex_model::{Column, MetricFamily, MetricType};

/// The family's type, unless its values are not of that kind.
pub(crate) fn type_by_values(family: &MetricFamily) -> MetricType {
    use MetricType::{GaugeHistogram, Histogram, Summary, Unknown};
    match (family.values(), family.metric_type()) {
        (Column::Histogram(_) | Column::NativeHistogram(_), GaugeHistogram) => GaugeHistogram,
        (Column::Histogram(_) | Column::NativeHistogram(_), _) => Histogram,
        (Column::Summary(_), _) => Summary,
        (_, Histogram | GaugeHistogram | Summary) => Unknown,
        (_, metric_type) => metric_type,
    }
}

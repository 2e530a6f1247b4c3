//! A page in protobuf as text, for people.

use narthex_format::Escaping;
use narthex_model::{Metric, MetricFamily, Scrape, Value};

use crate::format::PageFormat;

/// The scrape in the text format, which has no native histograms: they stand in comments, below the
/// classic buckets of their family.
pub(super) fn page(scrape: &Scrape) -> Vec<u8> {
    let writer = PageFormat::Text.writer(Escaping::AllowUtf8);
    let mut page = Vec::new();
    for family in scrape.families() {
        // Cloning a family clones a few pointers.
        writer.encode(&Scrape::new(vec![family.clone()]), &mut page);
        let comments = family.metrics().filter_map(|metric| comment(family, &metric));
        page.extend(comments.flat_map(String::into_bytes));
    }
    page
}

/// The line that shows a native histogram; `None` where there is none.
fn comment(family: &MetricFamily, metric: &Metric<'_>) -> Option<String> {
    let Value::NativeHistogram(both) = metric.value() else { return None };
    let name = family.name().as_str().escape_debug();
    let labels: Vec<_> = metric
        .labels()
        .map(|(label, value)| format!("{}={value:?}", label.as_str().escape_debug()))
        .collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    Some(format!("# native {name}{labels} {}\n", both.native()))
}

#[cfg(test)]
mod tests {
    use narthex_model::{MetricFamily, NativeBuckets, NativeHistogram, Schema, Scrape, ZeroBucket};

    use super::page;

    #[test]
    fn native_histograms_are_comments_below_their_family() {
        let native = |count| {
            let positive = NativeBuckets::from_counts([(2, count)]);
            let (schema, zero) = (Schema::new(0).unwrap(), ZeroBucket::default());
            let none = NativeBuckets::default();
            NativeHistogram::new(schema, zero, positive, none, count, 7.5).unwrap()
        };
        let mut plain = MetricFamily::native_histogram("a_seconds", "", &[]);
        plain.push_native_histogram([""; 0], [], native(2));
        let mut labelled = MetricFamily::native_histogram("b\n.seconds", "", &[1.0])
            .utf8_names()
            .const_label("zone", "it's")
            .label_names(["path"]);
        labelled.push_native_histogram(["\"/\"\n"], [0], native(3));
        labelled.push_native_histogram([""], [0], native(4));
        let other = MetricFamily::gauge("c", "").sample([""; 0], 1.0);
        let families = [plain, labelled, other].map(|family| family.build().unwrap());
        let text = String::from_utf8(page(&Scrape::new(families.to_vec()))).unwrap();
        assert_eq!(
            text,
            r#"# TYPE a_seconds histogram
a_seconds_bucket{le="+Inf"} 2
a_seconds_sum 7.5
a_seconds_count 2
# native a_seconds {count:2, sum:7.5, (2,4]:2}
# TYPE "b\n.seconds" histogram
{"b\n.seconds_bucket",path="\"/\"\n",zone="it's",le="1"} 0
{"b\n.seconds_bucket",path="\"/\"\n",zone="it's",le="+Inf"} 3
{"b\n.seconds_sum",path="\"/\"\n",zone="it's"} 7.5
{"b\n.seconds_count",path="\"/\"\n",zone="it's"} 3
{"b\n.seconds_bucket",zone="it's",le="1"} 0
{"b\n.seconds_bucket",zone="it's",le="+Inf"} 4
{"b\n.seconds_sum",zone="it's"} 7.5
{"b\n.seconds_count",zone="it's"} 4
# native b\n.seconds{zone="it's",path="\"/\"\n"} {count:3, sum:7.5, (2,4]:3}
# native b\n.seconds{zone="it's"} {count:4, sum:7.5, (2,4]:4}
# TYPE c gauge
c 1
"#
        );
    }
}

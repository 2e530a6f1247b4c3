//! What is sent: a scrape that a gateway takes, as bytes.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use narthex_format::{Encoder, Format};
use narthex_model::{Escaping, MetricFamily, MetricType, Problem, Scrape};

use crate::error::{Fault, PushError};
use crate::group::Group;

/// How a scrape is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coding {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
}

/// A body with the headers that say how it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) headers: HeaderMap,
}

impl Coding {
    /// The body, and what this format had to leave out of it.
    pub(crate) fn encode(self, scrape: &Scrape) -> (Body, Vec<Problem>) {
        let mut headers = HeaderMap::new();
        let content_type = HeaderValue::from_static(self.format.content_type());
        headers.insert(CONTENT_TYPE, content_type);
        let mut encoder = Encoder::new(self.format);
        let written = if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.encode(scrape, |chunk| gzip.write_all(chunk)).and_then(|()| gzip.finish())
        } else {
            let mut page = Vec::new();
            encoder.encode(scrape, |chunk| page.write_all(chunk)).map(|()| page)
        };
        let bytes = written.expect("memory takes all that is written to it").into();
        (Body { bytes, headers }, encoder.problems().to_vec())
    }
}

/// Checks that a gateway takes these metrics for the group, and does not change them.
///
/// A gateway puts the labels of the group on every metric. Where a metric has one of them with
/// another value, it silently becomes another metric; where only some series of a family have one,
/// two may become the same.
pub(crate) fn check(scrape: &Scrape, group: &Group, format: Format) -> Result<(), PushError> {
    scrape.families().iter().try_for_each(|family| {
        check_family(family, group, format)
            .map_err(|message| PushError::new(Fault::Metrics(message.into())))
    })
}

fn check_family(family: &MetricFamily, group: &Group, format: Format) -> Result<(), String> {
    let name = family.name();
    let escaping = match format {
        Format::Text { escaping, .. } | Format::Protobuf { escaping } => escaping,
        _ => Escaping::Underscores,
    };
    let is_protobuf = matches!(format, Format::Protobuf { .. });
    if is_protobuf && family.metric_type() == MetricType::GaugeHistogram {
        // Pushgateway 1.5.1 takes it, cannot write it, and ends every page of its own there.
        return Err(format!(
            "`{name}` is a gauge histogram, which breaks the pages of a gateway unless it is pushed \
             as text"
        ));
    }
    if OWN_METRICS.iter().any(|own| name.escaped(escaping) == *own) {
        return Err(format!("`{name}` is a metric that a gateway sets itself"));
    }
    if family.timestamps().is_some_and(|timestamps| timestamps.iter().any(Option::is_some)) {
        return Err(format!("`{name}` has timestamps, which a gateway refuses"));
    }
    for (label, value) in group.labels() {
        if family.metric_type().reserved_label() == Some(label) {
            let metric_type = family.metric_type();
            return Err(format!(
                "`{label}` is a label of the grouping key, and reserved in `{name}`, a {metric_type}"
            ));
        }
        check_label(family, label, value, escaping)?;
    }
    Ok(())
}

/// Checks that all series of a family say what the group says of a label, or none says anything.
fn check_label(
    family: &MetricFamily,
    label: &str,
    value: &str,
    escaping: Escaping,
) -> Result<(), String> {
    let metadata = family.metadata();
    let constant = metadata.const_labels().iter().map(|label| &label.name);
    let named = constant
        .chain(metadata.label_names())
        .find(|own| own.as_str() == label || own.escaped(escaping) == label);
    let Some(own) = named else { return Ok(()) };
    let name = family.name();
    let mut without = 0;
    for metric in family.metrics() {
        match metric.label(own.as_str()) {
            None => without += 1,
            Some(found) if found == value => {}
            Some(found) => {
                return Err(format!(
                    "`{name}` has the label `{own}` with the value `{}`, and the grouping key says \
                     `{}`",
                    found.escape_debug(),
                    value.escape_debug(),
                ));
            }
        }
    }
    if 0 < without && without < family.len() {
        return Err(format!(
            "`{name}` has the label `{own}` of the grouping key in some of its series only"
        ));
    }
    Ok(())
}

/// What a gateway says of each group.
const OWN_METRICS: [&str; 2] = ["push_time_seconds", "push_failure_time_seconds"];

#[cfg(test)]
mod tests {
    use narthex_format::Format;
    use narthex_model::{FamilyBuilder, MetricFamily, Scrape};

    use crate::group::{Group, Names};

    #[track_caller]
    fn check(family: FamilyBuilder, expected: Result<(), &str>) {
        let labels = [("instance".to_owned(), "db1".to_owned()), ("le".to_owned(), "x".to_owned())];
        let group = Group::new("j", &labels, Names::Classic).unwrap();
        let scrape = Scrape::new(vec![family.build().unwrap()]);
        let checked = super::check(&scrape, &group, Format::TEXT);
        let checked = checked.map_err(|error| error.to_string());
        assert_eq!(checked.as_ref().map_err(String::as_str).copied(), expected);
    }

    #[test]
    fn what_a_gateway_would_change_or_refuse_is_refused() {
        let gauge = || MetricFamily::gauge("g", "");
        check(gauge().sample([""; 0], 1u64), Ok(()));
        check(gauge().const_label("job", "j").sample([""; 0], 1u64), Ok(()));
        check(gauge().label_names(["instance"]).sample(["db1"], 1u64), Ok(()));
        check(gauge().label_names(["zone"]).sample(["db2"], 1u64), Ok(()));
        check(
            gauge().const_label("job", "k").sample([""; 0], 1u64),
            Err("`g` has the label `job` with the value `k`, and the grouping key says `j`"),
        );
        check(
            gauge().label_names(["instance"]).sample(["db1"], 1u64).sample(["db2"], 1u64),
            Err("`g` has the label `instance` with the value `db2`, and the grouping key says \
                 `db1`"),
        );
        check(
            gauge().label_names(["instance"]).sample(["db1"], 1u64).sample([""], 1u64),
            Err("`g` has the label `instance` of the grouping key in some of its series only"),
        );
        let mut timed = gauge();
        timed.push([""; 0], 1u64);
        timed.push_timestamp(1);
        check(timed, Err("`g` has timestamps, which a gateway refuses"));
        check(
            MetricFamily::gauge("push_time_seconds", "").sample([""; 0], 1u64),
            Err("`push_time_seconds` is a metric that a gateway sets itself"),
        );
        check(
            MetricFamily::histogram("h", "", &[1.0]),
            Err("`le` is a label of the grouping key, and reserved in `h`, a histogram"),
        );
    }
}

//! A family written in every format and read back, for tests and a fuzz target.

use narthex_format::parse::{Mode, Syntax, parse};
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};
use narthex_model::{MetricType, NativeHistogram, Number, Scrape};

use crate::hostile::Spec;

const FORMATS: [Format; 4] = [
    Format::Text { version: TextVersion::V1_0_0, escaping: Escaping::AllowUtf8 },
    Format::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::AllowUtf8,
        created: CreatedLines::Written,
    },
    Format::Protobuf { escaping: Escaping::AllowUtf8 },
    Format::Json,
];

/// Checks the family in every format; whether there is such a family.
///
/// Some names and labels clash; the model's own tests look at those.
pub(crate) fn check(spec: &Spec) -> bool {
    let Ok(family) = spec.build() else {
        return false;
    };
    let scrape = Scrape::new(vec![family]);
    // OpenMetrics has no histogram with negative observations and a sum: it comes apart.
    let negative = |native: &NativeHistogram| !native.negative().is_empty();
    let apart = spec.rows.iter().filter_map(|row| row.native.as_ref()).any(negative);
    for format in FORMATS {
        if !(apart && matches!(format, Format::OpenMetrics { .. })) {
            check_format(spec, &scrape, format);
        }
    }
    true
}

fn check_format(spec: &Spec, scrape: &Scrape, format: Format) {
    let mut page = Vec::new();
    format.encode(scrape, &mut page);
    for mode in [Mode::Strict, Mode::Lenient] {
        // The server's reader of text takes no times before 1970.
        let early = |time: Option<i64>| time.is_some_and(|time| time < 0);
        if mode == Mode::Lenient
            && matches!(format, Format::Text { .. })
            && spec.rows.iter().any(|row| early(row.timestamp))
        {
            continue;
        }
        let read = parse(Syntax::from(format), &page, mode);
        let shown = String::from_utf8_lossy(&page);
        let read = read.unwrap_or_else(|error| panic!("{error}\n{format:?} {mode:?}\n{shown}"));
        let expected = degraded(spec, format, mode).build().expect("a degraded family is one");
        assert_eq!(read.problems(), [], "{format:?} {mode:?}\n{shown}");
        assert_eq!(read.families(), [expected], "{format:?} {mode:?}\n{shown}");
    }
}

/// The family as the format can say it.
fn degraded(spec: &Spec, format: Format, mode: Mode) -> Spec {
    use MetricType::{Gauge, GaugeHistogram, Histogram, Info, StateSet};
    let mut spec = spec.clone();
    match format {
        Format::Text { .. } => {
            spec.unit.clear();
            spec.native = false;
            if mode == Mode::Strict {
                spec.help = spec.help.trim_start_matches([' ', '\t']).to_owned();
            }
            for row in &mut spec.rows {
                row.created = None;
                row.exemplar = None;
            }
            spec.metric_type = match spec.metric_type {
                Info | StateSet => Gauge,
                GaugeHistogram => Histogram,
                other => other,
            };
        }
        Format::Protobuf { .. } => {
            for row in &mut spec.rows {
                row.number = Number::Float(row.number.as_f64());
            }
            spec.metric_type = match spec.metric_type {
                Info | StateSet => Gauge,
                other => other,
            };
        }
        Format::OpenMetrics { .. } => spec.native = false,
        _ => {}
    }
    spec
}

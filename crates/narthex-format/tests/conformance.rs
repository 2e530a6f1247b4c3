//! Cases of others, read from the folder that `NARTHEX_CONFORMANCE` names.

#![expect(clippy::print_stdout, reason = "tells what was skipped")]

mod reader;

use std::path::PathBuf;
use std::sync::Arc;

use narthex_format::Format;
use narthex_model::{
    Bounds, Column, FamilyBuilder, HistogramColumn, Metadata, MetricFamily, MetricName, MetricType,
    Number, Scrape, Series,
};
use serde_json::Value;

use reader::{Line, read};

/// The file, or `None` where the tests run without the cases.
fn case_file(path: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("NARTHEX_CONFORMANCE") else {
        println!("skipped: NARTHEX_CONFORMANCE names no folder");
        return None;
    };
    let path = PathBuf::from(folder).join(path);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")))
}

fn cases(path: &str) -> Option<Vec<Value>> {
    let text = case_file(path)?;
    Some(serde_json::from_str(&text).expect("the cases are a JSON list"))
}

fn render(family: MetricFamily) -> String {
    let mut page = Vec::new();
    Format::Text.encode(&Scrape::new(vec![family]), &mut page);
    String::from_utf8(page).expect("a page is UTF-8")
}

#[test]
fn a21_numbers_are_those_of_go() {
    let Some(table) = case_file("numbers/float_format.tsv") else { return };
    let mut seen = 0;
    for row in table.lines().skip(1) {
        let mut cells = row.split('\t');
        let (bits, expected) = (cells.next().expect("bits"), cells.next().expect("text"));
        let bits = u64::from_str_radix(bits, 16).expect("bits are hexadecimal");
        let value = f64::from_bits(bits);
        let family = MetricFamily::gauge("g", "").sample([""; 0], Number::Float(value));
        let page = render(family.build().expect("a good family"));
        assert_eq!(page, format!("# TYPE g gauge\ng {expected}\n"), "{bits:016x}");
        seen += 1;
    }
    println!("{seen} numbers");
    assert!(seen > 200);
}

#[test]
fn a20_families_are_written_as_prometheus_common_writes_them() {
    let Some(created) = cases("expfmt/text_create.json") else { return };
    let mut tally = Tally::default();
    for case in &created {
        tally.check(&case["in"], case["out"].as_str().expect("a page"));
    }
    tally.expect(7, 5);
}

#[test]
fn a20_parsed_families_are_written_as_prometheus_common_writes_them() {
    let Some(vectors) = cases("expfmt/family_vectors.json") else { return };
    let parsed = cases("expfmt/text_parse.json").expect("both are there");
    let mut tally = Tally::default();
    for vector in &vectors {
        let source = vector["source"].as_str().expect("a source");
        let index = source.trim_start_matches("text_parse[").trim_end_matches(']');
        let case = &parsed[index.parse::<usize>().expect("an index")];
        let families = case["out"].as_array().expect("families");
        let family = families.iter().find(|family| family["name"] == vector["name"]);
        let expected = vector["text_0_0_4"].as_str().expect("a page");
        tally.check(family.expect("the family is there"), expected);
    }
    tally.expect(10, 15);
}

/// How many cases were compared, and how many the model cannot express.
#[derive(Debug, Default)]
struct Tally {
    checked: usize,
    skipped: usize,
}

impl Tally {
    /// Compares a family with the page it should give, if it can be expressed.
    ///
    /// The library writes labels in the order it is given them; here they are sorted, and so they
    /// are in what is compared.
    fn check(&mut self, family: &Value, expected: &str) {
        match build(family) {
            Ok(built) => {
                assert_eq!(sorted(&render(built)), sorted(expected), "{family}");
                self.checked += 1;
            }
            Err(reason) => {
                println!("skipped {}: {reason}", family["name"]);
                self.skipped += 1;
            }
        }
    }

    #[track_caller]
    fn expect(&self, checked: usize, skipped: usize) {
        println!("{self:?}");
        assert_eq!((self.checked, self.skipped), (checked, skipped));
    }
}

/// The page's lines with their labels sorted by name, `le` last.
fn sorted(page: &str) -> Vec<Line> {
    let mut lines = read(page).expect("the page can be read");
    for line in &mut lines {
        if let Line::Sample { labels, .. } = line {
            labels.sort_by_key(|(name, _)| (name == "le", name.clone()));
        }
    }
    lines
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Number(number) => number.as_f64().expect("a number is a float"),
        text => text.as_str().and_then(|text| text.parse().ok()).expect("NaN or an infinity"),
    }
}

/// The family, or why it cannot be expressed.
fn build(family: &Value) -> Result<MetricFamily, &'static str> {
    let name = family["name"].as_str().expect("a name");
    let help = family["help"].as_str().unwrap_or_default();
    let metrics = family["metric"].as_array().expect("metrics");
    let label = |label: &Value, key: &str| label[key].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = metrics
        .iter()
        .flat_map(|metric| metric["label"].as_array().into_iter().flatten())
        .map(|pair| label(pair, "name"))
        .collect();
    names.sort();
    names.dedup();
    if MetricName::new(name).is_err() {
        return Err("the case wants a name in quotes, which needs negotiation");
    }
    let kind = match family["type"].as_str() {
        None | Some("COUNTER") => MetricType::Counter,
        Some("GAUGE") => MetricType::Gauge,
        Some("UNTYPED") => MetricType::Unknown,
        Some("HISTOGRAM") => return build_histogram(family, MetricType::Histogram),
        Some("GAUGE_HISTOGRAM") => return build_histogram(family, MetricType::GaugeHistogram),
        _ => return Err("the model has no summaries"),
    };
    let mut built = FamilyBuilder::new(kind, name, help).label_names(&names);
    for metric in metrics {
        let pairs = metric["label"].as_array().cloned().unwrap_or_default();
        let values = names.iter().map(|name| {
            let pair = pairs.iter().find(|pair| pair["name"] == **name);
            pair.map(|pair| label(pair, "value")).unwrap_or_default()
        });
        let value = ["counter", "gauge", "untyped"].iter().find_map(|kind| metric.get(kind));
        let value = Number::Float(number(&value.expect("a value")["value"]));
        match metric["timestamp_ms"].as_i64() {
            Some(timestamp) => built.push_at(values, value, timestamp),
            None => built.push(values, value),
        }
    }
    Ok(built.build().expect("a good family"))
}

fn build_histogram(family: &Value, kind: MetricType) -> Result<MetricFamily, &'static str> {
    let [metric] = &family["metric"].as_array().expect("metrics")[..] else {
        return Err("several histograms");
    };
    let histogram = &metric["histogram"];
    let Some(total) = histogram["sample_count"].as_u64() else {
        return Err("the model has no floating-point counts");
    };
    let (mut bounds, mut counts, mut before) = (Vec::new(), Vec::new(), 0);
    for bucket in histogram["bucket"].as_array().expect("buckets") {
        let cumulative = bucket["cumulative_count"].as_u64().expect("a whole count");
        bounds.push(number(&bucket["upper_bound"]));
        counts.push(cumulative - before);
        before = cumulative;
    }
    counts.push(total - before);
    let mut column = HistogramColumn::new(Bounds::new(&bounds).expect("good bounds"));
    column.push(counts, number(&histogram["sample_sum"]));
    let name = MetricName::new(family["name"].as_str().expect("a name")).expect("a good name");
    let metadata = Metadata::new(name, kind, family["help"].as_str().unwrap_or_default());
    let column = Column::Histogram(column);
    Ok(MetricFamily::from_parts(Arc::new(metadata), Series::unlabelled(), column)
        .expect("one of each"))
}

//! `io.prometheus.client.MetricFamily` in the text form of protobuf, as bytes.

/// The family after its length.
pub(crate) fn delimited(text: &str) -> Vec<u8> {
    let mut tokens = Tokens { rest: text };
    let family = message(&mut tokens, Kind::Family);
    assert_eq!(tokens.next(), None, "one family");
    let mut page = Vec::new();
    push_bytes(&mut page, &family);
    page
}

/// What a field is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Whole,
    ZigZag,
    Double,
    Type,
    Family,
    Metric,
    Label,
    Number,
    Summary,
    Quantile,
    Histogram,
    Bucket,
    Span,
    Exemplar,
    Time,
}

/// The number and the kind of a field of a message.
fn field(of: Kind, name: &str) -> (u64, Kind) {
    match (of, name) {
        (Kind::Family, "name") => (1, Kind::Text),
        (Kind::Family, "help") => (2, Kind::Text),
        (Kind::Family, "type") => (3, Kind::Type),
        (Kind::Family, "metric") => (4, Kind::Metric),
        (Kind::Family, "unit") => (5, Kind::Text),
        (Kind::Metric | Kind::Exemplar, "label") => (1, Kind::Label),
        (Kind::Metric, "gauge") => (2, Kind::Number),
        (Kind::Metric, "counter") => (3, Kind::Number),
        (Kind::Metric, "summary") => (4, Kind::Summary),
        (Kind::Metric, "untyped") => (5, Kind::Number),
        (Kind::Metric, "timestamp_ms") => (6, Kind::Whole),
        (Kind::Metric, "histogram") => (7, Kind::Histogram),
        (Kind::Label, "name") => (1, Kind::Text),
        (Kind::Label, "value") => (2, Kind::Text),
        (Kind::Number, "value") => (1, Kind::Double),
        (Kind::Number, "exemplar") => (2, Kind::Exemplar),
        (Kind::Number, "created_timestamp") => (3, Kind::Time),
        (Kind::Summary | Kind::Histogram, "sample_count") => (1, Kind::Whole),
        (Kind::Summary | Kind::Histogram, "sample_sum") => (2, Kind::Double),
        (Kind::Summary, "quantile") => (3, Kind::Quantile),
        (Kind::Summary, "created_timestamp") => (4, Kind::Time),
        (Kind::Quantile, "quantile") => (1, Kind::Double),
        (Kind::Quantile | Kind::Exemplar, "value") => (2, Kind::Double),
        (Kind::Histogram, "bucket") => (3, Kind::Bucket),
        (Kind::Histogram, "schema") => (5, Kind::ZigZag),
        (Kind::Histogram, "zero_threshold") => (6, Kind::Double),
        (Kind::Histogram, "zero_count") => (7, Kind::Whole),
        (Kind::Histogram, "negative_span") => (9, Kind::Span),
        (Kind::Histogram, "negative_delta") => (10, Kind::ZigZag),
        (Kind::Histogram, "positive_span") => (12, Kind::Span),
        (Kind::Histogram, "positive_delta") => (13, Kind::ZigZag),
        (Kind::Histogram, "created_timestamp") => (15, Kind::Time),
        (Kind::Histogram, "exemplars") => (16, Kind::Exemplar),
        (Kind::Bucket, "cumulative_count") => (1, Kind::Whole),
        (Kind::Bucket, "upper_bound") => (2, Kind::Double),
        (Kind::Bucket, "exemplar") => (3, Kind::Exemplar),
        (Kind::Span, "offset") => (1, Kind::ZigZag),
        (Kind::Span, "length") => (2, Kind::Whole),
        (Kind::Exemplar, "timestamp") => (3, Kind::Time),
        (Kind::Time, "seconds") => (1, Kind::Whole),
        (Kind::Time, "nanos") => (2, Kind::Whole),
        (_, name) => panic!("an unknown field `{name}`"),
    }
}

/// The fields up to the closing brace or the end.
fn message(tokens: &mut Tokens<'_>, of: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(name) = tokens.next().filter(|token| *token != "}") {
        let (number, kind) = field(of, name);
        let value = tokens.next().expect("a value");
        let tag = |wire: u64| number << 3 | wire;
        match kind {
            Kind::Whole | Kind::ZigZag | Kind::Type => {
                push_varint(&mut out, tag(0));
                push_varint(&mut out, whole(kind, value));
            }
            Kind::Double => {
                push_varint(&mut out, tag(1));
                let double: f64 = value.parse().expect("a number");
                out.extend_from_slice(&double.to_le_bytes());
            }
            Kind::Text => {
                push_varint(&mut out, tag(2));
                let text: String = serde_json::from_str(value).expect("a text");
                push_bytes(&mut out, text.as_bytes());
            }
            _ => {
                assert_eq!(value, "{", "{name}");
                push_varint(&mut out, tag(2));
                push_bytes(&mut out, &message(tokens, kind));
            }
        }
    }
    out
}

fn whole(kind: Kind, value: &str) -> u64 {
    let types = ["COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"];
    if let Some(number) = types.iter().position(|name| *name == value) {
        return number as u64;
    }
    let value: i64 = value.parse().expect("a whole number");
    match kind {
        Kind::ZigZag => ((value << 1) ^ (value >> 63)) as u64,
        _ => value as u64,
    }
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Names, values and braces.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches([' ', '\n', ':']);
        let first = self.rest.chars().next()?;
        let end = match first {
            '{' | '}' => 1,
            '"' => 2 + self.rest[1..].find('"').expect("a closing quote"),
            _ => self.rest.find([' ', ':', '\n']).unwrap_or(self.rest.len()),
        };
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(token)
    }
}

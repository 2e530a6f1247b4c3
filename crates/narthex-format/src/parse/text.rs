//! A line of the text formats 0.0.4 and 1.0.0.

use narthex_model::MetricType;

use super::cursor::{Cursor, ESCAPE, NameKind, Text, unescape};
use super::dialect::Dialect;
use super::error::ParseError;
use super::labels::{LabelScanner, Labels, Owner};
use super::number::{Timestamp, number};
use super::reader::{Event, METRIC_NAME, NUMBER, Sample};

/// Reads a line; `None` for an empty one and for a comment.
pub(super) fn read_line<'a>(
    mut cursor: Cursor<'a>,
    dialect: Dialect,
    scanner: &mut LabelScanner<'a>,
    label_limit: usize,
) -> Result<Option<Event<'a>>, ParseError> {
    cursor.skip_blanks();
    match cursor.peek() {
        None => Ok(None),
        Some(b'#') => read_comment(cursor, dialect),
        Some(_) => {
            read_sample(cursor, dialect, scanner, label_limit).map(|s| Some(Event::Sample(s)))
        }
    }
}

/// Whether the line, which need not be UTF-8, is a comment that every reader skips.
pub(super) fn is_comment(line: &[u8]) -> bool {
    let Some(text) = line.trim_ascii_start().strip_prefix(b"#") else {
        return false;
    };
    let text = text.trim_ascii_start();
    !text.starts_with(b"HELP") && !text.starts_with(b"TYPE")
}

fn read_comment(mut cursor: Cursor<'_>, dialect: Dialect) -> Result<Option<Event<'_>>, ParseError> {
    cursor.eat(b'#');
    let lenient = dialect == Dialect::LenientText;
    let bare = cursor.at();
    cursor.skip_blanks();
    // The server wants a blank on both sides of the word; without it, the line is a comment.
    if lenient && cursor.at() == bare {
        return Ok(None);
    }
    let keyword = cursor.word();
    if !matches!(keyword, "HELP" | "TYPE") || (lenient && cursor.at_end()) {
        return Ok(None);
    }
    cursor.skip_blanks();
    if cursor.at_end() && !lenient {
        return Ok(None);
    }
    let name = read_family_name(&mut cursor, dialect)?;
    if cursor.at_end() && !lenient {
        return Ok(None);
    }
    let after = cursor.at();
    cursor.skip_blanks();
    if cursor.at() == after && !cursor.at_end() {
        return Err(cursor.expected(METRIC_NAME));
    }
    if cursor.at_end() && !lenient {
        return Ok(None);
    }
    let family = name.unescape();
    // The server drops one blank after the name and keeps the others, Go's reader drops all.
    let kept = cursor.line().text.get(after + 1..).unwrap_or_default();
    let text = if lenient { kept } else { cursor.rest() };
    if keyword == "TYPE" {
        let metric_type = type_named(text, dialect).ok_or_else(|| {
            let message = format!(
                "`{}` is not a metric type: use counter, gauge, histogram, summary or untyped",
                text.escape_debug()
            );
            cursor.rule(text, message)
        })?;
        return Ok(Some(Event::Type { family, metric_type }));
    }
    if lenient {
        return Ok(Some(Event::Help { family, text: unescape(text, b"\\n") }));
    }
    if let Some(at) = bad_escape(text) {
        return Err(cursor.expected_at(cursor.at() + at, ESCAPE));
    }
    Ok(Some(Event::Help { family, text: unescape(text, b"\\n\"") }))
}

fn read_family_name<'a>(cursor: &mut Cursor<'a>, dialect: Dialect) -> Result<Text<'a>, ParseError> {
    let start = cursor.at();
    let name = match cursor.peek() {
        Some(b'"') => cursor.quoted(dialect.escapes())?,
        _ => Text::plain(cursor.name(NameKind::Metric)),
    };
    if name.raw.is_empty() {
        return Err(cursor.expected_at(start, METRIC_NAME));
    }
    Ok(name)
}

/// Where an escape starts that a HELP text may not have.
fn bad_escape(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && !matches!(bytes.next(), Some((_, b'\\' | b'n' | b'"'))) {
            return Some(at);
        }
    }
    None
}

fn type_named(word: &str, dialect: Dialect) -> Option<MetricType> {
    let exact = match word {
        "counter" => Some(MetricType::Counter),
        "gauge" => Some(MetricType::Gauge),
        "histogram" => Some(MetricType::Histogram),
        "summary" => Some(MetricType::Summary),
        "untyped" => Some(MetricType::Unknown),
        _ => None,
    };
    if exact.is_some() || dialect == Dialect::LenientText {
        return exact;
    }
    match word.to_ascii_lowercase().as_str() {
        "gaugehistogram" | "gauge_histogram" => Some(MetricType::GaugeHistogram),
        lower if lower != word => type_named(lower, dialect),
        _ => None,
    }
}

#[inline]
fn read_sample<'a>(
    mut cursor: Cursor<'a>,
    dialect: Dialect,
    scanner: &mut LabelScanner<'a>,
    label_limit: usize,
) -> Result<Sample<'a>, ParseError> {
    let start = cursor.at();
    let mut name = match cursor.peek() {
        Some(b'{') => None,
        Some(b'"') if dialect == Dialect::StrictText => Some(cursor.quoted(dialect.escapes())?),
        _ => Some(Text::plain(cursor.name(NameKind::Metric))),
    };
    if name.is_some_and(|name| name.raw.is_empty()) {
        return Err(cursor.expected_at(start, METRIC_NAME));
    }
    let name_end = cursor.at();
    cursor.skip_blanks();
    let mut labels = Labels::default();
    if cursor.eat(b'{') {
        let owner = if name.is_some() { Owner::Named } else { Owner::Unnamed };
        let braces = scanner.scan(&mut cursor, dialect, owner, label_limit)?;
        name = name.or(braces.name);
        labels = braces.labels;
        cursor.skip_blanks();
    } else if cursor.at() == name_end && !cursor.at_end() {
        return Err(cursor.expected(METRIC_NAME));
    }
    let value_token = cursor.word();
    let Some(value) = number(value_token, dialect.numbers()) else {
        return Err(cursor.expected_for(value_token, NUMBER));
    };
    let timestamp = if cursor.at_end() { None } else { read_timestamp(&mut cursor, dialect)? };
    let name = name.expect("a sample without a name is refused").unescape();
    Ok(Sample { name, labels, value, timestamp, exemplar: None, value_token })
}

/// Reads what may follow the value: blanks and a time in milliseconds.
fn read_timestamp(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
) -> Result<Option<Timestamp>, ParseError> {
    let blank = cursor.at();
    cursor.skip_blanks();
    if cursor.at_end() {
        return match dialect {
            Dialect::LenientText => Ok(None),
            _ => Err(cursor.expected_at(blank, "the line to end right after the value")),
        };
    }
    let token = cursor.word();
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let millis = token.parse().ok().filter(|_| digits || dialect == Dialect::StrictText);
    let Some(millis) = millis else {
        let what = match dialect {
            Dialect::LenientText => {
                "a time in whole milliseconds since 1970 (the server takes \
                                     none before)"
            }
            _ => "a time in whole milliseconds since 1970, such as `1395066363000`",
        };
        return Err(cursor.expected_for(token, what));
    };
    let end = cursor.at();
    if dialect == Dialect::LenientText {
        cursor.skip_blanks();
    }
    if !cursor.at_end() {
        return Err(cursor.expected_at(end, "the line to end right after the timestamp"));
    }
    Ok(Some(Timestamp::from_millis(millis)))
}

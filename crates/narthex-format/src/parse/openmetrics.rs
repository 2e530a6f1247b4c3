//! A line of OpenMetrics 1.0.

use narthex_model::MetricType;

use super::cursor::{Cursor, NameKind, Text, unescape};
use super::dialect::Dialect;
use super::error::ParseError;
use super::labels::{LabelScanner, Labels, Owner};
use super::number::{Timestamp, number};
use super::reader::{Event, Exemplar, METRIC_NAME, NUMBER, Sample};

/// Reads a line.
pub(super) fn read_line<'a>(
    mut cursor: Cursor<'a>,
    dialect: Dialect,
    scanner: &mut LabelScanner<'a>,
    label_limit: usize,
) -> Result<Event<'a>, ParseError> {
    match cursor.peek() {
        None => Err(cursor.rule("", "OpenMetrics has no empty lines: remove this one")),
        Some(b'#') if cursor.rest() == "# EOF" => Ok(Event::Eof),
        Some(b'#') => {
            cursor.eat(b'#');
            read_metadata(cursor, dialect)
        }
        Some(_) => read_sample(cursor, dialect, scanner, label_limit).map(Event::Sample),
    }
}

fn read_metadata(mut cursor: Cursor<'_>, dialect: Dialect) -> Result<Event<'_>, ParseError> {
    const KEYWORD: &str = "one blank and `TYPE`, `UNIT`, `HELP` or a lone `EOF`: OpenMetrics has \
                           no other comments";
    eat_blanks(&mut cursor, dialect, KEYWORD)?;
    let start = cursor.at();
    let keyword = cursor.word();
    if !matches!(keyword, "HELP" | "TYPE" | "UNIT") {
        return Err(cursor.expected_at(start, KEYWORD));
    }
    eat_blanks(&mut cursor, dialect, "one blank and the name of a metric")?;
    let start = cursor.at();
    let name = match cursor.peek() {
        Some(b'"') => cursor.quoted(dialect.escapes())?,
        _ => Text::plain(cursor.name(NameKind::Metric)),
    };
    if name.raw.is_empty() {
        return Err(cursor.expected_at(start, METRIC_NAME));
    }
    if !cursor.eat(b' ') {
        return Err(cursor.expected("one blank after the name, then the text"));
    }
    let family = name.unescape();
    let text = cursor.rest();
    // Blanks before a HELP text belong to it; Python's parser skips those before other words.
    let word = match dialect {
        Dialect::StrictOpenMetrics => text.trim_start_matches(' '),
        _ => text,
    };
    Ok(match keyword {
        "HELP" => Event::Help { family, text: unescape(text, b"\\n\"") },
        "UNIT" => {
            if dialect == Dialect::LenientOpenMetrics {
                check_unit(&cursor, &family, word)?;
            }
            Event::Unit { family, unit: word }
        }
        _ => {
            let metric_type = type_named(word).ok_or_else(|| {
                let message = format!(
                    "`{}` is not a metric type: use counter, gauge, histogram, gaugehistogram, \
                     stateset, info, summary or unknown",
                    word.escape_debug()
                );
                cursor.rule(word, message)
            })?;
            Event::Type { family, metric_type }
        }
    })
}

/// Eats one blank; several where the dialect takes them between words.
fn eat_blanks(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
    what: &'static str,
) -> Result<(), ParseError> {
    if !cursor.eat(b' ') {
        return Err(cursor.expected(what));
    }
    while dialect == Dialect::StrictOpenMetrics && cursor.eat(b' ') {}
    Ok(())
}

fn type_named(word: &str) -> Option<MetricType> {
    Some(match word {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "stateset" => MetricType::StateSet,
        "unknown" => MetricType::Unknown,
        _ => return None,
    })
}

/// Checks that a family is named after its unit.
fn check_unit(cursor: &Cursor<'_>, family: &str, unit: &str) -> Result<(), ParseError> {
    if is_unit_of(family, unit) {
        return Ok(());
    }
    Err(cursor.rule(unit, unit_message(family, unit)))
}

/// Whether a family's name ends in its unit; no unit fits every name.
pub(super) fn is_unit_of(family: &str, unit: &str) -> bool {
    unit.is_empty() || family.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

/// What to do about a unit that is not in the name.
pub(super) fn unit_message(family: &str, unit: &str) -> String {
    format!("`{family}` does not end in its unit: name it `{family}_{unit}` or drop the UNIT line")
}

#[inline]
fn read_sample<'a>(
    mut cursor: Cursor<'a>,
    dialect: Dialect,
    scanner: &mut LabelScanner<'a>,
    label_limit: usize,
) -> Result<Sample<'a>, ParseError> {
    const VALUE: &str = "exactly one blank and then the value";
    let start = cursor.at();
    let mut name = match cursor.peek() {
        Some(b'{') => None,
        _ => Some(Text::plain(cursor.name(NameKind::Metric))),
    };
    if name.is_some_and(|name| name.raw.is_empty()) {
        return Err(cursor.expected_at(start, METRIC_NAME));
    }
    let mut labels = Labels::default();
    if cursor.eat(b'{') {
        let owner = if name.is_some() { Owner::Named } else { Owner::Unnamed };
        let braces = scanner.scan(&mut cursor, dialect, owner, label_limit)?;
        name = name.or(braces.name);
        labels = braces.labels;
    } else if !matches!(cursor.peek(), None | Some(b' ')) {
        return Err(cursor.expected(METRIC_NAME));
    }
    if !cursor.eat(b' ') {
        return Err(cursor.expected(VALUE));
    }
    let (value, value_token) = read_number(&mut cursor, dialect)?;
    let timestamp = read_timestamp(&mut cursor, dialect)?;
    let exemplar = match cursor.at_end() {
        true => None,
        false => Some(read_exemplar(&mut cursor, dialect, scanner, label_limit)?),
    };
    let name = name.expect("a sample without a name is refused").unescape();
    Ok(Sample { name, labels, value, timestamp, exemplar, value_token })
}

fn read_number<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
) -> Result<(narthex_model::Number, &'a str), ParseError> {
    let token = cursor.word();
    match number(token, dialect.numbers()) {
        Some(value) => Ok((value, token)),
        None => Err(cursor.expected_for(token, NUMBER)),
    }
}

/// Reads a blank and a time in seconds, unless the line ends or an exemplar follows.
fn read_timestamp(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
) -> Result<Option<Timestamp>, ParseError> {
    const TIME: &str = "a time in seconds since 1970, such as `1395066363.5`, or `#` and an \
                        exemplar, or the line to end";
    if cursor.at_end() || cursor.rest().starts_with(" #") {
        return Ok(None);
    }
    let blank = cursor.at();
    if !cursor.eat(b' ') || cursor.at_end() {
        return Err(cursor.expected_at(blank, TIME));
    }
    let token = cursor.word();
    match Timestamp::from_seconds(token, dialect.numbers()) {
        Some(timestamp) => Ok(Some(timestamp)),
        None => Err(cursor.expected_for(token, TIME)),
    }
}

fn read_exemplar<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
    scanner: &mut LabelScanner<'a>,
    label_limit: usize,
) -> Result<Exemplar<'a>, ParseError> {
    const START: &str = "an exemplar as in ` # {trace_id=\"a\"} 1.5`, or the line to end";
    if !cursor.eat_str(" # {") {
        return Err(cursor.expected(START));
    }
    let labels = scanner.scan(cursor, dialect, Owner::Exemplar, label_limit)?.labels;
    if dialect == Dialect::StrictOpenMetrics {
        check_exemplar_length(cursor, labels)?;
    }
    if !cursor.eat(b' ') {
        return Err(cursor.expected("one blank and the exemplar's value"));
    }
    let (value, _) = read_number(cursor, dialect)?;
    let timestamp = read_timestamp(cursor, dialect)?;
    if !cursor.at_end() {
        return Err(cursor.expected("the line to end after the exemplar"));
    }
    Ok(Exemplar { labels, value, timestamp })
}

fn check_exemplar_length(cursor: &Cursor<'_>, labels: Labels<'_>) -> Result<(), ParseError> {
    const LIMIT: usize = 128;
    let length: usize =
        labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if length <= LIMIT {
        return Ok(());
    }
    let message = format!(
        "the names and values of an exemplar's labels have {length} characters, but may have \
         {LIMIT} in all"
    );
    Err(cursor.rule(labels.as_page_text(), message))
}

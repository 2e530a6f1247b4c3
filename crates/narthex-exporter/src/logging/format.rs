//! How an event becomes a line.
//!
//! Whatever is in it, an event is one line without control bytes: clients choose some of the text,
//! and must not be able to forge lines or to speak to a terminal.

use std::error::Error;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::LogFormat;

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let level = event.metadata().level();
        let mut fields = Fields { format: *self, message: String::new(), text: String::new() };
        event.record(&mut fields);
        let Fields { message, mut text, .. } = fields;
        for span in context.event_scope().into_iter().flatten() {
            push_span::<S, N>(*self, &mut text, &span);
        }
        match self {
            Self::Plain => {
                write!(writer, "{time} {level:>5} ")?;
                write_escaped(&mut writer, &message)?;
                if !message.is_empty() && !text.is_empty() {
                    writer.write_char(' ')?;
                }
                writer.write_str(&text)?;
            }
            Self::Json => {
                let level = lower_case(level);
                write!(writer, r#"{{"timestamp":"{time}","level":"{level}","event":"#)?;
                write_json(&mut writer, &message)?;
                let comma = if text.is_empty() { "" } else { "," };
                write!(writer, "{comma}{text}}}")?;
            }
            Self::Logfmt => {
                write!(writer, "ts={time} level={} msg=", lower_case(level))?;
                write_word(&mut writer, &message)?;
                let blank = if text.is_empty() { "" } else { " " };
                write!(writer, "{blank}{text}")?;
            }
        }
        writer.write_char('\n')
    }
}

/// The fields of spans, in the form in which the event's own are written.
impl<'w> FormatFields<'w> for LogFormat {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, record: R) -> fmt::Result {
        let mut fields = Fields { format: *self, message: String::new(), text: String::new() };
        record.record(&mut fields);
        writer.write_str(&fields.text)
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        record: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut fields = Fields {
            format: *self,
            message: String::new(),
            text: std::mem::take(&mut current.fields),
        };
        record.record(&mut fields);
        current.fields = fields.text;
        Ok(())
    }
}

fn push_span<S, N>(format: LogFormat, text: &mut String, span: &SpanRef<'_, S>)
where
    S: for<'s> LookupSpan<'s>,
    N: 'static,
{
    let extensions = span.extensions();
    let Some(fields) = extensions.get::<FormattedFields<N>>() else { return };
    if !text.is_empty() && !fields.is_empty() {
        text.push(format.separator());
    }
    text.push_str(fields);
}

impl LogFormat {
    fn separator(self) -> char {
        match self {
            Self::Plain | Self::Logfmt => ' ',
            Self::Json => ',',
        }
    }
}

/// Collects the fields of a record: the message apart, the others as text.
struct Fields {
    format: LogFormat,
    message: String,
    text: String,
}

impl Fields {
    /// Adds a field whose value is not text.
    fn literal(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field);
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}");
    }

    fn string(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
            return;
        }
        self.name(field);
        let _ = match self.format {
            LogFormat::Plain | LogFormat::Logfmt => write_word(&mut self.text, value),
            LogFormat::Json => write_json(&mut self.text, value),
        };
    }

    fn name(&mut self, field: &Field) {
        if !self.text.is_empty() {
            self.text.push(self.format.separator());
        }
        // Names are written in the source, and need no care.
        let _ = match self.format {
            LogFormat::Plain | LogFormat::Logfmt => write!(self.text, "{}=", field.name()),
            LogFormat::Json => write!(self.text, "\"{}\":", field.name()),
        };
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.string(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.string(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.literal(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.literal(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.literal(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.literal(field, value),
            false => self.string(field, &value.to_string()),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if self.format != LogFormat::Json {
            self.string(field, &chain(value));
            return;
        }
        self.name(field);
        self.text.push_str(r#"{"message":"#);
        let _ = write_json(&mut self.text, &value.to_string());
        self.text.push_str(r#","causes":["#);
        for (at, cause) in causes(value).enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            let _ = write_json(&mut self.text, &cause.to_string());
        }
        self.text.push_str("]}");
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        let cause = cause.to_string();
        // Some errors repeat what their cause says.
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn causes<'e>(error: &'e dyn Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

fn lower_case(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Writes text as a word, in quotes where it could be taken for more than one.
fn write_word(writer: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let is_plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        return writer.write_str(text);
    }
    writer.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(writer, "\\{c}")?,
            c => write_escaped_char(writer, c)?,
        }
    }
    writer.write_char('"')
}

/// Writes text without its control characters.
fn write_escaped(writer: &mut impl fmt::Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| write_escaped_char(writer, c))
}

fn write_escaped_char(writer: &mut impl fmt::Write, c: char) -> fmt::Result {
    match c {
        '\n' => writer.write_str("\\n"),
        '\r' => writer.write_str("\\r"),
        '\t' => writer.write_str("\\t"),
        // Some readers take these for line ends.
        '\u{2028}' | '\u{2029}' => write!(writer, "\\u{:04x}", u32::from(c)),
        // All others are below U+00A0.
        c if c.is_control() => write!(writer, "\\x{:02x}", u32::from(c)),
        c => writer.write_char(c),
    }
}

/// Writes text as a JSON string of printable characters.
fn write_json(writer: &mut impl fmt::Write, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(writer, "\\{c}")?,
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            c => writer.write_char(c)?,
        }
    }
    writer.write_char('"')
}

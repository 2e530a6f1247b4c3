//! Which of the offered formats a scraper gets: RFC 9110, section 12.5.1, as scrapers use it.

use narthex_model::Escaping;

use crate::format::{Format, OpenMetricsVersion, TextVersion};

/// Picks a format; see [`Format::negotiate_among`].
pub(crate) fn negotiate<'a>(
    offered: &[Format],
    accept: impl IntoIterator<Item = &'a str>,
) -> Format {
    let mut clauses: Vec<Clause> = accept
        .into_iter()
        .flat_map(|header| split(header, ','))
        .filter_map(Clause::parse)
        .collect();
    // Stable, so that of clauses with the same quality the first counts.
    clauses.sort_by_key(|clause| std::cmp::Reverse(clause.quality));
    let acceptable = clauses.partition_point(|clause| clause.quality > 0);
    let (wanted, refused) = clauses.split_at(acceptable);

    let is_refused = |format: &Format| refused.iter().any(|clause| clause.names(*format));
    let allowed: Vec<Format> = offered.iter().copied().filter(|f| !is_refused(f)).collect();
    for clause in wanted {
        if let Some(format) = clause.pick(&allowed, wanted) {
            return match clause.escaping {
                Some(escaping) => with_escaping(format, escaping),
                None => format,
            };
        }
    }
    // Nobody is turned away, not even who refuses this too.
    usual(offered).unwrap_or(Format::TEXT)
}

/// The format for those who do not say what they want.
fn usual(among: &[Format]) -> Option<Format> {
    let is_usual =
        |format: &&Format| matches!(format, Format::Text { version: TextVersion::V0_0_4, .. });
    among.iter().find(is_usual).or(among.first()).copied()
}

/// The format with another scheme.
fn with_escaping(format: Format, escaping: Escaping) -> Format {
    match format {
        Format::Text { version, .. } => Format::Text { version, escaping },
        Format::OpenMetrics { version, created, .. } => {
            Format::OpenMetrics { version, escaping, created }
        }
        Format::Protobuf { .. } => Format::Protobuf { escaping },
        Format::Json => Format::Json,
    }
}

/// One of the alternatives in an `Accept` header.
struct Clause {
    range: Range,
    escaping: Option<Escaping>,
    /// In thousandths.
    quality: u16,
}

/// Which formats a clause stands for.
enum Range {
    Anything,
    AnyText,
    /// Without a version, any.
    Text(Option<TextVersion>),
    /// The same.
    OpenMetrics(Option<OpenMetricsVersion>),
    Protobuf,
    Json,
}

impl Clause {
    /// Parses an alternative; `None` where it is malformed or stands for no format of ours.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';');
        let media_type = parts.next()?.trim();
        let (mut quality, mut escaping) = (1000, None);
        let (mut version, mut proto, mut encoding) = (None, None, None);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim(), unquote(value.trim()));
            match &*name.to_ascii_lowercase() {
                "q" => quality = thousandths(value)?,
                "escaping" => {
                    let is_named = |scheme: &Escaping| scheme.as_str().eq_ignore_ascii_case(value);
                    escaping = Escaping::ALL.into_iter().find(is_named).or(escaping);
                }
                "version" => version = Some(value),
                "proto" => proto = Some(value),
                "encoding" => encoding = Some(value),
                _ => {}
            }
        }
        let range = match &*media_type.to_ascii_lowercase() {
            "*/*" => Range::Anything,
            "text/*" => Range::AnyText,
            "text/plain" => Range::Text(match version {
                None => None,
                Some("0.0.4") => Some(TextVersion::V0_0_4),
                Some("1.0.0") => Some(TextVersion::V1_0_0),
                Some(_) => return None,
            }),
            "application/openmetrics-text" => Range::OpenMetrics(match version {
                None => None,
                Some("0.0.1") => Some(OpenMetricsVersion::V0_0_1),
                Some("1.0.0") => Some(OpenMetricsVersion::V1_0_0),
                Some(_) => return None,
            }),
            "application/vnd.google.protobuf" => {
                let is = |value: Option<&str>, wanted: &str| {
                    value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
                };
                let ours = is(proto, "io.prometheus.client.MetricFamily");
                (ours && is(encoding, "delimited")).then_some(Range::Protobuf)?
            }
            "application/json" => Range::Json,
            _ => return None,
        };
        Some(Self { range, escaping, quality })
    }

    /// Whether the clause names the format; wildcards name none.
    fn names(&self, format: Format) -> bool {
        match (&self.range, format) {
            (Range::Text(asked), Format::Text { version, .. }) => {
                asked.is_none_or(|asked| asked == version)
            }
            (Range::OpenMetrics(asked), Format::OpenMetrics { version, .. }) => {
                asked.is_none_or(|asked| asked == version)
            }
            (Range::Protobuf, Format::Protobuf { .. }) | (Range::Json, Format::Json) => true,
            _ => false,
        }
    }

    /// The format that the clause gets, one of `allowed`; `wanted` are all clauses.
    fn pick(&self, allowed: &[Format], wanted: &[Self]) -> Option<Format> {
        // What a clause names is as dear as that says: Prometheus 2.49.0 sent `*/*;q=2`.
        let is_unnamed = |format: &Format| !wanted.iter().any(|clause| clause.names(*format));
        match self.range {
            Range::Anything => usual(allowed).filter(is_unnamed),
            Range::AnyText => {
                let is_text = |format: &&Format| matches!(format, Format::Text { .. });
                let text: Vec<Format> = allowed.iter().filter(is_text).copied().collect();
                usual(&text).filter(is_unnamed)
            }
            _ => {
                // Who asks for no version may be old.
                let is_newer = |format: &Format| match format {
                    Format::Text { version, .. } => *version != TextVersion::V0_0_4,
                    Format::OpenMetrics { version, .. } => *version != OpenMetricsVersion::V0_0_1,
                    Format::Protobuf { .. } | Format::Json => false,
                };
                allowed.iter().copied().filter(|format| self.names(*format)).min_by_key(is_newer)
            }
        }
    }
}

/// The parts of a list, whose separator may stand in quoted strings.
fn split(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(move |c| {
        let (was_quoted, was_escaped) = (quoted, escaped);
        escaped = was_quoted && c == '\\' && !was_escaped;
        quoted = was_quoted != (c == '"' && !was_escaped);
        c == separator && !was_quoted
    })
}

/// The content of a quoted string, or the token as it is; no value of ours needs escapes.
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// A quality in thousandths, at most 1; `None` where it is not a decimal number.
fn thousandths(value: &str) -> Option<u16> {
    if !value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let quality: f64 = value.parse().ok()?;
    // Rounded up, so that only 0 is 0.
    Some((quality.min(1.0) * 1000.0).ceil() as u16)
}

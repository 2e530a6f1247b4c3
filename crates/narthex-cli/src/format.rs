//! The formats of pages, as the command line names them.

use std::fmt;

use narthex_format::parse::Syntax;
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion, TextVersion};

/// A format of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PageFormat {
    /// Prometheus's text format, 0.0.4 or 1.0.0
    Text,
    /// OpenMetrics 1.0
    #[value(name = "openmetrics")]
    OpenMetrics,
    /// Protobuf: metric families, each after its length
    Protobuf,
    /// The model as JSON
    Json,
}

/// What `Accept` says for pages in text of any version.
pub(crate) const ACCEPT_TEXT: &str =
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// What `Accept` says where any format will do, as Prometheus without native histograms has it.
pub(crate) const ACCEPT_ANY: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
     application/openmetrics-text;version=0.0.1;q=0.4,\
     text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

impl PageFormat {
    /// What `Accept` says for this format. Whoever lacks it answers with text, as to Prometheus.
    pub(crate) fn accept(self) -> &'static str {
        match self {
            Self::Text => ACCEPT_TEXT,
            Self::OpenMetrics => {
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,*/*;q=0.1"
            }
            Self::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;escaping=allow-utf-8;q=0.5,*/*;q=0.1"
            }
            Self::Json => "application/json;q=0.5,*/*;q=0.1",
        }
    }

    /// The format that a `Content-Type` announces, if it is one of these.
    pub(crate) fn announced(content_type: &str) -> Option<Self> {
        match Syntax::detect(content_type)? {
            Syntax::Text => Some(Self::Text),
            Syntax::OpenMetrics => Some(Self::OpenMetrics),
            Syntax::Protobuf => Some(Self::Protobuf),
            Syntax::Json => Some(Self::Json),
            _ => None,
        }
    }

    /// The format that a page looks like; what looks like nothing is taken for text.
    ///
    /// OpenMetrics is told from text by its last line, which the other does not have: a page that
    /// lost its end reads as text.
    pub(crate) fn of(page: &[u8]) -> Self {
        if looks_like_json(page) {
            Self::Json
        } else if looks_like_protobuf(page) {
            Self::Protobuf
        } else if page.trim_ascii_end().rsplit(|byte| *byte == b'\n').next() == Some(b"# EOF") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    pub(crate) fn syntax(self) -> Syntax {
        match self {
            Self::Text => Syntax::Text,
            Self::OpenMetrics => Syntax::OpenMetrics,
            Self::Protobuf => Syntax::Protobuf,
            Self::Json => Syntax::Json,
        }
    }

    /// What writes such pages with all that they can carry.
    pub(crate) fn writer(self, escaping: Escaping) -> Format {
        match self {
            Self::Text => Format::Text { version: TextVersion::V1_0_0, escaping },
            Self::OpenMetrics => Format::OpenMetrics {
                version: OpenMetricsVersion::V1_0_0,
                escaping,
                created: CreatedLines::Written,
            },
            Self::Protobuf => Format::Protobuf { escaping },
            Self::Json => Format::Json,
        }
    }

    /// The word that the command line uses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::OpenMetrics => "openmetrics",
            Self::Protobuf => "protobuf",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for PageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "the text format",
            Self::OpenMetrics => "OpenMetrics",
            Self::Protobuf => "protobuf",
            Self::Json => "JSON",
        })
    }
}

/// Whether it starts with an object that is empty or has a key. In text, a name in quotes may
/// follow the brace as well, but no colon comes after that.
fn looks_like_json(page: &[u8]) -> bool {
    let Some(rest) = page.trim_ascii_start().strip_prefix(b"{") else { return false };
    let rest = rest.trim_ascii_start();
    if rest.first() == Some(&b'}') {
        return rest[1..].trim_ascii().is_empty();
    }
    let Some(key) = rest.strip_prefix(b"\"") else { return false };
    let Some(end) = key.iter().position(|byte| *byte == b'"') else { return false };
    key[end + 1..].trim_ascii_start().first() == Some(&b':')
}

/// Whether it starts with the length of a message that starts with a name, and another field or
/// nothing after that.
fn looks_like_protobuf(page: &[u8]) -> bool {
    const NAME: u8 = 0x0a;
    const HELP_TYPE_METRIC_UNIT: [u8; 4] = [0x12, 0x18, 0x22, 0x2a];
    let framed = || {
        let (length, rest) = varint(page)?;
        let message = rest.get(..length)?.strip_prefix(&[NAME])?;
        let (length, rest) = varint(message)?;
        let (name, after) = rest.split_at_checked(length)?;
        let is_name = std::str::from_utf8(name)
            .is_ok_and(|name| !name.is_empty() && !name.contains(char::is_control));
        Some(is_name && after.first().is_none_or(|tag| HELP_TYPE_METRIC_UNIT.contains(tag)))
    };
    framed().unwrap_or(false)
}

/// A number of up to five bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    let value = number.iter().rev().fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((usize::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use narthex_format::{Escaping, Format};
    use narthex_model::{MetricFamily, Scrape};

    use super::PageFormat;

    #[test]
    fn a_page_is_told_by_what_it_looks_like() {
        for (page, expected) in [
            (&b""[..], PageFormat::Text),
            (b"up 1\n", PageFormat::Text),
            (b"\n\n# HELP a_name_that_is_longer_than_ten_bytes It.\n", PageFormat::Text),
            (b"{\"a.b\"} 1\n", PageFormat::Text),
            (b"{\"a.b\", c=\"d:\"} 1\n", PageFormat::Text),
            (b"{} 1\n", PageFormat::Text),
            (b"# EOF\nup 1\n", PageFormat::Text),
            (b"up 1\n# EOF\n", PageFormat::OpenMetrics),
            (b"up 1\n# EOF", PageFormat::OpenMetrics),
            (b"# EOF\n\n", PageFormat::OpenMetrics),
            (b"{\"families\":[]}", PageFormat::Json),
            (b" {\n \"families\" : [", PageFormat::Json),
            (b"{}\n", PageFormat::Json),
            (b"\x04\x0a\x02up", PageFormat::Protobuf),
            (b"\x04\x0a\x02up\x01\x0a", PageFormat::Protobuf),
            (b"\x06\x0a\x02up\x18\x01", PageFormat::Protobuf),
            (b"\x05\x0a\x02up", PageFormat::Text),
            (b"\x05\x0a\x02up\x07", PageFormat::Text),
            (b"\x04\x0a\x02\x00\x01", PageFormat::Text),
            (b"\xff\xff\xff\xff\xff\xff\xff\x0a", PageFormat::Text),
            (b"\x1f\x8b", PageFormat::Text),
        ] {
            assert_eq!(PageFormat::of(page), expected, "{:?}", page.escape_ascii().to_string());
        }
    }

    #[test]
    fn every_page_that_is_written_is_told() {
        let family = MetricFamily::counter("jobs_total", "Jobs.").unit("jobs").label_names(["a"]);
        let family = family.sample(["{\"b\":1}"], 1.0).build().unwrap();
        let scrape = Scrape::new(vec![family]);
        for format in
            [PageFormat::Text, PageFormat::OpenMetrics, PageFormat::Protobuf, PageFormat::Json]
        {
            let writer = format.writer(Escaping::AllowUtf8);
            let mut page = Vec::new();
            writer.encode(&scrape, &mut page);
            assert_eq!(PageFormat::of(&page), format);
            if writer != Format::Json {
                assert_eq!(Format::negotiate([format.accept()]), writer_without_created(writer));
            }
            assert_eq!(PageFormat::announced(writer.content_type()), Some(format));
        }
    }

    /// What a service answers, which offers no lines for creation times.
    fn writer_without_created(writer: Format) -> Format {
        match writer {
            Format::OpenMetrics { version, escaping, .. } => {
                Format::OpenMetrics { version, escaping, created: Default::default() }
            }
            other => other,
        }
    }
}

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{FATAL, LogFormat, LogLevel, subscriber};

/// What `log` logs, without times.
fn logged(level: LogLevel, format: LogFormat, log: impl FnOnce()) -> String {
    let buffer = Arc::new(Mutex::new(Vec::new()));
    let writer = buffer.clone();
    let make_writer = move || Shared(writer.clone());
    tracing::subscriber::with_default(subscriber(level, format, make_writer), log);
    let bytes = buffer.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks one line: `expected` is what follows the time.
fn check(format: LogFormat, log: impl FnOnce(), expected: &str) {
    let line = logged(LogLevel::Trace, format, log);
    let start = match format {
        LogFormat::Plain => "",
        LogFormat::Logfmt => "ts=",
        LogFormat::Json => r#"{"timestamp":""#,
    };
    let rest = line.strip_prefix(start).expect(&line);
    let (time, rest) = rest.split_at("2026-11-21T23:06:46.123456Z".len());
    assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
    assert_eq!(rest, expected);
}

#[derive(Debug)]
struct Failed(Option<Box<Failed>>, &'static str);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|cause| &**cause as _)
    }
}

fn event() {
    let error = Failed(Some(Box::new(Failed(None, "no \"such\" device"))), "cannot read");
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        source = "a b",
        plain = "a",
        tries = 3,
        ratio = 0.5,
        nan = f64::NAN,
        last = true,
        "source {} failed",
        7
    );
}

#[test]
fn b07_plain_lines_are_time_level_message_and_fields() {
    check(
        LogFormat::Plain,
        event,
        "  WARN source 7 failed error=\"cannot read: no \\\"such\\\" device\" source=\"a b\" \
         plain=a tries=3 ratio=0.5 nan=NaN last=true\n",
    );
}

#[test]
fn b17_json_lines_are_objects_with_error_chains() {
    let line = logged(LogLevel::Info, LogFormat::Json, event);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["level"], "warn");
    assert_eq!(object["event"], "source 7 failed");
    assert_eq!(object["error"]["message"], "cannot read");
    assert_eq!(object["error"]["causes"], serde_json::json!(["no \"such\" device"]));
    assert_eq!(object["tries"], 3);
    assert_eq!(object["nan"], "NaN");
    assert_eq!(object["last"], true);
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn logfmt_lines_are_what_prometheus_writes() {
    check(
        LogFormat::Logfmt,
        || tracing::info!(path = "/a=b", empty = "", "listening"),
        " level=info msg=listening path=\"/a=b\" empty=\"\"\n",
    );
}

#[test]
fn spans_add_their_fields() {
    let log = || {
        let outer = tracing::info_span!("outer", source = "a b", late = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("late", 1);
        let _inner = tracing::info_span!("inner").entered();
        tracing::info!(own = 1, "m");
    };
    check(LogFormat::Plain, log, "  INFO m own=1 source=\"a b\" late=1\n");
    let line = logged(LogLevel::Info, LogFormat::Json, log);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&object["own"], &object["source"], &object["late"]),
        (&1.into(), &"a b".into(), &1.into())
    );
}

#[test]
fn control_bytes_never_reach_the_log() {
    let evil = "a\u{1b}[31m\r\nERROR forged\u{7f}\u{9b}\u{2028}\0\t\"\\";
    for format in [LogFormat::Plain, LogFormat::Json, LogFormat::Logfmt] {
        let line = logged(LogLevel::Info, format, || {
            let _span = tracing::info_span!("s", evil).entered();
            tracing::info!(display = %evil, debug = ?evil, text = evil, "got {evil}");
        });
        let (line, rest) = line.split_once('\n').unwrap();
        assert_eq!(rest, "", "{line}");
        let is_raw = |c: char| c.is_control() || c == '\u{2028}';
        assert!(!line.contains(is_raw), "{line:?}");
        if format == LogFormat::Json {
            let object: Value = serde_json::from_str(line).unwrap();
            assert_eq!(object["text"], evil);
            assert_eq!(object["event"], format!("got {evil}"));
        }
    }
}

#[test]
fn b06_levels_let_through_what_is_at_least_as_grave() {
    use LogLevel::{Critical, Debug, Error, Info, Trace, Warning};
    for (level, expected) in
        [(Critical, 1), (Error, 2), (Warning, 3), (Info, 4), (Debug, 5), (Trace, 6)]
    {
        let lines = logged(level, LogFormat::Plain, || {
            tracing::error!(target: FATAL, "f");
            tracing::error!("e");
            tracing::warn!("w");
            tracing::info!("i");
            tracing::debug!("d");
            tracing::trace!("t");
        });
        assert_eq!(lines.lines().count(), expected, "{level:?}: {lines}");
    }
}

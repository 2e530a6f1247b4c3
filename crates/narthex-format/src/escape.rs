//! Escaping for the text formats, label values aside: those are escaped when they are born.

use narthex_model::{LabelName, MetricName};

/// Appends a HELP text: backslash and line feed are escaped, quotes are not.
pub(crate) fn push_help(out: &mut Vec<u8>, help: &str) {
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            byte => out.push(byte),
        }
    }
}

/// Appends the name of a family, escaped by the scheme `underscores`.
pub(crate) fn push_metric_name(out: &mut Vec<u8>, name: &MetricName) {
    out.extend_from_slice(name.underscored().as_bytes());
}

/// Appends the name of a label, escaped by the scheme `underscores`.
pub(crate) fn push_label_name(out: &mut Vec<u8>, name: &LabelName) {
    out.extend_from_slice(name.underscored().as_bytes());
}

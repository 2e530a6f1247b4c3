//! The report as JSON.

use std::io::{self, Write};

use narthex_format::Format;
use narthex_format::parse::parse_within;
use serde_json::{Value, json};

use super::Report;
use crate::report::{Kind, Place, Remark};

/// Writes one object; a page that can be read adds its families, as `narthex convert --to json`
/// writes them.
pub(super) fn write(out: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    let input = report.input;
    let list = |remarks: &[Remark]| remarks.iter().map(remark).collect::<Vec<_>>();
    let head = json!({
        "page": input.name,
        "format": input.format.word(),
        "verdict": report.verdict().word(),
        "faults": list(&report.faults),
        "findings": list(&report.findings),
        "more": report.more,
    });
    let head = head.to_string();
    let scrape = match report.faults.is_empty() {
        true => parse_within(input.format.syntax(), &input.page, report.mode, &report.limits).ok(),
        false => None,
    };
    let Some(scrape) = scrape else { return writeln!(out, "{head}") };
    // Both are objects, and the second is long: it is written as it comes, without its brace.
    let open = head.strip_suffix('}').unwrap_or(&head);
    write!(out, "{open},")?;
    Format::Json.write(&scrape, &mut WithoutFirst { out, skipped: false })
}

fn remark(remark: &Remark) -> Value {
    let mut object = match remark.place {
        Place::Line { line, column } => json!({"line": line, "column": column}),
        Place::Byte(byte) => json!({"byte": byte}),
        Place::Page => json!({}),
    };
    if !remark.token.is_empty() {
        object["token"] = remark.token.as_str().into();
    }
    object["message"] = remark.message.as_str().into();
    if let Kind::Lint { family, rule } = &remark.kind {
        object["family"] = family.as_str().into();
        object["rule"] = rule.name().into();
        object["why"] = rule.why().into();
        object["mend"] = rule.mend().into();
    }
    object
}

/// Leaves out the first byte of all.
struct WithoutFirst<'a, W> {
    out: &'a mut W,
    skipped: bool,
}

impl<W: Write> Write for WithoutFirst<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.skipped || bytes.is_empty() {
            return self.out.write(bytes);
        }
        self.skipped = true;
        self.out.write_all(&bytes[1..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

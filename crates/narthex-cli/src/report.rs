//! What is to be said about a page, for people: as compilers do on a terminal, one line each
//! elsewhere.

use std::io::{self, Write};

use narthex_format::lint::Rule;
use narthex_format::parse::{self, Limits, Mode, ParseError};

use crate::input::Input;
use crate::snippet::Snippet;
use crate::terminal::{Paint, Part, Reader, printable};

/// Something about a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) place: Place,
    /// What stands there, where that is known.
    pub(crate) token: String,
    pub(crate) message: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Both from 1, the column in characters.
    Line { line: usize, column: usize },
    /// From 0.
    Byte(usize),
    /// The page as a whole.
    Page,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The page cannot be read.
    Fault,
    /// The page can be read, but does not say it all or should say it otherwise.
    Warning,
    /// As that, by a rule that says why, and how to mend it.
    Lint { family: String, rule: Rule },
}

/// All faults of a page, up to the limit on them.
pub(crate) fn faults(input: &Input, mode: Mode, limits: &Limits) -> Vec<Remark> {
    let faults = parse::check(input.format.syntax(), &input.page, mode, limits);
    faults.iter().map(Remark::of_fault).collect()
}

impl Remark {
    fn of_fault(fault: &ParseError) -> Self {
        let place = match (fault.line(), fault.column(), fault.byte()) {
            (Some(line), Some(column), _) => Place::Line { line, column },
            (_, _, Some(byte)) => Place::Byte(byte),
            _ => Place::Page,
        };
        let (token, message) = (fault.token().to_owned(), fault.message().to_string());
        Self { place, token, message, kind: Kind::Fault }
    }

    /// The message, without what would break its line or the terminal.
    fn message(&self) -> String {
        let message = match &self.kind {
            Kind::Lint { family, .. } => format!("{family}: {}", self.message),
            Kind::Fault | Kind::Warning => self.message.clone(),
        };
        printable(message.as_bytes()).replace('\n', "\\n").replace('\t', "\\t")
    }
}

/// Writes the remarks, which are in the order of their places.
pub(crate) fn write(
    out: &mut impl Write,
    input: &Input,
    remarks: &[Remark],
    reader: Reader,
) -> io::Result<()> {
    let Reader::Terminal { columns, colour } = reader else {
        return remarks.iter().try_for_each(|remark| write_line(out, &input.name, remark));
    };
    let mut lines = Lines { number: 0, rest: &input.page };
    for remark in remarks {
        write_in_full(out, input, remark, &mut lines, columns, Paint { colour })?;
    }
    Ok(())
}

/// The message, the line with a mark below the place, and what a rule has to say.
fn write_in_full(
    out: &mut impl Write,
    input: &Input,
    remark: &Remark,
    lines: &mut Lines<'_>,
    columns: usize,
    paint: Paint,
) -> io::Result<()> {
    let (part, word) = match remark.kind {
        Kind::Fault => (Part::Error, "error"),
        Kind::Warning | Kind::Lint { .. } => (Part::Warning, "warning"),
    };
    let message = paint.part(Part::Message, format!(": {}", remark.message()));
    writeln!(out, "{}{message}", paint.part(part, word))?;

    let (place, number, shown) = match remark.place {
        Place::Line { line, column } => {
            let number = line.to_string();
            // The frame takes three columns beside the number, and something should be seen.
            let columns = columns.saturating_sub(number.len() + 3).max(20);
            let at = column.saturating_sub(1);
            let shown = Snippet::new(lines.line(line), at, &remark.token, columns);
            (format!(":{line}:{column}"), number, Some(shown))
        }
        Place::Byte(at) => (format!(": byte {at}"), " ".to_owned(), Some(hex(&input.page, at))),
        Place::Page => (String::new(), " ".to_owned(), None),
    };
    let margin = " ".repeat(number.len());
    writeln!(out, "{margin}{} {}{place}", paint.part(Part::Frame, "-->"), input.name)?;
    if let Some(Snippet { text, indent, width }) = shown {
        let (number, bar) = (paint.part(Part::Frame, number), paint.part(Part::Frame, "|"));
        let mark = paint.part(part, "^".repeat(width));
        writeln!(out, "{margin} {bar}\n{number} {bar} {text}")?;
        writeln!(out, "{margin} {bar} {}{mark}", " ".repeat(indent))?;
    }
    if let Kind::Lint { rule, .. } = remark.kind {
        for (word, text) in [("why:", rule.why()), ("mend:", rule.mend()), ("rule:", rule.name())] {
            let (sign, word) = (paint.part(Part::Frame, "="), paint.part(Part::Message, word));
            writeln!(out, "{margin} {sign} {word} {text}")?;
        }
    }
    writeln!(out)
}

/// One line, as editors and other programs look for them.
fn write_line(out: &mut impl Write, name: &str, remark: &Remark) -> io::Result<()> {
    match remark.place {
        Place::Line { line, column } => write!(out, "{name}:{line}:{column}: ")?,
        Place::Byte(at) => write!(out, "{name}: byte {at}: ")?,
        Place::Page => write!(out, "{name}: ")?,
    }
    let message = remark.message();
    match remark.kind {
        Kind::Fault | Kind::Warning => writeln!(out, "{message}"),
        Kind::Lint { rule, .. } => writeln!(out, "{message}; {} [{rule}]", rule.mend()),
    }
}

/// Bytes around one in hexadecimal, with the mark below that.
fn hex(page: &[u8], at: usize) -> Snippet {
    const AROUND: usize = 8;
    let at = at.min(page.len());
    let start = at.saturating_sub(AROUND);
    let end = (at + AROUND).min(page.len());
    let bytes: Vec<_> = page[start..end].iter().map(|byte| format!("{byte:02x}")).collect();
    Snippet { text: bytes.join(" "), indent: 3 * (at - start), width: 2 }
}

/// The lines of a page, which are asked for in their order.
struct Lines<'a> {
    /// The lines before the rest.
    number: usize,
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn line(&mut self, number: usize) -> &'a [u8] {
        while self.number + 1 < number {
            self.rest = match memchr::memchr(b'\n', self.rest) {
                Some(end) => &self.rest[end + 1..],
                None => &[],
            };
            self.number += 1;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        &self.rest[..end]
    }
}

//! What a terminal is shown, and how.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use clap::builder::styling::{AnsiColor, Style};

/// The text with whatever a terminal would obey, or not show, written out.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' => text.push(c),
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Who reads what the program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A program, or a file for later.
    Program,
    /// Somebody at a terminal of so many columns.
    Terminal { columns: usize, colour: bool },
}

impl Reader {
    /// Who reads the standard output, or the standard error.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        if !stream.is_terminal() {
            return Self::Program;
        }
        let size = terminal_size::terminal_size();
        let columns = size.map_or(0, |(width, _)| usize::from(width.0));
        // Some terminals do not know how wide they are.
        let columns = if columns == 0 { 80 } else { columns };
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self::Terminal { columns, colour: !is_dumb && !is_set("NO_COLOR") }
    }
}

/// What a part of a message is, and so how it is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Error,
    Warning,
    Message,
    Frame,
}

/// Paints texts, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) colour: bool,
}

impl Paint {
    pub(crate) fn part(self, part: Part, text: impl fmt::Display) -> String {
        let style = match part {
            _ if !self.colour => Style::new(),
            Part::Error => AnsiColor::BrightRed.on_default().bold(),
            Part::Warning => AnsiColor::BrightYellow.on_default().bold(),
            Part::Message => Style::new().bold(),
            Part::Frame => AnsiColor::BrightBlue.on_default().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        for (bytes, expected) in [
            (&b"a\tb\nc"[..], "a\tb\nc"),
            ("é ∞".as_bytes(), "é ∞"),
            (b"\r\x07\x1b[2J\x7f", "\\r\\u{7}\\u{1b}[2J\\u{7f}"),
            ("\u{9b}2J".as_bytes(), "\\u{9b}2J"),
            (b"\x9b2J \xe2\x88", "\\x9b2J \\xe2\\x88"),
        ] {
            assert_eq!(printable(bytes), expected);
        }
    }
}

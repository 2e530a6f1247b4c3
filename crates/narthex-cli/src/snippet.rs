//! A line of a page with a mark below a place in it, as compilers show it.

use unicode_width::UnicodeWidthChar as _;

/// Part of a line, and where in it the mark goes, in columns of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snippet {
    pub(crate) text: String,
    /// Columns before the mark.
    pub(crate) indent: usize,
    /// Columns of the mark.
    pub(crate) width: usize,
}

impl Snippet {
    /// Cuts `columns` columns out of the line, around the `token` at character `at`.
    ///
    /// Characters are counted from 0, and a byte that is not UTF-8 counts as one. The mark is one
    /// column where the token does not stand there.
    pub(crate) fn new(line: &[u8], at: usize, token: &str, columns: usize) -> Self {
        // What is further away than that cannot be seen, and the line may have any length.
        let first = at.saturating_sub(columns);
        let mut glyphs = glyphs(line).skip(first);
        let cells: Vec<Cell> = glyphs.by_ref().take(2 * columns + 1).map(Cell::new).collect();
        let cut_at_end = glyphs.next().is_some();
        let at = (at - first).min(cells.len());
        let view = View::around(&cells, at, columns, [first > 0, cut_at_end]);

        let marked = cells[at..view.end].iter().zip(token.chars());
        let marked = marked.take_while(|(cell, c)| cell.glyph == Glyph::Char(*c)).count();
        // A token is whole, or cut with an ellipsis.
        let kept = token.strip_suffix('…').unwrap_or(token).chars().count();
        let marked = if marked >= kept.min(view.end - at) { marked } else { 1 };
        let width = |cells: &[Cell]| cells.iter().map(|cell| cell.width).sum::<usize>();
        let ellipsis = |cut: bool| if cut { "…" } else { "" };
        let mut text = ellipsis(view.cut[0]).to_owned();
        text.extend(cells[view.start..view.end].iter().map(|cell| cell.text.as_str()));
        text += ellipsis(view.cut[1]);
        Self {
            text: text.trim_end().to_owned(),
            indent: usize::from(view.cut[0]) + width(&cells[view.start..at]),
            width: width(&cells[at..(at + marked).min(view.end)]).max(1),
        }
    }
}

/// The cells that are shown, and whether there are others before and after them.
struct View {
    start: usize,
    end: usize,
    cut: [bool; 2],
}

impl View {
    /// As many cells around `at` as fit in.
    fn around(cells: &[Cell], at: usize, columns: usize, beyond: [bool; 2]) -> Self {
        let total: usize = cells.iter().map(|cell| cell.width).sum();
        if total <= columns && beyond == [false; 2] {
            return Self { start: 0, end: cells.len(), cut: [false; 2] };
        }
        // Two columns are for the ellipses.
        let columns = columns.saturating_sub(2).max(1);
        let (mut start, mut end, mut used) = (at, at, 0);
        let mut take = |index: usize, most: usize| {
            let fits = used + cells[index].width <= most;
            used += if fits { cells[index].width } else { 0 };
            fits
        };
        while start > 0 && take(start - 1, columns / 2) {
            start -= 1;
        }
        while end < cells.len() && take(end, columns) {
            end += 1;
        }
        while start > 0 && take(start - 1, columns) {
            start -= 1;
        }
        Self { start, end, cut: [start > 0 || beyond[0], end < cells.len() || beyond[1]] }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glyph {
    Char(char),
    Byte(u8),
}

/// A character as a terminal shows it.
struct Cell {
    glyph: Glyph,
    text: String,
    width: usize,
}

impl Cell {
    fn new(glyph: Glyph) -> Self {
        let text = match glyph {
            Glyph::Char('\t') => "    ".to_owned(),
            Glyph::Char(c) if c.is_control() || reorders(c) => c.escape_default().to_string(),
            Glyph::Char(c) => c.to_string(),
            Glyph::Byte(byte) => format!("\\x{byte:02x}"),
        };
        // A sum, for what is written out has several characters.
        let width = text.chars().map(|c| c.width().unwrap_or(0)).sum();
        Self { glyph, text, width }
    }
}

/// Whether a terminal shows what follows in another order, so that no mark could point at it.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn glyphs(line: &[u8]) -> impl Iterator<Item = Glyph> {
    line.utf8_chunks().flat_map(|chunk| {
        let bytes = chunk.invalid().iter().copied().map(Glyph::Byte);
        chunk.valid().chars().map(Glyph::Char).chain(bytes)
    })
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthChar as _;

    use super::{Snippet, reorders};

    /// The line and, below it, the mark.
    #[track_caller]
    fn check(line: impl AsRef<[u8]>, at: usize, token: &str, columns: usize, expected: [&str; 2]) {
        let snippet = Snippet::new(line.as_ref(), at, token, columns);
        let mark = format!("{}{}", " ".repeat(snippet.indent), "^".repeat(snippet.width));
        assert_eq!([&*snippet.text, &*mark], expected);
    }

    #[test]
    fn the_mark_is_below_the_token() {
        check("up{job=a} 1", 7, "a", 80, ["up{job=a} 1", "       ^"]);
        check("up 2.5.0", 3, "2.5.0", 80, ["up 2.5.0", "   ^^^^^"]);
        check("up", 2, "", 80, ["up", "  ^"]);
        check("", 0, "", 80, ["", "^"]);
    }

    #[test]
    fn a_token_that_stands_elsewhere_is_a_mark_of_one() {
        check("a{b=\"\\n\"} 1", 5, "\n", 80, ["a{b=\"\\n\"} 1", "     ^"]);
        check("up 1", 9, "now", 80, ["up 1", "    ^"]);
    }

    #[test]
    fn a_long_token_is_marked_as_far_as_it_is_known() {
        let token = format!("{}…", "x".repeat(40));
        let line = format!("up {}", "x".repeat(50));
        check(&line, 3, &token, 80, [&line, &format!("   {}", "^".repeat(40))]);
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_mark_in_place() {
        check("up\t\tno", 4, "no", 80, ["up        no", "          ^^"]);
        check("# 日本語 x", 6, "x", 80, ["# 日本語 x", "         ^"]);
        check("a{b=\"語\"} 語", 9, "語", 80, ["a{b=\"語\"} 語", "          ^^"]);
        // An accent of its own takes no column.
        check("e\u{301} x", 3, "x", 80, ["e\u{301} x", "  ^"]);
    }

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        check("a\x1b[2J x", 6, "x", 80, ["a\\u{1b}[2J x", "           ^"]);
        check(b"\xff\xfe x", 0, "\\xff\\xfe", 80, ["\\xff\\xfe x", "^^^^"]);
        check("a\u{202e}b x", 4, "x", 80, ["a\\u{202e}b x", "           ^"]);
        check("up 1\r", 4, "\r", 80, ["up 1\\r", "    ^^"]);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}!{}", "a".repeat(1000), "b".repeat(1000));
        check(&line, 1000, "!", 12, ["…aaaaa!bbbb…", "      ^"]);
        check(&line, 0, "a", 12, ["aaaaaaaaaa…", "^"]);
        check(&line, 2001, "", 12, ["…bbbbbbbbbb", "           ^"]);
        let wide = "語".repeat(100);
        check(&wide, 50, "語", 12, ["…語語語語語…", "     ^^"]);
    }

    #[test]
    fn a_line_of_megabytes_is_cut_as_well() {
        let line = vec![b'a'; 4 << 20];
        check(&line, 2 << 20, "a", 12, ["…aaaaaaaaaa…", "      ^"]);
    }

    #[test]
    fn any_line_can_be_shown_at_any_place() {
        let parts: [&[u8]; 8] =
            [b"a", b"\t", b"\xff", "語".as_bytes(), b"\x1b", "\u{202e}".as_bytes(), b"\xe2", b" "];
        let mut seed = 1u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for _ in 0..2000 {
            let line: Vec<u8> = (0..random(60)).flat_map(|_| parts[random(8)]).copied().collect();
            let (at, columns) = (random(70), 20 + random(40));
            let Snippet { text, indent, width } = Snippet::new(&line, at, "a", columns);
            let shown: usize = text.chars().map(|c| c.width().unwrap_or(0)).sum();
            assert!(shown <= columns && indent + width <= columns + 1, "{text:?} {at} {columns}");
            assert!(!text.chars().any(|c| c.is_control() || reorders(c)), "{text:?}");
        }
    }
}

//! A reader of what the encoder may write, and of nothing else: blanks, order and escapes must be
//! as the format wants them.

/// A line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Help(String),
    Type,
    Sample { name: String, labels: Vec<(String, String)>, value: String, timestamp: Option<String> },
}

/// The lines of a page, or `None` where it is not as it should be.
pub(crate) fn read(page: &str) -> Option<Vec<Line>> {
    let mut rest = page;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n')?;
        lines.push(read_line(line)?);
        rest = after;
    }
    Some(lines)
}

fn read_line(line: &str) -> Option<Line> {
    if let Some(help) = line.strip_prefix("# HELP ") {
        let (_, text) = help.split_once(' ')?;
        return Some(Line::Help(unescape(text, "\\n")?));
    }
    if line.starts_with("# TYPE ") {
        return Some(Line::Type);
    }
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => read_labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.strip_prefix(' ')?.split(' ').map(str::to_owned);
    let sample = Line::Sample {
        name: name.to_owned(),
        labels,
        value: words.next().filter(|value| !value.is_empty())?,
        timestamp: words.next(),
    };
    words.next().is_none().then_some(sample)
}

/// The labels up to the closing brace, at least one, and what follows the brace.
fn read_labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let end = closing_quote(after)?;
        labels.push((name.to_owned(), unescape(&after[..end], "\\n\"")?));
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((labels, rest.strip_prefix('}')?)),
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Undoes the escapes in `known`; any other is refused.
fn unescape(text: &str, known: &str) -> Option<String> {
    let mut raw = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        raw.push(match c {
            '\\' => match chars.next().filter(|&c| known.contains(c))? {
                'n' => '\n',
                c => c,
            },
            c => c,
        });
    }
    Some(raw)
}

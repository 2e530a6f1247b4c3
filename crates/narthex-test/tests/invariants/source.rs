//! What Rust sources mention, tests, comments and strings aside.

use std::fs;
use std::path::{Path, PathBuf};

/// Something found in a source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// The Rust files below `folder`, those of tests aside: `tests.rs`, `x_tests.rs`, `tests/x.rs`.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("`{}` cannot be listed: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be listed to its end").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if stem == "tests" || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// `source` with every comment, string and item for tests replaced by blanks, line for line.
pub(crate) fn code(source: &str) -> String {
    let mut code = without_text(source);
    while let Some(test) = first_test_item(&code) {
        let blank = blanked(&code[test.clone()]);
        code.replace_range(test, &blank);
    }
    code
}

/// Where `code` names one of `paths`: `std::fs` in `std::fs::read` and `std::{fs, io}`, and `tokio`
/// where that begins a path.
pub(crate) fn mentions(code: &str, paths: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in paths {
        let (root, module) = path.split_once("::").unwrap_or((path, ""));
        let start = format!("{root}::");
        for (at, _) in code.match_indices(&start) {
            let begins = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if begins && (module.is_empty() || names_module(&code[at + start.len()..], module)) {
                findings.push(finding(code, at, path));
            }
        }
    }
    findings
}

/// Where `code` has `text`.
pub(crate) fn mentions_text(code: &str, text: &str) -> Vec<Finding> {
    code.match_indices(text).map(|(at, _)| finding(code, at, text)).collect()
}

fn finding(code: &str, at: usize, what: &str) -> Finding {
    Finding { line: code[..at].matches('\n').count() + 1, what: what.to_owned() }
}

/// Whether what follows `std::` is `module`, or a group with `module` in it.
fn names_module(rest: &str, module: &str) -> bool {
    let begins_with_module = |text: &str| {
        let rest = text.trim_start().strip_prefix(module);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let Some(group) = rest.trim_start().strip_prefix('{') else {
        return begins_with_module(rest);
    };
    let mut depth = 0;
    let end = group.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    });
    let mut depth = 0;
    let mut heads = group[..end.unwrap_or(group.len())].split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    heads.any(begins_with_module)
}

/// `source` with comments and the insides of literals blanked.
fn without_text(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while !rest.is_empty() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let text = text_length(rest, after_word);
        let (taken, left) = match text {
            Some(length) => rest.split_at(length),
            None => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
        };
        if text.is_some() {
            code.push_str(&blanked(taken));
        } else {
            code.push_str(taken);
        }
        rest = left;
    }
    code
}

/// How long the comment or literal is that `rest` begins with.
fn text_length(rest: &str, after_word: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return Some(1 + quoted_length(inside, '"'));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        let mut chars = inside.chars();
        let first = chars.next();
        // Anything else is a lifetime.
        let is_char = first == Some('\\') || chars.next() == Some('\'');
        return is_char.then(|| 1 + quoted_length(inside, '\''));
    }
    if after_word {
        return None;
    }
    let raw = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let inside = raw[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(rest.len() - inside.len() + length)
}

/// How long the rest of a literal is, its closing quote included.
fn quoted_length(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(inside.len(), |at| at + 1)
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The first item under `#[cfg(test)]` or a combination with it.
fn first_test_item(code: &str) -> Option<std::ops::Range<usize>> {
    let (start, attribute) = code.match_indices("#[cfg(").find_map(|(start, _)| {
        let end = code[start..].find(']')? + 1;
        let condition = &code[start..start + end];
        let mut words = condition.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_test = words.any(|word| word == "test") && !condition.contains("not(test");
        is_test.then_some((start, end))
    })?;
    let item = &code[start + attribute..];
    let mut depth = 0;
    let end = item.find(|c| {
        let was_inside = depth > 0;
        depth += i32::from(matches!(c, '{' | '(' | '[')) - i32::from(matches!(c, '}' | ')' | ']'));
        depth == 0 && (c == ';' || (c == '}' && was_inside))
    });
    Some(start..start + attribute + end.map_or(item.len(), |at| at + 1))
}

fn blanked(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Finding, code, mentions, mentions_text};

    #[test]
    fn modules_are_found_however_they_are_named() {
        let forbidden = ["std::fs", "std::env", "tokio"];
        let found = |text: &str| mentions(&code(text), &forbidden).len();
        for text in [
            "use std::fs;",
            "use std::{io, fs};",
            "use std::{io::{self, Read}, fs::File};",
            "let x = ::std::env::var(\"A\");",
            "use tokio::net::TcpStream;",
        ] {
            assert_eq!(found(text), 1, "{text}");
        }
        for text in [
            "use std::fmt;",
            "use std::{io, fmt::{env, fs}};",
            "// std::fs",
            "/* /* */ std::fs */",
            "let x = \"std::fs\";",
            "let x = r#\"\" std::fs\"#;",
            "let quote = ['\"', '\\'']; let text = \"std::fs\";",
            "use my_std::fs;",
            "use std::env_like;",
            "fn tokio() {}",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
            "#[cfg(all(test, not(loom)))]\nuse std::fs;\n",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
    }

    #[test]
    fn an_unwrap_is_found_with_its_line_unless_it_is_in_tests() {
        let source = "/// x.unwrap()\nfn f<'a>(x: &'a str) { x.unwrap() }\n\
                      #[cfg(test)]\nmod tests { fn g() { x.unwrap() } }\n\
                      #[cfg(not(test))]\nfn h() { x.unwrap() }\n";
        let lines = [2, 6].map(|line| Finding { line, what: ".unwrap()".to_owned() });
        assert_eq!(mentions_text(&code(source), ".unwrap()"), lines);
    }
}

//! What ARCHITECTURE.md says.

/// The code map and the invariants.
#[derive(Debug, Default)]
pub(crate) struct Map {
    pub(crate) crates: Vec<Entry>,
    pub(crate) invariants: Vec<Invariant>,
}

/// A crate of the code map: a heading "### `crates/name`" and bullets that begin with a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) folder: String,
    /// Relative to `src`.
    pub(crate) files: Vec<String>,
}

/// A bullet that begins with "**Architecture Invariant:**" and ends with its test in backticks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invariant {
    pub(crate) text: String,
    pub(crate) test: Option<String>,
}

pub(crate) fn read(markdown: &str) -> Map {
    let mut map = Map::default();
    for line in markdown.lines() {
        if let Some(folder) = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`')) {
            map.crates.push(Entry { folder: folder.to_owned(), files: Vec::new() });
        } else if let Some(text) = line.strip_prefix("- **Architecture Invariant:** ") {
            map.invariants.push(Invariant { text: text.to_owned(), test: last_code(text) });
        } else if let Some((file, _)) =
            line.strip_prefix("- `").and_then(|rest| rest.split_once('`'))
            && let Some(entry) = map.crates.last_mut()
            && file.ends_with(".rs")
        {
            entry.files.push(file.to_owned());
        }
    }
    map
}

/// What stands in backticks at the very end, in parentheses.
fn last_code(text: &str) -> Option<String> {
    let (_, code) = text.strip_suffix("`)")?.rsplit_once("(`")?;
    Some(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Entry, Invariant, read};

    #[test]
    fn the_map_is_headings_and_bullets() {
        let map = read(
            "## Code map\n### `crates/a`\nText.\n- `lib.rs`: one\n- `b/c.rs`: two\n- `d` is no file\n\
             ### `crates/b`\n### Other\n- **Architecture Invariant:** Sound. (`is_sound`)\n\
             - **Architecture Invariant:** Held by `nobody`\n",
        );
        let files = ["lib.rs", "b/c.rs"].map(str::to_owned).to_vec();
        let expected = [
            Entry { folder: "crates/a".to_owned(), files },
            Entry { folder: "crates/b".to_owned(), files: Vec::new() },
        ];
        assert_eq!(map.crates, expected);
        let [sound, unheld] = map.invariants.as_slice() else { panic!("{map:?}") };
        assert_eq!(sound.test.as_deref(), Some("is_sound"));
        let text = "Held by `nobody`".to_owned();
        assert_eq!(*unheld, Invariant { text, test: None });
    }
}

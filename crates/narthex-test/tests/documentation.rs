//! The pages for people: their links lead somewhere, the book has all of them, and their code is
//! compiled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Pages beside those of the book and the READMEs of the crates.
const ROOT_PAGES: [&str; 5] =
    ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];

#[test]
fn every_link_between_pages_leads_to_a_file_and_a_heading_that_exist() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for page in pages() {
        let folder = page.parent().unwrap();
        for (line, target) in links(&fs::read_to_string(&page).unwrap()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { page.clone() } else { folder.join(path) };
            if !file.exists() || !(heading.is_empty() || has_heading(&file, heading)) {
                broken.push(format!("{}:{line}: {target}", page.display()));
            }
            followed += 1;
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 30, "{followed}");
}

#[test]
fn the_book_has_every_page_in_its_folder() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let named: Vec<_> = links(&summary).into_iter().map(|(_, target)| target).collect();
    for page in markdown(&docs) {
        let name = page.file_name().unwrap().to_str().unwrap();
        let is_named = name == "SUMMARY.md" || named.iter().any(|named| named == name);
        assert!(is_named, "{name} is not in docs/SUMMARY.md");
    }
}

#[test]
fn the_rust_of_every_page_in_the_book_is_compiled() {
    let compiled = fs::read_to_string(root().join("crates/narthex/src/lib.rs")).unwrap();
    for page in markdown(&root().join("docs")) {
        let has_rust = fs::read_to_string(&page).unwrap().contains("```rust");
        let name = page.file_name().unwrap().to_str().unwrap();
        let is_compiled = compiled.contains(&format!("\"docs/{name}\""));
        assert!(!has_rust || is_compiled, "{name} is not in the module `guides` of narthex");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn pages() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let readmes = crates.map(|entry| entry.unwrap().path().join("README.md"));
    let readmes = readmes.filter(|readme| readme.exists());
    let pages = ROOT_PAGES.iter().map(|page| root().join(page));
    pages.chain(readmes).chain(markdown(&root().join("docs"))).collect()
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of links and pictures outside of code, each with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let inline = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        links.extend(inline.map(|(target, _)| (number, target.to_owned())));
        // `[name]: target`, at the end of a page.
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        links.extend(definition.map(|(_, target)| (number, target.trim().to_owned())));
    }
    links
}

/// The lines outside of code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Whether a page has a heading that GitHub and mdBook give this anchor.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(page).unwrap();
    let mut seen = BTreeMap::<String, u32>::new();
    let headings = prose(&text).map(|(_, line)| line).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor_of(line.trim_start_matches('#').trim())).any(|heading| {
        let count = seen.entry(heading.clone()).or_default();
        let unique = if *count == 0 { heading } else { format!("{heading}-{count}") };
        *count += 1;
        unique == anchor
    })
}

/// Lower case, dashes for blanks, and nothing but letters, digits, dashes and underscores.
fn anchor_of(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_in_code_are_none_and_anchors_are_as_github_has_them() {
    let text = "[a](b.md#c) `[d](e)`\n```text\n[f](g)\n```\n![h](i.png)\n[j]: k.md\n";
    let expected = [(1, "b.md#c"), (5, "i.png"), (6, "k.md")];
    assert_eq!(links(text), expected.map(|(line, target)| (line, target.to_owned())));
    assert_eq!(anchor_of("`[json.NAME]` and, more"), "jsonname-and-more");
}

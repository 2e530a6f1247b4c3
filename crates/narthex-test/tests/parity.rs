//! `docs/parity.md`: each row is there, and the tests that it names exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const TESTED: &str =
    "a row that is kept, changed or not inherited names a test that begins with it";

#[test]
fn every_row_is_there_once_and_names_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/parity.md")).expect("the page is there");
    let rows = rows(&page);
    let tests = tests_below(&root().join("crates"));
    assert!(tests.len() > 1000, "the tests were not found: {}", tests.len());

    let expected = [("A", 46), ("B", 34), ("C", 16)]
        .into_iter()
        .flat_map(|(group, last)| (1..=last).map(move |row| format!("{group}{row:02}")))
        .chain(["D10".to_owned(), "D11".to_owned()]);
    let mut violations = Vec::new();
    let mut seen = BTreeMap::new();
    for row in &rows {
        *seen.entry(row.id).or_insert(0) += 1;
        if !["kept", "changed", "not inherited", "none"].contains(&row.verdict) {
            violations.push(format!("{}: `{}` is no verdict", row.id, row.verdict));
        }
        let prefix = row.id.to_lowercase();
        if row.verdict != "none" && !row.tests.iter().any(|test| test.contains(&prefix)) {
            violations.push(format!("{}: {TESTED}", row.id));
        }
        let missing = row.tests.iter().filter(|test| !tests.contains(**test));
        violations.extend(missing.map(|test| format!("{}: there is no test `{test}`", row.id)));
    }
    for id in expected {
        match seen.get(&*id) {
            Some(1) => {}
            Some(times) => violations.push(format!("{id} is there {times} times")),
            None => violations.push(format!("{id} is missing")),
        }
    }
    for test in defect_tests(&page) {
        if !tests.contains(test) {
            violations.push(format!("defects: there is no test `{test}`"));
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

struct Row<'a> {
    id: &'a str,
    verdict: &'a str,
    tests: Vec<&'a str>,
}

/// The rows of the page whose first cell is such as `A01`.
fn rows(page: &str) -> Vec<Row<'_>> {
    let cells = page.lines().map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    cells
        .filter_map(|cells| {
            let [id, _, verdict, _, tests] = cells[..] else { return None };
            let id = id.trim_start_matches("| ");
            let is_id = id.len() == 3 && id[1..].bytes().all(|byte| byte.is_ascii_digit());
            is_id.then(|| Row { id, verdict, tests: quoted(tests) })
        })
        .collect()
}

/// The tests that the section about defects names, each the first thing of its cell.
fn defect_tests(page: &str) -> Vec<&str> {
    let section = page.split("\n## Defects").nth(1).expect("the page tells of defects");
    let cells = section.lines().filter_map(|line| line.split(" | ").nth(1));
    let tests: Vec<_> = cells.flat_map(quoted).collect();
    assert!(tests.len() > 15, "the defects were not understood: {tests:?}");
    tests
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of all functions that have an attribute ending in `test`, `test(...)` or `tokio::test`.
fn tests_below(folder: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be listed") {
        let path = entry.expect("a folder can be listed to its end").path();
        if path.is_dir() {
            tests.append(&mut tests_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source can be read");
            tests.extend(tests_of(&source));
        }
    }
    tests
}

fn tests_of(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test) {
            tests.extend(name.split(['(', '<']).next().map(str::to_owned));
            is_test = false;
        }
    }
    // Those of proptest have no attribute of their own in some files.
    tests.extend(source.split("proptest!").skip(1).flat_map(|block| {
        let names = block.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    }));
    tests
}

fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("the crate lies two folders deep")
}

#[test]
fn tests_are_found_by_their_attribute() {
    let source = "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test(start_paused = true)]\n#[ignore]\n\
                  async fn c() {}\n";
    assert_eq!(tests_of(source), ["a", "c"]);
}

//! The architecture invariants of ARCHITECTURE.md, over `cargo metadata` and the sources.
//!
//! Each line there that begins with "Architecture Invariant" names the test here that holds it.

mod graph;
mod map;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use graph::Workspace;

/// The crates of the workspace that a crate may use, tests and examples aside. Whoever is not in
/// this table may use none.
const DIRECTION: &[(&str, &[&str])] = &[
    ("narthex-format", &["narthex-model"]),
    ("narthex-core", &["narthex-model"]),
    ("narthex-process", &["narthex-core", "narthex-model"]),
    ("narthex-host", &["narthex-core", "narthex-model"]),
    ("narthex-metrics", &["narthex-core", "narthex-model"]),
    ("narthex-http", &["narthex-core", "narthex-format", "narthex-model"]),
    ("narthex-push", &["narthex-core", "narthex-format", "narthex-model"]),
    (
        "narthex-exporter",
        &["narthex-core", "narthex-format", "narthex-http", "narthex-model", "narthex-process"],
    ),
    (
        "narthex",
        &[
            "narthex-core",
            "narthex-exporter",
            "narthex-format",
            "narthex-host",
            "narthex-http",
            "narthex-macros",
            "narthex-metrics",
            "narthex-model",
            "narthex-process",
            "narthex-push",
        ],
    ),
    (
        "narthex-cli",
        &[
            "narthex",
            "narthex-core",
            "narthex-exporter",
            "narthex-format",
            "narthex-host",
            "narthex-http",
            "narthex-model",
            "narthex-process",
            "narthex-push",
        ],
    ),
];

const PURE: &[&str] = &["narthex-model", "narthex-format", "narthex-macros", "narthex-core"];
const COLLECTORS: &[&str] = &["narthex-process", "narthex-host"];
const SERVING: &[&str] = &["narthex-http", "narthex-push"];

/// Crates, by the word their names begin with, that whole layers do without.
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "mio", "futures"];
const HTTP: &[&str] = &["http", "httparse", "hyper", "tower", "axum", "h2", "rustls", "reqwest"];
const SETTINGS: &[&str] = &["clap", "toml", "dotenvy", "config", "figment"];
const SERDE_FORMATS: &[&str] = &["serde_json", "serde_yaml", "serde-saphyr", "prost", "csv"];
const LOGS: &[&str] = &["tracing", "log", "env_logger", "slog"];

/// A core with a tree of this size is no longer one that anybody takes along unseen.
const CORE_TREE_BELOW: usize = 12;

#[test]
fn dependencies_point_one_way() {
    assert_clean(Workspace::read().against_direction(DIRECTION));
}

#[test]
fn model_has_no_dependencies() {
    assert_clean(Workspace::read().dependencies_of("narthex-model"));
}

#[test]
fn the_pure_crates_know_no_runtime_no_http_no_settings_and_no_logs() {
    let forbidden = [RUNTIMES, HTTP, SETTINGS, SERDE_FORMATS, LOGS].concat();
    assert_clean(Workspace::read().in_tree(PURE, &forbidden));
}

#[test]
fn the_pure_crates_touch_no_environment_no_file_and_no_socket() {
    assert_clean(in_sources(PURE, |code| {
        source::mentions(code, &["std::env", "std::fs", "std::net", "std::process", "tokio"])
    }));
}

#[test]
fn collectors_know_no_runtime_and_no_http() {
    let forbidden = [RUNTIMES, HTTP, SETTINGS, LOGS].concat();
    assert_clean(Workspace::read().in_tree(COLLECTORS, &forbidden));
}

#[test]
fn only_exporter_and_cli_know_settings_and_the_environment() {
    assert_clean(Workspace::read().in_tree(SERVING, SETTINGS));
    let below = [PURE, COLLECTORS, SERVING, &["narthex"]].concat();
    assert_clean(in_sources(&below, |code| source::mentions(code, &["std::env"])));
}

#[test]
fn core_stays_small() {
    let tree = Workspace::read().tree("narthex-core");
    assert!(
        tree.len() < CORE_TREE_BELOW,
        "`narthex-core` brings {} crates, and has to stay below {CORE_TREE_BELOW}: {tree:?}",
        tree.len(),
    );
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let workspace = Workspace::read();
    let root = read(&workspace.root.join("Cargo.toml"));
    assert!(
        has_line(&root, "[workspace.lints.rust]", "unsafe_code = \"forbid\""),
        "`Cargo.toml` does not forbid `unsafe_code` for the workspace"
    );
    let lax = workspace.members.iter().filter(|member| {
        !has_line(&read(&member.folder.join("Cargo.toml")), "[lints]", "workspace = true")
    });
    assert_clean(lax.map(|member| format!("`{}` does not inherit the lints", member.name)));
}

#[test]
fn library_code_does_not_unwrap() {
    let workspace = Workspace::read();
    let all: Vec<_> = workspace.members.iter().map(|member| member.name.as_str()).collect();
    assert_clean(in_sources(&all, |code| source::mentions_text(code, ".unwrap()")));
}

#[test]
fn published_crates_say_what_they_are() {
    assert_clean(Workspace::read().without_metadata());
}

#[test]
fn the_code_map_lists_the_workspace() {
    let workspace = Workspace::read();
    let map = map::read(&read(&workspace.root.join("ARCHITECTURE.md")));
    let mut folders: Vec<_> = map.crates.iter().map(|entry| entry.folder.as_str()).collect();
    folders.sort_unstable();
    let members = workspace.members.iter().map(|member| relative(&member.folder, &workspace.root));
    assert_eq!(folders, members.collect::<Vec<_>>(), "the code map beside the workspace's members");

    assert_clean(map.crates.iter().flat_map(|entry| {
        let source = workspace.root.join(&entry.folder).join("src");
        let gone = entry.files.iter().filter(move |file| !source.join(file).is_file());
        gone.map(|file| format!("`{}/src/{file}` is in the code map only", entry.folder))
    }));
}

#[test]
fn every_invariant_names_its_test() {
    let map = map::read(&read(&Workspace::read().root.join("ARCHITECTURE.md")));
    let tests = include_str!("main.rs");
    assert!(!map.invariants.is_empty(), "ARCHITECTURE.md has no invariants");
    assert_clean(map.invariants.iter().filter_map(|invariant| {
        let held = invariant
            .test
            .as_ref()
            .is_some_and(|test| tests.contains(&format!("#[test]\nfn {test}() {{")));
        (!held).then(|| format!("no test holds the invariant `{}`", invariant.text))
    }));
}

/// Runs `check` over the code, tests aside, of the crates called `names`.
fn in_sources(names: &[&str], check: impl Fn(&str) -> Vec<source::Finding>) -> Vec<String> {
    let workspace = Workspace::read();
    let members = workspace.members.iter().filter(|member| names.contains(&member.name.as_str()));
    let files = members.flat_map(|member| source::files(&member.folder.join("src")));
    let findings = files.flat_map(|file| {
        let name = relative(&file, &workspace.root);
        let found = check(&source::code(&read(&file)));
        found.into_iter().map(move |found| format!("{name}:{}: `{}`", found.line, found.what))
    });
    findings.collect()
}

/// Whether `line` stands below `heading` in a TOML file, before the next heading.
fn has_line(toml: &str, heading: &str, line: &str) -> bool {
    let section = toml.lines().map(str::trim).skip_while(|found| *found != heading).skip(1);
    section.take_while(|found| !found.starts_with('[')).any(|found| found == line)
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

#[track_caller]
fn assert_clean(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<_> = violations.into_iter().collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn a_line_counts_only_in_its_own_section() {
    let toml = "[a]\nx = 1\n[b]\ny = 2\n";
    assert!(has_line(toml, "[a]", "x = 1") && has_line(toml, "[b]", "y = 2"));
    assert!(!has_line(toml, "[a]", "y = 2") && !has_line(toml, "[c]", "x = 1"));
}

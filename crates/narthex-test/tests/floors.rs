//! `Cargo.lock` against known vulnerabilities.
//!
//! The advisory database cannot be fetched where this project is built, so what it said on
//! 2026-08-21 about the crates that we use, or may come to use, is written down here. `deny.toml`
//! bans the same versions, for those who ask `cargo deny`.

use std::fs;
use std::path::Path;

type Version = [u64; 3];

/// The oldest versions without a known vulnerability: one for each line of compatible versions
/// that was mended. What is newer than all of them is fine.
const FLOORS: &[(&str, &[Version])] = &[
    ("aws-lc-sys", &[[0, 39, 0]]),
    ("bcrypt", &[[0, 19, 2]]),
    ("bytes", &[[1, 11, 1]]),
    ("crossbeam-channel", &[[0, 5, 15]]),
    ("crossbeam-deque", &[[0, 8, 1]]),
    ("crossbeam-epoch", &[[0, 9, 20]]),
    ("h2", &[[0, 4, 16]]),
    ("hyper", &[[1, 0, 0]]),
    ("idna", &[[1, 0, 0]]),
    ("memmap2", &[[0, 9, 11]]),
    ("prost", &[[0, 6, 1]]),
    ("protobuf", &[[3, 7, 2]]),
    ("rand", &[[0, 9, 3], [0, 10, 1]]),
    ("regex", &[[1, 5, 5]]),
    ("ring", &[[0, 17, 12]]),
    ("rustls", &[[0, 23, 18]]),
    ("rustls-webpki", &[[0, 103, 13]]),
    ("slab", &[[0, 4, 11]]),
    ("smallvec", &[[1, 6, 1]]),
    ("time", &[[0, 3, 47]]),
    ("tokio", &[[1, 44, 2]]),
    ("tracing-subscriber", &[[0, 3, 20]]),
];

/// Crates that nobody keeps any more.
const ABANDONED: &[&str] = &[
    "atty",
    "backoff",
    "instant",
    "paste",
    "rustls-pemfile",
    "serde_yaml",
    "serde_yml",
    "yaml-rust",
];

#[test]
fn the_lock_file_holds_no_version_with_a_known_vulnerability() {
    let packages = packages(&read("Cargo.lock"));
    assert!(packages.len() > 50, "Cargo.lock was not understood: {packages:?}");
    let violations = violations(&packages);
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn deny_toml_bans_the_same() {
    let deny = read("deny.toml");
    let floors = FLOORS.iter().flat_map(|(name, floors)| bans(name, floors));
    let abandoned = ABANDONED.iter().map(|name| format!("\"{name}\""));
    let missing: Vec<_> = floors.chain(abandoned).filter(|banned| !deny.contains(banned)).collect();
    assert!(missing.is_empty(), "deny.toml does not ban {}", missing.join(", "));
}

#[test]
fn an_old_version_is_caught() {
    #[track_caller]
    fn check(name: &str, version: Version, expected: &[&str]) {
        assert_eq!(violations(&[(name.to_owned(), version)]), expected);
    }
    check("tokio", [1, 44, 2], &[]);
    check("tokio", [1, 44, 1], &["`tokio` 1.44.1 is older than 1.44.2"]);
    check("paste", [1, 0, 15], &["`paste` 1.0.15 is no longer kept by anybody"]);
    check("itoa", [0, 0, 1], &[]);
    // Two lines were mended; what lies between them was not.
    check("rand", [0, 8, 5], &["`rand` 0.8.5 is older than 0.9.3, 0.10.1"]);
    check("rand", [0, 9, 3], &[]);
    check("rand", [0, 10, 0], &["`rand` 0.10.0 is older than 0.9.3, 0.10.1"]);
    check("rand", [0, 11, 0], &[]);
}

#[test]
fn a_lock_file_is_read() {
    let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3+x\"\n\
                dependencies = [\n \"b\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0-rc.1\"\n";
    let expected = [("a".to_owned(), [1, 2, 3]), ("b".to_owned(), [0, 1, 0])];
    assert_eq!(packages(lock), expected);
}

fn violations(packages: &[(String, Version)]) -> Vec<String> {
    let violation = |(name, version): &(String, Version)| {
        if ABANDONED.contains(&name.as_str()) {
            return Some(format!("`{name}` {} is no longer kept by anybody", dotted(*version)));
        }
        let (_, floors) = FLOORS.iter().find(|(known, _)| known == name)?;
        let floor = floors.iter().find(|floor| line(**floor) >= line(*version));
        let is_safe = floor.is_none_or(|floor| version >= floor);
        let floors: Vec<_> = floors.iter().copied().map(dotted).collect();
        (!is_safe)
            .then(|| format!("`{name}` {} is older than {}", dotted(*version), floors.join(", ")))
    };
    packages.iter().filter_map(violation).collect()
}

/// What versions that are compatible with each other have in common.
fn line([major, minor, _]: Version) -> (u64, u64) {
    if major == 0 { (0, minor) } else { (major, 0) }
}

/// What `deny.toml` has to ban: all below the first floor, and each later line up to its floor.
fn bans(name: &str, floors: &[Version]) -> Vec<String> {
    let ban = |(at, floor): (usize, &Version)| {
        let (major, minor) = line(*floor);
        let start = if at == 0 { String::new() } else { format!(">={major}.{minor}.0, ") };
        format!("\"{name}@{start}<{}\"", dotted(*floor))
    };
    floors.iter().enumerate().map(ban).collect()
}

fn dotted([major, minor, patch]: Version) -> String {
    format!("{major}.{minor}.{patch}")
}

/// Name and version of each package in a lock file.
fn packages(lock: &str) -> Vec<(String, Version)> {
    let value = |block: &str, key: &str| {
        let start = format!("{key} = \"");
        let value = block.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'));
        value.map(str::to_owned)
    };
    let blocks = lock.split("[[package]]").skip(1);
    let package = |block| Some((value(block, "name")?, version(&value(block, "version")?)?));
    blocks.filter_map(package).collect()
}

/// Reads `1.2.3`, with whatever follows after `-` or `+`.
fn version(text: &str) -> Option<Version> {
    let numbers = text.split(['-', '+']).next()?;
    let mut numbers = numbers.split('.').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let path = root.expect("the crate lies two folders deep").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

//! The cases of others, in the folder that `NARTHEX_CONFORMANCE` names: a test reads each of their
//! files, or there is a reason why none does.

use std::fs;
use std::path::{Path, PathBuf};

use narthex_test::conformance;

/// Below these folders, tests read all files by a list that the set has of them, or as one tree.
const AS_A_WHOLE: [(&str, usize); 4] = [
    ("openmetrics/", 423),
    ("openmetrics1-spec/", 40),
    ("expfmt/fuzz_corpus/", 26),
    ("process/proc/", 9),
];

/// What no test reads.
const EXEMPT: [(&str, &str); 8] = [
    ("INDEX.md", "it says what the sets are"),
    ("licenses/", "they are the terms of the sets"),
    ("proto/", "schemas for people: the encoder's field numbers are held by recorded bytes"),
    ("openmetrics2/", "OpenMetrics 2.0, which no server reads, is not written"),
    ("expfmt/openmetrics_2_0", "the same"),
    ("remote_write/", "nothing here sends or takes remote writes"),
    (
        "native_histograms/model_detect_reset.json",
        "a server looks for resets between the samples that it keeps, for queries such as `rate`; \
         nothing here keeps a sample to compare the next one with, and nearly all of these \
         histograms have counts that are no whole numbers",
    ),
    (
        "native_histograms/model_to_float_spans.json",
        "how a server converts histograms to floating-point counts for queries, in memory that is \
         used again: the file has only the histograms that are overwritten, and counts are whole \
         numbers here",
    ),
];

#[test]
fn every_file_of_the_conformance_sets_is_read_by_a_test() {
    let Some(folder) = conformance("") else { return };
    let sources = sources();
    let mut in_wholes = [0; AS_A_WHOLE.len()];
    let mut exempt = [0; EXEMPT.len()];
    for file in files(&folder) {
        let path = file.strip_prefix(&folder).expect("it is below").display().to_string();
        if let Some(at) = AS_A_WHOLE.iter().position(|(below, _)| path.starts_with(below)) {
            in_wholes[at] += 1;
            continue;
        }
        let in_set = path.split_once('/').map_or(&*path, |(_, rest)| rest);
        let is_read = [&*path, in_set].iter().any(|name| sources.contains(&format!("\"{name}\"")));
        match EXEMPT.iter().position(|(start, _)| path.starts_with(start)) {
            Some(at) => {
                assert!(!is_read, "{path} is exempt, but read");
                exempt[at] += 1;
            }
            None => assert!(is_read, "no test reads {path}"),
        }
    }
    assert_eq!(in_wholes, AS_A_WHOLE.map(|(_, count)| count));
    assert!(!exempt.contains(&0), "an exemption for nothing: {exempt:?}");
}

/// The text of all tests but this one.
fn sources() -> String {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of crates");
    let mut sources = String::new();
    for file in files(crates) {
        let is_rust = file.extension().is_some_and(|extension| extension == "rs");
        if is_rust && !file.starts_with(env!("CARGO_MANIFEST_DIR")) {
            sources += &fs::read_to_string(&file).expect("a source is text");
        }
    }
    sources
}

/// All files below the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

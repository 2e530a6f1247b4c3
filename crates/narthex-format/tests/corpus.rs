//! The inputs of the fuzz targets, replayed.

mod exercise;
mod hostile;
mod round_trip;

use std::path::{Path, PathBuf};

use hostile::{Random, Spec};
use narthex_format::parse::Syntax;

/// The inputs of a fuzz target.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let input = std::fs::read(&path).expect("a file");
        (path, input)
    };
    let inputs: Vec<_> = entries.map(read).collect();
    assert!(inputs.len() >= 5, "{target} has {} inputs", inputs.len());
    inputs
}

#[test]
fn g17_the_corpora_of_the_parsers_do_no_harm() {
    for (target, syntax) in [
        ("text", Syntax::Text),
        ("openmetrics", Syntax::OpenMetrics),
        ("protobuf", Syntax::Protobuf),
        ("json", Syntax::Json),
    ] {
        let mut accepted = 0;
        let inputs = corpus(target);
        for (path, page) in &inputs {
            eprintln!("{path:?}");
            accepted += usize::from(exercise::exercise(syntax, page));
        }
        assert!((1..inputs.len()).contains(&accepted), "{target}: {accepted} accepted");
    }
}

#[test]
fn g17_the_corpora_of_the_other_targets_do_no_harm() {
    for (path, headers) in corpus("negotiate") {
        eprintln!("{path:?}");
        exercise::negotiate(std::str::from_utf8(&headers).expect("the target takes text"));
    }
    for (path, input) in corpus("round_trip") {
        eprintln!("{path:?}");
        round_trip::check(&Spec::random(&mut Random::from_bytes(&input)));
    }
}

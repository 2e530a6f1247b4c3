//! Examples as programs.

use std::env;
use std::path::PathBuf;

/// An example of the crate whose test calls this: cargo builds examples with the tests, one folder
/// beside theirs.
///
/// # Panics
///
/// Panics where it was not built, as when one test alone was.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    let mut path = env::current_exe().expect("a test knows where it is");
    path.pop();
    path.pop();
    let path = path.join("examples").join(name);
    assert!(path.exists(), "{} is not built: test all targets", path.display());
    path
}

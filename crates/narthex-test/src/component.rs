//! What a machine may or may not have.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Finds a program on the `PATH`; without it the test that asks is to be skipped.
///
/// # Panics
///
/// Panics under `CI=true` when the program is missing: there nothing is skipped.
#[track_caller]
pub fn required_component(name: &str) -> Option<PathBuf> {
    found_or_skip(find_in(&env::var_os("PATH").unwrap_or_default(), name), name)
}

/// Says that a test is skipped where what it needs was not found.
#[track_caller]
pub(crate) fn found_or_skip<T>(found: Option<T>, name: &str) -> Option<T> {
    if found.is_none() {
        skip(&format!("{name} is not installed"), env::var_os("CI").as_deref());
    }
    found
}

/// Finds a folder of the conformance cases, which lie outside the repository in the folder that
/// the environment variable `NARTHEX_CONFORMANCE` names.
///
/// # Panics
///
/// Panics when the variable is set and the folder is not there.
#[track_caller]
pub fn conformance(dir: &str) -> Option<PathBuf> {
    let Some(root) = env::var_os("NARTHEX_CONFORMANCE") else {
        skip("NARTHEX_CONFORMANCE is not set", None);
        return None;
    };
    let folder = Path::new(&root).join(dir);
    assert!(folder.is_dir(), "`{}` is not a folder", folder.display());
    Some(folder)
}

fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    env::split_paths(path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "a skipped test has to say so")]
fn skip(reason: &str, ci: Option<&OsStr>) {
    assert!(ci.is_none_or(|ci| ci != "true"), "{reason}, and CI skips nothing");
    println!("skipped: {reason}");
}

#[cfg(test)]
mod tests {
    use super::{find_in, skip};
    use std::ffi::OsStr;

    #[test]
    fn a_program_is_found_in_any_folder_of_the_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server"), "").unwrap();
        let path = std::env::join_paths([std::path::Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find_in(&path, "server"), Some(folder.path().join("server")));
        assert_eq!(find_in(&path, "other"), None);
    }

    #[test]
    fn a_missing_component_is_only_skipped_outside_of_ci() {
        skip("server is not installed", None);
        skip("server is not installed", Some(OsStr::new("false")));
    }

    #[test]
    #[should_panic(expected = "server is not installed, and CI skips nothing")]
    fn ci_skips_nothing() {
        skip("server is not installed", Some(OsStr::new("true")));
    }
}

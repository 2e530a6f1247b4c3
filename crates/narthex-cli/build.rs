//! Tells the program what it is built from, as far as that is known.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells the folder"));
    if let Some(revision) = packaged_revision(&package).or_else(|| git_revision(&package)) {
        println!("cargo::rustc-env=NARTHEX_BUILD_REVISION={revision}");
    }
    if let Some(version) = compiler_version() {
        println!("cargo::rustc-env=NARTHEX_BUILD_RUST_VERSION={version}");
    }
}

/// The revision that `cargo package` wrote down.
fn packaged_revision(package: &Path) -> Option<String> {
    let text = fs::read_to_string(package.join(".cargo_vcs_info.json")).ok()?;
    let (_, value) = text.split_once("\"sha1\"")?;
    value.split('"').nth(1).filter(|revision| is_hash(revision)).map(str::to_owned)
}

/// The revision of the checkout, and of no other repository that a copy of the package lies in.
fn git_revision(package: &Path) -> Option<String> {
    let root = package.parent()?.parent()?;
    if !package.ends_with("crates/narthex-cli") || !root.join(".git").exists() {
        return None;
    }
    let arguments = ["rev-parse", "HEAD", "--git-path", "logs/HEAD"];
    let text = output(Command::new("git").args(arguments).current_dir(root))?;
    let mut lines = text.lines();
    let revision = lines.next().filter(|revision| is_hash(revision))?;
    // Written at each commit and checkout. Cargo would build each time for a file that is not there.
    let log = lines.next().map(|path| root.join(path)).filter(|path| path.exists());
    if let Some(path) = log {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Some(revision.to_owned())
}

/// The `1.95.0` of `rustc 1.95.0 (...)`.
fn compiler_version() -> Option<String> {
    let text = output(Command::new(env::var_os("RUSTC")?).arg("--version"))?;
    text.split(' ').nth(1).map(|version| version.trim().to_owned())
}

/// What a command prints, if it can be run and ends well.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn is_hash(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

//! The steps of CI.

use std::process::{Command, Stdio};

use crate::{Result, run, tools};

pub(crate) fn fmt() -> Result {
    run(&mut cargo("fmt --all --check"))
}

pub(crate) fn clippy() -> Result {
    run(&mut cargo("clippy --workspace --all-targets --all-features --locked -- -D warnings"))
}

pub(crate) fn doc() -> Result {
    let mut command = cargo("doc --workspace --no-deps --all-features --locked");
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

pub(crate) fn deny() -> Result {
    let mut command = Command::new(tools::cargo_deny()?);
    run(command.args(["--locked", "check", "bans", "licenses", "sources"]))
}

pub(crate) fn package() -> Result {
    // Unverified: the code that is packaged is the code that the other steps build.
    run(&mut cargo(
        "package --workspace --exclude narthex-test --exclude xtask --no-verify --allow-dirty --locked",
    ))
}

/// Runs the tests, with those that say how many there are at the end.
pub(crate) fn test() -> Result {
    tools::ensure_components()?;
    let python = tools::python_with_prometheus_client()?;
    loom()?;
    tsan()?;
    numbers()?;
    mutate()?;
    fuzz()?;
    run(&mut cargo("test --doc --workspace --all-features --locked"))?;
    let mut command = if has_nextest() {
        let profile = if tools::in_ci() { "ci" } else { "default" };
        let mut command = cargo("nextest run --workspace --all-features --locked --profile");
        command.arg(profile);
        command
    } else {
        cargo(
            "test --workspace --all-features --locked --lib --bins --tests --examples --no-fail-fast",
        )
    };
    run(command.envs(python.map(|python| ("NARTHEX_PYTHON", python))))
}

/// Runs the models of the lock-free code, each over every interleaving.
///
/// They are built apart: with `--cfg loom` no other artifact could be used again.
fn loom() -> Result {
    let mut command = cargo("test -p narthex-core --lib --release --locked loom");
    run(command.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", "target/loom"))
}

/// Runs the table of numbers at the edge of their types with optimisation: the tests that follow run
/// it without, and both must show the same.
fn numbers() -> Result {
    run(&mut cargo("test -p narthex-format --test instruments --release --locked"))
}

/// Runs threads that do everything at once, and fails where ThreadSanitizer sees a race.
///
/// Our crates are built with it, as are those they use; the standard library cannot be without its
/// source, and `crates/xtask/tsan.txt` says what that looks like.
pub(crate) fn tsan() -> Result {
    const FLAGS: &str = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
    let Some(target) = tools::tsan_target()? else { return Ok(()) };
    let suppressions = tools::root().join("crates/xtask/tsan.txt");
    let mut command = cargo("run -p narthex-core --example stress --locked --target");
    command
        .arg(target)
        // The sanitizer is there on stable, but its flag is not.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_TARGET_DIR", "target/tsan")
        .env("TSAN_OPTIONS", format!("suppressions={}", suppressions.display()));
    run(&mut command)
}

/// Runs the parsers on millions of pages with faults, the same each time.
pub(crate) fn mutate() -> Result {
    const TEST: &str = "g17_five_million_mutated_pages_do_no_harm";
    let mut command = cargo(
        "test -p narthex-format --all-features --locked --profile mutation --test parse_mutations",
    );
    run(command.args(["--", "--ignored", "--exact", TEST, "--nocapture"]))
}

/// Checks the fuzz targets, which only run where there is a nightly compiler.
///
/// The fuzzer itself is C++ and is needed only to link them.
pub(crate) fn fuzz() -> Result {
    let mut command = cargo("check --manifest-path fuzz/Cargo.toml --locked");
    command
        .env("CUSTOM_LIBFUZZER_PATH", "/not-linked/libfuzzer.a")
        .env("CARGO_TARGET_DIR", "target/fuzz");
    run(&mut command)
}

fn has_nextest() -> bool {
    let mut command = cargo("nextest --version");
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A cargo command in the root of the workspace, its arguments separated by blanks.
fn cargo(arguments: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.split(' ')).current_dir(tools::root());
    command
}

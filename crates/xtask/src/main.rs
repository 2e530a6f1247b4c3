//! What CI runs: `cargo xtask ci` runs all of it, `cargo xtask STEP` one step.
//!
//! `cargo xtask test` runs every test there is. Both install what a machine lacks, where they can.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod instructions;
mod steps;
mod tools;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// What a step gives: nothing, or what went wrong.
type Result = std::result::Result<(), String>;

/// A step: its name, what it is for, and what it does.
type Step = (&'static str, &'static str, fn() -> Result);

/// In the order of CI: what is quick to fail comes first, the tests' closing line last.
const STEPS: &[Step] = &[
    ("fmt", "the sources are formatted", steps::fmt),
    ("clippy", "no lint finds anything", steps::clippy),
    ("doc", "the documentation builds, and every link in it leads somewhere", steps::doc),
    ("deny", "dependencies, their licences and their sources are allowed", steps::deny),
    ("package", "every published crate can be packaged", steps::package),
    ("instructions", "no hot path takes more instructions than it did", instructions::check),
    (
        "test",
        "all tests: models of the lock-free code, examples in docs, and the rest",
        steps::test,
    ),
];

/// Parts of the tests that can be run alone.
const PARTS: &[Step] = &[
    ("tsan", "threads that do everything at once, watched by ThreadSanitizer", steps::tsan),
    ("mutate", "five million broken pages, none of which may harm a parser", steps::mutate),
    ("fuzz", "the fuzz targets still compile", steps::fuzz),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let steps: Vec<&Step> = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => STEPS.iter().collect(),
        [name] => STEPS.iter().chain(PARTS).filter(|step| step.0 == name).collect(),
        _ => Vec::new(),
    };
    if steps.is_empty() {
        eprintln!("{}", usage());
        return ExitCode::from(2);
    }
    for step in steps {
        if let Err(error) = run_step(step) {
            eprintln!("cargo xtask {}: {error}", step.0);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run_step((name, purpose, run): &Step) -> Result {
    println!("==> {name}: {purpose}");
    let start = Instant::now();
    run()?;
    // The tests end with the closing line of their runner.
    if *name != "test" {
        println!("==> {name}: done in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

fn usage() -> String {
    let mut text = "usage: cargo xtask STEP\n\n  ci       all of the following".to_owned();
    for (name, purpose, _) in STEPS {
        text += &format!("\n  {name:<12} {purpose}");
    }
    text += "\n\nparts of the tests, alone:";
    for (name, purpose, _) in PARTS {
        text += &format!("\n  {name:<12} {purpose}");
    }
    text
}

/// Shows a command and runs it.
fn run(command: &mut Command) -> Result {
    let shown = shown(command);
    println!("$ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("`{shown}` cannot be run: {error}")),
    }
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}='{}'", name.to_string_lossy(), value?.to_string_lossy()))
    });
    // Cargo gives its own path; its name says more.
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy().into_owned());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{run, shown, usage};
    use std::process::Command;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/bin/cargo");
        command.env("RUSTFLAGS", "--cfg loom").args(["test", "--lib"]);
        assert_eq!(shown(&command), "RUSTFLAGS='--cfg loom' cargo test --lib");
    }

    #[test]
    fn a_command_that_fails_is_an_error() {
        assert_eq!(run(&mut Command::new("true")), Ok(()));
        assert_eq!(
            run(&mut Command::new("false")),
            Err("`false` ended with exit status: 1".to_owned())
        );
        assert!(run(&mut Command::new("/nowhere/program")).is_err());
    }

    #[test]
    fn usage_lists_every_step() {
        for step in ["  test ", "  tsan ", "  mutate "] {
            assert!(usage().lines().any(|line| line.starts_with(step)), "{step}");
        }
    }
}

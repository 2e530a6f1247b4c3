//! Instruction counts of the hot paths: unlike times they are the same on a busy machine.
//!
//! `benches/instructions` runs one path as often as it is told. Its instructions are counted for two
//! numbers of times, and the difference is what the path takes, without what comes before and after.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, run, shown, tools};

/// What each path took when it was last looked at, one `path instructions` a line. A higher number
/// is a commit of its own that says why.
const TABLE: &str = "benches/instructions/counts.txt";

/// What a path may take of what the table says, in percent: hashes are seeded at random, so that
/// lookups differ a little from run to run.
const MOST_PERCENT: f64 = 105.0;

/// Twice as often the second time.
const TIMES: u64 = 10_000;

/// Counts the instructions of every path in the table, and fails where one takes too many.
pub(crate) fn check() -> Result {
    if !tools::has_valgrind()? {
        return Ok(());
    }
    let manifest = tools::root().join("benches/instructions/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--manifest-path"]).arg(&manifest);
    let target = tools::root().join("target/instructions");
    run(build.env("CARGO_TARGET_DIR", &target))?;
    let program = target.join("release/instructions");
    let table = tools::root().join(TABLE);
    let table = fs::read_to_string(&table).map_err(|error| format!("{TABLE}: {error}"))?;
    let table = parse(&table)?;
    if let Some(path) = paths_of(&program)?.iter().find(|&path| !has(&table, path)) {
        return Err(format!("{TABLE} lacks the path `{path}`"));
    }
    let mut over = Vec::new();
    for (path, before) in table {
        let (once, twice) = (count(&program, &path, TIMES)?, count(&program, &path, 2 * TIMES)?);
        let now = twice.saturating_sub(once) as f64 / TIMES as f64;
        let percent = 100.0 * now / before;
        println!("{path:<24} {now:>8.1} instructions, {percent:.0} % of {before}");
        if percent > MOST_PERCENT {
            over.push(path);
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(format!("more than {MOST_PERCENT} % of what {TABLE} says: {}", over.join(", ")))
}

/// The paths of the table with what they took; a line that begins with `#` is a comment.
fn parse(table: &str) -> std::result::Result<Vec<(String, f64)>, String> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parse = |line: &str| {
        let (path, count) = line.split_once(char::is_whitespace)?;
        let count: f64 = count.trim().parse().ok()?;
        (count > 0.0).then(|| (path.to_owned(), count))
    };
    let line =
        |line| parse(line).ok_or_else(|| format!("{TABLE}: `{line}` is not a path and a count"));
    lines.map(line).collect()
}

fn has(table: &[(String, f64)], path: &str) -> bool {
    table.iter().any(|(name, _)| name == path)
}

/// The paths that the program knows: it lists them where it is called without any.
fn paths_of(program: &PathBuf) -> std::result::Result<Vec<String>, String> {
    let output = Command::new(program).output().map_err(|error| error.to_string())?;
    let usage = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(usage.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect())
}

/// The instructions of a whole run.
fn count(program: &Path, path: &str, times: u64) -> std::result::Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.args([path, &times.to_string()]);
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("`{}` counted nothing: {}", shown(&command), said.trim()))
}

#[cfg(test)]
mod tests {
    use super::{has, parse};

    #[test]
    fn a_table_is_paths_with_counts() {
        let table = parse("# Comment.\ncounter_inc   9\n\ntext_counter 210.5\n").unwrap();
        assert_eq!(table, [("counter_inc".to_owned(), 9.0), ("text_counter".to_owned(), 210.5)]);
        assert!(has(&table, "text_counter") && !has(&table, "text"));
        for wrong in ["counter_inc", "counter_inc x", "counter_inc 0", "counter_inc -1"] {
            assert!(parse(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}

//! Python's `prometheus_client`, whose parser of OpenMetrics is the strictest there is.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::component::found_or_skip;

/// Reads a page with the strict OpenMetrics parser of Python's `prometheus_client`: what it finds
/// wrong, or nothing; `None` where that package is not installed.
///
/// Python is `python3`, unless the environment variable `NARTHEX_PYTHON` names another, or
/// `cargo xtask` has made one below `target/tools`.
///
/// # Panics
///
/// Panics when Python cannot be run, and under `CI=true` when the package is not installed.
#[track_caller]
pub fn openmetrics_findings(page: &str) -> Option<Option<String>> {
    const PROGRAM: &str = "\
import sys
from prometheus_client.openmetrics import parser
page = sys.stdin.buffer.read().decode('utf-8')
try:
    for family in parser.text_string_to_metric_families(page):
        pass
except Exception as error:
    print(repr(error))
";
    let python = found_or_skip(python(), "prometheus_client for Python")?;
    let mut child = Command::new(python)
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python can be run");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(page.as_bytes()));
        child.wait_with_output().expect("python can be waited for")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let finding = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some((!finding.is_empty()).then_some(finding))
}

/// The first Python that has the package.
fn python() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let own = workspace.map(|root| root.join("target/tools/bin/python3"));
    let named = env::var_os("NARTHEX_PYTHON").map(PathBuf::from);
    let candidates = [named, own, Some("python3".into())];
    candidates.into_iter().flatten().find(|python| {
        let import = ["-c", "import prometheus_client.openmetrics.parser"];
        let output = Command::new(python).args(import).output();
        output.is_ok_and(|output| output.status.success())
    })
}

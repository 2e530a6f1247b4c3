//! `promtool`, the linter that comes with Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use crate::component::required_component;

/// What `promtool check metrics` has to say about a page in the text format: one line a finding,
/// none for a clean page; `None` where it is not installed.
///
/// # Panics
///
/// Panics when promtool cannot be run, and under `CI=true` when it is not installed.
#[track_caller]
pub fn promtool_findings(page: &str) -> Option<Vec<String>> {
    let program = required_component("promtool")?;
    let mut child = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool can be run");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let output = thread::scope(|scope| {
        // An error here means that promtool stopped reading; its findings say why.
        scope.spawn(move || stdin.write_all(page.as_bytes()));
        child.wait_with_output().expect("promtool can be waited for")
    });

    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let lines = text.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
    let findings: Vec<_> = lines.map(str::to_owned).collect();
    assert_eq!(output.status.success(), findings.is_empty(), "{}: {findings:?}", output.status);
    Some(findings)
}

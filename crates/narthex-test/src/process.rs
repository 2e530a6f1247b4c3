//! A program that a test runs beside itself.

use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;

use crate::poll::poll;

/// A running program, killed when dropped.
///
/// Its output goes to files of its own, so that it never waits for a reader.
///
/// ```
/// use std::process::Command;
///
/// use narthex_test::Process;
///
/// let mut process = Process::start(Command::new("sh").args(["-c", "echo listening on 1; cat"]))?;
/// assert_eq!(process.wait_for_line("listening on "), "1");
/// assert!(process.wait().success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    output: TempDir,
}

/// How long a program may take for what it is asked: generous, for CI machines are slow.
const LIMIT: Duration = Duration::from_secs(30);

impl Process {
    /// Starts `command`, with nothing on its standard input.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let output = tempfile::tempdir()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(output.path().join(STDOUT))?)
            .stderr(File::create(output.path().join(STDERR))?)
            .spawn()?;
        Ok(Self { child, name: command.get_program().to_string_lossy().into_owned(), output })
    }

    /// Waits for a line on standard output that starts with `prefix` and gives the rest of it.
    ///
    /// # Panics
    ///
    /// Panics with the program's output when it ends first, or when 30 s have passed.
    #[track_caller]
    pub fn wait_for_line(&mut self, prefix: &str) -> String {
        poll(&format!("a line `{prefix}...`"), LIMIT, || {
            // Asked before the output is read: what has ended has written all it ever will.
            let ended = !self.is_running();
            let stdout = self.stdout();
            let complete = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
            let line = complete.lines().find_map(|line| line.strip_prefix(prefix));
            assert!(line.is_some() || !ended, "no line `{prefix}...`: {}", self.describe());
            line.map(str::to_owned)
        })
    }

    /// Sends a signal, named as `kill` names it: `TERM`, `INT`, `HUP`.
    ///
    /// # Panics
    ///
    /// Panics when the program has ended.
    #[track_caller]
    pub fn signal(&mut self, signal: &str) {
        // A process that was not waited for keeps its id, so that no other can be hit.
        assert!(self.is_running(), "{}", self.describe());
        let (signal, id) = (format!("-{signal}"), self.id().to_string());
        let status = Command::new("kill").args([&signal, &id]).status().expect("`kill` can be run");
        assert!(status.success(), "`kill {signal}` ended with {status}");
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    ///
    /// Panics with the program's output when it has not ended after 30 s.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("the end of `{}`", self.name);
        poll(&what, LIMIT, || self.child.try_wait().expect("a child can be waited for"))
    }

    /// Whether the program has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.read(STDOUT)
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.read(STDERR)
    }

    fn read(&self, file: &str) -> String {
        let bytes = fs::read(self.output.path().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a failed test shows.
    pub(crate) fn describe(&mut self) -> String {
        let state = match self.child.try_wait() {
            Ok(Some(status)) => format!("ended with {status}"),
            _ => "is running".to_owned(),
        };
        let (name, stdout, stderr) = (&self.name, self.stdout(), self.stderr());
        format!("`{name}` {state}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails only if the program has ended and been waited for, which is the aim.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const STDOUT: &str = "stdout";
const STDERR: &str = "stderr";

#[cfg(test)]
mod tests {
    use super::Process;
    use std::path::Path;
    use std::process::Command;

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn output_is_kept_apart() {
        let mut process = shell("echo out; echo err >&2; exit 3");
        assert_eq!(process.wait().code(), Some(3));
        assert_eq!((process.stdout().as_str(), process.stderr().as_str()), ("out\n", "err\n"));
    }

    #[test]
    #[should_panic(expected = "ended with exit status: 1")]
    fn a_program_that_ends_instead_of_talking_is_told_of_at_once() {
        shell("echo nothing >&2; exit 1").wait_for_line("listening");
    }

    #[test]
    fn a_signal_reaches_the_program() {
        let mut process = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
        process.wait_for_line("ready");
        process.signal("TERM");
        assert_eq!(process.wait().code(), Some(7));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_dropped_process_is_gone() {
        let process = shell("while :; do sleep 1; done");
        let entry = format!("/proc/{}", process.id());
        assert!(Path::new(&entry).exists());
        drop(process);
        assert!(!Path::new(&entry).exists());
    }
}

//! The program, where it is started, and what its pages say.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use narthex_test::{Process, get};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// A directory of its own to start the program in.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Adds a file, and the folders on the way to it.
    pub(crate) fn write(self, name: &str, text: &str) -> Self {
        self.write_bytes(name, text.as_bytes())
    }

    /// Adds a file that may be anything.
    pub(crate) fn write_bytes(self, name: &str, content: &[u8]) -> Self {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program with these arguments, without the environment of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_narthex"));
        command.args(arguments).current_dir(&self.0).env_clear();
        command
    }

    /// Runs the program to its end: exit code, standard output, standard error.
    #[track_caller]
    pub(crate) fn end_of(&self, arguments: &[&str], environment: &[(&str, &str)]) -> End {
        let mut command = self.command(arguments);
        let mut process = Process::start(command.envs(environment.iter().copied())).unwrap();
        let code = process.wait().code().expect("no signal ended it");
        (code, process.stdout(), process.stderr())
    }

    /// As [`end_of`](Self::end_of), with this on standard input.
    #[track_caller]
    pub(crate) fn fed(&self, arguments: &[&str], input: &[u8]) -> End {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // Who has seen enough does not read the rest.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        });
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Runs the program to its end with a terminal for its output: exit code, and what is shown.
    #[track_caller]
    pub(crate) fn on_terminal(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> (i32, String) {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let other_end = File::options().read(true).write(true).open(path).unwrap();

        let mut command = self.command(arguments);
        // The command holds the terminal until it is dropped, and the terminal ends with its holders.
        command.envs(environment.iter().copied()).stdout(Stdio::from(other_end));
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut shown = Vec::new();
        // When nobody holds it any more, reading ends with an error.
        let _ = File::from(terminal).read_to_end(&mut shown);
        let code = child.wait().unwrap().code().unwrap();
        (code, String::from_utf8(shown).unwrap().replace("\r\n", "\n"))
    }

    /// `narthex run` with these arguments on a free port of IPv4.
    #[track_caller]
    pub(crate) fn run(self, arguments: &[&str]) -> Narthex {
        let mut command = self.command(&["run", "--host=127.0.0.1", "--port=0"]);
        Narthex::start(command.args(arguments), self)
    }
}

/// Exit code, standard output, standard error.
pub(crate) type End = (i32, String, String);

/// A running `narthex run`.
pub(crate) struct Narthex {
    pub(crate) process: Process,
    /// Where its metrics are.
    pub(crate) url: String,
    pub(crate) directory: Directory,
}

impl Narthex {
    #[track_caller]
    pub(crate) fn start(command: &mut Command, directory: Directory) -> Self {
        let mut process = Process::start(command).unwrap();
        let url = process.wait_for_line("listening on ");
        Self { process, url, directory }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        let rest = self.url.strip_prefix("http://").unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn page(&self) -> Page {
        let answer = get(&self.url, &[]).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        Page::parse(answer.text())
    }

    /// Waits until the program has logged a line with this text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let limit = std::time::Duration::from_secs(30);
        narthex_test::poll(text, limit, || self.process.stderr().contains(text).then_some(()));
    }
}

/// A page in the text format, as far as tests look at it.
pub(crate) struct Page {
    pub(crate) text: String,
    /// Type and help by family.
    pub(crate) families: BTreeMap<String, (String, String)>,
    pub(crate) samples: BTreeMap<Series, f64>,
}

/// Name and labels.
pub(crate) type Series = (String, BTreeMap<String, String>);

impl Page {
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let mut families = BTreeMap::<_, (String, String)>::new();
        let mut samples = BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                families.entry(name.to_owned()).or_default().1 = unescape(help);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, metric_type) = rest.split_once(' ').unwrap();
                families.entry(name.to_owned()).or_default().0 = metric_type.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(samples.insert(parse_series(series), value).is_none(), "twice: {line}");
            }
        }
        Self { text: text.to_owned(), families, samples }
    }

    /// The type of a family.
    #[track_caller]
    pub(crate) fn type_of(&self, family: &str) -> &str {
        let found = self.families.get(family);
        &found.unwrap_or_else(|| panic!("no `{family}` in {}", self.text)).0
    }

    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// All values of a label of a family.
    pub(crate) fn values_of(&self, name: &str, label: &str) -> Vec<&str> {
        let of_family = self.samples.keys().filter(|series| series.0 == name);
        of_family.filter_map(|series| series.1.get(label).map(String::as_str)).collect()
    }
}

fn parse_series(text: &str) -> Series {
    let Some((name, mut rest)) = text.split_once('{') else {
        return (text.to_owned(), BTreeMap::new());
    };
    let mut labels = BTreeMap::new();
    while let Some((label, value)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = value.find(|c| {
            let end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        });
        let (value, after) = value.split_at(end.expect("a closing quote"));
        labels.insert(label.to_owned(), unescape(value));
        rest = after[1..].trim_start_matches(',');
    }
    assert_eq!(rest, "}", "{text}");
    (name.to_owned(), labels)
}

fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => plain.push(match chars.next().expect("something is escaped") {
                'n' => '\n',
                other => other,
            }),
            (c, false) => plain.push(c),
        }
    }
    plain
}

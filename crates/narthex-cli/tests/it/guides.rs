//! The guides, walked through as a reader does: files written, commands typed, output compared.
//!
//! Blocks mean what their language says:
//!
//! | block | what becomes of it |
//! |---|---|
//! | `sh` | each command is run, in order; servers go on until the end, or until the same one is started again |
//! | `text` | each line is in the output of the block of commands before it; `...` stands for anything |
//! | `toml` | `config.toml`, unless it is a manifest of cargo |
//! | `json` | `status.json` |
//! | `yaml` | `prometheus.yml` if it has `scrape_configs`, else `web.yml` |
//! | `sh,no_run` | nothing, for the reason in the comment before it |
//!
//! The ports that guides name are replaced by free ones.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use narthex_test::{Process, free_address, get, poll, required_component};

use crate::support::Directory;

/// The guides whose commands are walked through, each by a test below.
const WALKED: [&str; 5] = [
    "exporters-from-toml.md",
    "from-prometheus_exporter.md",
    "push-from-a-job.md",
    "quick-start.md",
    "tls-and-auth.md",
];

/// Pages of figures, whose commands measure for minutes.
const FIGURES: [&str; 3] = ["parity.md", "performance.md", "reliability.md"];

/// So many blocks of commands may be there that are not run.
const MOST_NOT_RUN: usize = 4;

#[test]
fn every_configuration_in_a_guide_is_accepted() {
    let mut checked = 0;
    for guide in guides() {
        for block in blocks(&guide).into_iter().filter(Block::is_configuration) {
            let directory = Directory::new().write("config.toml", &block.text).write("token", "t");
            let end = directory.end_of(&["run", "config.toml", "--config.check"], &[]);
            let valid = (0, "settings are valid\n".to_owned(), String::new());
            assert_eq!(end, valid, "{guide}:{}", block.line);
            checked += 1;
        }
    }
    assert!(checked >= 3, "{checked}");
}

#[test]
fn every_guide_with_commands_is_walked_through() {
    let with_commands = |guide: &String| blocks(guide).iter().any(Block::is_run);
    let expected: BTreeSet<_> = guides().into_iter().filter(with_commands).collect();
    let walked: BTreeSet<_> = WALKED.map(str::to_owned).into();
    assert_eq!(walked, expected);
}

#[test]
fn few_commands_are_not_run_and_each_has_a_reason() {
    let mut count = 0;
    for guide in guides() {
        for block in blocks(&guide).into_iter().filter(|block| block.language == "sh,no_run") {
            let before = block.before.strip_prefix("<!-- not run by the tests: ");
            let reason = before.and_then(|rest| rest.strip_suffix(" -->"));
            let is_told = reason.is_some_and(|reason| !reason.is_empty());
            assert!(is_told, "{guide}:{}: no reason", block.line);
            count += 1;
        }
    }
    assert!(count <= MOST_NOT_RUN, "{count} blocks of commands are not run");
}

#[test]
fn real_a_newcomer_gets_an_api_and_this_machine_into_prometheus() {
    walk("exporters-from-toml.md");
}

#[test]
fn real_the_quick_start_works() {
    walk("quick-start.md");
}

#[test]
fn real_a_job_pushes_as_its_guide_says() {
    walk("push-from-a-job.md");
}

#[test]
fn real_certificates_passwords_and_tokens_work_as_their_guide_says() {
    walk("tls-and-auth.md");
}

#[test]
fn real_the_guide_for_users_of_prometheus_exporter_works() {
    walk("from-prometheus_exporter.md");
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs")
}

/// The names of all pages that are not figures.
fn guides() -> Vec<String> {
    let entries = std::fs::read_dir(docs()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md") && !FIGURES.contains(&&**name)).collect()
}

struct Block {
    language: String,
    text: String,
    /// The line of its first line.
    line: usize,
    /// The last line before it that is not blank.
    before: String,
}

impl Block {
    fn is_run(&self) -> bool {
        self.language == "sh"
    }

    fn is_configuration(&self) -> bool {
        let manifest = ["[dependencies]", "[dev-dependencies]"];
        self.language == "toml" && !manifest.iter().any(|table| self.text.starts_with(table))
    }

    /// The commands, each with its following lines.
    fn commands(&self) -> Vec<String> {
        let joined = self.text.replace("\\\n", " ");
        joined.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }
}

fn blocks(guide: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(docs().join(guide)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    let mut before = "";
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), is_open) {
            (Some(_), true) => is_open = false,
            (Some(language), false) => {
                let (language, before) = (language.to_owned(), before.to_owned());
                blocks.push(Block { language, text: String::new(), line: number + 1, before });
                is_open = true;
            }
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text += line;
                block.text += "\n";
            }
            (None, false) if !line.is_empty() => before = line,
            (None, false) => {}
        }
    }
    assert!(!is_open, "{guide}: a block has no end");
    blocks
}

/// Does what a guide says.
#[track_caller]
fn walk(guide: &str) {
    assert!(WALKED.contains(&guide), "{guide}");
    let blocks = blocks(guide);
    let has_all = |block: &Block| block.commands().iter().all(|command| is_there(command));
    if !blocks.iter().filter(|block| block.is_run()).all(has_all) {
        return;
    }
    let mut reader = Reader::new();
    for block in blocks {
        reader.at = format!("{guide}:{}", block.line);
        let text = reader.ports.put_into(&block.text);
        match &*block.language {
            "sh" => reader.type_in(&Block { text, ..block }),
            "text" => reader.expect(&text),
            "toml" if block.is_configuration() => reader.write("config.toml", &text),
            "json" => reader.write("status.json", &text),
            "yaml" if text.starts_with("scrape_configs:") => {
                reader.write("prometheus.yml", &text);
                reader.run("promtool check config prometheus.yml");
            }
            "yaml" => reader.write("web.yml", &text),
            "toml" | "sh,no_run" | "rust" | "rust,no_run" => {}
            other => panic!("{}: what is a block of `{other}`?", reader.at),
        }
    }
}

/// Whether the machine has the program of a command, as far as it may lack it.
#[track_caller]
fn is_there(command: &str) -> bool {
    let programs =
        ["curl", "htpasswd", "openssl", "prometheus", "prometheus-pushgateway", "promtool"];
    let program = command.split(' ').next().unwrap_or_default();
    !programs.contains(&program) || required_component(program).is_some()
}

/// Who reads a guide, and has terminals open.
struct Reader {
    directory: Directory,
    ports: Ports,
    servers: Vec<Server>,
    last: Vec<Step>,
    /// Where in the guide.
    at: String,
}

struct Server {
    program: String,
    process: Process,
}

/// What the last block of commands did.
enum Step {
    /// Started this server.
    Started(usize),
    /// Ran a command to its end, with this output.
    Ran(String, String),
}

/// How long something may take until it is as a guide says.
const LIMIT: Duration = Duration::from_secs(60);

impl Reader {
    fn new() -> Self {
        let (directory, ports) = (Directory::new(), Ports::new());
        Self { directory, ports, servers: Vec::new(), last: Vec::new(), at: String::new() }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    #[track_caller]
    fn type_in(&mut self, block: &Block) {
        self.last.clear();
        for command in block.commands() {
            let step = match self.serve(&command) {
                Some(server) => Step::Started(server),
                None => {
                    let output = self.run(&command);
                    Step::Ran(command, output)
                }
            };
            self.last.push(step);
        }
    }

    /// Starts what goes on until somebody ends it, and waits until it serves.
    #[track_caller]
    fn serve(&mut self, command: &str) -> Option<usize> {
        let program = command.split(' ').next().unwrap_or_default().to_owned();
        let ends = ["--config.check", "--config.print"];
        let serves = match &*program {
            "narthex" => {
                command.starts_with("narthex run") && !ends.iter().any(|end| command.contains(end))
            }
            "python3" => command.contains("http.server"),
            _ => ["prometheus", "prometheus-pushgateway"].contains(&&*program),
        };
        if !serves {
            return None;
        }
        // The one before is ended with Ctrl-C; its place in the list stays.
        let before = self.servers.iter_mut().find(|server| server.program == program);
        if let Some(server) = before {
            server.process.signal("INT");
            server.process.wait();
            server.program.clear();
        }
        // Its own port is not in the command: it is the default that guides rely on.
        let port = match &*program {
            "narthex" => format!(" --port={}", self.ports.of("9999")),
            _ => String::new(),
        };
        let process = Process::start(&mut self.shell(&format!("exec {command}{port}"))).unwrap();
        self.servers.push(Server { program: program.clone(), process });
        let server = self.servers.last_mut().unwrap();
        match &*program {
            "narthex" => {
                server.process.wait_for_line("listening on ");
            }
            "python3" => {
                let address = ("127.0.0.1", self.ports.of("8000"));
                poll(command, LIMIT, || TcpStream::connect(address).ok());
            }
            _ => {
                let fixed = if program == "prometheus" { "9090" } else { "9091" };
                let url = format!("http://127.0.0.1:{}/-/ready", self.ports.of(fixed));
                poll(command, LIMIT, || {
                    assert!(server.process.is_running(), "{}", server.process.stderr());
                    get(&url, &[]).is_ok_and(|answer| answer.status == 200).then_some(())
                });
            }
        }
        Some(self.servers.len() - 1)
    }

    /// Runs a command to its end, which has to be a good one; gives what it shows.
    #[track_caller]
    fn run(&self, command: &str) -> String {
        let mut process = Process::start(&mut self.shell(command)).unwrap();
        let status = process.wait();
        let output = process.stdout() + &process.stderr();
        assert!(status.success(), "{}: `{command}` ended with {status}: {output}", self.at);
        output
    }

    fn shell(&self, command: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_narthex")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path)));
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.directory.path());
        shell.env_clear().env("PATH", path.unwrap()).env("HOME", self.directory.path());
        shell
    }

    /// Looks for lines in what the last block of commands shows, some of which takes its time.
    #[track_caller]
    fn expect(&mut self, lines: &str) {
        let start = std::time::Instant::now();
        loop {
            let shown = self.shown();
            let is_missing = |line: &&str| !shown.lines().any(|found| is_like(line, found));
            let Some(missing) = lines.lines().find(is_missing) else { return };
            assert!(start.elapsed() < LIMIT, "{}: `{missing}` is not in {shown}", self.at);
            // A reader who is told that it takes some seconds asks again.
            std::thread::sleep(Duration::from_millis(250));
            for index in 0..self.last.len() {
                if let Step::Ran(command, _) = &self.last[index] {
                    let output = self.run(command);
                    self.last[index] = Step::Ran(command.clone(), output);
                }
            }
        }
    }

    fn shown(&self) -> String {
        let output = |step: &Step| match step {
            Step::Started(server) => self.servers[*server].process.stdout(),
            Step::Ran(_, output) => output.clone(),
        };
        self.last.iter().map(output).collect()
    }
}

/// Whether a line is as expected, where `...` stands for anything.
fn is_like(expected: &str, line: &str) -> bool {
    let mut parts = expected.split("...");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut ends_open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        ends_open = part.is_empty();
    }
    ends_open || rest.is_empty()
}

/// The ports that guides name, and the free ones in their place.
struct Ports(Vec<(&'static str, u16)>);

impl Ports {
    fn new() -> Self {
        let named = ["8000", "9090", "9091", "9998", "9999"];
        let mut ports: Vec<(&str, u16)> = Vec::new();
        for fixed in named {
            // One with a named port in its digits would be replaced itself.
            let is_good = |port: &u16| {
                let digits = port.to_string();
                let is_taken = ports.iter().any(|(_, taken)| taken == port);
                !is_taken && !named.iter().any(|named| digits.contains(named))
            };
            let free = std::iter::repeat_with(|| free_address().port()).find(is_good);
            ports.push((fixed, free.expect("the iterator has no end")));
        }
        Self(ports)
    }

    fn of(&self, fixed: &str) -> u16 {
        self.0.iter().find(|(name, _)| *name == fixed).unwrap().1
    }

    fn put_into(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (fixed, free)| text.replace(fixed, &free.to_string()))
    }
}

#[test]
fn expected_lines_may_leave_things_open() {
    assert!(is_like("a 1", "a 1"));
    assert!(is_like("a ...", "a 1"));
    assert!(is_like("a{...} 1", "a{b=\"c\"} 1"));
    assert!(!is_like("a 1", "a 12"));
    assert!(!is_like("a{...} 1", "a{b=\"c\"} 12"));
    assert!(!is_like("a ...", "b 1"));
}

//! The one error of reading settings.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Settings that cannot be used, or a question that ends the program in their place (`--help`,
/// `--version`).
///
/// The text is one line that names the place: the option, the environment variable, or the file
/// with line and key.
///
/// ```
/// use narthex_exporter::{Settings, WebArgs};
///
/// #[derive(clap::Parser, Debug)]
/// struct Cli {
///     #[command(flatten)]
///     web: WebArgs,
/// }
///
/// let settings = Settings::new("THERMO");
/// let error = settings
///     .try_parse_from::<Cli>(["thermo"], [("THERMO_PORT", "x")], "/".as_ref())
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "environment variable THERMO_PORT: invalid value 'x': invalid digit found in string",
/// );
/// ```
#[derive(Debug)]
pub struct SettingsError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    /// The answer to `--help`, styled.
    Help(clap::Error),
    /// The answer to `--version`.
    Version(String),
    CommandLine(clap::Error),
    Variable {
        name: String,
        message: String,
    },
    File {
        path: String,
        line: Option<usize>,
        message: String,
    },
}

impl SettingsError {
    /// An error about a place in a file, for readers of their own sections.
    pub(super) fn file(
        path: impl Into<String>,
        line: Option<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Kind::File { path: path.into(), line, message: message.into() }))
    }

    pub(super) fn variable(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Kind::Variable { name: name.into(), message: message.into() }))
    }

    pub(super) fn version(text: String) -> Self {
        Self(Box::new(Kind::Version(text)))
    }

    pub(super) fn command_line(error: clap::Error) -> Self {
        let asked = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        Self(Box::new(if asked { Kind::Help(error) } else { Kind::CommandLine(error) }))
    }

    /// Whether nothing is wrong: help or the version was asked for, and the text is the answer.
    pub fn is_answer(&self) -> bool {
        self.exit_code() == 0
    }

    /// The exit code that goes with it: 0 for an answer, 2 for an error.
    pub fn exit_code(&self) -> u8 {
        match &*self.0 {
            Kind::Help(error) if !error.use_stderr() => 0,
            Kind::Version(_) => 0,
            _ => 2,
        }
    }

    /// Prints it where it belongs: answers on standard output, errors as one line on standard
    /// error; and gives the exit code.
    pub fn report(&self) -> ExitCode {
        // A closed pipe is no reason to fail over what could not be said anyway.
        let _ = match &*self.0 {
            Kind::Help(error) => error.print(),
            Kind::Version(text) => std::io::stdout().write_all(text.as_bytes()),
            _ => writeln!(std::io::stderr(), "error: {self}"),
        };
        self.exit_code().into()
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Help(error) => write!(f, "{}", error.render()),
            Kind::Version(text) => f.write_str(text),
            Kind::CommandLine(error) => f.write_str(&one_line(error)),
            Kind::Variable { name, message } => {
                f.write_str(&printable(&format!("environment variable {name}: {message}")))
            }
            Kind::File { path, line, message } => {
                let line = line.map(|line| format!(":{line}")).unwrap_or_default();
                f.write_str(&printable(&format!("{path}{line}: {message}")))
            }
        }
    }
}

impl std::error::Error for SettingsError {}

/// What clap says in several lines, without its usage and its pointer to `--help`.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| {
        let boilerplate = paragraph.starts_with("Usage:") || paragraph.starts_with("For more");
        !boilerplate && !paragraph.is_empty()
    });
    let lines = paragraphs.map(|paragraph| {
        let words: Vec<_> = paragraph.lines().map(str::trim).collect();
        words.join(" ").replace("tip: ", "")
    });
    printable(&lines.collect::<Vec<_>>().join("; "))
}

/// The text without control bytes, of which names and values may have any.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// Why clap refused the one value it was given, without the name of the option.
pub(super) fn refusal(error: &clap::Error) -> String {
    let text = one_line(error);
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => text.replacen(&format!(" for '{option}'"), "", 1),
        _ => text,
    }
}

//! The one error of reading settings.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Settings that cannot be used, or a question that ends the program in their place (`--help`,
/// `--version`, `--config.print`).
///
/// The text is one line that names the place: the option, the environment variable, or the file
/// with line and key. Where several things are wrong, [`all`](Self::all) has them one by one.
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
    /// The answer to `--version` or `--config.print`.
    Answer(String),
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
    /// All that is wrong, each of it one of the others.
    Several(Vec<SettingsError>),
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

    pub(super) fn answer(text: String) -> Self {
        Self(Box::new(Kind::Answer(text)))
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
            Kind::Answer(_) => 0,
            _ => 2,
        }
    }

    /// Everything that is wrong, one error each.
    pub fn all(&self) -> &[Self] {
        match &*self.0 {
            Kind::Several(errors) => errors,
            _ => std::slice::from_ref(self),
        }
    }

    /// Prints it where it belongs: answers on standard output, errors as a line each on standard
    /// error; and gives the exit code.
    pub fn report(&self) -> ExitCode {
        // A closed pipe is no reason to fail over what could not be said anyway.
        let _ = match &*self.0 {
            Kind::Help(error) => error.print(),
            Kind::Answer(text) => std::io::stdout().write_all(text.as_bytes()),
            _ => self
                .all()
                .iter()
                .try_for_each(|error| writeln!(std::io::stderr(), "error: {error}")),
        };
        self.exit_code().into()
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Help(error) => write!(f, "{}", error.render()),
            Kind::Answer(text) => f.write_str(text),
            Kind::CommandLine(error) => f.write_str(&one_line(error)),
            Kind::Variable { name, message } => {
                f.write_str(&printable(&format!("environment variable {name}: {message}")))
            }
            Kind::File { path, line, message } => {
                let line = line.map(|line| format!(":{line}")).unwrap_or_default();
                f.write_str(&printable(&format!("{path}{line}: {message}")))
            }
            Kind::Several(errors) => {
                let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("; "))
            }
        }
    }
}

impl std::error::Error for SettingsError {}

/// Errors found so far, so that all of them can be told at once.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<SettingsError>);

impl Errors {
    pub(crate) fn push(&mut self, error: SettingsError) {
        match *error.0 {
            Kind::Several(errors) => self.0.extend(errors),
            _ => self.0.push(error),
        }
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// The value, or `None` with the error kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, SettingsError>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The value if nothing was wrong.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, SettingsError> {
        match self.0.len() {
            0 => Ok(value),
            1 => Err(self.0.remove(0)),
            _ => Err(SettingsError(Box::new(Kind::Several(self.0)))),
        }
    }
}

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

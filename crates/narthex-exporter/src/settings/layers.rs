//! Values from elsewhere than the command line, and which of them count.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, Command, Id};

use super::error::SettingsError;
use super::file::{self, Document};
use super::option::Setting;
use super::section::{Reader, Sections};
use super::{CONFIG, CONFIG_CHECK, dotenv};

/// A value that one source has for an option.
pub(super) struct Given<'s> {
    pub(super) setting: &'s Setting<'s>,
    pub(super) value: Value,
    origin: Origin,
}

/// What a source knows of a value.
pub(super) enum Value {
    /// A text, that has to be split and read.
    Text(OsString),
    /// Values of a file with types, sound already.
    List(Vec<OsString>),
}

/// Where a value came from, for errors.
enum Origin {
    Variable { name: String },
    Dotenv { path: String, line: usize, name: String },
    File { document: Arc<Document>, line: usize, key: String },
}

impl Origin {
    fn name(&self) -> &str {
        match self {
            Self::Variable { name } | Self::Dotenv { name, .. } => name,
            Self::File { key, .. } => key,
        }
    }

    fn error(&self, message: &str) -> SettingsError {
        match self {
            Self::Variable { name } => SettingsError::variable(name, message),
            Self::Dotenv { path, line, name } => {
                SettingsError::file(path, Some(*line), format!("{name}: {message}"))
            }
            Self::File { document, line, key } => {
                document.error_in_line(*line, format!("{key}: {message}"))
            }
        }
    }
}

/// The options that environment variables set. An empty variable counts as unset.
pub(super) fn environment<'s>(
    settings: &'s [Setting<'s>],
    prefix: &str,
    variables: &HashMap<String, OsString>,
) -> Result<Vec<Given<'s>>, SettingsError> {
    named(settings, |key| {
        let name = format!("{prefix}{}", key.to_ascii_uppercase());
        let value = variables.get(&name).filter(|value| !value.is_empty())?;
        Some((value.clone(), Origin::Variable { name }))
    })
}

/// The options that a dotenv file sets. An empty variable counts as unset.
pub(super) fn dotenv<'s>(
    settings: &'s [Setting<'s>],
    prefix: &str,
    path: &Path,
    entries: &[dotenv::Entry],
) -> Result<Vec<Given<'s>>, SettingsError> {
    let path = path.display().to_string();
    named(settings, |key| {
        let name = format!("{prefix}{}", key.to_ascii_uppercase());
        let entry = entries.iter().find(|entry| entry.name == name && !entry.value.is_empty())?;
        let origin = Origin::Dotenv { path: path.clone(), line: entry.line, name };
        Some((OsString::from(&entry.value), origin))
    })
}

/// Looks all names of all options up; two names of one option at once are an error.
fn named<'s>(
    settings: &'s [Setting<'s>],
    lookup: impl Fn(&str) -> Option<(OsString, Origin)>,
) -> Result<Vec<Given<'s>>, SettingsError> {
    let mut given = Vec::new();
    for setting in settings {
        let mut found = setting.keys().filter_map(|key| lookup(&key));
        let Some((text, origin)) = found.next() else { continue };
        if let Some((_, other)) = found.next() {
            return Err(twice(&other, origin.name()));
        }
        given.push(Given { setting, value: Value::Text(text), origin });
    }
    Ok(given)
}

fn twice(origin: &Origin, other: &str) -> SettingsError {
    origin.error(&format!("`{other}` sets the same, and only one can be given"))
}

/// The options that a TOML file sets, all of them checked, and its sections.
pub(super) fn file<'s>(
    settings: &'s [Setting<'s>],
    readers: &[Reader],
    document: &Arc<Document>,
) -> Result<(Vec<Given<'s>>, Sections), SettingsError> {
    let in_files =
        |setting: &&Setting<'_>| ![CONFIG, CONFIG_CHECK].contains(&setting.id().as_str());
    let settings: Vec<_> = settings.iter().filter(in_files).collect();
    let mut given: Vec<Given<'s>> = Vec::new();
    let mut sections = Sections::new();
    for entry in document.entries()? {
        if let Some(reader) = readers.iter().find(|reader| reader.name == entry.key) {
            sections.insert(reader.name.clone(), reader.read(document)?);
            continue;
        }
        let Some(setting) =
            settings.iter().copied().find(|setting| setting.keys().any(|key| key == entry.key))
        else {
            let known = settings.iter().flat_map(|setting| setting.keys());
            let known = known.chain(readers.iter().map(|reader| reader.name.clone()));
            return Err(document.error_in_line(entry.line, unknown(&entry.key, known)));
        };
        let origin =
            Origin::File { document: document.clone(), line: entry.line, key: entry.key.clone() };
        if let Some(other) = given.iter().find(|other| other.setting.id() == setting.id()) {
            return Err(twice(&origin, other.origin.name()));
        }
        let values = file::texts(setting, &entry.value)
            .and_then(|values| setting.check(&values).map(|()| values))
            .map_err(|message| origin.error(&message))?;
        given.push(Given { setting, value: Value::List(values), origin });
    }
    Ok((given, sections))
}

/// What to say of an unknown key, with the most similar of the known ones.
fn unknown(key: &str, known: impl Iterator<Item = String>) -> String {
    let mut message = format!("unknown key `{}`", key.escape_debug());
    let similar = known
        .map(|known| (strsim::jaro(key, &known), known))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    if let Some((_, known)) = similar {
        message.push_str(&format!("; did you mean `{known}`?"));
    }
    message
}

/// Decides between the layers, the first of which goes before the others, and gives what has to be
/// added to the command line.
///
/// An option counts where it is set first, and there it also displaces options that it
/// [conflicts](Arg::conflicts_with) with: a port on the command line is worth more than a listen
/// address in a file. Within one layer such a pair is an error.
pub(super) fn choose<'s>(
    command: &Command,
    typed: &HashSet<Id>,
    layers: impl IntoIterator<Item = Vec<Given<'s>>>,
) -> Result<Vec<OsString>, SettingsError> {
    let mut taken = typed.clone();
    let mut tokens = Vec::new();
    for layer in layers {
        let is_free = |given: &Given<'_>| {
            taken.iter().all(|other| given.setting.id() != other)
                && !taken.iter().any(|other| conflict(command, given.setting.id(), other))
        };
        let free: Vec<_> = layer.into_iter().filter(is_free).collect();
        for (at, given) in free.iter().enumerate() {
            for other in &free[..at] {
                if conflict(command, given.setting.id(), other.setting.id()) {
                    let message = format!("cannot be used with `{}`", other.origin.name());
                    return Err(given.origin.error(&message));
                }
            }
            let blame = |message: String| given.origin.error(&message);
            let values = match &given.value {
                Value::List(values) => values.clone(),
                Value::Text(text) => {
                    let values = given.setting.split(text).map_err(blame)?;
                    given.setting.check(&values).map_err(blame)?;
                    values
                }
            };
            tokens.extend(given.setting.tokens(&values));
        }
        taken.extend(free.iter().map(|given| given.setting.id().clone()));
    }
    Ok(tokens)
}

/// Whether the program says of either that it conflicts with the other.
fn conflict(command: &Command, one: &Id, other: &Id) -> bool {
    let declared = |one: &Id, other: &Id| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == one);
        let conflicts =
            |arg: &Arg| command.get_arg_conflicts_with(arg).iter().any(|a| a.get_id() == other);
        arg.is_some_and(conflicts)
    };
    declared(one, other) || declared(other, one)
}

/// The text that one of the options has, if it has any.
pub(super) fn text_of<'g>(given: &'g [Given<'_>], id: &str) -> Option<&'g OsStr> {
    given.iter().find(|given| given.setting.id() == id).and_then(|given| match &given.value {
        Value::Text(text) => Some(text.as_os_str()),
        Value::List(_) => None,
    })
}

//! Values from elsewhere than the command line, and which of them count.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, Command, Id};

use super::error::{Errors, SettingsError};
use super::file::{self, Document, Entry, Spelling};
use super::option::Setting;
use super::section::{Reader, Sections};
use super::{NOT_IN_FILES, dotenv};

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
    File { document: Arc<Document>, line: usize, key: String, is_file: bool },
}

impl Origin {
    fn name(&self) -> &str {
        match self {
            Self::Variable { name } | Self::Dotenv { name, .. } => name,
            Self::File { key, .. } => key,
        }
    }

    fn place(&self) -> Place {
        let is_private = matches!(self, Self::File { is_file: true, .. });
        let text = match self {
            Self::Variable { name } => format!("environment variable {name}"),
            Self::Dotenv { path, line, name } => format!("{path}:{line}: {name}"),
            Self::File { document, line, key, .. } => {
                format!("{}:{line}: {key}", document.path().display())
            }
        };
        Place { text, is_private }
    }

    fn error(&self, message: &str) -> SettingsError {
        match self {
            Self::Variable { name } => SettingsError::variable(name, message),
            Self::Dotenv { path, line, name } => {
                SettingsError::file(path, Some(*line), format!("{name}: {message}"))
            }
            Self::File { document, line, key, .. } => {
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
    errors: &mut Errors,
) -> Vec<Given<'s>> {
    named(settings, errors, |key| {
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
    errors: &mut Errors,
) -> Vec<Given<'s>> {
    let path = path.display().to_string();
    named(settings, errors, |key| {
        let name = format!("{prefix}{}", key.to_ascii_uppercase());
        let entry = entries.iter().find(|entry| entry.name == name && !entry.value.is_empty())?;
        let origin = Origin::Dotenv { path: path.clone(), line: entry.line, name };
        Some((OsString::from(&entry.value), origin))
    })
}

/// Looks all names of all options up; two names of one option at once are an error.
fn named<'s>(
    settings: &'s [Setting<'s>],
    errors: &mut Errors,
    lookup: impl Fn(&str) -> Option<(OsString, Origin)>,
) -> Vec<Given<'s>> {
    let mut given = Vec::new();
    for setting in settings {
        let mut found = setting.keys().filter_map(|key| lookup(&key));
        let Some((text, origin)) = found.next() else { continue };
        if let Some((_, other)) = found.next() {
            errors.push(twice(&other, origin.name()));
        }
        given.push(Given { setting, value: Value::Text(text), origin });
    }
    given
}

fn twice(origin: &Origin, other: &str) -> SettingsError {
    origin.error(&format!("`{other}` sets the same, and only one can be given"))
}

/// A table of the TOML file whose keys are options without the beginning of their names, as
/// `[host] cpu` is `collector_cpu`.
#[derive(Clone, Debug)]
pub(super) struct OptionTable {
    pub(super) name: String,
    /// What the names of the options may begin with.
    pub(super) prefixes: Vec<String>,
}

impl OptionTable {
    /// Whether this is it. An option may have the name as well, such as `host`.
    fn is(&self, entry: &Entry<'_>) -> bool {
        self.name == entry.key && entry.value.get_ref().is_table()
    }
}

/// What a TOML file says: options, all of them checked, and sections.
#[derive(Default)]
pub(super) struct Content<'s> {
    pub(super) given: Vec<Given<'s>>,
    pub(super) sections: Sections,
    pub(super) errors: Errors,
}

impl<'s> Content<'s> {
    /// Reads all that `document` says, mistakes included.
    pub(super) fn read(
        settings: &'s [Setting<'s>],
        readers: &[Reader],
        tables: &[OptionTable],
        document: &Arc<Document>,
    ) -> Result<Self, SettingsError> {
        let in_files = |setting: &&Setting<'_>| !NOT_IN_FILES.contains(&setting.id().as_str());
        let settings: Vec<_> = settings.iter().filter(in_files).collect();
        let mut content = Self { errors: document.expansions()?, ..Self::default() };
        for entry in document.entries()? {
            if let Some(reader) = readers.iter().find(|reader| reader.name == entry.key) {
                let read = content.errors.keep(reader.read(document));
                content.sections.extend(read.map(|read| (reader.name.clone(), read)));
            } else if let Some(table) = tables.iter().find(|table| table.is(&entry)) {
                for entry in document.entries_of(entry) {
                    content.option(&settings, document, entry, table);
                }
                content.sections.insert(table.name.clone(), Arc::new(()));
            } else {
                let others = readers.iter().map(|reader| reader.name.clone());
                let others = others.chain(tables.iter().map(|table| table.name.clone()));
                let top = OptionTable { name: String::new(), prefixes: vec![String::new()] };
                content.option_or(&settings, document, entry, &top, others);
            }
        }
        Ok(content)
    }

    fn option(
        &mut self,
        settings: &[&'s Setting<'s>],
        document: &Arc<Document>,
        entry: Entry<'_>,
        table: &OptionTable,
    ) {
        self.option_or(settings, document, entry, table, std::iter::empty());
    }

    /// Takes an option in, or the mistake in it; `others` are keys that could have been meant.
    fn option_or(
        &mut self,
        settings: &[&'s Setting<'s>],
        document: &Arc<Document>,
        entry: Entry<'_>,
        table: &OptionTable,
        others: impl Iterator<Item = String>,
    ) {
        let find = |key: &str| {
            let is = |setting: &&'s Setting<'s>| {
                let mut names = table.prefixes.iter().map(|prefix| format!("{prefix}{key}"));
                names.any(|name| setting.keys().any(|key| key == name))
            };
            settings.iter().copied().find(is)
        };
        let in_file = || find(entry.key.strip_suffix("_file")?).filter(|found| found.is_text());
        let Some(setting) = find(&entry.key).or_else(in_file) else {
            let known = settings.iter().flat_map(|setting| setting.keys()).filter_map(|key| {
                let prefix = table.prefixes.iter().find(|prefix| key.starts_with(&***prefix))?;
                Some(key[prefix.len()..].to_owned())
            });
            let message = unknown(&entry.key, known.chain(others));
            self.errors.push(document.error_in_line(entry.line, message));
            return;
        };
        let is_file = find(&entry.key).is_none();
        let key = match table.name.is_empty() {
            true => entry.key.clone(),
            false => format!("{}.{}", table.name, entry.key),
        };
        let origin = Origin::File { document: document.clone(), line: entry.line, key, is_file };
        if let Some(other) = self.given.iter().find(|other| other.setting.id() == setting.id()) {
            self.errors.push(twice(&origin, other.origin.name()));
            return;
        }
        // The names that prometheus_exporter has may have its strings as well.
        let is_alias = table.name.is_empty() && setting.keys().next().as_ref() != Some(&entry.key);
        let spelling = if is_alias { Spelling::Text } else { entry.spelling };
        let values = match is_file {
            false => file::texts(setting, &entry.value, spelling).map_err(|m| origin.error(&m)),
            true => match entry.value.get_ref().as_str() {
                Some(path) => document
                    .text_of_other(&entry.value.span(), path)
                    .map(|text| vec![OsString::from(text)]),
                None => Err(origin.error("wrong type: expected the path of a file, a string")),
            },
        };
        let values = values.and_then(|values| {
            setting.check(&values).map(|()| values).map_err(|message| origin.error(&message))
        });
        let values = self.errors.keep(values).map(Value::List);
        self.given.extend(values.map(|value| Given { setting, value, origin }));
    }
}

/// What to say of an unknown key, with the most similar of the known ones.
pub(super) fn unknown(key: &str, known: impl Iterator<Item = String>) -> String {
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

/// What the layers come down to.
#[derive(Default)]
pub(super) struct Choice {
    /// What has to be added to the command line.
    pub(super) tokens: Vec<OsString>,
    /// Where the options that were chosen come from.
    pub(super) origins: HashMap<Id, Place>,
}

/// Where a value comes from, for people.
pub(super) struct Place {
    pub(super) text: String,
    /// Whether the value is not for everybody: it lies in a file of its own.
    pub(super) is_private: bool,
}

/// Decides between the layers, the first of which goes before the others.
///
/// An option counts where it is set first, and there it also displaces options that it
/// [conflicts](Arg::conflicts_with) with: a port on the command line is worth more than a listen
/// address in a file. Within one layer such a pair is an error.
pub(super) fn choose<'s>(
    command: &Command,
    typed: &HashSet<Id>,
    layers: impl IntoIterator<Item = Vec<Given<'s>>>,
    errors: &mut Errors,
) -> Choice {
    let mut taken = typed.clone();
    let mut choice = Choice::default();
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
                    errors.push(given.origin.error(&message));
                }
            }
            match given.values() {
                Ok(values) => choice.tokens.extend(given.setting.tokens(&values)),
                Err(message) => errors.push(given.origin.error(&message)),
            }
            choice.origins.insert(given.setting.id().clone(), given.origin.place());
        }
        taken.extend(free.iter().map(|given| given.setting.id().clone()));
    }
    choice
}

impl Given<'_> {
    fn values(&self) -> Result<Vec<OsString>, String> {
        match &self.value {
            Value::List(values) => Ok(values.clone()),
            Value::Text(text) => {
                let values = self.setting.split(text)?;
                self.setting.check(&values).map(|()| values)
            }
        }
    }
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

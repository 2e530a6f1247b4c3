//! What was typed, and what clap answers to it.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PathBufValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Id};

use super::error::SettingsError;
use super::input::Input;
use super::option::Setting;
use super::section::ConfigFile;
use super::{CONFIG, Settings};

/// What the command line tells the other sources.
pub(super) struct Typed {
    /// The options that it sets.
    pub(super) ids: HashSet<Id>,
    pub(super) config: Option<PathBuf>,
    /// Where more options can be added.
    pub(super) at: usize,
}

impl Settings {
    /// What is on the command line, as far as the other sources have to know; `None` where it calls
    /// another subcommand.
    pub(super) fn typed(
        &self,
        command: &Command,
        input: &Input,
    ) -> Result<Option<Typed>, SettingsError> {
        // The file is read elsewhere, so that its path is no more than a path here.
        let command = &self.change(command.clone(), |command| match has_config(&command) {
            true => command.mut_arg(CONFIG, |arg| arg.value_parser(PathBufValueParser::new())),
            false => command,
        });
        // Twice: what is wrong in itself is told at once, but what merely lacks something may get
        // it from another source, and then everything that was typed has to be known.
        if let Err(error) = command.clone().try_get_matches_from(&input.arguments) {
            let lacks = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            if !lacks {
                return Err(self.answer(command, &input.arguments, error));
            }
        }
        let lenient = command.clone().ignore_errors(true);
        let matches = lenient
            .try_get_matches_from(&input.arguments)
            .map_err(|error| self.answer(command, &input.arguments, error))?;
        let (matches, at) = match &self.subcommand {
            None => (&matches, 1),
            Some(name) => match matches.subcommand_matches(name) {
                None => return Ok(None),
                Some(own) => (own, 1 + self.place_of_subcommand(command, &input.arguments)),
            },
        };
        let given = |id: &&Id| {
            let source = matches.value_source(id.as_str());
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        let ids: HashSet<Id> = matches.ids().filter(given).cloned().collect();
        let path = |id: &str| {
            let mut raw = matches.try_get_raw(id).ok()??;
            Some(PathBuf::from(raw.next()?))
        };
        let option = ids.get(&Id::from(CONFIG)).and_then(|_| path(CONFIG));
        let argument = self.config_argument.as_deref().and_then(path);
        if let (Some(_), Some(_)) = (&option, &argument) {
            let message = "the file is given both as an argument and with '--config'";
            let error = command.clone().error(ErrorKind::ArgumentConflict, message);
            return Err(SettingsError::command_line(error));
        }
        Ok(Some(Typed { ids, config: option.or(argument), at }))
    }

    /// Which of the arguments is the name of the subcommand.
    fn place_of_subcommand(&self, command: &Command, arguments: &[OsString]) -> usize {
        let target = self.target(command);
        let is_name = |argument: &OsString| {
            target.get_name() == argument.as_os_str()
                || target.get_all_aliases().any(|alias| alias == argument.as_os_str())
        };
        // The value of an option may look the same: then what stands before is incomplete.
        let is_complete = |before: &[OsString]| {
            let alone = command.clone().subcommand_required(false).arg_required_else_help(false);
            alone.ignore_errors(false).try_get_matches_from(before).is_ok()
        };
        (1..arguments.len())
            .find(|&at| is_name(&arguments[at]) && is_complete(&arguments[..at]))
            .unwrap_or_else(|| arguments.iter().position(is_name).unwrap_or_default())
    }

    pub(super) fn finish(
        &self,
        mut command: Command,
        arguments: &[OsString],
    ) -> Result<ArgMatches, SettingsError> {
        let result = command.try_get_matches_from_mut(arguments);
        result.map_err(|error| self.answer(&command, arguments, error))
    }

    /// What clap says, in our words: help that names the variables, the version as `NAME, version V`.
    fn answer(
        &self,
        command: &Command,
        arguments: &[OsString],
        error: clap::Error,
    ) -> SettingsError {
        match error.kind() {
            ErrorKind::DisplayVersion => {
                let name = command.get_display_name().unwrap_or_else(|| command.get_name());
                let version = command.get_version().unwrap_or_default();
                SettingsError::answer(format!("{name}, version {version}\n"))
            }
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let named = self.change(command.clone(), |command| self.with_variables(command));
                let error = named.try_get_matches_from(arguments).err().unwrap_or(error);
                SettingsError::command_line(error)
            }
            _ => SettingsError::command_line(error),
        }
    }

    /// Has the help tell the variables' names, and never what is in them.
    fn with_variables(&self, command: Command) -> Command {
        let names: HashMap<Id, String> = Setting::all(&command)
            .iter()
            .filter_map(|setting| Some((setting.id().clone(), setting.keys().next()?)))
            .collect();
        command.mut_args(|arg| match names.get(arg.get_id()) {
            Some(key) if arg.get_env().is_none() => arg
                .env(format!("{}{}", self.prefix, key.to_ascii_uppercase()))
                .hide_env_values(true),
            _ => arg,
        })
    }
}

/// Whether `--config` is ours, and not an option of the program that is called the same.
pub(super) fn has_config(command: &Command) -> bool {
    let ours = TypeId::of::<ConfigFile>();
    command
        .get_arguments()
        .any(|arg| arg.get_id() == CONFIG && arg.get_value_parser().type_id() == ours)
}

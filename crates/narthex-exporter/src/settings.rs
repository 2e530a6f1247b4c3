//! Settings: flag > environment > dotenv file > TOML file > default.

mod command_line;
mod dotenv;
mod error;
mod expand;
mod fields;
mod file;
mod input;
mod layers;
mod option;
mod print;
mod section;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{ArgMatches, Command, FromArgMatches as _, Id};

use self::command_line::has_config;
pub(crate) use self::error::Errors;
pub use self::error::SettingsError;
pub(crate) use self::fields::Fields;
use self::file::Document;
pub(crate) use self::input::Input;
use self::layers::{Content, OptionTable};
use self::option::Setting;
use self::section::Reader;
pub use self::section::{ConfigFile, Section};
use crate::web_args::WebArgs;

/// The option that names the TOML file.
const CONFIG: &str = "config";
/// The option that only checks the settings.
const CONFIG_CHECK: &str = "config_check";
/// The option that only prints them.
const CONFIG_PRINT: &str = "config_print";
/// The options that say what to do with a file, and so cannot stand in one.
const NOT_IN_FILES: [&str; 3] = [CONFIG, CONFIG_CHECK, CONFIG_PRINT];

/// Reads the settings of a program from its command line, the environment, a dotenv file and a
/// TOML file, in this order of precedence.
///
/// The program says once what it takes, as a [`clap::Parser`]. Each option with a long name can
/// then be set from everywhere:
///
/// | source | `--web.listen-address` of a program with the prefix `THERMO` |
/// |---|---|
/// | command line | `--web.listen-address :9100` |
/// | environment, dotenv | `THERMO_WEB_LISTEN_ADDRESS=":9100 [::1]:9101"` |
/// | TOML | `web_listen_address = [":9100", "[::1]:9101"]` |
///
/// - A source replaces what those after it say of the same option, lists as a whole. It also
///   replaces options of theirs that conflict with its own (see [`clap::Arg::conflicts_with`]).
/// - A required option that a file or the environment sets counts as given.
/// - Environment: repeatable options are separated by blanks, flags are 1/0, true/false, t/f,
///   yes/no, y/n or on/off, and an empty variable counts as unset.
/// - Dotenv: `.env` in the working directory if there is one, or the file that `THERMO_DOTENV`
///   names, which then must exist. Only names with the prefix count, and none of it enters the
///   environment of the process.
/// - TOML: the file that `--config` names. A key that is neither an option nor a
///   [section](Self::section) is an error, as is a wrong type. In strings, `${NAME}` and
///   `${NAME:-default}` are replaced from the environment, and `$${` is `${`. The value of an option
///   that is a text may lie in a file: `password_file = "secret.txt"`, a path relative to that of
///   the TOML file, is `password` without its last line end.
///
/// All mistakes are told at once, each with its place. `--config.check` tells them and starts
/// nothing; `--config.print` prints the settings that count and where each comes from, without
/// secrets: options marked by [`hide_env_values`](clap::Arg::hide_env_values), what came from a file
/// of its own, and what is called or belongs to a key, password, token, header or parameter.
///
/// ```
/// use std::path::PathBuf;
///
/// use narthex_exporter::{Settings, WebArgs};
///
/// #[derive(clap::Parser)]
/// #[command(version)]
/// struct Cli {
///     /// Sensor to read.
///     #[arg(long)]
///     device: PathBuf,
///     #[command(flatten)]
///     web: WebArgs,
/// }
///
/// let cli: Cli = Settings::new("THERMO").default_port(9111).try_parse_from(
///     ["thermo", "--log-level", "debug"],
///     [("THERMO_DEVICE", "/dev/thermo0")],
///     "/".as_ref(),
/// )?;
/// assert_eq!(cli.device, PathBuf::from("/dev/thermo0"));
/// assert_eq!(cli.web.port, 9111);
/// # Ok::<(), narthex_exporter::SettingsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// With its underscore.
    prefix: String,
    /// Keys and values.
    defaults: Vec<(String, String)>,
    subcommand: Option<String>,
    config_argument: Option<String>,
    sections: Vec<Reader>,
    tables: Vec<OptionTable>,
    reach: Reach,
}

/// Which sources count beside the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    All,
    /// The TOML file, and the environment only for what that refers to.
    File,
}

impl Settings {
    /// Settings whose environment variables begin with `prefix` and an underscore.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}_"),
            defaults: Vec::new(),
            subcommand: None,
            config_argument: None,
            sections: Vec::new(),
            tables: Vec::new(),
            reach: Reach::All,
        }
    }

    /// Settings of a TOML file alone.
    #[cfg(feature = "config")]
    pub(crate) fn of_file() -> Self {
        Self { reach: Reach::File, ..Self::new("") }
    }

    /// Sets the port to listen on where none is given; by default it is 9090.
    #[must_use]
    pub fn default_port(self, port: u16) -> Self {
        self.default_value("port", port.to_string())
    }

    /// Sets the value of an option where none is given; it is named by its TOML key.
    ///
    /// Reading the settings panics where the program has no such option.
    #[must_use]
    pub fn default_value(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.defaults.push((key.into(), value.into()));
        self
    }

    /// Lets the environment and files set the options of this subcommand, instead of those of the
    /// program itself.
    ///
    /// Where another subcommand is called, only the command line counts.
    #[must_use]
    pub fn subcommand(mut self, name: impl Into<String>) -> Self {
        self.subcommand = Some(name.into());
        self
    }

    /// Makes the positional argument with this id another way to name the TOML file, as in
    /// `narthex run CONFIG.toml`.
    #[must_use]
    pub fn config_argument(mut self, id: impl Into<String>) -> Self {
        self.config_argument = Some(id.into());
        self
    }

    /// Makes a top-level key of the TOML file known that is no option, and has `read` make a value
    /// of it; [`ConfigFile::section`] hands that value out.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use narthex_exporter::{Section, Settings};
    ///
    /// let settings = Settings::new("THERMO")
    ///     .section("labels", Section::parse::<BTreeMap<String, String>>);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn section<T: Send + Sync + 'static>(
        mut self,
        name: impl Into<String>,
        read: impl Fn(&Section) -> Result<T, SettingsError> + Send + Sync + 'static,
    ) -> Self {
        self.sections.push(Reader::new(name.into(), read));
        self
    }

    /// Makes a table of the TOML file known that is another way to write options whose keys begin
    /// with one of `prefixes`: with `collector_`, the key `cpu` there is the option
    /// `collector_cpu`. [`ConfigFile::has`] tells whether the file has the table.
    #[must_use]
    pub fn table<P: Into<String>>(
        mut self,
        name: impl Into<String>,
        prefixes: impl IntoIterator<Item = P>,
    ) -> Self {
        let prefixes = prefixes.into_iter().map(Into::into).collect();
        self.tables.push(OptionTable { name: name.into(), prefixes });
        self
    }

    /// Reads the settings of this process; exits with a line for each mistake where that fails,
    /// with an answer where `--help`, `--version` or `--config.print` is given, and with `settings are valid` where
    /// `--config.check` is.
    pub fn parse<C: clap::Parser>(&self) -> C {
        match self.load::<C>(&Input::of_process()) {
            Ok(loaded) if loaded.is_check => std::process::exit(loaded.web.tell_check().into()),
            Ok(loaded) => loaded.cli,
            Err(error) => {
                error.report();
                std::process::exit(error.exit_code().into())
            }
        }
    }

    /// Reads the settings of this process.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] that names the source of what cannot be used, or that is the
    /// answer to `--help` or `--version`.
    pub fn try_parse<C: clap::Parser>(&self) -> Result<C, SettingsError> {
        self.load(&Input::of_process()).map(|loaded| loaded.cli)
    }

    /// Reads the settings of a process that was started in `directory` with these arguments, the
    /// first of which is its name, and this environment.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] as [`try_parse`](Self::try_parse) does.
    pub fn try_parse_from<C: clap::Parser>(
        &self,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
        directory: &Path,
    ) -> Result<C, SettingsError> {
        self.load(&Input::new(arguments, environment, directory)).map(|loaded| loaded.cli)
    }

    pub(crate) fn load<C: clap::Parser>(&self, input: &Input) -> Result<Loaded<C>, SettingsError> {
        let command = self.prepare(C::command());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let version = command.get_version().unwrap_or_default().to_owned();
        let matches = self.matches(command, input)?;
        let own = match &self.subcommand {
            Some(name) => matches.subcommand_matches(name),
            None => Some(&matches),
        };
        let web = own
            .filter(|own| own.try_contains_id(CONFIG_CHECK).is_ok())
            .map(WebArgs::from_arg_matches)
            .transpose()
            .map_err(SettingsError::command_line)?;
        let is_check = web.as_ref().is_some_and(|web| web.config_check);
        let cli = C::from_arg_matches(&matches).map_err(SettingsError::command_line)?;
        Ok(Loaded { cli, web: web.unwrap_or_default(), is_check, version, about })
    }

    /// The command with what every exporter has.
    fn prepare(&self, mut command: Command) -> Command {
        if command.get_version().is_none() {
            command = command.version("unknown");
        }
        self.change(command, |command| {
            self.defaults.iter().fold(command, |command, (key, value)| {
                let setting = Setting::all(&command)
                    .into_iter()
                    .find(|setting| setting.keys().any(|other| other == *key))
                    .unwrap_or_else(|| panic!("the program has no option `{key}` to default"));
                let id = setting.id().clone();
                command.mut_arg(id, |arg| arg.default_value(value.clone()))
            })
        })
    }

    /// Changes the command whose options can be set from outside.
    fn change(&self, command: Command, change: impl FnOnce(Command) -> Command) -> Command {
        match &self.subcommand {
            Some(name) => command.mut_subcommand(name, change),
            None => change(command),
        }
    }

    fn target<'c>(&self, command: &'c Command) -> &'c Command {
        let Some(name) = &self.subcommand else { return command };
        command.find_subcommand(name).expect("the program has the subcommand it was told to have")
    }

    fn matches(&self, command: Command, input: &Input) -> Result<ArgMatches, SettingsError> {
        let target = self.target(&command);
        let Some(mut typed) = self.typed(&command, input)? else {
            return self.finish(command, &input.arguments);
        };
        let settings = Setting::all(target);
        let mut errors = Errors::default();
        let (prefix, variables) = (&*self.prefix, &input.environment);
        let (mut environment, mut dotenv) = (Vec::new(), Vec::new());
        if self.reach == Reach::All {
            environment = layers::environment(&settings, prefix, variables, &mut errors);
            let (path, entries) = errors.keep(self.dotenv(input)).unwrap_or_default();
            dotenv = layers::dotenv(&settings, prefix, &path, &entries, &mut errors);
        }

        let mut tokens = Vec::new();
        let mut document = None;
        let mut content = Content::default();
        let config = typed.config.clone().or_else(|| {
            let elsewhere = layers::text_of(&environment, CONFIG);
            elsewhere.or_else(|| layers::text_of(&dotenv, CONFIG)).map(PathBuf::from)
        });
        if let Some(path) = config.filter(|_| has_config(target)) {
            let file = Document::read(&input.directory, &path, &input.environment);
            let read = |file| Content::read(&settings, &self.sections, &self.tables, file);
            if let Some(file) = errors.keep(file) {
                content = errors.keep(read(&file)).unwrap_or_default();
                document = Some(file);
            }
            if typed.ids.insert(Id::from(CONFIG)) {
                let mut token = OsString::from("--config=");
                token.push(&path);
                tokens.push(token);
            }
        }
        errors.append(content.errors);
        let layers = [environment, dotenv, content.given];
        let choice = layers::choose(target, &typed.ids, layers, &mut errors);
        let choice = errors.or(choice)?;
        tokens.extend(choice.tokens);

        let mut arguments = input.arguments.clone();
        let at = typed.at.min(arguments.len());
        arguments.splice(at..at, tokens);
        let matches = match &document {
            None => self.finish(command.clone(), &arguments)?,
            Some(document) => {
                let file = ConfigFile::new(document.clone(), content.sections);
                let command = self.change(command.clone(), |command| {
                    command.mut_arg(CONFIG, |arg| {
                        arg.value_parser(PathBufValueParser::new().map(move |_| file.clone()))
                    })
                });
                self.finish(command, &arguments)?
            }
        };
        let own = match &self.subcommand {
            Some(name) => matches.subcommand_matches(name).unwrap_or(&matches),
            None => &matches,
        };
        if is_print(own) {
            let names: Vec<_> = self.sections.iter().map(|reader| &*reader.name).collect();
            let page = print::page(&settings, own, &choice.origins, document.as_ref(), &names)?;
            return Err(SettingsError::answer(page));
        }
        Ok(matches)
    }

    /// The entries of the dotenv file, if there is one.
    fn dotenv(&self, input: &Input) -> Result<(PathBuf, Vec<dotenv::Entry>), SettingsError> {
        let variable = format!("{}DOTENV", self.prefix);
        let named = input.environment.get(&variable).filter(|path| !path.is_empty());
        let path = named.map_or_else(|| PathBuf::from(".env"), PathBuf::from);
        let text = match std::fs::read_to_string(input.directory.join(&path)) {
            Ok(text) => text,
            Err(error) if named.is_none() && is_absent(&error) => return Ok((path, Vec::new())),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                return Err(match named {
                    Some(_) => {
                        SettingsError::variable(variable, format!("{}: {message}", path.display()))
                    }
                    None => SettingsError::file(path.display().to_string(), None, message),
                });
            }
        };
        let lookup = |name: &str| input.environment.get(name)?.to_str().map(str::to_owned);
        let entries = dotenv::parse(&text, &self.prefix, lookup).map_err(|fault| {
            SettingsError::file(path.display().to_string(), Some(fault.line), fault.message)
        })?;
        Ok((path, entries))
    }
}

/// Settings that were read.
pub(crate) struct Loaded<C> {
    pub(crate) cli: C,
    pub(crate) web: WebArgs,
    /// Whether `--config.check` wants nothing but this.
    pub(crate) is_check: bool,
    pub(crate) version: String,
    pub(crate) about: String,
}

fn is_print(matches: &ArgMatches) -> bool {
    matches.try_get_one(CONFIG_PRINT).is_ok_and(|print| print == Some(&true))
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

#[cfg(test)]
mod tests;

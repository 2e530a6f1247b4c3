//! An option of the program, as seen from outside the command line.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, Id};

use super::error::refusal;

/// An option that the environment and files can set.
pub(super) struct Setting<'c> {
    arg: &'c Arg,
    long: &'c str,
    pub(super) kind: Kind,
}

/// What kind of value an option takes, as far as a file with types can get it wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A flag without a value.
    Switch,
    /// A flag that is given several times.
    Count,
    Boolean,
    Integer,
    Number,
    Text,
    /// Of a type known only to the program: whatever has a text will do.
    Other,
}

impl<'c> Setting<'c> {
    /// All options of `command` that can be set from outside: those with a long name.
    pub(super) fn all(command: &'c Command) -> Vec<Self> {
        command.get_arguments().filter_map(Self::new).collect()
    }

    fn new(arg: &'c Arg) -> Option<Self> {
        let long = arg.get_long()?;
        let kind = match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
            ArgAction::Count => Kind::Count,
            ArgAction::Set | ArgAction::Append => Kind::of(arg.get_value_parser()),
            _ => return None,
        };
        Some(Self { arg, long, kind })
    }

    pub(super) fn id(&self) -> &'c Id {
        self.arg.get_id()
    }

    /// The option as it is typed.
    pub(super) fn flag(&self) -> String {
        format!("--{}", self.long)
    }

    /// The names of its TOML keys: the long name, then the aliases.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        let mut keys = vec![key(self.long)];
        for alias in self.arg.get_all_aliases().into_iter().flatten() {
            let alias = key(alias);
            if !keys.contains(&alias) {
                keys.push(alias);
            }
        }
        keys.into_iter()
    }

    /// Whether it takes a list.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::Append) || self.most_values() > 1
    }

    /// Whether its value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        self.arg.is_hide_env_values_set()
    }

    /// Whether help leaves it out.
    pub(super) fn is_hidden(&self) -> bool {
        self.arg.is_hide_set()
    }

    /// Whether its value is a text, or of a type known only to the program.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Other)
    }

    /// The values in the text of an environment variable: one, or those between blanks where the
    /// option is repeatable.
    pub(super) fn split(&self, text: &OsStr) -> Result<Vec<OsString>, String> {
        let not_utf8 = || "invalid value: it is not valid UTF-8".to_owned();
        match self.kind {
            Kind::Switch | Kind::Boolean => {
                let text = text.to_str().ok_or_else(not_utf8)?;
                let value = boolean(text).ok_or_else(|| match self.is_secret() {
                    true => "invalid value: expected a boolean".to_owned(),
                    false => format!(
                        "invalid value '{}': expected 1/0, true/false, t/f, yes/no, y/n or on/off",
                        text.escape_debug()
                    ),
                })?;
                Ok(vec![value.to_string().into()])
            }
            _ if self.is_repeatable() => {
                let text = text.to_str().ok_or_else(not_utf8)?;
                Ok(text.split_whitespace().map(OsString::from).collect())
            }
            _ => Ok(vec![text.to_owned()]),
        }
    }

    /// The values as they would be typed on the command line.
    pub(super) fn tokens(&self, values: &[OsString]) -> Vec<OsString> {
        match self.kind {
            Kind::Switch => {
                let set = values.iter().filter(|value| *value == "true");
                set.map(|_| self.flag().into()).collect()
            }
            Kind::Count => {
                let text = values.first().and_then(|value| value.to_str());
                // A count of more has no meaning that a program could tell apart.
                let count = text.and_then(|text| text.parse::<u8>().ok()).unwrap_or(u8::MAX);
                vec![self.flag().into(); usize::from(count)]
            }
            _ if self.arg.get_num_args().is_some_and(|range| range.min_values() > 1) => {
                std::iter::once(self.flag().into()).chain(values.iter().cloned()).collect()
            }
            _ => values.iter().map(|value| self.token(value)).collect(),
        }
    }

    fn token(&self, value: &OsStr) -> OsString {
        // The sign joins even a value that begins with a dash to its option.
        let mut token = OsString::from(format!("--{}=", self.long));
        token.push(value);
        token
    }

    /// Has clap look at the values alone, so that what it refuses can be blamed on their origin.
    pub(super) fn check(&self, values: &[OsString]) -> Result<(), String> {
        if self.kind == Kind::Count {
            let text = values.first().and_then(|value| value.to_str()).unwrap_or_default();
            return match text.parse::<u8>() {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("invalid value '{}': {error}", text.escape_debug())),
            };
        }
        Command::new("check")
            .no_binary_name(true)
            .disable_help_flag(true)
            .arg(self.without_relations())
            .try_get_matches_from(self.tokens(values))
            .map(drop)
            .map_err(|error| match self.is_secret() {
                true => "invalid value".to_owned(),
                false => refusal(&error),
            })
    }

    /// The option without what ties it to others.
    fn without_relations(&self) -> Arg {
        let mut arg = Arg::new(self.id())
            .long(self.long.to_owned())
            .action(self.arg.get_action().clone())
            .value_parser(self.arg.get_value_parser().clone())
            .ignore_case(self.arg.is_ignore_case_set());
        if let Some(range) = self.arg.get_num_args() {
            arg = arg.num_args(range);
        }
        if let Some(delimiter) = self.arg.get_value_delimiter() {
            arg = arg.value_delimiter(delimiter);
        }
        if let Some(names) = self.arg.get_value_names() {
            arg = arg.value_names(names.to_vec());
        }
        arg
    }

    fn most_values(&self) -> usize {
        self.arg.get_num_args().map_or(1, |range| range.max_values())
    }
}

impl Kind {
    fn of(parser: &ValueParser) -> Self {
        let is_one_of = |types: &[TypeId]| types.iter().any(|id| parser.type_id() == *id);
        if is_one_of(&[TypeId::of::<bool>()]) {
            Self::Boolean
        } else if is_one_of(&[
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i8>(),
            TypeId::of::<i16>(),
            TypeId::of::<i32>(),
            TypeId::of::<i64>(),
            TypeId::of::<isize>(),
        ]) {
            Self::Integer
        } else if is_one_of(&[TypeId::of::<f32>(), TypeId::of::<f64>()]) {
            Self::Number
        } else if is_one_of(&[
            TypeId::of::<String>(),
            TypeId::of::<OsString>(),
            TypeId::of::<std::path::PathBuf>(),
        ]) {
            Self::Text
        } else {
            Self::Other
        }
    }
}

/// The key of an option: its long name in letters that variables and bare TOML keys allow.
pub(super) fn key(long: &str) -> String {
    long.replace(['-', '.'], "_")
}

/// The words for yes and no that the environment may use, in any case.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

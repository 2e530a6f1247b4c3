//! The settings that count and where each comes from, without secrets.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{ArgMatches, Id};
use toml::de::{DeTable, DeValue};

use super::NOT_IN_FILES;
use super::error::SettingsError;
use super::expand::has_reference;
use super::file::Document;
use super::layers::Place;
use super::option::{Kind, Setting};

/// Stands for what is not shown.
const HIDDEN: &str = "<hidden>";

/// The page: TOML, with the source of each value as a comment.
pub(super) fn page(
    settings: &[Setting<'_>],
    matches: &ArgMatches,
    origins: &HashMap<Id, Place>,
    document: Option<&Arc<Document>>,
    sections: &[&str],
) -> Result<String, SettingsError> {
    let mut page = String::new();
    for setting in settings {
        let id = setting.id().as_str();
        let Ok(Some(values)) = matches.try_get_raw(id) else { continue };
        if NOT_IN_FILES.contains(&id) {
            continue;
        }
        let place = origins.get(setting.id());
        if place.is_none() && setting.is_hidden() {
            continue;
        }
        let origin = match (place, matches.value_source(id)) {
            (Some(place), _) => &*place.text,
            (None, Some(ValueSource::CommandLine)) => "command line",
            _ => "default",
        };
        let key = setting.keys().next().unwrap_or_default();
        let is_secret =
            setting.is_secret() || is_secret(&key) || place.is_some_and(|place| place.is_private);
        let value = match is_secret {
            true => quoted(HIDDEN),
            false => {
                let values: Vec<_> =
                    values.map(|value| literal(setting.kind, &value.to_string_lossy())).collect();
                match setting.is_repeatable() {
                    true => format!("[{}]", values.join(", ")),
                    false => values.into_iter().next().unwrap_or_default(),
                }
            }
        };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(page, "{key} = {value}  # {origin}");
    }
    if let Some(document) = document {
        let table = document.written()?;
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name: &str = key.get_ref();
            if sections.contains(&name) {
                section(&mut page, name, key.span().start, value.get_ref(), document);
            }
        }
    }
    Ok(page)
}

fn section(page: &mut String, name: &str, at: usize, value: &DeValue<'_>, document: &Document) {
    match value {
        DeValue::Table(entries) => table(page, &bare(name), at, entries, document, false),
        other => {
            let (value, origin) = (shown(other, is_secret(name)), origin(document, at));
            let _ = writeln!(page, "{} = {value}  # {origin}", bare(name));
        }
    }
}

/// A table with all below it, values first.
fn table(
    page: &mut String,
    path: &str,
    at: usize,
    entries: &DeTable<'_>,
    document: &Document,
    secret: bool,
) {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| key.span().start);
    let (tables, values): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(_, value)| value.get_ref().is_table());
    if tables.is_empty() || !values.is_empty() {
        let _ = writeln!(page, "\n[{path}]  # {}", origin(document, at));
    }
    for (key, value) in values {
        let secret = secret || is_secret(key.get_ref());
        let _ = writeln!(page, "{} = {}", bare(key.get_ref()), shown(value.get_ref(), secret));
    }
    for (key, value) in tables {
        let DeValue::Table(entries) = value.get_ref() else { continue };
        let secret = secret || is_private_table(key.get_ref());
        let path = format!("{path}.{}", bare(key.get_ref()));
        table(page, &path, value.span().start, entries, document, secret);
    }
}

fn origin(document: &Document, at: usize) -> String {
    format!("{}:{}", document.path().display(), document.line_of(at))
}

fn shown(value: &DeValue<'_>, secret: bool) -> String {
    match value {
        // What only names its source tells nothing.
        DeValue::String(text) if secret && !has_reference(text) => quoted(HIDDEN),
        DeValue::String(text) => quoted(&without_query(text)),
        _ if secret => quoted(HIDDEN),
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(item.get_ref(), false)).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(entries) => {
            let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &str = AsRef::<str>::as_ref(key.get_ref());
                format!("{} = {}", bare(key), shown(value.get_ref(), is_secret(key)))
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A URL without what may be a password in it.
fn without_query(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?<hidden>"));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}{query}")
}

/// Whether what has this name is likely not for everybody.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 7] =
        ["password", "passwd", "secret", "token", "auth", "credential", "api_key"];
    let name = name.to_ascii_lowercase();
    !name.ends_with("_file") && WORDS.iter().any(|word| name.contains(word))
}

/// Whether a table of this name holds what is sent to others, keys among it.
fn is_private_table(name: &str) -> bool {
    ["headers", "params", "post_data"].contains(&name)
}

fn literal(kind: Kind, value: &str) -> String {
    let is_bare = match kind {
        Kind::Switch | Kind::Boolean => true,
        Kind::Count | Kind::Integer | Kind::Number | Kind::Other => value.parse::<f64>().is_ok(),
        Kind::Text => false,
    };
    if is_bare { value.to_owned() } else { quoted(value) }
}

/// A key, in quotes where it needs them.
fn bare(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !key.is_empty() && key.chars().all(is_bare) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

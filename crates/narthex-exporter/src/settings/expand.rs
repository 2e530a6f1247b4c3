//! `${NAME}` in the values of a TOML file.

use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Replaces `${NAME}` and `${NAME:-default}` in all strings by what `environment` has; `$${` stands
/// for `${`. A string with one that cannot be replaced stays as it is, and `fault` is told.
pub(super) fn expand(
    table: &mut DeTable<'_>,
    environment: &HashMap<String, OsString>,
    fault: &mut dyn FnMut(&Range<usize>, &str),
) {
    for (_, value) in table.iter_mut() {
        let span = value.span();
        expand_value(value.get_mut(), &span, environment, fault);
    }
}

fn expand_value(
    value: &mut DeValue<'_>,
    span: &Range<usize>,
    environment: &HashMap<String, OsString>,
    fault: &mut dyn FnMut(&Range<usize>, &str),
) {
    match value {
        DeValue::String(text) if has_reference(text) => match expanded(text, environment) {
            Ok(expanded) => *text = expanded.into(),
            Err(message) => fault(span, &message),
        },
        DeValue::Array(items) => {
            for item in items.iter_mut() {
                let span = item.span();
                expand_value(item.get_mut(), &span, environment, fault);
            }
        }
        DeValue::Table(table) => expand(table, environment, fault),
        _ => {}
    }
}

/// Whether anything in the text is to be replaced.
pub(super) fn has_reference(text: &str) -> bool {
    text.contains("${")
}

fn expanded(text: &str, environment: &HashMap<String, OsString>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let (inside, after) = rest[at + 2..]
            .split_once('}')
            .ok_or("`${` has no end; write `$${` for the characters themselves")?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(format!(
                "`{}` is not the name of an environment variable; write `$${{` for the \
                 characters themselves",
                name.escape_debug()
            ));
        }
        match environment.get(name).map(|value| value.to_str()) {
            Some(Some(value)) if !value.is_empty() || default.is_none() => out.push_str(value),
            Some(None) => return Err(format!("environment variable {name} is not valid UTF-8")),
            _ => out.push_str(
                default.ok_or_else(|| format!("environment variable {name} is not set"))?,
            ),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::expanded;

    #[test]
    fn references_are_replaced_by_the_environment() {
        let environment = HashMap::from([
            ("A".to_owned(), "1".into()),
            ("EMPTY".to_owned(), "".into()),
            ("LOOP".to_owned(), "${A}".into()),
        ]);
        for (text, expected) in [
            ("${A}", Ok("1")),
            ("x${A}y${A}", Ok("x1y1")),
            ("${NONE:-d}", Ok("d")),
            ("${NONE:-}", Ok("")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-d}", Ok("d")),
            // What a variable holds is not looked at again.
            ("${LOOP}", Ok("${A}")),
            ("$${A}", Ok("${A}")),
            ("$.a[0] $A $", Ok("$.a[0] $A $")),
            ("${NONE}", Err("environment variable NONE is not set")),
            ("${A", Err("`${` has no end; write `$${` for the characters themselves")),
            (
                "${a b}",
                Err("`a b` is not the name of an environment variable; write `$${` for the \
                     characters themselves"),
            ),
        ] {
            let outcome = expanded(text, &environment);
            assert_eq!(outcome.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}

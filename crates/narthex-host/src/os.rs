//! `os`: `/etc/os-release`, as os-release(5) describes it.

use std::collections::HashMap;

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::{Paths, Text};

const INFO_LABELS: [&str; 12] = [
    "build_id",
    "id",
    "id_like",
    "image_id",
    "image_version",
    "name",
    "pretty_name",
    "variant",
    "variant_id",
    "version",
    "version_codename",
    "version_id",
];

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let text = match Text::read(paths.rootfs.join("etc/os-release")) {
        Err(error) if error.is_not_found() => Text::read(paths.rootfs.join("usr/lib/os-release")),
        result => result,
    }?;
    let fields: HashMap<String, String> = text.lines().filter_map(assignment).collect();
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();

    let help = "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, \
                image_version, name, pretty_name, variant, variant_id, version, version_codename, \
                version_id.";
    let info = MetricFamily::gauge("node_os_info", help).label_names(INFO_LABELS);
    page.push(info.sample(INFO_LABELS.map(field), 1_u64))?;

    let Some(version) = major_minor(field("version_id")) else {
        return Ok(());
    };
    let help = "Metric containing the major.minor part of the OS version.";
    let labels = ["id", "id_like", "name"];
    let family = MetricFamily::gauge("node_os_version", help).label_names(labels);
    page.push(family.sample(labels.map(field), version))
}

/// `NAME="value"` as a label name and the value that a shell would see.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim_ascii();
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    Some((name.to_ascii_lowercase(), unquoted(value)))
}

fn unquoted(value: &str) -> String {
    let mut chars = value.chars();
    let quote = chars.next().filter(|first| matches!(first, '"' | '\''));
    if quote.is_none() {
        chars = value.chars();
    }
    let mut plain = String::with_capacity(value.len());
    while let Some(c) = chars.next() {
        match c {
            _ if Some(c) == quote => break,
            '\\' if quote != Some('\'') => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    plain
}

/// The number that `version` starts with, such as 22.04 in `22.04.1`.
fn major_minor(version: &str) -> Option<f64> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(version);
    if version[end..].starts_with('.') {
        end += 1 + digits(&version[end + 1..]);
    }
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{collect, major_minor};
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;

    fn check(file: &str, text: &str) -> Vec<String> {
        let (_root, paths) = machine(&[(file, text)]);
        let mut page = Page::default();
        collect(&paths, &mut page).unwrap();
        page_lines(page)
    }

    #[test]
    fn values_are_unquoted() {
        let text =
            "# c=d\nNAME=\"A \\\"b\\\" \\\\ \\$\"\nID=arch\nPRETTY_NAME='it\\s'\nOTHER=1\nx\n";
        let expected =
            "node_os_info{id=\"arch\",name=\"A \\\"b\\\" \\\\ $\",pretty_name=\"it\\\\s\"} 1";
        assert_eq!(check("etc/os-release", text), [expected]);
        assert_eq!(check("usr/lib/os-release", text), [expected]);
    }

    #[test]
    fn the_version_is_its_first_two_numbers() {
        let cases = [
            ("12", Some(12.0)),
            ("22.04", Some(22.04)),
            ("3.19.1", Some(3.19)),
            ("15-sp1", Some(15.0)),
            ("7.", Some(7.0)),
            ("", None),
            (".5", Some(0.5)),
            ("é1", None),
            ("rolling", None),
        ];
        for (version, expected) in cases {
            assert_eq!(major_minor(version), expected, "{version}");
        }
        let lines = check("etc/os-release", "ID=x\nVERSION_ID=\"3.19.1\"\n");
        assert_eq!(lines[1], "node_os_version{id=\"x\"} 3.19");
    }

    #[test]
    fn a_machine_without_the_file_is_an_error() {
        let (_root, paths) = machine(&[]);
        assert!(collect(&paths, &mut Page::default()).unwrap_err().is_not_found());
    }
}

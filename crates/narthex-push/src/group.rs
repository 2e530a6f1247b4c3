//! The group that a push belongs to, as a path.
//!
//! A Pushgateway keeps metrics in groups. Each is named by the path
//! `/metrics/job/JOB/LABEL/VALUE...`; what the labels of a path say goes for every metric of the
//! group.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use narthex_model::{Escaping, LabelName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::SettingsFault;

/// Job and grouping labels, no two of one name.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    job: Box<str>,
    labels: Vec<(LabelName, Box<str>)>,
}

/// Whether label names are the classic ones, or any UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Names {
    #[default]
    Classic,
    Utf8,
}

impl Group {
    /// Checks the names and the job.
    pub(crate) fn new(
        job: &str,
        labels: &[(String, String)],
        names: Names,
    ) -> Result<Self, SettingsFault> {
        if job.is_empty() {
            return Err(SettingsFault::new("the job is empty, and a gateway refuses that"));
        }
        let mut group = Self { job: job.into(), labels: Vec::with_capacity(labels.len()) };
        for (name, value) in labels {
            let name = match names {
                Names::Classic => LabelName::new(name),
                Names::Utf8 => LabelName::new_utf8(name),
            };
            let name = name.map_err(|error| {
                SettingsFault::because("the grouping key cannot be used", error)
            })?;
            if name == JOB || group.labels.iter().any(|(other, _)| *other == name) {
                let message = format!("label `{name}` is given twice for the grouping key");
                return Err(SettingsFault::new(message));
            }
            group.labels.push((name, value.as_str().into()));
        }
        // One group has one path, in whatever order the labels were given.
        group.labels.sort();
        Ok(group)
    }

    /// The path, beginning with a slash.
    pub(crate) fn path(&self) -> String {
        let mut path = "/metrics".to_owned();
        push_label(&mut path, JOB, &self.job);
        for (name, value) in &self.labels {
            // A name that is no classic one is told as `U__...`, which is one.
            push_label(&mut path, &name.escaped(Escaping::Values), value);
        }
        path
    }

    /// All labels of the group, the job first.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.labels.iter().map(|(name, value)| (name.as_str(), &**value));
        [(JOB, &*self.job)].into_iter().chain(labels)
    }
}

const JOB: &str = "job";

fn push_label(path: &mut String, name: &str, value: &str) {
    path.push('/');
    path.push_str(name);
    match value {
        // Nothing at all between two slashes would be lost, so that padding stands for it.
        "" => path.push_str("@base64/="),
        // The server splits the path after it has decoded it, and resolves dots.
        _ if value.contains('/') || matches!(value, "." | "..") => {
            path.push_str("@base64/");
            BASE64_URL_SAFE_NO_PAD.encode_string(value, path);
        }
        _ => {
            path.push('/');
            path.extend(utf8_percent_encode(value, ENCODED));
        }
    }
}

/// Everything but the unreserved characters of RFC 3986, section 2.3. A blank is `%20`, for a `+`
/// is a plus in a path.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::{Group, Names};

    #[track_caller]
    fn check(job: &str, labels: &[(&str, &str)], expected: Result<&str, &str>) {
        check_names(Names::Classic, job, labels, expected);
    }

    #[track_caller]
    fn check_names(names: Names, job: &str, labels: &[(&str, &str)], expected: Result<&str, &str>) {
        let owned: Vec<_> =
            labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let path = Group::new(job, &owned, names).map(|group| group.path());
        let path = path.map_err(|fault| {
            let error = crate::PushError::new(crate::error::Fault::Settings(fault));
            crate::error::chain(&error)
        });
        assert_eq!(path.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn a41_the_path_names_the_job_and_then_the_labels_by_name() {
        check("j", &[], Ok("/metrics/job/j"));
        check("j", &[("b", "2"), ("a", "1")], Ok("/metrics/job/j/a/1/b/2"));
    }

    #[test]
    fn a42_values_are_escaped_as_the_server_decodes_them() {
        for (value, expected) in [
            ("", "@base64/="),
            ("a/b", "@base64/YS9i"),
            ("/", "@base64/Lw"),
            (".", "@base64/Lg"),
            ("..", "@base64/Li4"),
            ("a b", "/a%20b"),
            ("a+b", "/a%2Bb"),
            ("100%", "/100%25"),
            ("é", "/%C3%A9"),
            ("a?b#c", "/a%3Fb%23c"),
            ("a.b-c_d~e", "/a.b-c_d~e"),
        ] {
            check("j", &[("k", value)], Ok(&format!("/metrics/job/j/k{expected}")));
        }
        check("a/b", &[], Ok("/metrics/job@base64/YS9i"));
    }

    #[test]
    fn names_that_a_gateway_refuses_are_refused_first() {
        check("", &[], Err("the job is empty, and a gateway refuses that"));
        let cannot = "the grouping key cannot be used: ";
        for (name, why) in [
            ("", "`` is not a valid label name: it is empty"),
            (
                "__a",
                "`__a` is not a valid label name: the prefix `__` is reserved for the Prometheus \
                 server",
            ),
            ("1a", "`1a` is not a valid label name: it starts with a digit"),
            ("a-b", "`a-b` is not a valid label name: `-` at byte 1 is not a letter, digit or `_`"),
            ("a/b", "`a/b` is not a valid label name: `/` at byte 1 is not a letter, digit or `_`"),
        ] {
            check("j", &[(name, "v")], Err(&format!("{cannot}{why}")));
        }
        let twice = |name| format!("label `{name}` is given twice for the grouping key");
        check("j", &[("a", "1"), ("a", "1")], Err(&twice("a")));
        check("j", &[("job", "1")], Err(&twice("job")));
    }

    #[test]
    fn utf8_names_are_written_in_the_classic_set() {
        let labels = [("foo.bar", "baz")];
        check_names(Names::Utf8, "example", &labels, Ok("/metrics/job/example/U__foo_2e_bar/baz"));
    }
}

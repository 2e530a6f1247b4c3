//! From the facade's names, which are any text, to names that every scraper reads.

/// The name of a metric with `_` for whatever the classic set lacks.
pub(crate) fn metric(name: &str) -> String {
    classic(name, |c| c == ':')
}

/// The name of a label, likewise; the prefix `__`, which is the server's, becomes `_`.
pub(crate) fn label(name: &str) -> String {
    let name = classic(name, |_| false);
    match name.trim_start_matches('_') {
        rest if name.starts_with("__") => format!("_{rest}"),
        _ => name,
    }
}

fn classic(name: &str, is_allowed: impl Fn(char) -> bool) -> String {
    let replaced = name.chars().enumerate().map(|(at, c)| match c {
        c if c.is_ascii_alphabetic() || c == '_' || is_allowed(c) => c,
        c if c.is_ascii_digit() && at > 0 => c,
        _ => '_',
    });
    let name: String = replaced.collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::{label, metric};
    use narthex_model::{LabelName, MetricName};

    #[test]
    fn names_are_made_classic() {
        for (given, expected) in [
            ("http.requests", "http_requests"),
            ("a:b-c/d e", "a:b_c_d_e"),
            ("9lives", "_lives"),
            ("größe", "gr__e"),
            ("", "_"),
            ("a\nb\"", "a_b_"),
        ] {
            assert_eq!(metric(given), expected);
            assert!(MetricName::new(expected).is_ok());
        }
    }

    #[test]
    fn label_names_are_made_classic() {
        for (given, expected) in [
            ("http.method", "http_method"),
            ("a:b", "a_b"),
            ("__name__", "_name__"),
            ("..x", "_x"),
            ("___", "_"),
            ("_x", "_x"),
            ("", "_"),
        ] {
            assert_eq!(label(given), expected);
            assert!(LabelName::new(expected).is_ok());
        }
    }
}

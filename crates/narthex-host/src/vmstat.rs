//! `vmstat`: paging, swapping and the OOM killer, from `/proc/vmstat`.

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::Paths;

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let text = paths.proc("vmstat")?;
    for line in text.lines() {
        let (field, value) = line.split_once(' ').unwrap_or((line, ""));
        if !is_exported(field) {
            continue;
        }
        let value: u64 =
            value.trim_ascii().parse().map_err(|_| text.error(line, "a name and a number"))?;
        let help = format!("/proc/vmstat information field {field}.");
        page.single(MetricFamily::unknown(format!("node_vmstat_{field}"), help), value)?;
    }
    Ok(())
}

/// The fields that `node_exporter`'s default pattern, `^(oom_kill|pgpg|pswp|pg.*fault).*`, matches.
fn is_exported(field: &str) -> bool {
    ["oom_kill", "pgpg", "pswp"].iter().any(|prefix| field.starts_with(prefix))
        || field.strip_prefix("pg").is_some_and(|rest| rest.contains("fault"))
}

#[cfg(test)]
mod tests {
    use super::{collect, is_exported};
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;

    #[test]
    fn fields_are_those_of_node_exporter() {
        for field in ["oom_kill", "pgpgin", "pswpout", "pgfault", "pgmajfault"] {
            assert!(is_exported(field), "{field}");
        }
        for field in ["nr_free_pages", "pgfree", "xoom_kill", "swap_ra", "fault", "pg"] {
            assert!(!is_exported(field), "{field}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (text, expected) in [("pgfree\npgfault 3\n", Some(1)), ("pgfault\n", None)] {
            let (_root, paths) = machine(&[("proc/vmstat", text)]);
            let mut page = Page::default();
            let got = collect(&paths, &mut page).ok().map(|()| page_lines(page).len());
            assert_eq!(got, expected, "{text}");
        }
    }
}

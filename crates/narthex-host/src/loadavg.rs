//! `loadavg`: `/proc/loadavg`.

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::Paths;

const AVERAGES: [(&str, &str); 3] = [
    ("node_load1", "1m load average."),
    ("node_load5", "5m load average."),
    ("node_load15", "15m load average."),
];

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let text = paths.proc("loadavg")?;
    let mut words = text.as_str().split_ascii_whitespace();
    for (name, help) in AVERAGES {
        let load =
            words.next().and_then(|word| word.parse().ok()).filter(|load: &f64| load.is_finite());
        let load = load.ok_or_else(|| text.error(text.as_str(), "three load averages"))?;
        page.single(MetricFamily::gauge(name, help), load)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::paths::tests::machine;

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["", "0.1 0.2", "0.1 NaN 0.3", "0.1 inf 0.3 1/2 3", "a b c"] {
            let (_root, paths) = machine(&[("proc/loadavg", text)]);
            assert!(collect(&paths, &mut Page::default()).is_err(), "{text}");
        }
    }
}

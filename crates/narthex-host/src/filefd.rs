//! `filefd`: `/proc/sys/fs/file-nr`.

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::Paths;

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let text = paths.proc("sys/fs/file-nr")?;
    let numbers: Vec<u64> =
        text.as_str().split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    // The second number has been 0 since Linux 2.6.
    let [allocated, _, maximum] = numbers[..] else {
        return Err(text.error(text.as_str(), "three numbers"));
    };
    let help = "File descriptor statistics: allocated.";
    page.single(MetricFamily::gauge("node_filefd_allocated", help), allocated)?;
    let help = "File descriptor statistics: maximum.";
    page.single(MetricFamily::gauge("node_filefd_maximum", help), maximum)
}

#[cfg(test)]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::paths::tests::machine;

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["", "1 0", "1 0 x", "1 0 -1"] {
            let (_root, paths) = machine(&[("proc/sys/fs/file-nr", text)]);
            assert!(collect(&paths, &mut Page::default()).is_err(), "{text}");
        }
    }
}

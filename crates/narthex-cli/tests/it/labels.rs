//! The table `[labels]`.

use crate::support::Directory;

#[test]
fn labels_are_on_every_metric_but_those_about_scrapes() {
    let toml = "[labels]\nzone = 'a'\nrack = \"1\\\"2\"\n";
    let page = Directory::new().write("narthex.toml", toml).run(&["narthex.toml"]).page();
    assert!(page.families.len() >= 40, "{}", page.text);
    for (name, labels) in page.samples.keys() {
        let found = (labels.get("zone"), labels.get("rack"));
        let about_scrapes = name.starts_with("narthex_") && name != "narthex_build_info";
        let expected = match about_scrapes {
            true => (None, None),
            false => (Some("a".to_owned()), Some("1\"2".to_owned())),
        };
        assert_eq!((found.0.cloned(), found.1.cloned()), expected, "{name}{labels:?}");
    }
    let has = |prefix: &str| page.samples.keys().any(|(name, _)| name.starts_with(prefix));
    assert!(has("node_cpu_seconds") && has("process_cpu_seconds") && has("narthex_scrapes"));
}

#[test]
fn c07_labels_that_cannot_be_are_refused_at_their_line() {
    for (toml, expected) in [
        (
            "[labels]\na = 'b'\nzo-ne = 'a'",
            "3: labels.zo-ne: `zo-ne` is not a valid label name: `-` at byte 2 is not a letter, \
             digit or `_`",
        ),
        (
            "[labels]\n__name__ = 'a'",
            "2: labels.__name__: `__name__` is not a valid label name: the prefix `__` is reserved \
             for the Prometheus server",
        ),
        (
            "\nlabels.cpu = 'a'",
            "2: labels.cpu: `node_cpu_seconds_total` has a label of this name already",
        ),
        (
            "[labels]\nrustversion = 'a'",
            "2: labels.rustversion: `narthex_build_info` has a label of this name already",
        ),
        ("[labels]\nzone = 1", "2: labels.zone: invalid type: integer `1`, expected a string"),
        ("labels = 'a'", "1: labels: wrong type: expected a table, found a string"),
        ("[labels]\nzone = 'a'\nzone = 'b'", "3: duplicate key"),
    ] {
        let directory = Directory::new().write("narthex.toml", toml);
        let expected = format!("error: narthex.toml:{expected}\n");
        for arguments in
            [&["run", "--port=0", "narthex.toml"][..], &["run", "narthex.toml", "--config.check"]]
        {
            let (code, stdout, stderr) = directory.end_of(arguments, &[]);
            assert_eq!((code, &*stdout, &*stderr), (2, "", &*expected));
        }
    }
}

#[test]
fn a_label_is_free_where_nothing_that_is_exported_has_it() {
    let toml = "collector_cpu = false\n[labels]\ncpu = 'Z80'";
    let page = Directory::new().write("narthex.toml", toml).run(&["narthex.toml"]).page();
    assert!(page.value("node_load1", &[("cpu", "Z80")]).is_some(), "{}", page.text);
}

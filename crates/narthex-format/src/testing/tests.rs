use std::panic::catch_unwind;

use narthex_model::{Exemplar, MetricFamily, Scrape};

use super::{assert_clean, assert_clean_but_for, assert_families, assert_value, snapshot, value};
use crate::lint::Rule;

fn scrape() -> Scrape {
    let mut latency = MetricFamily::histogram("latency_seconds", "Latency.", &[0.5, 1.0])
        .unit("seconds")
        .const_label("zone", "z")
        .label_names(["path"]);
    latency.push_histogram(["/a"], [2, 1, 1], 4.5);
    latency.push_timestamp(1_520_879_607_789);
    latency.push_exemplar(Exemplar::new([("id", "x # y")], 0.25).unwrap().at(1_520_879_607_000));
    latency.push_exemplar(Exemplar::new([("id", "z")], 0.75).unwrap());
    let mut summary = MetricFamily::summary("size_bytes", "Size.", &[0.5]);
    summary.push_summary([""; 0], [7.0], 2, 15.0);
    let gauge = MetricFamily::gauge("start_time_seconds", "Start.").sample([""; 0], 1.5e9);
    let families = [latency, summary, gauge];
    Scrape::new(families.map(|family| family.build().unwrap()).to_vec())
}

/// What the closure panics with.
fn message(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(test).expect_err("the assertion fails");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn samples_are_found_by_all_of_their_labels() {
    let scrape = scrape();
    let of = |sample: &str, labels: &[(&str, &str)]| value(&scrape, sample, labels);
    let series = [("path", "/a"), ("zone", "z")];
    assert_eq!(of("latency_seconds_count", &series), Some(4.0));
    assert_eq!(of("latency_seconds_sum", &series), Some(4.5));
    for (le, count) in [("0.5", 2.0), ("1", 3.0), ("1.0", 3.0), ("+Inf", 4.0)] {
        let labels = [("le", le), series[0], series[1]];
        assert_eq!(of("latency_seconds_bucket", &labels), Some(count), "{le}");
    }
    assert_eq!(of("latency_seconds_bucket", &[("le", "2"), series[0], series[1]]), None);
    assert_eq!(of("latency_seconds_count", &series[..1]), None);
    assert_eq!(of("latency_seconds", &series), None);
    assert_eq!(of("size_bytes", &[("quantile", "0.50")]), Some(7.0));
    assert_eq!(of("size_bytes_count", &[]), Some(2.0));
    assert_eq!(of("size_bytes_bucket", &[("le", "1")]), None);
    assert_eq!(of("start_time_seconds", &[]), Some(1.5e9));
    assert_eq!(of("start_time_seconds", &[("a", "")]), None);
}

#[test]
fn a_value_that_is_wrong_or_missing_shows_what_there_is() {
    let scrape = scrape();
    assert_value(&scrape, "size_bytes_sum", &[], 15.0);
    assert_eq!(
        message(|| assert_value(&scrape, "size_bytes_sum", &[], 16.0)),
        "`size_bytes_sum{}` is 15, expected 16\nits family:\n# HELP size_bytes Size.\n\
         # TYPE size_bytes summary\nsize_bytes{quantile=\"0.5\"} 7\nsize_bytes_sum 15\n\
         size_bytes_count 2\n"
    );
    assert_eq!(
        message(|| assert_value(&scrape, "sizes", &[("a", "b")], 1.0)),
        "there is no `sizes{a=\"b\"}`, expected 1\n\
         the families are: latency_seconds, size_bytes, start_time_seconds"
    );
}

#[test]
fn snapshots_show_everything_but_times() {
    assert_eq!(
        snapshot(&scrape()),
        "# HELP latency_seconds Latency.\n# TYPE latency_seconds histogram\n\
         # UNIT latency_seconds seconds\n\
         latency_seconds_bucket{path=\"/a\",zone=\"z\",le=\"0.5\"} 2 <time> # {id=\"x # y\"} 0.25 <time>\n\
         latency_seconds_bucket{path=\"/a\",zone=\"z\",le=\"1.0\"} 3 <time> # {id=\"z\"} 0.75\n\
         latency_seconds_bucket{path=\"/a\",zone=\"z\",le=\"+Inf\"} 4 <time>\n\
         latency_seconds_sum{path=\"/a\",zone=\"z\"} 4.5 <time>\n\
         latency_seconds_count{path=\"/a\",zone=\"z\"} 4 <time>\n\
         # HELP size_bytes Size.\n# TYPE size_bytes summary\n\
         size_bytes{quantile=\"0.5\"} 7\nsize_bytes_sum 15\nsize_bytes_count 2\n\
         # HELP start_time_seconds Start.\n# TYPE start_time_seconds gauge\n\
         start_time_seconds <time>\n"
    );
}

#[test]
fn families_are_compared_in_the_format_of_the_page() {
    let scrape = scrape();
    let latency = "# HELP latency_seconds Latency.\n# TYPE latency_seconds histogram\n\
        latency_seconds_bucket{path=\"/a\",zone=\"z\",le=\"0.5\"} 2 1520879607789\n\
        latency_seconds_bucket{zone=\"z\",path=\"/a\",le=\"1\"} 3 1520879607789\n\
        latency_seconds_bucket{path=\"/a\",zone=\"z\",le=\"+Inf\"} 4 1520879607789\n\
        latency_seconds_sum{path=\"/a\",zone=\"z\"} 4.50 1520879607789\n\
        latency_seconds_count{path=\"/a\",zone=\"z\"} 4 1520879607789\n";
    assert_families(&scrape, latency);
    // OpenMetrics shows the unit too.
    let size = "# HELP size_bytes Size.\n# TYPE size_bytes summary\n# UNIT size_bytes bytes\n\
        size_bytes{quantile=\"0.5\"} 7\nsize_bytes_sum 15.0\nsize_bytes_count 2\n# EOF\n";
    assert_families(&scrape, &size.replace("# UNIT size_bytes bytes\n", ""));
    assert_eq!(
        message(|| assert_families(&scrape, size)),
        "family `size_bytes` differs (- expected, + there is):\n- # UNIT size_bytes bytes\n"
    );
}

#[test]
fn a_difference_names_the_lines() {
    let up = MetricFamily::gauge("up", "Up.").label_names(["job"]);
    let scrape = Scrape::new(vec![
        up.sample(["a"], 1.0).sample(["b"], 0.0).sample(["d"], 1.0).build().unwrap(),
    ]);
    let page = "# HELP up Up.\n# TYPE up gauge\nup{job=\"c\"} 1\nup{job=\"b\"} 1\nup{job=\"a\"} 1\n\
                # TYPE gone gauge\ngone 1\n";
    assert_eq!(
        message(|| assert_families(&scrape, page)),
        "family `gone` is missing\nfamily `up` differs (- expected, + there is):\n\
         - up{job=\"c\"} 1\n- up{job=\"b\"} 1\n+ up{job=\"b\"} 0\n+ up{job=\"d\"} 1\n"
    );
    let faulty = message(|| assert_families(&scrape, "up{ 1\n"));
    let place = "the page that is expected cannot be read: line 1, column 5: ";
    assert!(faulty.starts_with(place), "{faulty}");
}

#[test]
fn a_page_that_is_not_clean_says_where_why_and_how_to_mend_it() {
    assert_clean("# HELP up Up.\n# TYPE up gauge\nup 1\n");
    assert_clean("# HELP up Up.\n# TYPE up gauge\nup 1\n# EOF\n");
    let faulty = message(|| assert_clean("up{job=a} 1\nup 1 now\n"));
    assert!(faulty.starts_with("the page is not clean\n\nline 1, column 8: "), "{faulty}");
    assert!(faulty.contains("    up{job=a} 1\n           ^\n"), "{faulty}");
    assert!(faulty.contains("\nline 2, column 6: "), "{faulty}");
    let ugly = "# HELP a A.\n# TYPE a gauge\na{user_id=\"7\"} 1\n";
    assert_eq!(
        message(|| assert_clean(ugly)),
        "the page is not clean\n\n\
         a: label \"user_id\" looks like an id, which has endlessly many values (id-label)\n    \
         why: each new id is a new series that is kept for as long as the data is: that is the usual \
         way to overload a server\n    \
         mend: put the id into logs, traces or an exemplar, and drop the label\n"
    );
    assert_clean_but_for(ugly, &[Rule::IdLabel]);
}

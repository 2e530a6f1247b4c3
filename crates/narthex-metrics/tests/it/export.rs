//! What is exported, and how.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use narthex_core::{Buckets, Registry};
use narthex_metrics::{CounterNames, MetricsRecorder};

use crate::{check, page, record};

#[test]
fn every_kind_is_exported_with_its_help() {
    check(
        || {
            describe_counter!("http.requests", "Requests served.");
            describe_gauge!("queue.length", "Jobs that wait.");
            describe_histogram!("wait", Unit::Seconds, "Time in the queue.");
            counter!("http.requests", "method" => "get", "code" => "200").increment(3);
            gauge!("queue.length").set(7);
            gauge!("queue.length").increment(0.5);
            gauge!("queue.length").decrement(2.0);
            histogram!("wait").record(0.3);
            histogram!("wait").record(40);
        },
        &[
            "# HELP http_requests_total Requests served.",
            "# TYPE http_requests_total counter",
            "http_requests_total{code=\"200\",method=\"get\"} 3",
            "# HELP queue_length Jobs that wait.",
            "# TYPE queue_length gauge",
            "queue_length 5.5",
            "# HELP wait Time in the queue.",
            "# TYPE wait histogram",
            "wait_bucket{le=\"0.005\"} 0",
            "wait_bucket{le=\"0.01\"} 0",
            "wait_bucket{le=\"0.025\"} 0",
            "wait_bucket{le=\"0.05\"} 0",
            "wait_bucket{le=\"0.1\"} 0",
            "wait_bucket{le=\"0.25\"} 0",
            "wait_bucket{le=\"0.5\"} 1",
            "wait_bucket{le=\"1\"} 1",
            "wait_bucket{le=\"2.5\"} 1",
            "wait_bucket{le=\"5\"} 1",
            "wait_bucket{le=\"10\"} 1",
            "wait_bucket{le=\"+Inf\"} 2",
            "wait_sum 40.3",
            "wait_count 2",
        ],
    );
}

#[test]
fn what_is_registered_is_exported_before_its_first_update() {
    let scrape = record(|| {
        let _ = (counter!("c"), gauge!("g"), histogram!("h"));
    });
    assert_eq!(scrape.value("c_total", &[]), Some(0.0));
    assert_eq!(scrape.value("g", &[]), Some(0.0));
    assert!(page(&scrape).contains("\nh_count 0\n"));
}

#[test]
fn an_absolute_count_never_falls() {
    let scrape = record(|| {
        let total = counter!("c");
        total.absolute(10);
        total.absolute(4);
        total.increment(1);
        total.absolute(u64::MAX - 1);
        total.increment(1);
        total.increment(1);
    });
    assert!(page(&scrape).ends_with("c_total 18446744073709551615\n"));
}

#[test]
fn help_and_unit_may_come_after_the_first_use() {
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    let family = |name: &str| registry.gather().family(name).unwrap().metadata().clone();
    with_local_recorder(&recorder, || {
        counter!("jobs.done").increment(1);
        let undescribed = family("jobs_done_total");
        let default = "Recorded as `jobs.done`, and not described by the program.";
        assert_eq!((undescribed.help(), undescribed.unit()), (default, ""));

        describe_counter!("jobs.done", Unit::Bytes, "Jobs done.");
        assert_eq!(
            (family("jobs_done_total").help(), family("jobs_done_total").unit()),
            ("Jobs done.", "bytes")
        );
        // Another kind of that name is another metric.
        describe_gauge!("jobs.done", "Not it.");
        assert_eq!(family("jobs_done_total").help(), "Jobs done.");
        // A count of things has no unit to write down.
        describe_counter!("jobs.done", Unit::Count, "");
        let emptied = family("jobs_done_total");
        assert_eq!((emptied.help(), emptied.unit()), (default, ""));
    });
}

#[test]
fn b28_counters_get_total_once_and_only_where_it_is_missing() {
    let scrape = record(|| {
        counter!("a").increment(1);
        counter!("b_total").increment(2);
        counter!("c.total").increment(3);
    });
    assert_eq!(scrape.value("a_total", &[]), Some(1.0));
    assert_eq!(scrape.value("b_total", &[]), Some(2.0));
    assert_eq!(scrape.value("c_total", &[]), Some(3.0));
}

#[test]
fn counters_keep_their_names_on_request() {
    let registry = Registry::new();
    let recorder = MetricsRecorder::builder(&registry)
        .counter_names(CounterNames::AsRecorded)
        .build()
        .unwrap();
    with_local_recorder(&recorder, || counter!("http.requests").increment(1));
    assert_eq!(registry.gather().value("http_requests", &[]), Some(1.0));
}

#[test]
fn label_sets_of_one_name_may_differ() {
    check(
        || {
            describe_counter!("hits", "Hits.");
            counter!("hits", "zone" => "a").increment(1);
            counter!("hits").increment(2);
            counter!("hits", "code.class" => "2xx", "zone" => "b").increment(3);
            // An empty value is an absent label, so this is the first series.
            counter!("hits", "zone" => "a", "code.class" => "").increment(10);
            // The order of labels does not matter.
            counter!("hits", "zone" => "b", "code.class" => "2xx").increment(30);
        },
        &[
            "# HELP hits_total Hits.",
            "# TYPE hits_total counter",
            "hits_total{zone=\"a\"} 11",
            "hits_total 2",
            "hits_total{code_class=\"2xx\",zone=\"b\"} 33",
        ],
    );
}

#[test]
fn hostile_text_is_only_text() {
    check(
        || {
            describe_gauge!("g\n# TYPE x gauge\nx", "Help\nwith \\ lines.");
            gauge!("g\n# TYPE x gauge\nx", "k\"=" => "v\"} 1\nx{y=\"").set(1.0);
        },
        &[
            "# HELP g___TYPE_x_gauge_x Help\\nwith \\\\ lines.",
            "# TYPE g___TYPE_x_gauge_x gauge",
            "g___TYPE_x_gauge_x{k__=\"v\\\"} 1\\nx{y=\\\"\"} 1",
        ],
    );
}

#[test]
fn buckets_are_those_of_the_name_then_of_a_prefix_then_of_a_suffix() {
    let registry = Registry::new();
    let recorder = MetricsRecorder::builder(&registry)
        .buckets([1.0])
        .buckets_for_suffix("_bytes", [2.0])
        .buckets_for_prefix("http.", [3.0])
        .buckets_for_prefix("http.client", Buckets::linear(4.0, 1.0, 2))
        .buckets_for("http.client.wait", [5.0])
        .build()
        .unwrap();
    with_local_recorder(&recorder, || {
        for name in ["other", "disk.bytes", "http.bytes", "http.client.a", "http.client.wait"] {
            histogram!(name).record(0.0);
        }
    });
    let page = page(&registry.gather());
    let bounds = |name: &str| {
        let lines = page.lines().filter(|line| line.starts_with(&format!("{name}_bucket")));
        lines.map(|line| line.split('"').nth(1).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(bounds("other"), ["1", "+Inf"]);
    assert_eq!(bounds("disk_bytes"), ["2", "+Inf"]);
    assert_eq!(bounds("http_bytes"), ["3", "+Inf"]);
    assert_eq!(bounds("http_client_a"), ["4", "5", "+Inf"]);
    assert_eq!(bounds("http_client_wait"), ["5", "+Inf"]);
}

#[test]
fn bad_buckets_are_an_error_that_names_them() {
    let registry = Registry::new();
    let error =
        |builder: narthex_metrics::RecorderBuilder| builder.build().unwrap_err().to_string();
    let builder = || MetricsRecorder::builder(&registry);
    assert_eq!(
        error(builder().buckets([2.0, 1.0])),
        "cannot register `default_buckets`: bucket 2 is 1, which is not above 2: bounds must ascend"
    );
    assert_eq!(
        error(builder().buckets_for_prefix("http.", Vec::new())),
        "cannot register `http_`: a histogram needs a bucket beside +Inf"
    );
    // Nothing was registered meanwhile.
    assert!(MetricsRecorder::new(&registry).is_ok());
}

#[test]
fn the_registry_s_prefix_and_labels_hold_here_too() {
    let registry = Registry::builder().prefix("app").const_label("zone", "a").build().unwrap();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    with_local_recorder(&recorder, || counter!("hits", "path" => "/").increment(1));
    let labels = [("zone", "a"), ("path", "/")];
    assert_eq!(registry.gather().value("app_hits_total", &labels), Some(1.0));
}

#[test]
fn what_was_recorded_outlives_its_recorder() {
    let registry = Registry::new();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    let hits = with_local_recorder(&recorder, || counter!("hits"));
    drop(recorder);
    hits.increment(1);
    assert_eq!(registry.gather().value("hits_total", &[]), Some(1.0));
}

#[test]
fn a_process_has_one_recorder() {
    let first = MetricsRecorder::new(&Registry::new()).unwrap();
    let second = MetricsRecorder::new(&Registry::new()).unwrap();
    assert_eq!(first.install(), Ok(()));
    assert_eq!(
        second.install().unwrap_err().to_string(),
        "the process has a recorder of the metrics facade already"
    );
}

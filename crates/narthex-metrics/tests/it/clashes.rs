//! What cannot stand beside something else: refused, counted and told of; the page stays whole.

use metrics::{counter, gauge, histogram, with_local_recorder};
use narthex_core::{Counter, Histogram, Registry};
use narthex_metrics::MetricsRecorder;

use crate::{page, record, refusal};

#[test]
fn a_name_is_of_one_kind() {
    let scrape = record(|| {
        for _ in 0..3 {
            counter!("a").increment(2);
            gauge!("a").set(5.0);
            histogram!("a").record(1.0);
        }
        histogram!("a").record_many(1.0, 4);
    });
    assert_eq!(scrape.value("a_total", &[]), Some(6.0));
    assert!(scrape.family("a").is_none());
    let expected = "family `a` is left out: the gauge `a`: cannot register `a`: \
                    both it and `a_total` would export `a`";
    assert_eq!(refusal(&scrape, "a"), (expected.to_owned(), Some(10.0)));
    // Each is told of once, however often it happens.
    assert_eq!(scrape.problems().len(), 2);
    assert_eq!(page(&scrape).matches("# TYPE a").count(), 1);
}

#[test]
fn two_names_that_look_alike_on_the_page_are_not_mixed() {
    let scrape = record(|| {
        gauge!("a.b").set(1.0);
        gauge!("a_b").set(5.0);
        gauge!("a.b").increment(1.0);
    });
    assert_eq!(scrape.value("a_b", &[]), Some(2.0));
    let expected = "family `a_b` is left out: the gauge `a_b`: cannot register `a_b`: \
                    the name is taken by a gauge";
    assert_eq!(refusal(&scrape, "a_b"), (expected.to_owned(), Some(1.0)));
}

#[test]
fn instruments_of_the_registry_keep_their_names() {
    let registry = Registry::new();
    Counter::builder("jobs_total", "Jobs.").register(&registry).unwrap().inc();
    Histogram::builder("wait", "Wait.").register(&registry).unwrap();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    with_local_recorder(&recorder, || {
        counter!("jobs").increment(7);
        gauge!("wait.count").set(7.0);
        gauge!("depth").set(3.0);
    });
    let scrape = registry.gather();
    assert_eq!(scrape.value("jobs_total", &[]), Some(1.0));
    assert_eq!(scrape.value("depth", &[]), Some(3.0));
    let problems: Vec<_> = scrape.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "family `jobs_total` is left out: the counter `jobs`: cannot register `jobs_total`: \
             the name is taken by a counter",
            "family `wait_count` is left out: the gauge `wait.count`: cannot register \
             `wait_count`: both it and `wait` would export `wait_count`",
        ]
    );
    // And the other way round.
    let error = Counter::builder("depth", "Depth.").register(&registry).unwrap_err();
    assert!(error.is_clash());
}

#[test]
fn labels_that_cannot_be_told_apart_are_refused() {
    let refused = |program: fn()| {
        let scrape = record(program);
        let (problem, refused) = refusal(&scrape, "a_total");
        assert_eq!(refused, Some(1.0), "{problem}");
        problem.split(": ").skip(2).collect::<Vec<_>>().join(": ")
    };
    assert_eq!(
        refused(|| counter!("a", "x" => "1", "x" => "2").increment(1)),
        "the label `x` is given twice"
    );
    assert_eq!(
        refused(|| counter!("a", "x.y" => "1", "x_y" => "2").increment(1)),
        "`x_y` and `x.y` are one label, `x_y`"
    );
    assert_eq!(
        refused(|| {
            counter!("a", "x.y" => "1").increment(1);
            counter!("a", "x_y" => "1").increment(1);
        }),
        "`x_y` and `x.y` are one label, `x_y`"
    );
}

#[test]
fn reserved_and_constant_labels_are_refused() {
    let registry = Registry::builder().const_label("zone", "a").build().unwrap();
    let recorder = MetricsRecorder::new(&registry).unwrap();
    with_local_recorder(&recorder, || {
        histogram!("h", "le" => "1").record(1.0);
        histogram!("h", "zone" => "b").record(1.0);
        histogram!("h", "path" => "/").record(1.0);
    });
    let scrape = registry.gather();
    let problems: Vec<_> = scrape.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("`le`") && problems[1].contains("`zone`"), "{problems:?}");
    let labels = [("family", "h"), ("zone", "a")];
    assert_eq!(scrape.value("narthex_metrics_refused_total", &labels), Some(2.0));
    assert!(page(&scrape).contains("h_count{path=\"/\",zone=\"a\"} 1\n"), "{}", page(&scrape));
}

#[test]
fn nan_is_refused_where_it_would_stick() {
    let scrape = record(|| {
        let h = histogram!("h");
        h.record(f64::NAN);
        h.record_many(f64::NAN, 2);
        h.record(f64::INFINITY);
        h.record(f64::NEG_INFINITY);
        h.record_many(1.0, 0);
        gauge!("g").set(f64::NAN);
    });
    let page = page(&scrape);
    assert!(page.contains("h_bucket{le=\"+Inf\"} 2\n") && page.contains("h_count 2\n"), "{page}");
    assert!(page.contains("\ng NaN\n"), "{page}");
    assert!(page.contains("narthex_metrics_refused_total{family=\"h\"} 3\n"), "{page}");
    assert_eq!(scrape.problems(), []);
}

#[test]
fn a_registry_has_one_recorder() {
    let registry = Registry::new();
    let first = MetricsRecorder::new(&registry).unwrap();
    assert!(MetricsRecorder::new(&registry).unwrap_err().is_clash());
    with_local_recorder(&first.clone(), || counter!("a").increment(1));
    with_local_recorder(&first, || counter!("a").increment(1));
    assert_eq!(registry.gather().value("a_total", &[]), Some(2.0));
}

#[test]
fn pages_are_the_same_in_every_run() {
    let program = || {
        for name in ["d", "b", "a", "c"] {
            for queue in ["2", "1"] {
                counter!(name, "queue" => queue).increment(1);
            }
        }
    };
    let first = page(&record(program));
    for _ in 0..20 {
        assert_eq!(page(&record(program)), first);
    }
}

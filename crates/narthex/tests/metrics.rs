//! What `derive(Metrics)` makes of a struct, and how a registry takes many metrics or none.

// The user's lints hold for the code that the derive emits: none of it may trip them.
#![deny(
    deprecated,
    missing_docs,
    unused,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#![allow(unused_crate_dependencies, reason = "a test uses what it needs")]
#![allow(clippy::float_cmp, clippy::redundant_pub_crate, reason = "the values are exact")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use narthex::model::{MetricType, Scrape};
use narthex::{
    Buckets, Builder, Counter, DynamicFamily, Family, Gauge, Histogram, Instrument, Labels,
    Metrics, RegisterError, Registry,
};

#[derive(Debug, Labels)]
struct Request<'a> {
    path: &'a str,
    status: u16,
}

#[derive(Debug, Metrics)]
#[metrics(namespace = "http")]
struct HttpMetrics {
    /// HTTP requests served.
    requests_total: Family<Counter, Request<'static>>,
    /// Requests being served
    /// now.
    ///
    /// They are counted by a guard, which is nothing to be told on a page.
    requests_in_progress: Gauge,
    /// Time to serve a request.
    #[metric(buckets = Buckets::exponential(0.001, 2.0, 12), unit = "seconds")]
    request_duration_seconds: Histogram,
    #[metric(name = "replies_total", help = format!("Replies in {}.", "all"))]
    #[metric(label_names = ["zone", "code"])]
    replies: DynamicFamily<Counter>,
}

fn names(scrape: &Scrape) -> Vec<&str> {
    scrape.families().iter().map(|family| family.name().as_str()).collect()
}

/// Families of the page that `register` made of an empty registry.
fn registered<M: Metrics>(registry: &Registry) -> Result<Vec<String>, RegisterError> {
    M::register(registry)?;
    Ok(names(&registry.gather()).into_iter().map(str::to_owned).collect())
}

#[test]
fn a_field_is_a_metric_under_the_namespace() {
    let registry = Registry::new();
    let http = HttpMetrics::register(&registry).unwrap();
    http.requests_total.with(&Request { path: "/a", status: 200 }).inc();
    http.replies.with(&["eu", "200"]).unwrap().inc_by(2);
    http.requests_in_progress.set(3.0);
    http.request_duration_seconds.observe(0.5);

    let scrape = registry.gather();
    assert_eq!(
        names(&scrape),
        [
            "http_replies_total",
            "http_request_duration_seconds",
            "http_requests_in_progress",
            "http_requests_total",
        ]
    );
    let labels = [("path", "/a"), ("status", "200")];
    assert_eq!(scrape.value("http_requests_total", &labels), Some(1.0));
    let labels = [("code", "200"), ("zone", "eu")];
    assert_eq!(scrape.value("http_replies_total", &labels), Some(2.0));
    assert_eq!(scrape.value("http_requests_in_progress", &[]), Some(3.0));
    let latency = scrape.family("http_request_duration_seconds").unwrap();
    assert_eq!(latency.metric_type(), MetricType::Histogram);
    assert_eq!(latency.metadata().unit(), "seconds");
}

#[test]
fn the_first_paragraph_of_the_doc_comment_is_the_help_text() {
    /** Starred

    more */
    #[derive(Metrics)]
    struct Documented {
        ///   Spaces around.   
        spaces: Gauge,
        /**
         * A block.
         */
        block: Gauge,
        /// "Quotes" and \backslashes\.
        quotes: Gauge,
        /// For readers of the code.
        #[metric(help = "For readers of the page.")]
        both: Gauge,
    }
    let registry = Registry::new();
    HttpMetrics::register(&registry).unwrap();
    let documented = Documented::register(&registry).unwrap();
    let _used = (documented.spaces, documented.block, documented.quotes, documented.both);
    let scrape = registry.gather();
    let help = |name| scrape.family(name).unwrap().metadata().help().to_owned();
    assert_eq!(help("http_requests_in_progress"), "Requests being served now.");
    assert_eq!(help("http_replies_total"), "Replies in all.");
    assert_eq!(help("spaces"), "Spaces around.");
    assert_eq!(help("block"), "A block.");
    assert_eq!(help("quotes"), r#""Quotes" and \backslashes\."#);
    assert_eq!(help("both"), "For readers of the page.");
}

#[test]
fn flattened_metrics_are_under_both_namespaces_and_constant_labels() {
    #[derive(Metrics)]
    #[metrics(namespace = "app", const_label("zone", ZONE), const_label("tier", "1"))]
    struct App {
        /// Jobs.
        #[metric(const_label("kind", "mail"))]
        jobs_total: Counter,
        #[metric(flatten)]
        cache: Cache<Gauge>,
        #[metric(flatten)]
        plain: Plain,
    }

    #[derive(Metrics)]
    #[metrics(namespace = "cache", const_label("level", "2"))]
    struct Cache<G: Instrument>
    where
        G::Config: Default,
    {
        /// Entries.
        entries: G,
    }

    #[derive(Metrics)]
    struct Plain {
        /// Plain.
        plain: Gauge,
    }

    const ZONE: &str = "eu";
    let registry = Registry::builder().prefix("all").const_label("host", "a").build().unwrap();
    let app = App::register(&registry).unwrap();
    app.jobs_total.inc();
    app.cache.entries.set(2.0);
    app.plain.plain.set(3.0);
    let scrape = registry.gather();
    let zone = [("host", "a"), ("tier", "1"), ("zone", "eu")];
    let with = |label| {
        let mut labels = vec![label];
        labels.extend(zone);
        labels.sort_unstable();
        labels
    };
    assert_eq!(scrape.value("all_app_jobs_total", &with(("kind", "mail"))), Some(1.0));
    assert_eq!(scrape.value("all_app_cache_entries", &with(("level", "2"))), Some(2.0));
    assert_eq!(scrape.value("all_app_plain", &zone), Some(3.0));
}

#[test]
fn a_name_may_be_raw_renamed_or_any_utf8() {
    #[derive(Metrics)]
    struct Named {
        /// Raw.
        r#type: Gauge,
        /// UTF-8.
        #[metric(name = "http.größe", utf8_names)]
        size: Gauge,
        /// Doors.
        #[metric(name = "doors", const_label("side", "left"))]
        left: Gauge,
        /// Doors.
        #[metric(name = "doors", const_label("side", "right"))]
        right: Gauge,
    }
    let registry = Registry::new();
    let named = Named::register(&registry).unwrap();
    named.r#type.set(1.0);
    named.size.set(2.0);
    named.left.set(3.0);
    named.right.set(4.0);
    let scrape = registry.gather();
    assert_eq!(names(&scrape), ["doors", "http.größe", "type"]);
    assert_eq!(scrape.value("doors", &[("side", "right")]), Some(4.0));
}

#[test]
fn the_crate_may_be_elsewhere() {
    mod elsewhere {
        pub(super) use narthex::*;
    }

    #[derive(narthex::Metrics)]
    #[narthex(crate = "elsewhere")]
    struct Elsewhere {
        /// One.
        one: Gauge,
    }
    let one = Elsewhere::register(&Registry::new()).unwrap().one;
    assert_eq!(one.value(), 0.0);
}

#[test]
fn what_is_wrong_with_a_metric_shows_at_registration_under_its_full_name() {
    #[derive(Metrics)]
    #[metrics(namespace = "app")]
    struct Wrong {
        /// Latency.
        #[metric(buckets = [2.0, 1.0])]
        latency: Histogram,
    }
    let error = Wrong::register(&Registry::new()).map(|wrong| wrong.latency).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot register `app_latency`: bucket 2 is 1, which is not above 2: bounds must ascend"
    );
}

#[derive(Debug, Metrics)]
struct Two {
    /// First.
    first_total: Counter,
    #[metric(flatten)]
    second: Second,
}

#[derive(Debug, Metrics)]
struct Second {
    /// Second.
    second: Gauge,
}

#[test]
fn b21_a_struct_is_registered_as_a_whole_or_not_at_all() {
    let registry = Registry::new();
    Counter::builder("second", "In the way.").register(&registry).unwrap();
    let error = Two::register(&registry).unwrap_err();
    assert!(error.is_clash());
    assert_eq!(error.family(), "second");
    assert_eq!(names(&registry.gather()), ["second"]);

    // What was taken back is free.
    Gauge::builder("first_total", "F.").register(&registry).unwrap();
    let registry = Registry::new();
    assert_eq!(registered::<Two>(&registry).unwrap(), ["first_total", "second"]);
    assert_eq!(registered::<Two>(&registry).unwrap_err().family(), "first_total");
}

#[test]
fn b21_a_transaction_shows_nothing_before_its_end() {
    let registry = Registry::new();
    let counter = registry
        .transaction(|staged| {
            let counter = Counter::builder("c_total", "C.").register(staged)?;
            assert!(registry.gather().families().is_empty());
            assert_eq!(names(&staged.gather()), ["c_total"]);
            Ok::<_, RegisterError>(counter)
        })
        .unwrap();
    counter.inc();
    assert_eq!(registry.gather().value("c_total", &[]), Some(1.0));
}

#[test]
fn b21_a_transaction_that_fails_or_panics_leaves_no_trace() {
    let registry = Registry::new();
    let kept = Gauge::builder("kept", "Kept.").register(&registry).unwrap();
    let failed: Result<(), &str> = registry.transaction(|staged| {
        Counter::builder("c_total", "C.").register(staged).unwrap();
        assert!(staged.unregister(&kept));
        Err("something else went wrong")
    });
    assert_eq!(failed, Err("something else went wrong"));
    assert_eq!(names(&registry.gather()), ["kept"]);

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        registry.transaction(|staged| -> Result<(), RegisterError> {
            Counter::builder("c_total", "C.").register(staged)?;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(names(&registry.gather()), ["kept"]);
    Counter::builder("c_total", "C.").register(&registry).unwrap();
}

#[test]
fn b21_a_transaction_within_another_ends_with_it() {
    let registry = Registry::new();
    let outcome = registry.transaction(|outer| {
        let inner = outer.transaction(|inner| Gauge::builder("inner", "I.").register(inner));
        assert_eq!(names(&outer.gather()), ["inner"]);
        inner?;
        Gauge::builder("bad name", "B.").register(outer)
    });
    assert_eq!(outcome.unwrap_err().family(), "bad name");
    assert!(registry.gather().families().is_empty());
}

#[test]
fn b21_what_is_registered_during_a_transaction_stays() {
    let registry = Registry::new();
    let outcome = registry.transaction(|staged| {
        Gauge::builder("other", "O.").get_or_register(&registry)?;
        Gauge::builder("mine", "M.").register(staged)
    });
    outcome.unwrap().set(2.0);
    assert_eq!(registry.gather().value("mine", &[]), Some(2.0));
    assert_eq!(names(&registry.gather()), ["mine", "other"]);
}

#[test]
fn b21_a_transaction_that_is_overtaken_starts_again() {
    let registry = Registry::new();
    let mut runs = 0;
    let outcome = registry.transaction(|staged| {
        runs += 1;
        let mine = Gauge::builder("taken", "T.").get_or_register(staged)?;
        if runs == 1 {
            Gauge::builder("taken", "T.").register(&registry)?.set(5.0);
        }
        Ok::<_, RegisterError>(mine)
    });
    assert_eq!(runs, 2);
    assert_eq!(outcome.unwrap().value(), 5.0);
}

#[test]
fn what_a_transaction_unregisters_is_gone_at_its_end() {
    let registry = Registry::new();
    let old = Gauge::builder("g", "Old.").register(&registry).unwrap();
    registry
        .transaction(|staged| {
            assert!(staged.unregister(&old));
            Gauge::builder("g", "New.").register(staged)
        })
        .unwrap();
    assert_eq!(registry.gather().family("g").unwrap().metadata().help(), "New.");
}

#[test]
fn b20_what_is_registered_already_is_given_again() {
    let registry = Registry::new();
    let first = HttpMetrics::register(&registry).unwrap();
    let second = HttpMetrics::get_or_register(&registry).unwrap();
    first.requests_in_progress.inc();
    second.requests_in_progress.inc();
    let request = Request { path: "/", status: 200 };
    first.requests_total.with(&request).inc();
    second.requests_total.with(&request).inc();
    first.replies.with(&["eu", "200"]).unwrap().inc();
    second.replies.with(&["eu", "200"]).unwrap().inc();
    second.request_duration_seconds.observe(1.0);
    assert_eq!(first.requests_in_progress.value(), 2.0);
    assert_eq!(first.requests_total.with(&request).value(), 2.0);
    assert_eq!(first.replies.with(&["eu", "200"]).unwrap().value(), 2.0);
    assert_eq!(first.request_duration_seconds.count(), 1);
    assert_eq!(registry.gather().families().len(), 4);
}

#[test]
fn what_is_missing_is_registered_with_what_is_there() {
    let registry = Registry::new();
    Second::register(&registry).unwrap().second.set(7.0);
    let two = Two::get_or_register(&registry).unwrap();
    assert_eq!(two.second.second.value(), 7.0);
    two.first_total.inc();
    assert_eq!(registry.gather().value("first_total", &[]), Some(1.0));
}

/// Checks what is said of a second description of the same name.
fn check_differs<A: Instrument, B: Instrument>(first: Builder<A>, second: Builder<B>, what: &str) {
    let registry = Registry::new();
    first.register(&registry).ok().unwrap();
    let error = second.get_or_register(&registry).err().unwrap();
    assert!(error.is_clash());
    assert_eq!(
        error.to_string(),
        format!(
            "cannot register `{}`: the family is registered already, and its {what} would have to \
             be the same",
            error.family()
        )
    );
    assert_eq!(registry.gather().families().len(), 1);
}

#[test]
fn another_description_of_the_same_name_is_refused_with_what_differs() {
    let gauge = || Gauge::builder("m", "M.");
    check_differs(gauge(), Counter::builder("m", "M."), "type");
    check_differs(gauge(), Gauge::builder("m", "N."), "help text");
    check_differs(gauge(), gauge().unit("meters"), "unit");
    let histogram = || Histogram::builder("h", "H.");
    check_differs(histogram(), histogram().buckets([1.0]), "buckets");
    let dynamic = |names: [&str; 2]| DynamicFamily::<Gauge>::builder("d", "D.").label_names(names);
    check_differs(dynamic(["a", "b"]), dynamic(["a", "c"]), "label names");
    check_differs(dynamic(["a", "b"]), dynamic(["b", "a"]), "order of label names");
    check_differs(dynamic(["a", "b"]), dynamic(["a", "b"]).series_limit(9), "limits");
    let nothing = DynamicFamily::<Gauge>::builder("m", "M.");
    check_differs(gauge(), nothing, "Rust type");
}

#[test]
fn equal_descriptions_may_be_written_differently() {
    let registry = Registry::new();
    let first = Histogram::builder("h", "H.").buckets([1.0, 2.0]).register(&registry).unwrap();
    let linear = Buckets::linear(1.0, 1.0, 2);
    let second = Histogram::builder("h", "H.").buckets(linear).get_or_register(&registry);
    second.unwrap().observe(1.0);
    let infinite = vec![1.0, 2.0, f64::INFINITY];
    let third = Histogram::builder("h", "H.").buckets(infinite).get_or_register(&registry);
    third.unwrap().observe(2.0);
    assert_eq!(first.count(), 2);
}

#[test]
fn other_constant_labels_are_another_instrument() {
    let registry = Registry::new();
    let door = |side| Gauge::builder("door", "Door.").const_label("side", side);
    door("left").get_or_register(&registry).unwrap().set(1.0);
    door("right").get_or_register(&registry).unwrap().set(2.0);
    door("left").get_or_register(&registry).unwrap().inc();
    let scrape = registry.gather();
    assert_eq!(scrape.value("door", &[("side", "left")]), Some(2.0));
    assert_eq!(scrape.value("door", &[("side", "right")]), Some(2.0));
}

#[test]
fn threads_that_get_or_register_at_once_share_the_metrics() {
    const THREADS: usize = 8;
    let registry = Registry::new();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                for round in 0..50 {
                    Two::get_or_register(&registry).unwrap().first_total.inc();
                    let name = format!("round_{round}");
                    Gauge::builder(name, "R.").get_or_register(&registry).unwrap().inc();
                }
            });
        }
    });
    let scrape = registry.gather();
    assert_eq!(scrape.value("first_total", &[]), Some(400.0));
    assert_eq!(scrape.value("round_49", &[]), Some(8.0));
    assert_eq!(scrape.families().len(), 52);
}

#[test]
fn a_scope_is_the_same_registry_under_a_longer_prefix() {
    let registry = Registry::builder().prefix("app").build().unwrap();
    let db = registry.scope().prefix("db").const_label("shard", "1").build().unwrap();
    let queries = Counter::builder("queries_total", "Q.").register(&db).unwrap();
    queries.inc();
    assert_eq!(registry.gather().value("app_db_queries_total", &[("shard", "1")]), Some(1.0));
    assert!(Gauge::builder("db_queries_total", "Q.").register(&registry).unwrap_err().is_clash());
    assert!(db.scope().const_label("shard", "2").build().is_err());
    assert!(db.scope().prefix("a b").build().is_err());
    assert!(registry.unregister(&queries) && db.gather().families().is_empty());
}

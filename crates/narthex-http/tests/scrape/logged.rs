//! What is logged of sources.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use narthex_http::{BoxError, IntoSource, ScrapeContext};
use narthex_model::{FamilyError, MetricFamily};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{builder, fine, gather, gauge};

/// Keeps this crate's log lines as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("narthex_http")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

/// The error that is logged of a source, which must fail.
async fn error_of<M>(source: impl IntoSource<M>) -> String {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let engine = builder().source("mistaken", source).build().unwrap();
    let scrape = gather(&engine).await;
    assert!(!crate::succeeded(&scrape, "mistaken"));
    let lines = lines.take();
    let [line] = &lines[..] else { panic!("not one line: {lines:?}") };
    let start = "WARN message=source failed source=\"mistaken\" cause=\"error\" error=";
    line.strip_prefix(start).unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[tokio::test]
async fn b22_a_failure_is_logged_when_it_changes_or_is_over() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let outcome = Arc::new(Mutex::new(Ok(())));
    let source = {
        let outcome = outcome.clone();
        move |_: ScrapeContext| {
            let outcome = *outcome.lock().unwrap();
            async move { outcome }
        }
    };
    let engine = builder().source("fine", fine).source("moody", source).build().unwrap();
    let failed = |error: &str| {
        vec![format!("WARN message=source failed source=\"moody\" cause=\"error\" error={error}")]
    };
    let recovered = || vec!["INFO message=source has recovered source=\"moody\"".to_owned()];
    for (given, expected) in [
        (Ok(()), vec![]),
        (Err("no device"), failed("no device")),
        (Err("no device"), vec![]),
        (Err("no power"), failed("no power")),
        (Ok(()), recovered()),
        (Ok(()), vec![]),
        (Err("no device"), failed("no device")),
    ] {
        *outcome.lock().unwrap() = given;
        gather(&engine).await;
        assert_eq!(lines.take(), expected);
    }
}

#[tokio::test]
async fn b22_the_whole_error_chain_is_logged() {
    #[derive(Debug)]
    struct Failed(std::io::Error);
    impl std::fmt::Display for Failed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("cannot read the sensor")
        }
    }
    impl std::error::Error for Failed {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = error_of(|_: ScrapeContext| async {
        Err::<(), BoxError>(Failed(std::io::Error::other("bus is down")).into())
    });
    assert_eq!(error.await, "cannot read the sensor: bus is down");
}

#[tokio::test]
async fn b22_mistakes_are_named() {
    macro_rules! mistakes {
        ($($error:literal: |$scrape:ident| $body:expr;)*) => { $(
            let error = error_of(|$scrape: ScrapeContext| async move { $body; });
            assert_eq!(error.await, $error);
        )* };
    }
    mistakes! {
        "metric family `a b` cannot be built: `a b` is not a valid metric name: ` ` at byte 1 is \
         not a letter, digit, `_` or `:`":
            |scrape| scrape.gauge("a b", "A gauge.").set(1.0);
        "metric family `a` cannot be built: `__x` is not a valid label name: the prefix `__` is \
         reserved for the Prometheus server":
            |scrape| scrape.gauge_family("a", "A gauge.", ["__x"]).set([""], 1.0);
        "metric family `a` cannot be built: label `x` is given twice for `a`":
            |scrape| scrape.gauge_family("a", "A gauge.", ["x", "x"]).set(["1", "2"], 1.0);
        "metric family `a` cannot be built: label `le` of `a` is reserved in a histogram":
            |scrape| scrape.histogram_family("a", "A.", &[1.0], ["le"]).set(["x"], [1, 0], 1.0);
        "the buckets of `a` cannot be used: bucket 2 is 1, which is not above 2: bounds must \
         ascend":
            |scrape| scrape.histogram("a", "A.", &[2.0, 1.0]).set([1, 0, 0], 1.0);
        "histogram `a` has 3 buckets with +Inf, but 2 counts are given":
            |scrape| scrape.histogram("a", "A.", &[1.0, 2.0]).set([1, 0], 1.0);
        "counter `a_total` cannot be -1: it must be zero or more":
            |scrape| scrape.counter("a_total", "A.").set(-1.0);
        "counter `a_total` cannot be NaN: it must be zero or more":
            |scrape| scrape.counter("a_total", "A.").set(f64::NAN);
        "`a` is set twice, and not with the same type":
            |scrape| (scrape.gauge("a", "A.").set(1.0), scrape.unknown("a", "A.").set(1.0));
        "`a` is set twice, and not with the same help text":
            |scrape| (scrape.gauge("a", "A.").set(1.0), scrape.gauge("a", "B.").set(1.0));
        "`a` is set twice, and not with the same label names":
            |scrape| (
                scrape.gauge("a", "A.").set(1.0),
                scrape.gauge_family("a", "A.", ["x"]).set(["1"], 1.0)
            );
        "`a` is set twice, and not with the same buckets":
            |scrape| (
                scrape.histogram("a", "A.", &[1.0]).set([1, 0], 1.0),
                scrape.histogram("a", "A.", &[2.0]).set([1, 0], 1.0)
            );
        "`a` is set twice, and not with the same type":
            |scrape| (scrape.counter("a", "A gauge.").set(1.0), scrape.add(gauge("a", 1.0)));
    }
    let error = error_of(|_: ScrapeContext| async {
        let family = MetricFamily::gauge("a b", "A gauge.").build();
        Err::<(), FamilyError>(family.unwrap_err())
    });
    assert!(error.await.starts_with("metric family `a b` cannot be built: "));
}

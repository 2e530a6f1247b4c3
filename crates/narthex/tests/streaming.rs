//! Pages straight from a registry: what they say, and what memory they take.

use std::convert::Infallible;

use allocation_counter::{AllocationInfo, measure};
use narthex::model::{MetricFamily, Scrape};
use narthex::{
    Collector, Counter, DynamicFamily, Encoder, Format, Gauge, Histogram, Info, Registry, StateSet,
    Summary,
};

/// Every format that is served.
const FORMATS: [Format; 4] = [Format::TEXT, Format::OPEN_METRICS, Format::PROTOBUF, Format::Json];

fn streamed(encoder: &mut Encoder, registry: &Registry) -> Vec<u8> {
    let mut page = Vec::new();
    let Ok(()) = encoder.encode(registry, |chunk| {
        page.extend_from_slice(chunk);
        Ok::<(), Infallible>(())
    });
    page
}

/// Writes a page to a sink that keeps nothing, and tells what memory that took.
fn memory_of_page(encoder: &mut Encoder, registry: &Registry) -> AllocationInfo {
    measure(|| {
        let Ok(()) = encoder.encode(registry, |chunk| {
            std::hint::black_box(chunk);
            Ok::<(), Infallible>(())
        });
    })
}

fn counters(registry: &Registry, series: usize) -> DynamicFamily<Counter> {
    let requests = DynamicFamily::<Counter>::builder("requests_total", "Requests served.")
        .label_names(["method", "path"])
        .register(registry)
        .unwrap();
    for n in 0..series {
        let path = format!("/items/{}", n / 2);
        let method = if n % 2 == 0 { "get" } else { "post" };
        requests.with(&[method, &path]).unwrap().inc_by(n as u64);
    }
    requests
}

/// A registry with everything that a page can have.
fn of_all_kinds(series: usize) -> Registry {
    let registry = Registry::new();
    let requests = counters(&registry, series);
    requests.with(&["put", "/half"]).unwrap().add(0.5);
    Counter::builder("a_total", "First.").register(&registry).unwrap().inc();
    Gauge::builder("z", "Last.").register(&registry).unwrap().set(0.1);
    Gauge::from_fn("computed", "Given by a closure.", || 7.0).register(&registry).unwrap();
    let lone = Histogram::builder("lone_seconds", "A histogram.").register(&registry).unwrap();
    lone.observe(0.2);
    let sizes = DynamicFamily::<Histogram>::builder("size_bytes", "Sizes.")
        .label_names(["table"])
        .buckets([1.0, 10.0])
        .register(&registry)
        .unwrap();
    let rows = DynamicFamily::<Summary>::builder("row_bytes", "Rows.")
        .label_names(["table"])
        .register(&registry)
        .unwrap();
    for n in 0..series {
        sizes.with(&[&n.to_string()]).unwrap().observe(n as f64);
        rows.with(&[&n.to_string()]).unwrap().observe(n as f64);
    }
    let info = Info::builder("build_info", "What this is.").labels([("version", "1.0")]);
    info.register(&registry).unwrap();
    let state = StateSet::builder("mode", "What it does.").states(["idle", "busy"]);
    state.register(&registry).unwrap();
    registry
}

#[test]
fn a_streamed_page_is_that_of_the_gathered_scrape() {
    for series in [0, 1, 3, 4, 5, 600, 20_000] {
        let registry = of_all_kinds(series);
        let scrape = registry.gather();
        for format in FORMATS {
            let mut gathered = Vec::new();
            format.encode(&scrape, &mut gathered);
            let mut encoder = Encoder::new(format);
            for _ in 0..2 {
                let page = streamed(&mut encoder, &registry);
                assert!(page == gathered, "{format:?} of {series} series");
            }
        }
    }
}

#[test]
fn a_streamed_page_has_what_is_left_after_a_removal() {
    let registry = Registry::new();
    let requests = counters(&registry, 20_000);
    let mut encoder = Encoder::new(Format::PROTOBUF);
    let mut text = Encoder::new(Format::TEXT);
    requests.retain(|values| !values[1].ends_with('7'));
    for _ in 0..2 {
        let mut gathered = Vec::new();
        Format::PROTOBUF.encode(&registry.gather(), &mut gathered);
        assert!(streamed(&mut encoder, &registry) == gathered);
        let page = String::from_utf8(streamed(&mut text, &registry)).unwrap();
        assert_eq!(page.lines().count(), 2 + 18_000);
        assert!(!page.contains("7\""));
    }
}

/// A collector of families that it does not describe beforehand.
struct Foreign(Vec<MetricFamily>);

impl Collector for Foreign {
    fn collect(&self, families: &mut Vec<MetricFamily>) {
        families.extend(self.0.iter().cloned());
    }
}

#[test]
fn a_streamed_page_has_foreign_families_and_merges_those_of_one_name() {
    let registry = of_all_kinds(100);
    for zone in ["a", "b"] {
        let scope = registry.scope().const_label("zone", zone).build().unwrap();
        Gauge::builder("load", "Load of a zone.").register(&scope).unwrap().set(0.5);
    }
    let beside = MetricFamily::gauge("between", "Foreign.").sample([""; 0], 1.5).build().unwrap();
    let same = MetricFamily::counter("requests_total", "Requests served.")
        .label_names(["method", "path"])
        .sample(["delete", "/"], 9_u64)
        .build()
        .unwrap();
    let clash = MetricFamily::gauge("size_bytes_count", "").sample([""; 0], 1.0).build().unwrap();
    registry.register(Foreign(vec![same, beside, clash])).unwrap();
    let scrape: Scrape = registry.gather();
    assert_eq!(scrape.problems().len(), 1);
    for format in FORMATS {
        let mut gathered = Vec::new();
        format.encode(&scrape, &mut gathered);
        let mut encoder = Encoder::new(format);
        assert!(streamed(&mut encoder, &registry) == gathered, "{format:?}");
        assert_eq!(encoder.problems(), scrape.problems(), "{format:?}");
    }
}

#[test]
fn a_sink_that_fails_is_not_called_again() {
    let registry = of_all_kinds(20_000);
    for format in FORMATS {
        let mut calls = 0;
        let result = Encoder::new(format).encode(&registry, |_| {
            calls += 1;
            Err(calls)
        });
        assert_eq!((result, calls), (Err(1), 1), "{format:?}");
    }
}

#[test]
fn a_steady_scrape_allocates_nothing_in_text_and_in_protobuf() {
    let registry = Registry::new();
    let requests = counters(&registry, 20_000);
    requests.remove(&["get", "/items/3"]).unwrap();
    let temperatures = DynamicFamily::<Gauge>::builder("temperature_celsius", "Temperature.")
        .label_names(["room"])
        .register(&registry)
        .unwrap();
    let sizes = DynamicFamily::<Histogram>::builder("size_bytes", "Sizes.")
        .label_names(["table"])
        .register(&registry)
        .unwrap();
    for n in 0..3000 {
        temperatures.with(&[&n.to_string()]).unwrap().set(n as f64 / 3.0);
        sizes.with(&[&n.to_string()]).unwrap().observe(n as f64);
    }
    let jobs = Counter::builder("jobs_total", "Jobs.").register(&registry).unwrap();
    let up = Gauge::builder("up", "Up.").register(&registry).unwrap();
    for format in [Format::TEXT, Format::OPEN_METRICS, Format::PROTOBUF] {
        let mut encoder = Encoder::new(format);
        for _ in 0..2 {
            memory_of_page(&mut encoder, &registry);
        }
        jobs.inc();
        up.set(0.5);
        let memory = memory_of_page(&mut encoder, &registry);
        assert_eq!(memory.count_total, 0, "{format:?}");
    }
}

#[test]
fn the_peak_of_a_scrape_does_not_grow_with_the_series() {
    const MOST: u64 = 512 * 1024;
    let registry = Registry::new();
    let _requests = counters(&registry, 300_000);
    for format in [Format::TEXT, Format::OPEN_METRICS, Format::PROTOBUF] {
        let memory = measure(|| {
            let mut encoder = Encoder::new(format);
            memory_of_page(&mut encoder, &registry);
        });
        println!("{format:?}: {} bytes of {MOST}", memory.bytes_max);
        assert!(memory.bytes_max <= MOST, "{format:?}: {} bytes", memory.bytes_max);
    }
}

#[test]
fn a_scrape_is_made_in_the_memory_of_an_earlier_one() {
    let registry = of_all_kinds(5000);
    let mut scrape = registry.gather();
    registry.gather_into(&mut scrape);
    let memory = measure(|| registry.gather_into(&mut scrape));
    // A column of 5000 takes 40 kB, and there are three that are used again.
    let fresh = measure(|| drop(registry.gather()));
    assert!(memory.bytes_total + 3 * 40_000 < fresh.bytes_total, "{memory:?} {fresh:?}");
    assert_eq!(scrape, registry.gather());
}

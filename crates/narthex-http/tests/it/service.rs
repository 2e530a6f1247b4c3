//! `MetricsService` as a tower service, without a server.

use std::future::Future;
use std::io::Read;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use narthex_core::{Counter, Gauge, Histogram, Registry};
use narthex_http::{Body, Gather, GatherError, MetricsService, ResponseFuture, ScrapeRequest};
use narthex_model::{MetricFamily, MetricName, Problem, Scrape};
use narthex_test::conformance;
use tokio::time::Instant;
use tower_service::Service;

use crate::gathers::{Fixed, Gated, gauge, large, small};
use crate::logs::Logs;

fn ask(service: &MetricsService, headers: &[(&str, &str)]) -> ResponseFuture {
    let mut request = Request::get("/metrics");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.clone().call(request.body(()).unwrap())
}

async fn scrape(service: &MetricsService) -> Response<Body> {
    ask(service, &[]).await.unwrap()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

async fn page(service: &MetricsService) -> String {
    String::from_utf8(bytes(scrape(service).await).await).unwrap()
}

fn poll(future: &mut ResponseFuture) -> Poll<()> {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(future).poll(&mut cx).map(drop)
}

#[tokio::test]
async fn a_scrape_is_the_page_with_its_type_and_length() {
    let service = MetricsService::new(small()).without_self_metrics();
    let response = scrape(&service).await;
    assert_eq!(response.status(), StatusCode::OK);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(header("vary"), "accept, accept-encoding");
    let text = "# HELP temperature_celsius A gauge.\n\
                # TYPE temperature_celsius gauge\n\
                temperature_celsius 21.5\n";
    assert_eq!(header("content-length"), text.len().to_string());
    assert_eq!(bytes(response).await, text.as_bytes());
}

#[tokio::test]
async fn an_empty_registry_is_an_empty_page_each_time() {
    let service = MetricsService::new(Registry::new()).without_self_metrics();
    for _ in 0..5 {
        let response = scrape(&service).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(bytes(response).await, b"");
    }
}

#[tokio::test]
async fn b25_a_page_is_compressed_for_those_who_ask() {
    let service = MetricsService::new(large()).without_self_metrics();
    let plain = bytes(scrape(&service).await).await;
    for _ in 0..2 {
        let response = ask(&service, &[("accept-encoding", "gzip")]).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let compressed = bytes(response).await;
        assert!(compressed.len() < plain.len() / 4);
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*compressed).read_to_end(&mut text).unwrap();
        assert!(text == plain, "the page is not the same after its way through gzip");
    }
}

#[tokio::test]
async fn the_length_of_a_long_page_is_told_where_only_that_is_asked_for() {
    let service = MetricsService::new(large()).without_self_metrics();
    for coding in ["identity", "gzip"] {
        let request = Request::head("/metrics").header("accept-encoding", coding);
        let head = service.clone().call(request.body(()).unwrap()).await.unwrap();
        let length = head.headers()["content-length"].to_str().unwrap().to_owned();
        let response = ask(&service, &[("accept-encoding", coding)]).await.unwrap();
        assert_eq!(bytes(response).await.len().to_string(), length);
    }
}

#[tokio::test]
async fn compression_can_be_turned_off() {
    let service = MetricsService::new(small()).without_compression();
    let response = ask(&service, &[("accept-encoding", "gzip")]).await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
    assert_eq!(response.headers()["vary"], "accept");
}

#[tokio::test]
async fn ten_concurrent_scrapes_share_one_gather() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).without_self_metrics();
    let mut scrapes: Vec<_> = (0..10).map(|_| ask(&service, &[])).collect();
    assert!(scrapes.iter_mut().all(|scrape| poll(scrape).is_pending()));
    gate.let_pass(1);
    let mut pages = Vec::new();
    for scrape in scrapes {
        pages.push(bytes(scrape.await.unwrap()).await);
    }
    assert_eq!(gate.begun(), 1);
    assert!(pages.iter().all(|page| page.ends_with(b"gather_number 1\n")));

    gate.let_pass(1);
    assert!(page(&service).await.ends_with("gather_number 2\n"), "a later scrape gathers anew");
}

#[tokio::test]
async fn a_gather_outlives_the_request_that_began_it() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).without_self_metrics();
    let mut first = ask(&service, &[]);
    let mut second = ask(&service, &[]);
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(first);
    gate.let_pass(1);
    assert!(bytes(second.await.unwrap()).await.ends_with(b"gather_number 1\n"));
    assert_eq!(gate.begun(), 1);
}

#[tokio::test]
async fn a_gather_that_nobody_waits_for_ends() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).without_self_metrics();
    let mut scrape = ask(&service, &[]);
    assert!(poll(&mut scrape).is_pending());
    tokio::task::yield_now().await;
    assert_eq!(gate.begun(), 1);
    drop(scrape);
    gate.given_up().await;

    gate.let_pass(1);
    assert!(page(&service).await.ends_with("gather_number 2\n"));
}

#[tokio::test(start_paused = true)]
async fn at_most_two_pages_are_alive_and_the_younger_is_handed_out_while_it_is_fresh() {
    let service = MetricsService::new(large()).without_self_metrics();
    let mut first = scrape(&service).await.into_body();
    let mut second = scrape(&service).await.into_body();
    tokio::time::advance(Duration::from_millis(900)).await;
    let younger = scrape(&service).await;
    assert_eq!(younger.status(), StatusCode::OK, "both pages are being read, one is fresh");
    drop(younger);

    for body in [&mut first, &mut second] {
        body.frame().await.unwrap().unwrap();
    }
    tokio::time::advance(Duration::from_millis(100)).await;
    let refused = scrape(&service).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");

    drop(first);
    assert_eq!(scrape(&service).await.status(), StatusCode::OK);
    assert!(second.collect().await.is_ok(), "a page is not written over");
}

#[tokio::test(start_paused = true)]
async fn refused_scrapes_are_counted() {
    let service = MetricsService::new(large());
    let mut first = scrape(&service).await.into_body();
    let mut second = scrape(&service).await.into_body();
    tokio::time::advance(Duration::from_secs(1)).await;
    for body in [&mut first, &mut second] {
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(scrape(&service).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop((first, second));
    assert!(page(&service).await.contains("narthex_scrapes_total{code=\"503\"} 1\n"));
}

#[tokio::test]
async fn a_large_page_does_not_occupy_the_runtime() {
    let service = MetricsService::new(large());
    let mut scrape = pin!(ask(&service, &[("accept-encoding", "gzip")]));
    // The only worker finds time for other tasks before the page is there: first the gather, then
    // whoever waits while a blocking thread encodes.
    let mut turns = 0;
    let response = loop {
        let mut cx = Context::from_waker(Waker::noop());
        match scrape.as_mut().poll(&mut cx) {
            Poll::Ready(response) => break response.unwrap(),
            Poll::Pending => turns += 1,
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(response.status(), StatusCode::OK);
    assert!(turns > 2, "the page was there after {turns} turns");
}

/// Notes how long each gather may take.
#[derive(Default)]
struct Timed(Mutex<Vec<Duration>>);

impl Gather for Timed {
    async fn gather(&self, request: ScrapeRequest) -> Result<Scrape, GatherError> {
        self.0.lock().unwrap().push(request.deadline - Instant::now());
        Ok(Scrape::default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_gather_has_the_scrapers_timeout_less_a_margin() {
    const HEADER: &str = "x-prometheus-scrape-timeout-seconds";
    let timed = Arc::new(Timed::default());
    let service = MetricsService::new(timed.clone());
    for value in ["10", "0.6", "soon", "0", "-1"] {
        ask(&service, &[(HEADER, value)]).await.unwrap();
    }
    scrape(&service).await;
    let service =
        service.timeout_offset(Duration::from_secs(2)).default_timeout(Duration::from_secs(30));
    ask(&service, &[(HEADER, "10")]).await.unwrap();
    scrape(&service).await;
    let allowed = timed.0.lock().unwrap();
    let millis: Vec<_> = allowed.iter().map(Duration::as_millis).collect();
    assert_eq!(millis, [9_500, 300, 10_000, 10_000, 10_000, 10_000, 8_000, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn a_gather_that_is_late_costs_its_scrape_alone() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).without_self_metrics();
    let begun = Instant::now();
    let late = ask(&service, &[("x-prometheus-scrape-timeout-seconds", "2")]).await.unwrap();
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(begun.elapsed(), Duration::from_millis(1_750), "the scraper still listens");
    gate.given_up().await;

    gate.let_pass(1);
    assert!(page(&service).await.ends_with("gather_number 2\n"));
}

#[tokio::test(start_paused = true)]
async fn a_gather_past_its_deadline_is_not_joined() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).without_self_metrics();
    let mut first = ask(&service, &[("x-prometheus-scrape-timeout-seconds", "2")]);
    assert!(poll(&mut first).is_pending());
    tokio::time::advance(Duration::from_millis(1_600)).await;
    let mut second = ask(&service, &[]);
    assert!(poll(&mut second).is_pending());
    gate.let_pass(2);
    assert!(bytes(second.await.unwrap()).await.ends_with(b"gather_number 2\n"));
    assert_eq!(gate.begun(), 2);
}

/// Panics at the first gather.
struct Moody(AtomicBool);

impl Gather for Moody {
    async fn gather(&self, _request: ScrapeRequest) -> Result<Scrape, GatherError> {
        assert!(self.0.swap(true, Ordering::SeqCst), "the first time is too much");
        Ok(Scrape::default())
    }
}

#[tokio::test]
async fn a_gather_that_panics_is_a_failed_scrape_and_no_more() {
    let service = MetricsService::new(Moody(AtomicBool::new(false)));
    assert_eq!(scrape(&service).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page(&service).await.contains("narthex_scrapes_total{code=\"500\"} 1\n"));
}

#[tokio::test]
async fn the_service_tells_of_itself() {
    let service = MetricsService::new(small());
    page(&service).await;
    let text = page(&service).await;
    for line in [
        "narthex_gathers_total 2",
        "narthex_scrape_problems_total 0",
        "narthex_scrapes_in_flight 1",
        "narthex_scrapes_total{code=\"200\"} 1",
        "narthex_scrapes_total{code=\"500\"} 0",
        "narthex_scrapes_total{code=\"503\"} 0",
        "temperature_celsius 21.5",
    ] {
        assert!(text.lines().any(|other| other == line), "`{line}` is not in:\n{text}");
    }
}

#[tokio::test]
async fn problems_are_counted_each_time_and_logged_once() {
    let (logs, _guard) = Logs::capture();
    let text = MetricFamily::counter("twice", "A counter.").sample([""; 0], 1_u64).build();
    let mut scrape = Scrape::new(vec![gauge("twice", 1.0), text.unwrap()]);
    let broken = MetricName::new("broken").unwrap();
    scrape.push_problems([Problem::new(broken, "it said \u{1b}[31m\nand died")]);
    let service = MetricsService::new(Fixed(scrape));
    for _ in 0..2 {
        page(&service).await;
    }
    assert!(page(&service).await.contains("narthex_scrape_problems_total 6\n"));
    let lines = logs.lines("WARN");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("family `twice` was given twice"), "{lines:?}");
    assert!(lines[1].contains(r"it said \u{1b}[31m\nand died"), "{lines:?}");
}

#[tokio::test]
async fn names_of_the_service_that_are_taken_do_not_break_the_page() {
    let scrape = Scrape::new(vec![gauge("narthex_gathers_total", 7.0)]);
    let service = MetricsService::new(Fixed(scrape));
    page(&service).await;
    let text = page(&service).await;
    assert!(text.contains("narthex_gathers_total 7\n"), "{text}");
    assert_eq!(text.matches("# TYPE narthex_gathers_total").count(), 1, "{text}");
    assert!(text.contains("narthex_scrape_problems_total 1\n"), "{text}");
}

#[tokio::test]
async fn b25_other_methods_are_refused_and_told_which_are_allowed() {
    let service = MetricsService::new(small());
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let request = Request::builder().method(method).body(()).unwrap();
        let response = service.clone().call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(response.headers()["allow"], "GET, HEAD");
    }
}

#[test]
fn the_service_goes_where_a_router_wants_it() {
    fn check<S>(_: S)
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
    }
    check(MetricsService::new(Registry::new()));
}

async fn ask_uri(service: &MetricsService, uri: &str) -> (StatusCode, String) {
    let response = service.clone().call(Request::get(uri).body(()).unwrap()).await.unwrap();
    (response.status(), String::from_utf8(bytes(response).await).unwrap())
}

#[tokio::test]
async fn only_the_formats_that_are_offered_are_served() {
    use narthex_format::{Escaping, Format, TextVersion};
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; \
                                escaping=underscores";
    const PROTOBUF: &str = "application/vnd.google.protobuf; \
                            proto=io.prometheus.client.MetricFamily; encoding=delimited";
    const V1: &str = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores";
    const V0: &str = "text/plain; version=0.0.4; charset=utf-8";
    // As Prometheus 3 asks.
    let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                  encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;q=0.6,\
                  text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let text_v1 = Format::Text { version: TextVersion::V1_0_0, escaping: Escaping::Underscores };
    for (offered, accept, expected) in [
        (&Format::OFFERED[..], accept, PROTOBUF),
        (&Format::OFFERED[..], "", V0),
        (&[Format::TEXT, Format::OPEN_METRICS][..], accept, OPEN_METRICS),
        (&[Format::TEXT, text_v1][..], accept, V1),
        (&[Format::TEXT][..], accept, V0),
        (&[Format::OPEN_METRICS][..], "text/plain", OPEN_METRICS),
        (&[][..], accept, V0),
    ] {
        let service = MetricsService::new(small()).formats(offered.iter().copied());
        let response = ask(&service, &[("accept", accept)]).await.unwrap();
        assert_eq!(response.headers()["content-type"], expected, "{accept}");
    }
}

#[cfg(feature = "zstd")]
#[tokio::test]
async fn a_page_is_compressed_with_zstd_for_those_who_ask() {
    let service = MetricsService::new(large()).without_self_metrics();
    let plain = bytes(scrape(&service).await).await;
    let response = ask(&service, &[("accept-encoding", "gzip, zstd")]).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "zstd");
    let text = zstd::decode_all(&*bytes(response).await).unwrap();
    assert!(text == plain, "the page is not the same after its way through zstd");
}

/// Two sources, each with a family, over an empty registry.
fn engine() -> narthex_http::ScrapeEngine {
    let source = |name: &'static str| {
        move |_: narthex_http::ScrapeContext| async move {
            let family = MetricFamily::gauge(name, "A gauge.").label_names(["zone"]);
            family.sample(["a"], 1_u64).sample(["b"], 2_u64).build()
        }
    };
    let engine = narthex_http::ScrapeEngine::builder(Registry::new());
    let engine = engine.source("one", source("first")).source("two", source("second"));
    engine.without_self_metrics().build().unwrap()
}

fn samples(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with('#')).collect()
}

#[tokio::test]
async fn b26_c10_the_query_chooses_sources_families_and_series() {
    let service = MetricsService::new(engine()).without_self_metrics();
    for (query, expected) in [
        (
            "",
            &[
                "first{zone=\"a\"} 1",
                "first{zone=\"b\"} 2",
                "second{zone=\"a\"} 1",
                "second{zone=\"b\"} 2",
            ][..],
        ),
        ("?name[]=first", &["first{zone=\"a\"} 1", "first{zone=\"b\"} 2"]),
        ("?name%5B%5D=first&zone=b", &["first{zone=\"b\"} 2"]),
        ("?collect[]=two&zone=a", &["second{zone=\"a\"} 1"]),
        ("?exclude[]=two&zone=a", &["first{zone=\"a\"} 1"]),
        ("?zone=c", &[]),
        ("?name[]=unknown", &[]),
    ] {
        let (status, page) = ask_uri(&service, &format!("/metrics{query}")).await;
        assert_eq!((status, samples(&page)), (StatusCode::OK, expected.to_vec()), "{query}");
    }
    let unfiltered = service.without_filters();
    let (status, page) = ask_uri(&unfiltered, "/metrics?bad&collect[]=none").await;
    assert_eq!((status, samples(&page).len()), (StatusCode::OK, 4));
}

#[tokio::test]
async fn b26_families_are_filtered_by_name_as_client_golang_filters_them() {
    let Some(folder) = conformance("registry") else { return };
    let cases = std::fs::read(folder.join("name_filter.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases).unwrap();
    let registry = Registry::new();
    Counter::builder("test_counter", "A counter.").register(&registry).unwrap();
    Gauge::builder("test_gauge", "A gauge.").register(&registry).unwrap();
    Histogram::builder("test_histogram", "A histogram.").register(&registry).unwrap();
    let service = MetricsService::new(registry).without_self_metrics();
    for case in &cases {
        let (status, page) = ask_uri(&service, case["url"].as_str().unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{case}");
        let names = |key: &str| -> Vec<&str> {
            case[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
        };
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let families: Vec<_> = types.map(|rest| rest.split(' ').next().unwrap()).collect();
        assert_eq!(families, names("shouldContain"), "{case}");
        assert!(!names("shouldNotContain").iter().any(|name| page.contains(name)), "{case}");
    }
    assert_eq!(cases.len(), 6);
}

#[tokio::test]
async fn c11_a_source_returns_a_list_that_labels_filter() {
    let list = |_: narthex_http::ScrapeContext| async move {
        let family = |name: &str| MetricFamily::gauge(name, "A gauge.").label_names(["zone"]);
        let both =
            ["one", "two"].map(|name| family(name).sample(["a"], 1_u64).sample(["b"], 2_u64));
        both.into_iter().map(narthex_model::FamilyBuilder::build).collect::<Result<Vec<_>, _>>()
    };
    let engine = narthex_http::ScrapeEngine::builder(Registry::new()).source("list", list);
    let engine = engine.without_self_metrics().build().unwrap();
    let service = MetricsService::new(engine).without_self_metrics();
    let (_, page) = ask_uri(&service, "/metrics?zone=b").await;
    assert_eq!(samples(&page), ["one{zone=\"b\"} 2", "two{zone=\"b\"} 2"]);
}

#[tokio::test]
async fn c10_a_malformed_query_is_refused_with_the_reason_and_counted() {
    let service = MetricsService::new(engine());
    for (query, reason) in [
        ("bad", "query parameter `bad` has no value: write `label=value`\n"),
        ("collect[]=three", "there is no source called `three`\n"),
        ("exclude[]=%00", "there is no source called `\\0`\n"),
    ] {
        let (status, text) = ask_uri(&service, &format!("/metrics?{query}")).await;
        assert_eq!((status, text.as_str()), (StatusCode::BAD_REQUEST, reason));
    }
    let text = page(&service).await;
    assert!(text.contains("narthex_scrapes_total{code=\"400\"} 3\n"), "{text}");
    assert!(text.contains("narthex_scrapes_refused_total{reason=\"query\"} 3\n"), "{text}");
    assert!(text.contains("narthex_gathers_total 1\n"), "nothing was gathered for them: {text}");
}

#[tokio::test]
async fn c15_filters_do_not_change_what_is_cached() {
    use narthex_http::{Cached, ScrapeContext, ScrapeEngine};
    let source = |scrape: ScrapeContext| async move {
        let zones = scrape.gauge_family("load", "Load.", ["zone"]);
        zones.set(["a"], 1.0);
        zones.set(["b"], 2.0);
    };
    let cached = Cached::new(source, Duration::from_secs(60));
    let engine = ScrapeEngine::builder(Registry::new()).source("load", cached);
    let engine = engine.without_self_metrics().build().unwrap();
    let service = MetricsService::new(engine).without_self_metrics();
    // A filtered scrape comes first, and the cache is whole all the same.
    assert_eq!(samples(&ask_uri(&service, "/metrics?zone=a").await.1), ["load{zone=\"a\"} 1"]);
    assert_eq!(samples(&ask_uri(&service, "/metrics").await.1).len(), 2);
    assert_eq!(samples(&ask_uri(&service, "/metrics?zone=b").await.1), ["load{zone=\"b\"} 2"]);
}

#[tokio::test]
async fn filtered_pages_are_read_at_the_same_time_within_a_bound() {
    let service = MetricsService::new(engine());
    let uri = |at: usize| format!("/metrics?name[]=first&zone=z{at}");
    let mut held = Vec::new();
    for at in 0..8 {
        let request = Request::get(uri(at)).body(()).unwrap();
        held.push(service.clone().call(request).await.unwrap());
    }
    // These are empty pages, which nobody has to read: all of them can be replaced.
    assert_eq!(ask_uri(&service, &uri(8)).await.0, StatusCode::OK);
    let mut held = Vec::new();
    for at in 0..8 {
        let uri = format!("/metrics?zone=a&zone=z{at}");
        let request = Request::get(uri).body(()).unwrap();
        held.push(service.clone().call(request).await.unwrap());
    }
    let (status, _) = ask_uri(&service, "/metrics?zone=b").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "eight filtered pages are being read");
    assert_eq!(ask_uri(&service, "/metrics").await.0, StatusCode::OK, "whole ones are not");
    drop(held);
    assert_eq!(ask_uri(&service, "/metrics?zone=b").await.0, StatusCode::OK);
}

#[tokio::test]
async fn scrapes_that_wait_for_a_gather_keep_no_filtered_page_from_others() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).without_self_metrics();
    let mut waiting: Vec<_> = (0..20)
        .map(|at| {
            let uri = format!("/metrics?name[]=gather_number&zone=&zone={at}");
            service.clone().call(Request::get(uri).body(()).unwrap())
        })
        .collect();
    assert!(waiting.iter_mut().all(|scrape| poll(scrape).is_pending()));
    gate.let_pass(1);
    for scrape in waiting {
        let response = scrape.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(samples(std::str::from_utf8(&bytes(response).await).unwrap()).len(), 1);
    }
    assert_eq!(gate.begun(), 1, "filters share a gather");
}

#[tokio::test(start_paused = true)]
async fn gathers_in_flight_are_limited_and_the_refused_are_told_when_to_come_again() {
    let gate = Gated::new();
    let service = MetricsService::new(gate.clone()).max_gathers(1);
    let mut first = ask(&service, &[("x-prometheus-scrape-timeout-seconds", "2")]);
    assert!(poll(&mut first).is_pending());
    let mut same = ask(&service, &[]);
    assert!(poll(&mut same).is_pending(), "the same gather is shared");
    // Past its deadline it is joined no more, but as long as somebody waits it goes on.
    tokio::time::advance(Duration::from_millis(1_600)).await;
    let refused = scrape(&service).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(bytes(refused).await, b"too many scrapes at the same time\n");
    gate.let_pass(2);
    assert_eq!(same.await.unwrap().status(), StatusCode::OK);
    let text = page(&service).await;
    assert!(text.contains("narthex_scrapes_refused_total{reason=\"gathers\"} 1\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn g03_a_page_is_taken_back_from_readers_that_have_stalled() {
    let service = MetricsService::new(large());
    let mut first = scrape(&service).await.into_body();
    let mut second = scrape(&service).await.into_body();
    tokio::time::advance(Duration::from_millis(800)).await;
    first.frame().await.unwrap().unwrap();
    tokio::time::advance(Duration::from_millis(400)).await;
    second.frame().await.unwrap().unwrap();
    assert_eq!(scrape(&service).await.status(), StatusCode::SERVICE_UNAVAILABLE, "both go on");
    // The first has taken nothing for half a second, the second has.
    tokio::time::advance(Duration::from_millis(100)).await;
    assert!(page(&service).await.len() > 1_000_000);
    let broken = first.collect().await.unwrap_err();
    let cause = std::error::Error::source(&broken).unwrap();
    assert_eq!(cause.to_string(), "its reader was too slow while others waited for a page");
    assert!(second.collect().await.is_ok());
    assert!(page(&service).await.contains("narthex_responses_revoked_total 1\n"));
}

#[tokio::test(start_paused = true)]
async fn g03_a_page_is_taken_back_from_readers_that_have_outlived_their_own_timeout() {
    for (timeout, patience) in [("4", 4), ("86400", 60)] {
        let service = MetricsService::new(large());
        let headers = [("x-prometheus-scrape-timeout-seconds", timeout)];
        let mut slow = [
            ask(&service, &headers).await.unwrap().into_body(),
            ask(&service, &headers).await.unwrap().into_body(),
        ];
        for _ in 1..patience {
            tokio::time::advance(Duration::from_secs(1)).await;
            for body in &mut slow {
                body.frame().await.unwrap().unwrap();
            }
            assert_eq!(scrape(&service).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(scrape(&service).await.status(), StatusCode::OK, "after {patience} s");
    }
}

//! `MetricsLayer` around services of every kind.

use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use narthex_core::Registry;
use narthex_http::{Body, MetricNames, MetricsLayer, MetricsLayerBuilder, StatusLabel};
use narthex_test::conformance;
use tower_layer::Layer;
use tower_service::Service;

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, &'static str>> + Send>>;

/// A service that is a function.
#[derive(Clone)]
struct Does(Arc<dyn Fn() -> Answer + Send + Sync>);

fn does<F>(answer: impl Fn() -> F + Send + Sync + 'static) -> Does
where
    F: Future<Output = Result<Response<Body>, &'static str>> + Send + 'static,
{
    Does(Arc::new(move || Box::pin(answer())))
}

impl<B> Service<Request<B>> for Does {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = Answer;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<B>) -> Answer {
        (self.0)()
    }
}

impl hyper::service::Service<Request<()>> for Does {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = Answer;

    fn call(&self, _request: Request<()>) -> Answer {
        (self.0)()
    }
}

fn ok(body: impl Into<Body>) -> Result<Response<Body>, &'static str> {
    Ok(Response::new(body.into()))
}

/// A body of two frames that goes on as it is told.
struct Parts(Vec<Option<Result<&'static str, &'static str>>>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        match self.0.remove(0) {
            None => Poll::Pending,
            Some(Ok("panic")) => panic!("the body is broken"),
            Some(part) => Poll::Ready(Some(part.map(|part| Frame::data(part.into())))),
        }
    }
}

fn parts(parts: &[Option<Result<&'static str, &'static str>>]) -> Body {
    Body::new(Parts(parts.to_vec()))
}

/// A layer around a service, and the page that it makes.
struct Rig {
    registry: Registry,
    service: narthex_http::MetricsMiddleware<Does>,
}

fn rig_with(
    service: Does,
    options: impl FnOnce(MetricsLayerBuilder) -> MetricsLayerBuilder,
) -> Rig {
    let registry = Registry::new();
    let layer = options(MetricsLayer::builder()).register(&registry).unwrap();
    Rig { registry, service: layer.layer(service) }
}

fn rig(service: Does) -> Rig {
    rig_with(service, |options| options)
}

impl Rig {
    fn call(&mut self, request: Request<()>) -> narthex_http::MeasuredFuture<Answer> {
        Service::call(&mut self.service, request)
    }

    /// All series of a family: the labels, blanks between them, and the value.
    fn series(&self, family: &str) -> Vec<(String, f64)> {
        let scrape = self.registry.gather();
        let Some(family) = scrape.family(family) else { return Vec::new() };
        let mut series: Vec<_> = family
            .metrics()
            .map(|metric| {
                let labels: Vec<_> = metric.labels().map(|(_, value)| value.into_owned()).collect();
                (labels.join(" "), metric.number().unwrap_or(f64::NAN))
            })
            .collect();
        series.sort_by(|a, b| a.0.cmp(&b.0));
        series
    }

    #[track_caller]
    fn check(&self, family: &str, expected: &[(&str, f64)]) {
        let expected: Vec<_> =
            expected.iter().map(|&(labels, value)| (labels.to_owned(), value)).collect();
        assert_eq!(self.series(family), expected);
    }

    /// The count and the sum of a histogram's only series.
    fn histogram(&self, family: &str) -> Option<(u64, f64)> {
        let scrape = self.registry.gather();
        let metric = scrape.family(family)?.metric(0)?;
        match metric.value() {
            narthex_core::model::Value::Histogram(histogram) => {
                Some((histogram.counts().iter().sum(), histogram.sum()))
            }
            other => panic!("not a histogram: {other:?}"),
        }
    }
}

fn get(path: &str) -> Request<()> {
    Request::get(path).body(()).unwrap()
}

#[tokio::test]
async fn a31_a_request_is_counted_timed_and_weighed() {
    let mut rig = rig(does(|| ready(ok("hello"))));
    let request = Request::post("/a").header("content-length", "1000").body(()).unwrap();
    let response = rig.call(request).await.unwrap();
    rig.check("http_requests_in_flight", &[("POST unmatched", 1.0)]);
    rig.check("http_requests_total", &[]);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    rig.check("http_requests_in_flight", &[("POST unmatched", 0.0)]);
    rig.check("http_requests_total", &[("POST unmatched 200", 1.0)]);
    assert_eq!(rig.histogram("http_request_size_bytes"), Some((1, 1000.0)));
    assert_eq!(rig.histogram("http_response_size_bytes"), Some((1, 5.0)));
    assert_eq!(rig.histogram("http_request_duration_seconds").unwrap().0, 1);
}

/// Every way in which a request can end, and the only count that it leaves.
#[tokio::test]
async fn a35_each_request_is_counted_once_whatever_becomes_of_it() {
    let whole = || parts(&[Some(Ok("a")), Some(Ok("b"))]);
    let half = || parts(&[Some(Ok("a")), None]);
    let broken = || parts(&[Some(Ok("a")), Some(Err("gone"))]);
    let status = |code: u16, body: Body| {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(code).unwrap();
        Ok(response)
    };
    let cases: [(&str, Does, &str); 12] = [
        ("whole", does(move || ready(ok(whole()))), "200"),
        ("one frame", does(|| ready(ok("a"))), "200"),
        ("empty", does(|| ready(ok(Body::empty()))), "200"),
        ("no content", does(move || ready(status(204, half()))), "204"),
        ("not found", does(move || ready(status(404, whole()))), "404"),
        ("websocket", does(move || ready(status(101, half()))), "101"),
        ("body half-way", does(move || ready(ok(half()))), "aborted"),
        ("body unread", does(move || ready(ok(whole()))), "aborted"),
        ("no answer", does(pending), "aborted"),
        ("error", does(|| ready(Err("no"))), "failed"),
        ("body error", does(move || ready(ok(broken()))), "failed"),
        ("panic", does(|| async { panic!("the service is broken") }), "failed"),
    ];
    for (name, service, expected) in cases {
        let mut rig = rig(service);
        let call = rig.call(get("/"));
        let read = name != "body unread" && name != "no content" && name != "websocket";
        // As a server does it: in a task, which a panic ends and the client's departure as well.
        let task = tokio::spawn(async move {
            let mut body = call.await?.into_body();
            while let Some(frame) = if read { body.frame().await } else { None } {
                frame.map_err(|_| "broken")?;
            }
            Ok::<_, &'static str>(())
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let _ = task.await;
        rig.check("http_requests_total", &[(&format!("GET unmatched {expected}"), 1.0)]);
        rig.check("http_requests_in_flight", &[("GET unmatched", 0.0)]);
        assert_eq!(rig.histogram("http_request_duration_seconds").unwrap().0, 1, "{name}");
    }
}

#[tokio::test]
async fn a35_a_body_that_panics_is_a_failed_request() {
    let mut rig = rig(does(|| ready(ok(parts(&[Some(Ok("a")), Some(Ok("panic"))])))));
    let call = rig.call(get("/"));
    let task = tokio::spawn(async move { call.await.unwrap().into_body().collect().await.is_ok() });
    assert!(task.await.unwrap_err().is_panic());
    rig.check("http_requests_total", &[("GET unmatched failed", 1.0)]);
    rig.check("http_requests_in_flight", &[("GET unmatched", 0.0)]);
}

#[tokio::test]
async fn a35_a_failure_is_not_mended_by_the_end_of_the_body() {
    let mut rig = rig(does(|| ready(ok(parts(&[Some(Ok("a")), Some(Err("gone"))])))));
    let mut body = rig.call(get("/")).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.is_none());
    drop(body);
    rig.check("http_requests_total", &[("GET unmatched failed", 1.0)]);
}

#[tokio::test]
async fn a35_a_response_of_known_length_is_whole_when_that_is_sent() {
    // Hyper stops asking then, so that the end of the body is never seen.
    let mut rig = rig(does(|| {
        let mut response = Response::new(parts(&[Some(Ok("ab")), None]));
        response.headers_mut().insert("content-length", 2.into());
        ready(Ok(response))
    }));
    let mut body = rig.call(get("/")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    rig.check("http_requests_total", &[("GET unmatched 200", 1.0)]);
}

#[tokio::test]
async fn a35_a_head_request_is_whole_without_a_body() {
    let mut rig = rig(does(|| ready(ok("hello"))));
    let request = Request::head("/").body(()).unwrap();
    drop(rig.call(request).await.unwrap());
    rig.check("http_requests_total", &[("HEAD unmatched 200", 1.0)]);
}

#[tokio::test]
async fn a33_methods_and_paths_of_a_clients_invention_make_no_series() {
    let mut rig = rig(does(|| ready(ok(Body::empty()))));
    for at in 0..1_000 {
        let method = Method::from_bytes(format!("WEIRD{at}").as_bytes()).unwrap();
        let request = Request::builder().method(method).uri(format!("/nope/{at}"));
        drop(rig.call(request.body(()).unwrap()).await.unwrap());
    }
    let known = ["GET", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "HEAD"];
    for method in known {
        let request = Request::builder().method(method).body(()).unwrap();
        drop(rig.call(request).await.unwrap());
    }
    let series = rig.series("http_requests_total");
    assert_eq!(series.len(), 10, "{series:?}");
    assert!(series.contains(&("other unmatched 200".into(), 1_000.0)), "{series:?}");
}

#[tokio::test]
async fn a36_an_upgrade_is_a_request_like_any_other() {
    let mut rig = rig(does(|| {
        let mut response = Response::new(parts(&[None]));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        ready(Ok(response))
    }));
    let request = Request::get("/socket").header("upgrade", "websocket").body(()).unwrap();
    drop(rig.call(request).await.unwrap());
    rig.check("http_requests_total", &[("GET unmatched 101", 1.0)]);
    rig.check("http_requests_in_flight", &[("GET unmatched", 0.0)]);
}

#[tokio::test]
async fn a34_statuses_can_be_grouped() {
    let mut rig = rig_with(
        does(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            ready(Ok(response))
        }),
        |options| options.status(StatusLabel::Class),
    );
    drop(rig.call(get("/")).await.unwrap());
    rig.check("http_requests_total", &[("GET unmatched 4xx", 1.0)]);
}

#[tokio::test]
async fn a32_requests_can_be_left_out_by_path_prefix_and_predicate() {
    let paths = ["/metrics", "/metrics/", "/favicon.ico", "/metrics/x", "/static/a/b", "/hidden"];
    let counted = async |options: fn(MetricsLayerBuilder) -> MetricsLayerBuilder| {
        let by_path = |builder: MetricsLayerBuilder| {
            options(builder.path(|request| Some(request.uri.path().to_owned())))
        };
        let mut rig = rig_with(does(|| ready(ok(Body::empty()))), by_path);
        for path in paths {
            drop(rig.call(get(path)).await.unwrap());
        }
        let series = rig.series("http_requests_total");
        let path = |labels: &str| labels.split(' ').nth(1).unwrap_or_default().to_owned();
        series.iter().map(|(labels, _)| path(labels)).collect::<Vec<_>>()
    };
    assert_eq!(counted(|options| options).await, ["/hidden", "/metrics/x", "/static/a/b"]);
    assert_eq!(counted(|options| options.exclude([""; 0])).await.len(), 6);
    let patterns = |options: MetricsLayerBuilder| options.exclude(["/metrics*", "/static/*"]);
    assert_eq!(counted(patterns).await, ["/favicon.ico", "/hidden"]);
    let predicate = |options: MetricsLayerBuilder| {
        options.exclude_if(|request| request.uri.path() == "/hidden")
    };
    assert_eq!(counted(predicate).await, ["/metrics/x", "/static/a/b"]);
}

#[tokio::test]
async fn a30_layers_of_one_registry_count_together_and_a_clash_is_an_error() {
    let registry = Registry::new();
    for _ in 0..2 {
        let layer = MetricsLayer::builder().const_label("service", "shop").register(&registry);
        let mut service = layer.unwrap().layer(does(|| ready(ok(Body::empty()))));
        drop(Service::call(&mut service, get("/")).await.unwrap());
    }
    let labels = [("service", "shop"), ("method", "GET"), ("path", "unmatched"), ("status", "200")];
    assert_eq!(registry.gather().value("http_requests_total", &labels), Some(2.0));
    let error = MetricsLayer::builder().duration_buckets([1.0]).register(&registry).unwrap_err();
    assert!(error.to_string().contains("http_request"), "{error}");
}

/// Which labels promhttp takes on the metrics of its users. A layer's metrics are its own, as are
/// those of their labels that requests tell apart, so that what users add are constant labels.
#[tokio::test]
async fn constant_labels_are_taken_as_client_golang_takes_them() {
    /// A constant `method` is one that its metrics may have in place of their own, and ours not.
    const DEVIATION: &str = "supported label as const and curry";
    let Some(folder) = conformance("registry") else { return };
    let cases = std::fs::read(folder.join("http_middleware_label_check.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases).unwrap();
    let mut compared = 0;
    for case in &cases {
        // Bytes that are no UTF-8 are in no string of ours; what stands for them is no name either.
        let text = |name: &serde_json::Value| match name["base64"].as_str() {
            Some(bytes) => String::from_utf8_lossy(&BASE64.decode(bytes).unwrap()).into_owned(),
            None => name.as_str().unwrap().to_owned(),
        };
        let names = |key: &str| -> Vec<String> {
            case[key].as_array().into_iter().flatten().map(text).collect()
        };
        let is_their_own = |name: &String| ["code", "method"].contains(&name.as_str());
        if case["metricName"] != "" || !names("varLabels").iter().all(is_their_own) {
            assert_eq!(case["ok"], false, "nothing of ours says what they refuse: {case}");
            continue;
        }
        let constant = [names("constLabels"), names("curriedLabels")].concat();
        let builder = MetricsLayer::builder();
        let builder = constant.iter().fold(builder, |builder, name| builder.const_label(name, "x"));
        let registry = Registry::new();
        let layer = builder.register(&registry);
        let expected = case["ok"] == true && case["case"] != DEVIATION;
        assert_eq!(layer.is_ok(), expected, "{case}");
        if let Ok(layer) = layer {
            let mut service = layer.layer(does(|| ready(ok(Body::empty()))));
            drop(Service::call(&mut service, get("/")).await.unwrap());
            let scrape = registry.gather();
            let requests = scrape.family("http_requests_total").unwrap().metric(0).unwrap();
            let labels: Vec<_> = constant.iter().map(|name| (name.as_str(), "x")).collect();
            assert!(requests.matches(&labels), "{case}");
        }
        compared += 1;
    }
    assert_eq!((compared, cases.len()), (11, 16));
}

#[tokio::test]
async fn a31_a35_the_names_of_aioprometheus_count_as_it_does_but_once() {
    /// An answer, the three totals and the series of the statuses.
    type Case = (fn() -> Answer, [f64; 3], &'static [(&'static str, f64)]);
    let answers: [Case; 5] = [
        (|| Box::pin(ready(ok("a"))), [1.0, 1.0, 0.0], &[("GET unmatched 200", 1.0)]),
        (|| Box::pin(ready(Err("no"))), [1.0, 1.0, 1.0], &[("GET unmatched 500", 1.0)]),
        (|| Box::pin(async { panic!("no") }), [1.0, 1.0, 1.0], &[("GET unmatched 500", 1.0)]),
        // The response had begun: it is not a second one.
        (
            || Box::pin(ready(ok(parts(&[Some(Err("gone"))])))),
            [1.0, 1.0, 1.0],
            &[("GET unmatched 200", 1.0)],
        ),
        (|| Box::pin(pending()), [1.0, 0.0, 0.0], &[]),
    ];
    for (answer, [requests, responses, exceptions], statuses) in answers {
        let mut rig = rig_with(does(answer), |options| options.names(MetricNames::Aioprometheus));
        let call = rig.call(get("/"));
        let task = tokio::spawn(async move {
            let _ = call.await?.into_body().collect().await;
            Ok::<_, &'static str>(())
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let _ = task.await;
        let total = |family: &str| rig.series(family).first().map_or(0.0, |(_, value)| *value);
        assert_eq!(total("requests_total_counter"), requests);
        assert_eq!(total("responses_total_counter"), responses);
        assert_eq!(total("exceptions_total_counter"), exceptions);
        rig.check("status_codes_counter", statuses);
    }
}

#[tokio::test]
async fn a37_a_hyper_service_is_measured_as_well() {
    let rig = rig(does(|| ready(ok("hello"))));
    let call = hyper::service::Service::call(&rig.service, get("/"));
    call.await.unwrap().into_body().collect().await.unwrap();
    rig.check("http_requests_total", &[("GET unmatched 200", 1.0)]);
}

#[test]
fn a_response_may_be_dropped_outside_of_a_runtime() {
    let mut rig = rig(does(|| ready(ok("hello"))));
    let mut call = Box::pin(rig.call(get("/")));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(response) = call.as_mut().poll(&mut cx) else { panic!("it is ready") };
    drop(response);
    rig.check("http_requests_total", &[("GET unmatched aborted", 1.0)]);
}

/// Bodies and services of any type fit.
#[tokio::test]
async fn other_bodies_fit() {
    #[derive(Clone)]
    struct Plain;

    impl Service<Request<Empty<Bytes>>> for Plain {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _request: Request<Empty<Bytes>>) -> Self::Future {
            ready(Ok(Response::new(Full::from("x"))))
        }
    }

    let mut service = MetricsLayer::register(&Registry::new()).unwrap().layer(Plain);
    let response = Service::call(&mut service, Request::new(Empty::new())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "x");
}

#[cfg(feature = "axum")]
mod with_axum {
    use axum::Router;
    use axum::routing::get as route;
    use narthex_core::Registry;
    use narthex_http::MetricsLayer;
    use tower_service::Service;

    fn router(registry: &Registry) -> Router {
        let nested = Router::new().route("/items/{item}", route(async || "item"));
        Router::new()
            .route("/users/{id}", route(async || "user"))
            .nest("/shop", nested)
            .layer(MetricsLayer::register(registry).unwrap())
    }

    #[tokio::test]
    async fn a33_paths_are_axums_templates_and_unmatched_ones_are_one() {
        let registry = Registry::new();
        let mut app = router(&registry);
        for path in ["/users/1", "/users/2", "/shop/items/7", "/nope/1", "/nope/2"] {
            let request = super::get(path).map(|()| axum::body::Body::empty());
            let response = app.call(request).await.unwrap();
            axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        }
        let rig =
            super::Rig { registry, service: super::rig(super::does(std::future::pending)).service };
        rig.check(
            "http_requests_total",
            &[
                ("GET /shop/items/{item} 200", 1.0),
                ("GET /users/{id} 200", 2.0),
                ("GET unmatched 404", 2.0),
            ],
        );
    }
}

//! The endpoints around the metrics.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response};
use narthex_http::{Body, MetricsService, Running, Server, Site};
use tower_service::Service;

use crate::client::{get, request};
use crate::gathers::{Gated, small};

async fn serve(site: impl Into<Site>) -> Running {
    Server::bind("127.0.0.1:0").await.unwrap().serve(site)
}

fn site() -> Site {
    Site::new(MetricsService::new(small()))
}

#[tokio::test]
async fn a27_the_endpoints_answer() {
    let running = serve(MetricsService::new(small())).await;
    let addr = running.local_addrs()[0];
    for (path, status, content_type, text) in [
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "temperature_celsius 21.5\n"),
        ("/", 200, "text/html; charset=utf-8", "href=\"./metrics\""),
        ("/-/healthy", 200, "text/plain; charset=utf-8", "healthy\n"),
        ("/-/ready", 200, "text/plain; charset=utf-8", "ready\n"),
        ("/robots.txt", 200, "text/plain; charset=utf-8", "User-agent: *\nDisallow: /\n"),
        ("/nothing", 404, "text/plain; charset=utf-8", "not found\n"),
    ] {
        let reply = get(addr, path).await;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.text().contains(text), "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn a27_b25_head_is_get_without_the_body() {
    let site = Site::new(MetricsService::new(small()).without_self_metrics());
    let running = serve(site).await;
    let addr = running.local_addrs()[0];
    for path in ["/metrics", "/", "/-/healthy", "/-/ready", "/robots.txt", "/nothing"] {
        for headers in ["", "Accept-Encoding: gzip\r\n"] {
            let get = request(addr, "GET", path, headers).await;
            let head = request(addr, "HEAD", path, headers).await;
            assert_eq!(head.status, get.status, "{path}");
            assert_eq!(head.headers(), get.headers(), "{path}");
            assert_eq!(get.header("content-length"), Some(&*get.body.len().to_string()), "{path}");
        }
    }
}

#[tokio::test]
async fn b25_only_get_and_head_are_allowed_and_paths_are_exact() {
    let running = serve(site()).await;
    let addr = running.local_addrs()[0];
    for path in ["/metrics", "/", "/-/healthy", "/-/ready", "/robots.txt"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let reply = request(addr, method, path, "").await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
    for path in [
        "/metrics/",
        "/Metrics",
        "//metrics",
        "/%6detrics",
        "/metrics/../metrics",
        "/-/",
        "/-/healthy/",
    ] {
        assert_eq!(get(addr, path).await.status, 404, "{path}");
    }
    assert_eq!(get(addr, "/metrics?x=/").await.status, 200);
}

#[tokio::test]
async fn c09_the_page_says_its_version_and_there_is_more_than_one_way_to_read_it() {
    let running = serve(site()).await;
    let addr = running.local_addrs()[0];
    let plain = get(addr, "/metrics").await;
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let zipped = request(addr, "GET", "/metrics", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let wanted = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    let open_metrics = request(addr, "GET", "/metrics", wanted).await;
    assert!(open_metrics.text().ends_with("# EOF\n"), "{}", open_metrics.text());
    assert_eq!(get(addr, "/").await.status, 200);
}

#[tokio::test]
async fn b05_the_metrics_may_be_anywhere() {
    let running = serve(site().metrics_path("/a/b").unwrap()).await;
    let addr = running.local_addrs()[0];
    assert_eq!(running.metrics_url(), format!("http://{addr}/a/b"));
    assert!(get(addr, "/a/b").await.text().contains("temperature_celsius 21.5\n"));
    assert_eq!(get(addr, "/metrics").await.status, 404);
    assert!(get(addr, "/").await.text().contains("href=\"./a/b\""));
}

#[tokio::test]
async fn b05_the_metrics_may_take_the_place_of_the_landing_page() {
    let running = serve(site().metrics_path("/").unwrap()).await;
    let addr = running.local_addrs()[0];
    assert_eq!(running.metrics_url(), format!("http://{addr}/"));
    assert!(get(addr, "/").await.text().contains("temperature_celsius 21.5\n"));
    assert_eq!(get(addr, "/metrics").await.status, 404);
    assert_eq!(get(addr, "/-/healthy").await.status, 200);
}

#[tokio::test]
async fn b05_paths_that_cannot_be_are_refused() {
    for (path, reason) in [
        ("metrics", "path `metrics` does not start with `/`"),
        ("", "path `` does not start with `/`"),
        ("/m/{x}", "path `/m/{x}` holds `{`, which no path can have as it is"),
        ("/m?x", "path `/m?x` holds `?`, which no path can have as it is"),
        ("/m n", "path `/m n` holds ` `, which no path can have as it is"),
        ("/m\n", "path `/m\\n` holds `\\n`, which no path can have as it is"),
        ("/-/ready", "path `/-/ready` is taken by another endpoint"),
        ("/robots.txt", "path `/robots.txt` is taken by another endpoint"),
        ("/status", "path `/status` is taken by another endpoint"),
    ] {
        let site = site().route("/status", Hello).unwrap();
        let error = site.metrics_path(path).unwrap_err();
        assert_eq!(error.to_string(), reason);
        assert_eq!(error.path(), path);
    }
}

#[tokio::test]
async fn b23_the_landing_page_names_the_exporter() {
    let site = site().name("thermo-exporter").version("1.4.0").description("Temperatures.");
    let running = serve(site).await;
    let reply = get(running.local_addrs()[0], "/").await;
    let text = reply.text();
    for part in [
        "<title>thermo-exporter</title>",
        "<h1>thermo-exporter<small>1.4.0</small></h1>",
        "<p>Temperatures.</p>",
        "<dt>State</dt><dd class=\"good\">ready</dd>",
        "<a href=\"./metrics\">Metrics<small>/metrics</small></a>",
        "<meta name=\"viewport\"",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
    assert_eq!(reply.header("x-frame-options"), Some("DENY"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn b23_hostile_text_stays_text_on_the_landing_page() {
    let hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&";
    let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\
                   &lt;img src=x onerror=alert(1)&gt;&amp;";
    let site =
        site().name(hostile).version(hostile).description(hostile).metrics_path("/&'()").unwrap();
    let running = serve(site).await;
    let reply = get(running.local_addrs()[0], "/").await;
    let text = reply.text();
    // Title, heading, version and description.
    assert_eq!(text.matches(escaped).count(), 4, "{text}");
    assert!(text.contains("href=\"./&amp;&#39;()\""), "{text}");
    assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
}

#[tokio::test]
async fn b24_every_response_names_the_server() {
    let site = site().name("thermo-exporter").version("1.4.0").route("/own", Hello).unwrap();
    let running = serve(site).await;
    let addr = running.local_addrs()[0];
    for (method, path, headers) in [
        ("GET", "/metrics", ""),
        ("HEAD", "/", ""),
        ("GET", "/nothing", ""),
        ("POST", "/metrics", ""),
        ("GET", "/own", ""),
        ("GET", "/metrics", "Host: twice\r\n"),
    ] {
        let reply = request(addr, method, path, headers).await;
        assert_eq!(reply.header("server"), Some("thermo-exporter/1.4.0"), "{method} {path}");
    }
}

#[tokio::test]
async fn b24_the_server_header_is_one_whatever_the_name() {
    let running = serve(site().name("my exporter\r\nX-Evil: 1 \u{e9}").version("")).await;
    let reply = get(running.local_addrs()[0], "/-/healthy").await;
    assert_eq!(reply.header("server"), Some("my-exporter--X-Evil--1--"));
    assert_eq!(reply.header("x-evil"), None);
}

#[tokio::test]
async fn health_endpoints_do_not_gather() {
    let gate = Gated::new();
    let running = serve(MetricsService::new(gate.clone())).await;
    let addr = running.local_addrs()[0];
    for path in ["/", "/-/healthy", "/-/ready", "/robots.txt", "/nothing"] {
        get(addr, path).await;
    }
    assert_eq!(gate.begun(), 0);
}

#[tokio::test]
async fn readiness_can_be_switched() {
    let site = site();
    let readiness = site.readiness();
    readiness.not_ready();
    let running = serve(site).await;
    let addr = running.local_addrs()[0];
    let reply = get(addr, "/-/ready").await;
    assert_eq!((reply.status, reply.text()), (503, "not ready\n"));
    assert_eq!(get(addr, "/-/healthy").await.status, 200);
    readiness.ready();
    assert_eq!(get(addr, "/-/ready").await.status, 200);
}

#[tokio::test]
async fn own_routes_see_their_requests_and_clashes_are_refused() {
    let own = site().route("/own", Hello).unwrap();
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/robots.txt", "/own"] {
        let error = own.clone().route(path, Hello).unwrap_err();
        assert_eq!(error.to_string(), format!("path `{path}` is taken by another endpoint"));
    }
    let running = serve(own).await;
    let addr = running.local_addrs()[0];
    assert_eq!(request(addr, "POST", "/own?x=1", "").await.text(), "POST /own?x=1");
    assert_eq!(get(addr, "/own/").await.status, 404);
}

#[tokio::test]
async fn an_own_route_that_fails_is_an_error_of_the_server() {
    let running = serve(site().route("/own", Broken).unwrap()).await;
    let reply = get(running.local_addrs()[0], "/own").await;
    assert_eq!((reply.status, reply.text()), (500, "the request failed\n"));
}

/// Says what it was asked.
#[derive(Clone)]
struct Hello;

impl Service<Request<Body>> for Hello {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(format!("{} {}", request.method(), request.uri()))))
    }
}

#[derive(Clone)]
struct Broken;

impl Service<Request<Body>> for Broken {
    type Response = Response<String>;
    type Error = std::io::Error;
    type Future = Ready<Result<Response<String>, std::io::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Body>) -> Self::Future {
        ready(Err(std::io::Error::other("no disk")))
    }
}

//! The landing page of a running exporter, in a real browser.

#![expect(clippy::print_stdout, reason = "goals print what they measured")]
#![expect(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod hostile;

use std::net::SocketAddr;

use narthex_core::{Counter, Registry};
use narthex_exporter::{Exporter, ExporterError, ExporterHandle, ScrapeContext, WebArgs};
use narthex_http::MetricsService;
use narthex_test::{Chromedriver, Nginx};
use serde_json::json;
use thirtyfour::{By, ChromeCapabilities, ChromiumLikeCapabilities, WebDriver};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const PHONE: u32 = 390;
const DESK: u32 = 1280;

/// An exporter that serves in this process.
struct Serving {
    handle: ExporterHandle,
    task: JoinHandle<Result<(), ExporterError>>,
}

impl Serving {
    async fn start(exporter: Exporter) -> Self {
        let (bound, started) = oneshot::channel();
        let exporter = exporter.on_startup(async move |handle| {
            // Sockets are bound by now: who connects is answered as soon as the exporter serves.
            bound.send(handle).map_err(|_| "the test has ended".into())
        });
        let task = tokio::spawn(exporter.run());
        Self { handle: started.await.unwrap(), task }
    }

    fn address(&self) -> SocketAddr {
        self.handle.local_addrs()[0]
    }

    async fn stop(self) {
        self.handle.shutdown();
        self.task.await.unwrap().unwrap();
    }
}

fn web() -> WebArgs {
    let mut web = WebArgs::default();
    web.host = vec!["127.0.0.1".to_owned()];
    web.port = 0;
    web
}

fn thermo() -> Exporter {
    let registry = Registry::new();
    Counter::builder("readings_total", "Readings taken.").register(&registry).unwrap().inc();
    Exporter::new("thermo-exporter", registry, web())
        .version("1.4.0")
        .description("Temperatures of every room in the house, read from the bus once a scrape.")
        .detail("Revision", "4f2a9c1")
        .source("living-room", |scrape: ScrapeContext| async move {
            scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
        })
        .source("cellar", |_: ScrapeContext| async { Err::<(), _>("the bus does not answer") })
        .route("/calibration", MetricsService::new(Registry::new()))
}

/// A browser with a window of this width.
async fn open(driver: &Chromedriver, width: u32) -> WebDriver {
    let mut wanted = ChromeCapabilities::new();
    wanted.set_binary(driver.browser()).unwrap();
    for argument in driver.arguments() {
        wanted.add_arg(&argument).unwrap();
    }
    let browser = WebDriver::new(driver.url(), wanted).await.unwrap();
    let metrics = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": false});
    browser.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    browser
}

/// The text of the page that is open.
async fn text(browser: &WebDriver) -> String {
    browser.find(By::Css("body")).await.unwrap().text().await.unwrap()
}

/// Opens each link of the page at `home` by a click, and tells where it leads and what is there.
async fn follow_links(browser: &WebDriver, home: &str) -> Vec<(String, String)> {
    browser.goto(home).await.unwrap();
    let count = browser.find_all(By::Css("a")).await.unwrap().len();
    let mut pages = Vec::new();
    for at in 0..count {
        browser.goto(home).await.unwrap();
        browser.find_all(By::Css("a")).await.unwrap()[at].click().await.unwrap();
        let url = browser.current_url().await.unwrap().to_string();
        pages.push((url.replace(home, ""), text(browser).await));
    }
    pages
}

fn check_pages(pages: &[(String, String)]) {
    let found: Vec<_> = pages.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(found, ["metrics", "-/healthy", "-/ready", "calibration"]);
    let on = |path: &str| &pages.iter().find(|(found, _)| found == path).unwrap().1;
    assert!(on("metrics").contains("temperature_celsius 21.5"), "{}", on("metrics"));
    assert_eq!(on("-/healthy").trim(), "healthy");
    assert_eq!(on("-/ready").trim(), "ready");
    assert!(on("calibration").contains("narthex_scrapes_total"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b23_real_chromium_opens_the_landing_page_and_follows_its_links() {
    let Some(driver) = Chromedriver::start() else { return };
    let serving = Serving::start(thermo()).await;
    let home = format!("http://{}/", serving.address());
    for width in [DESK, PHONE] {
        let browser = open(&driver, width).await;
        check_pages(&follow_links(&browser, &home).await);

        browser.goto(&home).await.unwrap();
        assert_eq!(browser.title().await.unwrap(), "thermo-exporter");
        let text = text(&browser).await;
        for part in [
            "1.4.0",
            "Temperatures of every room",
            "living-room ok",
            "cellar failed: error",
            "registry ok",
            "Revision",
            "4f2a9c1",
        ] {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
        assert!(!text.contains("the bus does not answer"), "errors may hold secrets:\n{text}");
        // Nothing lies beyond the screen's edge.
        let script = "return document.documentElement.scrollWidth";
        let wide = browser.execute(script, Vec::new()).await.unwrap();
        assert_eq!(wide.json().as_u64(), Some(u64::from(width)));
        browser.quit().await.unwrap();
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b23_real_nginx_on_a_path_prefix_keeps_the_links() {
    let Some(driver) = Chromedriver::start() else { return };
    let serving = Serving::start(thermo()).await;
    let Some(nginx) = Nginx::start(serving.address(), "/house/thermo/") else { return };
    let browser = open(&driver, DESK).await;
    let home = format!("http://{}/house/thermo/", nginx.address());
    check_pages(&follow_links(&browser, &home).await);
    browser.quit().await.unwrap();
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the pictures in docs, for people to look at"]
async fn real_chromium_takes_pictures_of_the_landing_page() {
    let Some(driver) = Chromedriver::start() else { return };
    let serving = Serving::start(thermo()).await;
    let home = format!("http://{}/", serving.address());
    narthex_test::get(&format!("{home}metrics"), &[]).unwrap();
    for (width, size) in [(DESK, "wide"), (PHONE, "phone")] {
        let browser = open(&driver, width).await;
        for scheme in ["light", "dark"] {
            let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            browser.cdp().send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
            browser.goto(&home).await.unwrap();
            let file = format!("{}/landing-{size}-{scheme}.png", env!("CARGO_TARGET_TMPDIR"));
            browser.screenshot(file.as_ref()).await.unwrap();
            println!("{file}");
        }
        browser.quit().await.unwrap();
    }
    serving.stop().await;
}

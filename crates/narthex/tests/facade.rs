//! What a user reaches through the one crate.

#![cfg(feature = "exporter")]

use narthex::{Counter, Encoder, Format, Gauge, Histogram, Registry};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    web: narthex::exporter::WebArgs,
}

#[tokio::test]
async fn a01_every_layer_is_reachable_and_works_alone() {
    // Instruments and registry, rendered by hand.
    let registry = Registry::new();
    Counter::builder("c_total", "C.").register(&registry).unwrap().inc();
    Gauge::builder("g", "G.").register(&registry).unwrap().set(2.0);
    Histogram::builder("h", "H.").buckets([1.0]).register(&registry).unwrap().observe(0.5);
    let mut page = Vec::new();
    let format = Format::negotiate(["text/plain"]);
    Encoder::new(format)
        .encode(&registry.gather(), |chunk| std::io::Write::write_all(&mut page, chunk))
        .unwrap();
    assert!(page.starts_with(b"# HELP c_total C.\n# TYPE c_total counter\nc_total 1\n"));

    // Collectors for the process and the machine.
    let collected = Registry::new();
    collected.register(narthex::process::ProcessCollector::new()).unwrap();
    assert!(collected.gather().family("process_threads").is_some());

    // The server.
    let server = narthex::Server::bind("127.0.0.1:0").await.unwrap();
    let server = server.serve(narthex::MetricsService::new(registry));
    let url = server.metrics_url();
    let served = tokio::task::spawn_blocking(move || narthex_test::get(&url, &[])).await.unwrap();
    let served = served.unwrap();
    assert_eq!(served.status, 200);
    assert!(served.text().contains("\nc_total 1\n"));
    server.shutdown().await.unwrap();

    // The exporter's settings.
    let settings = narthex::exporter::Settings::new("A01").default_port(9001);
    let nothing: [(&str, &str); 0] = [];
    let cli: Cli = settings.try_parse_from(["a01"], nothing, "/".as_ref()).unwrap();
    assert_eq!(cli.web.port, 9001);
}

#[cfg(feature = "testing")]
#[test]
fn users_test_their_metrics_in_one_line() {
    use narthex::format::lint::lint;
    use narthex::format::parse::{Mode, Syntax, parse};
    use narthex::testing::{assert_clean, assert_families, assert_value, snapshot};

    let registry = Registry::new();
    Counter::builder("jobs_total", "Jobs done.").register(&registry).unwrap().inc_by(3);
    let scrape = registry.gather();
    assert_value(&scrape, "jobs_total", &[], 3.0);
    let page = "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total 3\n";
    assert_families(&scrape, page);
    assert!(snapshot(&scrape).contains("jobs_total 3\n"));

    let mut written = Vec::new();
    Format::TEXT.encode(&scrape, &mut written);
    assert_clean(&written);
    assert_eq!(written, page.as_bytes());
    let read = parse(Syntax::Text, &written, Mode::Strict).unwrap();
    assert_eq!(lint(&read), []);
}

//! Exporters from a file, with sources of their own beside it.

use narthex_exporter::{Exporter, ExporterHandle, ScrapeContext};
use narthex_test::Endpoint;

use crate::client::get;

/// Runs an exporter until it was scraped once; gives the page.
async fn page(exporter: Exporter) -> String {
    let (send, page) = tokio::sync::oneshot::channel();
    let scrape = move |handle: ExporterHandle| async move {
        tokio::spawn(async move {
            let addr = handle.local_addrs()[0];
            let page = tokio::task::spawn_blocking(move || get(addr, "/metrics")).await.unwrap();
            let _ = send.send(page);
            handle.shutdown();
        });
        Ok(())
    };
    exporter.on_startup(scrape).run().await.unwrap();
    page.await.unwrap()
}

#[tokio::test]
async fn a_file_and_sources_of_the_program_share_a_page() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let toml = format!(
        "listen_ip = '127.0.0.1'\nlisten_port = 0\n[labels]\nzone = 'a'\n\
         [metrics.constant]\nvalue = 7\n\
         [json.e]\nendpoint = '{}'\nmetrics.m.path = 'a'\n",
        endpoint.url("/")
    );
    std::fs::write(&path, toml).unwrap();
    let exporter = Exporter::from_config(&path).unwrap().name("thermo-exporter").source(
        "sensor",
        |scrape: ScrapeContext| async move {
            scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
        },
    );
    let page = page(exporter).await;
    for line in [
        "constant{zone=\"a\"} 7",
        "m{endpoint=\"e\",zone=\"a\"} 1",
        "temperature_celsius{zone=\"a\"} 21.5",
        "narthex_source_success{source=\"json.e\"} 1",
        "narthex_source_success{source=\"sensor\"} 1",
        "narthex_config_last_reload_successful 1",
    ] {
        assert!(page.lines().any(|found| found.trim_end() == line), "`{line}` is not in {page}");
    }
    assert!(page.to_lowercase().contains("server: thermo-exporter"), "{page}");
}

#[test]
fn c06_a_file_that_is_not_there_is_an_error() {
    let error = Exporter::from_config("/no/config.toml").unwrap_err();
    assert_eq!(
        error.to_string(),
        "/no/config.toml: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn a_file_alone_knows_neither_the_program_nor_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "[host]\ncpu = false\n[sql]\n").unwrap();
    let error = Exporter::from_config(&path).unwrap_err();
    let errors: Vec<_> = error.all().iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].ends_with(":1: host: wrong type: expected a string, found a table"),
        "{errors:?}"
    );
    assert!(errors[1].ends_with(":3: unknown key `sql`"), "{errors:?}");
}

#[tokio::test]
async fn a_source_of_the_name_of_another_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "listen_port = 0\n[metrics.m]\n").unwrap();
    let exporter = Exporter::from_config(&path).unwrap();
    let error = exporter.source("metrics", |_: ScrapeContext| async {}).run().await.unwrap_err();
    assert_eq!(error.to_string(), "there are two sources called `metrics`");
}

//! `Accept-Encoding`, as the cases of client_golang have it.

use http::Request;
use narthex_http::MetricsService;
use narthex_test::conformance;
use tower_service::Service;

use crate::gathers::large;

/// The coding in which a page is sent.
async fn coding(accept_encoding: &str, compress: bool) -> String {
    let service = MetricsService::new(large()).without_self_metrics();
    let mut service = if compress { service } else { service.without_compression() };
    let request = Request::get("/metrics").header("accept-encoding", accept_encoding);
    let response = service.call(request.body(()).unwrap()).await.unwrap();
    let coding = response.headers().get("content-encoding");
    coding.map_or("identity", |coding| coding.to_str().unwrap()).to_owned()
}

/// What is sent where client_golang sends `theirs`: it goes by the order in which codings are
/// accepted, and we by their cost where they are equally welcome. So zstd wins where we have it.
fn ours<'a>(accept_encoding: &str, theirs: &'a str) -> &'a str {
    match cfg!(feature = "zstd") && accept_encoding.contains("zstd") {
        true => "zstd",
        false => theirs,
    }
}

#[tokio::test]
async fn b25_pages_are_compressed_as_client_golang_compresses_them() {
    let Some(folder) = conformance("negotiation") else { return };
    let cases = std::fs::read(folder.join("accept_encoding.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases).unwrap();
    for case in &cases {
        let offered = case["offeredCompressions"].as_array().unwrap();
        let compress = offered.iter().any(|coding| coding == "gzip");
        let accept = case["acceptEncoding"].as_str().unwrap();
        let mut expected = case["expectedCompression"].as_str().unwrap();
        if compress {
            expected = ours(accept, expected);
        }
        assert_eq!(coding(accept, compress).await, expected, "{case}");
    }
    assert_eq!(cases.len(), 5);
}

#[tokio::test]
async fn b25_qualities_count_as_in_client_golang() {
    let Some(folder) = conformance("negotiation") else { return };
    let table = std::fs::read_to_string(folder.join("accept_encoding_generic.tsv")).unwrap();
    let mut compared = 0;
    for row in table.lines().skip(1) {
        let [accept, offers, expected] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three cells in {row}")
        };
        if offers != "identity, gzip" {
            // The other rows are about another coding, which is not offered here.
            continue;
        }
        let accept: String = serde_json::from_str(accept).unwrap();
        // Who accepts nothing gets the page as it is, and is not turned away.
        let expected = if expected.is_empty() { "identity" } else { expected };
        assert_eq!(coding(&accept, true).await, ours(&accept, expected), "{row}");
        compared += 1;
    }
    assert_eq!(compared, 5);
}

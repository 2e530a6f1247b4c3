//! The third-party cases of the set `pushgateway`.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::GeneralPurpose;
use narthex_push::{PushErrorKind, Pusher};
use serde_json::Value;

use crate::support::{Server, answer, scrape};

/// The rows of a table but its head, by column.
fn table(file: &str) -> Option<Vec<Vec<String>>> {
    let folder = narthex_test::conformance("pushgateway")?;
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect());
    Some(rows.collect())
}

/// The path that a pusher for this group asks for, or the text of its error.
async fn path(job: &str, labels: &[(String, String)], utf8: bool) -> Result<String, String> {
    let server = Server::start(|_, _| answer("200 OK", "", ""));
    let mut pusher = Pusher::new(server.url(), job);
    for (name, value) in labels {
        pusher = pusher.grouping(name, value);
    }
    let pusher = if utf8 { pusher.utf8_names() } else { pusher };
    let pushed = pusher.push(&scrape()).await.map_err(|error| {
        assert_eq!(error.kind(), PushErrorKind::Settings);
        error.to_string()
    });
    pushed.map(|_| server.request().path)
}

fn labels(json: &str) -> Vec<(String, String)> {
    let Value::Object(labels) = serde_json::from_str(json).unwrap() else { panic!("{json}") };
    let text = |value: Value| value.as_str().unwrap().to_owned();
    labels.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// What a gateway reads from a path, by the rules of its documentation.
fn decoded(path: &str) -> Vec<(String, String)> {
    let parts: Vec<_> = path.split('/').skip(2).collect();
    let pairs = parts.chunks_exact(2).map(|pair| {
        let plain = percent_encoding::percent_decode_str(pair[1]).decode_utf8().unwrap();
        let Some(name) = pair[0].strip_suffix("@base64") else {
            return (pair[0].to_owned(), plain.into_owned());
        };
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let engine = GeneralPurpose::new(&base64::alphabet::URL_SAFE, config);
        let bytes = engine.decode(plain.trim_end_matches('=')).unwrap();
        (name.to_owned(), String::from_utf8(bytes).unwrap())
    });
    pairs.collect()
}

#[tokio::test]
async fn a42_groups_have_the_paths_that_other_clients_give_them() {
    let Some(rows) = table("url_encode.tsv") else { return };
    assert_eq!(rows.len(), 10);
    for row in rows {
        let [method, job, grouping, expected] = &row[..] else { panic!("{row:?}") };
        let path = path(job, &labels(grouping), method.contains("utf8")).await.unwrap();
        let allowed: Vec<_> = expected.split(" or ").collect();
        assert!(allowed.contains(&path.as_str()), "{path} of {row:?}");
    }
}

#[tokio::test]
async fn a42_what_the_server_reads_is_what_was_meant() {
    let Some(rows) = table("path_decode.tsv") else { return };
    assert_eq!(rows.len(), 11);
    for row in rows {
        let [name, mode, raw, result, json] = &row[..] else { panic!("{row:?}") };
        if result == "ok" {
            let meant = labels(json);
            let path = path("j", &meant, mode.contains("utf8")).await.unwrap();
            let escaped = |label: &str| label.replace('.', "_2e_");
            let mut read = decoded(&path);
            assert_eq!(read.remove(0), ("job".to_owned(), "j".to_owned()));
            for ((read, value), (name, meant)) in read.iter().zip(&meant) {
                let name =
                    if name.contains('.') { format!("U__{}", escaped(name)) } else { name.clone() };
                assert_eq!((read, value), (&name, meant), "{raw}");
            }
            assert_eq!(read.len(), meant.len());
            continue;
        }
        // What the server refuses in a path cannot be made with a pusher: either the label is
        // refused here, or its value is written so that the server does not refuse it.
        match name.as_str() {
            "invalid label name" => assert!(path("j", &pair("a=b"), false).await.is_err()),
            "reserved label name" => {
                assert!(path("j", &pair("__label_name1"), false).await.is_err());
            }
            "unencoded slash in label value" | "invalid base64 encoding" => {
                let labels = [("label_name2".to_owned(), "label/value2".to_owned())];
                let path = path("j", &labels, false).await.unwrap();
                assert_eq!(decoded(&path)[1], labels[0]);
            }
            other => panic!("an unknown case: {other}"),
        }
    }
}

fn pair(name: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), "label_value1".to_owned())]
}

#[tokio::test]
async fn a42_the_parameters_of_the_servers_own_tests_can_be_sent() {
    let Some(folder) = narthex_test::conformance("pushgateway") else { return };
    let text = std::fs::read_to_string(folder.join("push_handler_params.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 17);
    for case in &cases {
        let params = &case["params"];
        let job = params["job"].as_str().unwrap_or("");
        let raw = format!("/metrics/job/{job}{}", params["labels"].as_str().unwrap_or(""));
        let raw = match raw.contains("@base64") {
            true => raw.replacen("/job/", "/job@base64/", 1),
            false => raw,
        };
        let meant =
            if job.is_empty() { vec![(String::new(), String::new())] } else { decoded(&raw) };
        let labels: Vec<_> = meant[1..]
            .iter()
            .map(|(name, value)| (name.replace("U__", "").replace("_2e_", "."), value.clone()))
            .collect();
        let sent = path(&meant[0].1, &labels, raw.contains("U__")).await;
        if job.is_empty() {
            assert!(sent.is_err(), "{case}");
            continue;
        }
        let mut read = decoded(&sent.unwrap());
        let mut meant = meant;
        read.sort();
        meant.sort();
        assert_eq!(read, meant, "{case}");
    }
}

#[tokio::test]
async fn a43_statuses_mean_what_a_gateway_means_by_them() {
    let Some(folder) = narthex_test::conformance("pushgateway") else { return };
    let text = std::fs::read_to_string(folder.join("http_status.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 19);
    let mut tried = 0;
    for case in &cases {
        let (request, status) =
            (case["request"].as_str().unwrap(), case["status"].as_str().unwrap());
        let delete = request.starts_with("DELETE");
        if !delete && !["PUT", "POST"].iter().any(|method| request.starts_with(method)) {
            continue;
        }
        if request.contains("/api/") {
            continue;
        }
        tried += 1;
        let reason = format!("{status} X");
        let server = Server::start(move |_, _| answer(&reason, "", ""));
        let pusher = server.pusher();
        let result = if delete { pusher.delete().await } else { pusher.push(&scrape()).await };
        match result {
            Ok(pushed) => assert_eq!(pushed.status().as_str(), status, "{case}"),
            Err(error) => assert_eq!((error.status().unwrap().as_str(), "400"), (status, status)),
        }
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(tried, 14);
}

//! TLS: what is served, what is refused, and certificates that change.

use std::net::SocketAddr;
use std::time::Duration;

use narthex_core::Registry;
use narthex_http::{Running, Server, ServerMetrics, WebConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::certs::{Authority, Folder};
use crate::client::{Trust, exchange, raw};
use crate::page::empty;

/// A server with this configuration, its address and its metrics.
pub(crate) async fn serve(config: WebConfig) -> (Running, SocketAddr, ServerMetrics) {
    let server = Server::bind("127.0.0.1:0").await.unwrap().web_config(config).unwrap();
    let metrics = server.metrics();
    let running = server.serve(empty());
    let addr = running.local_addrs()[0];
    (running, addr, metrics)
}

/// The value of one of the server's metrics.
pub(crate) fn value(metrics: &ServerMetrics, name: &str, labels: &[(&str, &str)]) -> f64 {
    let registry = Registry::new();
    registry.register(metrics.clone()).unwrap();
    registry.gather().value(name, labels).unwrap()
}

#[tokio::test]
async fn b09_a_key_and_a_certificate_make_https() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    let (certificate, key) = folder.write_identity("server", &authority.server());
    let (running, addr, _) = serve(WebConfig::new().tls_files(certificate, key)).await;
    assert_eq!(running.metrics_url(), format!("https://{addr}/metrics"));
    for versions in [[&TLS12], [&TLS13]] {
        let trust = Trust::with(&authority, None, &versions);
        assert_eq!(trust.get(addr, "/metrics").await.unwrap().status, 200);
    }
    let stranger = Trust::of(&Authority::new("ca"));
    assert!(stranger.get(addr, "/metrics").await.is_err(), "the client checks who serves");
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_speaks_http_to_https_is_told_so() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    let (certificate, key) = folder.write_identity("server", &authority.server());
    let (running, addr, metrics) = serve(WebConfig::new().tls_files(certificate, key)).await;
    for request in [
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
    ] {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"));
    }
    let rubbish: [&[u8]; 4] =
        [b"\0\0\0\0", b"\x16\x03\x01\0\x05hello", b"\x80\x2e\x01\0\x02", b"get / HTTP/1.1\r\n"];
    for rubbish in rubbish {
        let answer = raw(addr, rubbish).await;
        assert!(!answer.contains("HTTP"), "{rubbish:?}: {answer:?}");
    }
    assert_eq!(Trust::of(&authority).get(addr, "/metrics").await.unwrap().status, 200);
    running.shutdown().await.unwrap();
    let cut = value(&metrics, "narthex_server_connections_cut_total", &[("reason", "handshake")]);
    assert_eq!(cut, 6.0);
}

#[tokio::test]
async fn a_slow_handshake_is_cut() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    let (certificate, key) = folder.write_identity("server", &authority.server());
    let config = WebConfig::new().tls_files(certificate, key);
    let server = Server::bind("127.0.0.1:0").await.unwrap().web_config(config).unwrap();
    let server = server.handshake_timeout(Duration::from_millis(50));
    let metrics = server.metrics();
    let running = server.serve(empty());
    let addr = running.local_addrs()[0];
    for begun in ["", "\x16", "\x16\x03\x01\x02\0\x01\0\x01\x7c"] {
        let answer = raw(addr, begun).await;
        assert!(!answer.contains("200"), "{begun:?}: {answer:?}");
    }
    let cut = value(&metrics, "narthex_server_connections_cut_total", &[("reason", "slow")]);
    assert_eq!(cut, 3.0);
}

#[tokio::test]
async fn a_slow_head_is_cut_below_tls_too() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    let (certificate, key) = folder.write_identity("server", &authority.server());
    let config = WebConfig::new().tls_files(certificate, key);
    let server = Server::bind("127.0.0.1:0").await.unwrap().web_config(config).unwrap();
    let running = server.header_read_timeout(Duration::from_millis(50)).serve(empty());
    let mut stream = Trust::of(&authority).connect(running.local_addrs()[0]).await.unwrap();
    stream.write_all(b"GET /metr").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn a29_only_what_the_file_asks_for_is_spoken() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    folder.write_identity("server", &authority.server());
    let file = |versions: &str| {
        let text = format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{versions}"
        );
        WebConfig::new().file(folder.write("web.yml", text))
    };
    let old = Trust::with(&authority, None, &[&TLS12]);
    let new = Trust::with(&authority, None, &[&TLS13]);
    for (versions, takes_old, takes_new) in [
        ("", true, true),
        ("  min_version: TLS13\n", false, true),
        ("  max_version: TLS12\n", true, false),
        ("  min_version: TLS12\n  max_version: TLS13\n", true, true),
        ("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n", true, true),
        // The suite is one of RSA, and the key is not.
        ("  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n", false, true),
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", false, true),
        ("  curve_preferences: [CurveP384]\n  prefer_server_cipher_suites: false\n", true, true),
    ] {
        let (running, addr, _) = serve(file(versions)).await;
        assert_eq!(old.get(addr, "/").await.is_ok(), takes_old, "TLS 1.2 and {versions:?}");
        assert_eq!(new.get(addr, "/").await.is_ok(), takes_new, "TLS 1.3 and {versions:?}");
        running.shutdown().await.unwrap();
    }
}

/// Waits until `done` is, for what a server does by itself within a second.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let all = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(in_time.is_ok(), "waited in vain for {what}");
}

/// The serial number of the certificate that is served.
async fn served(trust: &Trust, addr: SocketAddr) -> Vec<u8> {
    let stream = trust.connect(addr).await.expect("no handshake fails");
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].as_ref().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g22_certificate_and_key_are_replaced_in_any_order_without_a_failed_handshake() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    let identities: Vec<_> = (0..3).map(|_| authority.server()).collect();
    let (certificate, key) = folder.write_identity("server", &identities[0]);
    let (running, addr, metrics) = serve(WebConfig::new().tls_files(certificate, key)).await;
    let trust = Trust::of(&authority);
    let first = served(&trust, addr).await;
    let mut kept = trust.connect(addr).await.unwrap();

    for (identity, names) in
        identities[1..].iter().zip([["server.pem", "server.key"], ["server.key", "server.pem"]])
    {
        let before = served(&trust, addr).await;
        let content = |name: &str| match name.ends_with("pem") {
            true => identity.certificate.clone(),
            false => identity.key.clone(),
        };
        let failures =
            value(&metrics, "narthex_web_config_reloads_total", &[("outcome", "failure")]);
        folder.write(names[0], content(names[0]));
        // Half of the pair is seen, and does not disturb anybody.
        until("the failure to be counted", async || {
            assert_eq!(served(&trust, addr).await, before);
            let name = "narthex_web_config_reloads_total";
            value(&metrics, name, &[("outcome", "failure")]) > failures
        })
        .await;
        assert_eq!(value(&metrics, "narthex_web_config_last_reload_successful", &[]), 0.0);
        folder.write(names[1], content(names[1]));
        until("the new certificate", async || served(&trust, addr).await != before).await;
        assert_eq!(value(&metrics, "narthex_web_config_last_reload_successful", &[]), 1.0);
    }
    assert_ne!(served(&trust, addr).await, first);
    let reloads = value(&metrics, "narthex_web_config_reloads_total", &[("outcome", "success")]);
    assert_eq!(reloads, 2.0);

    // A connection of before goes on.
    let reply = exchange(&mut kept, "/metrics", "").await.unwrap();
    assert_eq!(reply.status, 200);
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn g22_a_file_that_cannot_be_used_leaves_the_last_good_one() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    folder.write_identity("server", &authority.server());
    let good = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    let path = folder.write("web.yml", good);
    let (running, addr, metrics) = serve(WebConfig::new().file(&path)).await;
    let trust = Trust::of(&authority);
    let mut failures = 0.0;
    let bad = [
        "tls_server_config: {cert_file: none.pem, key_file: server.key}\n",
        "",
        "{",
        "nonsense",
        "tls_server_config: {cert_file: server.pem}\n",
        "basic_auth_users: {me: plain}\n",
        "tls_server_config: {cert_file: server.key, key_file: server.pem}\n",
        "http_server_config: {headers: {Set-Cookie: a}}\n",
        "\u{0}",
        "rate_limit: {interval: 1s, burst: 0}\n",
    ];
    for bad in bad {
        folder.write("web.yml", bad);
        failures += 1.0;
        until(&format!("the failure of {bad:?}"), async || {
            assert_eq!(trust.get(addr, "/metrics").await.unwrap().status, 200, "{bad:?}");
            let name = "narthex_web_config_reloads_total";
            value(&metrics, name, &[("outcome", "failure")]) == failures
        })
        .await;
    }
    std::fs::remove_file(&path).unwrap();
    until("the failure of no file", async || {
        assert_eq!(trust.get(addr, "/metrics").await.unwrap().status, 200);
        let name = "narthex_web_config_reloads_total";
        value(&metrics, name, &[("outcome", "failure")]) == failures + 1.0
    })
    .await;
    assert_eq!(value(&metrics, "narthex_web_config_last_reload_successful", &[]), 0.0);
    folder.write(
        "web.yml",
        format!("{good}http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n"),
    );
    until("the good file", async || {
        let reply = trust.get(addr, "/metrics").await.unwrap();
        reply.header("x-frame-options") == ["deny"]
    })
    .await;
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn shutdown_closes_handshakes_that_are_under_way() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    let (certificate, key) = folder.write_identity("server", &authority.server());
    let (running, addr, _) = serve(WebConfig::new().tls_files(certificate, key)).await;
    let mut half = TcpStream::connect(addr).await.unwrap();
    half.write_all(b"\x16\x03\x01").await.unwrap();
    // It was accepted by now, as one that came later is.
    Trust::of(&authority).get(addr, "/").await.unwrap();
    running.shutdown().await.expect("nobody was busy");
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest).await;
}

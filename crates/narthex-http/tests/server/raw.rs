//! What goes over the wire that no good client sends: one answer at most to each, and none that
//! would be different behind a proxy (reliability T5, T6).

use narthex_http::Server;

use crate::client::raw;
use crate::page::empty;

/// What may come back.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// These statuses, one for each request.
    Statuses(&'static [u16]),
    /// One refusal, or none where the connection is just closed.
    Refusal,
}

use Answer::{Refusal, Statuses};

const OK: Answer = Statuses(&[200]);
const BAD: Answer = Statuses(&[400]);

/// Every one is followed by a request that must not be taken for part of another.
const VECTORS: &[(&str, &[u8], Answer)] = &[
    // What is fine, so that the table can fail in both directions.
    ("plain", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", OK),
    ("lower-case header", b"GET /metrics HTTP/1.1\r\nhost:localhost\r\n\r\n", OK),
    ("HTTP/1.0 without a host", b"GET /metrics HTTP/1.0\r\n\r\n", OK),
    ("empty lines before", b"\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", OK),
    ("a query", b"GET /metrics?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n", OK),
    ("HEAD", b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", OK),
    ("an announced body of nothing", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", OK),
    ("a small body", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", OK),
    ("tabs around a value", b"GET /metrics HTTP/1.1\r\nHost:\tlocalhost\t\r\n\r\n", OK),
    ("bytes above ASCII in a value", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\r\n\r\n", OK),
    ("pipelined", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[200, 404])),
    ("close and more", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", OK),
    ("an upgrade that is not had", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", OK),
    ("an upgrade to HTTP/2", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n\r\n", OK),
    // Methods.
    ("POST", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", Statuses(&[405])),
    ("an unknown method", b"BREW /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[405])),
    ("a method in lower case", b"get /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[405])),
    ("a method with a space", b"GE T /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("a method with a control byte", b"GE\x01T /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("TRACE", b"TRACE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[405])),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal),
    // Targets.
    ("an absolute target", b"GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("an absolute target of another host", b"GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("a target without a slash", b"GET metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("no target", b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("no target and one space", b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("dots", b"GET /../metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[404])),
    ("encoded dots", b"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[404])),
    ("doubly encoded dots", b"GET /%252e%252e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[404])),
    ("a backslash", b"GET /..\\metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Refusal),
    ("two slashes", b"GET //metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[404])),
    ("an encoded slash", b"GET %2fmetrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("NUL in the target", b"GET /metrics\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("an encoded NUL", b"GET /metrics%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[404])),
    ("a tab in the target", b"GET /met\trics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("a space in the target", b"GET /met rics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("a broken escape", b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", Statuses(&[404])),
    // Versions.
    ("HTTP/0.9", b"GET /metrics\r\n\r\n", BAD),
    ("HTTP/2.0", b"GET /metrics HTTP/2.0\r\nHost: localhost\r\n\r\n", BAD),
    ("HTTP/1.2", b"GET /metrics HTTP/1.2\r\nHost: localhost\r\n\r\n", BAD),
    ("a version in lower case", b"GET /metrics http/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("a space after the version", b"GET /metrics HTTP/1.1 \r\nHost: localhost\r\n\r\n", BAD),
    ("another protocol", b"GET /metrics ICY/1.1\r\nHost: localhost\r\n\r\n", BAD),
    // Hosts.
    ("no host", b"GET /metrics HTTP/1.1\r\n\r\n", BAD),
    ("two hosts", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", BAD),
    ("twice the same host", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", BAD),
    ("a foreign host", b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", Statuses(&[421])),
    ("an empty host", b"GET /metrics HTTP/1.1\r\nHost:\r\n\r\n", Statuses(&[421])),
    ("a host with a user", b"GET /metrics HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", Statuses(&[421])),
    // Line ends and folds.
    ("bare line feeds", b"GET /metrics HTTP/1.1\nHost: localhost\n\n", BAD),
    ("one bare line feed", b"GET /metrics HTTP/1.1\r\nHost: localhost\n\r\n", BAD),
    ("a bare line feed at the end", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\n", BAD),
    ("a bare carriage return", b"GET /metrics HTTP/1.1\r\nHost: localhost\rX: a\r\n\r\n", BAD),
    ("a carriage return too many", b"GET /metrics HTTP/1.1\r\r\nHost: localhost\r\n\r\n", BAD),
    ("a folded header", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", BAD),
    ("a first header that begins with a space", b"GET /metrics HTTP/1.1\r\n Host: localhost\r\n\r\n", BAD),
    // Header names and values.
    ("a space before the colon", b"GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n", BAD),
    ("no colon", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nnothing\r\n\r\n", BAD),
    ("no name", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n", BAD),
    ("NUL in a value", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", BAD),
    ("a control byte in a name", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX\x01: a\r\n\r\n", BAD),
    ("bytes above ASCII in a name", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX\xff: a\r\n\r\n", BAD),
    // Lengths.
    ("length, then coding", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    ("coding, then length", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", BAD),
    ("two lengths", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", BAD),
    ("twice the same length", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", BAD),
    ("a list of lengths", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nhello", BAD),
    ("a signed length", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello", BAD),
    ("a negative length", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", BAD),
    ("a length in hexadecimal", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\nhello", BAD),
    ("a length beyond 64 bits", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", BAD),
    ("an empty length", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n", BAD),
    ("an unknown coding", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: cow\r\n\r\n", BAD),
    ("identity as coding", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n", BAD),
    ("chunked, then more", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", BAD),
    ("two codings", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    ("a coding hidden by a tab", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", BAD),
    ("a coding in HTTP/1.0", b"POST /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    ("chunks that hide a request", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD),
    ("a chunk without end", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", BAD),
    ("a gigabyte announced", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n", Statuses(&[413])),
    ("a body that waits to be asked for", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", Statuses(&[405])),
    // No HTTP at all.
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", Refusal),
    ("zeros", b"\0\0\0\0\0\0\0\0\r\n\r\n", Refusal),
    ("an SSH client", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Refusal),
    ("the PROXY protocol", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Refusal),
];

/// The statuses in an answer, by the lines that begin one.
fn statuses(answer: &str) -> Vec<u16> {
    let lines = answer.split("\r\n").map(|line| line.rsplit('\n').next().unwrap_or(line));
    let lines = lines.filter_map(|line| line.strip_prefix("HTTP/1."));
    lines.filter_map(|line| line.get(2..5)?.parse().ok()).collect()
}

#[tokio::test]
async fn g07_odd_requests_get_one_answer_each_and_no_wrong_one() {
    assert!(VECTORS.len() >= 60, "{} vectors", VECTORS.len());
    // A client that waits for the server's next word is cut soon, so that the table is quick.
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let short = std::time::Duration::from_millis(30);
    let running = server.idle_timeout(short).header_read_timeout(short).serve(empty());
    let addr = running.local_addrs()[0];
    let (mut double, mut wrong) = (Vec::new(), Vec::new());
    for (what, bytes, expected) in VECTORS {
        let answer = raw(addr, bytes).await;
        let statuses = statuses(&answer);
        let (most, is_right) = match expected {
            Statuses(expected) => (expected.len(), statuses == *expected),
            Refusal => (1, statuses.iter().all(|status| *status >= 400)),
        };
        if statuses.len() > most {
            double.push(format!("{what}: {statuses:?}"));
        } else if !is_right {
            wrong.push(format!("{what}: {statuses:?}, not {expected:?}"));
        }
    }
    let verdict = |good: bool| if good { "PASS" } else { "FAIL" };
    println!(
        "G7 double answers to {} vectors: {} (limit 0) {}",
        VECTORS.len(),
        double.len(),
        verdict(double.is_empty())
    );
    println!(
        "G7 wrong answers to {} vectors: {} (limit 0) {}",
        VECTORS.len(),
        wrong.len(),
        verdict(wrong.is_empty())
    );
    assert!(double.is_empty() && wrong.is_empty(), "double: {double:#?}, wrong: {wrong:#?}");
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn g07_no_path_leads_out_of_the_site() {
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(empty());
    let addr = running.local_addrs()[0];
    let (ups, ends) = (
        [
            "..",
            "%2e%2e",
            "%2E.",
            ".%2e",
            "..%2f",
            "..%5c",
            "%252e%252e",
            "....",
            "..;",
            "%c0%ae%c0%ae",
        ],
        ["etc/passwd", "proc/self/environ", "metrics", "-/healthy", "Cargo.toml"],
    );
    let mut tried = 0;
    for up in ups {
        for depth in 1..=4 {
            for end in ends {
                let path = format!("/{}{end}", format!("{up}/").repeat(depth));
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
                let answer = raw(addr, request).await;
                assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
                tried += 1;
            }
        }
    }
    println!(
        "G7 paths out of the site that were answered otherwise than 404, of {tried}: 0 (limit 0) PASS"
    );
    assert!(tried >= 200);
}

#[tokio::test]
async fn large_requests_get_the_right_refusal() {
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(empty());
    let addr = running.local_addrs()[0];
    for (what, request, expected) in [
        (
            "101 headers",
            format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: a\r\n".repeat(101)),
            [431, 431],
        ),
        (
            "a target of 64 KiB",
            format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(65536)),
            [431, 414],
        ),
        (
            "a header of 900 kB",
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(900_000)),
            [431, 431],
        ),
        (
            "a method of 64 KiB",
            format!("{} / HTTP/1.1\r\nHost: localhost\r\n\r\n", "A".repeat(65536)),
            [431, 400],
        ),
    ] {
        // The rest of what was sent is not read, and so the answer may be lost on its way.
        let statuses = statuses(&raw(addr, request).await);
        assert!(statuses.iter().all(|status| expected.contains(status)), "{what}: {statuses:?}");
        assert!(statuses.len() <= 1, "{what}: {statuses:?}");
    }
    assert!(raw(addr, "GET /-/healthy HTTP/1.0\r\n\r\n").await.ends_with("healthy\n"));
}

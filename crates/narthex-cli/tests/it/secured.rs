//! `fetch`, `check`, `convert` and `push` with servers behind TLS and passwords.

use std::net::TcpListener;
use std::sync::mpsc;

use crate::certs::{Authority, answer};
use crate::fetch::ok;
use crate::hostile::Server;
use crate::support::{Directory, Narthex};

const TRUST: &str = "--ca=ca.pem";
const IDENTITY: [&str; 2] = ["--cert=client.pem", "--key=client.key"];
const PASSWORD: [&str; 2] = ["--user=ann", "--password-file=password"];

/// `narthex run` behind TLS, with `more` in its web configuration; with certificates and passwords
/// in its directory, right and wrong ones.
fn secured(more: &str) -> Narthex {
    let authority = Authority::new("our authority");
    let other = Authority::new("another authority");
    let directory = Directory::new()
        .write("ca.pem", &authority.pem())
        .write("other.pem", &other.pem())
        .write("password", "s3cret\n")
        .write("wrong", "wr0ng\n")
        .write("page", "up 1\n")
        .write(
            "web.yml",
            &format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{more}"),
        );
    let directory = authority.sign(directory, "server", "localhost");
    let directory = authority.sign(directory, "client", "client.example");
    let directory = other.sign(directory, "stranger", "client.example");
    let mut narthex = directory.run(&["--web.config.file=web.yml"]);
    narthex.url = narthex.url.replace("127.0.0.1", "localhost");
    assert!(narthex.url.starts_with("https://localhost:"), "{}", narthex.url);
    narthex
}

/// The hash is that of `s3cret`.
const CERTIFICATE_AND_PASSWORD: &str = "  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
basic_auth_users:
  ann: $2y$10$Ljm2G8oyuQ0ud7VTeJzXO.36xaR10UadEkv7fs.FqXW596FuBGCs2
";

#[test]
fn a_page_behind_tls_and_a_password_is_read() {
    let narthex = secured(CERTIFICATE_AND_PASSWORD);
    let access = [&[&*narthex.url, TRUST][..], &IDENTITY, &PASSWORD].concat();
    let end_of = |more: &[&str]| narthex.directory.end_of(&[more, &access].concat(), &[]);

    let (code, stdout, stderr) = end_of(&["fetch", "--count=2", "--interval=0.01"]);
    assert_eq!((code, &*stderr), (0, ""));
    assert_eq!(stdout.matches("HTTP/1.1 200 OK\n").count(), 2);
    assert!(stdout.contains("\nnode_load1 "), "{stdout}");
    let (code, stdout, stderr) = end_of(&["convert", "--to=openmetrics"]);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.ends_with("\n# EOF\n"), "{stdout}");
    let (code, _, stderr) = end_of(&["check"]);
    // This machine's metrics have some names that the linter would have otherwise.
    assert!([0, 3].contains(&code), "{stderr}");
}

#[test]
fn who_cannot_be_trusted_or_is_not_let_in_is_told_in_one_line() {
    let narthex = secured(CERTIFICATE_AND_PASSWORD);
    let by_number = narthex.url.replace("localhost", "127.0.0.1");
    let stranger = ["--cert=stranger.pem", "--key=stranger.key"];
    let wrong = ["--user=ann", "--password-file=wrong"];
    let unknown = "cannot connect over TLS: invalid peer certificate: UnknownIssuer";
    let wrong_name = "cannot connect over TLS: invalid peer certificate: certificate not valid for \
                      name \"127.0.0.1\"; certificate is only valid for DnsName(\"localhost\")";
    let missing = "cannot connect over TLS: received fatal alert: CertificateRequired";
    let refused = "cannot connect over TLS: received fatal alert: UnknownCA";
    let status = "the status is 401, not 200";
    for (url, access, expected) in [
        (&narthex.url, [&["--ca=other.pem"][..], &IDENTITY, &PASSWORD].concat(), unknown),
        (&by_number, [&[TRUST][..], &IDENTITY, &PASSWORD].concat(), wrong_name),
        (&narthex.url, [&[TRUST][..], &PASSWORD].concat(), missing),
        (&narthex.url, [&[TRUST][..], &stranger, &PASSWORD].concat(), refused),
        (&narthex.url, [&[TRUST][..], &IDENTITY].concat(), status),
        (&narthex.url, [&[TRUST][..], &IDENTITY, &wrong].concat(), status),
    ] {
        for (command, expected_code) in
            [(&["fetch"][..], 1), (&["check"], 2), (&["convert", "--to=json"], 2)]
        {
            let arguments = [command, &[url], &access].concat();
            let (code, _, stderr) = narthex.directory.end_of(&arguments, &[]);
            assert_eq!(stderr, format!("error: {url}: {expected}\n"), "{arguments:?}");
            assert_eq!(code, expected_code, "{arguments:?}");
        }
    }
}

#[test]
fn a_gateway_behind_tls_and_a_password_is_pushed_to() {
    // No gateway: that it has no such path shows that it let us in.
    let narthex = secured(CERTIFICATE_AND_PASSWORD);
    let gateway = narthex.url.strip_suffix("/metrics").unwrap();
    let request = format!("error: `PUT {gateway}/metrics/job/j`: ");
    for (access, expected) in [
        ([&[TRUST][..], &IDENTITY, &PASSWORD].concat(), "the answer is 404 Not Found"),
        ([&[TRUST][..], &IDENTITY].concat(), "the answer is 401 Unauthorized"),
        ([&["--ca=other.pem"][..], &IDENTITY, &PASSWORD].concat(), "cannot connect: "),
        ([&[TRUST][..], &PASSWORD].concat(), "cannot connect: "),
    ] {
        let arguments = [&["push", gateway, "--job=j", "page"][..], &access].concat();
        let (code, _, stderr) = narthex.directory.end_of(&arguments, &[]);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.starts_with(&format!("{request}{expected}")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn the_page_to_push_may_be_behind_tls_and_its_server_gets_no_credentials() {
    let authority = Authority::new("our authority");
    let directory = Directory::new().write("ca.pem", &authority.pem()).write("password", "s3cret");
    let (seen, requests) = mpsc::channel();
    let page = authority.serve(move |request| {
        seen.send(request.to_owned()).unwrap();
        answer("200 OK", "", "up 1\n")
    });
    let gateway = Server::start(ok("", b""));
    let arguments = ["push", &gateway.url, "--job=j", TRUST, &page];
    let end = directory.end_of(&[&arguments[..], &PASSWORD].concat(), &[]);
    assert_eq!(end, (0, String::new(), String::new()));
    assert!(gateway.request().contains("\r\nauthorization: Basic YW5uOnMzY3JldA==\r\n"));
    let request = requests.recv().unwrap();
    assert!(!request.to_lowercase().contains("authorization"), "{request}");

    let (code, _, stderr) = directory.end_of(&["push", &gateway.url, "--job=j", &page], &[]);
    let expected = format!("error: {page}: cannot connect over TLS: invalid peer certificate: ");
    assert!(code == 2 && stderr.starts_with(&expected), "{stderr}");
}

#[test]
fn credentials_are_one_header_that_an_own_one_replaces() {
    let server = Server::start(ok("", b"up 1\n"));
    let directory = Directory::new().write("password", "s3cret\r\n").write("token", "t0ken\n");
    for (access, expected) in [
        (&PASSWORD[..], "Basic YW5uOnMzY3JldA=="),
        (&["--bearer-token-file=token"], "Bearer t0ken"),
        (&["--bearer-token-file=token", "--header=Authorization: own"], "own"),
    ] {
        let arguments = [&["fetch", &server.url], access].concat();
        assert_eq!(directory.end_of(&arguments, &[]).0, 0);
        let request = server.request();
        assert!(request.contains(&format!("\r\nauthorization: {expected}\r\n")), "{request}");
        assert_eq!(request.matches("\r\nauthorization: ").count(), 1, "{request}");
    }
}

#[test]
fn a_redirect_to_http_is_an_answer_and_nothing_is_sent_there() {
    let authority = Authority::new("our authority");
    let directory = Directory::new().write("ca.pem", &authority.pem()).write("password", "s3cret");
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    plain.set_nonblocking(true).unwrap();
    let location = format!("Location: http://{}/\r\n", plain.local_addr().unwrap());
    let url = authority.serve(move |_| answer("307 Temporary Redirect", &location, ""));
    let arguments = [&["check", &url, TRUST][..], &PASSWORD].concat();
    let expected = format!("error: {url}: the status is 307, not 200\n");
    assert_eq!(directory.end_of(&arguments, &[]), (2, String::new(), expected));
    assert!(plain.accept().is_err());
}

#[test]
fn a_server_that_never_speaks_tls_is_given_up_at_the_timeout() {
    let authority = Authority::new("our authority");
    let directory = Directory::new().write("ca.pem", &authority.pem());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let end = directory.end_of(&["fetch", &url, TRUST, "--timeout=0.2"], &[]);
    let expected = format!("error: {url}: no whole answer within 0.2 s\n");
    assert_eq!(end, (1, String::new(), expected));
}

#[test]
fn what_a_client_needs_and_has_not_is_named() {
    let authority = Authority::new("our authority");
    let directory = Directory::new()
        .write("ca.pem", &authority.pem())
        .write("empty", "")
        .write("lines", "s3cret\nmore\n")
        .write_bytes("bytes", b"s3cret\xff");
    let directory = authority.sign(directory, "client", "client.example");
    let directory = authority.sign(directory, "other", "client.example");
    let https = "https://localhost:1/";
    let http = "http://localhost:1/";
    let no_key = "the key of the client certificate is none: there is no private key in PEM \
                  without a passphrase in it";
    let no_token = "the bearer token is empty or has characters that no header has";
    for (url, access, expected) in [
        (
            https,
            &["--ca=none"][..],
            "`none` cannot be read: No such file or directory (os error 2)",
        ),
        (https, &["--ca=empty"], "the authority to trust is none: there is no certificate in PEM"),
        (https, &["--cert=client.pem", "--key=client.pem"], no_key),
        (
            https,
            &["--cert=client.pem", "--key=other.key"],
            "the key is not that of the client certificate",
        ),
        (http, &IDENTITY, "`--ca`, `--cert` and `--key` are for https, and the address is http"),
        (http, &[TRUST], "`--ca`, `--cert` and `--key` are for https, and the address is http"),
        (
            http,
            &["--user=a:b", "--password-file=lines"],
            "the user has a colon, which basic authentication cannot send",
        ),
        (http, &["--user=a", "--password-file=bytes"], "`bytes` is not text"),
        (http, &["--bearer-token-file=empty"], no_token),
        (http, &["--bearer-token-file=lines"], no_token),
    ] {
        for command in ["fetch", "check"] {
            let arguments = [&[command, url], access].concat();
            let expected = format!("error: {url}: {expected}\n");
            assert_eq!(directory.end_of(&arguments, &[]), (2, String::new(), expected));
        }
    }
    for (access, missing) in [
        ("--cert=client.pem", "--key <FILE>"),
        ("--key=client.key", "--cert <FILE>"),
        ("--user=ann", "--password-file <FILE>"),
        ("--password-file=lines", "--user <USER>"),
    ] {
        for command in [&["fetch", https][..], &["check", https], &["push", https, "--job=j"]] {
            let (code, _, stderr) = directory.end_of(&[command, &[access]].concat(), &[]);
            let expected =
                format!("error: the following required arguments were not provided: {missing}\n");
            assert_eq!((code, stderr), (2, expected));
        }
    }
}

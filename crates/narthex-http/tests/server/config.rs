//! Web configuration files: what is understood, and what is said of what is not.

use narthex_http::WebConfig;

use crate::certs::{Authority, Folder};

/// A bcrypt hash that stands for a secret: it must be in no message.
const HASH: &str = "$2y$04$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
const TLS: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

fn folder() -> Folder {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    folder.write_identity("server", &authority.server());
    folder.write_identity("other", &authority.server());
    folder.write("ca.pem", &authority.pem);
    folder.write("empty.pem", "");
    folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    folder.write("text.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder.write("large.pem", vec![b'x'; 1024 * 1024 + 1]);
    std::fs::create_dir(folder.path().join("directory")).unwrap();
    folder
}

/// Bad files, each with what is said of it. `@WEB` is the file, `DIR` its folder.
#[rustfmt::skip]
const BAD: &[(&str, &str)] = &[
    ("{\n", "@WEB, line 1, column 1: unclosed bracket '{'"),
    ("tls_server_config: [\n", "@WEB, line 1, column 20: expected mapping start"),
    ("a: b\n", "@WEB, line 1, column 1: unknown field `a`, expected one of tls_server_config, http_server_config, basic_auth_users, rate_limit"),
    ("nonsense\n", "@WEB, line 1, column 1: expected mapping start"),
    ("- a\n", "@WEB, line 1, column 1: expected mapping start"),
    ("tls_server_config: yes\n", "@WEB, line 1, column 20: expected mapping start"),
    ("tls_server_config:\n  cert: a\n  cert: b\n", "@WEB, line 3, column 3: duplicate mapping key: cert"),
    ("tls_server_config:\n  cert_fil: server.pem\n", "@WEB, line 2, column 3: unknown field `cert_fil`, expected one of cert, key, client_ca, cert_file, key_file, client_ca_file, client_auth_type, client_allowed_sans, min_version, max_version, cipher_suites, prefer_server_cipher_suites, curve_preferences"),
    ("tls_server_config:\n  key: [a, b]\n", "@WEB, line 2, column 8: expected text"),
    ("tls_server_config:\n  prefer_server_cipher_suites: 3\n", "@WEB, line 2, column 32: invalid boolean"),
    ("basic_auth_users: CANARY\n", "@WEB, line 1, column 19: expected mapping start"),
    ("basic_auth_users: [CANARY]\n", "@WEB, line 1, column 19: expected mapping start"),
    ("basic_auth_users:\n  me: [CANARY]\n", "@WEB, line 2, column 7: expected text"),
    ("basic_auth_users:\n  me: {CANARY: CANARY}\n", "@WEB, line 2, column 7: expected text"),
    ("basic_auth_users:\n  me: \"CANARY\n", "@WEB, line 3, column 1: invalid indentation in multiline quoted scalar"),
    ("http_server_config:\n  http3: true\n", "@WEB, line 2, column 3: unknown field `http3`, expected one of http2, headers"),
    ("http_server_config:\n  http2: maybe\n", "@WEB, line 2, column 10: invalid boolean"),
    ("rate_limit:\n  interval: 1s\n  burst: many\n", "@WEB, line 3, column 10: invalid i64"),
    ("rate_limit:\n  interval: 1s\n  bursts: 1\n", "@WEB, line 3, column 3: unknown field `bursts`, expected one of interval, burst"),
    ("tls_server_config:\n  cert_file: server.pem\n", "@WEB: `tls_server_config` has neither `key` nor `key_file`"),
    ("tls_server_config:\n  key_file: server.key\n", "@WEB: `tls_server_config` has neither `cert` nor `cert_file`"),
    ("tls_server_config:\n  cert_file: \"\"\n  key_file: server.key\n", "@WEB: `tls_server_config` has neither `cert` nor `cert_file`"),
    ("tls_server_config:\n  client_auth_type: RequireAnyClientCert\n", "@WEB: `tls_server_config` has neither `cert` nor `cert_file`"),
    ("tls_server_config:\n  client_ca_file: ca.pem\n", "@WEB: `tls_server_config` has neither `cert` nor `cert_file`"),
    ("tls_server_config:\n  cert: CANARY\n  cert_file: server.pem\n  key_file: server.key\n", "@WEB, line 3, column 14: `cert` is given as well as `cert_file`"),
    ("tls_server_config:\n  cert_file: none.pem\n  key_file: server.key\n", "`DIR/none.pem`: it cannot be read: No such file or directory (os error 2)"),
    ("tls_server_config:\n  cert_file: server.pem\n  key_file: none.key\n", "`DIR/none.key`: it cannot be read: No such file or directory (os error 2)"),
    ("tls_server_config:\n  cert_file: directory\n  key_file: server.key\n", "`DIR/directory`: it cannot be read: it is no regular file"),
    ("tls_server_config:\n  cert_file: empty.pem\n  key_file: server.key\n", "`DIR/empty.pem`: there is no certificate in PEM"),
    ("tls_server_config:\n  cert_file: broken.pem\n  key_file: server.key\n", "`DIR/broken.pem`: the certificates cannot be read: base64 decode error: InvalidCharacter(33)"),
    ("tls_server_config:\n  cert_file: text.pem\n  key_file: server.key\n", "`DIR/text.pem`: the certificate cannot be used: BadEncoding"),
    ("tls_server_config:\n  cert_file: large.pem\n  key_file: server.key\n", "`DIR/large.pem`: it cannot be read: it is larger than 1 MiB"),
    ("tls_server_config:\n  cert_file: server.pem\n  key_file: other.key\n", "`DIR/other.key`: the key is not that of the certificate"),
    ("tls_server_config:\n  cert_file: server.pem\n  key_file: server.pem\n", "`DIR/server.pem`: there is no private key in PEM without a passphrase"),
    ("tls_server_config:\n  cert_file: server.key\n  key_file: server.key\n", "`DIR/server.key`: there is no certificate in PEM"),
    ("tls_server_config:\n  cert: CANARY\n  key: CANARY\n", "@WEB: `cert`: there is no certificate in PEM"),
    ("tls_server_config:\n  cert_file: server.pem\n  key: CANARY\n", "@WEB: `key`: there is no private key in PEM without a passphrase"),
    ("@TLS  client_auth_type: RequireAndVerify\n", "@WEB, line 4, column 21: `RequireAndVerify` is not a client_auth_type: expected NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert"),
    ("@TLS  client_auth_type: RequireAndVerifyClientCert\n", "@WEB, line 4, column 21: this `client_auth_type` needs `client_ca` or `client_ca_file`"),
    ("@TLS  client_auth_type: VerifyClientCertIfGiven\n", "@WEB, line 4, column 21: this `client_auth_type` needs `client_ca` or `client_ca_file`"),
    ("@TLS  client_ca_file: ca.pem\n", "@WEB: a client CA is given, and `client_auth_type` asks no client for a certificate"),
    ("@TLS  client_auth_type: NoClientCert\n  client_ca_file: ca.pem\n", "@WEB, line 4, column 21: a client CA is given, and `client_auth_type` asks no client for a certificate"),
    ("@TLS  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: none.pem\n", "`DIR/none.pem`: it cannot be read: No such file or directory (os error 2)"),
    ("@TLS  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: empty.pem\n", "`DIR/empty.pem`: there is no certificate in PEM"),
    ("@TLS  client_auth_type: RequireAndVerifyClientCert\n  client_ca: CANARY\n", "@WEB: `client_ca`: there is no certificate in PEM"),
    ("@TLS  client_allowed_sans: [a]\n", "@WEB, line 4, column 24: `client_allowed_sans` needs a `client_auth_type` of `RequireAnyClientCert` or `RequireAndVerifyClientCert`"),
    ("@TLS  client_auth_type: RequestClientCert\n  client_allowed_sans: [a]\n", "@WEB, line 5, column 24: `client_allowed_sans` needs a `client_auth_type` of `RequireAnyClientCert` or `RequireAndVerifyClientCert`"),
    ("@TLS  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n  client_allowed_sans: [a]\n", "@WEB, line 6, column 24: `client_allowed_sans` needs a `client_auth_type` of `RequireAnyClientCert` or `RequireAndVerifyClientCert`"),
    ("@TLS  min_version: TLS11\n", "@WEB, line 4, column 16: `TLS11` is not supported: only TLS12 and TLS13 are"),
    ("@TLS  min_version: TLS1.2\n", "@WEB, line 4, column 16: `TLS1.2` is not a TLS version: expected TLS12 or TLS13"),
    ("@TLS  min_version: TLS13\n  max_version: TLS12\n", "@WEB, line 4, column 16: `min_version` is above `max_version`"),
    ("@TLS  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n", "@WEB, line 4, column 19: cipher suite `TLS_RSA_WITH_AES_128_CBC_SHA` is not supported: only @SUITES are"),
    ("@TLS  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, INVENTED]\n", "@WEB, line 4, column 58: cipher suite `INVENTED` is not supported: only @SUITES are"),
    ("@TLS  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "@WEB, line 5, column 19: `cipher_suites` leaves none for TLS 1.2"),
    ("@TLS  curve_preferences: [CurveP521]\n", "@WEB, line 4, column 23: curve `CurveP521` is not supported: only X25519, CurveP256 and CurveP384 are"),
    ("@TLS  curve_preferences: [X25519, INVENTED]\n", "@WEB, line 4, column 31: curve `INVENTED` is not supported: only X25519, CurveP256 and CurveP384 are"),
    ("http_server_config:\n  headers:\n    Set-Cookie: a\n", "@WEB, line 3, column 17: header `Set-Cookie` cannot be configured: only Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, Content-Security-Policy can"),
    ("http_server_config:\n  headers:\n    X-Frame-Options: allow\n", "@WEB, line 3, column 22: `X-Frame-Options` is deny or sameorigin, not `allow`"),
    ("http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n", "@WEB, line 3, column 29: `X-Content-Type-Options` is nosniff, not `sniff`"),
    ("http_server_config:\n  headers:\n    X-XSS-Protection: \"1\\n2\"\n", "@WEB, line 3, column 23: `X-XSS-Protection` cannot be `1\\n2`"),
    ("basic_auth_users:\n  me: CANARY\n", "@WEB, line 2, column 7: user `me`: the password is not a bcrypt hash"),
    ("basic_auth_users:\n  me: $2y$03$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n", "@WEB, line 2, column 7: user `me`: the bcrypt hash has cost 3, not one from 4 to 18"),
    ("basic_auth_users:\n  me: $2y$31$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n", "@WEB, line 2, column 7: user `me`: the bcrypt hash has cost 31, not one from 4 to 18"),
    ("basic_auth_users:\n  me: $2y$10$CANARYCANARYCANARYCANARYéCANARYCANARYCANARYCANARYCAN\n", "@WEB, line 2, column 7: user `me`: the password is not a bcrypt hash"),
    ("basic_auth_users:\n  \"a:b\": @HASH\n", "@WEB, line 2, column 10: user `a:b`: a name cannot hold a colon"),
    ("rate_limit:\n  interval: soon\n  burst: 1\n", "@WEB, line 2, column 13: `interval` is a duration such as 1s or 100ms, not `soon`"),
    ("rate_limit:\n  interval: 1s\n", "@WEB, line 2, column 3: `rate_limit` has an `interval` and no `burst`"),
    ("rate_limit:\n  interval: 1s\n  burst: 0\n", "@WEB, line 3, column 10: `burst` is at least 1: with less, nobody is served"),
    ("rate_limit:\n  interval: 1s\n  burst: -1\n", "@WEB, line 3, column 10: `burst` is at least 1: with less, nobody is served"),
];

/// The cipher suites of TLS 1.2 that there are.
const SUITES: &str = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";

#[test]
fn what_is_wrong_with_a_file_is_said_exactly_and_shows_no_secret() {
    assert!(BAD.len() >= 40);
    let folder = folder();
    for (text, expected) in BAD {
        let text = text.replace("@TLS", TLS).replace("@HASH", HASH);
        let path = folder.write("web.yml", &text);
        let error = WebConfig::new().file(&path).check().expect_err(&text).to_string();
        let shown = error.replace(&folder.path().display().to_string(), "DIR");
        let expected = expected.replace("@WEB", "`DIR/web.yml`").replace("@SUITES", SUITES);
        assert_eq!(shown, expected, "{text}");
        assert!(!shown.contains("CANARY") && !shown.contains(HASH), "{shown}");
    }
}

#[test]
fn other_files_are_checked_as_well() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let shown = |config: WebConfig| {
        let error = config.check().unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "DIR")
    };
    let tls = || WebConfig::new().tls_files(path("server.pem"), path("server.key"));
    assert_eq!(tls().check(), Ok(()));
    assert_eq!(tls().client_ca_file(path("ca.pem")).check(), Ok(()));
    assert_eq!(WebConfig::new().check(), Ok(()));
    let none = "it cannot be read: No such file or directory (os error 2)";
    assert_eq!(shown(WebConfig::new().file(path("none.yml"))), format!("`DIR/none.yml`: {none}"));
    assert_eq!(shown(tls().client_ca_file(path("none"))), format!("`DIR/none`: {none}"));
    assert_eq!(
        shown(WebConfig::new().client_ca_file(path("ca.pem"))),
        "`DIR/ca.pem`: client certificates need TLS: a certificate and a key of the server"
    );
    let web = folder.write("web.yml", TLS);
    assert_eq!(shown(tls().file(&web)), "`DIR/web.yml`: TLS is configured elsewhere as well");
    folder.write("latin.yml", b"basic_auth_users:\n  me: caf\xe9\n");
    let error = WebConfig::new().file(path("latin.yml")).check().unwrap_err();
    assert_eq!((error.line(), error.path()), (Some(2), &*path("latin.yml")));
    for (tokens, reason) in [
        ("", "`DIR/tokens`: it holds no token"),
        ("# none\n\n", "`DIR/tokens`: it holds no token"),
        (
            "good\n\nCANARY CANARY\n",
            "`DIR/tokens`, line 3: a token has ASCII letters, digits and `-._~+/=` alone",
        ),
    ] {
        let path = folder.write("tokens", tokens);
        assert_eq!(shown(WebConfig::new().bearer_token_file(path)), reason);
    }
}

#[test]
fn what_operators_have_is_understood() {
    let folder = folder();
    let (certificate, key) = (read(&folder, "server.pem"), read(&folder, "server.key"));
    let indented = |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let inline = format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}",
        indented(&certificate),
        indented(&key)
    );
    let everything = format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
         client_allowed_sans:\n    - a\n    - 192.0.2.1\n  min_version: TLS12\n  \
         max_version: TLS13\n  cipher_suites:\n    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n    \
         - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305\n    - TLS_AES_256_GCM_SHA384\n  \
         prefer_server_cipher_suites: true\n  curve_preferences:\n    - CurveP256\n    - X25519\n\
         http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n    \
         X-XSS-Protection: \"\"\nbasic_auth_users:\n  prometheus: {HASH}\n  other: {HASH}\n  \
         123: {HASH}\nrate_limit:\n  interval: 1m30s\n  burst: 20\n"
    );
    for text in [
        "",
        "---\n",
        "# nothing\n",
        "tls_server_config:\n",
        "tls_server_config: {}\nhttp_server_config: {}\nbasic_auth_users: {}\nrate_limit: {}\n",
        "tls_server_config: {min_version: TLS12}\n",
        TLS,
        &inline,
        &everything,
        &format!("basic_auth_users:\n  'a b': '{HASH}'\n"),
        "rate_limit: {interval: 0s}\n",
        "rate_limit: {interval: 0, burst: 0}\n",
        "rate_limit: {interval: 1000000, burst: 1}\n",
        "rate_limit: {interval: 1.5h, burst: 1}\n",
        "\u{feff}http_server_config: {http2: false}\n",
    ] {
        let path = folder.write("web.yml", text);
        assert_eq!(WebConfig::new().file(path).check(), Ok(()), "{text}");
    }
}

/// Hash strings of all kinds are refused or taken, and never a panic (RUSTSEC-2026-0199).
#[test]
fn hash_strings_of_any_kind_are_an_error_at_most() {
    let folder = folder();
    let alphabet: Vec<char> = "$2aby014./AZéß\u{1f980} ".chars().collect();
    let mut state = 1_u64;
    let mut next = || {
        // The generator of Knuth's MMIX: the same strings each time.
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    for _ in 0..300 {
        let mut hash: Vec<char> = HASH.chars().collect();
        for _ in 0..next() % 4 {
            let at = next() % hash.len();
            hash[at] = alphabet[next() % alphabet.len()];
        }
        hash.truncate(61 - next() % 3);
        let hash: String = hash.into_iter().collect();
        let path = folder.write("web.yml", format!("basic_auth_users: {{me: '{hash}'}}\n"));
        if let Err(error) = WebConfig::new().file(path).check() {
            assert!(!error.to_string().contains(&hash));
        }
    }
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

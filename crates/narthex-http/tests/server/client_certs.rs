//! The certificates of clients: which are let in, and what is said of the others.

use std::process::Command;

use narthex_http::WebConfig;
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::certs::{Authority, Folder, Identity};
use crate::client::Trust;
use crate::logs::Logs;
use crate::tls::serve;

/// What a server asks of clients.
struct House {
    folder: Folder,
    authority: Authority,
}

impl House {
    fn new() -> Self {
        let (folder, authority) = (Folder::new(), Authority::new("ours"));
        folder.write_identity("server", &authority.server());
        folder.write("ca.pem", &authority.pem);
        Self { folder, authority }
    }

    fn config(&self, tls: &str) -> WebConfig {
        let text =
            format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{tls}");
        WebConfig::new().file(self.folder.write("web.yml", text))
    }

    /// Whether a client is let in, with either version of TLS.
    async fn lets_in(&self, config: WebConfig, identity: Option<&Identity>) -> bool {
        let (running, addr, _) = serve(config).await;
        let mut outcomes = Vec::new();
        for versions in [[&TLS12], [&TLS13]] {
            let trust = Trust::with(&self.authority, identity, &versions);
            let reply = trust.get(addr, "/metrics").await;
            assert!(reply.as_ref().is_ok_and(|reply| reply.status == 200) || reply.is_err());
            outcomes.push(reply.is_ok());
        }
        running.shutdown().await.unwrap();
        assert_eq!(outcomes[0], outcomes[1], "TLS 1.2 and 1.3 agree");
        outcomes[0]
    }
}

const VERIFIED: &str = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
const NAMED: &str = "  client_allowed_sans: [scraper.example, 192.0.2.7, ops@example.org, \
    \"spiffe://example/scraper\"]\n";

#[tokio::test]
async fn only_the_right_client_certificates_are_let_in() {
    let house = House::new();
    let other = Authority::new("others");
    let below = house.authority.below("below");
    let chained = below.client(&["scraper.example"]);
    let full = format!("{}{}", chained.certificate, below.pem);
    let shuffled = format!("{}{}{}", chained.certificate, house.authority.pem, below.pem);
    let in_time = |from, to| {
        house.authority.identity(&["scraper.example"], |params| {
            (params.not_before, params.not_after) = (from, to);
        })
    };
    let uri = house.authority.identity(&[], |params| {
        params.subject_alt_names =
            vec![SanType::URI("spiffe://example/scraper".try_into().unwrap())];
    });
    let mail = house.authority.identity(&[], |params| {
        params.subject_alt_names = vec![SanType::Rfc822Name("ops@example.org".try_into().unwrap())];
    });
    let for_servers = house.authority.identity(&["scraper.example"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let good = house.authority.client(&["scraper.example"]);
    let cases = [
        ("good", Some(good.clone()), true),
        ("with its chain", Some(Identity { certificate: full, ..chained.clone() }), true),
        (
            "with its chain in disorder",
            Some(Identity { certificate: shuffled, ..chained.clone() }),
            true,
        ),
        ("none", None, false),
        ("of another authority", Some(other.client(&["scraper.example"])), false),
        ("expired", Some(in_time(date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1))), false),
        (
            "not valid yet",
            Some(in_time(date_time_ymd(2998, 1, 1), date_time_ymd(2999, 1, 1))),
            false,
        ),
        ("of another name", Some(house.authority.client(&["other.example"])), false),
        ("of a name below", Some(house.authority.client(&["a.scraper.example"])), false),
        ("with a wildcard", Some(house.authority.client(&["*.example"])), false),
        ("with a common name alone", Some(house.authority.client(&[])), false),
        ("without its chain", Some(chained.clone()), false),
        ("of a server", Some(for_servers), false),
        ("with an address", Some(house.authority.client(&["192.0.2.7"])), true),
        ("with another address", Some(house.authority.client(&["192.0.2.8"])), false),
        ("with a URI", Some(uri), true),
        ("with a mail address", Some(mail), true),
    ];
    for (what, identity, expected) in &cases {
        let config = house.config(&format!("{VERIFIED}{NAMED}"));
        assert_eq!(house.lets_in(config, identity.as_ref()).await, *expected, "{what}");
    }
}

#[tokio::test]
async fn each_client_auth_type_asks_what_it_says() {
    let house = House::new();
    let other = Authority::new("others");
    let (ours, theirs) = (house.authority.client(&["a"]), other.client(&["a"]));
    let ca = "  client_ca_file: ca.pem\n";
    for (kind, ca, without, with_ours, with_theirs) in [
        ("NoClientCert", "", true, true, true),
        ("RequestClientCert", ca, true, true, true),
        ("RequestClientCert", "", true, true, true),
        ("RequireAnyClientCert", "", false, true, true),
        ("RequireClientCert", ca, false, true, true),
        ("VerifyClientCertIfGiven", ca, true, true, false),
        ("RequireAndVerifyClientCert", ca, false, true, false),
    ] {
        let config = || house.config(&format!("  client_auth_type: {kind}\n{ca}"));
        assert_eq!(house.lets_in(config(), None).await, without, "{kind}: none");
        assert_eq!(house.lets_in(config(), Some(&ours)).await, with_ours, "{kind}: ours");
        assert_eq!(house.lets_in(config(), Some(&theirs)).await, with_theirs, "{kind}: theirs");
    }
}

#[tokio::test]
async fn b09_a_client_ca_means_that_client_certificates_are_verified() {
    let house = House::new();
    let path = |name: &str| house.folder.path().join(name);
    let config = || {
        WebConfig::new()
            .tls_files(path("server.pem"), path("server.key"))
            .client_ca_file(path("ca.pem"))
    };
    let theirs = Authority::new("others").client(&["a"]);
    assert!(!house.lets_in(config(), None).await);
    assert!(!house.lets_in(config(), Some(&theirs)).await);
    assert!(house.lets_in(config(), Some(&house.authority.client(&["a"]))).await);
}

/// The 13th case: X.509 version 1 has no extensions, so nothing says what it is for.
#[tokio::test]
async fn real_a_certificate_of_version_1_is_refused_with_its_reason() {
    let Some(openssl) = narthex_test::required_component("openssl") else { return };
    let house = House::new();
    let folder = &house.folder;
    let run = |arguments: &str| {
        let mut command = Command::new(&openssl);
        let command = command.args(arguments.split(' ')).current_dir(folder.path());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout old.key \
         -out old-ca.pem -subj /CN=old -days 2");
    run(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout v1.key -out v1.csr -subj /CN=a",
    );
    run("x509 -req -in v1.csr -CA old-ca.pem -CAkey old.key -CAcreateserial -days 1 -out v1.pem");
    assert!(run("x509 -in v1.pem -noout -text").contains("Version: 1 "));
    for kind in ["RequireAndVerifyClientCert", "RequireAnyClientCert"] {
        let tls = format!("  client_auth_type: {kind}\n  client_ca_file: old-ca.pem\n");
        let (logs, _guard) = Logs::capture();
        let (running, addr, _) = serve(house.config(&tls)).await;
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--insecure",
            "--cert",
            "v1.pem",
            "--key",
            "v1.key",
        ])
        .arg(format!("https://{addr}/metrics"))
        .current_dir(folder.path());
        let output = tokio::task::spawn_blocking(move || curl.output()).await.unwrap().unwrap();
        assert!(!output.status.success(), "{kind}");
        let line = logs.wait_for("a TLS handshake failed").await;
        assert!(line.contains("UnsupportedCertVersion"), "{kind}: {line}");
        running.shutdown().await.unwrap();
    }
}

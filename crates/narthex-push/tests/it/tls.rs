//! Gateways behind TLS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use narthex_push::{ClientTls, PushErrorKind, Pusher};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Reply, Server, answer, causes, ok, scrape};

/// Who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`, and its key.
    fn sign(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// Trusts this authority, and shows a certificate of it.
    fn client(&self) -> ClientTls {
        let (certificate, key) = self.sign("client.example");
        trusting(self.pem()).client_certificate(certificate.pem(), key.serialize_pem())
    }
}

/// What the server of a test asks clients for.
enum Asks {
    Nothing,
    Certificate,
}

/// The settings of a server for `name`.
fn config(authority: &Authority, name: &str, asks: Asks) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match asks {
        Asks::Nothing => config.with_no_client_auth(),
        Asks::Certificate => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let (certificate, key) = authority.sign(name);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

fn serve(config: Arc<ServerConfig>, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start_with(
        move |stream| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            Some(Box::new(StreamOwned::new(connection, stream)))
        },
        move |_, _| reply(),
    )
}

/// An authority, and a server with a certificate of it for `name`.
fn server(name: &str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> (String, Server) {
    let authority = Authority::new();
    let server = serve(config(&authority, name, Asks::Nothing), reply);
    (authority.pem(), server)
}

fn trusting(pem: impl AsRef<[u8]>) -> ClientTls {
    ClientTls::new().ca_certificates(pem)
}

fn pusher(server: &Server) -> Pusher {
    Pusher::new(format!("https://localhost:{}", server.addr.port()), "j")
}

#[tokio::test]
async fn a_gateway_with_a_certificate_of_the_own_authority_is_trusted() {
    let (authority, server) = server("localhost", ok);
    let pusher = pusher(&server).tls(trusting(authority)).bearer_token("secret");
    for _ in 0..2 {
        pusher.push(&scrape()).await.unwrap();
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.connection == 0));
    assert_eq!(requests[0].header("authorization"), Some("Bearer secret"));
}

#[tokio::test]
async fn a_wrong_certificate_is_refused_at_once_and_nothing_is_sent() {
    let (authority, right) = server("localhost", ok);
    let (other, wrong_name) = server("gateway.example", ok);
    for (pusher, expected) in [
        (pusher(&right), "UnknownIssuer"),
        // An authority of the same name.
        (pusher(&right).tls(trusting(&other)), "BadSignature"),
        (pusher(&wrong_name).tls(trusting(&other)), "not valid for name"),
    ] {
        let error = pusher.bearer_token("secret").push(&scrape()).await.unwrap_err();
        // Waiting does not make it right.
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Connect, 1));
        let text = causes(&error);
        assert!(text.contains(expected), "{text}");
    }
    assert!(right.requests().is_empty() && wrong_name.requests().is_empty());
    drop(authority);
}

#[tokio::test]
async fn a_server_that_never_speaks_tls_is_given_up_within_the_time_to_connect() {
    let silent = Mutex::new(Vec::new());
    let hold = move |stream| {
        silent.lock().unwrap().push(stream);
        None
    };
    let server = Server::start_with(hold, |_, _| ok());
    let pusher = pusher(&server).connect_timeout(Duration::from_millis(100)).retries(0);
    let error = pusher.push(&scrape()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Connect);
    assert!(causes(&error).ends_with("no connection within 0.1 s"), "{}", causes(&error));
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let plain = Server::start(|_, _| ok());
    let to = format!("Location: {}/\r\n", plain.url());
    let (authority, server) = server("localhost", move || answer("307 Temporary", &to, ""));
    let error = pusher(&server).tls(trusting(authority)).push(&scrape()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Redirect);
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn an_authority_that_is_none_is_refused_before_anything_is_sent() {
    for (pem, expected) in [
        ("", "the authority to trust is none: there is no certificate in PEM"),
        ("nonsense", "the authority to trust is none: there is no certificate in PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "an authority to trust cannot be used",
        ),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "the authority to trust is not valid PEM"),
    ] {
        let pusher = Pusher::new("https://localhost:1", "j").tls(trusting(pem));
        let error = pusher.push(&scrape()).await.unwrap_err();
        assert_eq!(error.kind(), PushErrorKind::Settings, "{pem}");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_gateway_that_asks_for_a_certificate_is_shown_one() {
    let authority = Authority::new();
    let server = serve(config(&authority, "localhost", Asks::Certificate), ok);
    pusher(&server).tls(authority.client()).push(&scrape()).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_misses_a_certificate_is_not_asked_again() {
    let authority = Authority::new();
    let server = serve(config(&authority, "localhost", Asks::Certificate), ok);
    // Its authority has the name of the right one.
    let stranger = Authority::new().client().ca_certificates(authority.pem());
    for (tls, expected) in [
        (trusting(authority.pem()), "received fatal alert: CertificateRequired"),
        (stranger, "received fatal alert: DecryptError"),
    ] {
        let error = pusher(&server).tls(tls).push(&scrape()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (PushErrorKind::Connect, 1));
        assert!(causes(&error).contains(expected), "{}", causes(&error));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_is_for_the_first_server_alone() {
    let authority = Authority::new();
    // The same, so that the other would take a session of the first one.
    let same = config(&authority, "localhost", Asks::Certificate);
    let other = serve(same.clone(), ok);
    let redirect_to = |port| {
        let to = format!("Location: https://localhost:{port}/\r\n");
        move || answer("307 Temporary", &to, "")
    };
    let first = serve(same, redirect_to(other.addr.port()));
    let error = pusher(&first).tls(authority.client()).push(&scrape()).await.unwrap_err();
    assert!(causes(&error).contains("CertificateRequired"), "{}", causes(&error));
    assert_eq!((first.requests().len(), other.requests().len()), (1, 0));

    let open = serve(config(&authority, "localhost", Asks::Nothing), ok);
    let ask = config(&authority, "localhost", Asks::Certificate);
    let first = serve(ask, redirect_to(open.addr.port()));
    pusher(&first).tls(authority.client()).push(&scrape()).await.unwrap();
    assert_eq!(open.requests().len(), 1);
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_before_anything_is_sent() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("client.example");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let (_, foreign) = authority.sign("client.example");
    let no_key = "the key of the client certificate is none: there is no private key in PEM \
                  without a passphrase in it";
    for (url, certificate, key, expected) in [
        (
            "https://localhost:1",
            "",
            &*key,
            "the client certificate is none: there is no certificate in PEM",
        ),
        ("https://localhost:1", &*certificate, "", no_key),
        ("https://localhost:1", &certificate, &certificate, no_key),
        (
            "https://localhost:1",
            &certificate,
            &foreign.serialize_pem(),
            "the key is not that of the client certificate",
        ),
        (
            "http://localhost:1",
            &certificate,
            &key,
            "there is a client certificate, but the URL is not `https`",
        ),
    ] {
        let tls = trusting(authority.pem()).client_certificate(certificate, key);
        let shown = format!("{tls:?}");
        assert_eq!(shown, "ClientTls { has_authorities: true, has_identity: true }");
        let error = Pusher::new(url, "j").tls(tls).push(&scrape()).await.unwrap_err();
        assert_eq!(error.kind(), PushErrorKind::Settings);
        assert_eq!(error.to_string(), expected);
    }
}

//! Gateways behind TLS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use narthex_push::{PushErrorKind, Pusher};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Reply, Server, answer, causes, ok, scrape};

/// An authority, and a server with a certificate of it for `name`.
fn server(name: &str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> (String, Server) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let server = Server::start_with(
        move |stream| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            Some(Box::new(StreamOwned::new(connection, stream)))
        },
        move |_, _| reply(),
    );
    (authority.pem(), server)
}

fn pusher(server: &Server) -> Pusher {
    Pusher::new(format!("https://localhost:{}", server.addr.port()), "j")
}

#[tokio::test]
async fn a_gateway_with_a_certificate_of_the_own_authority_is_trusted() {
    let (authority, server) = server("localhost", ok);
    let pusher = pusher(&server).ca_certificates(authority).bearer_token("secret");
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
        (pusher(&right).ca_certificates(&other), "BadSignature"),
        (pusher(&wrong_name).ca_certificates(&other), "not valid for name"),
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
    let error = pusher(&server).ca_certificates(authority).push(&scrape()).await.unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Redirect);
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn an_authority_that_is_none_is_refused_before_anything_is_sent() {
    for (pem, expected) in [
        ("", "there is no PEM in them"),
        ("nonsense", "there is no PEM in them"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "are not PEM"),
    ] {
        let pusher = Pusher::new("https://localhost:1", "j").ca_certificates(pem);
        let error = pusher.push(&scrape()).await.unwrap_err();
        assert_eq!(error.kind(), PushErrorKind::Settings, "{pem}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

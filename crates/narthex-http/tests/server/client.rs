//! A client that sends exactly what it is told, over TCP or TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use narthex_test::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, crypto, version,
};

use crate::certs::{Authority, Identity};

/// Sends bytes on a connection of their own and reads until the server closes it.
pub(crate) async fn raw(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes.as_ref()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Gets a path with these headers on a connection of its own.
pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &str) -> Reply {
    let stream = TcpStream::connect(addr).await.unwrap();
    exchange(stream, path, headers).await.unwrap()
}

/// Gets a path over a stream and reads to the end of the connection.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    headers: &str,
) -> io::Result<Reply> {
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    // The answer says whether it is whole; not every end of TLS is a polite one.
    let ended = stream.read_to_end(&mut answer).await;
    let response = match Response::read("GET", &mut &*answer) {
        Ok(response) => response,
        Err(error) => return Err(ended.err().unwrap_or(error)),
    };
    let head = String::from_utf8_lossy(&answer);
    let head = head.split_once("\r\n\r\n").map_or("", |(head, _)| head).to_owned();
    let body = String::from_utf8_lossy(&response.body).into_owned();
    Ok(Reply { status: response.status, head, body })
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The values of a header, in the order in which they came.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// The header of a user with a password.
pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{password}");
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    format!("Authorization: Basic {pair}\r\n")
}

/// What a client knows before it connects over TLS.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    pub(crate) fn of(authority: &Authority) -> Self {
        Self::with(authority, None, &[&version::TLS12, &version::TLS13])
    }

    pub(crate) fn with(
        authority: &Authority,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
            }
        };
        Self(Arc::new(config))
    }

    pub(crate) async fn connect(&self, addr: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(self.0.clone()).connect(name, stream).await
    }

    pub(crate) async fn get(&self, addr: SocketAddr, path: &str) -> io::Result<Reply> {
        exchange(self.connect(addr).await?, path, "").await
    }
}

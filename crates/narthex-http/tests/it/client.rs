//! A client that sends exactly what it is told and reads exactly what comes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Client(TcpStream);

pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.expect("the server listens"))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Sends a request and keeps the connection.
    pub(crate) async fn request(&mut self, method: &str, path: &str, headers: &str) -> Reply {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        self.send(head).await;
        self.reply(method).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.request("GET", path, "").await
    }

    pub(crate) async fn reply(&mut self, method: &str) -> Reply {
        let head = self.head().await;
        let mut reply = parse(&head);
        if method == "HEAD" {
            return reply;
        }
        match reply.header("content-length") {
            Some(length) => reply.body = self.exactly(length.parse().expect("a length")).await,
            None => {
                assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
                reply.body = self.chunks().await;
            }
        }
        reply
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.expect("a whole body");
        bytes
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.push(self.0.read_u8().await.expect("a whole chunk"));
            }
            let size = std::str::from_utf8(&size).expect("an ASCII size");
            let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
            body.extend(self.exactly(size).await);
            assert_eq!(self.exactly(2).await, b"\r\n");
            if size == 0 {
                return body;
            }
        }
    }

    /// Reads the head of a response alone.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a whole head"));
        }
        String::from_utf8(head).expect("an ASCII head")
    }

    /// Reads a part of what is left of a body, and tells how much.
    pub(crate) async fn some(&mut self, left: u64) -> u64 {
        let mut part = vec![0; 16 * 1024];
        let most = usize::try_from(left).unwrap_or(part.len()).min(part.len());
        let read = self.0.read(&mut part[..most]).await.expect("a whole body");
        assert!(read > 0, "the body ended {left} bytes too early");
        read as u64
    }

    /// Reads all there is until the server closes the connection, cleanly or not.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All headers but the date.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| name != "date");
        headers
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn request(addr: SocketAddr, method: &str, path: &str, headers: &str) -> Reply {
    Client::connect(addr).await.request(method, path, headers).await
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> Reply {
    request(addr, "GET", path, "").await
}

/// Whether the rest of an answer to GET brings all of its body.
pub(crate) fn is_whole(head: &str, rest: &[u8]) -> bool {
    narthex_test::Response::read("GET", &mut &*[head.as_bytes(), rest].concat()).is_ok()
}

fn parse(head: &str) -> Reply {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Reply { status: status.parse().expect("a status"), headers, body: Vec::new() }
}

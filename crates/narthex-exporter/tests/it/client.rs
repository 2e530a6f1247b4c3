//! The least of an HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// The whole answer to a GET request, head and body.
pub(crate) fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The body, which must be as long as its head says.
pub(crate) fn body(answer: &str) -> &str {
    let (head, body) = answer.split_once("\r\n\r\n").expect(answer);
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.parse::<usize>().ok());
    assert_eq!(length, Some(body.len()), "{head}");
    body
}

//! A client that reads as fast as it can and looks at nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub(crate) struct Timing {
    pub(crate) first_byte: Duration,
    pub(crate) total: Duration,
    /// Of the body.
    pub(crate) length: usize,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, buffer: vec![0; 256 * 1024] }
    }

    pub(crate) fn get(&mut self, path: &str, headers: &str) -> Timing {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).expect("the server reads");
        let mut filled = self.stream.read(&mut self.buffer).expect("an answer");
        let first_byte = begun.elapsed();
        let head = loop {
            let end = self.buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None => filled += self.stream.read(&mut self.buffer[filled..]).expect("a head"),
            }
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
        let mut left = length - (filled - head);
        while left > 0 {
            let read = self.stream.read(&mut self.buffer).expect("a body");
            assert!(read > 0, "the body breaks off");
            left -= read;
        }
        Timing { first_byte, total: begun.elapsed(), length }
    }
}

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
        let mut rest =
            Rest { stream: &mut self.stream, buffer: &mut self.buffer, next: head, filled };
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = match length {
            Some(length) => rest.skip(length.parse().expect("a length")),
            None => rest.skip_chunks(),
        };
        Timing { first_byte, total: begun.elapsed(), length }
    }
}

/// What comes after the head of an answer.
struct Rest<'c> {
    stream: &'c mut TcpStream,
    buffer: &'c mut [u8],
    /// The bytes of the buffer that nobody has looked at are `next..filled`.
    next: usize,
    filled: usize,
}

impl Rest<'_> {
    fn skip(&mut self, length: usize) -> usize {
        let mut left = length;
        loop {
            let here = left.min(self.filled - self.next);
            self.next += here;
            left -= here;
            if left == 0 {
                return length;
            }
            self.fill();
        }
    }

    /// Skips a chunked body (RFC 9112, section 7.1), and tells its length.
    fn skip_chunks(&mut self) -> usize {
        let mut length = 0;
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.push(self.byte());
            }
            let size = std::str::from_utf8(&size).expect("a size").trim_end();
            let size = usize::from_str_radix(size, 16).expect("a size");
            length += self.skip(size);
            self.skip(2);
            if size == 0 {
                return length;
            }
        }
    }

    fn byte(&mut self) -> u8 {
        if self.next == self.filled {
            self.fill();
        }
        self.next += 1;
        self.buffer[self.next - 1]
    }

    fn fill(&mut self) {
        self.next = 0;
        self.filled = self.stream.read(self.buffer).expect("a body");
        assert!(self.filled > 0, "the body breaks off");
    }
}

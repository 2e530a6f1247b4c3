//! A server between a scraper and its target that decides which format is asked for.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::http::{Response, get};

/// Hands requests on to a page, with an `Accept` header of its own, until the test process ends.
///
/// So a scraper that prefers one format can be made to read another, whatever the target offers.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    addr: SocketAddr,
}

impl Relay {
    /// Starts a relay to `url` that asks for what `accept` says.
    ///
    /// # Panics
    ///
    /// Panics when no port of the loopback interface is free.
    #[track_caller]
    pub fn start(url: &str, accept: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (url, accept) = (url.to_owned(), accept.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A scraper that went away has nobody to tell.
                let _ = answer(stream, &url, &accept);
            }
        });
        Self { addr }
    }

    /// Where it listens; every path is the page.
    pub fn addr(self) -> SocketAddr {
        self.addr
    }
}

fn answer(mut stream: TcpStream, url: &str, accept: &str) -> io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let Response { status, headers, body } = get(url, &[("Accept", accept)])?;
    let mut head = format!("HTTP/1.1 {status} Relayed\r\nConnection: close\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| name == "content-type") {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::Relay;
    use crate::http::get;

    #[test]
    fn a_relay_asks_for_what_it_was_told_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let target = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: a/b; c=d\r\nContent-Length: 5\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(b"up 1\n").unwrap();
            String::from_utf8(request).unwrap()
        });
        let relay = Relay::start(&url, "text/plain;version=0.0.4");
        let answer = get(&format!("http://{}/", relay.addr()), &[("Accept", "*/*")]).unwrap();
        assert_eq!((answer.status, answer.text()), (200, "up 1\n"));
        assert_eq!(answer.header("content-type"), Some("a/b; c=d"));
        let request = target.join().unwrap();
        assert!(request.starts_with("GET /metrics HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nAccept: text/plain;version=0.0.4\r\n"), "{request}");
        assert!(!request.contains("*/*"), "{request}");
    }
}

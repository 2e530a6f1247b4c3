//! `narthex fetch` and servers that mean harm, or break in the middle.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::fetch::ok;
use crate::support::Directory;

/// Gives canned answers, whatever it is asked; the last one again and again.
pub(crate) struct Server {
    pub(crate) url: String,
    addr: SocketAddr,
    requests: mpsc::Receiver<String>,
}

impl Server {
    pub(crate) fn start(answer: Vec<u8>) -> Self {
        Self::with(vec![answer])
    }

    pub(crate) fn with(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        // Ends with the test process.
        thread::spawn(move || {
            let answers = answers.iter().chain(std::iter::repeat(answers.last().unwrap()));
            for (stream, answer) in listener.incoming().zip(answers) {
                let mut stream = stream.unwrap();
                let _ = sender.send(read_request(&mut stream));
                // Who has seen enough goes away early.
                let _ = stream.write_all(answer);
            }
        });
        Self { url: format!("http://{addr}/"), addr, requests }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The next request.
    pub(crate) fn request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Fetches an answer that is none: exit code 1, no page, one line about it.
#[track_caller]
fn check(answer: Vec<u8>, expected: &str) {
    let server = Server::start(answer);
    let (code, stdout, stderr) = Directory::new().end_of(&["fetch", &server.url], &[]);
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    let expected = format!("error: {}: {expected}", server.url);
    assert!(stderr.starts_with(&expected), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.trim_end().contains(|c: char| c.is_control()), "{stderr:?}");
}

#[test]
fn a_gzip_page_is_decoded() {
    let server = Server::start(ok("Content-Encoding: gzip\r\n", &gzip(b"up 1\n")));
    let (code, stdout, _) = Directory::new().end_of(&["fetch", &server.url, "--raw"], &[]);
    assert_eq!((code, &*stdout), (0, "up 1\n"));
}

#[test]
fn a_huge_head_is_given_up() {
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    check(long.into_bytes(), "no whole answer: ");
    let many = "X-Many: 1\r\n".repeat(100_000);
    check(format!("HTTP/1.1 200 OK\r\n{many}\r\n").into_bytes(), "no whole answer: ");
}

#[test]
fn a_page_cannot_fill_memory() {
    let coding = "Content-Encoding: gzip\r\n";
    let bomb = gzip(&vec![0; 16 << 20]);
    check(ok(coding, &bomb), "the page is more than 250 times what was sent\n");
    // Two layers: the client takes one off, and does not look into the other.
    let twice = ok("Content-Encoding: gzip, gzip\r\n", &gzip(&bomb));
    check(twice, "the page has the unknown coding `gzip, gzip`\n");
    check(ok("", &vec![b'x'; (32 << 20) + 1]), "the page is larger than 32 MiB\n");
    // Without an announced length as well.
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 40 << 20]].concat();
    check(endless, "the page is larger than 32 MiB\n");
}

#[test]
fn half_a_page_is_none() {
    let whole = ok("", b"up 1\n");
    check(whole[..whole.len() - 1].to_vec(), "no whole answer: ");
    let coding = "Content-Encoding: gzip\r\n";
    let compressed = gzip(b"up 1\n");
    let half = ok(coding, &compressed[..compressed.len() - 4]);
    check(half, "the page is not the gzip it claims to be: ");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n";
    check(chunked.to_vec(), "no whole answer: ");
    check(Vec::new(), "no whole answer: ");
}

#[test]
fn what_is_not_http_is_no_answer() {
    check(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), "no whole answer: ");
    check(b"\x1b[2J\x07\r\n\r\n".to_vec(), "no whole answer: ");
    check(b"HTTP/1.1 200 OK\r\nX: \x1b[2J\r\n\r\n".to_vec(), "no whole answer: ");
}

#[test]
fn who_hangs_is_given_up_at_the_timeout() {
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hung.local_addr().unwrap());
    let end = Directory::new().end_of(&["fetch", &url, "--timeout=0.2"], &[]);
    let message = format!("error: {url}: no whole answer within 0.2 s\n");
    assert_eq!(end, (1, String::new(), message));

    // Half a page, and then nothing.
    let (sender, streams) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = hung.accept().unwrap();
        // The first one was given up before anybody accepted it.
        read_request(&mut stream);
        let (mut stream, _) = hung.accept().unwrap();
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup").unwrap();
        sender.send(stream).unwrap();
    });
    let (code, stdout, stderr) = Directory::new().end_of(&["fetch", &url, "--timeout=0.2"], &[]);
    assert_eq!((code, &*stdout), (1, ""));
    assert_eq!(stderr, format!("error: {url}: no whole answer within 0.2 s\n"));
    // Held until now, so that the connection stayed open.
    drop(streams.recv_timeout(Duration::from_secs(30)).unwrap());
}

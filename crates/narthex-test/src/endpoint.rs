//! A small HTTP server that answers whatever a test wants it to.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A server on a free port of loopback, until it is dropped; each connection gets one answer.
#[derive(Debug)]
pub struct Endpoint {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Starts a server whose `answer` is given each request, head and body, and the connection to
    /// write the whole response to.
    pub fn start<F>(answer: F) -> io::Result<Self>
    where
        F: Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), answer)
    }

    /// The same at an address, such as that of one that is gone.
    pub fn start_at<F>(addr: SocketAddr, answer: F) -> io::Result<Self>
    where
        F: Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop: Arc<AtomicBool> = Arc::default();
        let (seen, stopped, answer) = (requests.clone(), stop.clone(), Arc::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let (seen, answer) = (seen.clone(), answer.clone());
                // Ends with the connection, which has a time limit.
                thread::spawn(move || {
                    // Who asks may leave before the answer is whole.
                    let _ = serve(stream, &seen, &*answer);
                });
            }
        });
        Ok(Self { addr, requests, stop, thread: Some(thread) })
    }

    /// A server that answers every request with this JSON.
    pub fn json(body: impl Into<String>) -> io::Result<Self> {
        let body = body.into();
        Self::start(move |_, stream| respond(stream, "200 OK", "application/json", body.as_bytes()))
    }

    /// The URL of a path that begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The requests so far, each with its head and body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread up, which then sees that it is over.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes a response whose connection is closed after it.
pub fn respond(
    stream: &mut TcpStream,
    status: &str,
    content_type: &str,
    body: &[u8],
) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync),
) -> io::Result<()> {
    const LIMIT: Duration = Duration::from_secs(60);
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    while reader.read_line(&mut request)? > 2 {}
    let length = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    request.push_str(&String::from_utf8_lossy(&body));
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    answer(&request, &mut stream)
}

//! A server that does as a test tells it, and what is pushed to it.

use std::any::Any;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use narthex_push::Pusher;

/// How long a test waits for what must happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Writes these bytes, and reads the next request.
    Answer(Vec<u8>),
    /// Writes these bytes over and over until the other side has enough of it.
    Endless(Vec<u8>),
    /// Does nothing.
    Hang,
    /// Ends the connection without an answer.
    Close,
}

/// An answer with this status, these further header lines and this body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
    Reply::Answer((head + body).into_bytes())
}

pub(crate) fn ok() -> Reply {
    answer("200 OK", "", "")
}

type Behaviour = dyn Fn(usize, &Request) -> Reply + Send + Sync;
type Accept = dyn Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync;

pub(crate) trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A server on a free loopback port, for as long as the test runs.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
}

struct State {
    requests: Mutex<Vec<Request>>,
    /// What hangs stays open.
    hanging: Mutex<Vec<Box<dyn Any + Send>>>,
    behaviour: Box<Behaviour>,
    accept: Box<Accept>,
}

impl Server {
    /// Answers each request as `behaviour` says, which is given how many came before.
    pub(crate) fn start(
        behaviour: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(|stream| Some(Box::new(stream)), behaviour)
    }

    /// As [`start`](Self::start), with connections that are more than TCP.
    pub(crate) fn start_with(
        accept: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static,
        behaviour: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), accept, behaviour)
    }

    pub(crate) fn serve(
        listener: TcpListener,
        accept: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static,
        behaviour: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            requests: Mutex::default(),
            hanging: Mutex::default(),
            behaviour: Box::new(behaviour),
            accept: Box::new(accept),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (state, Ok(stream)) = (shared.clone(), stream) else { continue };
                thread::spawn(move || {
                    stream.set_read_timeout(Some(LIMIT)).unwrap();
                    stream.set_write_timeout(Some(LIMIT)).unwrap();
                    if let Some(stream) = (state.accept)(stream) {
                        // An error is how the other side ends a connection.
                        let _ = state.converse(connection, stream);
                    }
                });
            }
        });
        Self { addr, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A pusher for the job `j`.
    pub(crate) fn pusher(&self) -> Pusher {
        Pusher::new(self.url(), "j")
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The one request so far.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        let [request] = &requests[..] else { panic!("not one request: {requests:?}") };
        request.clone()
    }
}

impl State {
    fn converse(&self, connection: usize, stream: Box<dyn Stream>) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream, connection)? {
            let before = {
                let mut requests = self.requests.lock().unwrap();
                requests.push(request.clone());
                requests.len() - 1
            };
            match (self.behaviour)(before, &request) {
                Reply::Answer(bytes) => {
                    stream.get_mut().write_all(&bytes)?;
                    stream.get_mut().flush()?;
                }
                Reply::Endless(bytes) => loop {
                    stream.get_mut().write_all(&bytes)?;
                },
                Reply::Hang => {
                    self.hanging.lock().unwrap().push(Box::new(stream.into_inner()));
                    return Ok(());
                }
                Reply::Close => return Ok(()),
            }
        }
        Ok(())
    }
}

fn read_request(
    stream: &mut BufReader<Box<dyn Stream>>,
    connection: usize,
) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new(), connection };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// An address at which nobody listens, and that nobody else gets.
pub(crate) struct Nobody(tokio::net::TcpSocket);

impl Nobody {
    pub(crate) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// A pusher to it.
    pub(crate) fn pusher(&self) -> Pusher {
        Pusher::new(format!("http://{}", self.addr()), "j")
    }

    /// Listens after all.
    pub(crate) fn listen(self) -> TcpListener {
        let listener = self.0.listen(16).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        listener
    }
}

/// One gauge.
pub(crate) fn scrape() -> narthex_model::Scrape {
    let gauge = narthex_model::MetricFamily::gauge("up", "Up.").sample([""; 0], 1u64);
    narthex_model::Scrape::new(vec![gauge.build().unwrap()])
}

/// An error with its causes.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

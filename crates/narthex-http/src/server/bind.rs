//! From addresses to listening sockets.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

#[cfg(unix)]
use super::listener::Address;
use super::listener::Listener;

/// Where to listen.
///
/// Made of text such as `localhost:9100`, `127.0.0.1:0`, `[::1]:9100`, `:9100` (all interfaces) or
/// `unix:/run/thermo.sock`, of a host and a port, or of socket addresses. A name stands for every address that it resolves
/// to; so do several socket addresses, and with port 0 they share the port that is found. Nothing
/// is checked before it is bound.
///
/// A Unix domain socket that a killed process left behind is replaced; one that is answered, and
/// any other file, is an error. Its file goes when the server stops to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddr(Target);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Text(String),
    Host(String, u16),
    Sockets(Vec<SocketAddr>),
}

impl From<&str> for ListenAddr {
    fn from(text: &str) -> Self {
        Self(Target::Text(text.to_owned()))
    }
}

impl From<String> for ListenAddr {
    fn from(text: String) -> Self {
        Self(Target::Text(text))
    }
}

impl From<(&str, u16)> for ListenAddr {
    fn from((host, port): (&str, u16)) -> Self {
        Self(Target::Host(host.to_owned(), port))
    }
}

impl From<(String, u16)> for ListenAddr {
    fn from((host, port): (String, u16)) -> Self {
        Self(Target::Host(host, port))
    }
}

impl From<(IpAddr, u16)> for ListenAddr {
    fn from(addr: (IpAddr, u16)) -> Self {
        Self::from(SocketAddr::from(addr))
    }
}

impl From<SocketAddr> for ListenAddr {
    fn from(addr: SocketAddr) -> Self {
        Self(Target::Sockets(vec![addr]))
    }
}

impl From<&[SocketAddr]> for ListenAddr {
    fn from(addrs: &[SocketAddr]) -> Self {
        Self(Target::Sockets(addrs.to_vec()))
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Text(text) => f.write_str(text),
            Target::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Target::Host(host, port) => write!(f, "{host}:{port}"),
            Target::Sockets(addrs) => {
                for (at, addr) in addrs.iter().enumerate() {
                    write!(f, "{}{addr}", if at == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl ListenAddr {
    pub(super) async fn listen(self) -> Result<Vec<Listener>, BindError> {
        let outcome = match self.unix_path() {
            Some(path) => listen_unix(path).map(|listener| vec![listener]),
            None => match self.0.resolve().await {
                Ok(candidates) => candidates.listen().map(|bound| {
                    bound.into_iter().map(|(socket, addr)| Listener::Tcp(socket, addr)).collect()
                }),
                Err(fault) => Err(fault),
            },
        };
        outcome.map_err(|fault| BindError { addr: self.to_string(), fault })
    }

    fn unix_path(&self) -> Option<&str> {
        match &self.0 {
            Target::Text(text) => text.strip_prefix("unix:"),
            Target::Host(..) | Target::Sockets(_) => None,
        }
    }
}

/// What an address resolved to.
struct Candidates {
    addrs: Vec<SocketAddr>,
    choice: Choice,
}

/// Which of the candidates must be bound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// All of them.
    All,
    /// All that this machine has: `localhost` often names `::1` where there is no IPv6.
    Present,
    /// The first that this machine has.
    First,
}

impl Target {
    async fn resolve(&self) -> Result<Candidates, Fault> {
        let (host, port) = match self {
            Self::Sockets(addrs) => {
                return Ok(Candidates { addrs: addrs.clone(), choice: Choice::All });
            }
            Self::Host(host, port) => (host.as_str(), *port),
            Self::Text(text) => split(text)?,
        };
        if host.is_empty() {
            // Linux gives IPv4 to a listener on `::` too.
            let hosts = [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()];
            let addrs = hosts.map(|host| SocketAddr::new(host, port)).to_vec();
            return Ok(Candidates { addrs, choice: Choice::First });
        }
        if let Ok(host) = host.parse::<IpAddr>() {
            return Ok(Candidates { addrs: vec![(host, port).into()], choice: Choice::All });
        }
        let mut addrs: Vec<SocketAddr> = Vec::new();
        for addr in lookup_host((host, port)).await.map_err(Fault::Lookup)? {
            if !addrs.contains(&addr) {
                addrs.push(addr);
            }
        }
        if addrs.is_empty() {
            Err(Fault::Nothing)
        } else {
            Ok(Candidates { addrs, choice: Choice::Present })
        }
    }
}

fn split(text: &str) -> Result<(&str, u16), Fault> {
    let (host, port) = text.rsplit_once(':').ok_or(Fault::Syntax("it has no port"))?;
    // Digits alone, for `parse` takes a sign as well.
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits);
    let port = port.ok_or(Fault::Syntax("the port is not a number from 0 to 65535"))?;
    match host.strip_prefix('[') {
        Some(rest) => {
            let host = rest.strip_suffix(']').ok_or(Fault::Syntax("its brackets do not match"))?;
            Ok((host, port))
        }
        None if host.contains(':') => Err(Fault::Syntax("an IPv6 address needs brackets")),
        None => Ok((host, port)),
    }
}

impl Candidates {
    fn listen(self) -> Result<Vec<(TcpListener, SocketAddr)>, Fault> {
        /// Finding one free port for several addresses takes luck, so it is tried again.
        const ATTEMPTS: usize = 32;
        let mut attempt = 1;
        loop {
            match self.listen_once() {
                Err(Fault::Bind(addr, error))
                    if error.kind() == ErrorKind::AddrInUse
                        && self.addrs.iter().any(|asked| asked.port() == 0 && addr.port() != 0)
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn listen_once(&self) -> Result<Vec<(TcpListener, SocketAddr)>, Fault> {
        let mut bound: Vec<(TcpListener, SocketAddr)> = Vec::new();
        let mut absent = None;
        for &asked in &self.addrs {
            let mut addr = asked;
            if let (0, Some((_, first))) = (addr.port(), bound.first()) {
                addr.set_port(first.port());
            }
            match listen(addr) {
                Ok(listener) => bound.push(listener),
                Err(error) if self.choice != Choice::All && is_absent(&error) => {
                    absent = Some(Fault::Bind(addr, error));
                }
                Err(error) => return Err(Fault::Bind(addr, error)),
            }
            if self.choice == Choice::First && !bound.is_empty() {
                break;
            }
        }
        match absent {
            Some(fault) if bound.is_empty() => Err(fault),
            _ => Ok(bound),
        }
    }
}

/// Bytes of a page that may wait in a connection's socket, which the system doubles for its own
/// bookkeeping. Left alone it holds up to 4 MB for each reader that stalls, and until it is full
/// nobody can tell that one does.
const SEND_BUFFER: u32 = 1024 * 1024;

fn listen(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    /// Clients that wait to be accepted: with less, thousands that dribble keep a scraper out.
    const BACKLOG: u32 = 4096;
    let socket = if addr.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

#[cfg(unix)]
fn listen_unix(path: &str) -> Result<Listener, Fault> {
    if !path.starts_with('/') {
        return Err(Fault::Syntax("the path of a socket must start with `/`"));
    }
    match super::unix::listen(path.as_ref()) {
        Ok((listener, file)) => {
            let address = Address::Unix(path.to_owned());
            Ok(Listener::Unix { listener, address, _file: Some(file) })
        }
        Err(error) => Err(Fault::Unix(error)),
    }
}

#[cfg(not(unix))]
fn listen_unix(_: &str) -> Result<Listener, Fault> {
    Err(Fault::Syntax("this system has no Unix domain sockets"))
}

/// Whether this machine lacks the address or its whole family.
fn is_absent(error: &io::Error) -> bool {
    /// EAFNOSUPPORT, which has no kind; 97 on Linux, 47 on macOS and the BSDs.
    const NO_SUCH_FAMILY: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

/// An address that cannot be listened on.
///
/// The message names the address and the reason, the system's own where it gave one.
#[derive(Debug)]
pub struct BindError {
    addr: String,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Syntax(&'static str),
    Lookup(io::Error),
    Nothing,
    Bind(SocketAddr, io::Error),
    #[cfg(unix)]
    Unix(io::Error),
    /// A socket that was made by somebody else cannot be used.
    Given(io::Error),
}

impl BindError {
    /// The address as it was given.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// The system's reason, where the address could be read.
    pub fn io_error(&self) -> Option<&io::Error> {
        match &self.fault {
            Fault::Lookup(error) | Fault::Bind(_, error) => Some(error),
            #[cfg(unix)]
            Fault::Unix(error) => Some(error),
            Fault::Given(error) => Some(error),
            Fault::Syntax(_) | Fault::Nothing => None,
        }
    }

    pub(super) fn nothing() -> Self {
        Self { addr: String::new(), fault: Fault::Nothing }
    }

    pub(super) fn given(error: io::Error) -> Self {
        Self { addr: String::new(), fault: Fault::Given(error) }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = self.addr.escape_debug();
        match &self.fault {
            Fault::Syntax(reason) => {
                write!(f, "`{addr}` is not an address to listen on: {reason}")
            }
            Fault::Lookup(error) => write!(f, "cannot listen on `{addr}`: {error}"),
            Fault::Nothing => write!(f, "cannot listen on `{addr}`: it stands for no address"),
            #[cfg(unix)]
            Fault::Unix(error) => write!(f, "cannot listen on `{addr}`: {error}"),
            Fault::Given(error) => write!(f, "cannot listen on a socket that was given: {error}"),
            Fault::Bind(socket, error) if self.addr == socket.to_string() => {
                write!(f, "cannot listen on `{addr}`: {error}")
            }
            Fault::Bind(socket, error) => {
                write!(f, "cannot listen on `{addr}` (`{socket}`): {error}")
            }
        }
    }
}

// The system's error is part of the message, so it is not told again as the source.
impl std::error::Error for BindError {}

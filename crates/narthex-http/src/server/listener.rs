//! Listening sockets and connections of any kind that is served.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

#[cfg(unix)]
use super::unix::SocketFile;

/// A listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        address: Address,
        /// Removed with the listener; absent where somebody else made the socket.
        _file: Option<SocketFile>,
    },
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(SocketAddr),
    /// The path of a Unix domain socket, as text for people.
    #[cfg(unix)]
    Unix(String),
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix,
}

/// A connection.
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// A socket that listens already.
    pub(super) fn given_tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        Ok(Self::Tcp(TcpListener::from_std(socket)?, addr))
    }

    /// A socket that listens already.
    #[cfg(unix)]
    pub(super) fn given_unix(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        let path = addr.as_pathname().map(|path| path.to_string_lossy().into_owned());
        let address = Address::Unix(path.unwrap_or_else(|| "unnamed".to_owned()));
        Ok(Self::Unix { listener: UnixListener::from_std(socket)?, address, _file: None })
    }

    pub(super) fn address(&self) -> Address {
        match self {
            Self::Tcp(_, addr) => Address::Tcp(*addr),
            #[cfg(unix)]
            Self::Unix { address, .. } => address.clone(),
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>> {
        Poll::Ready(Ok(match self {
            Self::Tcp(listener, _) => {
                let (stream, remote) = ready!(listener.poll_accept(cx))?;
                // It matters for speed only, so a socket without it is as good.
                let _ = stream.set_nodelay(true);
                (Socket::Tcp(stream), Peer::Tcp(remote))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                (Socket::Unix(stream), Peer::Unix)
            }
        }))
    }
}

impl Address {
    /// Where `path` is found, for people and most programs; nginx writes Unix sockets like this.
    pub(super) fn url(&self, scheme: &str, path: &str) -> String {
        match self {
            Self::Tcp(addr) => format!("{scheme}://{addr}{path}"),
            #[cfg(unix)]
            Self::Unix(socket) => format!("{scheme}://unix:{socket}:{path}"),
        }
    }

    /// The address on the network, if it is one.
    pub(super) fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(addr) => Some(*addr),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(remote) => remote.fmt(f),
            #[cfg(unix)]
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// Does the same with whatever kind of socket it is.
macro_rules! delegate {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            #[cfg(unix)]
            Socket::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

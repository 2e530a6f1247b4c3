//! What a service manager hands over and wants to know: `sd_listen_fds(3)` and `sd_notify(3)`.

use std::io::{self, ErrorKind};

use narthex_http::Server;
use sd_listen_fds::OwnedFd;
use sd_notify::NotifyState;

use crate::error::ExporterError;

/// A server on the sockets that were handed over.
pub(crate) fn server() -> Result<Server, ExporterError> {
    let error = |kind, message| ExporterError::Systemd(io::Error::new(kind, message));
    let sockets = sd_listen_fds::get()
        .map_err(|_| error(ErrorKind::InvalidInput, "`LISTEN_FDS` or `LISTEN_PID` is no number"))?;
    let mut server: Option<Server> = None;
    for (_, socket) in sockets {
        let one = listening(socket)?;
        server = Some(match server {
            Some(server) => server.and(one),
            None => one,
        });
    }
    let none = "`LISTEN_FDS` and `LISTEN_PID` name none for this process";
    server.ok_or_else(|| error(ErrorKind::NotFound, none))
}

/// A server on one socket, of whatever kind it is.
#[cfg(unix)]
fn listening(socket: OwnedFd) -> Result<Server, ExporterError> {
    let socket = socket2::Socket::from(socket.into_std());
    let is_listener = socket.is_listener().map_err(ExporterError::Systemd)?;
    let domain = socket.local_addr().map_err(ExporterError::Systemd)?.domain();
    // Programs that a source starts are not to have it.
    socket.set_cloexec(true).map_err(ExporterError::Systemd)?;
    match domain {
        socket2::Domain::UNIX if is_listener => Ok(Server::from_unix(socket.into())?),
        socket2::Domain::IPV4 | socket2::Domain::IPV6 if is_listener => {
            Ok(Server::from_tcp([socket.into()])?)
        }
        _ => {
            let message = "one of them is neither a TCP nor a Unix domain socket that listens";
            Err(ExporterError::Systemd(io::Error::new(ErrorKind::InvalidInput, message)))
        }
    }
}

#[cfg(not(unix))]
fn listening(socket: OwnedFd) -> Result<Server, ExporterError> {
    Ok(Server::from_tcp([socket.into()])?)
}

/// Where an exporter is in its life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    Ready,
    Stopping,
}

/// Tells the service manager, where there is one that wants to know (`NOTIFY_SOCKET`).
pub(crate) fn tell(stage: Stage) {
    let state = match stage {
        Stage::Ready => NotifyState::Ready,
        Stage::Stopping => NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, ?stage, "the service manager could not be told");
    }
}

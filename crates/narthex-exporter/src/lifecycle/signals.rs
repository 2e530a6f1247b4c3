//! The signals that end an exporter, and the one that asks it to reload.

use std::fmt;
use std::io;

use super::ExporterHandle;

/// A signal that ends an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT: somebody typed Ctrl-C.
    Interrupt,
    /// SIGTERM: the service manager asks.
    Terminate,
}

impl StopSignal {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Why an exporter ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    Signal(StopSignal),
    /// A handle asked for it.
    Requested,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::Requested => f.write_str("request"),
        }
    }
}

impl Hangups {
    /// Lets nothing happen.
    pub(crate) async fn ignore(mut self) {
        loop {
            self.next().await;
            tracing::info!("SIGHUP has no effect");
        }
    }
}

impl Signals {
    /// Waits for the end: a signal, or a request by the handle.
    pub(crate) async fn stop(&mut self, handle: &ExporterHandle) -> Stop {
        tokio::select! {
            signal = self.next() => Stop::Signal(signal),
            () = handle.shutdown_requested() => Stop::Requested,
        }
    }
}

#[cfg(unix)]
pub(crate) use unix::{Hangups, Signals};

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{StopSignal, io};

    /// The signals of this process, from the moment this is made.
    pub(crate) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(crate) fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }

        /// Waits for the next signal that ends the process.
        pub(crate) async fn next(&mut self) -> StopSignal {
            tokio::select! {
                Some(()) = self.interrupt.recv() => StopSignal::Interrupt,
                Some(()) = self.terminate.recv() => StopSignal::Terminate,
                // The signals end with the runtime, and this future with it.
                else => std::future::pending().await,
            }
        }
    }

    /// SIGHUP, which would end the process if nobody listened.
    pub(crate) struct Hangups(Signal);

    impl Hangups {
        pub(crate) fn listen() -> io::Result<Self> {
            Ok(Self(signal(SignalKind::hangup())?))
        }

        pub(crate) async fn next(&mut self) {
            if self.0.recv().await.is_none() {
                // The signals end with the runtime, and this future with it.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(not(unix))]
pub(crate) use other::{Hangups, Signals};

#[cfg(not(unix))]
mod other {
    use super::{StopSignal, io};

    /// Ctrl-C is all there is.
    pub(crate) struct Signals(());

    impl Signals {
        pub(crate) fn listen() -> io::Result<Self> {
            Ok(Self(()))
        }

        pub(crate) async fn next(&mut self) -> StopSignal {
            match tokio::signal::ctrl_c().await {
                Ok(()) => StopSignal::Interrupt,
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// There are none.
    pub(crate) struct Hangups(());

    impl Hangups {
        pub(crate) fn listen() -> io::Result<Self> {
            Ok(Self(()))
        }

        pub(crate) async fn next(&mut self) {
            std::future::pending::<()>().await;
        }
    }
}

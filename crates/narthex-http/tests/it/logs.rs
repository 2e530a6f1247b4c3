//! The log of one test.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Collects what is logged on this thread, which runs the whole test with its runtime.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<(Mutex<Vec<u8>>, Notify)>);

impl Logs {
    pub(crate) fn capture() -> (Self, DefaultGuard) {
        let logs = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .with_writer(logs.clone())
            .finish();
        (logs, tracing::subscriber::set_default(subscriber))
    }

    /// The lines with this text so far.
    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        let all = String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap();
        all.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// Waits for a line with this text.
    pub(crate) async fn wait_for(&self, text: &str) -> String {
        loop {
            let written = self.0.1.notified();
            if let Some(line) = self.lines(text).pop() {
                return line;
            }
            written.await;
        }
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

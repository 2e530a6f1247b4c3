//! A real browser, for clients of its driver.

use std::process::Command;

use crate::component::required_component;
use crate::process::Process;

/// Chromium behind its driver; both end when this is dropped.
#[derive(Debug)]
pub struct Chromedriver {
    _process: Process,
    url: String,
    chromium: String,
    data: tempfile::TempDir,
}

impl Chromedriver {
    /// Starts the driver on a free port; `None` where it or Chromium is not installed.
    ///
    /// # Panics
    ///
    /// Panics when the driver does not get ready, and under `CI=true` when one is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let chromium = required_component("chromium")?.display().to_string();
        let program = required_component("chromedriver")?;
        let mut process =
            Process::start(Command::new(program).arg("--port=0")).expect("chromedriver can be run");
        let port = process.wait_for_line("ChromeDriver was started successfully on port ");
        let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        Some(Self { _process: process, url, chromium, data })
    }

    /// Where a client connects.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The browser that a client has to ask for.
    pub fn browser(&self) -> &str {
        &self.chromium
    }

    /// With what arguments: without a window, and talking to nobody by itself.
    pub fn arguments(&self) -> Vec<String> {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let profile = format!("--user-data-dir={}", self.data.path().display());
        arguments.into_iter().map(str::to_owned).chain([profile]).collect()
    }
}

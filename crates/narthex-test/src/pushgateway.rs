//! The real Pushgateway.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::address::free_address;
use crate::component::required_component;
use crate::http::get;
use crate::poll::poll;
use crate::process::Process;

/// A Pushgateway on a free loopback port, that forgets everything when it ends.
#[derive(Debug)]
pub struct Pushgateway {
    program: PathBuf,
    addr: SocketAddr,
    /// None while it is down.
    process: Option<Process>,
}

/// How long it may take until it is ready.
const LIMIT: Duration = Duration::from_secs(30);

impl Pushgateway {
    /// Starts a gateway and waits until it is ready; `None` where it is not installed.
    ///
    /// # Panics
    ///
    /// Panics when it does not get ready, and under `CI=true` when it is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let program = required_component("prometheus-pushgateway")?;
        let mut gateway = Self { program, addr: free_address(), process: None };
        gateway.up();
        Some(gateway)
    }

    /// Starts it, on the port that it had before.
    ///
    /// # Panics
    ///
    /// Panics when it does not get ready.
    #[track_caller]
    pub fn up(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg(format!("--web.listen-address={}", self.addr));
        let mut process = Process::start(&mut command).expect("the gateway can be run");
        let url = format!("{}/-/ready", self.url());
        poll("the gateway to be ready", LIMIT, || {
            assert!(process.is_running(), "{}", process.describe());
            get(&url, &[]).is_ok_and(|answer| answer.status == 200).then_some(())
        });
        self.process = Some(process);
    }

    /// Kills it, with everything it holds.
    pub fn down(&mut self) {
        self.process = None;
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The groups it holds, as its API shows them.
    ///
    /// # Panics
    ///
    /// Panics when it does not answer with groups.
    #[track_caller]
    pub fn groups(&self) -> Vec<Value> {
        let answer = get(&format!("{}/api/v1/metrics", self.url()), &[]);
        let answer = answer.expect("the gateway answers");
        let mut answer: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
        assert!(answer["status"] == "success", "{answer}");
        match answer["data"].take() {
            Value::Array(groups) => groups,
            other => panic!("no groups: {other}"),
        }
    }

    /// The page that a Prometheus scrapes from it.
    ///
    /// # Panics
    ///
    /// Panics when it does not answer with text.
    #[track_caller]
    pub fn page(&self) -> String {
        let answer = get(&format!("{}/metrics", self.url()), &[]).expect("the gateway answers");
        answer.text().to_owned()
    }
}

//! The real Prometheus server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::component::required_component;
use crate::http::get;
use crate::poll::poll;
use crate::process::Process;

/// A Prometheus server on a free loopback port that scrapes its targets every second.
///
/// It first scrapes 5 to 6 seconds after it is ready: start it early, once for many assertions.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    url: String,
    jobs: usize,
    _data: TempDir,
}

/// What a server scrapes as a job of its own.
#[derive(Clone, Debug)]
pub struct Job {
    /// The name of the job.
    pub name: String,
    /// The one target.
    pub target: SocketAddr,
    /// Where the page is there.
    pub metrics_path: String,
}

/// How long the server may take until it is ready, and until a target has been scraped.
const LIMIT: Duration = Duration::from_secs(60);

impl Prometheus {
    /// Starts a server that scrapes `target` at `metrics_path` as job `narthex`, and waits until
    /// it is ready; `None` where Prometheus is not installed.
    ///
    /// # Panics
    ///
    /// Panics when the server does not get ready, and under `CI=true` when it is not installed.
    #[track_caller]
    pub fn start(target: SocketAddr, metrics_path: &str) -> Option<Self> {
        let (name, metrics_path) = ("narthex".to_owned(), metrics_path.to_owned());
        Self::start_with(&[Job { name, target, metrics_path }], &[])
    }

    /// Starts a server with these jobs and with these of its features switched on, such as
    /// `native-histograms`, as [`start`](Self::start) does.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[track_caller]
    pub fn start_with(jobs: &[Job], features: &[&str]) -> Option<Self> {
        Self::start_configured(&configuration(jobs), features)
    }

    /// Starts a server that scrapes `target` with more lines of YAML about how to do so, two blanks
    /// before each but the first.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[track_caller]
    pub fn start_scraping(target: SocketAddr, metrics_path: &str, scrape: &str) -> Option<Self> {
        let (name, metrics_path) = ("narthex".to_owned(), metrics_path.to_owned());
        let configuration = configuration(&[Job { name, target, metrics_path }]);
        Self::start_configured(&format!("{configuration}  {scrape}"), &[])
    }

    #[track_caller]
    fn start_configured(configuration: &str, features: &[&str]) -> Option<Self> {
        let program = required_component("prometheus")?;
        // The port is only known to be free, not kept: another process may be faster.
        let server = (0..5).find_map(|_| Self::try_start(&program, configuration, features));
        Some(server.expect("prometheus starts within five tries"))
    }

    #[track_caller]
    fn try_start(program: &Path, configuration: &str, features: &[&str]) -> Option<Self> {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let config = data.path().join("prometheus.yml");
        fs::write(&config, configuration).expect("the file can be written");

        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut process = Process::start(
            Command::new(program)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", data.path().join("tsdb").display()))
                .arg(format!("--web.listen-address={address}"))
                .args(features.iter().map(|feature| format!("--enable-feature={feature}")))
                // What is wrong with a scrape is logged at this level.
                .arg("--log.level=debug"),
        )
        .expect("prometheus can be run");

        let url = format!("http://{address}");
        let ready = poll("prometheus to be ready", LIMIT, || {
            let answer = get(&format!("{url}/-/ready"), &[]);
            let ready = answer.is_ok_and(|answer| answer.status == 200);
            // Whoever answers is not ours when ours has ended for want of the port.
            if process.is_running() { ready.then_some(true) } else { Some(false) }
        });
        if !ready {
            let lost_port = process.stderr().contains("address already in use");
            assert!(lost_port, "{}", process.describe());
            return None;
        }
        let jobs = configuration.matches("job_name:").count();
        Some(Self { process, url, jobs, _data: data })
    }

    /// Waits until every target has been scraped with success.
    ///
    /// # Panics
    ///
    /// Panics with the state of the targets when one is down at its first scrape, or was not
    /// scraped after a minute.
    #[track_caller]
    pub fn wait_until_up(&self) {
        let up = poll("a first scrape", LIMIT, || {
            let up = self.query("up");
            (up.len() == self.jobs).then_some(up)
        });
        let all_up = up.iter().all(|series| series["value"][1] == "1");
        assert!(all_up, "a target is down: {}", self.api("/api/v1/targets"));
    }

    /// Waits until a query gives one value that satisfies `accept`, and gives that.
    ///
    /// # Panics
    ///
    /// Panics when there is none after a minute.
    #[track_caller]
    pub fn wait_for(&self, query: &str, accept: impl Fn(f64) -> bool) -> f64 {
        poll(&format!("`{query}`"), LIMIT, || self.value(query).filter(|value| accept(*value)))
    }

    /// The value of a query that gives a single series, and `None` when it gives none or more.
    ///
    /// # Panics
    ///
    /// Panics when the server refuses the query.
    #[track_caller]
    pub fn value(&self, query: &str) -> Option<f64> {
        match self.query(query).as_slice() {
            [series] => series["value"][1].as_str()?.parse().ok(),
            _ => None,
        }
    }

    /// The series that an instant query gives, each with `metric` and `value`.
    ///
    /// # Panics
    ///
    /// Panics when the server refuses the query.
    #[track_caller]
    pub fn query(&self, query: &str) -> Vec<Value> {
        let data = self.api(&format!("/api/v1/query?query={}", percent_encoded(query)));
        data["result"].as_array().cloned().unwrap_or_default()
    }

    /// The `data` of an answer of the server's JSON API.
    ///
    /// # Panics
    ///
    /// Panics when the server does not answer, or with an error.
    #[track_caller]
    pub fn api(&self, path_and_query: &str) -> Value {
        let response = get(&format!("{}{path_and_query}", self.url), &[])
            .unwrap_or_else(|error| panic!("`{path_and_query}`: {error}"));
        let mut answer: Value = serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("`{path_and_query}`: {error}: {}", response.text()));
        assert!(answer["status"] == "success", "`{path_and_query}`: {answer}");
        answer["data"].take()
    }

    /// Lines of the server's log that tell of a failed scrape, a refused sample or worse.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.process.stderr();
        log.lines().filter(|line| is_complaint(line)).map(str::to_owned).collect()
    }
}

fn configuration(jobs: &[Job]) -> String {
    let mut text = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n\
                    scrape_configs:\n"
        .to_owned();
    for Job { name, target, metrics_path } in jobs {
        text += &format!(
            "- job_name: {name}\n  \
               metrics_path: '{metrics_path}'\n  \
               static_configs: [{{targets: ['{target}']}}]\n"
        );
    }
    text
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn is_complaint(line: &str) -> bool {
    // A line that names a scrape pool is about one scrape, and is written only if that went wrong.
    ["scrape_pool=", "level=warn", "level=error"].iter().any(|sign| line.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::{is_complaint, percent_encoded};

    #[test]
    fn queries_are_encoded_byte_by_byte() {
        assert_eq!(percent_encoded("a{é"), "%61%7B%C3%A9");
    }

    #[test]
    fn failed_scrapes_and_warnings_are_complaints() {
        assert!(is_complaint("level=debug scrape_pool=narthex msg=\"Append failed\" err=EOF"));
        assert!(is_complaint("level=warn msg=\"Error on ingesting out-of-order samples\""));
        assert!(!is_complaint("level=debug msg=\"Starting provider\" subs=[narthex]"));
        assert!(!is_complaint("level=info msg=\"Server is ready to receive web requests.\""));
    }
}

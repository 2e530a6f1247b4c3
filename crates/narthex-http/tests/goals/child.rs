//! The server in a process of its own, so that its memory and descriptors are its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use narthex_http::{Gather, GatherError, MetricsService, ScrapeRequest, Server, WebConfig};
use narthex_model::{MetricFamily, Scrape};
use narthex_test::resident_bytes;

/// What the server is told, in the environment of its process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) series: u32,
    pub(crate) connections: Option<usize>,
    /// The deadline of heads, handshakes, and readers that take nothing.
    pub(crate) deadline: Option<Duration>,
    pub(crate) web: Option<String>,
    /// Where not all descriptors of the machine may be used.
    pub(crate) descriptors: Option<u32>,
}

pub(crate) struct ServerProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub(crate) addr: SocketAddr,
}

impl ServerProcess {
    pub(crate) fn start(plan: &Plan) -> Self {
        let descriptors = plan.descriptors.map_or(String::new(), |n| format!("ulimit -n {n}; "));
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{descriptors}exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child::server", "--ignored", "--nocapture"])
            .env("GOAL_SERIES", plan.series.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let optional = [
            ("GOAL_CONNECTIONS", plan.connections.map(|n| n.to_string())),
            ("GOAL_DEADLINE_MS", plan.deadline.map(|time| time.as_millis().to_string())),
            ("GOAL_WEB", plan.web.clone()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, stdin, stdout, addr };
        process.addr = process.line("listening on ").parse().unwrap();
        process
    }

    /// The rest of the next line that begins like this.
    fn line(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "no line `{begin}`");
            // The test harness writes its own words before ours.
            if let Some((_, rest)) = line.split_once(begin) {
                return rest.trim().to_owned();
            }
        }
    }

    /// The resident memory of the process.
    pub(crate) fn memory(&self) -> i64 {
        resident_bytes(self.child.id()).unwrap() as i64
    }

    /// The time that the process has worked.
    pub(crate) fn work(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Asks it to end as SIGTERM does.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stdin.write_all(b"stop\n").unwrap();
    }

    /// How many connections it cut, once it has ended.
    pub(crate) fn ended(mut self) -> usize {
        let cut = self.line("cut ").parse().unwrap();
        assert!(self.child.wait().unwrap().success());
        cut
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Fixed(Scrape);

impl Gather for Fixed {
    async fn gather(&self, _: ScrapeRequest) -> Result<Scrape, GatherError> {
        Ok(self.0.clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests run it, as a process"]
async fn server() {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(series) = variable("GOAL_SERIES") else { return };
    let mut family = MetricFamily::gauge("load", "Load of many.").label_names(["machine", "note"]);
    for machine in 0..series.parse::<u32>().unwrap() {
        family.push([&machine.to_string(), "which is told of here"], f64::from(machine));
    }
    let page = Fixed(Scrape::new(vec![family.build().unwrap()]));
    let mut server = Server::bind("127.0.0.1:0").await.unwrap();
    if let Some(connections) = variable("GOAL_CONNECTIONS") {
        server = server.max_connections(connections.parse().unwrap());
    }
    if let Some(deadline) = variable("GOAL_DEADLINE_MS") {
        let deadline = Duration::from_millis(deadline.parse().unwrap());
        server = server.header_read_timeout(deadline).handshake_timeout(deadline);
        server = server.write_stall_timeout(deadline);
    }
    if let Some(web) = variable("GOAL_WEB") {
        server = server.web_config(WebConfig::new().file(Path::new(&web))).unwrap();
    }
    let running = server.serve(MetricsService::new(page));
    println!("listening on {}", running.local_addrs()[0]);
    let stop = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next());
    stop.await.unwrap();
    println!("cut {}", running.shutdown().await.map_or_else(|error| error.connections(), |()| 0));
}

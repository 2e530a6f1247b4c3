//! The clients that operators have: Prometheus, curl, and Python's requests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use narthex_http::{Running, Server, WebConfig};
use narthex_test::{Prometheus, required_component};

use crate::certs::{Authority, Folder};
use crate::page::empty;

/// A server that asks for a client certificate and a password, and what a client needs.
struct House {
    folder: Folder,
    addr: SocketAddr,
    _running: Running,
}

impl House {
    async fn open() -> Self {
        let (authority, folder) = (Authority::new("ca"), Folder::new());
        folder.write_identity("server", &authority.server());
        folder.write_identity("client", &authority.client(&["scraper.example"]));
        folder.write("ca.pem", &authority.pem);
        let text = format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  \
             client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
             client_allowed_sans: [scraper.example]\nbasic_auth_users:\n  prometheus: {}\n",
            crate::auth::hash("right")
        );
        let config = WebConfig::new().file(folder.write("web.yml", text));
        let server = Server::bind("127.0.0.1:0").await.unwrap().web_config(config).unwrap();
        let running = server.serve(empty());
        let addr = running.local_addrs()[0];
        Self { folder, addr, _running: running }
    }

    /// Runs a program in the folder of the certificates; gives its success and all it said.
    async fn run(&self, program: &Path, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        (output.status.success(), text.concat())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_curl_is_served_over_tls_with_certificate_and_password() {
    let Some(curl) = required_component("curl") else { return };
    let house = House::open().await;
    let url = format!("https://localhost:{}/metrics", house.addr.port());
    let common = [
        "--silent",
        "--show-error",
        "--cacert",
        "ca.pem",
        "--write-out",
        "%{http_code} %{http_version}",
    ];
    let with_certificate = ["--cert", "client.pem", "--key", "client.key"];
    let ask = async |more: &[&str]| {
        let arguments = [&common[..], more, &[&url]].concat();
        house.run(&curl, &arguments).await
    };
    let (success, text) =
        ask(&[&with_certificate[..], &["--user", "prometheus:right"]].concat()).await;
    assert!(success && text.ends_with("200 1.1"), "{text}");
    let (_, text) = ask(&[&with_certificate[..], &["--user", "prometheus:wrong"]].concat()).await;
    assert!(text.ends_with("401 1.1"), "{text}");
    let (_, text) = ask(&with_certificate).await;
    assert!(text.contains("credentials are missing") && text.ends_with("401 1.1"), "{text}");
    let (success, text) = ask(&["--user", "prometheus:right"]).await;
    assert!(!success && text.contains("certificate"), "{text}");
    let url = url.replace("https", "http");
    let (_, text) = house.run(&curl, &[&common[..], &[&url]].concat()).await;
    assert!(text.contains("Client sent an HTTP request to an HTTPS server.\n400"), "{text}");
}

/// Debian's Python, or the one on the path: whichever has the library.
fn python_with_requests() -> Option<PathBuf> {
    let has_requests = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import requests"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = ["/usr/bin/python3", "python3"].map(PathBuf::from).into_iter().find(has_requests);
    found.or_else(|| required_component("python3-requests"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_python_requests_keeps_its_connection() {
    let Some(python) = python_with_requests() else { return };
    let house = House::open().await;
    let script = format!(
        "import requests\n\
         session = requests.Session()\n\
         session.trust_env = False\n\
         session.verify, session.cert = 'ca.pem', ('client.pem', 'client.key')\n\
         session.auth = ('prometheus', 'right')\n\
         for _ in range(3):\n    \
             answer = session.get('https://localhost:{}/metrics', timeout=10)\n    \
             print(answer.status_code, answer.headers['Content-Type'])\n\
         session.auth = None\n\
         print(session.get('https://localhost:{}/metrics', timeout=10).status_code)\n",
        house.addr.port(),
        house.addr.port()
    );
    house.folder.write("client.py", script);
    let (success, text) = house.run(&python, &["client.py"]).await;
    let line = "200 text/plain; version=0.0.4; charset=utf-8\n";
    assert!(success, "{text}");
    assert_eq!(text, format!("{}401\n", line.repeat(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_prometheus_scrapes_over_tls_with_certificate_and_password() {
    let house = House::open().await;
    let dir = house.folder.path().display();
    let scrape = format!(
        "scheme: https\n  \
         tls_config: {{ca_file: '{dir}/ca.pem', cert_file: '{dir}/client.pem', \
         key_file: '{dir}/client.key', server_name: localhost}}\n  \
         basic_auth: {{username: prometheus, password: right}}\n"
    );
    let addr = house.addr;
    let scraped = tokio::task::spawn_blocking(move || {
        let Some(prometheus) = Prometheus::start_scraping(addr, "/metrics", &scrape) else {
            return;
        };
        prometheus.wait_until_up();
        prometheus.wait_for("narthex_scrapes_total{code=\"200\"}", |count| count >= 2.0);
        assert_eq!(prometheus.complaints(), [""; 0]);
    });
    scraped.await.unwrap();
}

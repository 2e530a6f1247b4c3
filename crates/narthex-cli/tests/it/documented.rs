//! The configuration files in the documentation, each of them run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use narthex_test::Endpoint;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Directory, Narthex, Page};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Runs a file of the documentation, with these variables.
#[track_caller]
fn run(directory: Directory, text: &str, environment: &[(&str, &str)]) -> Narthex {
    let directory = directory.write("config.toml", text);
    let mut command = directory.command(&["run", "config.toml", "--host=127.0.0.1", "--port=0"]);
    Narthex::start(command.envs(environment.iter().copied()), directory)
}

#[test]
fn the_example_of_a_json_api_runs() {
    let endpoint = Endpoint::json(read("docs/examples/status.json")).unwrap();
    let api = [("API", &*endpoint.url(""))];
    let page = run(Directory::new(), &read("docs/examples/json.toml"), &api).page();
    let common = [("building", "Main building"), ("endpoint", "building"), ("site", "berlin")];
    let value = |name: &str, more: &[(&str, &str)]| {
        page.value(name, &common.iter().chain(more).copied().collect::<Vec<_>>())
    };
    assert_eq!(value("building_power_watts", &[]), Some(1234.5), "{}", page.text);
    assert_eq!(value("building_door_open", &[]), Some(0.0));
    let temperature = "room_temperature_celsius";
    assert_eq!(value(temperature, &[("room", "kitchen"), ("floor", "0")]), Some(21.5));
    assert_eq!(value(temperature, &[("room", "office"), ("floor", "1")]), Some(20.0));
    assert_eq!(page.values_of(temperature, "room").len(), 2);
    assert_eq!(value("building_load", &[("index", "2")]), Some(0.125));
    assert_eq!(value("building_visitors_total", &[]), Some(u64::MAX as f64));
}

#[test]
fn the_example_of_this_machine_runs() {
    let narthex = run(Directory::new(), &read("docs/examples/machine.toml"), &[("ZONE", "a")]);
    let page = narthex.page();
    assert!(page.value("node_load1", &[("zone", "a")]).is_some(), "{}", page.text);
    assert!(!page.text.contains("node_processes_"), "{}", page.text);
    let labels = [("supply", "psu0"), ("zone", "a")];
    assert_eq!(page.value("machine_power_limit_watts", &labels), Some(65.0));
}

#[test]
fn the_example_of_a_secured_api_runs_and_trusts_its_own_authority_alone() {
    let authority = Authority::new("narthex test authority");
    let api = serve(&authority, "{\"jobs\": {\"queued\": 3}}");
    let toml = read("docs/examples/secured.toml");
    let start = |authority: &Authority| {
        let directory = Directory::new().write("ca.pem", &authority.0.pem()).write("token", "t\n");
        run(directory, &toml, &[("API", &api)])
    };
    let page = start(&authority).page();
    assert_eq!(page.value("api_jobs_queued", &[("endpoint", "api")]), Some(3.0), "{}", page.text);

    let stranger = start(&Authority::new("another authority"));
    let page = stranger.page();
    assert!(!page.families.contains_key("api_jobs_queued"), "{}", page.text);
    let log = stranger.process.stderr();
    assert!(log.contains("invalid peer certificate: "), "{log}");
}

#[test]
fn the_readme_tells_what_comes_out() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## Exporters without Rust\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let block = |language: &str| {
        let (_, rest) = section.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("\n```").unwrap().0
    };
    let answer = block("json");
    let endpoint = Endpoint::json(answer).unwrap();
    let toml = block("toml").replace("http://localhost:8000", &endpoint.url(""));
    let page: Page = run(Directory::new(), &toml, &[]).page();
    let expected: Vec<_> = block("text").lines().collect();
    assert!(expected.len() > 3);
    for line in expected {
        assert!(page.text.lines().any(|found| found == line), "`{line}` is not in {}", page.text);
    }
    assert!(page.families.contains_key("node_load1"), "{}", page.text);
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }
}

/// A server with TLS for those who show the token, until the process ends; gives its URL.
fn serve(authority: &Authority, answer: &'static str) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.0).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut request = String::new();
            while stream.read_line(&mut request).is_ok_and(|read| read > 2) {}
            let status = if request.contains("Bearer t\r\n") { "200 OK" } else { "401 No" };
            // Who does not trust us is gone.
            let _ = write!(
                stream.get_mut(),
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{answer}",
                answer.len()
            );
            let _ = stream.get_mut().flush();
        }
    });
    url
}

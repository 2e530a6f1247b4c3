//! The configuration files in the documentation, each of them run.

use std::path::Path;

use narthex_test::Endpoint;

use crate::certs::{Authority, answer};
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
    let api = authority.serve(|request| {
        let status = if request.contains("Bearer t\r\n") { "200 OK" } else { "401 No" };
        answer(status, "Content-Type: application/json\r\n", "{\"jobs\": {\"queued\": 3}}")
    });
    let toml = read("docs/examples/secured.toml");
    let start = |authority: &Authority| {
        let directory = Directory::new().write("ca.pem", &authority.pem()).write("token", "t\n");
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

//! Scrapes of `narthex run` that ask for a part, and the limit on how many gather at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use narthex_test::{Endpoint, get, poll, respond};

use crate::support::{Directory, Narthex, Page};

const JSON: &str = "application/json";

/// Two endpoints, one of which has a name that the other's begins with, and a constant.
fn two(endpoint: &Endpoint) -> Narthex {
    let table = |name: &str, room: &str| {
        format!(
            "[json.{name}]\nendpoint = '{}'\ncache_life = 0\nlabels = {{ room = '{room}' }}\n\
             metrics.m.path = 'm'\n",
            endpoint.url(&format!("/{name}"))
        )
    };
    let toml = format!(
        "[metrics.constant]\nvalue = 7\nlabels = {{ room = 'a b' }}\n{}{}",
        table("a", "hall"),
        table("ab", "hallway")
    );
    Directory::new().write("config.toml", &toml).run(&["config.toml"])
}

fn ask(narthex: &Narthex, query: &str) -> (u16, String) {
    let answer = get(&format!("{}?{query}", narthex.url), &[]).unwrap();
    (answer.status, answer.text().to_owned())
}

/// The series of a page, without those about the exporter itself.
fn series(narthex: &Narthex, query: &str) -> Vec<String> {
    let (status, text) = ask(narthex, query);
    assert_eq!(status, 200, "{query}: {text}");
    let page = Page::parse(&text);
    let of_sources = page.samples.keys().filter(|(name, _)| ["m", "constant"].contains(&&**name));
    of_sources
        .map(|(name, labels)| format!("{name} {}", labels.get("room").map_or("", |room| room)))
        .collect()
}

#[test]
fn c10_a_label_in_the_query_shows_the_series_that_have_it() {
    let endpoint = Endpoint::json(r#"{"m": 1}"#).unwrap();
    let narthex = two(&endpoint);
    for (query, expected) in [
        ("room=hall", &["m hall"][..]),
        // Several labels must all be there, of several values one.
        ("room=hall&endpoint=a", &["m hall"]),
        ("room=hall&endpoint=ab", &[]),
        ("room=hall&room=hallway", &["m hall", "m hallway"]),
        ("room=a+b", &["constant a b"]),
        ("room=a%20b", &["constant a b"]),
        ("room=hal", &[]),
        ("nothing=x", &[]),
        ("name[]=constant", &["constant a b"]),
    ] {
        assert_eq!(series(&narthex, query), expected, "{query}");
    }
}

#[test]
fn c10_a_malformed_query_is_answered_400_with_the_reason() {
    let endpoint = Endpoint::json(r#"{"m": 1}"#).unwrap();
    let narthex = two(&endpoint);
    for query in ["bad", "a=%GG", "=x", "collect[]=", "collect[]=json.none", "col[]=json.a"] {
        let (status, text) = ask(&narthex, query);
        assert_eq!((status, text.lines().count()), (400, 1), "{query}: {text}");
    }
    assert_eq!(endpoint.requests().len(), 0, "nobody was asked for it");
    assert_eq!(narthex.page().value("constant", &[("room", "a b")]), Some(7.0));
}

#[test]
fn d10_the_endpoint_in_the_query_is_the_whole_name_of_one() {
    let endpoint = Endpoint::json(r#"{"m": 1}"#).unwrap();
    let narthex = two(&endpoint);
    assert_eq!(series(&narthex, "endpoint=a"), ["m hall"]);
    assert_eq!(series(&narthex, "endpoint=ab"), ["m hallway"]);
    assert_eq!(series(&narthex, "endpoint=b"), [""; 0]);
    assert_eq!(series(&narthex, "endpoint="), ["constant a b"]);
}

#[test]
fn d10_collect_asks_the_endpoints_that_it_names_and_no_other() {
    let endpoint = Endpoint::json(r#"{"m": 1}"#).unwrap();
    let narthex = two(&endpoint);
    assert_eq!(series(&narthex, "collect[]=json.a"), ["m hall"]);
    let asked = || {
        let requests = endpoint.requests();
        let paths = requests.iter().filter_map(|request| request.split(' ').nth(1));
        paths.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(asked(), ["/a"]);
    assert_eq!(series(&narthex, "exclude[]=json.a"), ["constant a b", "m hallway"]);
    assert_eq!(asked(), ["/a", "/ab"]);
    let (status, page) = ask(&narthex, "collect[]=json.ab&collect[]=metrics");
    assert_eq!(status, 200);
    let page = Page::parse(&page);
    assert_eq!(page.values_of("narthex_source_success", "source"), ["json.ab", "metrics"]);
}

#[test]
fn b26_more_gathers_than_the_limit_are_refused() {
    let go_on = Arc::new(AtomicBool::new(false));
    let answers = go_on.clone();
    let endpoint = Endpoint::start(move |_, stream| {
        poll("the end of the wait", Duration::from_secs(30), || {
            answers.load(Ordering::Acquire).then_some(())
        });
        respond(stream, "200 OK", JSON, br#"{"m": 1}"#)
    })
    .unwrap();
    let toml = format!(
        "web_max_requests = 1\n[metrics.constant]\nvalue = 7\n[json.a]\nendpoint = '{}'\n\
         metrics.m.path = 'm'\n",
        endpoint.url("/")
    );
    let narthex = Directory::new().write("config.toml", &toml).run(&["config.toml"]);
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(&narthex, "collect[]=json.a").0);
        poll("the first gather", Duration::from_secs(30), || {
            (endpoint.requests().len() == 1).then_some(())
        });
        let url = format!("{}?collect[]=metrics", narthex.url);
        let second = get(&url, &[]).unwrap();
        let text = "too many scrapes at the same time\n";
        assert_eq!((second.status, second.text()), (503, text));
        assert!(second.header("retry-after").is_some());
        go_on.store(true, Ordering::Release);
        assert_eq!(first.join().unwrap(), 200);
    });
    let page = narthex.page();
    let refused = page.value("narthex_scrapes_refused_total", &[("reason", "gathers")]);
    assert_eq!(refused, Some(1.0), "{}", page.text);

    let end = Directory::new().end_of(&["run", "--web.max-requests=0"], &[]);
    let line = "error: invalid value '0' for '--web.max-requests <NUMBER>': expected a number, \
                1 or more\n";
    assert_eq!(end, (2, String::new(), line.to_owned()));
}

#[test]
fn metrics_about_the_exporter_are_left_out_where_nobody_wants_them() {
    let endpoint = Endpoint::json(r#"{"m": 1}"#).unwrap();
    let toml = format!("[json.a]\nendpoint = '{}'\nmetrics.m.path = 'm'\n", endpoint.url("/"));
    let arguments = ["config.toml", "--web.disable-exporter-metrics"];
    let page = Directory::new().write("config.toml", &toml).run(&arguments).page();
    assert_eq!(page.value("m", &[("endpoint", "a")]), Some(1.0));
    // Those about the endpoint stay, as does what the program is.
    let expected =
        ["json_request_time", "m", "narthex_build_info", "narthex_json_skipped_values_total"];
    let names: Vec<_> = page.families.keys().map(String::as_str).collect();
    assert_eq!(names, expected, "{}", page.text);
}

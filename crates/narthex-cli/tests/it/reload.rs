//! The file changes while the program runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use narthex_test::{Endpoint, get, poll, request};

use crate::support::{Directory, Narthex, Page};

const PATIENCE: Duration = Duration::from_secs(30);
const SUCCESSFUL: &str = "narthex_config_last_reload_successful";
const SUCCESS_TIME: &str = "narthex_config_last_reload_success_timestamp_seconds";

fn start(toml: &str) -> Narthex {
    Directory::new().write("config.toml", toml).run(&["config.toml", "--web.enable-lifecycle"])
}

fn rewrite(narthex: &Narthex, toml: &str) {
    let path = narthex.directory.path().join("config.toml");
    let new = path.with_extension("new");
    std::fs::write(&new, toml).unwrap();
    std::fs::rename(&new, &path).unwrap();
}

fn reload(narthex: &Narthex) -> (u16, String) {
    let url = narthex.url.replace("/metrics", "/-/reload");
    let answer = request("POST", &url, &[]).unwrap();
    (answer.status, answer.text().to_owned())
}

fn constant(name: &str, value: u32) -> String {
    format!("[metrics.{name}]\nvalue = {value}\n")
}

#[test]
fn c13_sighup_reads_the_file_again() {
    let mut narthex = start(&format!("[labels]\na = '1'\nb = '2'\n{}", constant("m", 1)));
    let page = narthex.page();
    assert_eq!(page.value("m", &[("a", "1"), ("b", "2")]), Some(1.0));
    assert_eq!(page.value(SUCCESSFUL, &[]), Some(1.0));
    rewrite(&narthex, &format!("[labels]\na = '3'\n{}", constant("m", 2)));
    narthex.process.signal("HUP");
    // Labels that are gone from the file are gone.
    let new = || (narthex.page().value("m", &[("a", "3")]) == Some(2.0)).then_some(());
    poll("the new value", PATIENCE, new);
}

#[test]
fn a_file_that_changes_is_read_again() {
    let narthex = start(&constant("m", 1));
    rewrite(&narthex, &constant("m", 2));
    poll("the new value", PATIENCE, || (narthex.page().value("m", &[]) == Some(2.0)).then_some(()));
    narthex.wait_for_log("configuration reloaded cause=\"file change\"");
}

#[test]
fn a_file_that_a_value_lies_in_is_watched_too() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let toml = format!(
        "[json.e]\nendpoint = '{}'\nbearer_token_file = 'token'\ncache_life = 0\n\
         metrics.m.path = 'a'\n",
        endpoint.url("/")
    );
    let narthex =
        Directory::new().write("config.toml", &toml).write("token", "one").run(&["config.toml"]);
    narthex.page();
    std::fs::write(narthex.directory.path().join("token"), "two").unwrap();
    poll("the new token", PATIENCE, || {
        narthex.page();
        endpoint.requests().last()?.contains("Bearer two\r\n").then_some(())
    });
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let narthex = start(&constant("m", 1));
    let before = narthex.page().value(SUCCESS_TIME, &[]).unwrap();
    rewrite(&narthex, "[metrics.m]\nvalue = 2\nhlep = 'x'\n[metrics.n]\nvalue = 'x'\n");
    let (status, text) = reload(&narthex);
    assert_eq!(status, 500);
    for expected in
        ["config.toml:3: unknown key `hlep`", "config.toml:5: metrics.n.value: wrong type"]
    {
        assert!(text.contains(expected), "{text}");
        narthex.wait_for_log(expected);
    }
    let page = narthex.page();
    assert_eq!(page.value("m", &[]), Some(1.0));
    assert_eq!(
        (page.value(SUCCESSFUL, &[]), page.value(SUCCESS_TIME, &[])),
        (Some(0.0), Some(before))
    );

    rewrite(&narthex, &constant("m", 3));
    assert_eq!(reload(&narthex), (200, "reloaded\n".to_owned()));
    let page = narthex.page();
    assert_eq!((page.value("m", &[]), page.value(SUCCESSFUL, &[])), (Some(3.0), Some(1.0)));
    assert!(page.value(SUCCESS_TIME, &[]).unwrap() > before);
}

#[test]
fn the_endpoint_for_reloads_is_closed_unless_it_is_asked_for() {
    let narthex = Directory::new().write("config.toml", "").run(&["config.toml"]);
    assert_eq!(reload(&narthex).0, 404);
    let narthex = start("");
    assert_eq!(get(&narthex.url.replace("/metrics", "/-/reload"), &[]).unwrap().status, 405);
}

#[test]
fn what_waits_for_the_next_start_is_told() {
    let narthex = start("");
    rewrite(&narthex, "metrics_path = '/m'\n");
    assert_eq!(reload(&narthex).0, 200);
    narthex.wait_for_log("options of the exporter have changed, which count from its next start");
    narthex.page();
}

#[test]
fn an_endpoint_that_stays_the_same_keeps_its_answer() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let toml = |help: &str| {
        format!(
            "cache_life = 3600\n[json.e]\nendpoint = '{}'\n[json.e.metrics.m]\npath = 'a'\n\
             help = '{help}'\n[metrics.other]\n",
            endpoint.url("/")
        )
    };
    let narthex = start(&toml("one"));
    narthex.page();
    rewrite(&narthex, &format!("{}value = 2\n", toml("one")));
    assert_eq!(reload(&narthex).0, 200);
    assert_eq!(narthex.page().value("other", &[]), Some(2.0));
    assert_eq!(endpoint.requests().len(), 1);
    rewrite(&narthex, &toml("two"));
    assert_eq!(reload(&narthex).0, 200);
    assert!(narthex.page().text.contains("# HELP m two\n"));
    assert_eq!(endpoint.requests().len(), 2);
}

#[test]
fn d11_a_hundred_reloads_under_load_fail_no_scrape_and_repeat_no_endpoint() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let names = ["one", "two", "three"];
    let toml = |round: usize| -> String {
        let endpoints = names.iter().map(|name| {
            format!("[json.{name}]\nendpoint = '{}'\nmetrics.m.path = 'a'\n", endpoint.url("/"))
        });
        let bad = if round % 2 == 1 { "oops = 1\n" } else { "" };
        format!("{bad}{}[metrics.round]\nvalue = {round}\n", endpoints.collect::<String>())
    };
    let narthex = start(&toml(0));
    let stop = Arc::new(AtomicBool::new(false));
    let scrapes = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..3)
        .map(|_| {
            let (stop, scrapes, url) = (stop.clone(), scrapes.clone(), narthex.url.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let answer = get(&url, &[]).unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    // Fails where a series is there twice.
                    let page = Page::parse(answer.text());
                    assert_eq!(page.values_of("m", "endpoint"), ["one", "three", "two"]);
                    let round = page.value("round", &[]).unwrap();
                    assert!(round % 2.0 == 0.0, "{round}");
                    scrapes.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 1..=100 {
        rewrite(&narthex, &toml(round));
        let expected = if round % 2 == 1 { 500 } else { 200 };
        let (status, text) = reload(&narthex);
        assert_eq!(status, expected, "{text}");
        let last_good = (round - round % 2) as f64;
        // A scrape may share what was gathered for one that began before.
        let page = poll("the new page", PATIENCE, || {
            Some(narthex.page()).filter(|page| page.value("round", &[]) == Some(last_good))
        });
        let sources = page.values_of("narthex_source_success", "source");
        let of_endpoints = sources.iter().filter(|source| source.starts_with("json.")).count();
        assert_eq!(of_endpoints, names.len(), "{sources:?}");
    }
    stop.store(true, Ordering::Release);
    for thread in load {
        thread.join().unwrap();
    }
    assert!(scrapes.load(Ordering::Relaxed) >= 3);
}

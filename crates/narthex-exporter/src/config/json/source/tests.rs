use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use narthex_test::{Endpoint as Server, respond};
use tokio::task::JoinSet;

use super::JsonSource;
use crate::WebArgs;
use crate::config::{Endpoints, FileSources, JSON};
use crate::settings::{Input, Settings};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    web: WebArgs,
}

/// The endpoint that a file with this table has.
fn source(server: &Server, more: &str) -> Arc<JsonSource> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let url = server.url("/");
    std::fs::write(&path, format!("[json.e]\nendpoint = '{url}'\nmetrics.m.path = 'a'\n{more}"))
        .unwrap();
    let settings = FileSources::sections(Settings::of_file());
    let config = format!("--config={}", path.display());
    let input = Input::new(["test", &config], [("", ""); 0], Path::new(""));
    let web = settings.load::<Cli>(&input).unwrap().cli.web;
    let endpoints = web.config.as_ref().unwrap().section::<Endpoints>(JSON).unwrap();
    Arc::new(JsonSource::new(endpoints.list[0].clone(), Duration::ZERO))
}

/// A server that answers with this status once it is told to, for each request.
fn gated(status: &'static str) -> (Server, Sender<()>) {
    let (open, gate) = channel();
    let gate = Mutex::new(gate);
    let server = Server::start(move |_, stream| {
        let _ = gate.lock().unwrap().recv();
        respond(stream, status, "application/json", br#"{"a": 1}"#)
    });
    (server.unwrap(), open)
}

async fn until_asked(server: &Server, times: usize) {
    while server.requests().len() < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn those_who_wait_share_an_answer_even_if_it_is_a_failure() {
    for (status, succeeds) in [("200 OK", true), ("500 Sorry", false)] {
        let (server, open) = gated(status);
        let source = source(&server, "");
        let mut tasks = JoinSet::new();
        for _ in 0..5 {
            let source = source.clone();
            tasks.spawn(async move { source.families().await.is_ok() });
        }
        until_asked(&server, 1).await;
        for _ in 0..5 {
            open.send(()).unwrap();
        }
        while let Some(outcome) = tasks.join_next().await {
            assert_eq!(outcome.unwrap(), succeeds);
        }
        assert_eq!(server.requests().len(), 1, "{status}");
        // Who comes later asks anew, for nothing is kept.
        assert_eq!(source.families().await.is_ok(), succeeds);
        assert_eq!(server.requests().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn what_is_given_up_is_asked_by_the_next_one() {
    let (server, open) = gated("200 OK");
    let source = source(&server, "cache_life = 3600");
    let first = tokio::spawn({
        let source = source.clone();
        async move { source.families().await.is_ok() }
    });
    until_asked(&server, 1).await;
    let second = tokio::spawn({
        let source = source.clone();
        async move { source.families().await.is_ok() }
    });
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    until_asked(&server, 2).await;
    open.send(()).unwrap();
    open.send(()).unwrap();
    assert!(second.await.unwrap());
}

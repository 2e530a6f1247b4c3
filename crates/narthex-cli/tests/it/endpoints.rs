//! What `narthex run` makes of JSON endpoints, good and bad.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use narthex_test::{Endpoint, get, proc_status, respond};

use crate::support::{Directory, Narthex, Page};

const JSON: &str = "application/json";

/// `narthex run` with this file.
#[track_caller]
fn run(toml: &str) -> Narthex {
    Directory::new().write("config.toml", toml).run(&["config.toml"])
}

/// A file with one endpoint `e` that has the metric `m` at the path `a`, and more keys of it.
fn file(endpoint: &str, more: &str) -> String {
    format!(
        "[metrics.other]\nvalue = 7\n[json.e]\nendpoint = '{endpoint}'\ncache_life = 0\n{more}\n\
         [json.e.metrics.m]\npath = 'a'\n"
    )
}

fn success(page: &Page, source: &str) -> Option<f64> {
    page.value("narthex_source_success", &[("source", source)])
}

#[test]
fn d10_values_of_an_answer_become_metrics() {
    let answer = r#"{
        "result": {"path": {"temp": 281.5, "on": true, "list": [1, 2]}, "user": "ann"},
        "disks": [{"name": "sda", "used": 5}, {"name": "s\"d\n", "used": 18446744073709551615}],
        "dotted.key": -3
    }"#;
    let endpoint = Endpoint::json(answer).unwrap();
    let toml = format!(
        "[labels]\nzone = 'a'\n[json.site]\nendpoint = '{}'\n\
         labels = {{ kind = 'b' }}\njson_labels = {{ user = 'result.user' }}\n\
         [json.site.metrics]\n\
         temp = {{ path = 'result.path.temp', type = 'gauge', help = 'Kelvin.' }}\n\
         on = {{ path = '$.result.path.on', labels = {{ zone = 'own' }} }}\n\
         list = {{ path = 'result.path.list' }}\n\
         second = {{ path = 'result.path.list.1' }}\n\
         used_total = {{ each = 'disks', path = 'used', type = 'counter', \
         json_labels = {{ disk = 'name' }} }}\n\
         large = {{ path = '$.disks[?@.used > 5].used' }}\n\
         negative = {{ path = \"$['dotted.key']\" }}\n",
        endpoint.url("/a")
    );
    let page = run(&toml).page();
    let common = [("endpoint", "site"), ("kind", "b"), ("user", "ann"), ("zone", "a")];
    let check = |name: &str, more: &[(&str, &str)], expected: f64| {
        let labels: Vec<_> = common
            .iter()
            .filter(|(name, _)| more.iter().all(|(other, _)| other != name))
            .chain(more)
            .copied()
            .collect();
        assert_eq!(page.value(name, &labels), Some(expected), "{name} in {}", page.text);
    };
    check("temp", &[], 281.5);
    check("on", &[("zone", "own")], 1.0);
    check("list", &[("index", "0")], 1.0);
    check("list", &[("index", "1")], 2.0);
    check("second", &[], 2.0);
    check("used_total", &[("disk", "sda")], 5.0);
    check("used_total", &[("disk", "s\"d\n")], u64::MAX as f64);
    check("large", &[("index", "0")], u64::MAX as f64);
    check("negative", &[], -3.0);
    // Beyond 2^53, every digit is still there.
    assert!(page.text.contains(" 18446744073709551615\n"), "{}", page.text);
    assert_eq!((page.type_of("temp"), page.type_of("used_total")), ("gauge", "counter"));
    assert_eq!(page.type_of("on"), "untyped");
    assert!(page.text.contains("# HELP temp Kelvin.\n"), "{}", page.text);
    assert!(page.value("json_request_time", &[("endpoint", "site"), ("zone", "a")]).is_some());
    assert_eq!(success(&page, "json.site"), Some(1.0));
    // This machine was not asked for.
    assert!(!page.text.contains("node_"), "{}", page.text);
}

#[test]
fn d10_headers_parameters_and_data_are_sent() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let url = endpoint.url("/path?x=1");
    let toml = format!(
        "[json.get]\nendpoint = '{url}'\n\
         [json.get.headers]\nauth_key = 'g5s9'\n[json.get.params]\nappid = 'A KEY&'\nlat = -1.25\n\
         [json.get.metrics.m]\npath = 'a'\n\
         [json.post]\nendpoint = '{url}'\nbearer_token_file = 'token'\n\
         [json.post.post_data]\nmethod = 'get_data'\nids = [1, 2]\n\
         [json.post.metrics.m]\npath = 'a'\n\
         [json.basic]\nendpoint = '{url}'\n\
         basic_auth = {{ username = 'ann', password = '${{PASSWORD}}' }}\n\
         [json.basic.metrics.m]\npath = 'a'\n"
    );
    let directory = Directory::new().write("config.toml", &toml).write("token", "t0k3n\n");
    let mut command = directory.command(&["run", "config.toml", "--host=127.0.0.1", "--port=0"]);
    let narthex = Narthex::start(command.env("PASSWORD", "pass:word"), directory);
    let page = narthex.page();
    for name in ["get", "post", "basic"] {
        assert_eq!(page.value("m", &[("endpoint", name)]), Some(1.0), "{}", page.text);
    }
    let requests = endpoint.requests();
    let find = |text: &str| {
        let found = requests.iter().find(|request| request.contains(text));
        found.unwrap_or_else(|| panic!("no `{text}` in {requests:?}"))
    };
    let get = find("GET /path?x=1&appid=A%20KEY%26&lat=-1.25 HTTP/1.1\r\n");
    assert!(get.to_lowercase().contains("\r\nauth_key: g5s9\r\n"), "{get}");
    assert!(get.to_lowercase().contains("\r\naccept: application/json\r\n"), "{get}");
    let post = find("POST /path?x=1 HTTP/1.1\r\n");
    assert!(post.contains("Bearer t0k3n\r\n"), "{post}");
    assert!(post.to_lowercase().contains("\r\ncontent-type: application/json\r\n"), "{post}");
    assert!(post.ends_with("\r\n\r\n{\"ids\":[1,2],\"method\":\"get_data\"}"), "{post}");
    find("Basic YW5uOnBhc3M6d29yZA==\r\n");
}

#[test]
fn d11_what_is_no_number_costs_its_own_series_alone() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let answer = format!(
        r#"{{"zero": 0, "no": false, "text": "str\n x 1", "number": " 12.5 ", "null": null,
            "object": {{}}, "deep": {deep}, "huge": 123456789012345678901234567890,
            "twice": 1, "twice": 2, "list": [1, "x", null, 4], "minus": -1,
            "items": [{{"n": "a", "v": 1}}, {{"v": 2}}, {{"n": "a", "v": 3}}, {{"n": [], "v": 4}}]}}"#
    );
    let endpoint = Endpoint::json(answer).unwrap();
    let metrics = [
        ("zero", "path = 'zero'", ""),
        ("no", "path = 'no'", ""),
        ("text", "path = 'text'", "`text` is a string"),
        ("number", "path = 'number'", "`number` is a string"),
        ("parsed", "path = 'number', parse_strings = true", ""),
        ("unparsed", "path = 'text', parse_strings = true", "`text` is a string that is no number"),
        ("null", "path = 'null'", "`null` is null"),
        ("object", "path = 'object'", "`object` is an object"),
        ("deep", "path = 'deep'", "`deep` is a list"),
        ("huge", "path = 'huge'", ""),
        ("twice", "path = 'twice'", ""),
        ("none", "path = 'a.b'", "`a.b` is not there"),
        ("list", "path = 'list'", "`list` is a string"),
        ("minus", "path = 'minus', type = 'counter'", "`minus` is negative, which no counter is"),
        (
            "items",
            "each = 'items', path = 'v', json_labels = { n = 'n' }",
            "label `n`: `n` is not there",
        ),
        ("empty", "path = '$.items[?@.v > 9].v'", ""),
    ];
    let mut toml = format!("[json.e]\nendpoint = '{}'\n[json.e.metrics]\n", endpoint.url("/"));
    for (name, keys, _) in metrics {
        toml.push_str(&format!("{name} = {{ {keys} }}\n"));
    }
    let narthex = run(&toml);
    let page = narthex.page();
    for (name, expected) in [
        ("zero", 0.0),
        ("no", 0.0),
        ("parsed", 12.5),
        ("huge", 123_456_789_012_345_680_000_000_000_000.0),
        ("twice", 2.0),
    ] {
        assert_eq!(page.value(name, &[("endpoint", "e")]), Some(expected), "{name}");
    }
    assert_eq!(page.values_of("list", "index"), ["0", "3"]);
    assert_eq!(page.values_of("items", "n"), ["a"]);
    for absent in ["text", "number", "unparsed", "null", "object", "deep", "none", "minus", "empty"]
    {
        assert!(!page.families.contains_key(absent), "{absent} in {}", page.text);
    }
    assert_eq!(success(&page, "json.e"), Some(1.0));
    // Each is counted, and told of in one line, once.
    narthex.page();
    let log = narthex.process.stderr();
    for (name, _, reason) in metrics {
        let labels = [("endpoint", "e"), ("metric", name)];
        let skipped = page.value("narthex_json_skipped_values_total", &labels);
        let expected = match name {
            "items" => 3.0,
            "list" => 2.0,
            _ if reason.is_empty() => 0.0,
            _ => 1.0,
        };
        assert_eq!(skipped, Some(expected), "{name}");
        let lines = log.lines().filter(|line| line.contains(&format!(" metric={name} "))).count();
        assert_eq!(lines, usize::from(!reason.is_empty()), "{name} in {log}");
        assert!(log.contains(reason), "{reason} in {log}");
    }
}

/// Has an endpoint fail in one way, then be well: the rest of the page stays, one line says why.
#[track_caller]
fn check_failure(
    more: &str,
    fail: impl Fn(&mut std::net::TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    reason: &str,
) {
    let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_well = well.clone();
    let endpoint = Endpoint::start(move |_, stream| match is_well.load(Ordering::Acquire) {
        true => respond(stream, "200 OK", JSON, br#"{"a": 42}"#),
        false => fail(stream),
    })
    .unwrap();
    let narthex = run(&file(&endpoint.url("/e?key=s3cret"), more));
    for _ in 0..2 {
        let page = narthex.page();
        assert_eq!(page.value("other", &[]), Some(7.0), "{}", page.text);
        assert!(!page.families.contains_key("m"), "{}", page.text);
        assert_eq!(success(&page, "json.e"), Some(0.0));
    }
    let failures = [("source", "json.e"), ("cause", "error")];
    assert_eq!(narthex.page().value("narthex_source_failures_total", &failures), Some(3.0));
    let log = narthex.process.stderr();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("source failed")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains(reason), "`{reason}` is not in {}", lines[0]);
    assert!(!log.contains("s3cret"), "{log}");

    well.store(true, Ordering::Release);
    let page = narthex.page();
    assert_eq!(page.value("m", &[("endpoint", "e")]), Some(42.0), "{}", page.text);
    assert_eq!(success(&page, "json.e"), Some(1.0));
    assert!(narthex.process.stderr().contains("source has recovered"));
}

#[test]
fn d11_a_status_that_is_no_success_is_a_failure() {
    let fail = |stream: &mut _| respond(stream, "500 Sorry", JSON, br#"{"a": 1}"#);
    check_failure("", fail, "/e` answered 500 Internal Server Error");
    let fail = |stream: &mut _| respond(stream, "204 Nothing", JSON, b"");
    check_failure("status = [200]", fail, "/e` answered 204 No Content");
    let fail = |stream: &mut _| respond(stream, "302 Found", JSON, br#"{"a": 1}"#);
    check_failure("", fail, "answered 302 Found, and redirects are not followed");
}

#[test]
fn d11_an_answer_that_is_not_json_is_a_failure() {
    let fail = |stream: &mut _| respond(stream, "200 OK", "text/html", b"<p>Sorry</p>");
    check_failure("", fail, "answered `text/html`, not JSON; `content_type` can name it");
    for (body, reason) in [
        (r#"{"a": 1"#, "answered what is not valid JSON: EOF while parsing an object at line 1"),
        (r#"{"a": NaN}"#, "answered what is not valid JSON: expected value at line 1"),
        (r#"{"a": 1e999}"#, "answered what is not valid JSON: number out of range at line 1"),
        ("", "answered what is not valid JSON: EOF while parsing a value at line 1"),
    ] {
        check_failure("", move |stream| respond(stream, "200 OK", JSON, body.as_bytes()), reason);
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let fail = move |stream: &mut _| respond(stream, "200 OK", JSON, deep.as_bytes());
    check_failure("", fail, "answered what is not valid JSON: recursion limit exceeded at line 1");
}

#[test]
fn a_media_type_that_is_named_is_taken() {
    let endpoint =
        Endpoint::start(|_, stream| respond(stream, "200 OK", "text/plain", br#"{"a": 1}"#));
    let endpoint = endpoint.unwrap();
    for more in ["content_type = 'text/plain'", "content_type = '*'"] {
        let page = run(&file(&endpoint.url("/"), more)).page();
        assert_eq!(page.value("m", &[("endpoint", "e")]), Some(1.0), "{}", page.text);
    }
}

#[test]
fn an_endpoint_that_hangs_or_breaks_off_is_a_failure() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let hang = move |_: &mut _| {
        // Until the test is over.
        let _ = held.lock().unwrap().recv();
        Ok(())
    };
    check_failure("timeout = 0.2", hang, "gave no whole answer within 0.2 s");
    drop(hold);
    let break_off = |stream: &mut std::net::TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")?;
        stream.write_all(b"Content-Length: 100\r\nConnection: close\r\n\r\n{\"a\": ")
    };
    check_failure("", break_off, "gave no whole answer: ");
    check_failure("", |stream| stream.write_all(b"SSH-2.0-OpenSSH\r\n"), "gave no whole answer: ");
}

#[test]
fn d11_an_endpoint_that_is_down_is_a_failure_until_it_is_up() {
    let addr = Endpoint::json("{}").unwrap().addr();
    let narthex = run(&file(&format!("http://{addr}/"), ""));
    let page = narthex.page();
    assert_eq!((success(&page, "json.e"), page.value("other", &[])), (Some(0.0), Some(7.0)));
    assert!(narthex.process.stderr().contains("Connection refused"));
    let up = |_: &str, stream: &mut _| respond(stream, "200 OK", JSON, br#"{"a": 1}"#);
    let _endpoint = Endpoint::start_at(addr, up).unwrap();
    assert_eq!(narthex.page().value("m", &[("endpoint", "e")]), Some(1.0));
}

#[test]
fn a_huge_answer_does_not_fill_the_memory() {
    // Without a length, so that it ends only where the reader breaks off: after 1 GiB at most.
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let endpoint = Endpoint::start(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")?;
        let chunk = [b'1'; 64 << 10];
        for _ in 0..(1 << 30) / chunk.len() {
            stream.write_all(&chunk)?;
            counted.fetch_add(chunk.len(), Ordering::Relaxed);
        }
        Ok(())
    })
    .unwrap();
    let narthex = run(&file(&endpoint.url("/"), ""));
    assert_eq!(success(&narthex.page(), "json.e"), Some(0.0));
    let log = narthex.process.stderr();
    assert!(log.contains("answered more than 4194304 bytes; `max_size` can be more"), "{log}");
    // Beyond the limit there is what sockets hold.
    assert!(sent.load(Ordering::Relaxed) < 64 << 20, "{}", sent.load(Ordering::Relaxed));
    let peak = proc_status(narthex.process.id(), "VmHWM").unwrap();
    assert!(peak < 100_000, "{peak} kB");

    let endpoint = Endpoint::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")?;
        stream.write_all(b"Content-Length: 1073741824\r\n\r\n")
    })
    .unwrap();
    let narthex = run(&file(&endpoint.url("/"), "max_size = 1000"));
    assert_eq!(success(&narthex.page(), "json.e"), Some(0.0));
    assert!(narthex.process.stderr().contains("more than 1000 bytes"));
}

#[test]
fn a_list_has_as_many_series_as_are_allowed() {
    let endpoint = Endpoint::json(format!(r#"{{"a": [{}1]}}"#, "1,".repeat(499))).unwrap();
    let narthex = run(&file(&endpoint.url("/"), "max_series = 100"));
    let page = narthex.page();
    assert_eq!(page.values_of("m", "index").len(), 100);
    let labels = [("endpoint", "e"), ("metric", "m")];
    assert_eq!(page.value("narthex_json_skipped_values_total", &labels), Some(400.0));
    assert!(narthex.process.stderr().contains("there are more than 100 series"));
}

#[test]
fn a_long_label_does_not_make_a_long_page() {
    let answer = format!(r#"{{"a": [{}1], "name": "{}"}}"#, "1,".repeat(999), "x".repeat(100_000));
    let endpoint = Endpoint::json(answer).unwrap();
    let narthex = run(&file(&endpoint.url("/"), "json_labels = { name = 'name' }"));
    let page = narthex.page();
    assert!(page.text.len() < 20_000, "{}", page.text.len());
    let labels = [("endpoint", "e"), ("metric", "m")];
    assert_eq!(page.value("narthex_json_skipped_values_total", &labels), Some(1000.0));
    let reason = "label `name`: `name` has more than 1024 bytes";
    assert!(narthex.process.stderr().contains(reason), "{}", narthex.process.stderr());
}

#[test]
fn c15_concurrent_scrapes_ask_a_cached_endpoint_once() {
    let scrapes = 5;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let endpoint = Endpoint::start(move |_, stream| {
        let _ = gate.lock().unwrap().recv();
        respond(stream, "200 OK", JSON, br#"{"a": 1}"#)
    })
    .unwrap();
    let toml = format!(
        "[json.e]\nendpoint = '{}'\ncache_life = 3600\n[json.e.metrics.m]\npath = 'a'\n",
        endpoint.url("/")
    );
    let narthex = run(&toml);
    let scrapers: Vec<_> = (0..scrapes)
        .map(|_| {
            let url = narthex.url.clone();
            thread::spawn(move || get(&url, &[]).unwrap())
        })
        .collect();
    let waiting = || {
        let listed = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let port = format!(":{:04X} ", narthex.addr().port());
        let established = |line: &&str| line.contains(&port) && line.contains(" 01 ");
        let count = listed.lines().filter(established).count();
        // Both ends of each.
        (count >= 2 * scrapes && endpoint.requests().len() == 1).then_some(())
    };
    narthex_test::poll("all scrapes", Duration::from_secs(20), waiting);
    drop(open);
    for scraper in scrapers {
        let answer = scraper.join().unwrap();
        let page = Page::parse(answer.text());
        assert_eq!(page.value("m", &[("endpoint", "e")]), Some(1.0), "{}", page.text);
    }
    narthex.page();
    assert_eq!(endpoint.requests().len(), 1);
}

#[test]
fn c14_an_answer_lives_as_long_as_the_file_says() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let url = endpoint.url("/");
    let one = |name: &str, more: &str| {
        format!(
            "[json.{name}]\nendpoint = '{url}{name}'\n{more}\n[json.{name}.metrics.m]\npath = 'a'\n"
        )
    };
    let toml = format!("cache_life = 3600\n{}{}", one("kept", ""), one("fresh", "cache_life = 0"));
    let narthex = run(&toml);
    for _ in 0..3 {
        narthex.page();
    }
    let asked = |name: &str| {
        let requests = endpoint.requests();
        requests.iter().filter(|request| request.starts_with(&format!("GET /{name} "))).count()
    };
    assert_eq!((asked("kept"), asked("fresh")), (1, 3));
}

#[test]
fn endpoints_are_asked_at_the_same_time() {
    let count = 50;
    let (arrive, arrived) = std::sync::mpsc::channel();
    let arrive = Mutex::new(arrive);
    let barrier = Arc::new(std::sync::Barrier::new(count));
    // Nobody is answered before all have asked.
    let endpoint = Endpoint::start(move |_, stream| {
        arrive.lock().unwrap().send(()).unwrap();
        barrier.wait();
        respond(stream, "200 OK", JSON, br#"{"a": 1}"#)
    })
    .unwrap();
    let url = endpoint.url("/");
    let toml: String = (0..count)
        .map(|n| format!("[json.e{n}]\nendpoint = '{url}'\n[json.e{n}.metrics.m]\npath = 'a'\n"))
        .collect();
    let page = run(&toml).page();
    assert_eq!(page.values_of("m", "endpoint").len(), count, "{}", page.text);
    assert_eq!(arrived.try_iter().count(), count);
}

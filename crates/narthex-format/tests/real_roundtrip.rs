//! Hostile label values on their way through the real promtool and the real Prometheus.

mod hostile;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use hostile::Random;
use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion};
use narthex_model::{MetricFamily, Scrape};
use narthex_test::{Prometheus, promtool_findings};

const TUPLES: usize = 10_000;

/// A gauge for each of many tuples of label values, no two alike.
fn scrape() -> Scrape {
    let mut random = Random::new(5);
    let help = format!("Help {}", random.text(8));
    let mut family = MetricFamily::gauge("hostile", help).label_names(["a", "b", "n"]);
    for n in 0..TUPLES {
        let labels = [random.text(4), random.text(4), n.to_string()];
        family.push(labels, random.float());
    }
    Scrape::new(vec![family.build().expect("a good family")])
}

fn page(format: Format, scrape: &Scrape) -> String {
    let mut page = Vec::new();
    format.encode(scrape, &mut page);
    String::from_utf8(page).expect("a page is UTF-8")
}

/// Answers every request with the page, until the test process ends.
fn serve(format: Format, page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
                format.content_type(),
                page.len()
            );
            // A scraper that goes away has what it wanted.
            let _ = stream
                .write_all(answer.as_bytes())
                .and_then(|()| stream.write_all(page.as_bytes()));
        }
    });
    address
}

#[test]
fn real_promtool_takes_ten_thousand_hostile_tuples() {
    let Some(findings) = promtool_findings(&page(Format::TEXT, &scrape())) else { return };
    assert_eq!(findings, [""; 0]);
}

#[test]
fn real_prometheus_stores_ten_thousand_hostile_tuples_as_they_are() {
    let scrape = scrape();
    let openmetrics = Format::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::Underscores,
        created: CreatedLines::Omitted,
    };
    for format in [Format::TEXT, openmetrics] {
        let address = serve(format, page(format, &scrape));
        let Some(prometheus) = Prometheus::start(address, "/metrics") else { return };
        prometheus.wait_for("count(hostile)", |count| count == TUPLES as f64);
        let mut stored = BTreeMap::new();
        for series in prometheus.query("hostile") {
            let labels = series["metric"].as_object().expect("labels");
            let own = labels.iter().filter(|(name, _)| ["a", "b", "n"].contains(&name.as_str()));
            let own: BTreeMap<_, _> = own
                .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
                .collect();
            let value = series["value"][1].as_str().expect("text").to_owned();
            stored.insert(own, shown(value.parse().expect("a number")));
        }
        let expected: BTreeMap<_, _> = scrape.families()[0]
            .metrics()
            .map(|metric| {
                let labels = metric.labels();
                let labels: BTreeMap<_, _> =
                    labels.map(|(name, value)| (name.to_string(), value.into_owned())).collect();
                (labels, shown(metric.number().expect("a number")))
            })
            .collect();
        assert_eq!(expected.len(), TUPLES);
        assert!(stored == expected, "{format:?}: {:?}", first_difference(&stored, &expected));
        assert_eq!(prometheus.complaints(), [""; 0]);
    }
}

/// The number as text, so that NaN equals NaN; Prometheus's API knows no negative zero.
fn shown(number: f64) -> String {
    (number + 0.0).to_string()
}

type Series = BTreeMap<BTreeMap<String, String>, String>;

fn first_difference(stored: &Series, expected: &Series) -> Option<impl std::fmt::Debug> {
    expected
        .iter()
        .find(|(labels, value)| stored.get(*labels) != Some(value))
        .map(|(labels, value)| (labels.clone(), value.clone(), stored.get(labels).cloned()))
}

//! One thread that counts, and how long its longest increments take.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use narthex_core::{Counter, DynamicFamily};

use crate::client::Client;
use crate::{SERIES, labels};

pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) p9999: Duration,
    pub(crate) longest: Duration,
    pub(crate) scrapes: u64,
}

/// Counts for a while, beside a scraper where there is one.
pub(crate) fn run(
    requests: &DynamicFamily<Counter>,
    time: Duration,
    scraped: Option<SocketAddr>,
) -> Run {
    let stop = &AtomicBool::new(false);
    let sets: Vec<_> = (0..SERIES).map(labels).collect();
    thread::scope(|scope| {
        let scraper = scraped.map(|address| {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let mut scrapes = 0;
                while !stop.load(Ordering::Relaxed) {
                    black_box(client.get("/metrics", ""));
                    scrapes += 1;
                }
                scrapes
            })
        });
        let mut random = fastrand::Rng::with_seed(7);
        let mut nanos: Vec<u32> = Vec::with_capacity(200_000_000 / 8);
        let begun = Instant::now();
        let mut last = begun;
        while last - begun < time && nanos.len() < nanos.capacity() {
            let [method, path, status] = &sets[random.usize(0..SERIES)];
            requests.with(&[method, path, status]).expect("three labels").inc();
            let now = Instant::now();
            nanos.push(u32::try_from((now - last).as_nanos()).unwrap_or(u32::MAX));
            last = now;
        }
        let per_second = nanos.len() as f64 / (last - begun).as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        let scrapes = scraper.map_or(0, |scraper| scraper.join().expect("the scraper ends"));
        nanos.sort_unstable();
        let at =
            |q: f64| Duration::from_nanos(nanos[((nanos.len() - 1) as f64 * q) as usize].into());
        Run { per_second, p9999: at(0.9999), longest: at(1.0), scrapes }
    })
}

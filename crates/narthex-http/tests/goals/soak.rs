//! A long time of counting, series that come and go, and scrapes: G27.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use narthex_core::{Counter, DynamicFamily, Registry};
use narthex_http::{MetricsService, Server};
use narthex_test::{proc_status, resident_bytes};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::exchange;
use crate::{Size, report, runtime};

/// Series that are there at any time.
const LIVE: u64 = 10_000;
const UPDATES: u64 = 200_000;
const NEW_SERIES: u64 = 1_000;

/// Counts and renews series until it is told to stop, so much each second as it is due.
fn work(family: &DynamicFamily<Counter>, stop: &AtomicBool, done: &AtomicU64) {
    const STEP: Duration = Duration::from_millis(10);
    let (begun, mut step, mut newest) = (Instant::now(), 0, LIVE);
    let name = |id: u64| id.to_string();
    for id in 0..LIVE {
        family.with(&[&name(id)]).unwrap().inc();
    }
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..NEW_SERIES / 100 {
            family.with(&[&name(newest)]).unwrap().inc();
            assert!(family.remove(&[&name(newest - LIVE)]).unwrap());
            newest += 1;
        }
        for at in 0..UPDATES / 100 {
            family.with(&[&name(newest - 1 - at % LIVE)]).unwrap().inc();
        }
        done.fetch_add(UPDATES / 100, Ordering::Relaxed);
        step += 1;
        thread::sleep((begun + STEP * step).saturating_duration_since(Instant::now()));
    }
}

fn own_threads() -> f64 {
    proc_status(process::id(), "Threads").unwrap() as f64
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The slope of the line that fits best, in units of y a second.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / n;
    let above: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let below: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    above / below
}

fn g27(size: Size) {
    let held = size.of(Duration::from_secs(5), Duration::from_secs(30 * 60));
    // Tables and caches have their size by then.
    let warm = held / 6;
    let registry = Registry::new();
    let family = DynamicFamily::builder("things_total", "Things that come and go.")
        .label_names(["id"])
        .register(&registry)
        .unwrap();
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let (mut memory, mut failed, mut scrapes, mut series) = (Vec::new(), 0, 0, 0);
    let (mut open, mut threads) = (0, 0.0);
    thread::scope(|scope| {
        let worker = scope.spawn(|| work(&family, &stop, &done));
        runtime().block_on(async {
            let server = Server::bind("127.0.0.1:0").await.unwrap();
            let running = server.serve(MetricsService::new(registry));
            let addr = running.local_addrs()[0];
            let mut ticks = interval(Duration::from_millis(500));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while begun.elapsed() < held {
                ticks.tick().await;
                let scrape =
                    async { exchange(TcpStream::connect(addr).await?, "/metrics", "").await };
                let reply = timeout(Duration::from_secs(10), scrape).await;
                failed += u32::from(!matches!(reply, Ok(Ok(reply)) if reply.status == 200));
                scrapes += 1;
                if begun.elapsed() > warm {
                    memory.push((
                        begun.elapsed().as_secs_f64(),
                        resident_bytes(process::id()).unwrap() as f64,
                    ));
                    if open == 0 {
                        (open, threads) = (descriptors(), own_threads());
                    }
                }
            }
            open = descriptors().saturating_sub(open);
            threads = own_threads() - threads;
            stop.store(true, Ordering::Relaxed);
            worker.join().unwrap();
            let stream = TcpStream::connect(addr).await.unwrap();
            let reply = exchange(stream, "/metrics", "").await.unwrap();
            series = reply.body.matches("\nthings_total{").count();
        });
    });
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    let mut good = true;
    // A few seconds say nothing about ten minutes.
    if size == Size::Full {
        let growth = slope(&memory) * 600.0 / 1e6;
        let what = format!("growth of memory, {rate:.0} updates a second, {held:?}");
        let value = format!("{growth:.2} MB in 10 minutes");
        good &= report("G27", &what, value, "1 MB", growth < 1.0);
    }
    good &= report("G27", &format!("scrapes of {scrapes} that failed"), failed, 0, failed == 0);
    good &= report("G27", "series on the last page", series, LIVE, series == LIVE as usize);
    good &= report("G27", "more descriptors than at the start", open, 2, open <= 2);
    good &= report("G27", "more threads than at the start", threads, 2, threads <= 2.0);
    assert!(good);
}

#[test]
fn g27_memory_follows_the_series_and_not_the_time() {
    g27(Size::Small);
}

#[test]
#[ignore = "takes half an hour"]
fn g27_memory_follows_the_series_and_not_the_time_full() {
    g27(Size::Full);
}

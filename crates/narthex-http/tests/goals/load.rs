//! Many scrapers at once: G4.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::child::{Plan, ServerProcess};
use crate::client::exchange;
use crate::{Size, Times, mib, ms, report, runtime};

fn g04(size: Size) {
    let (scrapers, series) = (size.of(20, 100), size.of(10_000, 100_000));
    let held = size.of(Duration::from_secs(2), Duration::from_secs(20));
    let server = ServerProcess::start(&Plan { series, ..Plan::default() });
    let addr = server.addr;
    runtime().block_on(async {
        let until = Instant::now() + held;
        let mut tasks = JoinSet::new();
        for _ in 0..scrapers {
            tasks.spawn(async move {
                let (mut times, mut other) = (Times::default(), 0);
                while Instant::now() < until {
                    let begun = Instant::now();
                    let reply =
                        async { exchange(TcpStream::connect(addr).await?, "/metrics", "").await };
                    match timeout(Duration::from_secs(60), reply).await {
                        Ok(Ok(reply)) if reply.status == 200 => times.0.push(begun.elapsed()),
                        _ => other += 1,
                    }
                }
                (times, other)
            });
        }
        let mut rss = 0;
        while Instant::now() < until {
            rss = rss.max(server.memory());
            sleep(Duration::from_millis(200)).await;
        }
        let (mut times, mut other) = (Times::default(), 0);
        while let Some(end) = tasks.join_next().await {
            let (more, failed) = end.unwrap();
            times.0.extend(more.0);
            other += failed;
        }
        let share = 100.0 * times.0.len() as f64 / (times.0.len() + other) as f64;
        let what = format!(
            "of {} scrapes by {scrapers} scrapers, those answered 200",
            times.0.len() + other
        );
        let mut good = report("G4", &what, format!("{share:.1} %"), "95 %", share >= 95.0);
        let limit = Duration::from_secs(5);
        good &= report(
            "G4",
            "p99 of these scrapes",
            ms(times.p99()),
            ms(limit),
            size.in_time(times.p99() < limit),
        );
        let limit = 400 << 20;
        good &= report("G4", "memory of the server", mib(rss), mib(limit), rss < limit);
        assert!(good);
    });
}

#[test]
fn g04_a_storm_of_scrapers_is_served() {
    g04(Size::Small);
}

#[test]
#[ignore = "takes half a minute"]
fn g04_a_storm_of_scrapers_is_served_full() {
    g04(Size::Full);
}

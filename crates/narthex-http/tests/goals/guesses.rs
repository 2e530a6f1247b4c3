//! Wrong passwords: G8, G9.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::certs::Folder;
use crate::child::{Plan, ServerProcess};
use crate::client::{basic, exchange};
use crate::{Size, Times, mib, ms, report, runtime};

fn start(folder: &Folder, users: &[(&str, u32)]) -> ServerProcess {
    let lines = users
        .iter()
        .map(|(name, cost)| format!("  {name}: {}\n", bcrypt::hash("right", *cost).unwrap()));
    let text = format!("basic_auth_users:\n{}", lines.collect::<String>());
    let web = folder.write("web.yml", text).display().to_string();
    ServerProcess::start(&Plan { series: 100, web: Some(web), ..Plan::default() })
}

/// The status that a path is answered with, and how long that took.
async fn ask(addr: SocketAddr, path: &str, headers: &str) -> (u16, Duration) {
    let begun = Instant::now();
    let stream = TcpStream::connect(addr).await.unwrap();
    let reply = exchange(stream, path, headers).await.unwrap();
    (reply.status, begun.elapsed())
}

fn g08(size: Size) {
    let folder = Folder::new();
    let server = start(&folder, &[("alice", 4)]);
    let addr = server.addr;
    let (clients, guesses) = (50, size.of(1_000, 20_000));
    runtime().block_on(async {
        assert_eq!(ask(addr, "/metrics", &basic("alice", "right")).await.0, 200);
        let before = server.memory();
        let mut tasks = JoinSet::new();
        for client in 0..clients {
            tasks.spawn(async move {
                let (mut passed, mut probes, mut answered) = (0, 0, 0);
                for at in (client..guesses).step_by(clients) {
                    let headers = match at % 3 {
                        0 => basic("alice", &format!("guess{at}")),
                        1 => basic(&format!("user{at}"), "right"),
                        _ => basic("alice", &format!("right{at}")),
                    };
                    let (status, _) = ask(addr, "/metrics", &headers).await;
                    passed += usize::from(!matches!(status, 401 | 429));
                    if at % 10 == 0 {
                        probes += 1;
                        answered += usize::from(ask(addr, "/-/healthy", "").await.0 == 200);
                    }
                }
                (passed, probes, answered)
            });
        }
        let (mut passed, mut probes, mut answered, mut rss) = (0, 0, 0, before);
        while let Some(end) = tasks.join_next().await {
            let (more, asked, healthy) = end.unwrap();
            (passed, probes, answered) = (passed + more, probes + asked, answered + healthy);
            rss = rss.max(server.memory());
        }
        let what = format!("of {guesses} wrong passwords, those let in");
        let mut good = report("G8", &what, passed, 0, passed == 0);
        good &=
            report("G8", "probes answered in the meantime", answered, probes, answered == probes);
        let limit = 16 << 20;
        good &= report(
            "G8",
            "growth of the server's memory",
            mib(rss - before),
            mib(limit),
            rss - before < limit,
        );
        assert_eq!(ask(addr, "/metrics", &basic("alice", "right")).await.0, 200);
        assert!(good);
    });
}

#[test]
fn g08_guesses_are_all_refused() {
    g08(Size::Small);
}

#[test]
#[ignore = "takes half a minute"]
fn g08_guesses_are_all_refused_full() {
    g08(Size::Full);
}

#[test]
#[ignore = "measures times, and takes a minute"]
fn g08_users_that_do_not_exist_take_as_long_as_those_that_do_full() {
    let mut good = true;
    for (users, asked) in [
        (&[("alice", 8)][..], "alice"),
        (&[("alice", 10)], "alice"),
        (&[("alice", 12)], "alice"),
        // The one with the cheaper hash must not be told by it.
        (&[("alice", 8), ("bob", 10)], "alice"),
    ] {
        let folder = Folder::new();
        let server = start(&folder, users);
        let addr = server.addr;
        runtime().block_on(async {
            let (mut known, mut unknown) = (Times::default(), Times::default());
            for at in 0..60 {
                let guess = format!("wrong{at}");
                known.0.push(ask(addr, "/metrics", &basic(asked, &guess)).await.1);
                unknown.0.push(ask(addr, "/metrics", &basic("carol", &guess)).await.1);
            }
            let (known, unknown) = (known.median().as_secs_f64(), unknown.median().as_secs_f64());
            let gap = 100.0 * (known - unknown).abs() / known.max(unknown);
            let what = format!("gap between known and unknown users, costs {users:?}");
            good &= report("G8", &what, format!("{gap:.1} %"), "10 %", gap < 10.0);
        });
    }
    assert!(good);
}

fn g09(size: Size) {
    let folder = Folder::new();
    let server = start(&folder, &[("alice", size.of(4, 10))]);
    let addr = server.addr;
    let held = size.of(Duration::from_secs(2), Duration::from_secs(25));
    runtime().block_on(async {
        assert_eq!(ask(addr, "/metrics", &basic("alice", "right")).await.0, 200);
        let until = Instant::now() + held;
        let mut tasks = JoinSet::new();
        for client in 0..50 {
            tasks.spawn(async move {
                let mut passed = 0;
                for at in 0_usize.. {
                    if Instant::now() >= until {
                        break;
                    }
                    let headers = basic("alice", &format!("guess{client}-{at}"));
                    let (status, _) = ask(addr, "/metrics", &headers).await;
                    passed += usize::from(!matches!(status, 401 | 429));
                }
                passed
            });
        }
        let (mut valid, mut health, mut failed) = (Times::default(), Times::default(), 0);
        while Instant::now() < until {
            let (status, time) = ask(addr, "/metrics", &basic("alice", "right")).await;
            failed += usize::from(status != 200);
            valid.0.push(time);
            let (status, time) = ask(addr, "/-/healthy", "").await;
            failed += usize::from(status != 200);
            health.0.push(time);
            sleep(Duration::from_millis(20)).await;
        }
        let mut passed = 0;
        while let Some(end) = tasks.join_next().await {
            passed += end.unwrap();
        }
        let limits = [100, 500, 20].map(Duration::from_millis);
        let count = format!("{failed} of {}", valid.0.len() + health.0.len());
        let mut good = report("G9", "answers lost beside 50 guessers", count, 0, failed == 0);
        good &= report("G9", "guesses let in", passed, 0, passed == 0);
        for (what, time, limit) in [
            ("p99 of a user known to be right", valid.p99(), limits[0]),
            ("longest of these", valid.max(), limits[1]),
            ("p99 of the health endpoint", health.p99(), limits[2]),
        ] {
            good &= report("G9", what, ms(time), ms(limit), size.in_time(time < limit));
        }
        assert!(good);
    });
}

#[test]
fn g09_guessers_do_not_keep_a_user_out() {
    g09(Size::Small);
}

#[test]
#[ignore = "measures times, and takes half a minute"]
fn g09_guessers_do_not_keep_a_user_out_full() {
    g09(Size::Full);
}

//! Clients that hold on to connections: G1, G2, G3, G5, G6.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::certs::{Authority, Folder};
use crate::child::{Plan, ServerProcess};
use crate::client::{Trust, exchange};
use crate::{Size, Times, mib, ms, report, runtime};

/// Scrapes one after the other for as long as `until`; how long they took, and how many failed.
async fn scrapes(addr: SocketAddr, trust: Option<Trust>, until: Instant) -> (Times, usize) {
    let (mut times, mut failed) = (Times::default(), 0);
    while Instant::now() < until {
        let begun = Instant::now();
        let reply = async {
            match &trust {
                Some(trust) => trust.get(addr, "/metrics").await,
                None => exchange(TcpStream::connect(addr).await?, "/metrics", "").await,
            }
        };
        match timeout(Duration::from_secs(30), reply).await {
            Ok(Ok(reply)) if reply.status == 200 => times.0.push(begun.elapsed()),
            _ => failed += 1,
        }
        sleep(Duration::from_millis(20)).await;
    }
    (times, failed)
}

/// What a client sends at once, and again each second.
#[derive(Clone, Copy)]
struct Dribble {
    first: &'static [u8],
    then: &'static [u8],
}

/// Opens so many connections and says when each was closed.
async fn hold(addr: SocketAddr, clients: usize, dribble: Dribble, most: Duration) -> Times {
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(async move {
            // The server may accept before this task hears of it.
            let begun = Instant::now();
            let mut stream = TcpStream::connect(addr).await.ok()?;
            stream.write_all(dribble.first).await.ok()?;
            let mut byte = [0; 512];
            while begun.elapsed() < most {
                match timeout(Duration::from_secs(1), stream.read(&mut byte)).await {
                    Ok(Ok(0) | Err(_)) => return Some(begun.elapsed()),
                    Ok(Ok(_)) => {}
                    Err(_) => {
                        if stream.write_all(dribble.then).await.is_err() {
                            return Some(begun.elapsed());
                        }
                    }
                }
            }
            None
        });
    }
    let mut closed = Times::default();
    while let Some(end) = tasks.join_next().await {
        closed.0.extend(end.unwrap());
    }
    closed
}

struct Slow<'a> {
    goal: &'a str,
    what: &'a str,
    clients: [(usize, Dribble); 2],
    trust: Option<Trust>,
    plan: Plan,
    p99: Duration,
    memory: i64,
}

fn slow(size: Size, case: Slow<'_>) {
    let Slow { goal, what, clients, trust, plan, p99, memory } = case;
    let server = ServerProcess::start(&plan);
    let addr = server.addr;
    let deadline = plan.deadline.unwrap_or(Duration::from_secs(10));
    let held = deadline * 6;
    runtime().block_on(async {
        let honest = tokio::spawn(scrapes(addr, trust, Instant::now() + held));
        let holding = clients.map(|(n, dribble)| tokio::spawn(hold(addr, n, dribble, held)));
        sleep(deadline / 2).await;
        let mut rss = server.memory();
        let mut closed = Times::default();
        for holding in holding {
            closed.0.extend(holding.await.unwrap().0);
            rss = rss.max(server.memory());
        }
        let (mut times, failed) = honest.await.unwrap();
        let all: usize = clients.iter().map(|(n, _)| n).sum();
        let limit = format!("{all}");
        let mut good = report(goal, what, closed.0.len(), limit, closed.0.len() == all);
        let (first, last) = (closed.0.iter().min().copied().unwrap_or_default(), closed.max());
        let slack = Duration::from_secs(2);
        let in_time = first + slack >= deadline && last <= deadline + slack;
        let spread = format!("{:.1} to {:.1} s", first.as_secs_f64(), last.as_secs_f64());
        let limit = format!("{:.0} ± 2 s", deadline.as_secs_f64());
        good &= report(goal, "when they were closed", spread, limit, size.in_time(in_time));
        let served = format!("{failed} of {}", times.0.len() + failed);
        good &= report(goal, "scrapes that failed meanwhile", served, 0, failed == 0);
        good &= report(
            goal,
            "p99 of these scrapes",
            ms(times.p99()),
            ms(p99),
            size.in_time(times.p99() < p99),
        );
        good &= report(goal, "memory of the server", mib(rss), mib(memory), rss < memory);
        assert!(good);
    });
}

fn g01(size: Size) {
    let dribble = Dribble { first: b"GET /metrics HTTP/1.1\r\n", then: b"X" };
    slow(
        size,
        Slow {
            goal: "G1",
            what: "connections closed whose heads never end",
            clients: [(size.of(150, 10_000), dribble), (0, dribble)],
            trust: None,
            plan: Plan {
                series: 100,
                connections: Some(12_000),
                deadline: size.of(Some(Duration::from_secs(1)), None),
                ..Plan::default()
            },
            p99: Duration::from_millis(50),
            memory: 200 << 20,
        },
    );
}

#[test]
fn g01_slow_heads_are_cut() {
    g01(Size::Small);
}

#[test]
#[ignore = "takes a minute"]
fn g01_slow_heads_are_cut_full() {
    g01(Size::Full);
}

fn g02(size: Size) {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    folder.write_identity("server", &authority.server());
    let web = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    let web = folder.write("web.yml", web).display().to_string();
    let silent = Dribble { first: b"", then: b"" };
    let half = Dribble { first: b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", then: b"\0" };
    slow(
        size,
        Slow {
            goal: "G2",
            what: "connections closed whose TLS handshakes never end",
            clients: [(size.of(150, 5_000), silent), (size.of(20, 500), half)],
            trust: Some(Trust::of(&authority)),
            plan: Plan {
                series: 100,
                connections: Some(12_000),
                deadline: size.of(Some(Duration::from_secs(1)), None),
                web: Some(web),
                ..Plan::default()
            },
            p99: Duration::from_millis(150),
            memory: 300 << 20,
        },
    );
}

#[test]
fn g02_slow_handshakes_are_cut() {
    g02(Size::Small);
}

#[test]
#[ignore = "takes a minute"]
fn g02_slow_handshakes_are_cut_full() {
    g02(Size::Full);
}

fn g03(size: Size) {
    // A page of half as many fits into the buffers of a connection, and then nobody is slow.
    let (readers, series) = (size.of(20, 200), 100_000);
    let deadline = size.of(Some(Duration::from_secs(2)), None);
    let server = ServerProcess::start(&Plan { series, deadline, ..Plan::default() });
    let addr = server.addr;
    runtime().block_on(async {
        let page = exchange(TcpStream::connect(addr).await.unwrap(), "/metrics", "").await.unwrap();
        let (body, before) = (page.body.len() as i64, server.memory());
        let held = size.of(Duration::from_secs(6), Duration::from_secs(40));
        let honest = tokio::spawn(scrapes(addr, None, Instant::now() + held));
        let mut tasks = JoinSet::new();
        for _ in 0..readers {
            tasks.spawn(async move {
                let socket = TcpSocket::new_v4().unwrap();
                // As little as can be on its way without the reader's doing.
                socket.set_recv_buffer_size(4096).unwrap();
                let mut stream = socket.connect(addr).await.ok()?;
                let request =
                    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
                stream.write_all(request).await.ok()?;
                let begun = Instant::now();
                while begun.elapsed() < held {
                    sleep(Duration::from_secs(1)).await;
                    if stream.read_u8().await.is_err() {
                        return Some(true);
                    }
                }
                // What is left of the page in the sockets comes at once, and then its end.
                let mut rest = Vec::new();
                let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
                Some(end.is_ok() && (rest.len() as i64) < body)
            });
        }
        let mut rss = before;
        let until = Instant::now() + held;
        while Instant::now() < until {
            sleep(Duration::from_millis(250)).await;
            rss = rss.max(server.memory());
        }
        let (mut times, failed) = honest.await.unwrap();
        let mut cut = 0;
        while let Some(end) = tasks.join_next().await {
            cut += usize::from(end.unwrap() == Some(true));
        }
        let limit = 2 * body + (64 << 20);
        let served = format!("{failed} of {}", times.0.len() + failed);
        let mut good =
            report("G3", "scrapes that failed beside slow readers", served, 0, failed == 0);
        let second = Duration::from_secs(1);
        good &= report(
            "G3",
            "p99 of these scrapes",
            ms(times.p99()),
            ms(second),
            size.in_time(times.p99() < second),
        );
        good &= report(
            "G3",
            "growth of the server's memory",
            mib(rss - before),
            mib(limit),
            rss - before < limit,
        );
        good &=
            report("G3", "readers at 1 B/s that were cut or refused", cut, readers, cut == readers);
        assert!(good);
    });
}

#[test]
fn g03_slow_readers_are_cut_and_share_a_page() {
    g03(Size::Small);
}

#[test]
#[ignore = "takes a minute"]
fn g03_slow_readers_are_cut_and_share_a_page_full() {
    g03(Size::Full);
}

fn g05(size: Size) {
    let clients = size.of(100, 1_000);
    let server =
        ServerProcess::start(&Plan { series: 100, connections: Some(2_000), ..Plan::default() });
    let addr = server.addr;
    runtime().block_on(async {
        let before = server.memory();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            tasks.spawn(async move {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ").await;
                let block = [b'x'; 9000];
                for _ in 0..100 {
                    if stream.write_all(&block).await.is_err() {
                        break;
                    }
                }
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer).await;
                // The answer is lost where it crosses what the client still sends.
                answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 ")
            });
        }
        let (mut refused, mut rss) = (0, before);
        while let Some(end) = tasks.join_next().await {
            refused += usize::from(end.unwrap());
            rss = rss.max(server.memory());
        }
        let mut good =
            report("G5", "heads of 900 kB that were refused", refused, clients, refused == clients);
        let limit = 32 << 20;
        good &= report(
            "G5",
            "growth of the server's memory",
            mib(rss - before),
            mib(limit),
            rss - before < limit,
        );
        assert!(good);
    });
}

#[test]
fn g05_giant_heads_are_refused() {
    g05(Size::Small);
}

#[test]
#[ignore = "takes some seconds"]
fn g05_giant_heads_are_refused_full() {
    g05(Size::Full);
}

/// Clients that come back whenever they are closed, and never say anything.
async fn reconnecting(addr: SocketAddr, until: Instant) {
    while Instant::now() < until {
        let Ok(mut stream) = TcpStream::connect(addr).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let left = until.saturating_duration_since(Instant::now());
        let _ = timeout(left, stream.read_u8()).await;
        // No faster than a client that has other things to do.
        sleep(Duration::from_secs(1)).await;
    }
}

fn g06(size: Size) {
    let (cap, idlers) = (size.of(64, 256), size.of(100, 2_000));
    let held = size.of(Duration::from_secs(3), Duration::from_secs(60));
    let server =
        ServerProcess::start(&Plan { series: 100, connections: Some(cap), ..Plan::default() });
    let addr = server.addr;
    runtime().block_on(async {
        let until = Instant::now() + held;
        let mut tasks = JoinSet::new();
        for _ in 0..idlers {
            tasks.spawn(reconnecting(addr, until));
        }
        let (times, failed) = scrapes(addr, None, until).await;
        while tasks.join_next().await.is_some() {}
        let share = 100.0 * times.0.len() as f64 / (times.0.len() + failed) as f64;
        let what = format!("scrapes served at a cap of {cap} against {idlers} that come back");
        // One of a few may be late where the machine does other things too.
        let limit = size.of(90.0, 99.0);
        let limit_shown = format!("{limit} %");
        assert!(report("G6", &what, format!("{share:.2} %"), limit_shown, share >= limit));
    });

    let server =
        ServerProcess::start(&Plan { series: 100, descriptors: Some(64), ..Plan::default() });
    let addr = server.addr;
    runtime().block_on(async {
        let clients = size.of(100, 500);
        let mut held = Vec::new();
        for _ in 0..clients {
            held.extend(TcpStream::connect(addr).await.ok());
        }
        let before = server.work();
        let pause = size.of(Duration::from_secs(1), Duration::from_secs(5));
        sleep(pause).await;
        let share = 100.0 * (server.work() - before).as_secs_f64() / pause.as_secs_f64();
        let what = "work of a server with 64 descriptors and too many clients";
        let mut good =
            report("G6", what, format!("{share:.0} %"), "20 %", size.in_time(share < 20.0));
        drop(held);
        let begun = Instant::now();
        let reply = exchange(TcpStream::connect(addr).await.unwrap(), "/metrics", "").await;
        let served = reply.is_ok_and(|reply| reply.status == 200);
        let second = Duration::from_secs(1);
        let in_time = size.in_time(begun.elapsed() < second);
        good &= report(
            "G6",
            "until it serves when they are gone",
            ms(begun.elapsed()),
            ms(second),
            served && in_time,
        );
        assert!(good);
    });
}

#[test]
fn g06_a_scraper_gets_in_at_the_cap_and_without_descriptors() {
    g06(Size::Small);
}

#[test]
#[ignore = "takes a minute"]
fn g06_a_scraper_gets_in_at_the_cap_and_without_descriptors_full() {
    g06(Size::Full);
}

//! The end of a server, and changes under way: G21, G22.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use narthex_test::Response;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::certs::{Authority, Folder};
use crate::child::{Plan, ServerProcess};
use crate::client::Trust;
use crate::{Size, ms, report, runtime};

fn g21(size: Size) {
    let (readers, idle, half): (usize, _, _) =
        (size.of(10, 50), size.of(50, 500), size.of(10, 100));
    let series = size.of(50_000, 100_000);
    let plan = Plan { series, connections: Some(2_000), ..Plan::default() };
    let mut server = ServerProcess::start(&plan);
    let addr = server.addr;
    let stopped = runtime().block_on(async {
        let mut waiting = Vec::new();
        for _ in 0..idle {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            stream.read_u8().await.unwrap();
            waiting.push(stream);
        }
        for _ in 0..half {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(b"GET /metr").await.unwrap();
            waiting.push(stream);
        }
        // All at once, as scrapers do: whoever takes nothing for long makes room for others.
        let (go, _) = tokio::sync::watch::channel(false);
        let under_way = Arc::new(Semaphore::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..readers {
            let (mut told, under_way) = (go.subscribe(), under_way.clone());
            tasks.spawn(async move {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_recv_buffer_size(16 * 1024).unwrap();
                let mut stream = socket.connect(addr).await.unwrap();
                let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
                stream.write_all(request).await.unwrap();
                // Under way for sure: the first byte has come, and the last cannot have left.
                let mut answer = vec![stream.read_u8().await.unwrap()];
                under_way.add_permits(1);
                told.wait_for(|go| *go).await.unwrap();
                let _ = stream.read_to_end(&mut answer).await;
                Response::read("GET", &mut &*answer).is_ok_and(|response| response.status == 200)
            });
        }
        drop(under_way.acquire_many(readers as u32).await.unwrap());
        server.ask_to_stop();
        let asked = Instant::now();
        go.send_replace(true);
        let mut whole = 0;
        while let Some(end) = tasks.join_next().await {
            whole += usize::from(end.unwrap());
        }
        drop(waiting);
        (asked, whole)
    });
    let (asked, whole) = stopped;
    let cut = server.ended();
    let took = asked.elapsed();
    let what =
        format!("bodies under way at shutdown that were whole, beside {} others", idle + half);
    let mut good = report("G21", &what, whole, readers, whole == readers);
    good &= report("G21", "connections cut", cut, 0, cut == 0);
    let limit = Duration::from_secs(5);
    good &= report("G21", "until the end", ms(took), ms(limit), size.in_time(took <= limit));
    assert!(good);
}

#[test]
fn g21_what_is_under_way_ends_whole() {
    g21(Size::Small);
}

#[test]
#[ignore = "takes some seconds"]
fn g21_what_is_under_way_ends_whole_full() {
    for _ in 0..10 {
        g21(Size::Full);
    }
}

/// Asks on a connection that is kept.
async fn ask_again(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    // A page of ten series is whole before it is sent.
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    match head.starts_with("HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(io::Error::other(head)),
    }
}

fn g22(size: Size) {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    folder.write_identity("server", &authority.server());
    let good_file = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    let web = folder.write("web.yml", good_file).display().to_string();
    let server = ServerProcess::start(&Plan { series: 10, web: Some(web), ..Plan::default() });
    let addr = server.addr;
    let trust = Trust::of(&authority);
    let rounds = size.of(4, 100);
    let bad = [
        "",
        "{",
        "nonsense",
        "\u{0}",
        "tls_server_config: {cert_file: none.pem, key_file: server.key}\n",
        "tls_server_config: {cert_file: server.key, key_file: server.pem}\n",
        "tls_server_config: {cert_file: server.pem}\n",
        "basic_auth_users: {me: plain}\n",
        "rate_limit: {interval: 1s, burst: 0}\n",
        "http_server_config: {headers: {Set-Cookie: a}}\n",
    ];
    runtime().block_on(async {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let asker = trust.clone();
        let asking = tokio::spawn(async move {
            let (mut asked, mut failed) = (0_usize, 0_usize);
            let mut kept = asker.connect(addr).await.unwrap();
            let mut lives = true;
            while !*stopped.borrow() {
                let reply = asker.get(addr, "/metrics").await;
                failed += usize::from(!reply.is_ok_and(|reply| reply.status == 200));
                asked += 1;
                lives &= ask_again(&mut kept).await.is_ok();
                sleep(Duration::from_millis(20)).await;
            }
            (asked, failed, lives)
        });
        let served = async || {
            let stream = trust.connect(addr).await.unwrap();
            stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
        };
        let mut slowest = Duration::ZERO;
        for round in 0..rounds {
            folder.write("web.yml", bad[round % bad.len()]);
            // Long enough for the server to see it.
            sleep(size.of(Duration::from_millis(50), Duration::from_millis(600))).await;
            folder.write("web.yml", good_file);
            let (identity, before) = (authority.server(), served().await);
            let halves = [("server.pem", &identity.certificate), ("server.key", &identity.key)];
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            folder.write(halves[order[0]].0, halves[order[0]].1);
            sleep(Duration::from_millis(7 * (round as u64 % 100))).await;
            folder.write(halves[order[1]].0, halves[order[1]].1);
            let whole = Instant::now();
            while served().await == before {
                assert!(
                    whole.elapsed() < Duration::from_secs(60),
                    "the new certificate never came"
                );
                sleep(Duration::from_millis(10)).await;
            }
            slowest = slowest.max(whole.elapsed());
        }
        stop.send_replace(true);
        let (asked, failed, lives) = asking.await.unwrap();
        let what = format!(
            "of {asked} scrapes over {rounds} bad files and {rounds} rotations, those that failed"
        );
        let mut good = report("G22", &what, failed, 0, failed == 0);
        good &= report("G22", "connections kept over all of it", usize::from(lives), 1, lives);
        let limit = Duration::from_secs(1);
        good &= report(
            "G22",
            "longest until a new certificate was served",
            ms(slowest),
            ms(limit),
            size.in_time(slowest < limit),
        );
        assert!(good);
    });
}

#[test]
fn g22_changes_of_files_disturb_nobody() {
    g22(Size::Small);
}

#[test]
#[ignore = "takes two minutes"]
fn g22_changes_of_files_disturb_nobody_full() {
    g22(Size::Full);
}

//! From the start to the end of `narthex run`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use narthex_test::{Response, get};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::{Directory, Page};

#[test]
fn b18_a_port_in_use_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let listen = format!("--web.listen-address={addr}");
    let (code, stdout, stderr) = Directory::new().end_of(&["run", &listen, "-L", "error"], &[]);
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains(&addr), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn c13_sighup_does_not_end_the_program() {
    let mut narthex = Directory::new().run(&[]);
    narthex.process.signal("HUP");
    narthex.wait_for_log("SIGHUP");
    narthex.page();
    narthex.process.signal("TERM");
    assert_eq!(narthex.process.wait().code(), Some(0));
}

#[test]
fn sigterm_while_the_machine_is_read_ends_with_a_whole_page_and_exit_code_0() {
    let directory = Directory::new().write("proc/stat", "");
    let fifo = directory.path().join("proc/loadavg");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let mut narthex = directory.run(&["--path.procfs=proc", "--web.shutdown-timeout=60"]);

    let url = narthex.url.clone();
    let scrape = thread::spawn(move || get(&url, &[]).unwrap());
    // Opening waits for the collector to open the other end.
    let mut loadavg = std::fs::File::options().write(true).open(&fifo).unwrap();
    narthex.process.signal("TERM");
    narthex.wait_for_log("shutdown cause=SIGTERM");
    loadavg.write_all(b"0.5 0.25 0.125 1/2 3\n").unwrap();
    drop(loadavg);

    let answer = scrape.join().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(Page::parse(answer.text()).value("node_load1", &[]), Some(0.5));
    assert_eq!(narthex.process.wait().code(), Some(0), "{}", narthex.process.stderr());
}

#[test]
fn sigterm_while_a_page_is_read_ends_with_a_whole_body_and_exit_code_0() {
    // About 40 MB, which no socket buffers.
    let (devices, columns) = (10_000, 16);
    let head = format!("Inter-| Receive | Transmit\n face |{RECEIVE}|{TRANSMIT}\n");
    let values = "1 ".repeat(columns);
    let lines = (0..devices).map(|n| format!("{}{n}: {values}\n", "x".repeat(180)));
    let directory = Directory::new().write("proc/net/dev", &(head + &lines.collect::<String>()));
    let mut narthex = directory.run(&["--path.procfs=proc", "--web.shutdown-timeout=60"]);

    let mut stream = TcpStream::connect(narthex.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
        .write_all(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
              X-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n",
        )
        .unwrap();
    let mut answer = vec![0];
    stream.read_exact(&mut answer).unwrap();
    narthex.process.signal("TERM");
    narthex.wait_for_log("shutdown cause=SIGTERM");
    assert!(narthex.process.is_running());
    stream.read_to_end(&mut answer).unwrap();

    let response = Response::read("GET", &mut &*answer).expect("a whole body");
    let samples = response.text().lines().filter(|line| line.starts_with("node_network_")).count();
    assert_eq!(samples, devices * columns);
    assert_eq!(narthex.process.wait().code(), Some(0), "{}", narthex.process.stderr());
}

const RECEIVE: &str = "bytes packets errs drop fifo frame compressed multicast";
const TRANSMIT: &str = "bytes packets errs drop fifo colls carrier compressed";

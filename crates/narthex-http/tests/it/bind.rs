//! Addresses, ports and what happens where they cannot be had.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use narthex_http::{ListenAddr, MetricsService, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};

use crate::client::get;
use crate::gathers::small;

fn free_port_v4() -> SocketAddr {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    probe.local_addr().unwrap()
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[tokio::test]
async fn a25_a_port_is_found_where_none_is_asked_for() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let [addr] = *server.local_addrs() else { panic!("one address") };
    assert_eq!(addr.ip(), Ipv4Addr::LOCALHOST);
    assert_ne!(addr.port(), 0);
    let running = server.serve(MetricsService::new(small()));
    assert_eq!(running.local_addrs(), [addr]);
    assert_eq!(get(addr, "/metrics").await.status, 200);
}

#[tokio::test]
async fn a26_the_url_of_the_metrics_is_known() {
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(MetricsService::new(small()));
    let port = running.local_addrs()[0].port();
    assert_eq!(running.metrics_url(), format!("http://127.0.0.1:{port}/metrics"));

    let all = Server::bind("0.0.0.0:0").await.unwrap().serve(MetricsService::new(small()));
    let port = all.local_addrs()[0].port();
    assert_eq!(all.metrics_url(), format!("http://0.0.0.0:{port}/metrics"));

    if has_ipv6() {
        let running = Server::bind("[::1]:0").await.unwrap().serve(MetricsService::new(small()));
        let port = running.local_addrs()[0].port();
        assert_eq!(running.metrics_url(), format!("http://[::1]:{port}/metrics"));
        assert_eq!(get(running.local_addrs()[0], "/metrics").await.status, 200);
    }
}

#[tokio::test]
async fn a28_a_failed_bind_names_the_address_and_leaves_nothing_behind() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = holder.local_addr().unwrap();
    let free = free_port_v4();
    let error = Server::bind_all([free, taken]).await.unwrap_err();
    assert_eq!(error.addr(), taken.to_string());
    let reason = error.io_error().expect("the system's reason").to_string();
    assert_eq!(error.to_string(), format!("cannot listen on `{taken}`: {reason}"));

    // What was bound before the failure is free again, and a later try succeeds.
    assert_eq!(Server::bind(free).await.unwrap().local_addrs(), [free]);
    drop(holder);
    let running = Server::bind(taken).await.unwrap().serve(MetricsService::new(small()));
    assert_eq!(get(taken, "/metrics").await.status, 200);
    drop(running);
}

#[tokio::test]
async fn a28_a_port_is_free_again_after_shutdown() {
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    get(addr, "/metrics").await;
    running.shutdown().await.unwrap();
    let again = Server::bind(addr).await.unwrap().serve(MetricsService::new(small()));
    assert_eq!(get(addr, "/metrics").await.status, 200);
    drop(again);
}

#[tokio::test]
async fn a28_addresses_that_belong_together_are_bound_together_or_not_at_all() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = holder.local_addr().unwrap();
    let free = free_port_v4();
    let error = Server::bind(&[free, taken][..]).await.unwrap_err();
    let text = error.to_string();
    let start = format!("cannot listen on `{free}, {taken}` (`{taken}`): ");
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(Server::bind(free).await.unwrap().local_addrs(), [free]);
}

#[tokio::test]
async fn a28_a_port_is_free_again_though_the_system_remembers_connections() {
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(MetricsService::new(small()));
    let addr = running.local_addrs()[0];
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    // The side that ends a connection remembers it for a minute: here that is the server.
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    drop(stream);
    running.shutdown().await.unwrap();
    assert_eq!(Server::bind(addr).await.unwrap().local_addrs(), [addr]);
}

#[tokio::test]
async fn b03_a_name_is_bound_to_every_address_it_resolves_to() {
    let server = Server::bind("localhost:0").await.unwrap();
    let port = server.local_addrs()[0].port();
    let mut wanted: Vec<_> = lookup_host(("localhost", port))
        .await
        .unwrap()
        .filter(|addr| addr.is_ipv4() || has_ipv6())
        .collect();
    wanted.dedup();
    assert_eq!(server.local_addrs(), wanted);
    let running = server.serve(MetricsService::new(small()));
    for addr in wanted {
        assert_eq!(get(addr, "/metrics").await.status, 200, "{addr}");
    }
    drop(running);
}

#[tokio::test]
async fn b03_b04_all_addresses_of_a_name_get_the_same_port() {
    // What `localhost` is on most machines, and a stand-in for it where there is no IPv6.
    let other = if has_ipv6() { "[::1]:0" } else { "127.0.0.2:0" };
    let addrs: [SocketAddr; 2] = ["127.0.0.1:0".parse().unwrap(), other.parse().unwrap()];
    let server = Server::bind(&addrs[..]).await.unwrap();
    let [first, second] = *server.local_addrs() else { panic!("two addresses") };
    assert_eq!(first.port(), second.port());
    assert_ne!(first.ip(), second.ip());
    let running = server.serve(MetricsService::new(small()));
    let urls: Vec<_> = running.metrics_urls().collect();
    assert_eq!(urls, [first, second].map(|addr| format!("http://{addr}/metrics")));
    for addr in [first, second] {
        assert_eq!(get(addr, "/metrics").await.status, 200, "{addr}");
    }
}

#[tokio::test]
async fn an_empty_host_is_all_interfaces() {
    let server = Server::bind(":0").await.unwrap();
    let [addr] = *server.local_addrs() else { panic!("one address") };
    assert!(addr.ip().is_unspecified());
    let running = server.serve(MetricsService::new(small()));
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port()));
    assert_eq!(get(v4, "/metrics").await.status, 200);
    drop(running);
}

#[tokio::test]
async fn addresses_that_cannot_be_read_are_named() {
    for (addr, reason) in [
        ("localhost", "it has no port"),
        ("", "it has no port"),
        ("127.0.0.1:", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:http", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:65536", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:+80", "the port is not a number from 0 to 65535"),
        ("::1:9100", "an IPv6 address needs brackets"),
        ("[::1:9100", "its brackets do not match"),
    ] {
        let error = Server::bind(addr).await.unwrap_err();
        assert_eq!(error.to_string(), format!("`{addr}` is not an address to listen on: {reason}"));
        assert!(error.io_error().is_none());
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_named() {
    let error = Server::bind("nowhere.invalid:9100").await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot listen on `nowhere.invalid:9100`: "), "{text}");
    assert!(error.io_error().is_some());
}

#[tokio::test]
async fn no_address_at_all_is_an_error() {
    assert!(Server::bind_all([""; 0]).await.is_err());
}

#[tokio::test]
async fn an_address_has_many_forms() {
    let host = "127.0.0.1";
    let ip = Ipv4Addr::LOCALHOST;
    for addr in [
        ListenAddr::from("127.0.0.1:0"),
        ListenAddr::from("127.0.0.1:0".to_owned()),
        ListenAddr::from((host, 0)),
        ListenAddr::from((host.to_owned(), 0)),
        ListenAddr::from((std::net::IpAddr::from(ip), 0)),
        ListenAddr::from(SocketAddr::from((ip, 0))),
    ] {
        assert_eq!(addr.to_string(), "127.0.0.1:0");
        assert_eq!(Server::bind(addr).await.unwrap().local_addrs()[0].ip(), ip);
    }
    assert_eq!(ListenAddr::from(("::1", 9100)).to_string(), "[::1]:9100");
}

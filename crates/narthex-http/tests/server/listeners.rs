//! Where a server listens, and which names it answers to.

use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

use narthex_http::{ListenAddr, Server, WebConfig};
use tokio::net::TcpStream;

use crate::certs::{Authority, Folder};
use crate::client::{exchange, get, raw};
use crate::page::empty;

fn unix(folder: &Folder, name: &str) -> (ListenAddr, std::path::PathBuf) {
    let path = folder.path().join(name);
    (format!("unix:{}", path.display()).into(), path)
}

#[tokio::test]
async fn a_unix_socket_is_served_and_removed_at_the_end() {
    let folder = Folder::new();
    let (addr, path) = unix(&folder, "s.sock");
    let running = Server::bind(addr).await.unwrap().serve(empty());
    assert_eq!(running.metrics_url(), format!("http://unix:{}:/metrics", path.display()));
    assert!(running.local_addrs().is_empty());
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(exchange(stream, "/metrics", "").await.unwrap().status, 200);
    running.shutdown().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_unix_socket_can_be_one_of_several_listeners() {
    let folder = Folder::new();
    let (addr, path) = unix(&folder, "s.sock");
    let server = Server::bind_all([addr, "127.0.0.1:0".into()]).await.unwrap();
    let running = server.serve(empty());
    let tcp = running.local_addrs()[0];
    let urls: Vec<_> = running.metrics_urls().collect();
    assert_eq!(
        urls,
        [format!("http://unix:{}:/metrics", path.display()), format!("http://{tcp}/metrics")]
    );
    assert_eq!(get(tcp, "/metrics", "").await.status, 200);
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(exchange(stream, "/metrics", "").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_socket_that_a_killed_process_left_is_replaced() {
    let folder = Folder::new();
    let (addr, path) = unix(&folder, "s.sock");
    // What closes a listener does not remove its file.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.metadata().unwrap().file_type().is_socket());
    let running = Server::bind(addr).await.unwrap().serve(empty());
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(exchange(stream, "/-/healthy", "").await.unwrap().body, "healthy\n");
    drop(running);
}

#[tokio::test]
async fn a_live_socket_and_any_other_file_stay() {
    let folder = Folder::new();
    let (addr, path) = unix(&folder, "live.sock");
    let live = UnixListener::bind(&path).unwrap();
    let error = Server::bind(addr).await.unwrap_err().to_string();
    let shown = path.display();
    assert_eq!(error, format!("cannot listen on `unix:{shown}`: another process listens there"));
    UnixStream::connect(&path).expect("the other process is still reached");
    drop(live);

    let (addr, path) = unix(&folder, "file");
    std::fs::write(&path, "precious").unwrap();
    let error = Server::bind(addr).await.unwrap_err().to_string();
    let shown = path.display();
    assert_eq!(error, format!("cannot listen on `unix:{shown}`: there is a file already"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");

    let (addr, link) = unix(&folder, "link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(Server::bind(addr).await.is_err());
    assert!(link.exists() && path.exists());

    for (addr, reason) in [
        ("unix:s.sock", "the path of a socket must start with `/`"),
        ("unix:", "the path of a socket must start with `/`"),
    ] {
        let error = Server::bind(addr).await.unwrap_err().to_string();
        assert_eq!(error, format!("`{addr}` is not an address to listen on: {reason}"));
    }
    let error = Server::bind("unix:/nowhere/at/all.sock").await.unwrap_err();
    assert!(error.io_error().is_some(), "{error}");
}

#[tokio::test]
async fn a_socket_that_another_process_has_replaced_is_not_removed() {
    let folder = Folder::new();
    let (addr, path) = unix(&folder, "s.sock");
    let running = Server::bind(addr).await.unwrap().serve(empty());
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    running.shutdown().await.unwrap();
    assert!(path.exists());
    drop(other);
}

#[tokio::test]
async fn sockets_that_listen_already_are_taken() {
    let folder = Folder::new();
    let path = folder.path().join("given.sock");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = tcp.local_addr().unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let server = Server::from_tcp([tcp]).unwrap().and(Server::from_unix(unix).unwrap());
    let running = server.serve(empty());
    assert_eq!(running.local_addrs(), [addr]);
    assert_eq!(get(addr, "/metrics", "").await.status, 200);
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(exchange(stream, "/metrics", "").await.unwrap().status, 200);
    running.shutdown().await.unwrap();
    assert!(path.exists(), "the file is not ours");
    let none = Server::from_tcp([]).unwrap_err().to_string();
    assert!(none.starts_with("cannot listen on"), "{none}");
}

#[tokio::test]
async fn the_health_address_serves_health_alone_and_without_tls_or_passwords() {
    let (authority, folder) = (Authority::new("ca"), Folder::new());
    folder.write_identity("server", &authority.server());
    folder.write("ca.pem", &authority.pem);
    let text = format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
         client_auth_type: RequireAndVerifyClientCert}}\n\
         basic_auth_users: {{me: {}}}\nrate_limit: {{interval: 1h, burst: 1}}\n",
        crate::auth::hash("right")
    );
    let config = WebConfig::new().file(folder.write("web.yml", text));
    let server = Server::bind("127.0.0.1:0").await.unwrap().web_config(config).unwrap();
    let server = server.health_address("127.0.0.1:0").await.unwrap();
    let health = server.health_addrs().next().unwrap();
    let running = server.serve(empty());
    let urls: Vec<_> = running.health_urls().collect();
    assert_eq!(urls, [format!("http://{health}/-/healthy")]);
    assert_eq!(get(health, "/-/healthy", "").await.body, "healthy\n");
    assert_eq!(get(health, "/-/ready", "").await.body, "ready\n");
    for path in ["/", "/metrics", "/robots.txt", "/-/reload", "/-/healthy/", "/%2d/healthy"] {
        assert_eq!(get(health, path, "").await.status, 404, "{path}");
    }
    running.shutdown().await.unwrap();
    assert!(TcpStream::connect(health).await.is_err());
}

#[tokio::test]
async fn a_loopback_listener_answers_to_loopback_names_alone() {
    let server = Server::bind("127.0.0.1:0").await.unwrap().allowed_host("metrics.example");
    let metrics = server.metrics();
    let running = server.serve(empty());
    let addr = running.local_addrs()[0];
    for (host, status) in [
        ("localhost", 200),
        (&*addr.to_string(), 200),
        ("metrics.example:9100", 200),
        ("evil.example", 421),
        ("evil.example:9100", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
    ] {
        for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/robots.txt", "/nothing"] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = raw(addr, request).await;
            let expected = if status == 200 && path == "/nothing" { 404 } else { status };
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{host}{path}: {answer}");
        }
    }
    let refused =
        crate::tls::value(&metrics, "narthex_server_requests_refused_total", &[("reason", "host")]);
    assert_eq!(refused, 24.0);
}

#[tokio::test]
async fn elsewhere_every_name_will_do_unless_some_are_given() {
    let running = Server::bind("0.0.0.0:0").await.unwrap().serve(empty());
    let port = running.local_addrs()[0].port();
    let ask = async |host: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw(([127, 0, 0, 1], port).into(), request).await
    };
    assert!(ask("any.example").await.starts_with("HTTP/1.1 200 "));
}

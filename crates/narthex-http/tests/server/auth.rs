//! Who is let in, and what that costs.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use narthex_http::{Body, Running, Server, ServerMetrics, Site, WebConfig};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::certs::Folder;
use crate::client::{basic, exchange, get, raw};
use crate::page::empty;
use crate::tls::value;

/// The hash of a password, at the lowest cost.
pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// The header that a site has where it is given no name.
const SERVER: &str = concat!("narthex-http/", env!("CARGO_PKG_VERSION"));

/// An endpoint that answers whoever gets there.
#[derive(Clone)]
struct Own;

impl Service<Request<Body>> for Own {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::from("secret"))))
    }
}

async fn serve(config: WebConfig) -> (Running, SocketAddr, ServerMetrics) {
    let server = Server::bind("127.0.0.1:0").await.unwrap().web_config(config).unwrap();
    let metrics = server.metrics();
    let running = server.serve(Site::new(empty()).route("/own", Own).unwrap());
    let addr = running.local_addrs()[0];
    (running, addr, metrics)
}

fn users(folder: &Folder, users: &[(&str, String)]) -> WebConfig {
    let lines = users.iter().map(|(name, hash)| format!("  {name}: {hash}\n"));
    let text = format!("basic_auth_users:\n{}", lines.collect::<String>());
    WebConfig::new().file(folder.write("web.yml", text))
}

#[tokio::test]
async fn everything_but_health_needs_credentials() {
    let folder = Folder::new();
    let (_running, addr, metrics) = serve(users(&folder, &[("alice", hash("a:b"))])).await;
    let good = basic("alice", "a:b");
    let refused = [
        ("".to_owned(), "credentials are missing\n"),
        (basic("alice", "wrong"), "the user or the password is wrong\n"),
        (basic("alice", "a"), "the user or the password is wrong\n"),
        (basic("alice", ""), "the user or the password is wrong\n"),
        (basic("bob", "a:b"), "the user or the password is wrong\n"),
        (basic("", "a:b"), "the user or the password is wrong\n"),
        (basic("alice:a", "c"), "the user or the password is wrong\n"),
        (basic("alice\0", "a:b"), "the user or the password is wrong\n"),
        (basic("ALICE", "a:b"), "the user or the password is wrong\n"),
        ("Authorization: Basic\r\n".into(), "the Authorization header cannot be read\n"),
        ("Authorization: Basic !!!\r\n".into(), "the Authorization header cannot be read\n"),
        ("Authorization: Basic YWxpY2U=\r\n".into(), "the Authorization header cannot be read\n"),
        ("Authorization: \r\n".into(), "the Authorization header cannot be read\n"),
        (
            "Authorization: Bearer YWxpY2U6YTpi\r\n".into(),
            "there are no credentials of this kind\n",
        ),
        (
            "Authorization: Digest username=alice\r\n".into(),
            "there are no credentials of this kind\n",
        ),
        (format!("{good}{good}"), "there are several Authorization headers\n"),
    ];
    // All forms that reach the same endpoints, and some that reach none.
    let paths = [
        "/",
        "/metrics",
        "/own",
        "/robots.txt",
        "/nothing",
        "/-/healthy/",
        "/-/healthy/../metrics",
        "/metrics?/-/healthy",
        "//-/healthy",
        "/-/Healthy",
        "/%2d/healthy",
        "/-/reload",
        "/-/ready;",
        "/metrics/",
        "/own?x=/-/ready",
    ];
    for path in paths {
        for (headers, reason) in &refused {
            let reply = get(addr, path, headers).await;
            assert_eq!(reply.status, 401, "{path} {headers:?}");
            assert_eq!(reply.body, *reason, "{path} {headers:?}");
            assert_eq!(reply.header("www-authenticate"), ["Basic realm=\"metrics\""]);
            // Row B24: on every response, errors included.
            assert_eq!(reply.header("server"), [SERVER]);
        }
        assert_ne!(get(addr, path, &good).await.status, 401, "{path}");
    }
    for path in ["/-/healthy", "/-/ready", "/-/healthy?full=1"] {
        for (headers, _) in &refused {
            assert_eq!(get(addr, path, headers).await.status, 200, "{path} {headers:?}");
        }
    }
    for method in ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "TRACE", "PATCH", "GETX", "get"] {
        let request = format!(
            "{method} /own HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: GET\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = raw(addr, request).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{method}: {answer}");
        assert!(!answer.contains("secret"), "{method}: {answer}");
    }
    let asked = paths.len() * refused.len() + 9;
    let name = "narthex_server_requests_refused_total";
    assert_eq!(value(&metrics, name, &[("reason", "credentials")]), asked as f64);
}

#[tokio::test]
async fn a_connection_is_trusted_no_further_than_its_request() {
    let folder = Folder::new();
    let (_running, addr, _) = serve(users(&folder, &[("alice", hash("right"))])).await;
    let good = basic("alice", "right");
    let answer = raw(
        addr,
        format!(
            "GET /own HTTP/1.1\r\nHost: localhost\r\n{good}\r\n\
             GET /own HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ),
    )
    .await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 401 ").count(), 1, "{answer}");
    assert_eq!(answer.matches("secret").count(), 1, "{answer}");
}

/// CVE-2022-46146: the toolkit's cache joined user, hash and password without a separator, so that
/// a refused guess could be remembered as another user's success.
#[tokio::test]
async fn no_guess_prepares_another() {
    let folder = Folder::new();
    let (alice, bob) = (hash("right"), hash("other"));
    let (_running, addr, _) =
        serve(users(&folder, &[("alice", alice.clone()), ("bob", bob.clone())])).await;
    // A hit for one user first, so that there is something to be confused with.
    assert_eq!(get(addr, "/own", &basic("alice", "right")).await.status, 200);
    for (user, password) in [
        ("bob", "right".to_owned()),
        ("alice", format!("{alice}right")),
        ("alic", format!("e{alice}right")),
        (&*format!("alice{alice}"), "right".to_owned()),
        ("bob", alice.clone()),
        ("bob", format!("{alice}right")),
        ("alice", bob.clone()),
        ("alice", "righ".to_owned()),
        ("alice", "right ".to_owned()),
    ] {
        for _ in 0..2 {
            assert_eq!(get(addr, "/own", &basic(user, &password)).await.status, 401, "{password}");
        }
    }
    assert_eq!(get(addr, "/own", &basic("alice", "right")).await.status, 200);
    assert_eq!(get(addr, "/own", &basic("bob", "other")).await.status, 200);
}

#[tokio::test]
async fn every_version_of_bcrypt_is_understood() {
    let folder = Folder::new();
    // One password, as four programs have it. The third writes what the others do.
    let plain = hash("right");
    let versions = ["2a", "2b", "2x", "2y"].map(|version| plain.replacen("2b", version, 1));
    let named: Vec<_> = ["a", "b", "x", "y"].into_iter().zip(versions).collect();
    let (_running, addr, _) = serve(users(&folder, &named)).await;
    for (user, _) in &named {
        assert_eq!(get(addr, "/own", &basic(user, "right")).await.status, 200, "{user}");
        assert_eq!(get(addr, "/own", &basic(user, "wrong")).await.status, 401, "{user}");
    }
}

#[tokio::test]
async fn tokens_of_a_file_are_let_in() {
    let folder = Folder::new();
    let file = folder.write("tokens", "# the first\n\nabc.DEF-_~+/==\r\n  second  \n");
    let (_running, addr, _) = serve(WebConfig::new().bearer_token_file(&file)).await;
    for (header, status) in [
        ("Authorization: Bearer abc.DEF-_~+/==\r\n", 200),
        ("authorization: bearer   second\r\n", 200),
        ("Authorization: Bearer secon\r\n", 401),
        ("Authorization: Bearer second2\r\n", 401),
        ("Authorization: Bearer SECOND\r\n", 401),
        ("Authorization: Bearer # the first\r\n", 401),
        ("Authorization: Bearer \r\n", 401),
        ("Authorization: Bearer\r\n", 401),
        ("Authorization: second\r\n", 401),
        ("", 401),
    ] {
        let reply = get(addr, "/own", header).await;
        assert_eq!(reply.status, status, "{header}");
        if status == 401 {
            assert_eq!(reply.header("www-authenticate"), ["Bearer realm=\"metrics\""]);
        }
    }
    assert_eq!(get(addr, "/own", &basic("second", "second")).await.status, 401);
    // A token that is taken out of the file is worth nothing from then on.
    folder.write("tokens", "third\n");
    crate::tls::until("the new token", async || {
        get(addr, "/own", "Authorization: Bearer third\r\n").await.status == 200
    })
    .await;
    assert_eq!(get(addr, "/own", "Authorization: Bearer second\r\n").await.status, 401);
}

#[tokio::test]
async fn tokens_and_users_go_together() {
    let folder = Folder::new();
    let config = users(&folder, &[("alice", hash("right"))]);
    let config = config.bearer_token_file(folder.write("tokens", "token\n"));
    let (_running, addr, _) = serve(config).await;
    assert_eq!(get(addr, "/own", &basic("alice", "right")).await.status, 200);
    assert_eq!(get(addr, "/own", "Authorization: Bearer token\r\n").await.status, 200);
    let reply = get(addr, "/own", "").await;
    let challenges = ["Basic realm=\"metrics\"", "Bearer realm=\"metrics\""];
    assert_eq!(reply.header("www-authenticate"), challenges);
}

#[tokio::test]
async fn a_file_with_secrets_that_all_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    for (text, is_secret) in [
        (format!("basic_auth_users: {{me: {}}}\n", hash("right")), true),
        ("http_server_config: {headers: {X-Frame-Options: deny}}\n".to_owned(), false),
    ] {
        let path = folder.write("web.yml", text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let (logs, _guard) = crate::logs::Logs::capture();
        WebConfig::new().file(&path).check().unwrap();
        assert_eq!(logs.lines("can be read by every user").len(), usize::from(is_secret));
    }
}

#[tokio::test]
async fn headers_are_on_every_response() {
    let folder = Folder::new();
    let text = "http_server_config:\n  http2: true\n  headers:\n    \
                Strict-Transport-Security: max-age=31536000; includeSubDomains\n    \
                X-Content-Type-Options: nosniff\n    X-Frame-Options: sameorigin\n    \
                X-XSS-Protection: 1; mode=block\n    \
                Content-Security-Policy: default-src 'self'\n";
    let (_running, addr, _) = serve(WebConfig::new().file(folder.write("web.yml", text))).await;
    for path in ["/", "/metrics", "/own", "/nothing", "/-/healthy"] {
        let reply = get(addr, path, "").await;
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "sameorigin"),
            ("x-xss-protection", "1; mode=block"),
            ("content-security-policy", "default-src 'self'"),
        ] {
            assert_eq!(reply.header(name), [value], "{path}");
        }
    }
    let refused = raw(addr, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(refused.contains("x-frame-options: sameorigin\r\n"), "{refused}");
}

#[tokio::test]
async fn beyond_the_rate_requests_are_asked_to_wait() {
    let folder = Folder::new();
    let path = folder.write("web.yml", "rate_limit:\n  interval: 1h\n  burst: 3\n");
    let (_running, addr, metrics) = serve(WebConfig::new().file(path)).await;
    for _ in 0..3 {
        assert_eq!(get(addr, "/metrics", "").await.status, 200);
    }
    let reply = get(addr, "/metrics", "").await;
    assert_eq!((reply.status, &*reply.body), (429, "too many requests\n"));
    let wait: u64 = reply.header("retry-after")[0].parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
    assert_eq!(get(addr, "/-/healthy", "").await.status, 200, "probes are not counted");
    let name = "narthex_server_requests_refused_total";
    assert_eq!(value(&metrics, name, &[("reason", "rate")]), 1.0);
}

/// G8: nothing gets in, and what guesses cost is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g08_wrong_passwords_are_all_refused() {
    let folder = Folder::new();
    let config = users(&folder, &[("alice", hash("right"))]);
    let config = config.bearer_token_file(folder.write("tokens", "token\n"));
    let (_running, addr, metrics) = serve(config).await;
    assert_eq!(get(addr, "/own", &basic("alice", "right")).await.status, 200);
    const GUESSES: usize = 2_000;
    let tried = guess(addr, 100, GUESSES).await;
    assert_eq!((tried.refused + tried.busy, tried.let_in), (GUESSES, 0));
    assert!(tried.healthy > 0, "probes were answered in between");
    let name = "narthex_server_requests_refused_total";
    let refused = value(&metrics, name, &[("reason", "credentials")]);
    let busy = value(&metrics, name, &[("reason", "busy")]);
    assert_eq!((refused as usize, busy as usize), (tried.refused, tried.busy));
    assert_eq!(get(addr, "/own", &basic("alice", "right")).await.status, 200);
}

/// What came of guesses.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    pub(crate) refused: usize,
    /// Refused for want of a place to check them.
    pub(crate) busy: usize,
    pub(crate) let_in: usize,
    /// Probes answered in the meantime.
    pub(crate) healthy: usize,
}

/// Makes so many guesses from so many clients at once.
pub(crate) async fn guess(addr: SocketAddr, clients: usize, guesses: usize) -> Guesses {
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        tasks.spawn(async move {
            let mut made = Guesses::default();
            for at in (client..guesses).step_by(clients) {
                let headers = match at % 4 {
                    0 => basic("alice", &format!("guess{at}")),
                    1 => basic(&format!("user{at}"), "right"),
                    2 => basic("alice", &format!("right{at}")),
                    _ => format!("Authorization: Bearer token{at}\r\n"),
                };
                let stream = TcpStream::connect(addr).await.unwrap();
                let reply = exchange(stream, "/own", &headers).await.unwrap();
                match reply.status {
                    401 => made.refused += 1,
                    429 => made.busy += 1,
                    _ => made.let_in += 1,
                }
                if at % 10 == 0 {
                    let stream = TcpStream::connect(addr).await.unwrap();
                    let reply = exchange(stream, "/-/healthy", "").await.unwrap();
                    made.healthy += usize::from(reply.status == 200);
                }
            }
            made
        });
    }
    let mut all = Guesses::default();
    while let Some(made) = tasks.join_next().await {
        let made = made.unwrap();
        all.refused += made.refused;
        all.busy += made.busy;
        all.let_in += made.let_in;
        all.healthy += made.healthy;
    }
    all
}
